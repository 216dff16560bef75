//! Passes over a run of page frame numbers.
//!
//! **The clever part.** No pass has a branch, so each compiles to vector code on the baseline of every target. After a
//! change, run `cargo xtask count`, which counts its instructions. The test below compares each pass with plain checks for
//! every type and every reserved bit.

use crate::wire::libxc::page;

/// The result of one pass over a run of entries, which is enough for nearly all runs.
pub(super) struct Scan {
    /// The bitwise OR of all entries. In an ascending run, the last pfn stands for all.
    pub(super) any: u64,
    /// The bitwise AND of all entries.
    all: u64,
}

impl Scan {
    #[inline]
    pub(super) fn of(words: &[[u8; 8]], read: impl Fn([u8; 8]) -> u64) -> Scan {
        let mut scan = Scan { any: 0, all: u64::MAX };
        for word in words {
            let entry = read(*word);
            scan.any |= entry;
            scan.all &= entry;
        }
        scan
    }

    /// The same for a run whose pfns ascend by one, or `None` if they do not.
    #[inline]
    pub(super) fn ascending(words: &[[u8; 8]], read: impl Fn([u8; 8]) -> u64) -> Option<Scan> {
        let first = read(*words.first()?);
        let (mut expected, mut differ) = (first, 0);
        for word in words {
            differ |= read(*word) ^ expected;
            expected = expected.wrapping_add(1);
        }
        // All pfns are as expected. Above them, an entry has the bits of the first one, except where they differ.
        let pfn = expected.wrapping_sub(1) & page::PFN;
        let ascends = differ & page::PFN == 0;
        ascends.then_some(Scan { any: (first | differ) & !page::PFN | pfn, all: first & !differ })
    }

    /// Returns whether a pfn may be above the highest. None is above the bitwise OR of all.
    #[inline]
    pub(super) fn may_exceed(&self, highest: u64) -> bool {
        over(self.any & page::PFN, highest)
    }

    /// Returns how many of this many entries are XTAB, if all are NOTAB or all are XTAB.
    #[inline]
    pub(super) fn absent(&self, total: u64) -> Option<u64> {
        if page::kind(self.any) == page::NOTAB {
            Some(0)
        } else {
            (page::kind(self.all) == page::XTAB).then_some(total)
        }
    }
}

/// Returns whether a pfn is above the highest.
pub(super) fn exceeds(words: &[[u8; 8]], highest: u64, read: impl Fn([u8; 8]) -> u64) -> bool {
    words.iter().fold(0, |over, word| over | highest.wrapping_sub(read(*word) & page::PFN)) >> 63 != 0
}

/// Counts the XTAB entries, if all others are NOTAB.
#[inline]
pub(super) fn absent(words: &[[u8; 8]], read: impl Fn([u8; 8]) -> u64) -> Option<u64> {
    let (mut other, mut sum) = (0, 0u64);
    for word in words {
        let entry = read(*word);
        // NOTAB and XTAB are the types whose four bits are equal: then none of the top three bits is set here.
        other |= entry ^ entry << 1;
        sum = sum.wrapping_add(page::kind(entry));
    }
    (other >> 61 == 0).then_some(sum / page::XTAB)
}

/// Returns whether the pfn is above the highest. `highest` is -1 if no pfn is allowed.
#[inline]
pub(super) fn over(pfn: u64, highest: u64) -> bool {
    highest.wrapping_sub(pfn) >> 63 != 0
}

