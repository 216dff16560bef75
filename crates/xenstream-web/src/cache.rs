//! Fewer reads of a file: each costs a browser a millisecond or so, however short it is.
//!
//! Reads that follow one another become longer. Where reads jump by the same distance again and again, as over the contents
//! of full PAGE_DATA records, the places of the next ones are guessed, and many are read by one call. A wrong guess costs
//! that call and nothing else: bytes are used only at the place where they were read.

use std::cell::RefCell;
use std::io;
use std::ops::Range;

use xenstream::ReadAt;

/// Bytes of one read where reads follow one another.
const LONG: usize = 1 << 20;

/// The fewest bytes of a read.
const SHORT: usize = 4 << 10;

/// The most places that are read by one call.
const PLACES: u64 = 128;

/// A file that reads several places at once.
pub trait Pieces: ReadAt {
    /// Reads `length` bytes at each of `count` places, the first at `first` and each `stride` bytes after the one before. All
    /// are inside the file.
    ///
    /// # Errors
    /// As for [`ReadAt::read_at`].
    fn read_pieces(&self, first: u64, stride: u64, count: u64, length: usize) -> io::Result<Vec<u8>>;
}

/// A file that is read by few calls. It keeps at most 1 MiB of it.
pub struct Cached<R> {
    inner: R,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Consecutive bytes that were read last.
    window: Run,
    /// How long the next read is that continues them.
    next: usize,
    /// Bytes from places at equal distances.
    batch: Batch,
    /// Where the last read was that did not continue the one before, and how far it was from the one before that.
    last: u64,
    distance: u64,
    /// How many places are to be read by the next call.
    places: u64,
}

/// Consecutive bytes.
#[derive(Default)]
struct Run {
    offset: u64,
    bytes: Vec<u8>,
}

impl Run {
    fn range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.bytes.len() as u64)
    }

    fn from(&self, offset: u64) -> &[u8] {
        let at = offset.checked_sub(self.offset).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.bytes.get(at..)).unwrap_or_default()
    }
}

/// Bytes from places at equal distances.
#[derive(Default)]
struct Batch {
    first: u64,
    stride: u64,
    length: usize,
    bytes: Vec<u8>,
}

impl Batch {
    fn from(&self, offset: u64) -> &[u8] {
        let piece = |distance: u64| {
            let index = usize::try_from(distance.checked_div(self.stride)?).ok()?;
            let at = usize::try_from(distance % self.stride).ok()?;
            let start = index.checked_mul(self.length)?;
            self.bytes.get(start..start.checked_add(self.length)?)?.get(at..)
        };
        offset.checked_sub(self.first).and_then(piece).unwrap_or_default()
    }
}

impl<R: Pieces> Cached<R> {
    /// Creates a cache of this file.
    pub fn new(inner: R) -> Cached<R> {
        Cached { inner, state: RefCell::default() }
    }

    /// Reads where nothing is at hand.
    fn fetch(&self, state: &mut State, offset: u64, wanted: usize) -> io::Result<()> {
        if offset == state.window.range().end && !state.window.bytes.is_empty() {
            let length = state.next.max(wanted);
            state.next = length.saturating_mul(4).min(LONG);
            return self.fill(&mut state.window, offset, length);
        }
        let distance = offset.saturating_sub(state.last);
        let is_steady = distance == state.distance && distance > wanted as u64;
        (state.last, state.distance) = (offset, distance);
        let length = wanted.max(SHORT);
        state.next = length.saturating_mul(4).min(LONG);
        if is_steady {
            let room = self.inner.size()?.saturating_sub(offset).saturating_sub(length as u64);
            state.places = (2 * state.places).clamp(4, PLACES);
            let count = state.places.min(1 + room / distance);
            // A place that cannot be read may be one that nothing asks for.
            if count > 1
                && let Ok(bytes) = self.inner.read_pieces(offset, distance, count, length)
            {
                state.batch = Batch { first: offset, stride: distance, length, bytes };
                if !state.batch.from(offset).is_empty() {
                    return Ok(());
                }
            }
        } else {
            state.places = 0;
        }
        self.fill(&mut state.window, offset, length)
    }

