//! What a rule, a fact or a line of a log means.

use std::io::{self, Write};

use xenstream::logs::{self, LogLine};
use xenstream::{Fact, Profile, Rule, Target, TargetSet};

/// Explains a rule, a fact, or a line of a log, with running text in at most `width` columns. Returns whether it is known.
///
/// # Errors
/// If the output cannot be written.
pub fn explain(out: &mut impl Write, subject: &str, width: usize) -> io::Result<bool> {
    if let Ok(rule) = subject.parse() {
        explain_rule(out, rule, width)?;
    } else if let Ok(fact) = subject.parse() {
        explain_fact(out, fact, width)?;
    } else {
        let found = logs::find(subject);
        explain_lines(out, &found, width)?;
        return Ok(!found.is_empty());
    }
    Ok(true)
}

/// Explains lines of logs.
fn explain_lines(out: &mut impl Write, found: &[&LogLine], width: usize) -> io::Result<()> {
    for (index, entry) in found.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}: {}", entry.writer, entry.pattern)?;
        writeln!(out, "{}", textwrap::fill(entry.meaning, width))?;
        for rule in entry.rules {
            writeln!(out, "  {rule}: {}", rule.entry().title)?;
        }
    }
    Ok(())
}

fn explain_fact(out: &mut impl Write, fact: Fact, width: usize) -> io::Result<()> {
    let entry = fact.entry();
    let title = format!("{fact}: {}.", entry.title);
    writeln!(out, "{}\n", textwrap::fill(&title, width))?;
    let refusing: TargetSet = Target::all().filter(|target| target.refuses(fact)).collect();
    writeln!(out, "{}", labelled(width, "Holds in", &releases_with(fact).to_string()))?;
    let refused = match entry.host {
        None => format!("by {refusing}, if the stream depends on it"),
        Some(host) => format!("depending on the host: {}", host.title()),
    };
    writeln!(out, "{}", labelled(width, "Refused", &refused))?;
    let rules: Vec<&str> = entry.rules.iter().map(|rule| rule.name()).collect();
    if !rules.is_empty() {
        writeln!(out, "{}", labelled(width, "Rule", &rules.join(", ")))?;
    }
    writeln!(out, "{}", labelled(width, "Commit", entry.commit))?;
    writeln!(out, "{}", labelled(width, "Advice", &format!("{}.", entry.advice)))?;
    Ok(())
}

fn explain_rule(out: &mut impl Write, rule: Rule, width: usize) -> io::Result<()> {
    let entry = rule.entry();
    writeln!(out, "{rule}: {}\n", entry.title)?;
    for text in [entry.refuses, entry.why] {
        writeln!(out, "{}\n", textwrap::fill(text, width))?;
    }
    writeln!(out, "{}", labelled(width, "Source", entry.source))?;
    let [spec, restore, hardened] = grades(rule);
    let [a, b, c] = [Profile::Spec, Profile::Restore, Profile::Hardened].map(Profile::name);
    writeln!(out, "{}", labelled(width, "Levels", &format!("{a}: {spec}, {b}: {restore}, {c}: {hardened}")))?;
    if rule.is_structural() {
        let text = "Nothing after this violation can be parsed, so the rule is an error in every profile and cannot be lowered.";
        writeln!(out, "{}", labelled(width, "", text))?;
    }
    writeln!(out, "{}", labelled(width, "Example", &example(rule)))?;
    Ok(())
}

fn labelled(width: usize, label: &str, text: &str) -> String {
    let first = format!("{label:<10}");
    textwrap::fill(text, textwrap::Options::new(width).initial_indent(&first).subsequent_indent("          "))
}

/// Returns the rule's level under each profile, by name.
#[must_use]
pub fn grades(rule: Rule) -> [&'static str; 3] {
    [Profile::Spec, Profile::Restore, Profile::Hardened].map(|profile| rule.grade(profile).name())
}

/// Returns the path of the smallest stream in the corpus that breaks the rule.
#[must_use]
pub fn example(rule: Rule) -> String {
    format!("corpus/rules/{}.bin", rule.name().replace("::", "/"))
}

/// Returns the releases in which a fact holds.
#[must_use]
pub fn releases_with(fact: Fact) -> TargetSet {
    Target::all().filter(|target| target.has(fact)).collect()
}
