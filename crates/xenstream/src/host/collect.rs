//! Describes a host from what its kernel and Xen's tools say.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use walkdir::WalkDir;
use xenstream_core::Target;

use super::{Cpu, DeviceModel, Disks, Host, Memory, Policies, VERSION, Xen};

/// Where the kernel says which boot this is.
pub(super) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Where the kernel of a Xen domain describes the hypervisor.
const HYPERVISOR: &str = "/sys/hypervisor";
const CPUINFO: &str = "/proc/cpuinfo";
const HOST_NAME: &str = "/proc/sys/kernel/hostname";
const INTERFACES: &str = "/sys/class/net";

/// How long a tool may take. Those of Xen answer at once, or wait forever for a daemon that does not run.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where Xen's tools are, if not in the path: `xen-cpuid` is in none.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/lib/xen/bin", "/usr/libexec/xen/bin"];

/// Device models of toolstacks, the preferred one first: Debian's, that of Xen's own build, and XCP-ng's.
const DEVICE_MODELS: [&str; 6] = [
    "/usr/libexec/xen-qemu-system-i386",
    "/usr/local/lib/xen/bin/qemu-system-i386",
    "/usr/lib/xen/bin/qemu-system-i386",
    "/usr/lib64/xen/bin/qemu-system-i386",
    "/usr/bin/qemu-system-x86_64",
    "/usr/bin/qemu-system-i386",
];

/// Where a host's sources are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sources {
    /// A directory with the sources of another host: its files below `proc` and `sys`, and what its tools printed in `xl-info`,
    /// `xen-cpuid` and `qemu-version`. `None` is this host.
    pub recorded: Option<PathBuf>,
    /// Directories whose files and devices are listed, so that disks can be looked for.
    pub disks: Vec<PathBuf>,
}

impl Sources {
    /// Returns the sources that were recorded in this directory.
    #[must_use]
    pub fn recorded_in(directory: impl Into<PathBuf>) -> Sources {
        Sources { recorded: Some(directory.into()), ..Sources::default() }
    }

    /// Returns the sources with these directories of disks.
    #[must_use]
    pub fn with_disks(mut self, directories: Vec<PathBuf>) -> Sources {
        self.disks = directories;
        self
    }
}

