//! Every stream of the corpus: the output has the input's size, records and pages, and verifies wherever the input did.

use xenstream::scrub::Scrub;
use xenstream::{Input, Options, Profile, Report, Violation, verify, verify_reader};

use super::common::{DAMAGED, WISHES, corpus, options, read, scrub_into, scrubbed};

/// What must be the same in the output.
fn shape(report: &Report) -> impl PartialEq + std::fmt::Debug {
    let summary = report.summary;
    (
        summary.format,
        summary.guest,
        summary.records,
        summary.pages,
        summary.checkpoints,
        summary.bytes,
        summary.max_pfn,
    )
}

/// What is wrong with a file that is read once, in order. Of damaged ones, page types are not looked at.
fn violation(bytes: &[u8], options: &Options, what: Scrub) -> Option<Violation> {
    let in_memory = read(bytes, options).0;
    if what.damaged {
        return in_memory.violation().copied();
    }
    // Only a file has bytes after its stream.
    let in_order = verify_reader(bytes, options).unwrap();
    in_order.violation().or(in_memory.violation()).copied()
}

#[test]
fn scrubbing_keeps_streams_valid() {
    for (path, bytes) in corpus("valid").chain(corpus("rules")) {
        let path = path.display();
        let before = [Profile::Spec, Profile::Restore, Profile::Hardened]
            .map(|profile| read(&bytes, &options(profile)));
        for profile in Profile::all() {
            for what in WISHES.into_iter().chain([DAMAGED]) {
                let violation = violation(&bytes, &options(profile), what);
                let is_valid = violation.is_none();
                let (scrubbed, out) = scrubbed(&bytes, &options(profile), what);
                assert_eq!(scrubbed.report.violation(), violation.as_ref(), "{path}, {profile}, {what:?}");
                if scrubbed.bytes.is_none() {
                    assert!(!is_valid, "{path}, {profile}, {what:?}");
                    continue;
                }
                assert!(is_valid || what.damaged, "{path}, {profile}, {what:?}");
                assert_eq!(scrubbed.bytes, Some(bytes.len() as u64));
                assert_eq!(out.len(), bytes.len(), "{path}, {profile}, {what:?}");
                let judged = scrubbed.output.unwrap();
                let again = self::violation(&out, &options(profile), what);
                assert_eq!(judged.violation(), again.as_ref(), "{path}, {profile}, {what:?}");
                let is_valid_file = |bytes: &Vec<u8>| {
                    let file = verify(Input::Positioned(bytes), &options(profile), &mut ());
                    file.unwrap().is_valid()
                };
                if !what.damaged && is_valid_file(&bytes) {
                    assert!(is_valid_file(&out), "{path}, {profile}, {what:?}: not as a file");
                }
                for (other, (before, records)) in Profile::all().zip(&before) {
                    // Of what one profile refuses, little may be left that another would have taken.
                    if before.is_valid() && is_valid {
                        let (after, records_after) = read(&out, &options(other));
                        assert_eq!(after.violation(), None, "{path}, {profile}, {what:?}, under {other}");
                        assert_eq!(shape(&after), shape(before), "{path}, {profile}, {what:?}");
                        // A type that is no likely one is replaced by another that is as unlikely.
                        assert!(what.damaged || records_after == *records, "{path}, {profile}, {what:?}");
                        assert_eq!(after.derived_limits, before.derived_limits);
                    }
                }
                let (_, again) = super::common::scrubbed(&out, &options(profile), what);
                // Once it is zero from its magic on it is no image any more.
                let is_none = !is_valid && again.is_empty();
                assert!(
                    is_none || again == out,
                    "{path}, {profile}, {what:?}: not the same when scrubbed twice"
                );
            }
        }
    }
}

#[test]
fn scrubbed_real_images_keep_their_verdict() {
    let (mut out, mut again) = (Vec::new(), Vec::new());
    for (path, bytes) in corpus("real") {
        let path = path.display();
        let before = [Profile::Spec, Profile::Restore, Profile::Hardened]
            .map(|profile| read(&bytes, &options(profile)));
        for what in WISHES.into_iter().chain([DAMAGED]) {
            let scrubbed = scrub_into(&mut out, &bytes, &options(Profile::Spec), what);
            assert_eq!(scrubbed.bytes, Some(bytes.len() as u64));
            assert_eq!(out.len(), bytes.len(), "{path}, {what:?}");
            for (profile, (before, records)) in Profile::all().zip(&before) {
                let (after, records_after) = read(&out, &options(profile));
                assert_eq!(after.violation(), before.violation(), "{path}, {what:?}, under {profile}");
                assert_eq!(shape(&after), shape(before), "{path}, {what:?}");
                assert_eq!(&records_after, records, "{path}, {what:?}");
                assert_eq!(after.derived_limits, before.derived_limits);
            }
            scrub_into(&mut again, &out, &options(Profile::Spec), what);
            assert!(again == out, "{path}, {what:?}: not the same when scrubbed twice");
        }
    }
}
