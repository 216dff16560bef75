//! Compressed images: decompressed as they are read, in bounded memory.

use std::cell::{Cell, RefCell};
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream as XzStream};
use lz4_flex::frame::FrameDecoder;
use xenstream_core::Follows;

use crate::Error;
use crate::session::{Session, Stop};
use crate::source::ahead::fill_at;
use crate::source::compression::Compression;
use crate::source::file::{ReadAt, overfull};

/// How far back compressed data may reach, as a power of two: 128 MiB, which is what the programs `zstd` and `xz` take
/// unless they are asked for more. It bounds the memory that an image can make us use.
pub(crate) const WINDOW_LOG_MAX: u32 = 27;

/// What `xz` needs beside its window.
const XZ_OVERHEAD: u64 = 1 << 20;

/// Bytes of decompressed data that are judged together.
const CHUNK: usize = 64 << 10;

/// How much is decompressed once the verdict is fixed, to learn from a checksum whether the data was damaged: this many
/// bytes, and for each byte of the input [`AFTER_RATIO`] more. Images compress less than that; a bomb does not, and must
/// not take time out of proportion to its size.
const AFTER_MIN: u64 = 64 << 20;
const AFTER_RATIO: u64 = 16;

/// Looks for a compressor's magic, if the session decompresses.
pub(crate) fn recognise(
    file: &dyn ReadAt,
    start: &[u8],
    session: &Session<'_>,
) -> Result<Option<Compression>, Stop> {
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

/// Feeds what is compressed in `input`, to its end: only there the decompressor knows that it was sound.
/// `ends_with_stream` tells that bytes after the stream's end belong to nothing.
pub(crate) fn drive(
    compression: Compression,
    input: impl Read,
    ends_with_stream: bool,
    session: &mut Session<'_>,
) -> Result<(), Stop> {
    session.compression = Some(compression);
    session.comes_in_order();
    let mut decompressor = Decompressor::new(compression, input)?;
    let outcome = decode(&mut decompressor, ends_with_stream, session);
    session.bytes_read = decompressor.bytes_read();
    outcome
}

/// Decompresses an input.
pub(crate) struct Decompressor<'i> {
    compression: Compression,
    decoder: Box<dyn Read + 'i>,
    meter: Rc<Meter>,
    offset: u64,
}

impl<'i> Decompressor<'i> {
    pub(crate) fn new(compression: Compression, input: impl Read + 'i) -> Result<Decompressor<'i>, Error> {
        let meter = Rc::new(Meter::default());
        let source = Metered { inner: Box::new(input), meter: Rc::clone(&meter) };
        match decoder(compression, source) {
            Ok(decoder) => Ok(Decompressor { compression, decoder, meter, offset: 0 }),
            Err(error) => Err(failure(compression, 0, &meter, error)),
        }
    }

    #[cfg(feature = "rewrite")]
    pub(crate) fn compression(&self) -> Compression {
        self.compression
    }

    /// Bytes that were read from the input.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.meter.bytes.get()
    }

    /// Some decompressed bytes, none at the end.
    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.decoder.read(bytes) {
                Ok(n) => {
                    self.offset += n as u64;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure(self.compression, self.offset, &self.meter, error)),
            }
        }
    }
}

fn decoder<'i>(compression: Compression, input: Metered<'i>) -> io::Result<Box<dyn Read + 'i>> {
    Ok(match compression {
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(input)?;
            decoder.window_log_max(WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
        Compression::Gzip => Box::new(MultiGzDecoder::new(input)),
        Compression::Xz => {
            let stream = XzStream::new_stream_decoder((1 << WINDOW_LOG_MAX) + XZ_OVERHEAD, CONCATENATED)?;
            Box::new(XzDecoder::new_stream(input, stream))
        }
        Compression::Lz4 => Box::new(Lz4Frames::new(input)),
    })
}

fn decode(
    decompressor: &mut Decompressor<'_>,
    ends_with_stream: bool,
    session: &mut Session<'_>,
) -> Result<(), Stop> {
    let mut chunk = vec![0; CHUNK];
    let mut verdict = Ok(());
    let mut start = true;
    // What follows the stream.
    let mut follows = None;
    // Bytes that could no longer change the verdict.
    let mut after: u64 = 0;
    loop {
        if after > AFTER_MIN.saturating_add(decompressor.bytes_read().saturating_mul(AFTER_RATIO)) {
            break;
        }
        let bytes = match decompressor.read(&mut chunk)? {
            0 => break,
            n => &chunk[..n],
        };
        if verdict.is_err() || follows.is_some() {
            after += bytes.len() as u64;
        }
        if verdict.is_ok() {
            verdict = judge(bytes, &mut follows, session);
            if std::mem::take(&mut start) && session.asks_for_start(&verdict) {
                session.show_start(bytes, false);
            }
        }
    }
    // Checksums come last: what looks like an invalid stream, or like none at all, may be one that was damaged after it
    // was compressed.
    verdict?;
    // Where bytes may follow the stream, none of them is a finding.
    if let Some(follows) = follows.filter(|_| ends_with_stream) {
        session.trailing_data(follows)?;
    }
    session.finish()
}

/// Judges decompressed bytes, and notes what they say of what follows the stream.
pub(crate) fn judge(
    bytes: &[u8],
    follows: &mut Option<Follows>,
    session: &mut Session<'_>,
) -> Result<(), Stop> {
    let taken = session.push(bytes)?;
    let rest = bytes.get(taken..).unwrap_or_default();
    *follows = match *follows {
        None if rest.is_empty() => None,
        None => Some(Follows::of(rest)),
        Some(before) => Some(before.and(rest)),
    };
    Ok(())
}

