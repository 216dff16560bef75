//! Which pages a guest has, of which types, and what is in them.

use std::io::{self, Write};
use std::ops::Range;

use xenstream_core::wire::PAGE_SIZE;
use xenstream_core::wire::libxc::{p2m, page};

use super::{Contents, Fill, Shape, Writer};
use crate::pages::pte;
use crate::valid::Machine;

/// PV: pfns of what registers name.
pub(super) const ROOT: u64 = 1;
pub(super) const START_INFO: u64 = 2;
pub(super) const GDT: u64 = 3;
/// PV: the rings of xenstore and of the console.
const RINGS: [u64; 2] = [4, 5];
/// PV: the first page table below the root.
const TABLES: u64 = 8;

/// Entries of a page table.
const ENTRIES: u64 = 512;

/// HVM: the legacy hole of video memory and ROMs, the hole for devices, where the BIOS and its modules are put, and the
/// pages that Xen and the toolstack share with the guest.
const VIDEO: Range<u64> = 0xA0..0xC0;
const DEVICES: Range<u64> = 0xF_0000..0x10_0000;
const MODULES: Range<u64> = 0xF_C000..0xF_C00B;
const SPECIAL: Range<u64> = 0xF_EFF0..0xF_F000;

/// Pages that are written to together.
const NEIGHBOURS: u64 = 16;

/// Entries of one type with pfns that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    pfns: Range<u64>,
    kind: u64,
}

/// A guest's memory.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    machine: Machine,
    pages: u64,
    seed: u64,
    contents: Contents,
    spans: Vec<Span>,
    /// PV: where the page tables of each level are, from the lowest, and after them the p2m.
    levels: Vec<Range<u64>>,
    p2m: Range<u64>,
}

impl Memory {
    pub(super) fn new(shape: &Shape) -> Memory {
        let mut memory = Memory {
            machine: shape.machine,
            pages: shape.memory / PAGE_SIZE,
            seed: shape.seed,
            contents: shape.contents,
            spans: Vec::new(),
            levels: Vec::new(),
            p2m: 0..0,
        };
        match shape.machine {
            Machine::Pv64 => memory.lay_out_pv(8, 3, u64::MAX),
            // Three levels map 4 GiB at a time.
            Machine::Pv32 => memory.lay_out_pv(4, 2, 4 * ENTRIES),
            Machine::Hvm => memory.lay_out_hvm(&[VIDEO], &[MODULES, SPECIAL]),
            Machine::Pvh => memory.lay_out_hvm(&[], &[SPECIAL]),
        }
        memory
    }

    /// PV: largest pfn, and the pfns of the frames of the p2m.
    pub(super) fn p2m(&self) -> (u64, Vec<u64>) {
        (self.pages - 1, self.p2m.clone().collect())
    }

    /// Writes all of it.
    pub(super) fn whole<W: Write>(&self, out: &mut Writer<W>) -> io::Result<()> {
        self.send(out, 0, |_| true)
    }

    /// Writes one part in `share` of what has data once more, as it is this many passes later.
    pub(super) fn dirty<W: Write>(&self, out: &mut Writer<W>, generation: u64, share: u64) -> io::Result<()> {
        self.send(out, generation, |entry| {
            let neighbours = (entry & page::PFN) / NEIGHBOURS;
            let random = fastrand::Rng::with_seed(self.seed_of(generation) ^ neighbours).u64(0..share);
            // A pass has something to send, however small the guest.
            page::has_data(page::kind(entry)) && (random == 0 || neighbours == 0)
        })
    }

