//! What is said of each case: the sentence has what was expected and what was found in it.
//!
//! `messages.txt` beside this has them as they were last read by somebody. `BLESS=1 cargo test -p xenstream-synth --test
//! messages` writes it anew, for the difference to be read.

use std::path::Path;
use std::{env, fs};

use xenstream_core::{Level, Profile, Verifier};
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

/// The first thing that any profile with the rule at deny says of the case, and of its fields.
fn line(case: &Case) -> String {
    let said = Profile::ALL.into_iter().find_map(|profile| {
        let policy = case.policy(profile).with_level(case.rule, Level::Deny).ok()?;
        let mut verifier = Verifier::new(case.format, &policy);
        let verdict = verifier.push(&case.stream, &mut ()).and_then(|progress| {
            if progress.ended && progress.consumed < case.stream.len() {
                verifier.trailing_data(&mut ())?;
            }
            verifier.finish()
        });
        verdict.err().filter(|violation| violation.rule == case.rule)
    });
    let name = format!("{}/{}", case.rule.layer(), case.name());
    match said {
        Some(said) => format!("{name}: {}: {}\n", said.rule, said.message()),
        None => format!("{name}: nothing\n"),
    }
}
