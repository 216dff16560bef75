//! What is known of the descriptor with the stream.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Advice, FileType};

/// Returns whether the descriptor can be read at any offset: a file with a known size, or a disk. Everything else is relayed.
pub fn is_file(stream: &OwnedFd) -> io::Result<bool> {
    let stat = rustix::fs::fstat(stream)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => stat.st_size > 0,
        FileType::BlockDevice => true,
        _ => false,
    })
}

/// The file once more, at the same offset, with an offset and read-ahead of its own: those of the stream are the
/// toolstack's and the real program's, and stay as they are.
pub fn reopen(stream: OwnedFd) -> io::Result<OwnedFd> {
    let offset = rustix::fs::tell(&stream)?;
    let Ok(mut file) = File::open(format!("/proc/self/fd/{}", stream.as_raw_fd())) else {
        // Not everybody who holds a file may open it. It is read at given places then, which moves nothing either.
        return Ok(stream);
    };
    file.seek(SeekFrom::Start(offset))?;
    // Reads jump from header to header. Advice that is not taken costs time, nothing else.
    let _ = rustix::fs::fadvise(file.as_fd(), 0, None, Advice::Random);
    Ok(file.into())
}

/// What the descriptor leads to, for a report: the path of a file, `pipe:[…]`, `socket:[…]`.
#[must_use]
pub fn name(stream: &OwnedFd) -> PathBuf {
    fs::read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).unwrap_or_default()
}