/// Tells an input that cannot be read from one that can and does not decompress.
fn failure(compression: Compression, offset: u64, meter: &Meter, error: io::Error) -> Error {
    match meter.failed.take() {
        Some(source) => Error::Read { offset: meter.bytes.get(), source },
        None => Error::Decompress { compression, offset, source: error },
    }
}

/// What is counted of an input that a decompressor owns.
#[derive(Default)]
struct Meter {
    bytes: Cell<u64>,
    failed: RefCell<Option<io::Error>>,
}

struct Metered<'i> {
    /// Boxed, so that decoders are compiled once for all inputs.
    inner: Box<dyn Read + 'i>,
    meter: Rc<Meter>,
}

impl Read for Metered<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let error = match self.inner.read(bytes) {
            Ok(n) if n <= bytes.len() => {
                self.meter.bytes.set(self.meter.bytes.get() + n as u64);
                return Ok(n);
            }
            Ok(_) => overfull(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => error,
        };
        let kind = error.kind();
        self.meter.failed.replace(Some(error));
        Err(kind.into())
    }
}

/// LZ4 frames one after another. The decoder of one frame takes an input that stops between two blocks for one that
/// ends with a frame, so where frames begin and the input ends is watched here.
struct Lz4Frames<R: Read> {
    /// Absent only while it is exchanged for the next frame's.
    decoder: Option<FrameDecoder<Watched<R>>>,
}

impl<R: Read> Lz4Frames<R> {
    fn new(input: R) -> Lz4Frames<R> {
        let watched = Watched { inner: BufReader::new(input), frame_bytes: 0, ended: false };
        Lz4Frames { decoder: Some(FrameDecoder::new(watched)) }
    }

    /// Begins the frame that lies this many bytes further on.
    fn next_frame(&mut self, gap: u32) -> io::Result<()> {
        let Some(decoder) = self.decoder.take() else { return Ok(()) };
        let mut watched = decoder.into_inner();
        let gap = u64::from(gap);
        if io::copy(&mut (&mut watched).take(gap), &mut io::sink())? < gap {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        watched.frame_bytes = 0;
        self.decoder = Some(FrameDecoder::new(watched));
        Ok(())
    }
}

/// Length of a frame that decoders pass over, in bytes after its header, which has been read.
fn skippable(error: &io::Error) -> Option<u32> {
    match error.get_ref()?.downcast_ref::<lz4_flex::frame::Error>()? {
        lz4_flex::frame::Error::SkippableFrame(length) => Some(*length),
        _ => None,
    }
}

impl<R: Read> Read for Lz4Frames<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = &mut self.decoder else { return Ok(0) };
            let n = match decoder.read(bytes) {
                Ok(n) => n,
                Err(error) => {
                    let Some(length) = skippable(&error) else { return Err(error) };
                    self.next_frame(length)?;
                    continue;
                }
            };
            if n > 0 || bytes.is_empty() {
                return Ok(n);
            }
            match (decoder.get_ref().ended, decoder.get_ref().frame_bytes) {
                (true, 0) => return Ok(0),
                (true, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
                // The frame's end mark has passed. The next frame may have blocks of another size, and a decoder is
                // made for one.
                (false, _) => self.next_frame(0)?,
            }
        }
    }
}

/// Counts the bytes of a frame and notices the input's end.
struct Watched<R> {
    inner: BufReader<R>,
    frame_bytes: u64,
    ended: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(bytes)?;
        self.frame_bytes += n as u64;
        self.ended |= n == 0 && !bytes.is_empty();
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lz4(text: &[u8], block_size: lz4_flex::frame::BlockSize) -> Vec<u8> {
        use std::io::Write;
        let info = lz4_flex::frame::FrameInfo::new().block_size(block_size);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_cut_in_lz4_frames_is_detected() {
        use lz4_flex::frame::BlockSize;
        let text = [7; 100_000];
        let mut frames = lz4(&text, BlockSize::Max256KB);
        let first = frames.len();
        frames.extend_from_slice(&lz4(&text, BlockSize::Max64KB));
        for cut in 0..=frames.len() {
            let mut out = Vec::new();
            let result = Lz4Frames::new(&frames[..cut]).read_to_end(&mut out);
            let whole = [0, first, frames.len()].contains(&cut);
            assert_eq!(result.is_ok(), whole, "{cut} of {}", frames.len());
            if whole {
                assert_eq!(out.len() % text.len(), 0);
            }
        }
    }

    #[test]
    fn lz4_frames_that_hold_nothing_are_passed_over() {
        let frame = lz4(&[7; 1000], lz4_flex::frame::BlockSize::Max64KB);
        let skippable =
            |body: &[u8]| [&[0x50, 0x2A, 0x4D, 0x18][..], &(body.len() as u32).to_le_bytes(), body].concat();
        let input = [&frame[..], &skippable(b"abcd"), &skippable(b""), &frame, &skippable(&[1; 99])].concat();
        let mut out = Vec::new();
        Lz4Frames::new(&input[..]).read_to_end(&mut out).unwrap();
        assert_eq!(out, [7; 2000]);
        let torn = Lz4Frames::new(&input[..input.len() - 1]).read_to_end(&mut out).unwrap_err();
        assert_eq!(torn.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn magics_identify_formats() {
        for start in [&b"Xen saved"[..], b"LibxlFmt", &[0xFF; 8], &[0x1F, 0x8B, 9], b"", &[0x28, 0xB5, 0x2F]]
        {
            assert_eq!(Compression::recognise(start), None, "{start:?}");
        }
    }
}
