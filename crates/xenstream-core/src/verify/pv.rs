//! Contents of a PV guest that the restorer follows: page-table entries, and a few registers of BASIC. All of them
//! name frames, which the restorer looks up in the p2m; a frame above the largest pfn aborts it.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::verify::flat::Value;
use crate::verify::{self, Stop};
use crate::wire::layout::PvHook;
use crate::wire::libxc::{pte, vcpu};
use crate::wire::{PAGE_SIZE, pv};

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Entries of the page table that are still to come.
    pub(crate) words_left: u64,
    /// Which of `gdt_frames` lie above the largest pfn, as bits.
    bad_frames: u16,
    /// The first of them, and its absolute offset.
    bad_frame: u64,
    bad_frame_at: u64,
}

/// Page tables.
impl Verifier {
    /// A page table lies behind `gap` bytes.
    pub(crate) fn pv_page_table(&mut self, gap: u64) {
        self.pv.words_left = PAGE_SIZE / 8;
        self.next(gap, verify::Field::PageTable);
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
                    self.find(Rule::PvPteRange, self.position, frame, largest, o)?;
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

/// BASIC.
impl Verifier {
    /// BASIC's blob begins.
    pub(crate) fn pv_basic_start(&mut self) {
        if self.summary.max_pfn.is_none() {
            return self.rest_of_body();
        }
        self.pv.bad_frames = 0;
        self.flat_body(if self.guest_width() == 4 { &pv::BASIC_32 } else { &pv::BASIC_64 });
    }

    /// The hand-written checks of a vcpu's registers.
    pub(crate) fn pv_hook<O: Observer + ?Sized>(
        &mut self,
        hook: PvHook,
        field: Value,
        o: &mut O,
    ) -> Result<(), Stop> {
        let largest = self.summary.max_pfn.unwrap_or(u64::MAX);
        let Value { value, at, element } = field;
        match hook {
            PvHook::StartInfo => {
                if self.registers.vcpu_id == 0 && value > largest {
                    self.find(Rule::PvStartInfoRange, at, value, largest, o)?;
                }
            }
            PvHook::GdtFrame => {
                if value > largest {
                    if self.pv.bad_frames == 0 {
                        self.pv.bad_frame = value;
                        self.pv.bad_frame_at = at;
                    }
                    self.pv.bad_frames |= 1u16.checked_shl(element).unwrap_or(0);
                }
            }
            PvHook::GdtEnts => self.pv_gdt(at, value, o)?,
            PvHook::Cr1 => {
                let frame = value >> pte::FRAME_SHIFT;
                if value & pte::PRESENT != 0 && frame > largest {
                    self.find(Rule::PvCr1Range, at, frame, largest, o)?;
                }
            }
            PvHook::Cr3 => {
                let frame = cr3_frame(value, self.guest_width());
                if frame > largest {
                    self.find(Rule::PvCr3Range, at, frame, largest, o)?;
                }
            }
        }
        Ok(())
    }

    /// `gdt_ents` tells how many of the frames before it count.
    fn pv_gdt<O: Observer + ?Sized>(&mut self, at: u64, gdt_ents: u64, o: &mut O) -> Result<(), Stop> {
        let entries = gdt_ents & u64::from(u32::MAX);
        if entries > vcpu::GDT_ENTRIES_MAX {
            self.find(Rule::PvGdtCount, at, entries, vcpu::GDT_ENTRIES_MAX, o)?;
        }
        let frames = entries.div_ceil(vcpu::GDT_ENTRIES_PER_FRAME).min(vcpu::GDT_FRAMES);
        let first = self.pv.bad_frames.trailing_zeros();
        if u64::from(first) < frames {
            let largest = self.summary.max_pfn.unwrap_or(u64::MAX);
            self.find(Rule::PvGdtRange, self.pv.bad_frame_at, self.pv.bad_frame, largest, o)?;
        }
        Ok(())
    }
}

/// The frame in a saved cr3. A 32-bit guest's is folded: the frame's top bits lie in the lowest twelve.
fn cr3_frame(value: u64, width: u8) -> u64 {
    if width == 4 {
        let value = value & u64::from(u32::MAX);
        let folded = value << 20 & u64::from(u32::MAX);
        value >> pte::FRAME_SHIFT | folded
    } else {
        value >> pte::FRAME_SHIFT
    }
}
