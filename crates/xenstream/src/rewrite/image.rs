//! The output before it is written: which bytes of the input it has, and which new ones between them. It can be read as
//! a file can, so the verifier judges it before one byte of it is written.

use std::io;
use std::ops::Range;

use crate::rewrite::patches::Patches;
use crate::source::file::ReadAt;

/// An output that is made of an input.
pub(super) struct Image<'i> {
    pub(super) input: &'i dyn ReadAt,
    segments: Vec<Segment>,
    new: Vec<u8>,
    size: u64,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Offset of its first byte in the output.
    at: u64,
    from: From,
}

#[derive(Clone, Copy, Debug)]
enum From {
    /// The input, from this offset on.
    Input(u64),
    /// New bytes.
    New(usize),
}

/// A stretch of the output, from one place.
pub(super) enum Stretch<'a> {
    /// Bytes of the input.
    Input(Range<u64>),
    /// New ones.
    New(&'a [u8]),
}

impl<'i> Image<'i> {
    pub(super) fn new(input: &'i dyn ReadAt) -> Image<'i> {
        Image { input, segments: Vec::new(), new: Vec::new(), size: 0 }
    }

    /// Goes on with bytes of the input, changed where there are patches.
    pub(super) fn copy(&mut self, range: Range<u64>, patches: &Patches) {
        let mut at = range.start;
        for (offset, byte) in patches.within(range.clone()) {
            self.copy_plain(at..offset);
            self.bytes(&[byte]);
            at = offset + 1;
        }
        self.copy_plain(at..range.end);
    }

    /// Goes on with bytes of the input as they are.
    pub(super) fn copy_plain(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let follows = self.segments.last().is_some_and(|last| match last.from {
            From::Input(start) => start + (self.size - last.at) == range.start,
            From::New(_) => false,
        });
        if !follows {
            self.segments.push(Segment { at: self.size, from: From::Input(range.start) });
        }
        self.size += range.end - range.start;
    }

    /// Goes on with new bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if !matches!(self.segments.last(), Some(Segment { from: From::New(_), .. })) {
            self.segments.push(Segment { at: self.size, from: From::New(self.new.len()) });
        }
        self.new.extend_from_slice(bytes);
        self.size += bytes.len() as u64;
    }

    /// The output's stretches, in order.
    pub(super) fn stretches(&self) -> impl Iterator<Item = Stretch<'_>> {
        let ends = self.segments.iter().skip(1).map(|next| next.at).chain([self.size]);
        self.segments.iter().zip(ends).map(|(segment, end)| self.stretch(*segment, 0..end - segment.at))
    }

    /// A part of a segment.
    fn stretch(&self, segment: Segment, part: Range<u64>) -> Stretch<'_> {
        match segment.from {
            From::Input(start) => Stretch::Input(start + part.start..start + part.end),
            From::New(start) => {
                let new = self.new.get(start + part.start as usize..start + part.end as usize);
                Stretch::New(new.unwrap_or_default())
            }
        }
    }
}

impl ReadAt for Image<'_> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        let mut index = self.segments.partition_point(|segment| segment.at <= offset);
        while done < bytes.len() {
            let position = offset.saturating_add(done as u64);
            let Some(segment) = index.checked_sub(1).and_then(|index| self.segments.get(index)) else {
                break;
            };
            let end = self.segments.get(index).map_or(self.size, |next| next.at);
            if position >= end {
                break;
            }
            let most = (end - position).min((bytes.len() - done) as u64);
            let start = position - segment.at;
            let to = &mut bytes[done..done + most as usize];
            let n = match self.stretch(*segment, start..start + most) {
                Stretch::New(new) => {
                    to.copy_from_slice(new);
                    new.len()
                }
                Stretch::Input(range) => self.input.read_at(to, range.start)?,
            };
            done += n;
            // The input has shrunk, or gives its bytes in pieces.
            if (n as u64) < most {
                break;
            }
            index += 1;
        }
        Ok(done)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_read_as_they_are_made() {
        let input: Vec<u8> = (0..100).collect();
        let mut patches = Patches::default();
        assert!(patches.put(12, &[200, 201]));
        let mut image = Image::new(&input);
        image.copy(10..15, &patches);
        image.bytes(&[7, 8]);
        image.bytes(&[9]);
        image.copy(20..22, &patches);
        image.copy(22..24, &patches);
        let whole = [10, 11, 200, 201, 14, 7, 8, 9, 20, 21, 22, 23];
        assert_eq!(image.size, whole.len() as u64);
        for start in 0..=whole.len() {
            for length in 0..=whole.len() + 1 {
                let mut bytes = vec![0; length];
                let n = image.read_at(&mut bytes, start as u64).unwrap();
                assert_eq!(bytes[..n], whole[start..(start + length).min(whole.len())]);
            }
        }
        assert_eq!(image.stretches().count(), 5);
    }
}