/// The reason why a host cannot be described.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// The directory of recorded sources cannot be read.
    #[error("cannot read {path}")]
    Recorded {
        /// The directory.
        path: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// A directory of disks cannot be listed. A list that is not complete would make disks seem missing.
    #[error("cannot list {path}")]
    Disks {
        /// The directory.
        path: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
}

/// Describes a host. A source that is absent is no error: what only it knows stays unknown.
///
/// # Errors
/// A directory that was named cannot be read.
pub fn collect(sources: &Sources) -> Result<Host, CollectError> {
    if let Some(path) = &sources.recorded {
        fs::read_dir(path).map_err(|source| CollectError::Recorded { path: path.clone(), source })?;
    }
    let mut collector = Collector { recorded: sources.recorded.as_deref(), sources: BTreeMap::new() };
    let info = collector.told("xl-info", "xl", &["info"]).map(|text| table(&text)).unwrap_or_default();
    let cpuinfo = collector.file(CPUINFO).map(|text| table(first_paragraph(&text))).unwrap_or_default();
    let policies = collector.told("xen-cpuid", "xen-cpuid", &["-p"]).and_then(|text| Policies::parse(&text));
    let policies = policies.unwrap_or_default();
    let xen = collector.xen(&info);
    let disks = listed(&sources.disks)?;
    let vendor = policies.raw.as_ref().map(|raw| raw.vendor().to_string());
    let number = |key: &str| cpuinfo.get(key).and_then(|text| text.parse().ok());
    let cpu = Cpu {
        vendor: vendor.or_else(|| cpuinfo.get("vendor_id").cloned()),
        family: number("cpu family"),
        model: number("model"),
        stepping: number("stepping"),
        name: cpuinfo.get("model name").cloned(),
    };
    let mib = |key: &str| info.get(key).and_then(|text| text.parse::<u64>().ok()?.checked_mul(1024));
    let memory = Memory { total_kib: mib("total_memory"), free_kib: mib("free_memory") };
    let release = release(xen.version.as_deref(), xen.changeset.as_deref());
    let device_model = collector.device_model();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
    Ok(Host {
        xenstream_host: VERSION,
        collected: now.filter(|_| sources.recorded.is_none()),
        name: collector.file(HOST_NAME).or_else(|| info.get("host").cloned()),
        boot_id: collector.file(BOOT_ID),
        release: release.map(|target| target.to_string()),
        xen,
        cpu,
        policies,
        memory,
        device_model,
        interfaces: collector.names_in(INTERFACES),
        disks,
        sources: collector.sources,
    })
}

/// Returns the release that runs on this host, or the newest known of its branch; `None` if that cannot be read or is unknown.
#[must_use]
pub fn running_release() -> Option<Target> {
    let mut collector = Collector { recorded: None, sources: BTreeMap::new() };
    let xen = collector.xen(&BTreeMap::new());
    release(xen.version.as_deref(), xen.changeset.as_deref())
}

/// Returns the release with this version and changeset.
fn release(version: Option<&str>, changeset: Option<&str>) -> Option<Target> {
    let rest = version?.strip_prefix("4.")?;
    let (branch, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let minor: u8 = branch.parse().ok()?;
    // Such as `.4`, `.5-pre`, or `.5-13` of a vendor's thirteenth build; empty where the kernel hides it.
    let mut numbers = rest.trim_start_matches('.').split('-').map(|number| number.parse::<u8>().ok());
    let (point, build) = (numbers.next().flatten(), numbers.next().flatten());
    // XCP-ng and XenServer name their queue of patches beside the commit.
    if changeset.is_some_and(|changeset| changeset.contains(", pq ")) {
        let name = match minor {
            13 => "xcp-ng-8.2",
            // The LAPIC entry grew in this build.
            17 if (point, build) >= (Some(5), Some(13)) => "xcp-ng-8.3",
            17 => "xcp-ng-8.3-2024",
            _ => return None,
        };
        return name.parse().ok();
    }
    Target::of_host(minor, point.unwrap_or(u8::MAX)).map(|resolved| resolved.target)
}

struct Collector<'a> {
    recorded: Option<&'a Path>,
    sources: BTreeMap<String, String>,
}

impl Collector<'_> {
    /// The text of a file of the kernel's, without white space around it.
    fn file(&mut self, path: &str) -> Option<String> {
        let read = fs::read(self.path(path)).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        self.noted(path, read)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.recorded.map_or_else(|| path.into(), |root| root.join(path.trim_start_matches('/')))
    }

    /// What a tool prints.
    fn told(&mut self, recorded: &str, tool: &str, arguments: &[&str]) -> Option<String> {
        let told = match self.recorded {
            Some(root) => fs::read(root.join(recorded)),
            None => tool_path(tool)
                .map_or_else(|| Err(io::ErrorKind::NotFound.into()), |path| run(&path, arguments)),
        };
        self.noted(recorded, told.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Names of the files in a directory.
    fn names_in(&mut self, directory: &str) -> Option<Vec<String>> {
        let listed = fs::read_dir(self.path(directory)).and_then(|entries| {
            let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            names.collect::<io::Result<Vec<String>>>()
        });
        let mut names = self.noted(directory, listed)?;
        names.sort();
        Some(names)
    }

    fn noted<T>(&mut self, source: &str, result: io::Result<T>) -> Option<T> {
        let outcome = match &result {
            Ok(_) => "read".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => "absent".to_owned(),
            Err(error) => error.to_string(),
        };
        self.sources.insert(source.to_owned(), outcome);
        result.ok()
    }

    /// The hypervisor, according to `xl info`, and to the kernel where that does not say.
    fn xen(&mut self, info: &BTreeMap<String, String>) -> Xen {
        let mut read = |key: &str, file: &str| {
            let told = info.get(key).cloned();
            let text = told.or_else(|| self.file(&format!("{HYPERVISOR}/{file}")));
            text.filter(|text| !text.is_empty() && text != "unknown" && text != "<denied>")
        };
        let words = |text: String| text.split_whitespace().map(str::to_owned).collect();
        let (major, minor) = (read("xen_major", "version/major"), read("xen_minor", "version/minor"));
        let extra = read("xen_extra", "version/extra").unwrap_or_default();
        Xen {
            version: major.zip(minor).map(|(major, minor)| format!("{major}.{minor}{extra}")),
            changeset: read("xen_changeset", "properties/changeset"),
            build_id: read("build_id", "buildid"),
            compiled: read("cc_compile_date", "compilation/compile_date"),
            capabilities: read("xen_caps", "properties/capabilities").map(words),
            virtualisation: info.get("virt_caps").cloned().map(words),
        }
    }

    fn device_model(&mut self) -> Option<DeviceModel> {
        const NAME: &str = "qemu-version";
        if let Some(root) = self.recorded {
            let text = self.noted(NAME, fs::read_to_string(root.join(NAME)))?;
            return Some(DeviceModel { path: String::new(), version: qemu_version(&text)? });
        }
        let path = DEVICE_MODELS.into_iter().find(|path| Path::new(path).exists());
        let told = path
            .map_or_else(|| Err(io::ErrorKind::NotFound.into()), |path| run(Path::new(path), &["--version"]));
        let text = self.noted(NAME, told)?;
        let version = qemu_version(&String::from_utf8_lossy(&text))?;
        Some(DeviceModel { path: path?.to_owned(), version })
    }
}

/// `7.2.22` of `QEMU emulator version 7.2.22 (Debian …)`.
fn qemu_version(text: &str) -> Option<String> {
    let (_, version) = text.split_once("version ")?;
    version.split(|c: char| c.is_whitespace() || c == ',').next().map(str::to_owned)
}

/// Lines of the form `key : value`. Lines of any other form are passed over.
fn table(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

/// The first processor of `/proc/cpuinfo`.
fn first_paragraph(text: &str) -> &str {
    text.split("\n\n").next().unwrap_or(text)
}

fn tool_path(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(DIRECTORIES.map(PathBuf::from));
    directories.map(|directory| directory.join(tool)).find(|path| path.is_file())
}

/// What a program prints before it ends with success.
fn run(program: &Path, arguments: &[&str]) -> io::Result<Vec<u8>> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.read_to_end(&mut bytes).map(|_| bytes);
        // The receiver may have lost patience.
        let _ = sender.send(read);
    });
    let Ok(read) = receiver.recv_timeout(PATIENCE) else {
        // It may have ended just now.
        let _ = child.kill();
        child.wait()?;
        return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 seconds"));
    };
    let status = child.wait()?;
    if status.success() { read } else { Err(io::Error::other(format!("ended with {status}"))) }
}

