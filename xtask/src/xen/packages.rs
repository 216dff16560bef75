//! The packages of one release, with everything that they depend on, downloaded and unpacked, never installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use xenstream_peer::{Release, archive};

/// The key of every archive of Debian's.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Directories that are links in a system whose `/usr` is merged, as trixie's packages take for granted.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Directories that dom0 mounts something on.
const MOUNTED: [&str; 7] = ["proc", "sys", "dev", "run", "tmp", "var", "mnt"];

/// Where images say that their device model is: Debian's name of it up to bullseye, and since bookworm.
const DEVICE_MODELS: [&str; 2] = ["usr/bin/qemu-system-i386", "usr/libexec/xen-qemu-system-i386"];

/// The unpacked root of dom0.
pub(super) struct Root {
    release: Release,
    path: PathBuf,
}

impl Root {
    /// Downloads and unpacks what is not there yet, below this directory.
    pub(super) fn fetch(directory: &Path, release: Release) -> Result<Root> {
        let root = Root { release, path: directory.join("root") };
        // Written last, so that a download that broke off is done again.
        let complete = directory.join("unpacked");
        if complete.exists() {
            return Ok(root);
        }
        eprintln!("xen: fetching Debian's packages of Xen {release}, about 120 to 170 MB");
        let packages = Apt::of(directory, release)?.download()?;
        if root.path.exists() {
            fs::remove_dir_all(&root.path).with_context(|| root.path.display().to_string())?;
        }
        root.unpack(&packages)?;
        fs::write(&complete, "").with_context(|| complete.display().to_string())?;
        Ok(root)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The hypervisor, compressed.
    pub(super) fn hypervisor(&self) -> PathBuf {
        self.path.join(format!("boot/xen-{}-amd64.gz", self.release))
    }

    /// The kernel of dom0.
    pub(super) fn kernel(&self) -> Result<PathBuf> {
        let boot = self.path.join("boot");
        let entries = fs::read_dir(&boot).with_context(|| boot.display().to_string())?;
        entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
            .with_context(|| format!("no kernel in {}", boot.display()))
    }

    fn unpack(&self, packages: &[PathBuf]) -> Result<()> {
        let context = || format!("{} cannot be laid out", self.path.display());
        fs::create_dir_all(self.path.join("usr")).with_context(context)?;
        for name in MERGED {
            fs::create_dir_all(self.path.join("usr").join(name)).with_context(context)?;
            symlink(format!("usr/{name}"), self.path.join(name)).with_context(context)?;
        }
        for package in packages {
            run(Command::new("dpkg").arg("-x").arg(package).arg(&self.path))?;
        }
        for name in MOUNTED {
            fs::create_dir_all(self.path.join(name)).with_context(context)?;
        }
        // No package that we need brings a shell, but the tools' scripts want one.
        let link = |target: &str, name: &str| -> Result<()> {
            let path = self.path.join(name);
            if !path.exists() {
                path.parent().map_or(Ok(()), fs::create_dir_all).with_context(context)?;
                symlink(target, path).with_context(context)?;
            }
            Ok(())
        };
        link("busybox", "bin/sh")?;
        let [older, newer] = DEVICE_MODELS;
        link(&format!("/{older}"), newer)?;
        link(&format!("/{newer}"), older)
    }
}

/// `apt-get` with lists and a cache of its own, to which nothing is installed yet.
struct Apt {
    release: Release,
    options: Vec<String>,
    archives: PathBuf,
}

impl Apt {
    fn of(directory: &Path, release: Release) -> Result<Apt> {
        let state = directory.join("apt");
        let archives = state.join("archives");
        for part in [state.join("lists/partial"), archives.join("partial")] {
            fs::create_dir_all(&part).with_context(|| part.display().to_string())?;
        }
        let archive = archive().context("no Debian archive is among this system's sources of packages")?;
        let suite = release.suite();
        let security = format!("{archive}-security");
        let sources: String = [(&archive, suite.to_owned()), (&security, format!("{suite}-security"))]
            .map(|(archive, suite)| format!("deb [signed-by={KEYRING}] {archive} {suite} main\n"))
            .concat();
        let write = |name: &str, text: &str| -> Result<PathBuf> {
            let path = state.join(name);
            fs::write(&path, text).with_context(|| path.display().to_string())?;
            Ok(path)
        };
        let settings = [
            ("Dir::State::status", write("status", "")?),
            ("Dir::State::Lists", state.join("lists")),
            ("Dir::Cache", state.clone()),
            ("Dir::Cache::archives", archives.clone()),
            ("Dir::Etc::sourcelist", write("sources.list", &sources)?),
            ("Dir::Etc::sourceparts", PathBuf::from("/dev/null")),
        ]
        .map(|(name, path)| format!("{name}={}", path.display()));
        // Called by root, apt would fetch as a user who may not write here; and the system's locks are not ours.
        let fixed = ["APT::Sandbox::User=root", "Debug::NoLocking=true", "APT::Install-Recommends=false"];
        let settings = settings.into_iter().chain(fixed.map(str::to_owned));
        let options = settings.flat_map(|setting| ["-o".to_owned(), setting]).collect();
        Ok(Apt { release, options, archives })
    }

    /// Downloads the packages that a dom0 is made of. Returns where they lie.
    fn download(&self) -> Result<Vec<PathBuf>> {
        let xen = self.release;
        let tools = format!("xen-utils-{xen}");
        let hypervisor = format!("xen-hypervisor-{xen}-amd64");
        let model = if xen == Release::V4_14 { "qemu-system-x86" } else { "qemu-system-xen" };
        self.call(&["update"])?;
        let words = [
            "-y",
            "--download-only",
            "install",
            &tools,
            &hypervisor,
            model,
            "linux-image-amd64",
            "busybox-static",
        ];
        self.call(&words)?;
        let entries = fs::read_dir(&self.archives).with_context(|| self.archives.display().to_string())?;
        let mut packages: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .collect();
        packages.sort();
        ensure!(!packages.is_empty(), "apt-get downloaded nothing to {}", self.archives.display());
        Ok(packages)
    }

    fn call(&self, words: &[&str]) -> Result<()> {
        run(Command::new("apt-get").arg("-q").args(&self.options).args(words))
            .with_context(|| format!("Debian's packages of Xen {} cannot be had", self.release))
    }
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{program} does not start"))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    let last = complaints.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given").trim();
    ensure!(output.status.success(), "{program}: {last}");
    Ok(())
}
