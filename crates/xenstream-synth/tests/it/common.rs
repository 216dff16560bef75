//! What several tests ask.

use xenstream_core::{Format, Policy, Rule, Verifier};
use xenstream_synth::Stream;

/// What a stream is refused for, and where.
pub(crate) fn refused(stream: &Stream, policy: &Policy) -> Option<(Rule, u64)> {
    let mut verifier = Verifier::new(Format::Auto, policy);
    let verdict = verifier.push(&stream.bytes(), &mut ()).and_then(|_| verifier.finish(&mut ()));
    verdict.err().map(|violation| (violation.rule, violation.offset))
}