/// Returns the lower of two highest pfns. Each may be -1.
#[inline]
pub(super) fn lower(highest: u64, other: u64) -> u64 {
    highest.wrapping_add(1).min(other.wrapping_add(1)).wrapping_sub(1)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// Returns whether this entry's pfn is above the highest, or no pfn is allowed.
    fn above(entry: u64, highest: u64) -> bool {
        highest == u64::MAX || entry & page::PFN > highest
    }

    #[test]
    fn passes_over_a_run_agree_with_the_plain_rules() {
        let pfns = [0, 1, 0xFF, 0x100, 0x101, (1 << 36) - 1, 1 << 36, page::PFN - 1, page::PFN];
        let bounds = [0, 0xFF, 0x100, (1 << 36) - 1, page::PFN, u64::MAX];
        let read = u64::from_le_bytes;
        // One entry that breaks nothing on either side of each.
        for (highest, clean) in bounds.into_iter().flat_map(|highest| [(highest, 0), (highest, 0xF << 60)]) {
            for kind in 0..16u64 {
                for reserved in (0..8).map(|bit| 1u64 << bit).chain([0, 0xFF]) {
                    for pfn in pfns {
                        let entry = kind << 60 | reserved << 52 | pfn;
                        for run in [vec![entry], vec![clean, entry, clean]] {
                            let words: Vec<_> = run.iter().map(|entry| entry.to_le_bytes()).collect();
                            let scan = Scan::of(&words, read);
                            let too_high = run.iter().any(|entry| above(*entry, highest));
                            assert_eq!(scan.any & page::RESERVED != 0, reserved != 0, "{entry:#x}");
                            assert_eq!(
                                exceeds(&words, highest, read),
                                too_high,
                                "{entry:#x} with {highest:#x}"
                            );
                            assert!(scan.may_exceed(highest) || !too_high, "{entry:#x} with {highest:#x}");
                            let kinds: Vec<_> = run.iter().map(|entry| entry >> 60).collect();
                            let xtab = kinds.iter().filter(|kind| **kind == 15).count() as u64;
                            let usual = kinds.iter().all(|kind| matches!(kind, 0 | 15)).then_some(xtab);
                            assert_eq!(absent(&words, read), usual, "{entry:#x}");
                            let total = run.len() as u64;
                            let alike = usual.filter(|xtab| [0, total].contains(xtab));
                            assert_eq!(scan.absent(total), alike, "{entry:#x}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn pfns_below_the_highest_need_one_pass() {
        let scan = |pfns: &[u64]| {
            let words: Vec<_> = pfns.iter().map(|pfn| pfn.to_le_bytes()).collect();
            Scan::of(&words, u64::from_le_bytes)
        };
        assert!(!scan(&[0x100, 0x1FF]).may_exceed(0x1FF));
        // 0x1FF together, though neither is above.
        assert!(scan(&[0x100, 0x0FF]).may_exceed(0x100));
    }

    #[test]
    fn run_ascends_where_each_pfn_is_one_more() {
        let read = u64::from_le_bytes;
        let scan = |entries: &[u64]| {
            let words: Vec<_> = entries.iter().map(|entry| entry.to_le_bytes()).collect();
            let ascends = entries.windows(2).all(|pair| pair[1] & page::PFN == (pair[0] & page::PFN) + 1);
            let found = Scan::ascending(&words, read);
            assert_eq!(found.is_some(), ascends, "{entries:#x?}");
            if let Some(found) = found {
                let all = Scan::of(&words, read);
                let kinds = |entry: u64| entry & !page::PFN;
                assert_eq!((kinds(found.any), kinds(found.all)), (kinds(all.any), kinds(all.all)));
                assert_eq!(found.any & page::PFN, entries[entries.len() - 1] & page::PFN);
            }
        };
        for kind in (0..16).map(|kind| kind << 60) {
            for start in [0, 5, 1022, (1 << 36) - 2] {
                let run = |pfns: [u64; 4]| pfns.map(|pfn| kind | (start + pfn));
                scan(&run([0, 1, 2, 3]));
                for broken in
                    [[0, 1, 1, 3], [0, 2, 1, 3], [0, 1, 3, 4], [1, 2, 3, 3], [0, 1, 2, 2], [3, 2, 1, 0]]
                {
                    scan(&run(broken));
                }
                for bits in [1 << 52, 0xF << 60, 1 << 60, 0xFF << 52] {
                    let [a, b, c, d] = run([0, 1, 2, 3]);
                    for run in [[a ^ bits, b, c, d], [a, b ^ bits, c, d], [a, b, c, d ^ bits]] {
                        scan(&run);
                    }
                }
            }
        }
    }
}
