//! docs/targets.md, generated from the table of facts and releases.

use std::fmt::{self, Write as _};

use xenstream_core::{Fact, HostDependency, Polarity, Rule, Target, TargetSet};

/// Writes the whole file.
pub(super) fn targets(text: &mut String) -> fmt::Result {
    text.write_str(INTRODUCTION)?;
    text.write_str(
        "\n## Facts\n\n| fact | what changed | releases with the fact | other releases |\n|---|---|---|---|\n",
    )?;
    for fact in Fact::all() {
        let entry = fact.entry();
        let others = match (entry.host, entry.polarity) {
            (Some(_), _) => "depends on the host",
            (None, Polarity::Accepts) => "refuse",
            (None, Polarity::Refuses) => "accept",
        };
        let releases = releases_with(fact);
        writeln!(text, "| [{fact}](#{}) | {} | {releases} | {others} |", anchor(fact), entry.title)?;
    }
    for fact in Fact::all() {
        section(text, fact)?;
    }
    hosts(text)?;
    releases(text)
}

fn section(text: &mut String, fact: Fact) -> fmt::Result {
    let entry = fact.entry();
    let refusing: TargetSet = Target::all().filter(|target| target.refuses(fact)).collect();
    writeln!(text, "\n### {fact}\n\n{}.\n", sentence(entry.title))?;
    match entry.host {
        None => writeln!(text, "Refuse a stream that depends on it: {refusing}.")?,
        Some(host) => {
            writeln!(text, "Whether a release refuses a stream depends on the host: {}.", host.title())?;
        }
    }
    let rules: Vec<String> = entry.rules.iter().map(|rule| link(*rule)).collect();
    if !rules.is_empty() {
        writeln!(text, "Rule: {}.", rules.join(", "))?;
    }
    writeln!(text, "Commit: {}.\n\n{}.", entry.commit, entry.advice)
}

fn hosts(text: &mut String) -> fmt::Result {
    text.write_str(
        "\n## What depends on the host\n\nNo stream reveals these, so they are listed but never a reason to refuse.\n\n\
         | name | what it is | releases where it matters |\n|---|---|---|\n",
    )?;
    for host in HostDependency::all() {
        let releases = host.fact().map_or_else(|| "all".to_owned(), |_| host.releases().to_string());
        writeln!(text, "| {} | {} | {releases} |", host.name(), host.title())?;
    }
    Ok(())
}

fn releases(text: &mut String) -> fmt::Result {
    text.write_str("\n## Releases\n\n| release | is | facts |\n|---|---|---|\n")?;
    for target in Target::all() {
        let (minor, point) = target.release();
        let is = target.vendor_label().map_or_else(
            || format!("Xen 4.{minor}.{point}"),
            |label| format!("{label}, based on Xen 4.{minor}.{point}"),
        );
        let facts: Vec<&str> = target.facts().iter().map(Fact::name).collect();
        writeln!(text, "| `{target}` | {is} | {} |", facts.join(" "))?;
    }
    Ok(())
}

fn releases_with(fact: Fact) -> TargetSet {
    Target::all().filter(|target| target.has(fact)).collect()
}

fn link(rule: Rule) -> String {
    format!("[`{rule}`](rules.md#{})", super::rules::anchor(rule))
}

fn anchor(fact: Fact) -> String {
    fact.name().to_lowercase()
}

/// With a capital letter at the start.
fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

const INTRODUCTION: &str = "\
<!-- Made by `cargo xtask docs` from crates/xenstream-core/src/targets. -->

# Which Xen accepts an image

Releases of Xen refuse each other's images, in both directions. A change that makes a release accept more is often in the
newest point releases of several branches at once. So the releases that accept an image are a set, not a minimum version,
and no header names them.

A **fact** is a change that decides which streams are accepted. Some facts make a release accept more: releases without the
fact refuse a stream that depends on it. Others make a release accept less: releases with the fact refuse a stream that
has what they no longer accept. `xenstream verify` finds the facts that an image depends on and lists the releases that
accept it. `-v` says where in the image each fact shows. With `--target RELEASE`, a refusal makes the image invalid.

`--target 4.20` means the newest release of that branch below. `xenstream explain LAPIC32` prints the section about one
fact. The table was read from Xen's sources by tag, and images from 4.14, 4.17 and 4.20 were tried on each other's
hypervisors.
";
