//! A guest's memory: its address space, the p2m that describes it, and the pages in batches.

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Unstructured};
use xenstream_core::Guest;
use xenstream_core::wire::libxc::{p2m, page};

use super::few;
use crate::item::Item;
use crate::libxc;
use crate::pages::{Page, pte};
use crate::valid::Machine;

/// A guest's address space.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Space {
    /// PV: frames of the p2m, 1 to 4.
    pub frames: u8,
    /// PV: pfns that are missing in the last frame.
    pub missing: u16,
    /// PV: pfns with which further records of the p2m begin.
    #[arbitrary(with = few::<2, u16>)]
    pub splits: Vec<u16>,
    /// HVM: pfns beyond the least; with [gaps](Space::gaps) bits of a pfn, 12 to 28.
    pub bits: u8,
    /// The memory does not begin with a pass over every pfn, as it does where a saver writes it. Then it has gaps, and
    /// may end too early.
    #[arbitrary(with = seldom)]
    pub gaps: bool,
}

/// One in four times.
fn seldom(u: &mut Unstructured<'_>) -> arbitrary::Result<bool> {
    Ok(u8::arbitrary(u)? >= 0xC0)
}

/// The memory as one pass of a live migration sends it, in records as the saver fills them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Round {
    #[arbitrary(with = few::<3, Batch>)]
    batches: Vec<Batch>,
}

impl Round {
    /// A pass of these batches.
    #[must_use]
    pub fn new(batches: impl IntoIterator<Item = Batch>) -> Round {
        Round { batches: batches.into_iter().collect() }
    }

    /// Its batches.
    #[must_use]
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }
}

/// One PAGE_DATA record. One without runs has an absent page 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Batch {
    /// What is in it.
    #[arbitrary(with = few::<4, Run>)]
    pub runs: Vec<Run>,
}

/// Entries of one type with pfns that follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Run {
    /// Their type.
    pub kind: PageKind,
    /// The first pfn.
    pub start: u32,
    /// How many more: up to 255, but only one of those that have data.
    pub more: u8,
    /// What the pages hold, as 64-bit words at these indices. In a page table an odd word makes a present entry for a
    /// frame of the guest.
    #[arbitrary(with = few::<3, (u16, u32)>)]
    pub words: Vec<(u16, u32)>,
}

/// The type of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub enum PageKind {
    /// Not there.
    #[default]
    Absent,
    /// Normal.
    Normal,
    /// A page table of a level from 1 to 4, pinned or not; normal in an HVM guest.
    Table {
        /// The level.
        level: u8,
        /// Whether the page table is pinned.
        pinned: bool,
    },
    /// With a hardware error.
    Broken,
    /// Allocated without contents.
    Allocated,
}

/// Pfns of what registers name in a PV guest.
pub(super) const ROOT: u64 = 1;
pub(super) const START_INFO: u64 = 2;
pub(super) const GDT: u64 = 3;
/// The first frame of the p2m; others follow.
const P2M: u64 = 4;
/// The ring of xenstore and of the console.
const RING: u64 = 8;
/// Number of pfns that every PV guest has, in the first record of its p2m.
const LEAST: u64 = 16;

impl Space {
    /// The largest pfn of such a guest.
    #[must_use]
    pub fn max_pfn(&self, machine: Machine) -> u64 {
        match machine.guest() {
            Guest::Pv => {
                let pfns = self.pfns_per_frame(machine);
                self.frames() * pfns - 1 - u64::from(self.missing) % (pfns - LEAST)
            }
            Guest::Hvm if self.gaps => (1 << (12 + self.bits % 17)) - 1,
            Guest::Hvm => LEAST + u64::from(self.bits),
        }
    }

    /// What a parameter that names a page of an HVM guest has for a value, for this number.
    pub(super) fn special_pfn(&self, n: u64) -> u64 {
        if self.gaps { n } else { 1 + n % self.max_pfn(Machine::Hvm) }
    }

    /// The guest's memory up to the first registers: all pfns in order with what these records say of them, in records as
    /// full as savers make them. With [gaps](Space::gaps) the records as they are.
    pub(super) fn first_pass(&self, machine: Machine, records: Vec<Vec<Page>>) -> Vec<Item> {
        if self.gaps {
            return records.iter().map(|pages| libxc::page_data(pages)).collect();
        }
        let mut pages = BTreeMap::new();
        for page in records.into_iter().flatten() {
            pages.entry(page.pfn()).or_insert(page);
        }
        let page = |pfn| pages.get(&pfn).cloned().unwrap_or_else(|| Page::absent(pfn));
        libxc::batches(0..self.max_pfn(machine) + 1, page).collect()
    }

