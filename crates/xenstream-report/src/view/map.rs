//! The guest's memory by pfn.

use std::fmt::Write as _;

use xenstream::wire::PAGE_SIZE;
use xenstream::{Report, Rule};

use crate::collect::{Cell, Memory, halved};
use crate::numbers::{bytes, counted, grouped, percent};

/// Number of steps in which cells are filled.
const STEPS: usize = 8;
/// Cells are this large in a picture, and rows lie that far apart.
const SIZE: usize = 2 * STEPS;
const PITCH: usize = SIZE + 1;
/// Height of a line that stands for many rows without a page.
const FOLDED: usize = 4 * SIZE;
/// What a picture may be high.
const HEIGHT: usize = 36 * PITCH;
/// Rows that are folded at least.
const FOLD: usize = 4;
/// Bytes of all paths together. Where each cell differs from its neighbour, fewer are drawn.
const PATHS: usize = 48 << 10;

/// The map.
pub(crate) struct Map {
    /// What the pages are.
    pub(crate) kinds: Vec<Shape>,
    /// How many times they were sent; empty where that is once.
    pub(crate) times: Vec<Shape>,
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Place, width and height of the rows, as they are where nothing is drawn.
    pub(crate) holes: Vec<(usize, usize, usize)>,
    /// Whether there are pages that were never mentioned, and pages without data.
    pub(crate) has_gaps: bool,
    pub(crate) has_dataless: bool,
    /// What stands beside the rows, and in the folded ones.
    pub(crate) labels: Vec<Label>,
    pub(crate) scale: String,
    pub(crate) sentence: String,
    pub(crate) ranges: Vec<Range>,
}

/// All cells of one color, as the outline of an SVG path.
pub(crate) struct Shape {
    pub(crate) class: &'static str,
    pub(crate) words: &'static str,
    pub(crate) path: String,
}

/// A label, in hundredths of the picture's height.
pub(crate) struct Label {
    pub(crate) y: f64,
    pub(crate) text: String,
    pub(crate) is_folded: bool,
}

/// A line of the table.
pub(crate) struct Range {
    pub(crate) pfns: String,
    pub(crate) normal: String,
    pub(crate) tables: String,
    pub(crate) dataless: String,
    pub(crate) absent: String,
    pub(crate) never: String,
    pub(crate) times: String,
}

const KINDS: [(&str, &str); 4] = [
    ("normal", "normal pages"),
    ("table", "page tables"),
    ("dataless", "without data (XALLOC, BROKEN, reserved)"),
    ("absent", "absent (XTAB)"),
];

const TIMES: [(&str, &str); 5] = [
    ("once", "once"),
    ("twice", "up to twice"),
    ("four", "up to 4 times"),
    ("eight", "up to 8 times"),
    ("more", "more often"),
];

impl Map {
    /// None where no page was mentioned.
    pub(crate) fn new(memory: &Memory, report: &Report) -> Option<Map> {
        memory.highest()?;
        let mut memory = memory.clone();
        if let Some(last) = last_pfn(report) {
            memory.reach(last);
        }
        let highest = memory.highest()?;
        let (cells, shift) = memory.cells();
        let (grid, Paths { kinds, times }) = Grid::with_paths(cells.to_vec(), shift);
        let resent = cells.iter().any(|cell| cell.sent() > cell.populated());
        let pages = 1u64 << grid.shift;
        Some(Map {
            kinds: shapes(&KINDS, kinds),
            times: if resent { shapes(&TIMES, times) } else { Vec::new() },
            width: grid.columns * SIZE,
            height: grid.height,
            holes: grid.holes(),
            has_gaps: grid.rows().flat_map(|(_, row)| row).any(|cell| cell.mentioned() < pages),
            has_dataless: grid.rows().flat_map(|(_, row)| row).any(|cell| cell.sent() == 0),
            labels: grid.labels(),
            scale: match pages {
                1 => "A cell is a page".to_owned(),
                _ => format!(
                    "A cell is {}, {}",
                    counted(pages, "page"),
                    bytes(pages.saturating_mul(PAGE_SIZE))
                ),
            },
            sentence: sentence(cells, report, highest),
            ranges: grid.ranges(highest),
        })
    }
}

/// The last pfn that the guest has, where the stream told it and did not come so far.
fn last_pfn(report: &Report) -> Option<u64> {
    let findings = report.findings.listed().iter().chain(report.warnings.listed()).chain(report.violation());
    let short = findings.filter(|violation| violation.rule == Rule::LibxcMemoryShort);
    let missing = short.filter_map(|violation| {
        Some(violation.found.number().max(violation.expected.number())?.saturating_sub(1))
    });
    missing.chain(report.summary.max_pfn).max().filter(|_| !report.is_valid() || !report.warnings.is_empty())
}

