//! Writes an output in order: into a file, which has holes where there are zeros and gets long stretches of the input from
//! the system without their passing through here, or to anything that writes.

#[cfg(feature = "fs")]
mod copy;

#[cfg(feature = "fs")]
use std::fs::File;
use std::io::{self, Write};
use std::mem;
#[cfg(feature = "fs")]
use std::os::unix::fs::FileExt;

#[cfg(feature = "fs")]
use crate::NewFile;
use crate::holes::{append_zeros, is_zero};
use crate::rewrite::Output;
use crate::rewrite::image::{Image, Stretch};
use crate::rewrite::judge::Judge;
use crate::source::ahead::read_at;
use crate::source::file::ReadAt;
use crate::{Error, Options, Report};

/// Bytes of one read.
const CHUNK: usize = 256 << 10;

/// Bytes that are written together.
const BUFFER: usize = 64 << 10;

/// Zeros that are worth a hole, and the piece that is looked at.
const HOLE: usize = 4096;

/// Shorter stretches are read and written together with their neighbours.
#[cfg(feature = "fs")]
const WORTH_A_CALL: u64 = 64 << 10;

/// Has an output written. A new file gets its name only if `write` says that it is complete.
pub(crate) fn deliver<R>(
    output: Output<'_>,
    write: impl FnOnce(&mut Sink<'_>) -> Result<(R, bool), Error>,
) -> Result<R, Error> {
    match output {
        #[cfg(feature = "fs")]
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

pub(crate) enum To<'o> {
    /// A new, empty file.
    #[cfg(feature = "fs")]
    File(&'o File),
    Writer(&'o mut dyn Write),
}

impl<'o> Sink<'o> {
    pub(crate) fn new(to: To<'o>) -> Sink<'o> {
        Sink { to, buffer: Vec::with_capacity(BUFFER), written: 0, hole: 0, judge: None }
    }

    /// A file that is written in order.
    #[cfg(feature = "fs")]
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
    #[cfg(feature = "fs")]
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
        #[cfg(feature = "fs")]
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
        #[cfg(feature = "fs")]
        if let To::File(_) = self.to {
            return Ok(());
        }
        self.flush()
    }

    /// Writes what is left, and returns the size of the output.
    pub(crate) fn finish(&mut self) -> io::Result<u64> {
        self.flush()?;
        #[cfg(feature = "fs")]
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
            #[cfg(feature = "fs")]
            To::File(file) => file.write_all_at(bytes, self.written)?,
            To::Writer(writer) => writer.write_all(bytes)?,
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Writes an image, which no verifier looks at here. Returns its size.
    pub(super) fn image(&mut self, image: &Image<'_>) -> Result<u64, Error> {
        #[cfg(feature = "fs")]
        let source = image.input.in_system().and_then(|(fd, start)| copy::Source::new(fd, start));
        let mut chunk = vec![0; CHUNK];
        for stretch in image.stretches() {
            match stretch {
                Stretch::New(bytes) => self.write(bytes).map_err(|error| self.failure(error))?,
                Stretch::Input(range) => {
                    let mut at = range.start;
                    #[cfg(feature = "fs")]
                    let is_long = range.end - range.start >= WORTH_A_CALL;
                    #[cfg(feature = "fs")]
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
    #[cfg(feature = "decompress")]
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
        match &mut self.to {
            #[cfg(feature = "fs")]
            To::File(_) => Ok(()),
            To::Writer(writer) => writer.flush(),
        }
    }
}

/// Reads some bytes, one at least.
fn read(input: &dyn ReadAt, bytes: &mut [u8], offset: u64) -> Result<usize, Error> {
    match read_at(input, bytes, offset)?.len() {
        0 => Err(Error::Read { offset, source: io::ErrorKind::UnexpectedEof.into() }),
        n => Ok(n),
    }
}
