//! Input that comes in order: pipes, sockets, terminals, anything that reads. Not one byte is taken that may belong to
//! another reader: a live stream shares its descriptor with what follows it.

#[cfg(feature = "fs")]
mod descriptor;

use std::io::{self, Read};

use xenstream_core::Follows;

use crate::Error;
use crate::session::{Session, Stop};
#[cfg(feature = "decompress")]
use crate::source::compressed;
use crate::source::compression::Compression;
use crate::source::file::overfull;

#[cfg(feature = "fs")]
pub(crate) use descriptor::{Descriptor, Pace, SPLICE};

/// Bytes of one read. Larger buffers fall out of the processor's cache and are slower.
pub(crate) const WINDOW: usize = 64 << 10;

/// Bytes of one read where contents can be discarded: enough for a record's header and its page frame numbers, so
/// that few bytes are copied only to be passed over.
pub(crate) const HEAD: usize = 8 + 8 + 8 * 1024;

/// Fewer bytes than this are read sooner than spliced by a call of their own.
pub(crate) const WORTH_SPLICING: u64 = 16 << 10;

/// Input that comes in order.
pub(crate) trait Stream {
    /// Waits for bytes and takes some; none at the input's end.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize>;

    /// Returns whether bytes can be skipped without being copied.
    fn discards(&self) -> bool;

    /// Passes over some bytes, at most `bytes`. 0: for some reason there were none to be passed over, and what comes
    /// next has to be read. It need not be the input's end.
    fn discard(&mut self, bytes: u64) -> io::Result<u64>;

    /// Returns whether bytes after the end of the stream belong to nothing else.
    fn ends_with_stream(&self) -> bool;

    /// Takes bytes of what is no stream, where they are there or come soon; none at the input's end. `None`: there is
    /// nothing to be had without waiting.
    fn read_at_hand(&mut self, bytes: &mut [u8]) -> Option<usize>;
}

/// Reads a stream up to its end and not beyond.
pub(crate) fn drive(stream: &mut dyn Stream, session: &mut Session<'_>) -> Result<(), Stop> {
    session.comes_in_order();
    let mut window = vec![0; WINDOW];
    let start = take_magic(stream, &mut window, session)?;
    #[cfg(feature = "decompress")]
    if let Some(compression) = session.recognise(start) {
        session.bytes_read = 0;
        let ends_with_stream = stream.ends_with_stream();
        let whole = start.chain(Compressed(stream));
        return compressed::drive(compression, whole, ends_with_stream, session);
    }
    let outcome = judge(stream, start.len(), &mut window, session);
    if session.asks_for_start(&outcome) {
        show_start(stream, &mut window, session);
    }
    outcome
}

/// Judges a stream of which the first `start` bytes are in the window.
fn judge(
    stream: &mut dyn Stream,
    start: usize,
    window: &mut [u8],
    session: &mut Session<'_>,
) -> Result<(), Stop> {
    session.push(&window[..start])?;
    while !session.is_ended() {
        let need = session.need();
        if need.skippable >= WORTH_SPLICING && stream.discards() {
            let passed =
                stream.discard(need.skippable).map_err(|error| read_error(session.position(), error))?;
            if passed > 0 {
                session.skip(passed)?;
                continue;
            }
            // Only a read knows whether the input has ended. Each round passes over bytes or waits for a read.
        }
        let window = if stream.discards() { &mut window[..HEAD] } else { &mut *window };
        let bytes = read(stream, window, need.certain, session.position())?;
        if bytes.is_empty() {
            break;
        }
        session.bytes_read += bytes.len() as u64;
        session.push(bytes)?;
    }
    if session.is_ended() && stream.ends_with_stream() {
        let mut follows: Option<Follows> = None;
        // Once it is more than zeros, the rest of it makes no difference.
        while matches!(follows, None | Some(Follows::Zeros)) {
            let bytes = read(stream, window, u64::MAX, session.position())?;
            if bytes.is_empty() {
                break;
            }
            follows = Some(follows.map_or_else(|| Follows::of(bytes), |before| before.and(bytes)));
        }
        if let Some(follows) = follows {
            session.trailing_data(follows)?;
        }
    }
    session.finish()
}

/// Shows the session what else is at hand of an input that is no stream.
fn show_start(stream: &mut dyn Stream, window: &mut [u8], session: &mut Session<'_>) {
    let mut have = session.first_bytes().len();
    window[..have].copy_from_slice(session.first_bytes());
    let mut is_whole = false;
    while have < window.len() {
        match stream.read_at_hand(&mut window[have..]) {
            Some(0) => {
                is_whole = true;
                break;
            }
            Some(more) => have += more,
            None => break,
        }
    }
    session.show_start(&window[..have], is_whole);
}

/// The first few bytes, by which a compressor is recognised. They surely belong to the stream: every header is longer.
fn take_magic<'w>(
    stream: &mut dyn Stream,
    window: &'w mut [u8],
    session: &mut Session<'_>,
) -> Result<&'w [u8], Error> {
    let certain = session.need().certain;
    let mut have = 0;
    while have < Compression::MAGIC_MAX {
        let bytes = read(stream, &mut window[have..], certain - have as u64, have as u64)?.len();
        if bytes == 0 {
            break;
        }
        have += bytes;
    }
    session.bytes_read = have as u64;
    Ok(&window[..have])
}

/// Reads at most `certain` bytes.
fn read<'w>(
    stream: &mut dyn Stream,
    window: &'w mut [u8],
    certain: u64,
    offset: u64,
) -> Result<&'w [u8], Error> {
    let wanted = window.len().min(usize::try_from(certain).unwrap_or(usize::MAX));
    let bytes = stream.read(&mut window[..wanted]).map_err(|error| read_error(offset, error))?;
    window[..wanted].get(..bytes).ok_or_else(|| read_error(offset, overfull()))
}

fn read_error(offset: u64, source: io::Error) -> Error {
    Error::Read { offset, source }
}

/// A stream as a decompressor reads it.
#[cfg(feature = "decompress")]
struct Compressed<'s>(&'s mut dyn Stream);

#[cfg(feature = "decompress")]
impl Read for Compressed<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

/// Anything that reads.
pub(crate) struct Reader<'r>(pub(crate) &'r mut dyn Read);

impl Stream for Reader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn discards(&self) -> bool {
        false
    }

    fn discard(&mut self, _: u64) -> io::Result<u64> {
        Ok(0)
    }

    fn ends_with_stream(&self) -> bool {
        false
    }

    fn read_at_hand(&mut self, _: &mut [u8]) -> Option<usize> {
        None
    }
}
