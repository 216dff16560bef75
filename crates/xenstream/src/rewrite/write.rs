//! Writes an output in order: into a file, which has holes where there are zeros and gets long stretches of the input from
//! the system without their passing through here, or to anything that writes.

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use crate::holes::{append_zeros, is_zero};
use crate::rewrite::Output;
use crate::rewrite::image::{Image, Stretch};
use crate::rewrite::judge::Judge;
use crate::source::ahead::read_at;
use crate::source::file::ReadAt;
use crate::{Error, NewFile, Options, Report};

/// Bytes of one read.
const CHUNK: usize = 256 << 10;

/// Bytes that are written together.
const BUFFER: usize = 64 << 10;

/// Zeros that are worth a hole, and the piece that is looked at.
const HOLE: usize = 4096;

/// Shorter stretches are read and written together with their neighbours.
const WORTH_A_CALL: u64 = 64 << 10;

/// Has an output written. A new file gets its name only if `write` says that it is complete.
pub(crate) fn deliver<R>(
    output: Output<'_>,
    write: impl FnOnce(&mut Sink<'_>) -> Result<(R, bool), Error>,
) -> Result<R, Error> {
    match output {
        Output::Path { path, overwrite } => {
            let new = NewFile::create(path, overwrite)?;
            let (result, is_complete) = write(&mut Sink::new(To::File(new.file())))?;
            if is_complete {
                new.publish()?;
            }
            Ok(result)
        }
        Output::Writer(writer) => Ok(write(&mut Sink::new(To::Writer(writer)))?.0),
    }
}

/// Takes an output in order.
pub(crate) struct Sink<'o> {
    to: To<'o>,
    buffer: Vec<u8>,
    /// Bytes before those in the buffer.
    written: u64,
    /// Zeros after those in the buffer.
    hole: u64,
    judge: Option<Judge>,
}

