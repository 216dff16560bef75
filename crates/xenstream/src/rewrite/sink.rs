//! Where a rewritten stream goes: a new file, or anything that writes.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// Bytes that are written together.
const BUFFER: usize = 64 << 10;

/// Zeros that are worth a hole.
const HOLE: u64 = 4096;

/// Takes a stream in order.
pub(crate) trait Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn zeros(&mut self, n: u64) -> io::Result<()>;
    /// A waiting reader gets what there is.
    fn pass_on(&mut self) -> io::Result<()>;
    /// Nothing may be left behind in a buffer.
    fn flush(&mut self) -> io::Result<()>;
}

/// A writer, to which zeros are written.
pub(crate) struct Plain<'w> {
    out: &'w mut dyn Write,
    buffer: Vec<u8>,
}

impl<'w> Plain<'w> {
    pub(crate) fn new(out: &'w mut dyn Write) -> Plain<'w> {
        Plain { out, buffer: Vec::with_capacity(BUFFER) }
    }

    fn empty(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Sink for Plain<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.empty()?;
        }
        if bytes.len() > BUFFER {
            return self.out.write_all(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn zeros(&mut self, mut n: u64) -> io::Result<()> {
        while n > 0 {
            if self.buffer.len() == BUFFER {
                self.empty()?;
            }
            let room = BUFFER - self.buffer.len();
            let some = usize::try_from(n).unwrap_or(room).min(room);
            self.buffer.resize(self.buffer.len() + some, 0);
            n -= some as u64;
        }
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.empty()?;
        self.out.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on()
    }
}

/// A new file, which has holes where the stream has zeros.
pub(crate) struct Sparse<'f> {
    file: &'f File,
    buffer: Vec<u8>,
    /// Zeros behind the buffer.
    hole: u64,
}

impl<'f> Sparse<'f> {
    pub(crate) fn new(file: &'f File) -> Sparse<'f> {
        Sparse { file, buffer: Vec::with_capacity(BUFFER), hole: 0 }
    }

    fn empty(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Sink for Sparse<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let hole = std::mem::take(&mut self.hole);
        if hole >= HOLE {
            self.empty()?;
            self.file.seek(SeekFrom::Current(i64::try_from(hole).map_err(io::Error::other)?))?;
        } else {
            self.buffer.resize(self.buffer.len() + hole as usize, 0);
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER { self.empty() } else { Ok(()) }
    }

    fn zeros(&mut self, n: u64) -> io::Result<()> {
        self.hole += n;
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty()?;
        let end = self.file.stream_position()?.checked_add(self.hole);
        self.file.set_len(end.ok_or(io::ErrorKind::FileTooLarge)?)
    }
}
