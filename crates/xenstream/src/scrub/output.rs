//! Where a scrubbed stream goes: a new file that has its name only when it is whole, or anything that writes.

use std::fs::{self, File, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use tempfile::{Builder, TempPath};

use crate::Error;

/// Octets that are written together.
const BUFFER: usize = 64 << 10;

/// Zeros that are worth a hole.
const HOLE: u64 = 4096;

/// Permissions of a new file, of which the system takes what its mask takes.
const MODE: u32 = 0o666;

/// Takes a stream in order.
pub(super) trait Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<()>;
    fn zeros(&mut self, n: u64) -> io::Result<()>;
    /// Whoever waits for octets gets what there is.
    fn pass_on(&mut self) -> io::Result<()>;
    /// Nothing may be left behind in a buffer.
    fn flush(&mut self) -> io::Result<()>;
}

/// A writer, to which zeros are written.
pub(super) struct Plain<'w> {
    out: &'w mut dyn Write,
    buffer: Vec<u8>,
}

impl<'w> Plain<'w> {
    pub(super) fn new(out: &'w mut dyn Write) -> Plain<'w> {
        Plain { out, buffer: Vec::with_capacity(BUFFER) }
    }

    fn empty(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Sink for Plain<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.buffer.len() + octets.len() > BUFFER {
            self.empty()?;
        }
        if octets.len() > BUFFER {
            return self.out.write_all(octets);
        }
        self.buffer.extend_from_slice(octets);
        Ok(())
    }

    fn zeros(&mut self, mut n: u64) -> io::Result<()> {
        while n > 0 {
            if self.buffer.len() == BUFFER {
                self.empty()?;
            }
            let room = BUFFER - self.buffer.len();
            let some = usize::try_from(n).unwrap_or(room).min(room);
            self.buffer.resize(self.buffer.len() + some, 0);
            n -= some as u64;
        }
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.empty()?;
        self.out.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on()
    }
}

/// A file that is new, or becomes so: it has holes where the stream has zeros.
pub(super) struct Sparse {
    file: File,
    buffer: Vec<u8>,
    /// Zeros behind the buffer.
    hole: u64,
}

impl Sparse {
    fn new(file: File) -> Sparse {
        Sparse { file, buffer: Vec::with_capacity(BUFFER), hole: 0 }
    }

    fn empty(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Sink for Sparse {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        if octets.is_empty() {
            return Ok(());
        }
        let hole = std::mem::take(&mut self.hole);
        if hole >= HOLE {
            self.empty()?;
            self.file.seek(SeekFrom::Current(i64::try_from(hole).map_err(io::Error::other)?))?;
        } else {
            self.buffer.resize(self.buffer.len() + hole as usize, 0);
        }
        self.buffer.extend_from_slice(octets);
        if self.buffer.len() >= BUFFER { self.empty() } else { Ok(()) }
    }

    fn zeros(&mut self, n: u64) -> io::Result<()> {
        self.hole += n;
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty()?;
        let end = self.file.stream_position()?.checked_add(self.hole);
        self.file.set_len(end.ok_or(io::ErrorKind::FileTooLarge)?)
    }
}

/// A file under way to its name.
pub(super) struct Target<'p> {
    path: &'p Path,
    directory: PathBuf,
    overwrite: bool,
    /// A name for the time being, where the file system has no files without one.
    temporary: Option<TempPath>,
    pub(super) sink: Sparse,
}

impl<'p> Target<'p> {
    /// A file that will have this name.
    pub(super) fn new(path: &'p Path, overwrite: bool) -> Result<Target<'p>, Error> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        match fs::symlink_metadata(path) {
            Ok(_) if !overwrite => return Err(Error::Exists),
            Ok(metadata) if !metadata.is_file() && !metadata.is_symlink() => return Err(Error::NoFile),
            _ => {}
        }
        let (file, temporary) = match unnamed(&directory) {
            Ok(file) => (file, None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => {
                let named = Builder::new()
                    .prefix(".xenstream-")
                    .permissions(Permissions::from_mode(MODE))
                    .tempfile_in(&directory)
                    .map_err(Error::Create)?;
                let (file, path) = named.into_parts();
                (file, Some(path))
            }
            Err(error) => return Err(Error::Create(error.into())),
        };
        Ok(Target { path, directory, overwrite, temporary, sink: Sparse::new(file) })
    }

    /// Gives the file, which is whole, its name.
    pub(super) fn publish(mut self) -> Result<(), Error> {
        let temporary = match self.temporary.take() {
            Some(temporary) => temporary,
            None if !self.overwrite => return self.link(self.path).map_err(existing),
            // A name is given only where there is none, so it takes another one first.
            None => Builder::new()
                .prefix(".xenstream-")
                .make_in(&self.directory, |path| self.link(path))
                .map_err(Error::Create)?
                .into_temp_path(),
        };
        if self.overwrite {
            temporary.persist(self.path).map_err(|error| Error::Create(error.error))
        } else {
            temporary.persist_noclobber(self.path).map_err(|error| existing(error.error))
        }
    }

    fn link(&self, path: &Path) -> io::Result<()> {
        let own = format!("/proc/self/fd/{}", self.sink.file.as_fd().as_raw_fd());
        Ok(rustix::fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }
}

/// A file without a name, of which nothing is left if the program is killed.
fn unnamed(directory: &Path) -> Result<File, Errno> {
    // Where /proc is missing it could not be given a name.
    if !Path::new("/proc/self/fd").exists() {
        return Err(Errno::NOSYS);
    }
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::from_raw_mode(MODE)).map(File::from)
}

fn existing(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::AlreadyExists { Error::Exists } else { Error::Create(error) }
}
