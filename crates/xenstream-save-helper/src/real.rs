//! Where the real helper is.

use std::fs;
use std::path::{Path, PathBuf};

use xenstream_guard::check_real;

use crate::PROGRAM;
use crate::error::Error;

const NAME: &str = "libxl-save-helper";

/// Where distributions and Xen's own build install it, beside Debian's directory for each version of Xen.
const DIRECTORIES: [&str; 5] = [
    "usr/libexec/xen/bin",
    "usr/lib/xen/bin",
    "usr/lib64/xen/bin",
    "usr/local/libexec/xen/bin",
    "usr/local/lib/xen/bin",
];

/// The real helper: the one that is configured, else the one that is installed.
pub(crate) fn find(configured: Option<&Path>) -> Result<PathBuf, Error> {
    let path = match configured {
        Some(path) => path.to_owned(),
        None => installed(Path::new("/"), running_xen().as_deref())?,
    };
    Ok(check_real(&path, &PROGRAM)?)
}

/// The version of Xen that runs, such as 4.17.
fn running_xen() -> Option<String> {
    let part = |name| fs::read_to_string(Path::new("/sys/hypervisor/version").join(name)).ok();
    Some(format!("{}.{}", part("major")?.trim(), part("minor")?.trim()))
}

/// Debian has the tools of several versions side by side: there it is the running one's.
fn installed(root: &Path, running: Option<&str>) -> Result<PathBuf, Error> {
    let directories = DIRECTORIES.iter().map(|directory| root.join(directory));
    let versioned = fs::read_dir(root.join("usr/lib")).into_iter().flatten().flatten();
    let versioned = versioned
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("xen-"))
        .map(|entry| entry.path().join("bin"));
    let mut found: Vec<PathBuf> = directories
        .chain(versioned)
        .map(|directory| directory.join(NAME))
        .filter(|path| path.is_file())
        .collect();
    // One directory may be a link to another.
    found.sort();
    found.dedup_by_key(|path| fs::canonicalize(path).ok());
    if let Some(version) = running {
        let own = root.join(format!("usr/lib/xen-{version}/bin")).join(NAME);
        if found.contains(&own) {
            return Ok(own);
        }
    }
    match found.len() {
        0 => Err(Error::NoReal),
        1 => Ok(found.swap_remove(0)),
        _ => {
            let found: Vec<_> = found.iter().map(|path| path.to_string_lossy()).collect();
            Err(Error::SeveralReal { found: found.join(", ") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(root: &Path, directory: &str) -> PathBuf {
        let directory = root.join(directory);
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(NAME);
        fs::write(&path, "").unwrap();
        path
    }

    #[test]
    fn every_place_is_looked_at() {
        for directory in DIRECTORIES.into_iter().chain(["usr/lib/xen-4.17/bin"]) {
            let root = tempfile::tempdir().unwrap();
            assert!(matches!(installed(root.path(), None), Err(Error::NoReal)));
            let path = install(root.path(), directory);
            assert_eq!(installed(root.path(), Some("4.20")).unwrap(), path);
        }
    }

    #[test]
    fn of_several_versions_the_running_one_counts() {
        let root = tempfile::tempdir().unwrap();
        install(root.path(), "usr/lib/xen-4.14/bin");
        let path = install(root.path(), "usr/lib/xen-4.17/bin");
        assert_eq!(installed(root.path(), Some("4.17")).unwrap(), path);
        assert!(matches!(installed(root.path(), Some("4.20")), Err(Error::SeveralReal { .. })));
        assert!(matches!(installed(root.path(), None), Err(Error::SeveralReal { .. })));
    }

    #[test]
    fn two_names_of_one_helper_are_one() {
        let root = tempfile::tempdir().unwrap();
        install(root.path(), "usr/lib/xen-4.17/bin");
        std::os::unix::fs::symlink("xen-4.17", root.path().join("usr/lib/xen")).unwrap();
        assert!(installed(root.path(), None).is_ok());
    }
}
