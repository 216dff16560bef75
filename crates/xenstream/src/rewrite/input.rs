//! Where a stream that is rewritten comes from: bytes in order.

#[cfg(feature = "decompress")]
use std::io::{self, Read};

use crate::Error;
use crate::source::ahead::{fill, read_at};
#[cfg(feature = "decompress")]
use crate::source::compressed::{Cursor, Decompressor, compression};
use crate::source::compression::Compression;
use crate::source::file::{ReadAt, overfull};
use crate::source::stream::{Stream, WORTH_SPLICING};

/// Bytes in order.
pub(crate) trait Bytes {
    /// Some bytes, none at the input's end.
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error>;

    /// Passes over some bytes, `n` at the most. `None`: they are to be read.
    fn skip(&mut self, n: u64) -> Result<Option<u64>, Error>;

    /// Returns whether bytes that belong to no stream may be consumed. The next reader will not see them.
    fn reads_on(&self) -> bool;

    /// How the input is compressed.
    fn compression(&self) -> Option<Compression> {
        None
    }

    /// Bytes that were read from the input, as it is stored.
    fn bytes_read(&self) -> u64;
}

/// A file, or what else can be read at any place.
pub(crate) struct File<'f> {
    file: &'f dyn ReadAt,
    position: u64,
    size: u64,
    bytes_read: u64,
}

impl<'f> File<'f> {
    pub(crate) fn new(file: &'f dyn ReadAt) -> Result<File<'f>, Error> {
        let size = file.size().map_err(Error::Inspect)?;
        Ok(File { file, position: 0, size, bytes_read: 0 })
    }

    /// The bytes of the file decompressed, if they are compressed.
    #[cfg(feature = "decompress")]
    pub(crate) fn decompressed(&self, decompress: bool) -> Result<Option<Decompressor<'f>>, Error> {
        match if decompress { compression(self.file, &[])? } else { None } {
            Some(compression) => Decompressor::new(compression, Cursor::new(self.file)).map(Some),
            None => Ok(None),
        }
    }
}

impl Bytes for File<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        let n = read_at(self.file, bytes, self.position)?.len();
        self.position += n as u64;
        self.bytes_read += n as u64;
        Ok(n)
    }

    fn skip(&mut self, n: u64) -> Result<Option<u64>, Error> {
        // Never past the file's end: bytes that are not there cannot be passed over.
        let there = n.min(self.size.saturating_sub(self.position));
        self.position += there;
        Ok((there > 0).then_some(there))
    }

    fn reads_on(&self) -> bool {
        self.file.ends_with_stream()
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read
    }
}

/// A pipe, a socket, a reader.
pub(crate) struct Live<'s> {
    stream: &'s mut dyn Stream,
    position: u64,
    /// Bytes that were read to see whether they are compressed.
    ahead: Vec<u8>,
    bytes_read: u64,
}

impl<'s> Live<'s> {
    /// Begins to read, so much as surely belongs to any stream.
    pub(crate) fn new(stream: &'s mut dyn Stream) -> Result<Live<'s>, Error> {
        let mut live = Live { stream, position: 0, ahead: Vec::new(), bytes_read: 0 };
        let mut magic = [0; Compression::MAGIC_MAX];
        let have = fill(&mut magic, |bytes, _| Bytes::read(&mut live, bytes))?;
        live.ahead.extend_from_slice(&magic[..have]);
        live.position = 0;
        Ok(live)
    }

    /// How what it begins with is compressed.
    #[cfg(feature = "decompress")]
    pub(crate) fn recognise(&self) -> Option<Compression> {
        Compression::recognise(&self.ahead)
    }
}

impl Bytes for Live<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        if !self.ahead.is_empty() {
            let n = self.ahead.len().min(bytes.len());
            bytes[..n].copy_from_slice(&self.ahead[..n]);
            self.ahead.drain(..n);
            self.position += n as u64;
            return Ok(n);
        }
        let offset = self.position;
        let fault = |source| Error::Read { offset, source };
        let n = self.stream.read(bytes).map_err(fault)?;
        if n > bytes.len() {
            return Err(fault(overfull()));
        }
        self.position += n as u64;
        self.bytes_read += n as u64;
        Ok(n)
    }

    fn skip(&mut self, n: u64) -> Result<Option<u64>, Error> {
        if n < WORTH_SPLICING || !self.ahead.is_empty() || !self.stream.discards() {
            return Ok(None);
        }
        let offset = self.position;
        let skipped = self.stream.discard(n).map_err(|source| Error::Read { offset, source })?;
        self.position += skipped;
        Ok((skipped > 0).then_some(skipped))
    }

    fn reads_on(&self) -> bool {
        self.stream.ends_with_stream()
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read
    }
}

#[cfg(feature = "decompress")]
impl Read for Live<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Bytes::read(self, bytes).map_err(|error| match error {
            Error::Read { source, .. } => source,
            other => io::Error::other(other),
        })
    }
}

#[cfg(feature = "decompress")]
impl Bytes for Decompressor<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        Decompressor::read(self, bytes)
    }

    fn skip(&mut self, _: u64) -> Result<Option<u64>, Error> {
        Ok(None)
    }

    fn reads_on(&self) -> bool {
        true
    }

    fn compression(&self) -> Option<Compression> {
        Some(Decompressor::compression(self))
    }

    fn bytes_read(&self) -> u64 {
        Decompressor::bytes_read(self)
    }
}
