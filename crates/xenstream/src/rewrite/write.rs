//! Writes an [`Image`]: into a file, which keeps the input's holes and gets long stretches from the system without
//! their passing through here, or to anything that writes.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use crate::holes::is_zero;
use crate::rewrite::image::{Image, Stretch};
use crate::source::file::ReadAt;

/// Bytes of one read.
const CHUNK: usize = 256 << 10;

/// Zeros that are worth a hole, and the piece that is looked at.
const HOLE: usize = 4096;

/// Shorter stretches are read and written together with their neighbours.
const WORTH_A_CALL: u64 = 64 << 10;

/// Why an output was not written.
#[derive(Debug)]
pub(super) enum Failure {
    /// The input could not be read at this offset.
    Read(u64, io::Error),
    /// The output could not be written at this one.
    Write(u64, io::Error),
}

/// Writes to anything.
pub(super) fn to_writer(image: &Image<'_>, out: &mut dyn Write) -> Result<u64, Failure> {
    let mut chunk = vec![0; CHUNK];
    let mut position = 0;
    while position < image.length() {
        let want = (image.length() - position).min(CHUNK as u64) as usize;
        let n = read(image, &mut chunk[..want], position)?;
        out.write_all(&chunk[..n]).map_err(|error| Failure::Write(position, error))?;
        position += n as u64;
    }
    out.flush().map_err(|error| Failure::Write(position, error))?;
    Ok(position)
}

/// Writes to anything, compressed with zstd. Returns how many bytes that took.
pub(super) fn compressed(image: &Image<'_>, out: &mut dyn Write) -> Result<u64, Failure> {
    let failed = |error| Failure::Write(0, error);
    let counted = Counted { out, bytes: 0 };
    let mut encoder =
        zstd::stream::write::Encoder::new(counted, zstd::DEFAULT_COMPRESSION_LEVEL).map_err(failed)?;
    encoder.include_checksum(true).map_err(failed)?;
    to_writer(image, &mut encoder)?;
    let mut counted = encoder.finish().map_err(failed)?;
    counted.flush().map_err(failed)?;
    Ok(counted.bytes)
}

/// Counts what is written.
struct Counted<'w> {
    out: &'w mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes into a new, empty file.
pub(super) fn to_file(image: &Image<'_>, file: &File) -> Result<u64, Failure> {
    let source = image.input.in_system().and_then(|(fd, start)| Source::new(fd, start));
    let mut out = Out { file, buffer: Vec::with_capacity(CHUNK), start: 0, position: 0 };
    let mut chunk = vec![0; CHUNK];
    for stretch in image.stretches() {
        match stretch {
            Stretch::New(bytes) => out.put(bytes)?,
            Stretch::Input(range) => {
                let mut at = range.start;
                if let Some(source) = source.as_ref().filter(|_| range.end - range.start >= WORTH_A_CALL) {
                    at = source.copy(at, range.end, &mut out)?;
                }
                while at < range.end {
                    let want = (range.end - at).min(CHUNK as u64) as usize;
                    let n = read(image.input, &mut chunk[..want], at)?;
                    out.put_sparse(&chunk[..n])?;
                    at += n as u64;
                }
            }
        }
    }
    out.finish()
}

/// Reads some bytes, one at least.
fn read(input: &dyn ReadAt, bytes: &mut [u8], offset: u64) -> Result<usize, Failure> {
    loop {
        match input.read_at(bytes, offset) {
            Ok(0) => return Err(Failure::Read(offset, io::ErrorKind::UnexpectedEof.into())),
            Ok(n) => return Ok(n.min(bytes.len())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::Read(offset, error)),
        }
    }
}

/// A file of the system that bytes are taken from, with an offset of its own.
struct Source {
    file: File,
    start: u64,
}

