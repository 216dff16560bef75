//! Pipes, sockets and terminals of the system.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::SpliceFlags;

use crate::Error;
use crate::source::stream::Stream;

/// Most bytes of one splice, and the size of pipe that is asked for.
pub(crate) const SPLICE: usize = 1 << 20;

/// How long bytes are waited for that only say what an input is which is no stream.
const SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// A pipe, socket or terminal.
pub(crate) struct Descriptor<'fd> {
    fd: BorrowedFd<'fd>,
    /// Where page contents are spliced to; only a pipe can be spliced.
    null: Option<File>,
    /// It is a file after all, though one that does not tell its size.
    is_file: bool,
}

impl<'fd> Descriptor<'fd> {
    pub(crate) fn new(fd: BorrowedFd<'fd>) -> Result<Descriptor<'fd>, Error> {
        let stat = rustix::fs::fstat(fd).map_err(|error| Error::Inspect(error.into()))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let null = (kind == FileType::Fifo).then(null_device).flatten();
        if null.is_some() {
            // A larger pipe is worth a lot, and nothing is lost where the system has none to give.
            let _ = rustix::pipe::fcntl_setpipe_size(fd, SPLICE);
        }
        Ok(Descriptor { fd, null, is_file: kind == FileType::RegularFile })
    }

    /// Repeats a call that a signal interrupts, and waits where the descriptor would not.
    fn retry<T>(&self, mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
        let mut pace = Pace::default();
        loop {
            match call() {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    pace.rest();
                    let mut fds = [PollFd::from_borrowed_fd(self.fd, PollFlags::IN)];
                    match rustix::event::poll(&mut fds, None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error),
                    }
                }
                result => return result,
            }
        }
    }
}

impl Stream for Descriptor<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(self.retry(|| rustix::io::read(self.fd, &mut *bytes))?)
    }

    fn discards(&self) -> bool {
        self.null.is_some()
    }

    fn discard(&mut self, bytes: u64) -> io::Result<u64> {
        let Some(null) = &self.null else { return Ok(0) };
        let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(SPLICE);
        match rustix::pipe::splice(self.fd, None, null, None, length, SpliceFlags::MOVE) {
            Ok(n) => Ok(n as u64),
            // A read waits.
            Err(Errno::INTR | Errno::AGAIN) => Ok(0),
            // Some systems and sandboxes refuse to splice.
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => {
                self.null = None;
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn ends_with_stream(&self) -> bool {
        self.is_file
    }

    fn read_at_hand(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let mut fds = [PollFd::from_borrowed_fd(self.fd, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&SOON)) {
            Ok(1..) => rustix::io::read(self.fd, bytes).ok(),
            _ => None,
        }
    }
}

/// Keeps a loop from spinning over a descriptor that is said to be ready and never is.
///
/// A call that would wait is followed by a poll and tried again. That it then would wait again can happen once, where
/// another reader was quicker; from the second time on the next try is put off.
#[derive(Default)]
pub(crate) struct Pace {
    refused: u32,
}

impl Pace {
    /// The longest rest is 2 to this power of milliseconds.
    const LONGEST: u32 = 5;

    pub(crate) fn rest(&mut self) {
        if self.refused > 1 {
            thread::sleep(Duration::from_millis(1 << self.refused.min(Pace::LONGEST)));
        }
        self.refused += 1;
    }
}

/// The null device. What stands under its name may be something else, such as a file that would fill up with guest
/// memory.
fn null_device() -> Option<File> {
    let null = OpenOptions::new().write(true).open("/dev/null").ok()?;
    let stat = rustix::fs::fstat(&null).ok()?;
    let is_null = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) == (1, 3);
    is_null.then_some(null)
}
