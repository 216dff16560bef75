//! Records and bytes by type.

use crate::collect::{Collector, Sum, slot_label, slot_words};
use crate::kinds::{Group, Lane};
use crate::numbers::{bytes, grouped, percent};

/// Sizes by record type.
pub(crate) struct Sizes {
    /// Types of the stream itself, largest first.
    pub(crate) stream: Vec<Row>,
    /// Places of the grid lines, and what they stand for.
    pub(crate) grid: Vec<(f64, &'static str)>,
    top: f64,
}

/// One type.
pub(crate) struct Row {
    pub(crate) lane: Lane,
    pub(crate) group: Group,
    pub(crate) label: String,
    pub(crate) words: &'static str,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) share: String,
}

impl Row {
    pub(crate) fn size(&self) -> String {
        bytes(self.bytes)
    }

    pub(crate) fn count(&self) -> String {
        grouped(self.records)
    }
}

impl Sizes {
    pub(crate) fn new(collector: &Collector, bytes: u64) -> Sizes {
        let layers = [Lane::Container, Lane::Libxl, Lane::Libxc];
        let mut stream: Vec<Row> = layers.into_iter().flat_map(|lane| rows(collector, lane, bytes)).collect();
        stream.sort_by_key(|row| std::cmp::Reverse(row.bytes));
        let largest = stream.first().map_or(1, |row| row.bytes.max(1));
        // A scale on which each step is a thousand times more: sizes reach from 8 bytes to terabytes.
        const UNITS: [&str; 7] = ["1 B", "1 KiB", "1 MiB", "1 GiB", "1 TiB", "1 PiB", "1 EiB"];
        let top = (largest as f64).log2().max(10.0);
        let grid = UNITS.iter().zip(0..).map(|(unit, step)| (f64::from(10 * step) / top * 100.0, *unit));
        let grid = grid.take_while(|(place, _)| *place <= 100.0).collect();
        Sizes { stream, grid, top }
    }

    /// Where a number of bytes lies on the scale.
    pub(crate) fn place(&self, bytes: &u64) -> f64 {
        ((*bytes).max(1) as f64).log2() / self.top * 100.0
    }
}

/// The types of a lane, in their own order.
pub(crate) fn rows(collector: &Collector, lane: Lane, whole: u64) -> Vec<Row> {
    let sums = collector.runs.sums(lane, whole);
    let row = |(slot, Sum { records, bytes }): (usize, Sum)| {
        let (words, group) = slot_words(lane, slot);
        Row {
            lane,
            group,
            label: slot_label(lane, slot),
            words,
            records,
            bytes,
            share: percent(bytes, whole),
        }
    };
    sums.into_iter().enumerate().filter(|(_, sum)| sum.records > 0).map(row).collect()
}
