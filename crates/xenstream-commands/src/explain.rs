//! `xenstream explain`.

use std::io::{self, Write};

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use xenstream::logs::{self, LogLine};
use xenstream::{Fact, Profile, Rule, Target, TargetSet};

use crate::completions;
use crate::output::{self, complain};
use crate::rules::{example, grades};
use crate::status;
use crate::suggest::rules_or_facts_like;
use crate::targets::releases_with;

const HELP: &str = "\
Examples:
  xenstream explain libxc::page-data-length
  xenstream explain LAPIC32
  xenstream explain 'xc: error: Failed to set CPUID policy: leaf 0000001f'

Exit status:
  0  the rule, fact or log line was explained
  2  no rule, fact or known message matches, or output error";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Name of a rule (libxc::page-data-length) or fact (LAPIC32), or a line from a log of Xen, libxl, xl, QEMU or xenopsd
    #[arg(
        value_name = "RULE|FACT|LOG LINE",
        required = true,
        allow_hyphen_values = true,
        add = ArgValueCandidates::new(completions::subjects)
    )]
    subject: Vec<String>,
}

/// The most columns that running text takes.
const WIDTH: usize = 100;

/// The columns that running text takes here.
fn width() -> usize {
    output::terminal_width().map_or(WIDTH, |width| width.min(WIDTH))
}

/// Explains a rule, a fact, or a line of a log. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let subject = arguments.subject.join(" ");
    if let Ok(rule) = subject.parse() {
        return explain_rule(rule);
    }
    if let Ok(fact) = subject.parse() {
        return explain_fact(fact);
    }
    let found = logs::find(&subject);
    if !found.is_empty() {
        return explain_lines(&found);
    }
    let name = output::name(&subject);
    complain(&if subject.contains(char::is_whitespace) {
        format!("no known message of Xen matches '{name}'; docs/messages.md lists the known ones")
    } else {
        format!("unknown rule or fact '{name}'{}", rules_or_facts_like(&subject))
    });
    Ok(status::FAILED)
}

/// Explains lines of logs.
fn explain_lines(found: &[&LogLine]) -> io::Result<u8> {
    let mut out = output::text();
    for (index, entry) in found.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}: {}", entry.writer, entry.pattern)?;
        writeln!(out, "{}", textwrap::fill(entry.meaning, width()))?;
        for rule in entry.rules {
            writeln!(out, "  {rule}: {}", rule.entry().title)?;
        }
    }
    out.flush()?;
    Ok(status::VALID)
}

fn explain_fact(fact: Fact) -> io::Result<u8> {
    let entry = fact.entry();
    let mut out = output::text();
    let title = format!("{fact}: {}.", entry.title);
    writeln!(out, "{}\n", textwrap::fill(&title, width()))?;
    let refusing: TargetSet = Target::all().filter(|target| target.refuses(fact)).collect();
    writeln!(out, "{}", labelled("Holds in", &releases_with(fact).to_string()))?;
    let refused = match entry.host {
        None => format!("by {refusing}, if the stream depends on it"),
        Some(host) => format!("depending on the host: {}", host.title()),
    };
    writeln!(out, "{}", labelled("Refused", &refused))?;
    let rules: Vec<&str> = entry.rules.iter().map(|rule| rule.name()).collect();
    if !rules.is_empty() {
        writeln!(out, "{}", labelled("Rule", &rules.join(", ")))?;
    }
    writeln!(out, "{}", labelled("Commit", entry.commit))?;
    writeln!(out, "{}", labelled("Advice", &format!("{}.", entry.advice)))?;
    out.flush()?;
    Ok(status::VALID)
}

fn explain_rule(rule: Rule) -> io::Result<u8> {
    let entry = rule.entry();
    let mut out = output::text();
    writeln!(out, "{rule}: {}\n", entry.title)?;
    for text in [entry.refuses, entry.why] {
        writeln!(out, "{}\n", textwrap::fill(text, width()))?;
    }
    writeln!(out, "{}", labelled("Source", entry.source))?;
    let [spec, restore, hardened] = grades(rule);
    let [a, b, c] = [Profile::Spec, Profile::Restore, Profile::Hardened].map(Profile::name);
    writeln!(out, "{}", labelled("Levels", &format!("{a}: {spec}, {b}: {restore}, {c}: {hardened}")))?;
    if rule.is_structural() {
        let text = "Nothing after this violation can be parsed, so the rule is an error in every profile and cannot be lowered.";
        writeln!(out, "{}", labelled("", text))?;
    }
    writeln!(out, "{}", labelled("Example", &example(rule)))?;
    out.flush()?;
    Ok(status::VALID)
}

fn labelled(label: &str, text: &str) -> String {
    let first = format!("{label:<10}");
    textwrap::fill(
        text,
        textwrap::Options::new(width()).initial_indent(&first).subsequent_indent("          "),
    )
}