/// Everything below these directories.
fn listed(directories: &[PathBuf]) -> Result<Disks, CollectError> {
    let mut disks = Disks::default();
    for directory in directories {
        let failed = |error: io::Error| CollectError::Disks { path: directory.clone(), source: error };
        disks.directories.push(directory.to_string_lossy().into_owned());
        for entry in WalkDir::new(directory).min_depth(1) {
            let entry = entry.map_err(|error| failed(error.into()))?;
            // A name that is not UTF-8 is in no configuration that is.
            disks.paths.extend(entry.path().to_str().map(str::to_owned));
        }
    }
    disks.paths.sort();
    Ok(disks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_follows_version_and_changeset() {
        for (version, changeset, expected) in [
            ("4.17.7", None, Some("4.17.7")),
            ("4.20.5-pre", None, Some("4.20.4")),
            ("4.21", None, Some("4.21.2")),
            ("4.13.5-9.38", Some("708e83f0e7d1, pq 70d4b5941e4f"), Some("xcp-ng-8.2")),
            ("4.17.4-6", Some("430ce6cd9365, pq 326ba7419f25"), Some("xcp-ng-8.3-2024")),
            ("4.17.5-12", Some("430ce6cd9365, pq 326ba7419f25"), Some("xcp-ng-8.3-2024")),
            ("4.17.5-13", Some("430ce6cd9365, pq 326ba7419f25"), Some("xcp-ng-8.3")),
            ("4.17.6-2", Some("430ce6cd9365, pq 326ba7419f25"), Some("xcp-ng-8.3")),
            ("4.12.0", None, None),
            ("4.99.0", None, None),
            ("5.0.0", None, None),
            ("", None, None),
            ("4.", None, None),
        ] {
            let found = release(Some(version), changeset).map(|target| target.to_string());
            assert_eq!(found.as_deref(), expected, "{version} {changeset:?}");
        }
        assert_eq!(release(None, None), None);
    }

    #[test]
    fn absent_sources_leave_everything_unknown() {
        let directory = tempfile::tempdir().unwrap();
        let host = collect(&Sources::recorded_in(directory.path())).unwrap();
        assert!(host.sources.values().all(|outcome| outcome == "absent"), "{:?}", host.sources);
        let sources = host.sources.clone();
        assert_eq!(host, Host { xenstream_host: VERSION, sources, ..Host::default() });
    }

    #[test]
    fn tools_that_fail_are_reported() {
        assert_eq!(run(Path::new("/bin/sh"), &["-c", "echo yes"]).unwrap(), b"yes\n");
        assert!(run(Path::new("/bin/sh"), &["-c", "echo no; exit 3"]).is_err());
        assert!(run(Path::new("/no/such/tool"), &[]).is_err());
    }

    #[test]
    fn the_kernel_is_asked_where_tools_are_absent() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("sys/hypervisor/version/major", "4\n"),
            ("sys/hypervisor/version/minor", "17\n"),
            ("sys/hypervisor/version/extra", ".5-13\n"),
            ("sys/hypervisor/properties/changeset", "430ce6cd9365, pq 326ba7419f25\n"),
            ("sys/hypervisor/properties/capabilities", "xen-3.0-x86_64 hvm-3.0-x86_64\n"),
            ("sys/hypervisor/buildid", "<denied>\n"),
            (
                "proc/cpuinfo",
                "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nstepping\t: 7\n\nprocessor\t: 1\n",
            ),
            ("sys/class/net/xenbr0", ""),
            ("sys/class/net/eth0", ""),
            ("qemu-version", "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\n"),
        ] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let host = collect(&Sources::recorded_in(directory.path())).unwrap();
        assert_eq!(host.release.as_deref(), Some("xcp-ng-8.3"));
        assert_eq!(
            (host.cpu.vendor.as_deref(), host.cpu.family, host.cpu.model),
            (Some("GenuineIntel"), Some(6), Some(85))
        );
        assert_eq!(host.interfaces.unwrap(), ["eth0", "xenbr0"]);
        assert_eq!(host.xen.capabilities.unwrap().len(), 2);
        assert_eq!((host.xen.build_id, host.policies), (None, Policies::default()));
        assert_eq!(host.device_model.unwrap().version, "7.2.22");
    }
}
