//! Inspection: whatever comes in, the verdict is that of a verification, rows come in stream order and stay small, and
//! bytes that are handed out are the stream's.

use xenstream::inspect::{Head, Inspection, Row, Sink, inspect as inspect_input};
use xenstream::{Compression, Error, Input, Layer, Options, Report, verify_slice};

use crate::setup::Setup;

/// Longest line of text, and of JSON, that a row may make.
const LINE_MAX: usize = 8 << 10;
const JSON_MAX: usize = 256 << 10;

/// Inspects the bytes and asserts what holds of every inspection.
///
/// # Panics
/// If it does not hold.
pub fn inspect(setup: Setup, stream: &[u8]) {
    let options = Options::new(setup.policy().clone()).with_format(setup.format);
    let expected = verify_slice(stream, &options);
    let plain = Compression::recognise(stream).is_none().then_some(stream);
    let mut rows = Rows { stream: plain, bodies: setup.bodies, ..Rows::default() };
    let inspected = inspect_input(Input::Slice(stream), &options, &mut rows);
    match (expected, inspected) {
        (Ok(expected), Ok(inspected)) => {
            agree(&expected, &inspected, plain);
            rows.check(&expected);
        }
        (Err(Error::Decompress { .. }), Err(Error::Decompress { .. })) => {}
        (expected, inspected) => panic!("{expected:?} verified, {inspected:?} inspected"),
    }
}

fn agree(expected: &Report, Inspection { report, view, .. }: &Inspection, stream: Option<&[u8]>) {
    assert_eq!(expected.verdict, report.verdict);
    assert_eq!((&expected.warnings, &expected.findings), (&report.warnings, &report.findings));
    assert_eq!(expected.summary, report.summary);
    let Some(view) = view else { return };
    let violation = report.violation().expect("only what is wrong is shown");
    assert!(view.offset <= violation.offset, "{violation} lies before {view:?}");
    if let Some(stream) = stream {
        assert!(stream[view.offset as usize..].starts_with(&view.bytes), "{violation} is shown as {view:?}");
    }
}

#[derive(Default)]
struct Rows<'s> {
    stream: Option<&'s [u8]>,
    bodies: bool,
    begun: u64,
    /// Every other row's bytes are asked for, of this one those from here on are due.
    due: Option<(u64, u64)>,
    last: Option<Row>,
    rows: u64,
}

impl Rows<'_> {
    fn check(&self, report: &Report) {
        assert_eq!(self.begun, self.rows, "a row for everything that begins");
        if let Some(row) = self.last.as_ref().filter(|row| !row.torn) {
            assert!(row.head.offset <= report.summary.bytes, "{row} is not in the stream");
        }
    }
}

impl Sink for Rows<'_> {
    fn begin(&mut self, head: &Head) -> bool {
        self.begun += 1;
        if let Some(last) = &self.last {
            assert!(!last.torn, "{last} is the last");
            assert!(last.head.offset < head.offset, "{head:?} follows {last}");
        }
        if head.layer != Layer::Hvm {
            self.due = None;
        }
        let wanted = self.bodies && self.begun.is_multiple_of(2);
        if wanted {
            let (start, end) = self.due.unwrap_or((head.offset, 0));
            self.due = Some((if start >= end { head.offset } else { start }, end.max(head.end())));
        }
        wanted
    }

    fn bytes(&mut self, offset: u64, bytes: &[u8]) {
        let (start, end) = self.due.expect("bytes come to who asked for them");
        let next = offset + bytes.len() as u64;
        assert!(offset == start && next <= end, "{offset}-{next} of {start}-{end}");
        self.due = Some((next, end));
        if let Some(stream) = self.stream {
            assert!(stream[offset as usize..].starts_with(bytes), "bytes at {offset}");
        }
    }

    fn row(&mut self, row: Row) {
        self.rows += 1;
        let is_chain = row.head.layer == Layer::Hvm || row.head.kind.to_string() == "HVM_CONTEXT";
        if let Some((start, end)) = self.due.filter(|_| !row.torn && !is_chain) {
            assert_eq!(start, end, "all bytes come in front of {row}");
        }
        let line = row.content.to_string();
        assert!(line.len() <= LINE_MAX && line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
        let json = serde_json::to_string(&row).expect("a row has nothing that JSON has not");
        assert!(json.len() <= JSON_MAX, "{json}");
        self.last = Some(row);
    }
}