enum To<'o> {
    /// A new, empty file.
    File(&'o File),
    Writer(&'o mut dyn Write),
}

impl<'o> Sink<'o> {
    fn new(to: To<'o>) -> Sink<'o> {
        Sink { to, buffer: Vec::with_capacity(BUFFER), written: 0, hole: 0, judge: None }
    }

    /// A file that is written in order.
    pub(crate) fn file(file: &'o File) -> Sink<'o> {
        Sink::new(To::File(file))
    }

    /// Has a verifier look at what is written from here on.
    pub(crate) fn judge(&mut self, options: &Options, looks_at_types: bool) {
        self.judge = Some(Judge::new(options, looks_at_types));
    }

    /// What that verifier found, once everything is written. Bytes after the stream belong to it in a file.
    pub(crate) fn judged(&mut self, is_file: bool) -> Result<Option<Report>, Error> {
        self.judge.take().map(|judge| judge.finish(is_file)).transpose()
    }

    /// The file that is written, if it is one.
    pub(super) fn as_file(&self) -> Option<&'o File> {
        if let To::File(file) = self.to { Some(file) } else { None }
    }

    /// The error where the next bytes could not be written.
    pub(crate) fn failure(&self, source: io::Error) -> Error {
        Error::of_output(self.written, source)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.hole >= HOLE as u64 {
            self.empty()?;
        } else {
            let zeros = mem::take(&mut self.hole) as usize;
            append_zeros(&mut self.buffer, zeros);
        }
        if self.buffer.len() + bytes.len() > BUFFER {
            self.empty()?;
        }
        if bytes.len() > BUFFER {
            return self.put(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes bytes in which long zeros may lie.
    pub(crate) fn write_sparse(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut from = 0;
        for (index, piece) in bytes.chunks(HOLE).enumerate() {
            if piece.len() == HOLE && is_zero(piece) {
                let at = index * HOLE;
                self.write(&bytes[from..at])?;
                self.zeros(HOLE as u64)?;
                from = at + HOLE;
            }
        }
        self.write(&bytes[from..])
    }

    pub(crate) fn zeros(&mut self, mut n: u64) -> io::Result<()> {
        if let To::File(_) = self.to {
            self.hole += n;
            return Ok(());
        }
        while n > 0 {
            if self.buffer.len() >= BUFFER {
                self.empty()?;
            }
            let room = BUFFER - self.buffer.len();
            let some = usize::try_from(n).unwrap_or(room).min(room);
            append_zeros(&mut self.buffer, some);
            n -= some as u64;
        }
        Ok(())
    }

    /// A waiting reader gets what there is.
    pub(crate) fn pass_on(&mut self) -> io::Result<()> {
        if let To::File(_) = self.to {
            return Ok(());
        }
        self.flush()
    }

    /// Writes what is left, and returns the size of the output.
    pub(crate) fn finish(&mut self) -> io::Result<u64> {
        self.flush()?;
        if let To::File(file) = self.to {
            file.set_len(self.written)?;
        }
        Ok(self.written)
    }

    /// Nothing may stay in the buffer, and the hole is passed over.
    fn empty(&mut self) -> io::Result<()> {
        let mut buffer = mem::take(&mut self.buffer);
        let done = self.put(&buffer);
        buffer.clear();
        self.buffer = buffer;
        done?;
        let hole = mem::take(&mut self.hole);
        if let Some(judge) = &mut self.judge {
            judge.zeros(hole);
        }
        self.written += hole;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(judge) = &mut self.judge {
            judge.push(bytes);
        }
        match &mut self.to {
            To::File(file) => file.write_all_at(bytes, self.written)?,
            To::Writer(writer) => writer.write_all(bytes)?,
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Writes an image, which no verifier looks at here. Returns its size.
    pub(super) fn image(&mut self, image: &Image<'_>) -> Result<u64, Error> {
        let source = image.input.in_system().and_then(|(fd, start)| Source::new(fd, start));
        let mut chunk = vec![0; CHUNK];
        for stretch in image.stretches() {
            match stretch {
                Stretch::New(bytes) => self.write(bytes).map_err(|error| self.failure(error))?,
                Stretch::Input(range) => {
                    let mut at = range.start;
                    let is_long = range.end - range.start >= WORTH_A_CALL;
                    if let (Some(source), To::File(_)) = (source.as_ref().filter(|_| is_long), &self.to) {
                        at = source.copy(at, range.end, self)?;
                    }
                    while at < range.end {
                        let want = (range.end - at).min(CHUNK as u64) as usize;
                        let n = read(image.input, &mut chunk[..want], at)?;
                        self.write_sparse(&chunk[..n]).map_err(|error| self.failure(error))?;
                        at += n as u64;
                    }
                }
            }
        }
        self.finish().map_err(|error| self.failure(error))
    }

    /// The same, compressed with zstd. Returns how many bytes that took.
    pub(super) fn compressed(&mut self, image: &Image<'_>) -> Result<u64, Error> {
        let failed = |error| Error::of_output(0, error);
        let level = zstd::DEFAULT_COMPRESSION_LEVEL;
        let mut encoder = zstd::stream::write::Encoder::new(&mut *self, level).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        Sink::new(To::Writer(&mut encoder)).image(image)?;
        encoder.finish().map_err(failed)?;
        self.finish().map_err(failed)
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Sink::write(self, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty()?;
        if let To::Writer(writer) = &mut self.to { writer.flush() } else { Ok(()) }
    }
}

/// Reads some bytes, one at least.
fn read(input: &dyn ReadAt, bytes: &mut [u8], offset: u64) -> Result<usize, Error> {
    match read_at(input, bytes, offset)?.len() {
        0 => Err(Error::Read { offset, source: io::ErrorKind::UnexpectedEof.into() }),
        n => Ok(n),
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
    fn copy(&self, mut at: u64, end: u64, out: &mut Sink<'_>) -> Result<u64, Error> {
        while at < end {
            let from = self.start + at;
            let data = match rustix::fs::seek(&self.file, SeekFrom::Data(from)) {
                Ok(data) => data.clamp(from, self.start + end),
                Err(Errno::NXIO) => return Ok(at),
                Err(_) => from,
            };
            out.zeros(data - from).map_err(|error| out.failure(error))?;
            at = data - self.start;
            let hole = rustix::fs::seek(&self.file, SeekFrom::Hole(data)).unwrap_or(u64::MAX);
            let extent = hole.min(self.start + end).saturating_sub(data);
            if extent < WORTH_A_CALL {
                let mut bytes = vec![0; extent as usize];
                let read = self.file.read_exact_at(&mut bytes, data);
                read.map_err(|source| Error::Read { offset: at, source })?;
                out.write(&bytes).map_err(|error| out.failure(error))?;
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
    fn copy_extent(&self, from: u64, length: u64, out: &mut Sink<'_>) -> Result<u64, Error> {
        out.empty().map_err(|error| out.failure(error))?;
        let To::File(file) = out.to else { return Ok(0) };
        let mut done = 0;
        while done < length {
            let (mut input, mut output) = (from + done, out.written);
            let most = usize::try_from(length - done).unwrap_or(usize::MAX).min(1 << 30);
            let copied = rustix::fs::copy_file_range(
                self.file.as_fd(),
                Some(&mut input),
                file.as_fd(),
                Some(&mut output),
                most,
            );
            match copied {
                Ok(0) => break,
                Ok(n) => {
                    out.written += n as u64;
                    done += n as u64;
                }
                Err(Errno::INTR) => {}
                // It cannot be done between these two, or reading or writing failed: doing it by hand tells.
                Err(_) => break,
            }
        }
        Ok(done)
    }
}
