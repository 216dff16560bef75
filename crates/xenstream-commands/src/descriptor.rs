//! File descriptors: one known only by its number, and standard output.

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

/// The device number of `/dev/null` on Linux.
fn null_device() -> Dev {
    makedev(1, 3)
}

/// Duplicates the inherited descriptor with this number. The duplicate shares its file offset.
///
/// Safe Rust cannot turn a number into a descriptor. The kernel checks it when it is sent through a socket, so this
/// function sends it to itself, and receives an owned descriptor.
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

/// Returns whether a standard stream cannot carry an image: it is a terminal, or was closed when the program started.
///
/// Rust's runtime replaces a closed standard stream by `/dev/null`, opened for reading and writing. A shell's redirection
/// opens `/dev/null` for one of the two only, and is respected.
pub(crate) fn is_unusable(stream: &(impl AsFd + IsTerminal)) -> bool {
    stream.is_terminal() || was_closed(stream.as_fd())
}

fn was_closed(stream: BorrowedFd<'_>) -> bool {
    let is_null = fstat(stream).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == null_device()
    });
    is_null && fcntl_getfl(stream).is_ok_and(|flags| flags & OFlags::ACCMODE == OFlags::RDWR)
}

/// Standard output for a stream: unbuffered, and blocking even if the descriptor was inherited as non-blocking.
pub(crate) struct Stdout(File);

impl Stdout {
    pub(crate) fn new() -> io::Result<Stdout> {
        Ok(Stdout(io::stdout().as_fd().try_clone_to_owned()?.into()))
    }

    /// The descriptor as a file, to examine its metadata.
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
