//! Which pages there are, and where their contents lie.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use xenstream_core::wire::PAGE_SIZE;

/// Pages whose contents lie one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first pfn.
    pub(crate) pfn: u64,
    /// How many pages.
    pub(crate) pages: u64,
    /// Offset of the first one's contents.
    pub(crate) at: u64,
}

impl Extent {
    /// The pfn after the last one.
    pub(crate) fn end(&self) -> u64 {
        self.pfn.saturating_add(self.pages)
    }

    /// Bytes of the contents.
    pub(crate) fn bytes(&self) -> u64 {
        self.pages.saturating_mul(PAGE_SIZE)
    }

    /// The part from this pfn on.
    fn from(&self, pfn: u64) -> Extent {
        let skipped = pfn.saturating_sub(self.pfn).min(self.pages);
        Extent {
            pfn: self.pfn.saturating_add(skipped),
            pages: self.pages - skipped,
            at: self.at.saturating_add(skipped.saturating_mul(PAGE_SIZE)),
        }
    }

    /// The part in front of this pfn.
    fn until(&self, pfn: u64) -> Extent {
        Extent { pages: self.pages.min(pfn.saturating_sub(self.pfn)), ..*self }
    }

    /// The part inside these pfns.
    pub(crate) fn within(&self, pfns: &Range<u64>) -> Extent {
        self.from(pfns.start).until(pfns.end)
    }
}

/// A map from pfns to contents. It grows by at most two extents for each that is put in, and a run of pages whose
/// contents lie in order is one extent, however long it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extents {
    /// By the first pfn: pages, and where their contents are.
    extents: BTreeMap<u64, (u64, u64)>,
}

impl Extents {
    /// Puts pages in, in place of those that were there, which `replaced` is given.
    pub(crate) fn insert(&mut self, extent: Extent, replaced: impl FnMut(Extent)) {
        if extent.pages == 0 {
            return;
        }
        self.remove(extent.pfn..extent.end(), replaced);
        if let Some((pfn, (pages, at))) = self.extents.range_mut(..extent.pfn).next_back() {
            let before = Extent { pfn: *pfn, pages: *pages, at: *at };
            if before.end() == extent.pfn && before.at.saturating_add(before.bytes()) == extent.at {
                *pages = pages.saturating_add(extent.pages);
                return;
            }
        }
        self.put(extent);
    }

    /// Takes pages out, and gives each part to `removed`.
    pub(crate) fn remove(&mut self, pfns: Range<u64>, mut removed: impl FnMut(Extent)) {
        let before = self.extents.range(..pfns.start).next_back().map(|(pfn, _)| *pfn);
        let first = before.unwrap_or(pfns.start);
        // Nearly always there is nothing to take out.
        let next =
            |extents: &Extents| extents.range(first..pfns.end).find(|extent| extent.within(&pfns).pages > 0);
        while let Some(extent) = next(self) {
            self.extents.remove(&extent.pfn);
            for rest in [extent.until(pfns.start), extent.from(pfns.end)] {
                if rest.pages > 0 {
                    self.put(rest);
                }
            }
            removed(extent.within(&pfns));
        }
    }

    fn put(&mut self, extent: Extent) {
        self.extents.insert(extent.pfn, (extent.pages, extent.at));
    }

