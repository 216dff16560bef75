//! The ends of a relay as descriptors of the system.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::SpliceFlags;

use crate::Error;
use crate::relay::{Ends, Fault, Relay};
use crate::source::stream::{Pace, SPLICE};

/// Two descriptors. Nothing is asked of them before it is known not to wait, so that waiting is done in one place: for
/// input, for a consumer that went away meanwhile, and for being told to stop.
pub(super) struct Descriptors<'fd> {
    ends: Relay<'fd>,
    /// One end is a pipe, and the system has not refused to splice yet.
    splices: bool,
    /// What fails in a splice is the input, unless it is a pipe.
    input_is_pipe: bool,
}

impl<'fd> Descriptors<'fd> {
    pub(super) fn new(ends: &Relay<'fd>) -> Result<Descriptors<'fd>, Error> {
        let input_is_pipe = prepare(ends.input).map_err(Error::Inspect)?;
        let output_is_pipe = prepare(ends.output).map_err(|error| Fault::Write(error).at(0, 0))?;
        Ok(Descriptors { ends: *ends, splices: input_is_pipe || output_is_pipe, input_is_pipe })
    }

    /// Waits until the input has bytes or an end. A consumer that goes away is noticed here and not only with the
    /// next bytes, which may never come.
    fn await_input(&self) -> Result<(), Fault> {
        let mut fds = [
            PollFd::from_borrowed_fd(self.ends.input, PollFlags::IN),
            PollFd::from_borrowed_fd(self.ends.output, PollFlags::empty()),
            self.stop(self.ends.stop_reading),
        ];
        poll(&mut fds).map_err(Fault::Read)?;
        if !fds[0].revents().is_empty() {
            Ok(())
        } else if fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            // The error that a write would return.
            Err(Fault::Write(Errno::PIPE.into()))
        } else {
            Err(Fault::Interrupted)
        }
    }

    /// Waits until the output takes bytes.
    fn await_output(&self) -> Result<(), Fault> {
        let mut fds =
            [PollFd::from_borrowed_fd(self.ends.output, PollFlags::OUT), self.stop(self.ends.stop_writing)];
        poll(&mut fds).map_err(Fault::Write)?;
        if fds[0].revents().is_empty() { Err(Fault::Interrupted) } else { Ok(()) }
    }

    /// Moves bytes inside the system, and waits for none: pipes that are empty or full are waited for by poll.
    fn splice(&self, bytes: u64) -> rustix::io::Result<usize> {
        let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(SPLICE);
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        rustix::pipe::splice(self.ends.input, None, self.ends.output, None, length, flags)
    }

    /// What to poll for a request to stop. Without a descriptor for it, this is the output again, polled for nothing.
    fn stop(&self, stop: Option<BorrowedFd<'fd>>) -> PollFd<'fd> {
        let flags = if stop.is_some() { PollFlags::IN } else { PollFlags::empty() };
        PollFd::from_borrowed_fd(stop.unwrap_or(self.ends.output), flags)
    }
}

impl Ends for Descriptors<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Fault> {
        let mut pace = Pace::default();
        loop {
            self.await_input()?;
            match rustix::io::read(self.ends.input, &mut *bytes) {
                Err(Errno::INTR) => {}
                // Another reader may have been quicker.
                Err(Errno::AGAIN) => pace.rest(),
                result => return result.map_err(|error| Fault::Read(error.into())),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut pace = Pace::default();
        loop {
            match rustix::io::write(self.ends.output, bytes) {
                Ok(0) => return Err(Fault::Write(io::ErrorKind::WriteZero.into())),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    pace.rest();
                    self.await_output()?;
                }
                result => return result.map_err(|error| Fault::Write(error.into())),
            }
        }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn moves(&self) -> bool {
        self.splices
    }

    fn pass(&mut self, bytes: u64) -> Result<u64, Fault> {
        self.await_input()?;
        let mut moved = self.splice(bytes);
        if let Err(Errno::AGAIN) = moved {
            // Most often because the output is full. Where it is not, it is not tried a third time: both ends may be
            // ready and the system refuse for ever.
            self.await_output()?;
            moved = self.splice(bytes);
        }
        match moved {
            Ok(n) => Ok(n as u64),
            Err(Errno::INTR | Errno::AGAIN) => Ok(0),
            // Some files, systems and sandboxes refuse to splice.
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => {
                self.splices = false;
                Ok(0)
            }
            Err(error @ Errno::PIPE) => Err(Fault::Write(error.into())),
            Err(error) if self.input_is_pipe => Err(Fault::Write(error.into())),
            Err(error) => Err(Fault::Read(error.into())),
        }
    }
}

/// Returns whether the descriptor is a pipe, and enlarges it if the system allows. A larger pipe is much faster.
fn prepare(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let is_pipe = FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) == FileType::Fifo;
    if is_pipe {
        let _ = rustix::pipe::fcntl_setpipe_size(fd, SPLICE);
    }
    Ok(is_pipe)
}

/// Waits until something happens on one of these.
fn poll(fds: &mut [PollFd<'_>]) -> io::Result<()> {
    loop {
        match rustix::event::poll(fds, None) {
            Err(Errno::INTR) => {}
            result => return Ok(result.map(|_| ())?),
        }
    }
}
