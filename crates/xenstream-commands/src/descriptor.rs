//! Descriptors: one of which only the number is known, and standard output.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, IsTerminal, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Dev, FileType, OFlags, fcntl_getfl, fstat, makedev};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Major and minor number of the null device on Linux.
fn null_device() -> Dev {
    makedev(1, 3)
}

/// A duplicate of the descriptor with this number, which the program that started this one left open. It shares its offset.
///
/// Only the system knows whether a number is an open descriptor. It looks when a descriptor is sent through a socket,
/// so this one is sent from here to here, and what arrives is an owned one.
pub(crate) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    let (sender, receiver) = UnixStream::pair()?;
    let numbers = [number];
    let message = [ControlMessage::ScmRights(&numbers)];
    sendmsg::<()>(sender.as_raw_fd(), &[IoSlice::new(&[0])], &message, MsgFlags::empty(), None)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut received = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&receiver, &mut [IoSliceMut::new(&mut [0])], &mut received, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = received.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptor.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Returns whether a standard stream can carry no image: it is a terminal, or was closed when the program started.
///
/// Rust's runtime opens the null device for reading and writing in place of a standard stream that is closed. A shell's
/// redirection opens it for one of the two, and is left alone.
pub(crate) fn is_unusable(stream: &(impl AsFd + IsTerminal)) -> bool {
    stream.is_terminal() || was_closed(stream.as_fd())
}

fn was_closed(stream: BorrowedFd<'_>) -> bool {
    let is_null = fstat(stream).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == null_device()
    });
    is_null && fcntl_getfl(stream).is_ok_and(|flags| flags & OFlags::ACCMODE == OFlags::RDWR)
}

/// Standard output for a stream: bytes go out as they are written, not line by line, and are waited for where whoever
/// started the program left the descriptor non-blocking.
pub(crate) struct Stdout(File);

impl Stdout {
    pub(crate) fn new() -> io::Result<Stdout> {
        Ok(Stdout(io::stdout().as_fd().try_clone_to_owned()?.into()))
    }

    /// The file that it is, if it is one.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(&self.0, bytes) {
                Err(Errno::AGAIN) => {
                    let mut fds = [PollFd::new(&self.0, PollFlags::OUT)];
                    match poll(&mut fds, None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
