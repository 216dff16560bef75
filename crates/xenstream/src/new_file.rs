//! A file that appears under its name only when it is complete.

use std::fs::{self, File, Permissions};
use std::io;
#[cfg(any(feature = "extract", feature = "rewrite"))]
use std::os::fd::BorrowedFd;
use std::os::fd::{AsFd, AsRawFd};
#[cfg(any(feature = "extract", feature = "rewrite"))]
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use tempfile::{Builder, TempPath};

use crate::Error;

/// Permissions of a new file, before the process's umask.
const MODE: u32 = 0o666;

/// The prefix of temporary names.
const PREFIX: &str = ".xenstream-";

/// A file that appears under its name only when it is complete. If anything fails before, nothing is left behind. On file
/// systems that support unnamed files, that includes a killed program.
///
/// ```
/// use std::io::Write;
/// use xenstream::NewFile;
///
/// # let directory = tempfile::tempdir().unwrap();
/// let path = directory.path().join("image");
/// let mut new = NewFile::create(&path, false).unwrap();
/// new.file().write_all(b"all of it").unwrap();
/// assert!(!path.exists());
/// new.publish().unwrap();
/// assert!(path.exists() && NewFile::create(&path, false).is_err());
/// ```
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    directory: PathBuf,
    overwrite: bool,
    file: File,
    /// A temporary name, if the file system does not support unnamed files.
    temporary: Option<TempPath>,
}

impl NewFile {
    /// Creates a file that will get this name, and replaces another regular file only with `overwrite`.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::NotAFile`], or [`Error::Create`] with the error from the system.
    pub fn create(path: &Path, overwrite: bool) -> Result<NewFile, Error> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        match fs::symlink_metadata(path) {
            Ok(_) if !overwrite => return Err(Error::Exists),
            Ok(metadata) if !metadata.is_file() && !metadata.is_symlink() => return Err(Error::NotAFile),
            _ => {}
        }
        let (file, temporary) = match unnamed(&directory) {
            Ok(file) => (file, None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => {
                let (file, temporary) = named(&directory).map_err(Error::Create)?;
                (file, Some(temporary))
            }
            Err(error) => return Err(Error::Create(error.into())),
        };
        Ok(NewFile { path: path.to_owned(), directory, overwrite, file, temporary })
    }

    /// Returns the file, open for reading and writing.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns the directory that the file will be in.
    #[cfg(feature = "extract")]
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// As for [`create`](NewFile::create), since another process may have taken the name meanwhile.
    pub fn publish(mut self) -> Result<(), Error> {
        let temporary = match self.temporary.take() {
            Some(temporary) => temporary,
            None if !self.overwrite => return self.link(&self.path).map_err(existing),
            // A file without a name cannot replace one that has it, so it takes another first.
            None => Builder::new()
                .prefix(PREFIX)
                .make_in(&self.directory, |path| self.link(path))
                .map_err(Error::Create)?
                .into_temp_path(),
        };
        if self.overwrite {
            temporary.persist(&self.path).map_err(|error| Error::Create(error.error))
        } else {
            temporary.persist_noclobber(&self.path).map_err(|error| existing(error.error))
        }
    }

    fn link(&self, path: &Path) -> io::Result<()> {
        let own = format!("/proc/self/fd/{}", self.file.as_fd().as_raw_fd());
        Ok(rustix::fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }
}

/// Creates a file without a name.
fn unnamed(directory: &Path) -> Result<File, Errno> {
    // Where /proc is missing it could not be given one.
    if !Path::new("/proc/self/fd").exists() {
        return Err(Errno::NOSYS);
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::from_raw_mode(MODE)).map(File::from)
}

/// Creates a file with a temporary name, which is removed with the file.
fn named(directory: &Path) -> io::Result<(File, TempPath)> {
    let permissions = Permissions::from_mode(MODE);
    Ok(Builder::new().prefix(PREFIX).permissions(permissions).tempfile_in(directory)?.into_parts())
}

fn existing(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::AlreadyExists { Error::Exists } else { Error::Create(error) }
}

/// Whether the output is another file than the input, whatever it is called.
#[cfg(any(feature = "extract", feature = "rewrite"))]
pub(crate) fn distinct(input: BorrowedFd<'_>, output: &Path) -> Result<(), Error> {
    let input = rustix::fs::fstat(input).map_err(|error| Error::Inspect(error.into()))?;
    match fs::metadata(output) {
        Ok(output) if (output.dev(), output.ino()) == (input.st_dev, input.st_ino) => Err(Error::SameFile),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn named_temporary_files_work_like_unnamed_ones() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        let new = |overwrite| {
            let (mut file, temporary) = named(directory.path()).unwrap();
            file.write_all(b"new").unwrap();
            let (path, directory) = (path.clone(), directory.path().to_owned());
            NewFile { path, directory, overwrite, file, temporary: Some(temporary) }
        };
        drop(new(false));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        new(false).publish().unwrap();
        assert!(matches!(new(false).publish(), Err(Error::Exists)));
        let before = fs::metadata(&path).unwrap().ino();
        new(true).publish().unwrap();
        assert_ne!(fs::metadata(&path).unwrap().ino(), before);
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
