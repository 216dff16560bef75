//! Files that can be read at any place. Page contents and opaque blobs, which no rule looks at, are never read: of a
//! guest of gigabytes a few thousand record headers and their arrays of page frame numbers are.

#[cfg(feature = "fs")]
mod descriptor;

use std::io;
#[cfg(feature = "fs")]
use std::os::fd::BorrowedFd;
use std::thread;

use xenstream_core::Follows;
use xenstream_core::wire::RECORD_HEADER;
use xenstream_core::wire::libxc::page;

use crate::Error;
use crate::hint::{self, LOOKED_AT};
use crate::pv_walk;
use crate::session::{Session, Stop};
use crate::source::ahead::{Reader, read_at};
#[cfg(feature = "decompress")]
use crate::source::compressed::{self, Cursor};

#[cfg(feature = "fs")]
pub(crate) use descriptor::Descriptor;

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
    #[cfg(feature = "fs")]
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
    #[cfg(feature = "decompress")]
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
        #[cfg(feature = "decompress")]
        if first {
            first = false;
            if let Some(compression) = compressed::recognise(file, bytes, session)? {
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

/// What follows the stream, which ends at this position. Only the first part and the end of a long tail of zeros are
/// read: nothing depends on the rest, and a disk's file may be all zeros from there on.
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

/// A reader broke its contract.
pub(crate) fn overfull() -> io::Error {
    io::Error::other("the reader claims more bytes than there was room for")
}
