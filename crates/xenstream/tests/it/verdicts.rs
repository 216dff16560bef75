//! xenstream's verdicts beside those of Xen's own verifier and restorer, on every stream that theirs are on record for.

use std::path::{Path, PathBuf};

use xenstream::logs::find;
use xenstream::{Fact, Level, Options, Policy, Report, Rule, Violation};
use xenstream_peer::{Answer, Comparison, Differences, Disagreement, Recorded, Release, Row};

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/verdicts").join(name)
}

fn verify(row: &Row, bytes: &[u8], policy: Policy) -> Report {
    let policy = policy.with_checkpointing(row.checkpointing());
    xenstream::verify_slice(bytes, &Options::new(policy).with_format(row.format())).unwrap()
}

fn refusal(row: &Row, bytes: &[u8], policy: Policy) -> Option<Violation> {
    verify(row, bytes, policy).violation().copied()
}

/// What there is to compare a stream's verdict with.
fn answers(recorded: &Recorded, row: &Row) -> impl Iterator<Item = (Comparison, Answer)> {
    let restorer = row.restorer();
    let releases = Release::ALL.map(|release| {
        recorded.released(row, release).map(|answer| (Comparison::TargetRestorer(release), answer))
    });
    [
        Some((Comparison::SpecVerifier, row.verifier())),
        restorer.clone().map(|answer| (Comparison::SpecRestorer, answer)),
        restorer.map(|answer| (Comparison::RestoreRestorer, answer)),
    ]
    .into_iter()
    .chain(releases)
    .flatten()
}

#[test]
fn every_difference_from_xens_tools_has_a_reason() {
    let recorded = Recorded::load(&corpus("")).unwrap();
    let mut differences = Differences::load(&corpus("differences.toml")).unwrap();
    let mut unexplained = Vec::new();
    for (row, bytes) in recorded.iter() {
        // All that is wrong with a stream, whatever is wrong first.
        let report = verify(row, bytes, Policy::restore().with_keep_going(true));
        report
            .violation()
            .into_iter()
            .chain(report.findings.listed())
            .for_each(|found| differences.saw(found));
        for (comparison, answer) in answers(&recorded, row) {
            let ours = refusal(row, bytes, differences.lowered(comparison.policy()));
            if let Some(disagreement) = Disagreement::between(comparison, ours, &answer)
                && differences.explain(&row.name, &disagreement).is_none()
            {
                unexplained.push(format!("{}: {disagreement}", row.name));
            }
        }
    }
    assert!(unexplained.is_empty(), "{} unexplained:\n{}", unexplained.len(), unexplained.join("\n"));
    let stale = differences.stale();
    assert!(stale.is_empty(), "listed, but no such difference:\n{}", stale.join("\n"));
}

#[test]
fn hardened_refuses_whatever_does_harm() {
    let recorded = Recorded::load(&corpus("")).unwrap();
    let differences = Differences::load(&corpus("differences.toml")).unwrap();
    let hardened = differences.lowered(Policy::hardened());
    let is_harmful = |row: &Row| row.harm().is_some() || !recorded.harmed(row).is_empty();
    let harmful: Vec<_> = recorded.iter().filter(|(row, _)| is_harmful(row)).collect();
    assert!(harmful.len() > 20, "only {} harmful streams on record", harmful.len());
    let let_through: Vec<_> = harmful
        .iter()
        .filter(|(row, bytes)| verify(row, bytes, hardened.clone()).is_valid())
        .map(|(row, _)| &row.name)
        .collect();
    assert!(let_through.is_empty(), "{let_through:?}");
}

#[test]
fn releases_before_4_15_refuse_pfns_of_2_to_the_30() {
    let recorded = Recorded::load(&corpus("")).unwrap();
    let allowing = |policy: Policy| {
        let lowered = [Rule::LibxcHvmContextMissing, Rule::LibxcMemoryGap, Rule::LibxcMemoryShort];
        lowered.into_iter().fold(policy, |policy, rule| policy.with_level(rule, Level::Allow).unwrap())
    };
    // Below the limit of `restore`.
    let names = ["page-pfn-2^30", "page-pfn-2^32", "page-pfn-2^33"];
    for (row, bytes) in recorded.iter().filter(|(row, _)| names.contains(&row.name.as_str())) {
        let ours = |release: Release| {
            let policy = allowing(Policy::restore().with_target(Some(release.target())));
            refusal(row, bytes, policy).map(|violation| (violation.rule, violation.fact))
        };
        let refused = Some((Rule::LibxcPageDataPfnLimit, Some(Fact::Pfn31)));
        assert_eq!(ours(Release::V4_14), refused, "{}", row.name);
        assert_eq!([ours(Release::V4_17), ours(Release::V4_20)], [None, None], "{}", row.name);
        // The double free is no refusal but harm, and a gate has no target.
        assert!(refusal(row, bytes, allowing(Policy::hardened())).is_some(), "{}", row.name);
    }
}

/// Streams that Xen's restorer refuses for something after that which we refuse them for.
const LATER: [&str; 4] =
    ["rec-len-max-hvmctx", "rec-len-over-in-end", "pv-p2m-end-2^32", "libxl-remus-bad-in-second"];

/// Streams of which the source was read for what comes of them, and not for a message.
const WITHOUT_MESSAGE: [&str; 6] =
    ["xl-mand-0", "xl-mand-2", "xl-libxc-inside", "xl-cfg-nonul", "xl-trunc-40", "xl-trunc-opt"];

#[test]
fn messages_of_the_restorer_find_our_rule() {
    let recorded = Recorded::load(&corpus("")).unwrap();
    let policy = Differences::load(&corpus("differences.toml")).unwrap().lowered(Policy::restore());
    let mut found = 0;
    for (row, bytes) in recorded.iter() {
        let Some(message) = row.restorer().map(|answer| answer.message) else { continue };
        // What a debugger or a shell says is no message of Xen.
        if message.starts_with("signal") || message == "alarm" || message == "restoring domain" {
            continue;
        }
        // Values at which only a hypervisor looks may be refused before.
        let report = verify(row, bytes, policy.clone().with_keep_going(true));
        let ours: Vec<_> = report.violation().into_iter().chain(report.findings.listed()).collect();
        if ours.is_empty()
            || message.is_empty()
            || LATER.contains(&row.name.as_str())
            || WITHOUT_MESSAGE.contains(&row.name.as_str())
        {
            continue;
        }
        let rules: Vec<_> = find(&message).iter().flat_map(|entry| entry.rules).copied().collect();
        let is_found = ours.iter().any(|violation| rules.contains(&violation.rule));
        assert!(is_found, "{}: {message} is of {rules:?}, and we say {ours:?}", row.name);
        found += 1;
    }
    assert!(found > 200, "only {found} messages are on record");
}
