//! The std readers over input that misbehaves: short reads, interruptions, errors, files that shrink. Whatever it
//! does, the verdict is the right one or there is none, and the verification comes to an end. So it does for who
//! inspects the stream.

use std::cell::RefCell;
use std::io::{self, Read};

use xenstream::{
    Checker, Error, Input, Layer, Level, Options, ReadAt, Report, Rule, Verdict, Violation, verify,
    verify_slice,
};

use crate::inspect;
use crate::script::Script;
use crate::setup::Setup;

/// Verifies the bytes through a reader and a file that behave as `data` says, and asserts that the verdict is that of
/// the whole bytes in memory.
///
/// # Panics
/// If it is not.
pub fn source(data: &[u8]) {
    let (setup, rest) = Setup::split(data);
    let (script, stream) = Script::split(rest);
    // Only files are judged for what lies after the stream's end.
    let policy = setup.policy().clone().with_level(Rule::StreamTrailingData, Level::Allow);
    let policy = policy.and_then(|policy| policy.with_level(Rule::StreamTrailingZeros, Level::Allow));
    // Nor is the memory of a PV guest walked a second time for what its registers name.
    let by_std = Rule::all().filter(|rule| rule.entry().by == Checker::Std && rule.layer() == Layer::Pv);
    let policy =
        by_std.fold(policy, |policy, rule| policy.and_then(|policy| policy.with_level(rule, Level::Allow)));
    let policy = policy.expect("what files alone are judged for is not structural");
    let options = Options::new(policy).with_format(setup.format);
    let expected = verify_slice(stream, &options);
    inspect(setup, stream);

    let mut reader = Reader { rest: stream, script: Script::new(script) };
    let read = verify(Input::Reader(&mut reader), &options, &mut ());
    agree(&expected, &read, reader.script.failed, "reader");

    let file = File { stream, script: RefCell::new(Script::new(script)) };
    let read = verify(Input::Positioned(&file), &options, &mut ());
    let script = file.script.into_inner();
    if script.cut == usize::MAX {
        agree(&expected, &read, script.failed, "file");
    } else if let Ok(report) = &read {
        // It shrank while it was read. What is found may be the truth of any of its sizes, no more.
        if let Some(violation) = report.violation() {
            assert!(violation.offset <= stream.len() as u64 + 4, "{violation} lies behind the file's end");
        }
    }
}

/// Is this what the whole bytes gave? Without a verdict there must have been trouble, or compressed data.
fn agree(expected: &Result<Report, Error>, read: &Result<Report, Error>, failed: bool, how: &str) {
    match (expected, read) {
        (_, Err(Error::Read { .. } | Error::Decompress { .. } | Error::Inspect(_))) if failed => {}
        (Err(Error::Decompress { .. }), Err(Error::Decompress { .. })) => {}
        (Ok(expected), Ok(read)) => {
            assert_eq!(verdict(expected), verdict(read), "{how}");
            assert_eq!(expected.warnings, read.warnings, "{how}");
            assert_eq!(expected.findings, read.findings, "{how}");
            if expected.is_valid() {
                assert_eq!(expected.summary, read.summary, "{how}");
            }
        }
        // A damaged end of compressed data is met or not, depending on how far a source reads after the stream.
        (Err(Error::Decompress { .. }), Ok(read)) if read.compression.is_some() => {}
        (Ok(expected), Err(Error::Decompress { .. })) if expected.compression.is_some() => {}
        (expected, read) => panic!("{how}: {expected:?} in memory, {read:?} from the source"),
    }
}

fn verdict(report: &Report) -> Option<Violation> {
    match report.verdict {
        Verdict::Valid => None,
        Verdict::Invalid(violation) | Verdict::Unjudged(violation) => Some(violation),
    }
}

/// Bytes that come as a script says.
pub(crate) struct Reader<'s> {
    pub(crate) rest: &'s [u8],
    pub(crate) script: Script<'s>,
}

impl Read for Reader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let wanted = self.script.step(bytes.len().min(self.rest.len()))?;
        self.rest.read(&mut bytes[..wanted])
    }
}

struct File<'s> {
    stream: &'s [u8],
    script: RefCell<Script<'s>>,
}

impl ReadAt for File<'_> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut script = self.script.borrow_mut();
        let wanted = script.step(bytes.len())?;
        let there = &self.stream[..self.stream.len().min(script.cut)];
        let mut rest = usize::try_from(offset).ok().and_then(|offset| there.get(offset..)).unwrap_or(&[]);
        rest.read(&mut bytes[..wanted])
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.stream.len().min(self.script.borrow().cut) as u64)
    }
}