    /// This number as the pfn of a page that the guest has.
    pub(super) fn pfn(&self, machine: Machine, n: u32) -> u64 {
        u64::from(n) % (self.max_pfn(machine) + 1)
    }

    /// The X86_PV_P2M_FRAMES records; none for an HVM guest.
    pub(super) fn p2m(&self, machine: Machine) -> Vec<Item> {
        if machine.guest() == Guest::Hvm {
            return Vec::new();
        }
        let pfns = self.pfns_per_frame(machine);
        let last = self.max_pfn(machine);
        let mut starts: Vec<u64> = self
            .splits
            .iter()
            .map(|n| LEAST + u64::from(*n) % (last + 1 - LEAST))
            .filter(|n| *n < last)
            .collect();
        starts.push(0);
        starts.sort_unstable();
        starts.dedup();
        let ends = starts[1..].iter().map(|start| start - 1).chain([last]);
        let record = |(start, end): (&u64, u64)| {
            let frames: Vec<u64> = (start / pfns..=end / pfns).map(|frame| P2M + frame).collect();
            libxc::p2m_frames(*start as u32, end as u32, &frames)
        };
        starts.iter().zip(ends).map(record).collect()
    }

    /// What registers name: the page table with the pages below it, the start info, the GDT, and the p2m.
    pub(super) fn anchors(&self, machine: Machine) -> Vec<Page> {
        // `store_mfn` and `console.domU.mfn` of the start-info page (`public/xen.h`): pfns, in an image.
        let (level, rings) = match machine {
            Machine::Pv32 => (3, [0x2C, 0x34]),
            _ => (4, [0x38, 0x48]),
        };
        let mut start_info = vec![0; 0x50];
        for at in rings {
            start_info[at] = RING as u8;
        }
        let mut pages = vec![
            Page::pinned(level, ROOT, &[(0, pte(GDT)), (3, pte(RING))]),
            Page::normal(START_INFO).holding(start_info),
            Page::normal(GDT),
        ];
        pages.extend((0..self.frames()).map(|frame| Page::normal(P2M + frame)));
        pages.push(Page::allocated(RING));
        pages
    }

    /// A PAGE_DATA record.
    pub(super) fn batch(&self, machine: Machine, batch: &Batch) -> Item {
        libxc::page_data(&self.pages(machine, batch))
    }

    /// The pages of a PAGE_DATA record.
    pub(super) fn pages(&self, machine: Machine, batch: &Batch) -> Vec<Page> {
        let mut pages: Vec<Page> = batch.runs.iter().flat_map(|run| self.run(machine, run)).collect();
        if pages.is_empty() {
            pages.push(Page::absent(0));
        }
        pages
    }

    fn run(&self, machine: Machine, run: &Run) -> Vec<Page> {
        let kind = run.kind.number(machine.guest());
        let more = u64::from(run.more) % if page::has_data(kind) { 2 } else { 256 };
        let start = self.pfn(machine, run.start);
        let end = self.max_pfn(machine).min(start + more);
        let contents =
            if page::has_data(kind) { self.contents(machine, kind, &run.words) } else { Vec::new() };
        (start..=end).map(|pfn| Page::of(kind, pfn).holding(contents.clone())).collect()
    }

    fn contents(&self, machine: Machine, kind: u64, words: &[(u16, u32)]) -> Vec<u8> {
        let mut contents = Vec::new();
        for (index, word) in words {
            let value = match word & 1 {
                1 if page::is_table(kind) => pte(self.pfn(machine, word >> 1)),
                // Not present, whatever frame it names; any word in other pages.
                _ => u64::from(*word >> 1) << 1,
            };
            let at = usize::from(index % 512) * 8;
            contents.resize(contents.len().max(at + 8), 0);
            contents[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        contents
    }

    fn frames(&self) -> u64 {
        1 + u64::from(self.frames % 4)
    }

    fn pfns_per_frame(&self, machine: Machine) -> u64 {
        1 << p2m::frame_shift(if machine == Machine::Pv32 { 4 } else { 8 })
    }
}

impl PageKind {
    /// The type's number in such a guest.
    #[must_use]
    pub fn number(self, guest: Guest) -> u64 {
        match self {
            PageKind::Absent => page::XTAB,
            PageKind::Broken => page::BROKEN,
            PageKind::Allocated => page::XALLOC,
            PageKind::Table { level, pinned } if guest == Guest::Pv => {
                let first = if pinned { page::L1TAB_PINNED } else { page::L1TAB };
                first + u64::from(level % 4)
            }
            PageKind::Normal | PageKind::Table { .. } => page::NOTAB,
        }
    }
}
