//! Lists headers and records of an image as they pass, one per line. A run of PAGE_DATA is one line, since an image has
//! thousands.

use std::io::{self, Write};
use std::path::Path;

use xenstream::Layer;
use xenstream::inspect::{Content, Fold, Inspector, Row, Sink};

use crate::output::{self, Out, plural};

/// An observer that lists headers and records.
pub(crate) type Listing<W = Out> = Inspector<Lines<W>>;

/// Creates a listing. The title is printed together with the first line.
pub(crate) fn listing<W: Write>(out: W, title: Option<&Path>) -> Listing<W> {
    let title = title.map(output::name);
    Inspector::new(Lines { out, title, fold: Fold::default(), written: Ok(()) })
}

/// Prints rows.
pub(crate) struct Lines<W> {
    out: W,
    title: Option<String>,
    fold: Fold,
    written: io::Result<()>,
}

impl<W: Write> Lines<W> {
    /// Prints the last run.
    ///
    /// # Errors
    /// A line could not be printed.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.written?;
        if let Some(row) = self.fold.finish() {
            print(&mut self.out, &mut self.title, &row)?;
        }
        self.out.flush()
    }
}

impl<W: Write> Sink for Lines<W> {
    fn row(&mut self, row: Row) {
        // Entries inside HVM_CONTEXT are not records of the stream.
        if self.written.is_ok() && row.head.layer != Layer::Hvm {
            let mut rows = self.fold.take(row);
            self.written = rows.try_for_each(|row| print(&mut self.out, &mut self.title, &row));
        }
    }
}

fn print(out: &mut impl Write, title: &mut Option<String>, row: &Row) -> io::Result<()> {
    if let Some(title) = title.take() {
        writeln!(out, "{title}")?;
    }
    let head = &row.head;
    let index = match (head.index, row.last_index) {
        (Some(first), Some(last)) => format!("{first}-{last}"),
        (Some(index), None) => index.to_string(),
        (None, _) => String::new(),
    };
    let rest = match &row.content {
        Content::PageData(batch) => {
            let (records, pages, entries) = (row.records(), batch.pages(), batch.entries());
            format!(
                "{records} {}, {pages} {} of {entries} {}, up to {}",
                plural(records, "record"),
                plural(pages, "page"),
                if entries == 1 { "entry" } else { "entries" },
                head.end(),
            )
        }
        content if head.index.is_none() && !content.is_nothing() => content.to_string(),
        _ => format!("{} {}", head.body_length, plural(head.body_length, "byte")),
    };
    writeln!(out, "  {:>14}  {:<7} {index:>11}  {:<25} {rest}", head.offset, head.layer.name(), head.kind)
}
