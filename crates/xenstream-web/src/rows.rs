//! The record table.

use serde::Serialize;
use xenstream::inspect::{Fold, Row, Sink};

/// Rows that are kept. A hostile image may have millions.
const KEPT: usize = 50_000;

/// Keeps the rows of an image, runs of PAGE_DATA as one.
#[derive(Default)]
pub(crate) struct Rows {
    fold: Fold,
    rows: Vec<Line>,
    count: u64,
}

/// A row as the page shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    offset: u64,
    index: String,
    layer: &'static str,
    depth: u8,
    #[serde(rename = "type")]
    kind: String,
    length: u64,
    content: String,
    torn: bool,
}

impl Line {
    fn new(row: &Row) -> Line {
        let index = match (row.head.index, row.last_index) {
            (Some(first), Some(last)) if last != first => format!("{first}-{last}"),
            (Some(index), _) => index.to_string(),
            (None, _) => String::new(),
        };
        Line {
            offset: row.head.offset,
            index,
            layer: row.head.layer.name(),
            depth: row.head.depth,
            kind: row.head.kind.to_string(),
            length: row.head.body_length,
            content: row.content.to_string(),
            torn: row.torn,
        }
    }
}

impl Rows {
    fn keep(&mut self, row: &Row) {
        self.count += 1;
        if self.rows.len() < KEPT {
            self.rows.push(Line::new(row));
        }
    }

    /// Returns the rows that were kept, and how many there were.
    pub(crate) fn finish(mut self) -> (Vec<Line>, u64) {
        if let Some(last) = self.fold.finish() {
            self.keep(&last);
        }
        (self.rows, self.count)
    }
}

impl Sink for Rows {
    fn row(&mut self, row: Row) {
        for over in self.fold.take(row) {
            self.keep(&over);
        }
    }
}
