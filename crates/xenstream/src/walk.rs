//! Directories: every regular file below, in the order of the names.

use std::path::{Path, PathBuf};
use std::{fs, io};

use walkdir::{DirEntry, WalkDir};

use crate::Error;

/// The regular files below a directory, and what could not be listed. A symbolic link stands for the file that it leads
/// to, but not for a directory: that may be anywhere, and lead back here. Sockets, FIFOs and devices are passed over.
pub(crate) fn files(directory: &Path) -> impl Iterator<Item = Result<PathBuf, (PathBuf, Error)>> {
    let directory = directory.to_owned();
    let entries = WalkDir::new(&directory).sort_by_file_name();
    entries.into_iter().filter_map(move |entry| match entry {
        Ok(entry) => is_file(&entry).then(|| Ok(entry.into_path())),
        Err(error) => {
            let path = error.path().unwrap_or(&directory).to_owned();
            // A loop of links has no error from the system, and there is none: links are not followed.
            let source = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
            Some(Err((path.clone(), Error::List { path, source })))
        }
    })
}

fn is_file(entry: &DirEntry) -> bool {
    let kind = entry.file_type();
    kind.is_file() || kind.is_symlink() && fs::metadata(entry.path()).is_ok_and(|target| target.is_file())
}