fn sentence(cells: &[Cell], report: &Report, highest: u64) -> String {
    let populated: u64 = cells.iter().map(Cell::populated).sum();
    let sent = report.summary.pages.with_data();
    let mut sentence = format!("{} with data; the highest pfn is {highest:#x}. ", counted(populated, "page"));
    match sent.saturating_sub(populated) {
        0 => sentence += "Each was sent once.",
        _ => {
            let times = sent as f64 / populated.max(1) as f64;
            let _ = write!(sentence, "They were sent {times:.2} times on average.");
        }
    }
    let tables = report.summary.pages.tables();
    if tables > 0 {
        let _ = write!(sentence, " {} of the pages sent are page tables.", percent(tables, sent));
    }
    sentence
}

/// Cells in rows, as fine as they fit when rows without a page are folded.
struct Grid {
    cells: Vec<Cell>,
    shift: u32,
    columns: usize,
    lines: Vec<Line>,
    height: usize,
}

/// What the pages are and how many times they were sent: a path for each color.
#[derive(Default)]
struct Paths {
    kinds: [String; KINDS.len()],
    times: [String; TIMES.len()],
}

impl Paths {
    fn bytes(&self) -> usize {
        self.kinds.iter().chain(&self.times).map(String::len).sum()
    }
}

/// A row, or many without a page.
struct Line {
    y: usize,
    first: usize,
    rows: usize,
    is_folded: bool,
}

impl Grid {
    fn new(mut cells: Vec<Cell>, mut shift: u32) -> Grid {
        loop {
            let columns = match cells.len() {
                0..=64 => 16,
                65..=512 => 32,
                _ => 64,
            };
            let (lines, height) = lines(&cells, columns);
            if height <= HEIGHT {
                return Grid { cells, shift, columns, lines, height };
            }
            cells = halved(&cells);
            shift += 1;
        }
    }

    /// As fine as it and its paths fit.
    fn with_paths(cells: Vec<Cell>, shift: u32) -> (Grid, Paths) {
        let mut grid = Grid::new(cells, shift);
        loop {
            let paths = grid.paths();
            if paths.bytes() <= PATHS {
                return (grid, paths);
            }
            grid = Grid::new(halved(&grid.cells), grid.shift + 1);
        }
    }

    fn paths(&self) -> Paths {
        let mut paths = Paths::default();
        for (y, row) in self.rows() {
            draw_kinds(&mut paths.kinds, y, row, self.shift);
            draw_times(&mut paths.times, y, row);
        }
        paths
    }

    /// The rows that are drawn, and where.
    fn rows(&self) -> impl Iterator<Item = (usize, &[Cell])> {
        let rows = self.lines.iter().filter(|line| !line.is_folded);
        rows.map(|line| {
            let start = line.first * self.columns;
            (line.y, &self.cells[start..self.cells.len().min(start + self.columns)])
        })
    }

    /// The rows as a table: neighbours in which the same can be found are one line.
    fn ranges(&self, highest: u64) -> Vec<Range> {
        let mut ranges: Vec<(u64, u64, Cell)> = Vec::new();
        let first_pfn = |row: usize| ((row * self.columns) as u64) << self.shift;
        for Line { first, rows, .. } in &self.lines {
            let cells = self.cells.iter().skip(first * self.columns).take(rows * self.columns);
            let sum = cells.fold(Cell::default(), |mut sum, cell| {
                sum.merge(*cell);
                sum
            });
            let (from, to) = (first_pfn(*first), highest.min(first_pfn(first + rows) - 1));
            match ranges.last_mut() {
                Some((_, end, last)) if is_alike(last, &sum) => {
                    last.merge(sum);
                    *end = to;
                }
                _ => ranges.push((from, to, sum)),
            }
        }
        ranges.iter().map(|(from, to, cell)| range(*from, *to, cell)).collect()
    }

    fn holes(&self) -> Vec<(usize, usize, usize)> {
        let holes = self.rows().map(|(y, row)| (y, row.len() * SIZE, SIZE));
        holes.collect()
    }

    fn labels(&self) -> Vec<Label> {
        let height = self.height as f64;
        let pfn = |row: usize| ((row * self.columns) as u64) << self.shift;
        let mut labels = Vec::new();
        let mut free = 0;
        for line in &self.lines {
            let y =
                (line.y as f64 + if line.is_folded { FOLDED } else { SIZE } as f64 / 2.0) / height * 100.0;
            if line.is_folded {
                let range = &self.cells[line.first * self.columns..];
                let range = &range[..range.len().min(line.rows * self.columns)];
                let what =
                    if range.iter().any(|cell| cell.absent > 0) { "absent" } else { "never mentioned" };
                let text =
                    format!("{:#x} to {:#x}: {what}", pfn(line.first), pfn(line.first + line.rows) - 1);
                labels.push(Label { y, text, is_folded: true });
                free = 0;
            } else if free == 0 {
                labels.push(Label { y, text: format!("{:#x}", pfn(line.first)), is_folded: false });
                // On a small screen a label is as high as four rows.
                free = 3;
            } else {
                free -= 1;
            }
        }
        labels
    }
}

