//! Streams that were built: a valid one is accepted with the summary that its plan tells, a broken one is refused
//! where its change tells.

use arbitrary::{Arbitrary, Unstructured};
use xenstream_core::wire::{libxc, libxl};
use xenstream_core::{Follows, Format, Layer, Observer, Policy, Profile, Rule, Summary, Verifier, Violation};
use xenstream_synth::broken::Broken;
use xenstream_synth::plan::{Built, Expected, Plan};

use crate::setup::Setup;
use crate::splits::same_for_every_split;

/// Streams up to this size are verified in every split, too.
const SMALL: u64 = 2048;

/// Builds a stream from a plan that the bytes describe, and asserts that every profile makes of it what the plan says
/// and that the summary tells what was built.
///
/// # Panics
/// If it does not.
pub fn structured_valid(data: &[u8]) {
    if let Ok(plan) = Plan::arbitrary(&mut Unstructured::new(data)) {
        valid(&plan.build());
    }
}

/// Builds a stream that breaks one rule, and asserts that this rule refuses it where it was broken.
///
/// # Panics
/// If another does, at another place, or none.
pub fn structured_broken(data: &[u8]) {
    if let Ok(broken) = Broken::arbitrary(&mut Unstructured::new(data)) {
        self::broken(&broken);
    }
}

/// Asserts that every profile makes of a stream what its plan says.
///
/// # Panics
/// If one does not.
pub fn valid(built: &Built) {
    let (bytes, expected) = (built.bytes(), &built.expected);
    for profile in Profile::all() {
        let policy = Policy::new(profile).with_checkpointing(expected.checkpointing);
        for format in [Format::Auto, expected.format] {
            let (verdict, warnings) = verify(format, &policy, &bytes);
            let outcome = expected.outcome(profile);
            let refused = verdict.err().map(|violation| (violation.rule, violation.offset));
            assert_eq!(refused, outcome.refused, "refused by {profile}, told {format}");
            assert_eq!(warnings, outcome.warnings, "warnings of {profile}, told {format}");
            if let Ok(summary) = verdict {
                tells(&summary, expected);
            }
        }
    }
    if expected.bytes <= SMALL {
        let Expected { format, checkpointing, .. } = *expected;
        let setup = Setup { format, checkpointing, bodies: true, ..Setup::default() };
        let mut sizes = (1..).step_by(3).map(|n: usize| n % 97 + 1);
        same_for_every_split(setup, &bytes, || sizes.next().unwrap_or(1));
    }
}

/// Asserts that a stream is refused by the rule that it breaks, where it breaks it.
///
/// # Panics
/// If it is not.
pub fn broken(broken: &Broken) {
    let bytes = broken.bytes();
    let policy = broken.policy(Profile::Spec);
    let violation = if broken.is_for_std() {
        let options = xenstream::Options::new(policy).with_format(broken.format);
        // Some of these rules take an input that can be read at any place.
        let report = xenstream::verify(xenstream::Input::Positioned(&bytes), &options, &mut ())
            .expect("a stream in memory is not compressed");
        report.violation().copied()
    } else {
        verify(broken.format, &policy, &bytes).0.err()
    };
    let found = violation.map(|violation| (violation.rule, violation.offset, violation.record));
    assert_eq!(found, Some((broken.rule, broken.offset, broken.record)), "{violation:?}");
}

/// Hears which rules warn.
#[derive(Default)]
struct Warnings(Vec<Rule>);

impl Observer for Warnings {
    fn on_warning(&mut self, warning: &Violation) {
        self.0.push(warning.rule);
    }
}

/// The verdict on a whole stream in a regular file, and the warnings on the way.
fn verify(format: Format, policy: &Policy, bytes: &[u8]) -> (Result<Summary, Violation>, Vec<Rule>) {
    let mut warnings = Warnings::default();
    let mut verifier = Verifier::new(format, policy);
    let verdict = verifier.push(bytes, &mut warnings).and_then(|progress| {
        if progress.ended && progress.consumed < bytes.len() {
            verifier.trailing_data(Follows::of(&bytes[progress.consumed..]), &mut warnings)?;
        }
        verifier.finish(&mut warnings)
    });
    (verdict, warnings.0)
}

/// Asserts that a summary tells what was built.
fn tells(summary: &Summary, expected: &Expected) {
    assert_eq!(summary.format, expected.format);
    assert_eq!(summary.guest, Some(expected.guest));
    assert_eq!(summary.xen, Some(expected.xen));
    assert_eq!(summary.libxc_version, Some(expected.libxc_version));
    assert_eq!(summary.order, expected.order);
    assert_eq!(summary.guest_width, expected.guest_width);
    assert_eq!(summary.max_pfn, expected.max_pfn);
    assert_eq!(summary.pages.iter().map(|(_, n)| n).collect::<Vec<_>>(), expected.pages);
    assert_eq!(summary.checkpoints, expected.checkpoints);
    assert_eq!(summary.restorable_to_checkpoint, expected.fails_over.then_some(expected.checkpoints));
    assert_eq!(summary.bytes, expected.bytes);

    let types = (0..libxl::types::KNOWN).map(|kind| (Layer::Libxl, kind));
    for (layer, kind) in types.chain((0..libxc::types::KNOWN).map(|kind| (Layer::Libxc, kind))) {
        let told = summary.records.get(layer, kind);
        assert_eq!(told, expected.count(layer, kind), "{layer} records of type {kind}");
    }
    let xenopsd = expected.records.iter().filter(|(layer, _)| *layer == Layer::Xenopsd).count() as u64;
    assert_eq!(summary.records.optional(), expected.optional());
    assert_eq!(summary.records.container(), xenopsd);
    assert_eq!(summary.records.total() + xenopsd, expected.records.len() as u64);
}
