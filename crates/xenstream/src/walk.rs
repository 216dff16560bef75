//! Directories: every regular file below, in the order of the names.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::Error;

/// The regular files below a directory, and what could not be listed. Symbolic links are followed, but not in circles;
/// dangling ones are passed over, as are sockets, FIFOs and devices.
pub(crate) fn files(directory: &Path) -> impl Iterator<Item = Result<PathBuf, (PathBuf, Error)>> {
    let entries = WalkDir::new(directory).follow_links(true).sort_by_file_name();
    let directory = directory.to_owned();
    entries.into_iter().filter_map(move |entry| match entry {
        Ok(entry) => entry.file_type().is_file().then(|| Ok(entry.into_path())),
        Err(error) => {
            let path = error.path().map_or_else(|| directory.clone(), Path::to_owned);
            // Without a cause of the system's own it is a circle of links.
            let source = error.into_io_error()?;
            let dangles = source.kind() == std::io::ErrorKind::NotFound && path.is_symlink();
            (!dangles).then(|| Err((path.clone(), Error::List { path, source })))
        }
    })
}
