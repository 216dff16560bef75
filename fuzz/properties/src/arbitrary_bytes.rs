//! Any bytes, any format, any policy: what holds of one verification, whatever comes in.

use xenstream_core::{Level, Observer, Policy, Profile, Rule, Verifier, Violation};

use crate::setup::Setup;

/// Verifies the bytes and asserts what holds of every verification.
///
/// # Panics
/// If it does not hold.
pub fn arbitrary_bytes(data: &[u8]) {
    let (setup, stream) = Setup::split(data);
    let accepted = judge(setup, stream);
    // What hardened takes, the other two take: it is spec, plus restore's refusals, plus limits.
    if accepted && setup.profile == Profile::Hardened {
        for profile in [Profile::Spec, Profile::Restore] {
            assert!(judge(Setup { profile, ..setup }, stream), "hardened accepts what {profile} refuses");
        }
    }
}

/// Warnings and findings lie where the stream has been.
struct Places(u64);

impl Observer for Places {
    fn on_warning(&mut self, warning: &Violation) {
        assert_placed(warning, self.0);
    }
    fn on_finding(&mut self, finding: &Violation) {
        assert_placed(finding, self.0);
    }
}

fn judge(setup: Setup, stream: &[u8]) -> bool {
    let policy = setup.policy();
    let total = stream.len() as u64;
    let mut places = Places(total);
    let mut verifier = Verifier::new(setup.format, policy);
    let verdict = match verifier.push(stream, &mut places) {
        Err(violation) => Err(violation),
        Ok(progress) => {
            assert!(progress.consumed <= stream.len());
            assert_eq!(progress.consumed as u64, verifier.position());
            assert_eq!(progress.ended, verifier.is_ended());
            assert!(progress.ended || progress.consumed == stream.len(), "bytes left over inside the stream");
            let need = verifier.need();
            assert_eq!(need.certain == 0, progress.ended, "a stream that goes on needs a byte");
            assert!(need.skippable <= need.certain);
            if progress.ended {
                // After the end nothing is taken.
                let more = verifier.push(b"behind the end", &mut places).unwrap();
                assert_eq!((more.consumed, more.ended), (0, true));
            }
            verifier.finish(&mut places)
        }
    };
    match verdict {
        Ok(summary) => {
            assert!(summary.bytes <= total);
            assert!(summary.records.total() * 8 <= total, "more records than there is room for");
            let entries: u64 = summary.pages.entries();
            assert!(entries * 8 <= total, "more entries than there is room for");
            // A stream that fails over may end after the entries of a batch, in front of its pages.
            let torn = summary.restorable_to_checkpoint.is_some();
            assert!(torn || summary.pages.bytes() <= total, "more pages than there is room for");
        }
        Err(violation) => {
            assert_placed(&violation, total);
            assert!(denies(policy, violation.rule), "{violation} is not at deny");
            // The verdict is final, whatever is asked next.
            assert_eq!(verifier.push(stream, &mut places), Err(violation));
            assert_eq!(verifier.finish(&mut ()), Err(violation));
            assert_eq!(verifier.need().certain, 0);
            assert!(verifier.skip(1).is_err());
            // Often enough: to put it into words takes longer than to find it.
            if total.is_multiple_of(16) {
                assert!(!violation.to_string().contains('\n'));
            }
        }
    }
    verdict.is_ok()
}

/// May a stream be refused for this rule? `restore` refuses an optional record only where a checkpoint replays it.
fn denies(policy: &Policy, rule: Rule) -> bool {
    policy.level(rule) == Level::Deny
        || rule == Rule::LibxcRecordOptional && policy.profile() == Profile::Restore
}

/// A finding lies where the stream has been. The length field of a torn entry of HVM_CONTEXT's chain is looked for up
/// to 4 bytes after what is left of the body.
fn assert_placed(violation: &Violation, total: u64) {
    let slack = if violation.rule == Rule::HvmEntryOverrun { 4 } else { 0 };
    assert!(violation.offset <= total + slack, "{violation} lies behind the {total} bytes of input");
    if let Some(record) = violation.record {
        assert!(record.offset <= total, "{violation} is in a record behind the {total} bytes of input");
    }
}