    fn send<W: Write>(
        &self,
        out: &mut Writer<W>,
        generation: u64,
        wanted: impl Fn(u64) -> bool,
    ) -> io::Result<()> {
        let entries = self.spans.iter().flat_map(|Span { pfns, kind }| {
            let kind = kind << page::TYPE_SHIFT;
            pfns.clone().map(move |pfn| kind | pfn)
        });
        let seed = self.seed_of(generation);
        let fill = |entry: u64, bytes: &mut [u8]| self.fill(seed, entry, bytes);
        let fill = (self.contents != Contents::Sparse).then_some(&fill as Fill<'_>);
        out.memory(entries.filter(|entry| wanted(*entry)), fill)
    }

    fn seed_of(&self, generation: u64) -> u64 {
        /// An odd number, of which different multiples have little in common.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        self.seed.wrapping_add(generation).wrapping_mul(SPREAD)
    }

    fn fill(&self, seed: u64, entry: u64, bytes: &mut [u8]) {
        let pfn = entry & page::PFN;
        if page::is_table(page::kind(entry)) {
            self.fill_table(pfn, bytes);
        } else if !self.levels.is_empty() && pfn == START_INFO {
            // `store_mfn` and `console.domU.mfn` (`public/xen.h`): pfns, in an image.
            let at = if self.machine == Machine::Pv32 { [0x2C, 0x34] } else { [0x38, 0x48] };
            for (at, ring) in at.into_iter().zip(RINGS) {
                bytes[at..at + 8].copy_from_slice(&ring.to_le_bytes());
            }
        } else {
            self.contents.fill(seed, pfn, bytes);
        }
    }

    /// A page table names what is on the level below it; the lowest ones name all the memory in turn.
    fn fill_table(&self, pfn: u64, bytes: &mut [u8]) {
        let level = self.levels.iter().position(|tables| tables.contains(&pfn)).unwrap_or(self.levels.len());
        let first = self.levels.get(level).map_or(0, |tables| pfn - tables.start) * ENTRIES;
        let below = match level {
            0 => 0..self.pages,
            level => self.levels[level - 1].clone(),
        };
        let (words, _) = bytes.as_chunks_mut::<8>();
        for (word, frame) in words.iter_mut().zip((below.start + first)..below.end) {
            *word = pte(frame).to_le_bytes();
        }
    }

    /// All pfns up to the last; page tables and the p2m are where the first of them are.
    fn lay_out_pv(&mut self, width: u8, levels: u64, most_tables: u64) {
        let root = if self.machine == Machine::Pv32 { 3 } else { 4 };
        let mut tables = self.pages.div_ceil(ENTRIES).min(most_tables);
        let mut at = TABLES;
        let mut spans = Vec::new();
        for level in 0..levels {
            self.levels.push(at..at + tables);
            spans.push(Span { pfns: at..at + tables, kind: page::L1TAB + level });
            at += tables;
            tables = tables.div_ceil(ENTRIES);
        }
        self.p2m = at..at + ((self.pages - 1) >> p2m::frame_shift(width)) + 1;
        self.spans = vec![
            Span { pfns: 0..ROOT, kind: page::NOTAB },
            Span { pfns: ROOT..ROOT + 1, kind: page::L1TAB_PINNED - 1 + root },
            Span { pfns: ROOT + 1..TABLES, kind: page::NOTAB },
        ];
        self.spans.extend(spans);
        self.spans.push(Span { pfns: at..self.pages, kind: page::NOTAB });
    }

    /// All pfns up to the end of the pages that are special, then what memory did not fit below the hole for devices.
    fn lay_out_hvm(&mut self, holes: &[Range<u64>], modules: &[Range<u64>]) {
        let in_holes: u64 = holes.iter().map(|hole| hole.end - hole.start).sum();
        let low = (self.pages + in_holes).min(DEVICES.start);
        let high = self.pages + in_holes - low;
        let mut at = 0;
        let mut push = |end: u64, kind: u64| {
            self.spans.push(Span { pfns: at..end, kind });
            at = end;
        };
        for hole in holes {
            push(hole.start, page::NOTAB);
            push(hole.end, page::XTAB);
        }
        push(low, page::NOTAB);
        for module in modules {
            push(module.start, page::XTAB);
            push(module.end, page::NOTAB);
        }
        if high > 0 {
            push(DEVICES.end, page::XTAB);
            self.spans.push(Span { pfns: DEVICES.end..DEVICES.end + high, kind: page::NOTAB });
        }
    }
}
