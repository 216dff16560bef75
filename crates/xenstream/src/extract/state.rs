//! What a stream holds of its guest's memory and vcpus at one time.

use std::collections::BTreeMap;

use xenstream_core::wire::PAGE_SIZE;

use crate::extract::extents::{Extent, Extents};
use crate::extract::registers::Saved;

/// Memory and vcpus at one time: at the end of the stream, or at a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Pages whose contents are there.
    pub(crate) pages: Extents,
    /// Pages whose last copy did not arrive. They do not count where the contents are known.
    pub(crate) lost: Extents,
    /// Registers, by vcpu.
    pub(super) vcpus: BTreeMap<u32, Saved>,
}

impl State {
    /// Takes pages with contents in; gives `replaced` the contents that are no longer needed.
    pub(super) fn insert(&mut self, extent: Extent, replaced: impl FnMut(Extent)) {
        self.lost.remove(extent.pfn..extent.end(), |_| {});
        self.pages.insert(extent, replaced);
    }

    /// Notes a page of which the contents did not arrive.
    pub(super) fn lose(&mut self, pfn: u64) {
        self.lost.insert(Extent { pfn, pages: 1, at: pfn.saturating_mul(PAGE_SIZE) }, |_| {});
    }

    /// Takes over what came since.
    pub(super) fn commit(&mut self, newer: State, mut replaced: impl FnMut(Extent)) {
        for extent in newer.pages.iter() {
            self.insert(extent, &mut replaced);
        }
        for extent in newer.lost.iter() {
            self.lost.insert(extent, |_| {});
        }
        self.vcpus.extend(newer.vcpus);
    }
}
