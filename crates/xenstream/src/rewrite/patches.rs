//! Changes of a few bytes that leave everything where it is.

use std::collections::BTreeMap;
use std::ops::Range;

/// New bytes at some places of the input.
#[derive(Clone, Debug, Default)]
pub(super) struct Patches(BTreeMap<u64, u8>);

impl Patches {
    /// Most bytes that are patched in one stream: an input does not choose how much memory they take.
    pub(super) const MOST: usize = 1 << 20;

    /// Puts bytes at an offset of the input, in place of those that were patched there before. Returns whether there was
    /// room.
    pub(super) fn put(&mut self, offset: u64, bytes: &[u8]) -> bool {
        if self.0.len() + bytes.len() > Patches::MOST {
            return false;
        }
        self.0.extend((offset..).zip(bytes.iter().copied()));
        true
    }

    /// The patched bytes in this range, ascending.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = (u64, u8)> {
        let end = range.end.max(range.start);
        self.0.range(range.start..end).map(|(at, byte)| (*at, *byte))
    }

    /// Changes bytes that were read from this offset of the input.
    pub(super) fn apply(&self, offset: u64, bytes: &mut [u8]) {
        for (at, byte) in self.within(offset..offset.saturating_add(bytes.len() as u64)) {
            bytes[(at - offset) as usize] = byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_patch_of_a_byte_counts() {
        let mut patches = Patches::default();
        assert!(patches.put(10, &[1, 2, 3]) && patches.put(12, &[4, 5]) && patches.put(20, &[6]));
        let mut bytes = [0xFF; 8];
        patches.apply(9, &mut bytes);
        assert_eq!(bytes, [0xFF, 1, 2, 4, 5, 0xFF, 0xFF, 0xFF]);
        assert_eq!(patches.within(13..21).collect::<Vec<_>>(), [(13, 5), (20, 6)]);
        assert_eq!(patches.within(5..5).count(), 0);
    }

    #[test]
    fn patches_are_bounded() {
        let mut patches = Patches::default();
        assert!(patches.put(0, &vec![0; Patches::MOST]));
        assert!(!patches.put(0, &[1]));
    }
}
