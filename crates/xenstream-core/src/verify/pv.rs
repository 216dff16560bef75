//! Contents of a PV guest that the restorer follows: page-table entries, and a few registers of BASIC. All of them
//! name frames, which the restorer looks up in the p2m; a frame above the largest pfn aborts it.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::verify::{self, Size, Stop};
use crate::wire::libxc::pte;
use crate::wire::libxc::vcpu::{self, BasicLayout};
use crate::wire::{Order, PAGE_SIZE};

/// Fields of a page table, and of BASIC's blob for one guest width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The entries of a page table.
    PageTable,
    /// A register of BASIC, of this many bytes.
    Register(Register, u8),
}

/// The registers that are looked at, in the order in which they lie in the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Register {
    /// The start-info page of vcpu 0.
    Edx,
    GdtFrame(u8),
    GdtEnts,
    Cr1,
    Cr3,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Entries of the page table that are still to come.
    pub(crate) words_left: u64,
    /// Absolute offset of BASIC's blob.
    blob: u64,
    /// Which of `gdt_frames` lie above the largest pfn, as bits.
    bad_frames: u16,
    /// The first of them.
    bad_frame: u64,
}

impl Field {
    #[inline]
    pub(crate) fn size(self) -> Size {
        match self {
            Field::PageTable => Size::Words,
            Field::Register(_, width) => Size::Bytes(width),
        }
    }
}

/// Page tables.
impl Verifier {
    /// A page table lies behind `gap` bytes.
    pub(crate) fn pv_page_table(&mut self, gap: u64) {
        self.pv.words_left = PAGE_SIZE / 8;
        self.next(gap, verify::Field::Pv(Field::PageTable));
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
        self.pv.blob = self.position;
        self.pv.bad_frames = 0;
        let first = if self.registers.vcpu_id == 0 { Register::Edx } else { Register::GdtFrame(0) };
        self.pv_register_next(first);
    }

    fn basic_layout(&self) -> &'static BasicLayout {
        if self.guest_width() == 4 { &vcpu::LAYOUT_32 } else { &vcpu::LAYOUT_64 }
    }

    fn pv_register_next(&mut self, register: Register) {
        let layout = self.basic_layout();
        let at = match register {
            Register::Edx => layout.edx,
            Register::GdtFrame(n) => {
                layout.gdt_frames.saturating_add(u64::from(n).saturating_mul(u64::from(layout.word)))
            }
            Register::GdtEnts => layout.gdt_ents,
            Register::Cr1 => match layout.cr1 {
                Some(at) => at,
                None => return self.pv_register_next(Register::Cr3),
            },
            Register::Cr3 => layout.cr3,
        };
        let gap = self.pv.blob.saturating_add(at).saturating_sub(self.position);
        self.next(gap, verify::Field::Pv(Field::Register(register, layout.word)));
    }

    pub(crate) fn pv_field<O: Observer + ?Sized>(
        &mut self,
        field: Field,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let Field::Register(register, width) = field else { return Ok(()) };
        let largest = self.summary.max_pfn.unwrap_or(u64::MAX);
        // A blob is in the guest's own order, little-endian; of a short register the gathered rest is zero.
        let [a, b, c, d, ..] = value;
        let value =
            if width == 4 { u64::from(Order::Little.u32([a, b, c, d])) } else { u64::from_le_bytes(value) };
        match register {
            Register::Edx => {
                if value > largest {
                    self.find(Rule::PvStartInfoRange, at, value, largest, o)?;
                }
                self.pv_register_next(Register::GdtFrame(0));
            }
            Register::GdtFrame(n) => {
                if value > largest {
                    if self.pv.bad_frames == 0 {
                        self.pv.bad_frame = value;
                    }
                    self.pv.bad_frames |= 1u16.checked_shl(u32::from(n)).unwrap_or(0);
                }
                let next = n.saturating_add(1);
                let more = u64::from(next) < vcpu::GDT_FRAMES;
                self.pv_register_next(if more { Register::GdtFrame(next) } else { Register::GdtEnts });
            }
            Register::GdtEnts => {
                self.pv_gdt(at, value, o)?;
                self.pv_register_next(Register::Cr1);
            }
            Register::Cr1 => {
                let frame = value >> pte::FRAME_SHIFT;
                if value & pte::PRESENT != 0 && frame > largest {
                    self.find(Rule::PvCr1Range, at, frame, largest, o)?;
                }
                self.pv_register_next(Register::Cr3);
            }
            Register::Cr3 => {
                let frame = cr3_frame(value, width);
                if frame > largest {
                    self.find(Rule::PvCr3Range, at, frame, largest, o)?;
                }
                self.rest_of_body();
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
            let layout = self.basic_layout();
            let index = u64::from(first).saturating_mul(u64::from(layout.word));
            let offset = self.pv.blob.saturating_add(layout.gdt_frames).saturating_add(index);
            let largest = self.summary.max_pfn.unwrap_or(u64::MAX);
            self.find(Rule::PvGdtRange, offset, self.pv.bad_frame, largest, o)?;
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
