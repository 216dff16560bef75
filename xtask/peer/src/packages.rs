//! Debian's packages of Xen, downloaded and unpacked, never installed.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use xenstream_core::{Target, UnknownTarget};

use crate::Error;

/// A release of Xen that Debian has packages of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// Xen 4.14, of bullseye.
    V4_14,
    /// Xen 4.17, of bookworm: whose tools the recorded verdicts are of.
    #[default]
    V4_17,
    /// Xen 4.20, of trixie.
    V4_20,
}

/// What the restore code, the restore helper and the verifier are made of, with the headers to build against: the
/// packages whose names are the same in every release.
const COMMON: [&str; 9] = [
    "libxen-dev",
    "libxencall1",
    "libxendevicemodel1",
    "libxenevtchn1",
    "libxenforeignmemory1",
    "libxengnttab1",
    "libxenhypfs1",
    "libxentoolcore1",
    "libxentoollog1",
];

impl Release {
    /// Every release, from the oldest to the newest.
    pub const ALL: [Release; 3] = [Release::V4_14, Release::V4_17, Release::V4_20];

    /// The number after the dot.
    #[must_use]
    pub fn minor(self) -> u8 {
        match self {
            Release::V4_14 => 14,
            Release::V4_17 => 17,
            Release::V4_20 => 20,
        }
    }

    /// The point release that Debian's packages are of, as the core knows it.
    #[must_use]
    pub fn target(self) -> Target {
        let name = match self {
            Release::V4_14 => "4.14.6",
            Release::V4_17 => "4.17.7",
            Release::V4_20 => "4.20.4",
        };
        name.parse().unwrap_or_else(|error: UnknownTarget| panic!("{name}: {error}"))
    }

    /// The suite of Debian that has it.
    #[must_use]
    pub fn suite(self) -> &'static str {
        match self {
            Release::V4_14 => "bullseye",
            Release::V4_17 => "bookworm",
            Release::V4_20 => "trixie",
        }
    }

    /// Packages whose names are this release's own.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Release::V4_14 => &["libxenmisc4.14", "libxenstore3.0", "xen-utils-4.14"],
            Release::V4_17 => &["libxenmisc4.17", "libxenstore4", "xen-utils-4.17"],
            // Built against a C library newer than that of the other two suites, and so run with their own.
            Release::V4_20 => &[
                "libxenmisc4.20",
                "libxenstore4",
                "xen-utils-4.20",
                "libc6",
                "zlib1g",
                "libbz2-1.0",
                "liblzma5",
                "libzstd1",
                "liblzo2-2",
            ],
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "4.{}", self.minor())
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(name: &str) -> Result<Release, String> {
        let known = || Release::ALL.map(|release| release.to_string()).join(", ");
        Release::ALL
            .into_iter()
            .find(|release| release.to_string() == name)
            .ok_or_else(|| format!("Debian's packages are known of {}", known()))
    }
}

/// The unpacked packages of one release.
#[derive(Clone, Debug)]
pub struct Packages {
    release: Release,
    directory: PathBuf,
}

impl Packages {
    /// Downloads and unpacks what is not there yet, each release in a directory of its own under this one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where there is no `apt-get` or `dpkg`, or `apt-get` does not get the packages.
    pub fn fetch(directory: &Path, release: Release) -> Result<Packages, Error> {
        let packages = Packages { release, directory: directory.join(release.to_string()) };
        // Written last, so that a download that broke off is done again.
        let complete = packages.directory.join("unpacked");
        if complete.exists() {
            return Ok(packages);
        }
        let debs = packages.directory.join("debs");
        fs::create_dir_all(&debs).map_err(Error::file(&debs))?;
        packages.download(&debs)?;
        for entry in fs::read_dir(&debs).map_err(Error::file(&debs))? {
            let deb = entry.map_err(Error::file(&debs))?.path();
            if deb.extension().is_some_and(|extension| extension == "deb") {
                run(release, Command::new("dpkg").arg("-x").arg(&deb).arg(packages.root()))?;
            }
        }
        fs::write(&complete, release.packages().join("\n")).map_err(Error::file(&complete))?;
        Ok(packages)
    }

    /// Whose they are.
    #[must_use]
    pub fn release(&self) -> Release {
        self.release
    }

    /// Where what belongs to this release may be built.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where they were unpacked to.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// The directory of the shared libraries.
    #[must_use]
    pub fn libraries(&self) -> PathBuf {
        self.root().join("usr/lib/x86_64-linux-gnu")
    }

    /// The program that starts programs with the libraries unpacked here, where the system's own C library may be too
    /// old for them.
    #[must_use]
    pub fn loader(&self) -> Option<PathBuf> {
        (self.release == Release::V4_20).then(|| self.libraries().join("ld-linux-x86-64.so.2"))
    }

    /// Xen's own restore helper.
    #[must_use]
    pub fn save_helper(&self) -> PathBuf {
        self.root().join(format!("usr/lib/xen-{}/bin/libxl-save-helper", self.release))
    }

    /// From the suites that the system itself uses where the release is among them, else from its own suite, with lists
    /// that are kept apart from the system's.
    fn download(&self, debs: &Path) -> Result<(), Error> {
        let get = |options: &[String], words: &[&str]| {
            let mut apt = Command::new("apt-get");
            // Called by root, apt would fetch as a user who may not write here, and say so at length.
            apt.args(["-q", "-o", "APT::Sandbox::User=root"]).args(options).args(words).current_dir(debs);
            run(self.release, &mut apt)
        };
        let names: Vec<_> =
            ["download"].iter().chain(&COMMON).chain(self.release.packages()).copied().collect();
        let Err(missing) = get(&[], &names) else { return Ok(()) };
        let Some(archive) = archive() else { return Err(missing) };
        let state = self.directory.join("apt");
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = state.join(part);
            fs::create_dir_all(&part).map_err(Error::file(&part))?;
        }
        let sources = state.join("sources.list");
        let suite = self.release.suite();
        let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
        fs::write(&sources, format!("deb [signed-by={keyring}] {archive} {suite} main\n"))
            .map_err(Error::file(&sources))?;
        let options: Vec<_> = [
            ("Dir::State::Lists", state.join("lists")),
            ("Dir::Cache", state.join("cache")),
            ("Dir::Etc::sourcelist", sources.clone()),
            ("Dir::Etc::sourceparts", PathBuf::from("/dev/null")),
        ]
        .iter()
        .flat_map(|(name, value)| ["-o".to_owned(), format!("{name}={}", value.display())])
        .collect();
        get(&options, &["update"])?;
        get(&options, &names)
    }
}

/// The address of the Debian archive that the system itself uses.
#[must_use]
pub fn archive() -> Option<String> {
    let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let files = parts.map(|part| part.path()).chain([PathBuf::from("/etc/apt/sources.list")]);
    files
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .map(|word| word.trim_end_matches('/').to_owned())
        .find(|word| word.contains("://") && word.ends_with("/debian"))
}

fn run(release: Release, command: &mut Command) -> Result<(), Error> {
    let unavailable =
        |why: String| Error::Unavailable { what: format!("Debian's packages of Xen {release}"), why };
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| unavailable(format!("{program} does not start: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    let last = complaints.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given").trim();
    Err(unavailable(format!("{program}: {last}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_found_by_their_names() {
        for release in Release::ALL {
            assert_eq!(release.to_string().parse(), Ok(release));
            assert_eq!(release.target().release().0, release.minor());
        }
        assert!("4.15".parse::<Release>().is_err());
    }
}
