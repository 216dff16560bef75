//! Files and block devices of the system.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::num::NonZero;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{Advice, FileType};

use crate::Error;
use crate::source::file::ReadAt;

/// A file or block device of the system, from some place on. Its own offset is neither used nor moved.
pub(crate) struct Descriptor<'fd> {
    fd: BorrowedFd<'fd>,
    start: u64,
    /// Size of a block device, which does not change.
    device_size: Option<u64>,
}

impl<'fd> Descriptor<'fd> {
    /// A descriptor that can be read at any place, from its current offset on. `None` for pipes and the like, and for
    /// files that do not tell their size, as those of /proc.
    pub(crate) fn new(fd: BorrowedFd<'fd>) -> Result<Option<Descriptor<'fd>>, Error> {
        let stat = rustix::fs::fstat(fd).map_err(|error| Error::Inspect(error.into()))?;
        let device_size = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_size > 0 => None,
            FileType::BlockDevice => match device_size(fd) {
                Ok(size) => Some(size),
                Err(_) => return Ok(None),
            },
            _ => return Ok(None),
        };
        let start = rustix::fs::tell(fd).map_err(|error| Error::Inspect(error.into()))?;
        Ok(Some(Descriptor { fd, start, device_size }))
    }

    /// Says that reads will jump, so that the system reads no more ahead than it is asked for. The advice belongs to
    /// the open file description: this is for files that no other process has open through it.
    pub(crate) fn advise(&self) {
        // Advice that is not taken costs time, nothing else.
        let _ = rustix::fs::fadvise(self.fd, 0, None, Advice::Random);
    }
}

impl ReadAt for Descriptor<'_> {
    fn hint(&self, offset: u64, length: u64) {
        // A hint that is not taken costs time, nothing else.
        let _ = rustix::fs::fadvise(
            self.fd,
            self.start.saturating_add(offset),
            NonZero::new(length),
            Advice::WillNeed,
        );
    }

    fn next_data(&self, offset: u64) -> u64 {
        let seek = |place| {
            let file = reopen(self.fd)?;
            Ok::<_, io::Error>(rustix::fs::seek(file, place)?)
        };
        match seek(rustix::fs::SeekFrom::Data(self.start.saturating_add(offset))) {
            Ok(data) => data.saturating_sub(self.start),
            // No data follows.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                self.size().unwrap_or(offset)
            }
            Err(_) => offset,
        }
    }

    fn in_system(&self) -> Option<(BorrowedFd<'_>, u64)> {
        Some((self.fd, self.start))
    }

    fn concurrent(&self) -> Option<&(dyn ReadAt + Sync)> {
        Some(self)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(self.fd, bytes, self.start.saturating_add(offset))?)
    }

    fn size(&self) -> io::Result<u64> {
        let size = match self.device_size {
            Some(size) => size,
            None => u64::try_from(rustix::fs::fstat(self.fd)?.st_size).unwrap_or(0),
        };
        Ok(size.saturating_sub(self.start))
    }

    fn ends_with_stream(&self) -> bool {
        self.device_size.is_none()
    }
}

/// A block device tells its size only by seeking to its end.
fn device_size(fd: BorrowedFd<'_>) -> io::Result<u64> {
    reopen(fd)?.seek(SeekFrom::End(0))
}

/// The same file with an open file description, and so an offset, of our own.
fn reopen(fd: BorrowedFd<'_>) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()))
}
