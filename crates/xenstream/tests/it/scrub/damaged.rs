//! Streams that are invalid: what is before the damage is scrubbed, and of what is behind it nothing is left.

use xenstream::{Layer, Profile, Rule, Violation};

use super::common::{DAMAGED, corpus, options, read, scrubbed};

#[test]
fn a_broken_stream_is_broken_in_the_same_place_once_it_is_scrubbed() {
    for (path, bytes) in corpus("rules") {
        let path = path.display();
        for profile in Profile::ALL {
            let (before, _) = read(&bytes, &options(profile));
            let Some(violation) = before.violation() else { continue };
            let (scrubbed, out) = scrubbed(&bytes, &options(profile), DAMAGED);
            assert_eq!(
                scrubbed.report.violation().map(place),
                Some(place(violation)),
                "{path} under {profile}"
            );
            if matches!(violation.rule, Rule::StreamUnrecognised | Rule::StreamLegacy) {
                assert_eq!(
                    (scrubbed.bytes, out.len()),
                    (None, 0),
                    "{path}: what is no image is not scrubbed"
                );
                continue;
            }
            assert_eq!(out.len(), bytes.len(), "{path} under {profile}");
            // What is wrong with page tables and registers goes with them.
            if violation.layer() != Layer::Pv {
                let (after, _) = read(&out, &options(profile));
                assert_eq!(after.violation().map(place), Some(place(violation)), "{path} under {profile}");
            }
        }
    }
}

fn place(violation: &Violation) -> (Rule, u64) {
    (violation.rule, violation.offset)
}