/// Returns whether both contain the same items equally often.
fn is_alike(a: &Cell, b: &Cell) -> bool {
    let occurring = |cell: &Cell| [cell.normal, cell.tables, cell.dataless, cell.absent].map(|n| n > 0);
    occurring(a) == occurring(b) && a.times() == b.times()
}

fn range(from: u64, to: u64, cell: &Cell) -> Range {
    Range {
        pfns: if from == to { format!("{from:#x}") } else { format!("{from:#x} to {to:#x}") },
        normal: grouped(cell.normal),
        tables: grouped(cell.tables),
        dataless: grouped(cell.dataless),
        absent: grouped(cell.absent),
        never: grouped((to - from + 1).saturating_sub(cell.mentioned())),
        times: cell.times().map_or_else(|| "–".to_owned(), |times| format!("{times:.2}")),
    }
}

/// What is in the cells of a row, if they are all alike and no page is among them.
fn emptiness(row: &[Cell]) -> Option<bool> {
    let is_absent = row.first()?.absent > 0;
    let alike = |cell: &Cell| cell.entries() == cell.absent && (cell.absent > 0) == is_absent;
    row.iter().all(alike).then_some(is_absent)
}

fn lines(cells: &[Cell], columns: usize) -> (Vec<Line>, usize) {
    let kinds: Vec<_> = cells.chunks(columns).map(emptiness).collect();
    let mut lines = Vec::new();
    let mut y = 0;
    let mut first = 0;
    for run in kinds.chunk_by(|a, b| a.is_some() && a == b) {
        if run.len() >= FOLD {
            lines.push(Line { y, first, rows: run.len(), is_folded: true });
            y += FOLDED + PITCH - SIZE;
        } else {
            for row in first..first + run.len() {
                lines.push(Line { y, first: row, rows: 1, is_folded: false });
                y += PITCH;
            }
        }
        first += run.len();
    }
    (lines, y.saturating_sub(PITCH - SIZE))
}

/// Draws each cell as a column of what its pages are, from the bottom up.
fn draw_kinds(paths: &mut [String; 4], y: usize, row: &[Cell], shift: u32) {
    let stacks: Vec<[usize; 4]> = row.iter().map(|cell| stack(cell, shift)).collect();
    for (kind, path) in paths.iter_mut().enumerate() {
        let bar = |stack: &[usize; 4]| (stack[..kind].iter().sum::<usize>(), stack[kind]);
        draw(path, stacks.iter().map(bar), y);
    }
}

/// Draws each cell by how many times its pages were sent.
fn draw_times(paths: &mut [String; 5], y: usize, row: &[Cell]) {
    for (class, path) in paths.iter_mut().enumerate() {
        let height = |cell: &Cell| if times_class(cell) == Some(class) { STEPS } else { 0 };
        draw(path, row.iter().map(|cell| (0, height(cell))), y);
    }
}

/// Draws bars, each given by its steps over the row's bottom and its height in steps; what is alike in one piece.
fn draw(path: &mut String, bars: impl Iterator<Item = (usize, usize)>, y: usize) {
    let bars: Vec<_> = bars.collect();
    let mut column = 0;
    for run in bars.chunk_by(|a, b| a == b) {
        let (below, height) = run[0];
        if height > 0 {
            let (x, width, height) = (column * SIZE, run.len() * SIZE, height * SIZE / STEPS);
            let top = y + SIZE - below * SIZE / STEPS - height;
            // A string takes whatever is written to it.
            let _ = write!(path, "M{x} {top}h{width}v{height}h-{width}z");
        }
        column += run.len();
    }
}

/// In steps, how much of a cell its pages are: together as much of it as was mentioned, and each that occurs visible.
fn stack(cell: &Cell, shift: u32) -> [usize; 4] {
    let parts = [cell.normal, cell.tables, cell.dataless, cell.absent];
    let entries = cell.entries();
    if entries == 0 {
        return [0; 4];
    }
    let mentioned = cell.mentioned() as f64 / (1u64 << shift) as f64;
    let filled = mentioned * STEPS as f64;
    let height = |part: u64| match part {
        0 => 0,
        _ => ((part as f64 / entries as f64 * filled).round() as usize).max(1),
    };
    let mut heights = parts.map(height);
    // Small parts that were made visible take from the largest.
    while heights.iter().sum::<usize>() > STEPS {
        match heights.iter_mut().max() {
            Some(largest) if *largest > 1 => *largest -= 1,
            _ => break,
        }
    }
    heights
}

