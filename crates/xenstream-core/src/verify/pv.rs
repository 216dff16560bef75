//! Page tables of a PV guest. Their entries name frames, which the restorer looks up in the p2m; a frame above the
//! largest pfn aborts it.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::verify::{self, Stop, Words};
use crate::wire::PAGE_SIZE;
use crate::wire::libxc::pte;

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Entries of the page table that are still to come.
    pub(crate) words_left: u64,
}

/// Page tables.
impl Verifier {
    /// A page table lies after `gap` bytes.
    pub(crate) fn pv_page_table(&mut self, gap: u64) {
        self.pv.words_left = PAGE_SIZE / 8;
        self.set_next(gap, verify::Field::Words(Words::PageTable));
    }

    pub(crate) fn pv_words<O: Observer + ?Sized>(
        &mut self,
        words: &[[u8; 8]],
        o: &mut O,
    ) -> Result<(), Stop> {
        let largest = self.summary.max_pfn.unwrap_or(u64::MAX >> 1);
        // One pass without a branch, as for PFN entries: the top bit tells a present entry above the largest pfn.
        let hits = words.iter().fold(0, |hits, word| hits | above(u64::from_le_bytes(*word), largest));
        if hits >> 63 == 0 {
            self.advance(words.len().saturating_mul(8));
        } else {
            for word in words {
                let entry = u64::from_le_bytes(*word);
                if above(entry, largest) >> 63 != 0 {
                    let frame = (entry & pte::FRAME) >> pte::FRAME_SHIFT;
                    self.flag(Rule::PvPteRange, self.position, frame, largest, o)?;
                }
                self.advance(8);
            }
        }
        self.pv.words_left = self.pv.words_left.saturating_sub(words.len() as u64);
        if self.pv.words_left == 0 {
            self.pages_after_table();
        }
        Ok(())
    }
}

/// The top bit is set if a page-table entry is present and names a frame above the largest pfn.
#[inline]
fn above(entry: u64, largest: u64) -> u64 {
    let frame = (entry & pte::FRAME) >> pte::FRAME_SHIFT;
    largest.wrapping_sub(frame) & (entry << 63)
}
