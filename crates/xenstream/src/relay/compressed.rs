//! A relay of zstd frames, as a migration that is compressed on its way has them: what is compressed is passed on, and
//! what it decompresses to is judged.
//!
//! A piece of the input is written once all that can be decompressed from it, and from what came before it, has been
//! judged. The consumer cannot get more out of it than that, so of the decompressed stream the relay's promise holds.

use std::io;

use zstd::stream::raw::{DParameter, Decoder, Operation};

use crate::Error;
use crate::relay::{Ends, Fault, write};
use crate::session::{Session, Stop};
use crate::source::compressed::{WINDOW_LOG_MAX, judge};
use crate::source::compression::Compression;
use crate::source::file::overfull;
use crate::source::stream::WINDOW;

/// Least bytes of a frame: reading this many at its beginning reads nothing that comes after it.
pub(super) const FRAME_MIN: usize = 8;

/// Passes on a compressed stream, of which `start` was read, up to the end of the frame that the stream ends in.
pub(super) fn drive(
    ends: &mut dyn Ends,
    session: &mut Session<'_>,
    start: &[u8],
    passed: &mut u64,
) -> Result<(), Stop> {
    session.compression = Some(Compression::Zstd);
    let mut decoder = Frames::new().map_err(|error| undecodable(session, error))?;
    let mut input = start.to_vec();
    let mut follows = None;
    let (mut is_finished, mut is_told) = (false, false);
    loop {
        session.bytes_read += input.len() as u64;
        let mut rest = &input[..];
        loop {
            let (read, bytes) = decoder.decode(rest).map_err(|error| undecodable(session, error))?;
            rest = rest.get(read..).unwrap_or_default();
            let is_full = bytes.len() == CHUNK;
            judge(bytes, &mut follows, session)?;
            // At a frame's end nothing is held back.
            if rest.is_empty() && (!is_full || decoder.is_between_frames()) {
                break;
            }
        }
        if session.is_ended() && !is_finished {
            is_finished = true;
            session.finish()?;
        }
        // What is in the same frame reaches the consumer.
        if let Some(follows) = follows.filter(|_| !is_told) {
            is_told = true;
            session.trailing_data(follows)?;
        }
        write(ends, &input, passed).map_err(|fault| fault.at(session.bytes_read, *passed))?;
        if is_finished && decoder.is_between_frames() {
            return Ok(());
        }
        input.resize(decoder.wanted(), 0);
        let n = ends.read(&mut input).map_err(|fault| fault.at(session.bytes_read, *passed))?;
        if n > input.len() {
            return Err(Fault::Read(overfull()).at(session.bytes_read, *passed).into());
        }
        input.truncate(n);
        if input.is_empty() {
            break;
        }
    }
    if decoder.is_between_frames() {
        session.finish()
    } else {
        Err(undecodable(session, io::ErrorKind::UnexpectedEof.into()))
    }
}

fn undecodable(session: &Session<'_>, source: io::Error) -> Stop {
    Error::Decompress { compression: Compression::Zstd, offset: session.position(), source }.into()
}

/// Bytes of decompressed data that are judged together.
const CHUNK: usize = 64 << 10;

/// Frames, decompressed piece by piece.
struct Frames {
    decoder: Decoder<'static>,
    chunk: Vec<u8>,
    /// Bytes that the frame goes on for at least, 0 between two frames.
    more: usize,
}

impl Frames {
    fn new() -> io::Result<Frames> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Frames { decoder, chunk: vec![0; CHUNK], more: 0 })
    }

    /// How many bytes of the input were taken, and what came out.
    fn decode(&mut self, input: &[u8]) -> io::Result<(usize, &[u8])> {
        let status = self.decoder.run_on_buffers(input, &mut self.chunk)?;
        self.more = status.remaining;
        let bytes = self.chunk.get(..status.bytes_written).unwrap_or_default();
        if status.bytes_read == 0 && bytes.is_empty() && !input.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok((status.bytes_read, bytes))
    }

    fn is_between_frames(&self) -> bool {
        self.more == 0
    }

    /// Bytes to read next, which are surely of the frame.
    fn wanted(&self) -> usize {
        if self.more == 0 { FRAME_MIN } else { self.more.min(WINDOW) }
    }
}
