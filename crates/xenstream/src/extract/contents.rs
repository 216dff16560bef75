//! Moves page contents from where they lie to a new file, inside the kernel where that is possible.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, SeekFrom};
use rustix::io::Errno;

use crate::Error;
use crate::holes::write_with_holes;
use crate::source::ahead::read_at;
use crate::source::file::ReadAt;

/// Bytes that are read and written together where the kernel does not move them.
const WINDOW: usize = 256 << 10;

/// Bytes of a copy that are needed no more and still there.
const PIECE: u64 = 16 << 20;

/// Where page contents lie.
pub(super) enum Contents<'a> {
    /// In a file of the system, from this offset on.
    File(KernelFile<'a>),
    /// In something else that can be read at any place.
    Other(&'a dyn ReadAt),
}

impl<'a> Contents<'a> {
    /// Contents in what can be read at any place.
    pub(super) fn of(file: &'a dyn ReadAt) -> Contents<'a> {
        match file.in_system() {
            Some((fd, start)) => Contents::of_file(fd, start),
            None => Contents::Other(file),
        }
    }

    /// Contents in a file of the system, of which the first byte lies at this offset.
    pub(super) fn of_file(fd: BorrowedFd<'a>, start: u64) -> Contents<'a> {
        Contents::File(KernelFile {
            fd,
            start,
            holes: Holes::of_file(fd, start),
            copies: true,
            forgets: false,
        })
    }

    /// Contents in a file of our own, which gives its room back as it is copied.
    pub(super) fn of_copy(file: &'a File) -> Contents<'a> {
        let fd = file.as_fd();
        Contents::File(KernelFile { fd, start: 0, holes: Holes::of_file(fd, 0), copies: true, forgets: true })
    }

    /// Copies this many bytes from `at` to `to`. Holes stay holes.
    pub(super) fn copy(&mut self, at: u64, bytes: u64, out: &File, to: u64) -> Result<(), Error> {
        match self {
            Contents::File(file) => file.copy(at, bytes, out, to),
            Contents::Other(file) => {
                through_memory(&|bytes, offset| Ok(read_at(*file, bytes, offset)?.len()), at, bytes, out, to)
            }
        }
    }
}

/// A file of the system that the kernel can copy from.
pub(super) struct KernelFile<'a> {
    fd: BorrowedFd<'a>,
    start: u64,
    holes: Holes,
    /// The kernel has not refused to copy.
    copies: bool,
    /// What was copied is needed no more.
    forgets: bool,
}

/// What is known of the holes of a file: nothing, unless it is a file of the system.
pub(crate) struct Holes {
    start: u64,
    seeker: Option<File>,
    /// Bytes between two holes.
    data: Range<u64>,
}

impl Holes {
    /// The holes of what can be read at any place.
    #[cfg(feature = "diff")]
    pub(crate) fn of(file: &dyn ReadAt) -> Holes {
        match file.in_system() {
            Some((fd, start)) => Holes::of_file(fd, start),
            None => Holes { start: 0, seeker: None, data: 0..u64::MAX },
        }
    }

    /// The holes of a file, from this offset on.
    fn of_file(fd: BorrowedFd<'_>, start: u64) -> Holes {
        // Seeking is for an open file description of our own.
        let seeker = File::open(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok();
        Holes { start, seeker, data: 0..0 }
    }

    /// The next bytes of this range that are no hole.
    pub(crate) fn data_within(&mut self, range: Range<u64>) -> Option<Range<u64>> {
        if range.is_empty() {
            return None;
        }
        if !self.data.contains(&range.start) {
            let start = self.seek(SeekFrom::Data(self.start.saturating_add(range.start)), range.start);
            if start >= range.end {
                return None;
            }
            let end = self.seek(SeekFrom::Hole(self.start.saturating_add(start)), u64::MAX);
            self.data = start..end.max(start.saturating_add(1));
        }
        Some(self.data.start.max(range.start)..self.data.end.min(range.end))
    }

    /// Where a seek leads to; past everything if no data follows, and to `otherwise` if it is not known.
    fn seek(&self, place: SeekFrom, otherwise: u64) -> u64 {
        let Some(seeker) = &self.seeker else { return otherwise };
        match rustix::fs::seek(seeker, place) {
            Ok(offset) => offset.saturating_sub(self.start),
            Err(Errno::NXIO) => u64::MAX,
            Err(_) => otherwise,
        }
    }
}

impl KernelFile<'_> {
    fn copy(&mut self, at: u64, bytes: u64, out: &File, to: u64) -> Result<(), Error> {
        let end = at.saturating_add(bytes);
        let mut next = at;
        while let Some(mut data) = self.holes.data_within(next..end) {
            if self.forgets {
                data.end = data.end.min(data.start.saturating_add(PIECE));
            }
            let to = to.saturating_add(data.start - at);
            self.copy_data(data.clone(), out, to)?;
            if self.forgets {
                forget(self.fd, data.clone());
            }
            next = data.end;
        }
        Ok(())
    }

    fn copy_data(&mut self, data: Range<u64>, out: &File, to: u64) -> Result<(), Error> {
        let mut done = 0;
        let length = data.end - data.start;
        while self.copies && done < length {
            let (mut from, mut into) =
                (self.start.saturating_add(data.start + done), to.saturating_add(done));
            let most = usize::try_from(length - done).unwrap_or(usize::MAX).min(1 << 30);
            match rustix::fs::copy_file_range(self.fd, Some(&mut from), out, Some(&mut into), most) {
                // It tells so of some files that it cannot copy, and of the end: a read tells which.
                Ok(0) => break,
                Ok(n) => done += n as u64,
                Err(Errno::INTR) => {}
                Err(error @ (Errno::NOSPC | Errno::FBIG | Errno::DQUOT | Errno::IO)) => {
                    return Err(Error::of_output(to.saturating_add(done), error.into()));
                }
                Err(_) => self.copies = false,
            }
        }
        let read = |bytes: &mut [u8], offset: u64| loop {
            match rustix::io::pread(self.fd, &mut *bytes, self.start.saturating_add(offset)) {
                Err(Errno::INTR) => {}
                result => return result.map_err(|error| Error::Read { offset, source: error.into() }),
            }
        };
        through_memory(&read, data.start + done, length - done, out, to.saturating_add(done))
    }
}

/// Gives room in a file back.
pub(super) fn forget(file: impl AsFd, bytes: Range<u64>) {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    // Where the file system cannot, the room is given back at the end.
    let _ = rustix::fs::fallocate(file, flags, bytes.start, bytes.end - bytes.start);
}

/// Reads bytes from an offset on, and returns how many there were.
type ReadInto<'r> = dyn Fn(&mut [u8], u64) -> Result<usize, Error> + 'r;

/// Reads and writes.
fn through_memory(read: &ReadInto<'_>, at: u64, bytes: u64, out: &File, to: u64) -> Result<(), Error> {
    if bytes == 0 {
        return Ok(());
    }
    let mut window = vec![0; usize::try_from(bytes).unwrap_or(WINDOW).min(WINDOW)];
    let mut done = 0;
    while done < bytes {
        let wanted = usize::try_from(bytes - done).unwrap_or(WINDOW).min(window.len());
        let n = read(&mut window[..wanted], at.saturating_add(done))?;
        if n == 0 {
            // The file has become shorter since it was looked through.
            let source = io::ErrorKind::UnexpectedEof.into();
            return Err(Error::Read { offset: at.saturating_add(done), source });
        }
        write_with_holes(out, &window[..n], to.saturating_add(done))?;
        done += n as u64;
    }
    Ok(())
}

/// A new file, in order.
pub(super) fn write_all(out: &File, bytes: &[u8], at: u64) -> Result<(), Error> {
    out.write_all_at(bytes, at).map_err(|error| Error::of_output(at, error))
}

/// Gives the file this length.
pub(super) fn set_length(out: &File, length: u64) -> Result<(), Error> {
    out.set_len(length).map_err(|error| Error::of_output(length, error))
}
