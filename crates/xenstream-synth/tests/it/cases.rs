//! Every rule is broken by its cases, where they say, and by nothing next to them.

use std::collections::BTreeSet;

use xenstream_core::{Follows, Format, Level, Observer, Policy, Profile, Rule, Summary, Verifier, Violation};
use xenstream_synth::cases::{self, Case, Outcome};

/// Hears the warnings.
#[derive(Default)]
struct Warnings(Vec<Violation>);

impl Observer for Warnings {
    fn on_warning(&mut self, warning: &Violation) {
        self.0.push(*warning);
    }
}

/// The verdict on a whole stream in a regular file, and the warnings on the way.
fn verify(format: Format, policy: &Policy, bytes: &[u8]) -> (Result<Summary, Violation>, Vec<Violation>) {
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

fn core_cases() -> impl Iterator<Item = Case> {
    cases::all().into_iter().filter(|case| !case.is_for_std())
}

/// Runs a check on every case and fails with all that is wrong, not only the first.
#[track_caller]
fn for_each(mut check: impl FnMut(&Case) -> Result<(), String>) {
    let wrong: Vec<String> = core_cases()
        .filter_map(|case| {
            check(&case).err().map(|error| format!("{}::{}: {error}", case.rule.layer(), case.name()))
        })
        .collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_rule_has_a_case() {
    let covered: BTreeSet<Rule> = cases::all().iter().map(|case| case.rule).collect();
    let missing: Vec<&str> = Rule::all().filter(|rule| !covered.contains(rule)).map(Rule::name).collect();
    assert!(missing.is_empty(), "rules without a case: {missing:?}");
}

#[test]
fn names_are_unique() {
    let mut names = BTreeSet::new();
    for case in cases::all() {
        assert!(
            names.insert((case.rule.layer(), case.name())),
            "twice: {}::{}",
            case.rule.layer(),
            case.name()
        );
    }
}

#[test]
fn at_deny_the_rule_refuses_where_the_case_says() {
    for_each(|case| {
        // A level set by hand is a profile's no longer; a rule that is silent under spec is tried where it is not.
        let profile = Profile::all()
            .find(|profile| case.rule.grade(*profile).level() == Level::Allow || speaks(case, *profile))
            .ok_or("no profile under which the rule speaks")?;
        let policy =
            case.policy(profile).with_level(case.rule, Level::Deny).map_err(|error| error.to_string())?;
        let violation = match verify(case.format, &policy, &case.stream) {
            (Err(violation), _) => violation,
            (Ok(_), warnings) => return Err(format!("accepted under {profile}, warnings {warnings:?}")),
        };
        let found = (violation.rule, violation.offset, violation.layer(), violation.record);
        let expected = (case.rule, case.offset, case.rule.layer(), case.record);
        if found == expected {
            Ok(())
        } else {
            Err(format!("\n  found    {found:?}\n  expected {expected:?}"))
        }
    });
}

/// Returns whether the case's rule reports anything under this profile.
fn speaks(case: &Case, profile: Profile) -> bool {
    let Outcome { refused, warnings } = case.outcome(profile);
    refused.is_some_and(|(rule, _)| rule == case.rule) || warnings.contains(&case.rule)
}

#[test]
fn every_profile_makes_of_it_what_the_case_says() {
    for profile in Profile::all() {
        for_each(|case| {
            let (verdict, warnings) = verify(case.format, &case.policy(profile), &case.stream);
            let found = Outcome {
                refused: verdict.err().map(|violation| (violation.rule, violation.offset)),
                warnings: warnings.iter().map(|warning| warning.rule).collect(),
            };
            let expected = case.outcome(profile);
            if found == *expected {
                Ok(())
            } else {
                Err(format!("under {profile}\n  found    {found:?}\n  expected {expected:?}"))
            }
        });
    }
}

#[test]
fn warnings_tell_the_same_place_as_refusals() {
    for_each(|case| {
        if case.rule.is_structural() {
            return Ok(());
        }
        let profile = Profile::all().find(|profile| speaks(case, *profile)).unwrap_or_default();
        let policy =
            case.policy(profile).with_level(case.rule, Level::Warn).map_err(|error| error.to_string())?;
        let (_, warnings) = verify(case.format, &policy, &case.stream);
        let first = warnings.iter().find(|warning| warning.rule == case.rule);
        let found = first.map(|warning| (warning.offset, warning.layer(), warning.record));
        let expected = Some((case.offset, case.rule.layer(), case.record));
        if found == expected {
            Ok(())
        } else {
            Err(format!("\n  found    {found:?}\n  expected {expected:?}"))
        }
    });
}

#[test]
fn neighbours_are_accepted_under_spec() {
    for_each(|case| {
        let (verdict, warnings) = verify(case.format, &case.policy(Profile::Spec), &case.neighbour);
        let warnings: Vec<Rule> = warnings.iter().map(|warning| warning.rule).collect();
        match verdict {
            Err(violation) => Err(violation.to_string()),
            Ok(_) if warnings != case.neighbour_warnings => Err(format!("warnings {warnings:?}")),
            Ok(_) => Ok(()),
        }
    });
}

#[test]
fn neighbours_do_not_break_the_rule_at_deny() {
    for_each(|case| {
        let policy = case
            .policy(Profile::Spec)
            .with_level(case.rule, Level::Deny)
            .map_err(|error| error.to_string())?;
        verify(case.format, &policy, &case.neighbour).0.map(|_| ()).map_err(|violation| violation.to_string())
    });
}

#[test]
fn failover_reports_an_incomplete_record() {
    let mut reported = BTreeSet::new();
    for case in core_cases().filter(|case| case.rule == Rule::StreamFailover) {
        let (_, warnings) = verify(case.format, &case.policy(Profile::Spec), &case.stream);
        let message = warnings[0].message().to_string();
        let torn = message.ends_with("incomplete");
        assert_eq!(torn, case.variant == "torn", "{}: {message}", case.name());
        reported.insert(torn);
    }
    assert_eq!(reported.len(), 2);
}
