//! Files that can be read at any place. Page contents and opaque blobs, which no rule looks at, are never read: of a
//! guest of gigabytes a few thousand record headers and their arrays of page frame numbers are.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use rustix::fs::{Advice, FileType};
use xenstream_core::Follows;
use xenstream_core::wire::RECORD_HEADER;
use xenstream_core::wire::libxc::page;

use crate::Error;
use crate::hint::{self, LOOKED_AT};
use crate::pv_walk;
use crate::session::{Session, Stop};
use crate::source::ahead::{Reader, fill_at, read_at};
use crate::source::compressed::{self, Compression};

/// Bytes of one read at the start of a record: its header, and an array of page frame numbers as long as savers make
/// them. Where the array is that long and has no page after it, the next record's header follows at once and the next
/// read begins with it, so there is one read for each record.
pub(crate) const WINDOW: usize = (RECORD_HEADER + page::HEADER + page::BATCH * page::ENTRY) as usize;

/// Something that can be read at any place: a file, or an object in a store.
pub trait ReadAt {
    /// Reads bytes from `offset` on into `bytes` and returns how many there were: at least one, unless the input
    /// ends at or before `offset`.
    ///
    /// # Errors
    /// What the system says. [`Interrupted`](io::ErrorKind::Interrupted) reads are tried again.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// How many bytes there are. It is asked again when it matters, since a file may shrink or grow while it is read.
    ///
    /// # Errors
    /// What the system says.
    fn size(&self) -> io::Result<u64>;

    /// Takes note that these bytes will be read soon. Nothing need come of it.
    fn hint(&self, offset: u64, length: u64) {
        let _ = (offset, length);
    }

    /// Returns where bytes that are no hole begin, from `offset` on; the size where none do. `offset` is always an answer.
    fn next_data(&self, offset: u64) -> u64 {
        offset
    }

    /// Returns the open file that holds the bytes, and the offset of the first in it, if the system can copy from it.
    fn in_system(&self) -> Option<(BorrowedFd<'_>, u64)> {
        None
    }

    /// This, if several threads may read at a time and should where reads are slow; otherwise none but the caller's
    /// thread reads.
    fn concurrent(&self) -> Option<&(dyn ReadAt + Sync)> {
        None
    }

    /// Whether bytes after the end of the stream belong to nothing else, as in a regular file. A block device has bytes
    /// after anything.
    fn ends_with_stream(&self) -> bool {
        true
    }
}

