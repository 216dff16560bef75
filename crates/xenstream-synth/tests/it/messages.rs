//! What is said of each case: the sentence has what was expected and what was found in it; and what comes of the case
//! where its rule is not looked at.
//!
//! `tests/messages.txt` has them as a person last read them. `BLESS=1 cargo test -p xenstream-synth messages`
//! writes it anew, for the difference to be read.

use std::path::Path;
use std::{env, fs};

use xenstream_core::{Follows, Level, Profile, Summary, Value, Verifier, Violation};
use xenstream_synth::cases::{self, Case};

#[test]
fn every_message_is_what_it_was() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages.txt");
    let messages: String = cases::all().iter().filter(|case| !case.is_for_std()).map(line).collect();
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &messages).expect("the file can be written");
    }
    let known = fs::read_to_string(&path).expect("messages.txt");
    for (known, now) in known.lines().zip(messages.lines()) {
        assert_eq!(known, now);
    }
    assert_eq!(known.lines().count(), messages.lines().count());
}

/// A message names no value that the check did not hand over, and record types of its own layer only.
#[test]
fn messages_have_the_values_that_they_name() {
    for case in cases::all().iter().filter(|case| !case.is_for_std()) {
        let denied = Profile::all().find_map(|profile| verdict(case, profile, Level::Deny)?.err());
        let Some(violation) = denied.filter(|violation| violation.rule == case.rule) else { continue };
        let message = violation.rule.entry().message;
        for (place, value) in [("{found", violation.found), ("{expected", violation.expected)] {
            assert!(!message.contains(place) || value != Value::None, "{}: {place}", case.name());
            if let Value::RecordType(layer, _) = value {
                assert_eq!(layer, violation.layer(), "{}", case.name());
            }
        }
    }
}

/// What is said of the case with its rule at deny, and what comes of it with the rule at allow.
fn line(case: &Case) -> String {
    let said = Profile::all().find_map(|profile| {
        let denied = verdict(case, profile, Level::Deny)?.err()?;
        (denied.rule == case.rule).then(|| (denied, verdict(case, profile, Level::Allow)))
    });
    let name = format!("{}/{}", case.rule.layer(), case.name());
    let Some((denied, lowered)) = said else { return format!("{name}: nothing\n") };
    let lowered = match lowered {
        None => "structural".to_owned(),
        Some(Ok(summary)) => {
            format!("without it valid, {} bytes, {} records", summary.bytes, summary.records.total())
        }
        Some(Err(next)) => format!("without it {} at {}", next.rule, next.offset),
    };
    let Violation { rule, expected, found, .. } = denied;
    format!("{name}: {rule}: {} ({expected:x}, {found:x}); {lowered}\n", denied.message())
}

/// The verdict with the case's rule at a level, unless it cannot be set to that.
fn verdict(case: &Case, profile: Profile, level: Level) -> Option<Result<Summary, Violation>> {
    let policy = case.policy(profile).with_level(case.rule, level).ok()?;
    let mut verifier = Verifier::new(case.format, &policy);
    Some(verifier.push(&case.stream, &mut ()).and_then(|progress| {
        if progress.ended && progress.consumed < case.stream.len() {
            verifier.trailing_data(Follows::of(&case.stream[progress.consumed..]), &mut ())?;
        }
        verifier.finish(&mut ())
    }))
}
