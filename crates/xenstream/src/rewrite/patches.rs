//! Changes of a few bytes that leave everything where it is.

use std::collections::BTreeMap;
use std::ops::Range;

/// Most bytes of one patch.
const WIDEST: usize = 8;

/// New bytes at some places of the input. None overlaps another.
#[derive(Clone, Debug, Default)]
pub(super) struct Patches(BTreeMap<u64, Patch>);

#[derive(Clone, Copy, Debug)]
struct Patch {
    bytes: [u8; WIDEST],
    length: u8,
}

impl Patches {
    /// Most patches of one stream: an input does not choose how much memory they take.
    pub(super) const MOST: usize = 1 << 20;

    /// Puts bytes, at most 8, at an offset of the input. What was patched there before is replaced. Returns whether there
    /// was room.
    pub(super) fn put(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let Some(length) = u8::try_from(bytes.len()).ok().filter(|n| usize::from(*n) <= WIDEST) else {
            return false;
        };
        if self.0.len() >= Patches::MOST || self.overlaps(offset, bytes.len() as u64) {
            return self.0.get(&offset).is_some_and(|patch| patch.length == length)
                && self.replace(offset, bytes);
        }
        let mut patch = Patch { bytes: [0; WIDEST], length };
        patch.bytes[..bytes.len()].copy_from_slice(bytes);
        self.0.insert(offset, patch);
        true
    }

    fn replace(&mut self, offset: u64, bytes: &[u8]) -> bool {
        if let Some(patch) = self.0.get_mut(&offset) {
            patch.bytes[..bytes.len()].copy_from_slice(bytes);
        }
        true
    }

    fn overlaps(&self, offset: u64, length: u64) -> bool {
        let end = offset.saturating_add(length);
        let before = self.0.range(..end).next_back();
        before.is_some_and(|(at, patch)| at.saturating_add(u64::from(patch.length)) > offset)
    }

    /// The patches that touch this range, ascending.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &[u8])> {
        let from = range.start.saturating_sub(WIDEST as u64);
        self.0.range(from..range.end.max(from)).filter_map(move |(at, patch)| {
            let bytes = &patch.bytes[..usize::from(patch.length)];
            let skip = range.start.saturating_sub(*at).min(bytes.len() as u64);
            let most = range.end.saturating_sub(*at).min(bytes.len() as u64);
            let bytes = &bytes[skip as usize..most.max(skip) as usize];
            (!bytes.is_empty()).then_some((at + skip, bytes))
        })
    }

    /// Changes bytes that were read from this offset of the input.
    pub(super) fn apply(&self, offset: u64, bytes: &mut [u8]) {
        let range = offset..offset.saturating_add(bytes.len() as u64);
        for (at, patch) in self.within(range) {
            let start = (at - offset) as usize;
            bytes[start..start + patch.len()].copy_from_slice(patch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_cut_to_the_range() {
        let mut patches = Patches::default();
        assert!(patches.put(10, &[1, 2, 3, 4]) && patches.put(20, &[9]));
        let of = |range| patches.within(range).map(|(at, bytes)| (at, bytes.to_vec())).collect::<Vec<_>>();
        assert_eq!(of(0..30), [(10, vec![1, 2, 3, 4]), (20, vec![9])]);
        assert_eq!(of(12..13), [(12, vec![3])]);
        assert_eq!(of(14..20), []);
        assert_eq!(of(13..21), [(13, vec![4]), (20, vec![9])]);
    }

    #[test]
    fn overlapping_patches_are_refused() {
        let mut patches = Patches::default();
        assert!(patches.put(10, &[1, 2, 3, 4]));
        assert!(!patches.put(12, &[5]) && !patches.put(8, &[5; 3]) && !patches.put(30, &[0; 9]));
        assert!(patches.put(10, &[5, 6, 7, 8]) && patches.put(14, &[0]));
        let mut bytes = [0xFF; 8];
        patches.apply(8, &mut bytes);
        assert_eq!(bytes, [0xFF, 0xFF, 5, 6, 7, 8, 0, 0xFF]);
    }
}
