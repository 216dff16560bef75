//! The guest's memory in a bounded number of cells.

use xenstream::{PageType, PfnEntry};

/// Most cells. When a larger pfn appears than they reach, each two become one.
pub(crate) const CELLS: usize = 1 << 16;

/// What was said of the pages of a range of pfns. A page that was sent twice counts twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cell {
    /// Normal pages, with data.
    pub(crate) normal: u64,
    /// Page tables, with data.
    pub(crate) tables: u64,
    /// Allocated or broken, without data.
    pub(crate) dataless: u64,
    /// Not there.
    pub(crate) absent: u64,
    /// The round in which it was mentioned last.
    round: u64,
    mentioned: Distinct,
    with_data: Distinct,
}

/// How many different pages were there at least. In a round each page comes once, so that it is as many as in the round
/// that had most.
#[derive(Clone, Copy, Debug, Default)]
struct Distinct {
    this_round: u64,
    most: u64,
}

impl Distinct {
    /// Counts one. Returns whether it is new.
    #[inline]
    fn count(&mut self, pages: u64) -> bool {
        self.this_round += 1;
        let is_new = self.this_round > self.most && self.most < pages;
        self.most += u64::from(is_new);
        is_new
    }

    fn merge(&mut self, next: Distinct) {
        self.this_round += next.this_round;
        self.most += next.most;
    }
}

impl Cell {
    /// Entries whose pages have data.
    pub(crate) fn sent(&self) -> u64 {
        self.normal + self.tables
    }

    /// Entries of any type.
    pub(crate) fn entries(&self) -> u64 {
        self.sent() + self.dataless + self.absent
    }

    /// Different pages that were mentioned, at least.
    pub(crate) fn mentioned(&self) -> u64 {
        self.mentioned.most
    }

    /// Different pages that came with data, at least.
    pub(crate) fn populated(&self) -> u64 {
        self.with_data.most
    }

    /// How many times its pages were sent, on average, if they were.
    pub(crate) fn times(&self) -> Option<f64> {
        let populated = self.populated();
        (populated > 0).then(|| self.sent() as f64 / populated as f64)
    }

    /// Together with the cell after it.
    pub(crate) fn merge(&mut self, mut next: Cell) {
        let round = self.round.max(next.round);
        self.begin(round);
        next.begin(round);
        self.normal += next.normal;
        self.tables += next.tables;
        self.dataless += next.dataless;
        self.absent += next.absent;
        self.mentioned.merge(next.mentioned);
        self.with_data.merge(next.with_data);
    }

    /// Begins a round, if it has not begun yet.
    #[inline]
    fn begin(&mut self, round: u64) {
        if self.round != round {
            self.round = round;
            self.mentioned.this_round = 0;
            self.with_data.this_round = 0;
        }
    }
}

/// The guest's memory by pfn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    cells: Vec<Cell>,
    /// A cell is `1 << shift` pages.
    shift: u32,
    highest: Option<u64>,
}

impl Memory {
    /// Notes an entry of this round. For a page with data it tells whether the page is one that was not sent before: as
    /// far as the counts of its cell can tell, which is for sure where a cell is a page.
    #[inline]
    pub(crate) fn note(&mut self, entry: PfnEntry, round: u64) -> Option<bool> {
        let pfn = entry.pfn();
        self.highest = self.highest.max(Some(pfn));
        let cell = self.cell(pfn);
        let pages = 1 << self.shift;
        let cell = &mut self.cells[cell];
        cell.begin(round);
        cell.mentioned.count(pages);
        match entry.page_type() {
            PageType::NOTAB => cell.normal += 1,
            PageType::XTAB => cell.absent += 1,
            table if table.table_level().is_some() => cell.tables += 1,
            _ => cell.dataless += 1,
        }
        entry.has_data().then(|| cell.with_data.count(pages))
    }

    /// The cells, and how many pages each has as a power of two.
    pub(crate) fn cells(&self) -> (&[Cell], u32) {
        (&self.cells, self.shift)
    }

    /// The guest has memory up to this pfn, named or not.
    pub(crate) fn reach(&mut self, pfn: u64) {
        self.highest = self.highest.max(Some(pfn));
        self.cell(pfn);
    }

    /// The largest pfn of all.
    pub(crate) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Index of the cell of this pfn, which is there from now on.
    #[inline]
    fn cell(&mut self, pfn: u64) -> usize {
        loop {
            match usize::try_from(pfn >> self.shift) {
                Ok(index) if index < self.cells.len() => return index,
                Ok(index) if index < CELLS => self.cells.resize(index + 1, Cell::default()),
                _ => {
                    self.cells = halved(&self.cells);
                    self.shift += 1;
                }
            }
        }
    }
}

/// Each two cells as one.
pub(crate) fn halved(cells: &[Cell]) -> Vec<Cell> {
    let pair = |pair: &[Cell]| {
        let mut cell = pair[0];
        cell.merge(pair.get(1).copied().unwrap_or_default());
        cell
    };
    cells.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use xenstream::wire::libxc::page;

    use super::*;

    const NORMAL: u64 = page::NOTAB;

    fn entry(kind: u64, pfn: u64) -> PfnEntry {
        PfnEntry::new(kind << page::TYPE_SHIFT | pfn)
    }

    #[test]
    fn small_guests_have_a_cell_for_each_page() {
        let mut memory = Memory::default();
        for pfn in 0..8 {
            assert_eq!(memory.note(entry(NORMAL, pfn), 0), Some(true));
        }
        assert_eq!(memory.note(entry(page::L1TAB, 3), 1), Some(false));
        assert_eq!(memory.note(entry(page::XTAB, 9), 1), None);
        let (cells, shift) = memory.cells();
        assert_eq!((cells.len(), shift), (10, 0));
        assert_eq!((cells[3].sent(), cells[3].populated(), cells[3].tables), (2, 1, 1));
        assert_eq!((cells[8].mentioned(), cells[9].mentioned(), cells[9].populated()), (0, 1, 0));
    }

    #[test]
    fn larger_pfns_make_larger_cells() {
        let mut memory = Memory::default();
        let pages = 3 << 16;
        for round in 0..3 {
            for pfn in (0..pages).step_by(1 + round as usize) {
                memory.note(entry(NORMAL, pfn), round);
            }
        }
        let (cells, shift) = memory.cells();
        assert_eq!((cells.len(), shift), (3 << 14, 2));
        assert!(cells.iter().all(|cell| cell.populated() == 4 && cell.mentioned() == 4));
        let sent: u64 = cells.iter().map(Cell::sent).sum();
        assert_eq!(sent, pages + pages / 2 + pages / 3);
    }

    #[test]
    fn the_largest_pfn_fits() {
        let mut memory = Memory::default();
        for pfn in [0, 1, page::PFN, 5, page::PFN] {
            memory.note(entry(NORMAL, pfn), 0);
        }
        let (cells, shift) = memory.cells();
        assert_eq!((cells.len(), shift), (CELLS, 36));
        assert_eq!((cells[0].sent(), cells[CELLS - 1].sent()), (3, 2));
        assert_eq!(memory.highest(), Some(page::PFN));
    }

    #[test]
    fn repeated_entries_do_not_become_pages() {
        let mut memory = Memory::default();
        let new = (0..1024).filter(|_| memory.note(entry(NORMAL, 7), 0) == Some(true)).count();
        assert_eq!(new, 1);
    }
}
