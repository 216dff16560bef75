//! The relay between a reader and a writer that misbehave: what comes out is the beginning of what went in, holds the
//! whole of no record that was refused, and nothing after the stream's end is taken.

use std::io::{self, ErrorKind, Read, Write};

use xenstream::{Error, Level, Options, Report, Rule, Verdict, relay_with, verify_reader};
use xenstream_core::wire::RECORD_HEADER;
use xenstream_core::{Layer, Observer, Record, Verifier};

use crate::script::Script;
use crate::setup::Setup;

/// Relays the bytes through ends that behave as `data` says.
///
/// # Panics
/// If more or other bytes come out than should, more are taken than the stream has, or the verdict is not that of the
/// whole bytes in memory.
pub fn relay(data: &[u8]) {
    let (setup, rest) = Setup::split(data);
    let (script, stream) = Script::split(rest);
    let (reads, writes) = script.split_at(script.len() / 2);
    let options = options(setup);

    let mut reader = Reader { rest: stream, taken: 0, script: Script::new(reads) };
    let mut writer = Writer { got: Vec::new(), script: Script::new(writes) };
    let relayed = relay_with(&mut reader, &mut writer, &options);
    let got = writer.got;
    assert_eq!(relayed.bytes, got.len() as u64);
    assert!(stream.starts_with(&got), "what comes out is not the beginning of what went in");
    assert!(got.len() <= reader.taken, "more comes out than went in");

    let report = match relayed.result {
        Ok(report) => report,
        Err(Error::Read { .. }) => return assert!(reader.script.failed, "the reader did not fail"),
        Err(Error::Write { .. } | Error::ConsumerGone { .. }) => {
            return assert!(writer.script.failed, "the writer did not fail");
        }
        Err(error) => panic!("{error:?}"),
    };
    if report.is_valid() {
        let bytes = usize::try_from(report.summary.bytes).expect("a stream in memory");
        assert_eq!(reader.taken, bytes, "bytes after the stream's end were taken");
    }
    judge(setup, &options, stream, &report, got.len() as u64);
}

/// The options of a relay: only files are judged for what lies after the stream's end.
pub(crate) fn options(setup: Setup) -> Options {
    let policy =
        setup.policy().clone().with_keep_going(false).with_level(Rule::StreamTrailingData, Level::Allow);
    let policy = policy.and_then(|policy| policy.with_level(Rule::StreamTrailingZeros, Level::Allow));
    let policy = policy.expect("what follows the end is not structural");
    Options::new(policy).with_format(setup.format).with_decompression(false)
}

/// Compares the report with that on the whole bytes in memory, and the number of bytes that came out with what may.
pub(crate) fn judge(setup: Setup, options: &Options, stream: &[u8], report: &Report, passed: u64) {
    match report.verdict {
        Verdict::Valid => assert_eq!(passed, report.summary.bytes, "a valid stream does not come out whole"),
        Verdict::Invalid(violation) | Verdict::Unjudged(violation) => {
            if violation.rule == Rule::StreamTruncated {
                assert_eq!(passed, stream.len() as u64, "a stream that just ends is held back");
            } else {
                let (judged, whole) = refused(setup, options, stream);
                // With what the configuration says the stream may be refused earlier than the core refuses it.
                assert!(passed < judged, "the byte that decided comes out");
                assert!(whole.is_none_or(|end| passed < end), "a refused record comes out whole");
            }
        }
    }
    let expected = verify_reader(stream, options).expect("bytes in memory can be read");
    assert_eq!(report.verdict, expected.verdict);
    assert_eq!(report.warnings, expected.warnings);
}

/// Hears which record of a stream was the last, entries inside HVM_CONTEXT's body not counted.
#[derive(Default)]
struct Last(Option<Record>);

impl Observer for Last {
    fn on_record(&mut self, record: &Record) {
        if record.layer != Layer::Hvm {
            self.0 = Some(*record);
        }
    }
}

/// Where the core refuses the bytes: a bound for the byte that decided, and the end of the record that is being read
/// there, if one is.
fn refused(setup: Setup, options: &Options, stream: &[u8]) -> (u64, Option<u64>) {
    let mut last = Last::default();
    let mut verifier = Verifier::new(setup.format, &options.policy);
    if verifier.push(stream, &mut last).is_ok() {
        // It is for the std crate to refuse this one.
        return (u64::MAX, None);
    }
    // No field that is judged at once is longer than this, and the position is not after it yet.
    let judged = verifier.position() + 8;
    let end = verifier.record().map(|record| match last.0 {
        Some(Record { layer, offset, body_offset, body_length, .. })
            if (layer, offset) == (record.layer, record.offset) =>
        {
            let padding = if layer == Layer::Xenopsd { 0 } else { body_length.wrapping_neg() % 8 };
            body_offset.saturating_add(body_length).saturating_add(padding).max(body_offset)
        }
        // Refused with its header.
        _ if record.layer == Layer::Xenopsd => record.offset + 2 * RECORD_HEADER,
        _ => record.offset + RECORD_HEADER,
    });
    (judged, end)
}

struct Reader<'s> {
    rest: &'s [u8],
    taken: usize,
    script: Script<'s>,
}

impl Read for Reader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let wanted = self.script.step(bytes.len().min(self.rest.len()))?;
        let n = self.rest.read(&mut bytes[..wanted])?;
        self.taken += n;
        Ok(n)
    }
}

struct Writer<'s> {
    got: Vec<u8>,
    script: Script<'s>,
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wanted = self.script.step(bytes.len())?;
        self.got.extend(&bytes[..wanted]);
        Ok(wanted)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.script.step(1) {
            // Bytes are not counted here.
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }
}
