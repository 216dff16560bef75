//! Scrubbing: whatever comes in, the verdict is that of a verification; of a valid stream the output is one of the same
//! shape with nothing in its pages, and of a damaged one it is as long as the input.

use xenstream::scrub::{Output, Scrub, Scrubbed, scrub as scrub_input};
use xenstream::{
    Compression, Error, Input, Observer, Options, PageBatch, Report, Rule, verify, verify_reader,
    verify_slice,
};
use xenstream_core::wire::PAGE_SIZE;

use crate::script::Script;
use crate::setup::Setup;
use crate::source::Reader;

/// Scrubs the bytes, of which the last ones choose how, and asserts what holds of every scrubbing.
///
/// # Panics
/// If it does not hold.
pub fn scrub(data: &[u8]) {
    let (setup, rest) = Setup::split(data);
    let (script, rest) = Script::split(rest);
    let Some((wish, stream)) = rest.split_last() else { return };
    let what =
        Scrub::MEMORY.with_registers(wish & 1 != 0).with_names(wish & 2 != 0).with_damaged(wish & 4 != 0);
    let options = Options::new(setup.policy().clone()).with_format(setup.format);
    let (expected, scrubbed, out) = match (verify_slice(stream, &options), scrubbed(stream, &options, what)) {
        (Ok(expected), (Ok(scrubbed), out)) => (expected, scrubbed, out),
        (Err(Error::Decompress { .. }), (Err(Error::Decompress { .. }), _)) => return,
        (expected, (scrubbed, _)) => panic!("{expected:?} verified, {scrubbed:?} scrubbed"),
    };
    // A stream is scrubbed as it comes, so page types are looked at as in a pipe; of damaged ones they are not.
    let in_order = verify_reader(stream, &options).ok().filter(|_| !what.damaged);
    let violation = in_order.as_ref().and_then(Report::violation).or(expected.violation());
    assert_eq!(violation, scrubbed.report.violation());
    let is_valid = violation.is_none();
    if Compression::recognise(stream).is_none() {
        assert!(out.len() <= stream.len(), "{} bytes of {}", out.len(), stream.len());
        assert!(scrubbed.bytes.is_none_or(|bytes| bytes == stream.len() as u64));
    }
    match scrubbed.bytes {
        Some(bytes) => {
            assert_eq!(bytes, out.len() as u64);
            assert!(scrubbed.zero_from.is_none() || !is_valid);
            same_again(&out, &options, what, is_valid);
        }
        None => refused(&scrubbed.report, what),
    }
    assert_eq!(scrubbed.output.is_some(), scrubbed.bytes.is_some(), "what comes out is judged");
    if is_valid {
        same_shape(&expected, &out, &options);
    }
    pieces(stream, script, &options, what, &scrubbed, &out);
}

fn scrubbed(stream: &[u8], options: &Options, what: Scrub) -> (Result<Scrubbed, Error>, Vec<u8>) {
    let mut out = Vec::new();
    let scrubbed = scrub_input(Input::Slice(stream), Output::Writer(&mut out), options, what);
    (scrubbed, out)
}

/// There is no output, and that has a reason.
fn refused(report: &Report, what: Scrub) {
    let violation = report.violation().expect("what is valid is scrubbed");
    if what.damaged {
        let last = report.findings.listed().last().map_or(violation.rule, |last| last.rule);
        assert!(matches!(last, Rule::StreamUnrecognised | Rule::StreamLegacy), "{violation}, {last}");
    }
}

/// Scrubbed once more it stays as it is, if it is valid. Of a damaged stream what is wrong may then be wrong in another
/// way: it stays as long as it is, or is no image any more, zero from its magic on.
fn same_again(out: &[u8], options: &Options, what: Scrub, is_valid: bool) {
    let (again, twice) = scrubbed(out, options, what);
    let again = again.expect("an output is not compressed");
    assert!(!is_valid || again.bytes.is_some(), "what came out is invalid: {:?}", again.report.violation());
    if is_valid {
        assert!(twice == out, "another output when it is scrubbed twice");
    } else {
        assert!(twice.is_empty() || twice.len() == out.len(), "{} bytes of {}", twice.len(), out.len());
    }
}

/// The output is a stream with the same records, and its pages are empty.
fn same_shape(expected: &Report, out: &[u8], options: &Options) {
    let mut pages = Pages { out, left: 0 };
    let after = verify(Input::Slice(out), options, &mut pages).expect("an output is not compressed");
    assert_eq!(after.violation(), None);
    let shape = |report: &Report| {
        let summary = report.summary;
        // Not the version of Xen: one that is no likely number becomes another.
        // Nor what is in the torn record of a stream that fails over: its entries may be no entries.
        let pages = summary.restorable_to_checkpoint.is_none().then_some(summary.pages);
        (summary.format, summary.guest, summary.records, pages, summary.bytes)
    };
    assert_eq!(shape(expected), shape(&after));
    assert_eq!(expected.derived_limits, after.derived_limits);
    assert_eq!(pages.left, 0, "pages with something in them");
}

struct Pages<'o> {
    out: &'o [u8],
    left: u64,
}

impl Observer for Pages<'_> {
    fn on_page_batch(&mut self, batch: &PageBatch) {
        let behind = &self.out[self.out.len().min(batch.offset as usize)..];
        let pages = &behind[..behind.len().min((batch.pages * PAGE_SIZE) as usize)];
        self.left +=
            pages.chunks(PAGE_SIZE as usize).filter(|page| page.iter().any(|byte| *byte != 0)).count() as u64;
    }
}

/// Bytes that come in pieces, with interruptions, make the same output, but for what is after the stream's end, which
/// is not a reader's.
fn pieces(stream: &[u8], script: &[u8], options: &Options, what: Scrub, whole: &Scrubbed, out: &[u8]) {
    let mut reader = Reader { rest: stream, script: Script::new(script) };
    let mut read = Vec::new();
    let outcome = scrub_input(Input::Reader(&mut reader), Output::Writer(&mut read), options, what);
    let scrubbed = match outcome {
        Ok(scrubbed) => scrubbed,
        Err(Error::Read { .. } | Error::Decompress { .. } | Error::Inspect(_)) => {
            assert!(reader.script.failed || Compression::recognise(stream).is_some());
            return;
        }
        Err(error) => panic!("{error:?} from a reader"),
    };
    if whole.bytes.is_some() && scrubbed.bytes.is_some() {
        assert!(out.starts_with(&read), "another output in pieces");
        assert!(scrubbed.report.summary.bytes <= read.len() as u64);
    }
}
