//! The bytes that passed last, as a session and an inspector share them.

use std::cell::RefCell;
use std::ops::Range;

/// The least number of bytes that are kept, where that many passed without a gap: a record's header, and page frame numbers as
/// many as savers put into one record.
const KEPT: usize = 16 << 10;

/// Most bytes that are judged together while an inspector listens.
pub(crate) const PIECE: usize = 64 << 10;

/// The bytes that passed last, in one stretch without gaps.
#[derive(Debug, Default)]
pub struct Tap {
    start: u64,
    bytes: Vec<u8>,
    /// The sink wants no more.
    pub(crate) abandoned: bool,
}

/// Where an inspector takes bytes from: a tap, or nowhere.
pub trait Bytes {
    #[doc(hidden)]
    fn tap(&self) -> Option<&RefCell<Tap>>;
}

impl Bytes for () {
    fn tap(&self) -> Option<&RefCell<Tap>> {
        None
    }
}

impl Bytes for &RefCell<Tap> {
    fn tap(&self) -> Option<&RefCell<Tap>> {
        Some(self)
    }
}

impl Tap {
    /// These bytes pass next, at this offset of the stream.
    pub(crate) fn note(&mut self, offset: u64, piece: &[u8]) {
        if offset != self.end() {
            self.bytes.clear();
            self.start = offset;
        }
        // Not for each piece: they may be small.
        if self.bytes.len() > 2 * KEPT {
            let surplus = self.bytes.len() - KEPT;
            self.bytes.drain(..surplus);
            self.start += surplus as u64;
        }
        self.bytes.extend_from_slice(piece);
    }

    /// What is left of these bytes, and where it begins.
    pub(crate) fn kept(&self, wanted: Range<u64>) -> (u64, &[u8]) {
        let start = wanted.start.clamp(self.start, self.end());
        let end = wanted.end.clamp(start, self.end());
        let place = |offset: u64| usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        (start, self.bytes.get(place(start)..place(end)).unwrap_or_default())
    }

    fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_bytes_are_kept() {
        let mut tap = Tap::default();
        tap.note(0, b"abc");
        tap.note(3, b"def");
        assert_eq!(tap.kept(2..5), (2, &b"cde"[..]));
        assert_eq!(tap.kept(4..99), (4, &b"ef"[..]));
        tap.note(100, b"xyz");
        assert_eq!(tap.kept(2..5), (100, &b""[..]), "a gap parts what is kept from what was");
        assert_eq!(tap.kept(90..102), (100, &b"xy"[..]));
    }

    #[test]
    fn it_stays_small_and_keeps_enough() {
        let mut tap = Tap::default();
        for n in 0..300_000u64 {
            tap.note(n, &[n as u8]);
            assert!(tap.bytes.len() <= 2 * KEPT + 1);
        }
        let (start, bytes) = tap.kept(0..u64::MAX);
        assert!(bytes.len() >= KEPT);
        assert_eq!((start + bytes.len() as u64, bytes[0]), (300_000, start as u8));
    }
}
