//! Writes items and memory, neither of which has to fit into ours.

use std::io::{self, Seek, SeekFrom, Write};

use xenstream_core::Format;
use xenstream_core::wire::PAGE_SIZE;
use xenstream_core::wire::libxc::{page, types};

use crate::body::Body;
use crate::item::Item;
use crate::libxc::record;
use crate::stream::Stream;

/// What the pages of a guest hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Contents {
    /// Nothing: a sparse file takes room for its record headers only, whatever the guest's size.
    Sparse,
    /// Noise, which no layer below the file system makes smaller.
    Noise,
    /// Zeros, text and noise, as guests have them: compressors make about a third of it.
    Mixed,
}

impl Contents {
    /// Fills the page with this pfn, which is zero.
    pub fn fill(self, seed: u64, pfn: u64, bytes: &mut [u8]) {
        let mut random = fastrand::Rng::with_seed(seed ^ pfn);
        match self {
            Contents::Sparse => {}
            Contents::Noise => random.fill(bytes),
            Contents::Mixed => match pfn % 4 {
                0 => {}
                1 => random.fill(bytes),
                _ => bytes.fill_with(|| b"etaoin shrdlu"[random.usize(0..13)]),
            },
        }
    }
}

/// Puts into a page of zeros what the page of an entry holds.
pub type Fill<'f> = &'f dyn Fn(u64, &mut [u8]);

/// Writes an image in order.
pub struct Writer<W> {
    out: W,
    /// Gets over zeros.
    skip: fn(&mut W, u64) -> io::Result<()>,
    written: u64,
    /// Zeros in front of what is written next.
    hole: u64,
    buffer: Vec<u8>,
}

/// Bytes that are written together.
const BUFFER: usize = 64 << 10;

/// Zeros that are worth a hole.
const HOLE: u64 = 4096;

impl<W: Write> Writer<W> {
    /// Writes everything.
    pub fn plain(out: W) -> Writer<W> {
        Writer::new(out, |out, mut n| {
            while n > 0 {
                let zeros = &[0; BUFFER][..usize::try_from(n).unwrap_or(BUFFER).min(BUFFER)];
                out.write_all(zeros)?;
                n -= zeros.len() as u64;
            }
            Ok(())
        })
    }

    fn new(out: W, skip: fn(&mut W, u64) -> io::Result<()>) -> Writer<W> {
        Writer { out, skip, written: 0, hole: 0, buffer: Vec::with_capacity(BUFFER) }
    }

    /// Writes items of a little-endian stream.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn items(&mut self, items: &[Item]) -> io::Result<()> {
        Stream::new(Format::Xl, items.iter().cloned()).write_to(self)
    }

    /// Writes PAGE_DATA records for these entries, as full as savers make them. Without `fill` pages are zero.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn memory(
        &mut self,
        entries: impl IntoIterator<Item = u64>,
        fill: Option<Fill<'_>>,
    ) -> io::Result<()> {
        let mut batch = Vec::with_capacity(page::BATCH as usize);
        for entry in entries {
            batch.push(entry);
            if batch.len() as u64 == page::BATCH {
                self.batch(&batch, fill)?;
                batch.clear();
            }
        }
        if batch.is_empty() { Ok(()) } else { self.batch(&batch, fill) }
    }

    fn batch(&mut self, entries: &[u64], fill: Option<Fill<'_>>) -> io::Result<()> {
        let with_data = entries.iter().filter(|entry| page::has_data(page::kind(**entry)));
        let pages = with_data.clone().count() as u64;
        let length = page::HEADER + page::ENTRY * entries.len() as u64 + PAGE_SIZE * pages;
        let head = Body::new().u32(entries.len() as u32).u32(0).u64s(entries.iter().copied());
        // Entries and pages are multiples of 8 bytes: no padding follows.
        self.items(&[record(types::PAGE_DATA, head).claiming(length)])?;
        let Some(fill) = fill else { return self.zeros(PAGE_SIZE * pages) };
        let mut contents = [0; PAGE_SIZE as usize];
        for entry in with_data {
            contents.fill(0);
            fill(*entry, &mut contents);
            self.write_all(&contents)?;
        }
        Ok(())
    }

    /// Writes zeros.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn zeros(&mut self, n: u64) -> io::Result<()> {
        self.hole += n;
        self.written += n;
        Ok(())
    }

    /// Writes what is left and returns how many bytes there are in all.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn finish(mut self) -> io::Result<u64> {
        if let Some(rest) = self.hole.checked_sub(1) {
            // A file has its length by its last byte.
            self.hole = rest;
            self.written -= 1;
            self.write_all(&[0])?;
        }
        self.flush()?;
        Ok(self.written)
    }

    fn empty(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write + Seek> Writer<W> {
    /// Seeks over zeros.
    pub fn sparse(out: W) -> Writer<W> {
        Writer::new(out, |out, n| {
            out.seek(SeekFrom::Current(i64::try_from(n).map_err(io::Error::other)?)).map(|_| ())
        })
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let hole = std::mem::take(&mut self.hole);
        if hole >= HOLE {
            self.empty()?;
            (self.skip)(&mut self.out, hole)?;
        } else {
            self.buffer.resize(self.buffer.len() + hole as usize, 0);
        }
        self.buffer.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
        if self.buffer.len() >= BUFFER {
            self.empty()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty()?;
        self.out.flush()
    }
}
