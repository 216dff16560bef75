//! Runs of PAGE_DATA, of which an image has thousands, as one row.

use crate::inspect::{Content, Row};

/// Makes one row of PAGE_DATA records that follow one another; other rows pass through it.
#[derive(Debug, Default)]
pub struct Fold {
    run: Option<Row>,
}

impl Fold {
    /// Takes a row, and gives back those that are over, in their order.
    pub fn take(&mut self, row: Row) -> impl Iterator<Item = Row> + use<> {
        let (over, other) = match (&mut self.run, &row.content) {
            (Some(run), Content::PageData(_)) if continues(run, &row) => {
                extend(run, &row);
                (None, None)
            }
            (run, Content::PageData(_)) => (run.replace(row), None),
            (run, _) => (run.take(), Some(row)),
        };
        over.into_iter().chain(other)
    }

    /// The run that is not over yet, at the end of everything.
    pub fn finish(&mut self) -> Option<Row> {
        self.run.take()
    }
}

fn continues(run: &Row, row: &Row) -> bool {
    let last = run.last_index.or(run.head.index);
    row.head.offset == run.head.end() && last.and_then(|last| last.checked_add(1)) == row.head.index
}

fn extend(run: &mut Row, row: &Row) {
    run.last_index = row.head.index;
    run.head.body_length = run.head.body_length.saturating_add(row.head.body_length);
    run.head.bytes = run.head.bytes.saturating_add(row.head.bytes);
    run.torn = row.torn;
    if let (Content::PageData(batch), Content::PageData(more)) = (&mut run.content, &row.content) {
        batch.add(more);
    }
}
