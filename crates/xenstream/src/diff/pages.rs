//! Contents of pages, compared by reading both files where neither has a hole.

use std::ops::{Range, RangeInclusive};

use xenstream_core::wire::PAGE_SIZE;

use crate::diff::{DiffError, Pages, Sample, Side};
use crate::extract::contents::Holes;
use crate::extract::extents::{Extent, Extents};

/// Bytes that are read together.
const WINDOW: u64 = 256 << 10;

/// Compares the pages of two images.
pub(super) fn compare(
    pages: [&Extents; 2],
    sides: [Side<'_>; 2],
    samples: usize,
) -> Result<Pages, DiffError> {
    let mut found = Pages::default();
    let [a, b] = pages;
    let mut sides = sides.map(|side| Memory { side, holes: Holes::of(side.file), window: Vec::new() });
    for extent in a.iter() {
        for gap in b.gaps(extent.pfn..extent.end()) {
            push(&mut found.only[0], gap);
        }
        for other in b.within(extent.pfn..extent.end()) {
            let extent = extent.within(&(other.pfn..other.end()));
            contents([extent, other], &mut sides, samples, &mut found)?;
        }
    }
    for extent in b.iter() {
        for gap in a.gaps(extent.pfn..extent.end()) {
            push(&mut found.only[1], gap);
        }
    }
    Ok(found)
}

/// Adds pfns that are not below those before, and joins neighbours.
fn push(ranges: &mut Vec<RangeInclusive<u64>>, range: RangeInclusive<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end().checked_add(1) == Some(*range.start()) => {
            *last = *last.start()..=*range.end();
        }
        _ => ranges.push(range),
    }
}

/// The pages of one image.
struct Memory<'f> {
    side: Side<'f>,
    holes: Holes,
    window: Vec<u8>,
}

impl Memory<'_> {
    /// The next bytes of this range that are no hole, counted from its start.
    fn data(&mut self, range: Range<u64>) -> Range<u64> {
        let (start, length) = (range.start, range.end - range.start);
        let data = self.holes.data_within(range);
        data.map_or(length..length, |data| data.start - start..data.end - start)
    }

    fn read(&mut self, at: u64, bytes: u64) -> Result<(), DiffError> {
        self.window.resize(bytes as usize, 0);
        self.side.read(at, &mut self.window)
    }
}

/// Compares the contents of the same pages.
fn contents(
    extents: [Extent; 2],
    sides: &mut [Memory<'_>; 2],
    samples: usize,
    found: &mut Pages,
) -> Result<(), DiffError> {
    let [a, b] = extents;
    let bytes = a.bytes();
    let mut done = 0;
    while done < bytes {
        let [left, right] = &mut *sides;
        let data = [left.data(a.at + done..a.at + bytes), right.data(b.at + done..b.at + bytes)];
        let hole = data[0].start.min(data[1].start);
        let skipped = hole / PAGE_SIZE;
        found.same += skipped;
        done += skipped * PAGE_SIZE;
        // Up to where both have a hole again, as far as is known.
        let known = data.iter().filter(|data| data.start < hole + PAGE_SIZE).map(|data| data.end).max();
        let end = known.unwrap_or(0).next_multiple_of(PAGE_SIZE) - skipped * PAGE_SIZE;
        let length = WINDOW.min(bytes - done).min(end);
        if length == 0 {
            break;
        }
        left.read(a.at + done, length)?;
        right.read(b.at + done, length)?;
        let pages = left.window.chunks(PAGE_SIZE as usize).zip(right.window.chunks(PAGE_SIZE as usize));
        for (pfn, (one, other)) in (a.pfn + done / PAGE_SIZE..).zip(pages) {
            if one == other {
                found.same += 1;
                continue;
            }
            push(&mut found.differing, pfn..=pfn);
            if found.samples.len() < samples {
                found.samples.push(sample(pfn, one, other));
            }
        }
        done += length;
    }
    Ok(())
}

fn sample(pfn: u64, one: &[u8], other: &[u8]) -> Sample {
    let offset = one.iter().zip(other).position(|(one, other)| one != other).unwrap_or(0);
    let length = (one.len() - offset).min(Sample::BYTES);
    let bytes = [one, other].map(|page| {
        let mut bytes = [0; Sample::BYTES];
        bytes[..length].copy_from_slice(&page[offset..offset + length]);
        bytes
    });
    Sample { pfn, offset: offset as u64, bytes, length }
}