/// An image in memory, read as a file is.
impl ReadAt for Vec<u8> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let n = rest.len().min(bytes.len());
        bytes[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// Walks a file, and where it holds a PV guest once more.
pub(crate) fn drive(file: &dyn ReadAt, session: &mut Session<'_>) -> Result<(), Stop> {
    drive_once(file, session)?;
    if session.compression.is_none() { pv_walk::walk(file, session) } else { Ok(()) }
}

/// Walks a file once.
pub(crate) fn drive_once(file: &dyn ReadAt, session: &mut Session<'_>) -> Result<(), Stop> {
    thread::scope(|scope| drive_with(&mut Reader::new(scope, file), file, session))
}

/// [`drive_once`], with a reader of this file.
pub(super) fn drive_with(
    reader: &mut Reader<'_, '_>,
    file: &dyn ReadAt,
    session: &mut Session<'_>,
) -> Result<(), Stop> {
    let outcome = walk(reader, file, session);
    if session.compression.is_none() {
        session.bytes_read = reader.bytes_read();
        session.size = file.size().ok();
        if session.asks_for_start(&outcome) {
            let (head, is_whole) = start_of(file)?;
            session.show_start(&head, is_whole);
        } else if let Some(violation) = session.first_violation(&outcome) {
            session.show_lost(hint::lost(file, &violation, session.position())?);
        }
    }
    outcome
}

/// The first bytes, and whether there are no more.
fn start_of(file: &dyn ReadAt) -> Result<(Vec<u8>, bool), Error> {
    let mut head = vec![0; LOOKED_AT];
    let mut have = 0;
    while have < head.len() {
        match read_at(file, &mut head[have..], have as u64)?.len() {
            0 => break,
            more => have += more,
        }
    }
    head.truncate(have);
    Ok((head, have < LOOKED_AT))
}

fn walk(reader: &mut Reader<'_, '_>, file: &dyn ReadAt, session: &mut Session<'_>) -> Result<(), Stop> {
    let mut size = file.size().map_err(Error::Inspect)?;
    let mut first = true;
    while !session.is_ended() {
        let position = session.position();
        // Never past the file's end: bytes that are not there cannot be passed over.
        let skippable = session.need().skippable.min(size.saturating_sub(position));
        if skippable > 0 {
            session.skip(skippable)?;
            continue;
        }
        // Among page contents a page table is to be read; whether its neighbour is, is not known yet.
        let wanted = session.left_in_page().map_or(WINDOW, |left| WINDOW.min(left as usize));
        let bytes = reader.read(position, wanted, size)?;
        if bytes.is_empty() {
            return end(file, session);
        }
        if first {
            first = false;
            if let Some(compression) = recognise(file, bytes, session)? {
                return compressed::drive(compression, Cursor::new(file), file.ends_with_stream(), session);
            }
        }
        session.push(bytes)?;
        let read_up_to = position + bytes.len() as u64;
        if read_up_to > size {
            // It has grown.
            size = file.size().map_err(Error::Inspect)?;
        }
    }
    if file.ends_with_stream()
        && let Some(follows) = what_follows(file, session.position())?
    {
        session.trailing_data(follows)?;
    }
    session.finish()
}

/// What follows the stream, which ends at this position. Of a long tail of zeros the first part and the end are read:
/// nothing depends on the rest, and a disk's file may be all zeros from there on.
fn what_follows(file: &dyn ReadAt, position: u64) -> Result<Option<Follows>, Error> {
    const MOST: u64 = 64 << 20;
    let mut bytes = vec![0; LOOKED_AT];
    let mut at = position;
    let mut follows: Option<Follows> = None;
    while matches!(follows, None | Some(Follows::Zeros)) {
        let read = read_at(file, &mut bytes, at)?;
        if read.is_empty() {
            break;
        }
        follows = Some(follows.map_or_else(|| Follows::of(read), |before| before.and(read)));
        at = at.saturating_add(read.len() as u64);
        if at.saturating_sub(position) >= MOST {
            let size = file.size().map_err(Error::Inspect)?;
            at = at.max(size.saturating_sub(LOOKED_AT as u64));
        }
    }
    Ok(follows)
}

/// The input has ended, inside the stream.
fn end(file: &dyn ReadAt, session: &mut Session<'_>) -> Result<(), Stop> {
    let outcome = session.finish();
    // A file that shrank after bytes were passed over ends in front of them.
    let size = file.size().map_err(Error::Inspect)?;
    match outcome {
        Err(Stop::Invalid(mut violation)) if size < violation.offset && size < session.position() => {
            violation.offset = size;
            violation.record = violation.record.filter(|record| record.offset <= size);
            Err(Stop::Invalid(violation))
        }
        outcome => outcome,
    }
}

/// Looks for a compressor's magic, if the session decompresses.
fn recognise(file: &dyn ReadAt, start: &[u8], session: &Session<'_>) -> Result<Option<Compression>, Stop> {
    Ok(if session.options().decompress { compression(file, start)? } else { None })
}

/// How a file that begins with these bytes is compressed; a short read at its start is made up for.
pub(crate) fn compression(file: &dyn ReadAt, start: &[u8]) -> Result<Option<Compression>, Error> {
    let mut magic = [0; Compression::MAGIC_MAX];
    let mut have = start.len().min(Compression::MAGIC_MAX);
    magic[..have].copy_from_slice(&start[..have]);
    have += fill_at(file, &mut magic[have..], have as u64)?;
    Ok(Compression::recognise(&magic[..have]))
}

/// A reader broke its contract.
pub(crate) fn overfull() -> io::Error {
    io::Error::other("the reader claims more bytes than there was room for")
}

/// Reads a file in order, for a decompressor.
pub(crate) struct Cursor<'f> {
    file: &'f dyn ReadAt,
    position: u64,
}

impl<'f> Cursor<'f> {
    pub(crate) fn new(file: &'f dyn ReadAt) -> Cursor<'f> {
        Cursor { file, position: 0 }
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(bytes, self.position)?;
        self.position += n as u64;
        Ok(n)
    }
}

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
    /// the open file description: this is for files that nobody else has open through it.
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
    use std::os::fd::AsRawFd;
    File::open(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()))
}
