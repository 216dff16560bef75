//! Every case of the rules through the std crate, which adds the rules that look at configurations, and those that take
//! a second walk.

use xenstream::{Input, Layer, Level, Options, Policy, Profile, Report, Rule, verify, verify_slice};
use xenstream_synth::cases::{self, Case};

use crate::common::options;

/// The report on a stream of a case. What a second walk is needed for is read as a file.
fn judged(case: &Case, stream: &Vec<u8>, options: &Options) -> Report {
    if case.is_for_std() && case.rule.layer() == Layer::Pv {
        verify(Input::Positioned(stream), options, &mut ()).unwrap()
    } else {
        verify_slice(stream, options).unwrap()
    }
}

#[test]
fn each_profile_makes_of_each_case_what_the_case_says() {
    for case in cases::all() {
        for profile in Profile::all() {
            let options = options(&case, case.policy(profile));
            let report = judged(&case, &case.stream, &options.with_derived_limits(false));
            let refused = report.violation().map(|violation| (violation.rule, violation.offset));
            assert_eq!(refused, case.outcome(profile).refused, "{} under {profile}", case.name());
        }
    }
}

#[test]
fn no_neighbour_breaks_the_rule_of_its_case() {
    for case in cases::all() {
        let policy = case.policy(Profile::Spec).with_level(case.rule, Level::Deny).unwrap();
        let options = options(&case, policy);
        let report = judged(&case, &case.neighbour, &options);
        let rule = report.violation().map(|violation| violation.rule);
        assert_ne!(rule, Some(case.rule), "{}", case.name());
    }
}

#[test]
fn rules_of_this_crate_are_judged_by_level() {
    for case in cases::all().iter().filter(|case| case.is_for_std()) {
        let judged = |policy: Policy| judged(case, &case.stream, &options(case, policy));
        let warns = |report: &Report| {
            report.warnings.listed().iter().any(|warning| {
                (warning.rule, warning.offset) == (case.rule, case.offset) && warning.record == case.record
            })
        };
        for profile in Profile::all() {
            let policy = case.policy(profile);
            let expected = case.outcome(profile).warnings.contains(&case.rule);
            assert_eq!(warns(&judged(policy.clone())), expected, "{} under {profile}", case.rule);
            let at = |level| policy.clone().with_level(case.rule, level).unwrap();
            assert!(warns(&judged(at(Level::Warn))));
            assert!(!warns(&judged(at(Level::Allow))) && judged(at(Level::Allow)).is_valid());
            let refused =
                judged(at(Level::Deny)).violation().map(|violation| (violation.rule, violation.offset));
            assert_eq!(refused, Some((case.rule, case.offset)));
        }
    }
    assert!(cases::all().iter().any(|case| case.rule == Rule::XlConfigJson));
}
