//! Lists the records of an image as they pass, one per line. A run of PAGE_DATA is one line, since an image has thousands.

use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::Path;

use xenstream::wire::{Order, libxc};
use xenstream::{Header, Layer, Observer, PageBatch, Record};

use crate::output::{self, Out, plural};

/// An observer that lists headers and records.
pub(crate) struct Listing<W = Out> {
    out: W,
    title: Option<String>,
    run: Option<Run>,
    written: io::Result<()>,
}

/// A run of consecutive PAGE_DATA records.
struct Run {
    first: Record,
    indices: RangeInclusive<u64>,
    /// Offset after the last record.
    end: u64,
    entries: u64,
    pages: u64,
}

impl Listing {
    /// Creates a listing with this title, which is printed together with the first line.
    pub(crate) fn new(path: &Path) -> Listing {
        Listing { title: Some(output::name(path)), ..Listing::to(output::text()) }
    }
}

impl<W: Write> Listing<W> {
    /// Creates a listing without a title.
    pub(crate) fn to(out: W) -> Listing<W> {
        Listing { out, title: None, run: None, written: Ok(()) }
    }

    /// Prints the last run.
    ///
    /// # Errors
    /// A line could not be printed.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.end_run();
        self.written?;
        self.out.flush()
    }

    fn line(&mut self, offset: u64, layer: Layer, index: &str, what: &str, rest: &str) {
        if self.written.is_err() {
            return;
        }
        self.written = self.try_line(offset, layer, index, what, rest);
    }

    fn try_line(&mut self, offset: u64, layer: Layer, index: &str, what: &str, rest: &str) -> io::Result<()> {
        if let Some(title) = self.title.take() {
            writeln!(self.out, "{title}")?;
        }
        writeln!(self.out, "  {offset:>14}  {layer:<7} {index:>11}  {what:<25} {rest}")
    }

    fn end_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        let Run { first, indices, end, entries, pages } = run;
        let (from, to) = (indices.start(), indices.end());
        let records = to - from + 1;
        let index = if records == 1 { from.to_string() } else { format!("{from}-{to}") };
        let rest = format!(
            "{records} {}, {pages} {} of {entries} {}, up to {end}",
            plural(records, "record"),
            plural(pages, "page"),
            if entries == 1 { "entry" } else { "entries" },
        );
        self.line(first.offset, first.layer, &index, "PAGE_DATA", &rest);
    }
}

impl<W: Write> Observer for Listing<W> {
    fn header(&mut self, header: &Header) {
        self.end_run();
        let order = |order: &Order| match order {
            Order::Little => "little-endian",
            Order::Big => "big-endian",
        };
        let rest = match header {
            Header::Xl { order: o, mandatory_flags, optional_data_len, .. } => {
                format!(
                    "{}, flags {mandatory_flags:#x}, {optional_data_len} bytes of optional data",
                    order(o)
                )
            }
            Header::Libvirt { order: o, version, xml_len, .. } => {
                format!("{}, version {version}, {xml_len} bytes of XML", order(o))
            }
            Header::Xenopsd { .. } => String::new(),
            Header::Libxl { order: o, options, .. } => format!("{}, options {options:#x}", order(o)),
            Header::LibxcImage { order: o, version, .. } => format!("{}, version {version}", order(o)),
            Header::LibxcDomain { guest, xen: (major, minor), .. } => format!("{guest}, Xen {major}.{minor}"),
            // A kind of header that was added to the library later.
            _ => return,
        };
        self.line(header.offset(), header.layer(), "", header.name(), &rest);
    }

    fn record(&mut self, record: &Record) {
        // Entries inside HVM_CONTEXT are not records of the stream.
        if record.layer == Layer::Hvm {
            return;
        }
        if record.layer == Layer::Libxc && record.kind == u64::from(libxc::types::PAGE_DATA) {
            let end = record.end();
            match &mut self.run {
                Some(run) => {
                    run.indices = *run.indices.start()..=record.index;
                    run.end = end;
                }
                None => {
                    let indices = record.index..=record.index;
                    self.run = Some(Run { first: *record, indices, end, entries: 0, pages: 0 });
                }
            }
            return;
        }
        self.end_run();
        let reference = record.reference();
        let name = reference.type_label().map(|label| label.to_string()).unwrap_or_default();
        let length = record.body_length;
        let rest = format!("{length} {}", plural(length, "byte"));
        self.line(record.offset, record.layer, &record.index.to_string(), &name, &rest);
    }

    fn page_batch(&mut self, batch: &PageBatch) {
        if let Some(run) = &mut self.run {
            run.entries += u64::from(batch.count);
            run.pages += batch.pages;
        }
    }
}
