//! The guest's own list of frames (p2m), which X86_PV_P2M_FRAMES leads to.
//!
//! Its pages are normal pages, so in a stream they hold machine frames of the host where the guest was saved, while
//! everything else holds pfns. Xen's restorer writes the list anew (`update_guest_p2m()`), and so do we, with pfns.

use std::collections::BTreeMap;
use std::ops::Range;

use xenstream_core::wire::{Order, PAGE_SIZE};

use crate::extract::extents::Extents;

/// Where the list is.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// By the pfn of a page of the list: its number in the list.
    pages: BTreeMap<u64, u64>,
    /// The pfns that the list covers.
    pfns: Range<u64>,
}

impl Frames {
    /// The pages that the body of X86_PV_P2M_FRAMES lists, for a guest whose words have this many bytes.
    pub(super) fn of_body(body: &[u8], width: u8, order: Order) -> Option<Frames> {
        let (pfns, frames) = body.split_first_chunk::<8>()?;
        let (first, last) = order.pair(*pfns);
        let pfns = first.into()..u64::from(last).saturating_add(1);
        let number = pfns.start / per_page(width)..;
        let frames = frames.as_chunks::<8>().0.iter().map(|frame| order.number(frame));
        Some(Frames { pages: frames.zip(number).collect(), pfns })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }
}

/// Entries in a page of the list.
fn per_page(width: u8) -> u64 {
    PAGE_SIZE / u64::from(width.max(1))
}

/// The list as it is to be: each page that has contents is at its own pfn.
pub(super) struct Identity<'a> {
    pub(super) frames: &'a Frames,
    pub(super) width: u8,
    pub(super) pages: &'a Extents,
}

impl Identity<'_> {
    /// Pages of the list among these pfns: for each, the pfn, the offset in the page, and the bytes from there on.
    pub(super) fn within(&self, pfns: Range<u64>) -> impl Iterator<Item = (u64, u64, Vec<u8>)> + '_ {
        self.frames.pages.range(pfns).map(|(pfn, number)| {
            let first = number.saturating_mul(per_page(self.width));
            let listed = first..first.saturating_add(per_page(self.width)).min(self.frames.pfns.end);
            let listed = listed.start.max(self.frames.pfns.start)..listed.end;
            let offset = listed.start.saturating_sub(first).saturating_mul(self.width.into());
            (*pfn, offset, self.entries(listed))
        })
    }

    /// The entries of these pfns. Xen and its guests mark one without a frame by ones.
    fn entries(&self, pfns: Range<u64>) -> Vec<u8> {
        let width = usize::from(self.width);
        let place = |pfn: u64| usize::try_from(pfn.saturating_sub(pfns.start)).unwrap_or(usize::MAX);
        let mut bytes = vec![0xFF; place(pfns.end).saturating_mul(width)];
        for extent in self.pages.within(pfns.clone()) {
            let entries = bytes.chunks_exact_mut(width).skip(place(extent.pfn));
            for (entry, pfn) in entries.zip(extent.pfn..extent.end()) {
                entry.copy_from_slice(&pfn.to_le_bytes()[..width]);
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::extents::Extent;

    #[test]
    fn entries_are_pfns_or_ones() {
        let mut pages = Extents::default();
        pages.insert(Extent { pfn: 510, pages: 4, at: 0 }, |_| {});
        // A list from pfn 3 to 513, with pages at pfn 700 and 600.
        let body =
            [&3u32.to_le_bytes()[..], &513u32.to_le_bytes(), &700u64.to_le_bytes(), &600u64.to_le_bytes()];
        let frames = Frames::of_body(&body.concat(), 8, Order::Little).unwrap();
        let identity = Identity { frames: &frames, width: 8, pages: &pages };
        let [second, first] = &identity.within(0..u64::MAX).collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!((second.0, second.1, first.0, first.1), (600, 0, 700, 24));
        assert_eq!(second.2, [512u64, 513].map(u64::to_le_bytes).concat());
        assert_eq!(first.2.len(), 509 * 8);
        assert!(first.2[..507 * 8].iter().all(|byte| *byte == 0xFF));
        assert_eq!(first.2[507 * 8..], [510u64, 511].map(u64::to_le_bytes).concat());
        assert_eq!(identity.within(601..700).count(), 0);
    }

    #[test]
    fn entries_of_narrow_guests_have_four_bytes() {
        let mut pages = Extents::default();
        pages.insert(Extent { pfn: 1, pages: 1, at: 0 }, |_| {});
        let body = [&0u32.to_be_bytes()[..], &2u32.to_be_bytes(), &1u64.to_be_bytes()].concat();
        let frames = Frames::of_body(&body, 4, Order::Big).unwrap();
        let identity = Identity { frames: &frames, width: 4, pages: &pages };
        let expected = [u32::MAX, 1, u32::MAX].map(u32::to_le_bytes).concat();
        assert_eq!(identity.within(0..9).collect::<Vec<_>>(), [(1, 0, expected)]);
    }
}