    /// Extents that begin at one of these pfns.
    fn range(&self, pfns: Range<u64>) -> impl Iterator<Item = Extent> + '_ {
        self.extents.range(pfns).map(|(pfn, (pages, at))| Extent { pfn: *pfn, pages: *pages, at: *at })
    }

    /// Every extent, by ascending pfn.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Extent> + '_ {
        self.range(0..u64::MAX)
    }

    /// The extents inside these pfns, by ascending pfn, cut where they reach out.
    pub(crate) fn within(&self, pfns: Range<u64>) -> impl Iterator<Item = Extent> + '_ {
        let before = self.extents.range(..pfns.start).next_back().map(|(pfn, _)| *pfn);
        let extents = self.range(before.unwrap_or(pfns.start)..pfns.end.max(pfns.start));
        extents.map(move |extent| extent.within(&pfns)).filter(|extent| extent.pages > 0)
    }

    /// The pfn after the highest one; 0 if there is none.
    pub(crate) fn end(&self) -> u64 {
        self.extents.last_key_value().map_or(0, |(pfn, (pages, _))| pfn.saturating_add(*pages))
    }

    /// How many pages there are inside these pfns.
    pub(crate) fn pages(&self, pfns: Range<u64>) -> u64 {
        self.within(pfns).fold(0, |pages, extent| pages.saturating_add(extent.pages))
    }

    /// Runs of pfns inside these that are not there.
    pub(crate) fn gaps(&self, pfns: Range<u64>) -> Vec<RangeInclusive<u64>> {
        let mut gaps = Vec::new();
        let mut next = pfns.start;
        for extent in self.within(pfns.clone()) {
            if extent.pfn > next {
                gaps.push(next..=extent.pfn - 1);
            }
            next = extent.end();
        }
        if next < pfns.end {
            gaps.push(next..=pfns.end - 1);
        }
        gaps
    }

    /// Runs of pfns inside these that are there.
    pub(crate) fn runs(&self, pfns: Range<u64>) -> Vec<RangeInclusive<u64>> {
        let mut runs: Vec<RangeInclusive<u64>> = Vec::new();
        for extent in self.within(pfns) {
            let last = extent.end() - 1;
            match runs.last_mut() {
                Some(run) if run.end() + 1 == extent.pfn => *run = *run.start()..=last,
                _ => runs.push(extent.pfn..=last),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(pfn: u64, pages: u64, at: u64) -> Extent {
        Extent { pfn, pages, at: at * PAGE_SIZE }
    }

    #[test]
    fn last_extent_wins_page_by_page() {
        // Against the simplest map there is.
        let mut extents = Extents::default();
        let mut plain: BTreeMap<u64, u64> = BTreeMap::new();
        let mut at = 0;
        for seed in 0u64..500 {
            let (pfn, pages) = (seed * 7919 % 97, 1 + seed * 104_729 % 13);
            extents.insert(extent(pfn, pages, at), |replaced| {
                for n in 0..replaced.pages {
                    assert_eq!(plain.get(&(replaced.pfn + n)), Some(&(replaced.at + n * PAGE_SIZE)));
                }
            });
            for n in 0..pages {
                plain.insert(pfn + n, (at + n) * PAGE_SIZE);
            }
            at += pages;
            if seed % 5 == 0 {
                extents.remove(pfn + 1..pfn + 3, |_| {});
                plain.retain(|key, _| !(pfn + 1..pfn + 3).contains(key));
            }
            let spread: BTreeMap<u64, u64> = extents
                .iter()
                .flat_map(|extent| {
                    (0..extent.pages).map(move |n| (extent.pfn + n, extent.at + n * PAGE_SIZE))
                })
                .collect();
            assert_eq!(spread, plain, "after {seed}");
        }
    }

    #[test]
    fn pages_in_order_are_one_extent() {
        let mut extents = Extents::default();
        for n in 0..1000 {
            extents.insert(extent(n, 1, 7 + n), |_| panic!("nothing is replaced"));
        }
        assert_eq!(extents.iter().collect::<Vec<_>>(), [extent(0, 1000, 7)]);
        assert_eq!((extents.end(), extents.pages(10..20)), (1000, 10));
    }

    #[test]
    fn gaps_and_runs_complement_each_other() {
        let mut extents = Extents::default();
        extents.insert(extent(2, 2, 50), |_| {});
        extents.insert(extent(4, 1, 9), |_| {});
        extents.insert(extent(8, 2, 1), |_| {});
        assert_eq!(extents.gaps(0..12), [0..=1, 5..=7, 10..=11]);
        assert_eq!(extents.runs(0..12), [2..=4, 8..=9]);
        assert_eq!((extents.gaps(3..9), extents.runs(3..9)), (vec![5..=7], vec![3..=4, 8..=8]));
        assert_eq!(Extents::default().gaps(5..5), []);
    }
}