/// Index of its class, of a cell with data.
fn times_class(cell: &Cell) -> Option<usize> {
    const MOST: [f64; TIMES.len() - 1] = [1.0, 2.0, 4.0, 8.0];
    let times = cell.times()?;
    Some(MOST.iter().position(|most| times <= *most).unwrap_or(MOST.len()))
}

fn shapes<const N: usize>(classes: &[(&'static str, &'static str); N], paths: [String; N]) -> Vec<Shape> {
    let shape =
        |((class, words), path): (&(&'static str, &'static str), String)| Shape { class, words, path };
    classes.iter().zip(paths).filter(|(_, path)| !path.is_empty()).map(shape).collect()
}

#[cfg(test)]
mod tests {
    use xenstream::PfnEntry;
    use xenstream::wire::libxc::page;

    use super::*;

    fn memory(entries: impl IntoIterator<Item = (u64, u64)>) -> Memory {
        let mut memory = Memory::default();
        for (kind, pfn) in entries {
            memory.note(PfnEntry::new(kind << page::TYPE_SHIFT | pfn), 0);
        }
        memory
    }

    fn grid(memory: &Memory) -> Grid {
        let (cells, shift) = memory.cells();
        Grid::new(cells.to_vec(), shift)
    }

    #[test]
    fn a_small_guest_is_drawn_page_by_page() {
        let kinds = [page::NOTAB, page::NOTAB, page::L1TAB, page::XTAB];
        let grid = grid(&memory(kinds.into_iter().zip(0..)));
        assert_eq!((grid.columns, grid.shift, grid.height), (16, 0, SIZE));
        let Paths { kinds: [normal, tables, dataless, absent], times } = grid.paths();
        assert_eq!(normal, "M0 0h32v16h-32z");
        assert_eq!(tables, "M32 0h16v16h-16z");
        assert_eq!((dataless.as_str(), absent.as_str()), ("", "M48 0h16v16h-16z"));
        assert_eq!(times[0], "M0 0h48v16h-48z");
    }

    #[test]
    fn stretches_without_a_page_are_folded() {
        // What an HVM guest of 16 MiB looks like.
        let pages = (0..0x1000).map(|pfn| (page::NOTAB, pfn));
        let rest = (0x1000..0xFF000).map(|pfn| (page::XTAB, pfn));
        let memory = memory(pages.chain(rest));
        let grid = grid(&memory);
        let folded: Vec<_> = grid.labels().into_iter().filter(|label| label.is_folded).collect();
        assert_eq!(folded.len(), 1);
        assert_eq!(folded[0].text, "0x1000 to 0xfefff: absent");
        assert!(grid.shift <= 4, "cells of {} pages", 1 << grid.shift);
        let ranges = grid.ranges(0xFEFFF);
        let pfns: Vec<_> = ranges.iter().map(|range| range.pfns.as_str()).collect();
        assert_eq!(pfns, ["0x0 to 0xfff", "0x1000 to 0xfefff"]);
        assert_eq!((ranges[0].normal.as_str(), ranges[1].absent.as_str()), ("4,096", "1,040,384"));
    }

    #[test]
    fn parts_of_a_cell_are_seen_and_fit() {
        let parts = [(page::NOTAB, 1000), (page::L1TAB, 1), (page::BROKEN, 1), (page::XTAB, 22)];
        let kinds = parts.into_iter().flat_map(|(kind, n)| std::iter::repeat_n(kind, n));
        let cells = memory(kinds.zip(0..)).cells().0.to_vec();
        let cell = cells.into_iter().reduce(|mut sum, cell| {
            sum.merge(cell);
            sum
        });
        assert_eq!(stack(&cell.unwrap(), 10), [5, 1, 1, 1]);
        assert_eq!(stack(&cell.unwrap(), 11), [4, 1, 1, 1]);
        assert_eq!(stack(&Cell::default(), 0), [0; 4]);
    }

    #[test]
    fn no_memory_makes_long_paths() {
        // In each cell something else than in its neighbours.
        let cells = 1 << 11;
        let kinds = [page::NOTAB, page::L1TAB, page::XALLOC, page::XTAB];
        let entries = (0..cells).flat_map(|cell| {
            let parts = kinds.into_iter().zip(0..).map(move |(kind, n)| (kind, 1 + (cell >> n & 1)));
            let kinds = parts.flat_map(|(kind, n)| std::iter::repeat_n(kind, n as usize));
            kinds.zip(cell * 8..).collect::<Vec<_>>()
        });
        let memory = memory(entries);
        let (cells, shift) = memory.cells();
        let finest = Grid::new(cells.to_vec(), shift);
        assert!(finest.paths().bytes() > PATHS, "{}", finest.paths().bytes());
        let (grid, paths) = Grid::with_paths(cells.to_vec(), shift);
        assert!(paths.bytes() <= PATHS && grid.shift > finest.shift);
    }
}
