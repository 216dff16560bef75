//! Debian's packages of Xen 4.17, downloaded and unpacked, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// What the restore code, the restore helper and the verifier are made of, with the headers to build against.
const NAMES: [&str; 12] = [
    "libxen-dev",
    "libxencall1",
    "libxendevicemodel1",
    "libxenevtchn1",
    "libxenforeignmemory1",
    "libxengnttab1",
    "libxenhypfs1",
    "libxenmisc4.17",
    "libxenstore4",
    "libxentoolcore1",
    "libxentoollog1",
    "xen-utils-4.17",
];

/// The unpacked packages.
#[derive(Clone, Debug)]
pub struct Packages {
    root: PathBuf,
}

impl Packages {
    /// Downloads and unpacks what is not there yet, under this directory.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where there is no `apt-get` or `dpkg`, or `apt-get` does not get the packages.
    pub fn fetch(directory: &Path) -> Result<Packages, Error> {
        let packages = Packages { root: directory.join("root") };
        // Written last, so that a download that broke off is done again.
        let complete = directory.join("unpacked");
        if complete.exists() {
            return Ok(packages);
        }
        let debs = directory.join("debs");
        fs::create_dir_all(&debs).map_err(Error::file(&debs))?;
        // Called by root, apt would fetch as a user who may not write here, and say so at length.
        run(Command::new("apt-get")
            .args(["-q", "-o", "APT::Sandbox::User=root", "download"])
            .args(NAMES)
            .current_dir(&debs))?;
        for entry in fs::read_dir(&debs).map_err(Error::file(&debs))? {
            let deb = entry.map_err(Error::file(&debs))?.path();
            if deb.extension().is_some_and(|extension| extension == "deb") {
                run(Command::new("dpkg").arg("-x").arg(&deb).arg(&packages.root))?;
            }
        }
        fs::write(&complete, NAMES.join("\n")).map_err(Error::file(&complete))?;
        Ok(packages)
    }

    /// Where they were unpacked to.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of the shared libraries.
    #[must_use]
    pub fn libraries(&self) -> PathBuf {
        self.root.join("usr/lib/x86_64-linux-gnu")
    }

    /// Xen's own restore helper.
    #[must_use]
    pub fn save_helper(&self) -> PathBuf {
        self.root.join("usr/lib/xen-4.17/bin/libxl-save-helper")
    }
}

fn run(command: &mut Command) -> Result<(), Error> {
    let unavailable = |why: String| Error::Unavailable { what: "Debian's packages of Xen 4.17", why };
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