    fn fill(&self, window: &mut Run, offset: u64, length: usize) -> io::Result<()> {
        window.bytes.resize(length, 0);
        let read = self.inner.read_at(&mut window.bytes, offset);
        window.offset = offset;
        window.bytes.truncate(read.as_ref().map_or(0, |read| *read));
        read.map(|_| ())
    }
}

impl<R: Pieces> ReadAt for Cached<R> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state.borrow_mut();
        if state.window.from(offset).is_empty() && state.batch.from(offset).is_empty() {
            self.fetch(&mut state, offset, bytes.len())?;
        } else if !state.batch.from(offset).is_empty() {
            state.last =
                state.last.max(offset - offset.saturating_sub(state.batch.first) % state.batch.stride);
        }
        let here = Some(state.batch.from(offset)).filter(|here| !here.is_empty());
        let here = here.unwrap_or_else(|| state.window.from(offset));
        let n = here.len().min(bytes.len());
        bytes[..n].copy_from_slice(&here[..n]);
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Counts reads.
    struct Counted<'a> {
        bytes: &'a [u8],
        reads: &'a Cell<u32>,
    }

    impl ReadAt for Counted<'_> {
        fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
            self.reads.set(self.reads.get() + 1);
            self.bytes.read_at(bytes, offset)
        }

        fn size(&self) -> io::Result<u64> {
            Ok(self.bytes.len() as u64)
        }
    }

    impl Pieces for Counted<'_> {
        fn read_pieces(&self, first: u64, stride: u64, count: u64, length: usize) -> io::Result<Vec<u8>> {
            self.reads.set(self.reads.get() + 1);
            let piece = |n: u64| &self.bytes[(first + n * stride) as usize..][..length];
            Ok((0..count).flat_map(piece).copied().collect())
        }
    }

    fn bytes(length: u32) -> Vec<u8> {
        (0..length).map(|n| (n ^ n >> 8 ^ n >> 16) as u8).collect()
    }

    /// Reads all of these bytes, and returns how many reads that took.
    fn reads(bytes: &[u8], places: impl Iterator<Item = (u64, usize)>) -> u32 {
        let reads = Cell::new(0);
        let file = Cached::new(Counted { bytes, reads: &reads });
        for (offset, length) in places {
            let mut piece = vec![0; length];
            let mut have = 0;
            while have < length {
                let n = file.read_at(&mut piece[have..], offset + have as u64).unwrap();
                assert!(n > 0);
                have += n;
            }
            assert_eq!(piece, bytes[offset as usize..][..length]);
        }
        reads.get()
    }

    #[test]
    fn small_reads_in_order_become_few() {
        let bytes = bytes(4 << 20);
        let reads = reads(&bytes, (0..8000).map(|n| (n * 500, 500)));
        assert!(reads < 12, "{reads} reads");
    }

    #[test]
    fn reads_at_equal_distances_become_few() {
        let bytes = bytes(16 << 20);
        let reads = reads(&bytes, (0..1000).map(|n| (100 + n * 16_000, 8208)));
        assert!(reads < 20, "{reads} reads");
    }

    #[test]
    fn wrong_guesses_yield_no_wrong_byte() {
        let bytes = bytes(8 << 20);
        let places = (0..2000u64).map(|n| (n * 4_000 + n / 7 % 3 * 24, 3000));
        assert!(reads(&bytes, places) < 2000);
        // Backwards, and over and over the same.
        reads(&bytes, (0..500u64).rev().map(|n| (n * 10_000, 2000)));
        reads(&bytes, (0..500u64).map(|n| (n % 3 * 10_000, 9000)));
    }

    #[test]
    fn nothing_is_read_after_the_end() {
        let bytes = bytes(100_000);
        let reads = Cell::new(0);
        let file = Cached::new(Counted { bytes: &bytes, reads: &reads });
        for offset in (0..200_000).step_by(10_000) {
            let n = file.read_at(&mut [0; 5000], offset).unwrap();
            assert_eq!(n > 0, offset < 100_000);
        }
    }
}