impl Source {
    fn new(fd: BorrowedFd<'_>, start: u64) -> Option<Source> {
        let file = File::open(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
        Some(Source { file, start })
    }

    /// Copies from `at` on what the system copies, and passes over holes. Returns how far it came.
    fn copy(&self, mut at: u64, end: u64, out: &mut Out<'_>) -> Result<u64, Failure> {
        while at < end {
            let from = self.start + at;
            let data = match rustix::fs::seek(&self.file, SeekFrom::Data(from)) {
                Ok(data) => data.clamp(from, self.start + end),
                Err(Errno::NXIO) => return Ok(at),
                Err(_) => from,
            };
            out.hole(data - from);
            at = data - self.start;
            let hole = rustix::fs::seek(&self.file, SeekFrom::Hole(data)).unwrap_or(u64::MAX);
            let extent = hole.min(self.start + end).saturating_sub(data);
            if extent < WORTH_A_CALL {
                let mut bytes = vec![0; extent as usize];
                self.file.read_exact_at(&mut bytes, data).map_err(|error| Failure::Read(at, error))?;
                out.put(&bytes)?;
                at += extent;
                continue;
            }
            let copied = self.copy_extent(data, extent, out)?;
            at += copied;
            if copied < extent {
                return Ok(at);
            }
        }
        Ok(at)
    }

    /// Copies a stretch without holes inside the system, as far as it does so.
    fn copy_extent(&self, from: u64, length: u64, out: &mut Out<'_>) -> Result<u64, Failure> {
        out.empty()?;
        let mut done = 0;
        while done < length {
            let (mut input, mut output) = (from + done, out.position);
            let most = usize::try_from(length - done).unwrap_or(usize::MAX).min(1 << 30);
            let copied = rustix::fs::copy_file_range(
                self.file.as_fd(),
                Some(&mut input),
                out.file.as_fd(),
                Some(&mut output),
                most,
            );
            match copied {
                Ok(0) => break,
                Ok(n) => {
                    out.hole(n as u64);
                    done += n as u64;
                }
                Err(Errno::INTR) => {}
                Err(Errno::NOSPC | Errno::FBIG | Errno::DQUOT | Errno::IO) => {
                    // Whether reading or writing failed, doing it by hand tells.
                    break;
                }
                // It cannot be done between these two.
                Err(_) => break,
            }
        }
        Ok(done)
    }
}

/// A file that is written in order.
struct Out<'f> {
    file: &'f File,
    /// Bytes that are not written yet, which begin at `start`.
    buffer: Vec<u8>,
    start: u64,
    /// Where the next bytes go.
    position: u64,
}

impl Out<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let buffered = self.start + self.buffer.len() as u64 == self.position;
        if !buffered || self.buffer.len() + bytes.len() > CHUNK {
            self.empty()?;
        }
        if self.buffer.is_empty() {
            self.start = self.position;
        }
        if bytes.len() > CHUNK {
            self.write(bytes, self.position)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// The same, with holes where there are many zeros.
    fn put_sparse(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut from = 0;
        for (index, piece) in bytes.chunks(HOLE).enumerate() {
            if piece.len() == HOLE && is_zero(piece) {
                let at = index * HOLE;
                self.put(&bytes[from..at])?;
                self.hole(HOLE as u64);
                from = at + HOLE;
            }
        }
        self.put(&bytes[from..])
    }

    /// Passes over bytes that are there already, or are zero.
    fn hole(&mut self, length: u64) {
        self.position += length;
    }

    fn empty(&mut self) -> Result<(), Failure> {
        let buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer, self.start)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn write(&self, bytes: &[u8], at: u64) -> Result<(), Failure> {
        self.file.write_all_at(bytes, at).map_err(|error| Failure::Write(at, error))
    }

    fn finish(mut self) -> Result<u64, Failure> {
        self.empty()?;
        self.file.set_len(self.position).map_err(|error| Failure::Write(self.position, error))?;
        Ok(self.position)
    }
}

/// A file that was written, to be read again.
pub(super) struct Written<'f>(pub(super) &'f File);

impl ReadAt for Written<'_> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
