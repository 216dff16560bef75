//! Every case of the corpus under every profile: rule, offset and warnings are the expected ones, whichever way the
//! bytes come. The two rules that only this crate checks are among them.

use std::io::{self, Read};

use xenstream::{
    Compression, Input, Layer, Level, Options, Policy, Profile, ReadAt, Report, Rule, verify, verify_reader,
    verify_slice,
};
use xenstream_synth::cases::{self, Case, Outcome};
use xenstream_synth::corpus::valid_streams;

/// What a verification found, as the cases tell it.
fn outcome(report: &Report) -> Outcome {
    Outcome {
        refused: report.violation().map(|violation| (violation.rule, violation.offset)),
        warnings: report.warnings.listed().iter().map(|warning| warning.rule).collect(),
    }
}

/// The report on a stream of a case. What a second walk is needed for is read as a file.
fn judged(case: &Case, stream: &Vec<u8>, options: &Options) -> Report {
    if case.is_for_std() && case.rule.layer() == Layer::Pv {
        verify(Input::Positioned(stream), options, &mut ()).unwrap()
    } else {
        verify_slice(stream, options).unwrap()
    }
}

fn options(case: &Case, policy: Policy) -> Options {
    crate::common::options(case, policy).with_derived_limits(false)
}

/// One byte at a time.
struct Drops<'o>(&'o [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let one = bytes.len().min(1);
        self.0.read(&mut bytes[..one])
    }
}

/// A file in memory, read in pieces that no structure of the stream agrees with.
struct Pieces<'o>(&'o [u8]);

impl ReadAt for Pieces<'_> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut rest = self.0.get(offset as usize..).unwrap_or(&[]);
        let some = bytes.len().min(13);
        rest.read(&mut bytes[..some])
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}

#[test]
fn every_case_has_the_expected_outcome() {
    let cases = cases::all();
    for case in &cases {
        for profile in Profile::all() {
            let name = format!("{} {} under {profile}", case.rule.layer(), case.name());
            let report = judged(case, &case.stream, &options(case, case.policy(profile)));
            assert_eq!(outcome(&report), *case.outcome(profile), "{name}");
            if let Some(violation) = report.violation().filter(|violation| violation.rule == case.rule) {
                assert_eq!(violation.record, case.record, "{name}");
            }
        }
        let spec = case.policy(Profile::Spec);
        let neighbour = judged(case, &case.neighbour, &options(case, spec));
        assert_eq!(neighbour.violation(), None, "neighbour of {} {}", case.rule.layer(), case.name());
    }
    for rule in [Rule::XlConfigJson, Rule::LibvirtXmlSyntax] {
        assert!(cases.iter().any(|case| case.rule == rule), "no case for {rule}");
    }
}

#[test]
fn every_source_says_the_same() {
    for case in cases::all() {
        // Only a file is judged for what lies after the stream's end.
        let policy = case.policy(Profile::Spec).with_level(Rule::StreamTrailingData, Level::Allow).unwrap();
        let policy = policy.with_level(Rule::StreamTrailingZeros, Level::Allow).unwrap();
        let options = options(&case, policy);
        let name = format!("{} {}", case.rule.layer(), case.name());
        let whole = verify_slice(&case.stream, &options).unwrap();
        // What can be read at any place is walked a second time, and what comes in order is judged on page tables.
        let lowered = |policy: Policy, rule: &Rule| policy.with_level(*rule, Level::Allow).unwrap();
        let mut walked_once = options.clone();
        walked_once.policy = whole.unchecked.iter().fold(options.policy.clone(), lowered);
        let drops = verify_reader(Drops(&case.stream), &walked_once).unwrap();
        let pieces = verify(Input::Positioned(&Pieces(&case.stream)), &walked_once, &mut ()).unwrap();
        for (report, how) in [(drops, "byte by byte"), (pieces, "by positioned reads")] {
            assert_eq!(report.verdict, whole.verdict, "{name}, {how}");
            assert_eq!(report.warnings, whole.warnings, "{name}, {how}");
            assert_eq!(report.format, whole.format, "{name}, {how}");
            if whole.is_valid() {
                assert_eq!(report.summary, whole.summary, "{name}, {how}");
            }
        }
    }
}

#[test]
fn valid_images_are_valid_when_compressed() {
    for (name, stream) in valid_streams() {
        let bytes = stream.bytes();
        let options = Options::new(Policy::spec()).with_format(stream.format());
        let plain = verify_slice(&bytes, &options).unwrap();
        let packed = zstd::encode_all(&bytes[..], 1).unwrap();
        let report = verify_slice(&packed, &options).unwrap();
        assert_eq!(report.compression, Some(Compression::Zstd), "{name}");
        assert_eq!((report.verdict, report.summary), (plain.verdict, plain.summary), "{name}");
        assert_eq!(
            (report.bytes_read, plain.bytes_read),
            (packed.len() as u64, bytes.len() as u64),
            "{name}"
        );
    }
}
