//! `xenstream explain`.

use std::io::{self, Write};

use clap::Args;
use xenstream::logs::{self, LogLine};
use xenstream::{Fact, Profile, Rule, Target, TargetSet};

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
  0  it was explained
  2  no rule or fact has this name or belongs to this line, or output error";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// A rule's name, such as libxc::page-data-length, a fact's, such as LAPIC32, or a line of the logs of Xen, libxl,
    /// xl, QEMU or xenopsd
    #[arg(value_name = "RULE|FACT|LOG LINE", required = true, allow_hyphen_values = true)]
    subject: Vec<String>,
}

/// Columns of running text.
const WIDTH: usize = 100;

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
        format!(
            "no message of Xen is known that has this in it: '{name}'; docs/messages.md lists those that are"
        )
    } else {
        format!("no rule or fact is called '{name}'{}", rules_or_facts_like(&subject))
    });
    Ok(status::FAILED)
}

/// Explains lines of logs.
fn explain_lines(found: &[&LogLine]) -> io::Result<u8> {
    let mut out = output::stdout();
    for (index, entry) in found.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}: {}", entry.writer, entry.pattern)?;
        writeln!(out, "{}", textwrap::fill(entry.meaning, WIDTH))?;
        for rule in entry.rules {
            writeln!(out, "  {rule}: {}", rule.entry().title)?;
        }
    }
    out.flush()?;
    Ok(status::VALID)
}

fn explain_fact(fact: Fact) -> io::Result<u8> {
    let entry = fact.entry();
    let mut out = output::stdout();
    let title = format!("{fact}: {}.", entry.title);
    writeln!(out, "{}\n", textwrap::fill(&title, WIDTH))?;
    let refusing: TargetSet = Target::all().filter(|target| target.refuses(fact)).collect();
    writeln!(out, "{}", labelled("Has it", &releases_with(fact).to_string()))?;
    let refused = match entry.host {
        None => format!("{refusing}, where a stream depends on it"),
        Some(host) => format!("depends on the host: {}", host.title()),
    };
    writeln!(out, "{}", labelled("Refuse", &refused))?;
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
    let mut out = output::stdout();
    writeln!(out, "{rule}: {}\n", entry.title)?;
    for text in [entry.refuses, entry.why] {
        writeln!(out, "{}\n", textwrap::fill(text, WIDTH))?;
    }
    writeln!(out, "{}", labelled("Source", entry.source))?;
    let [spec, restore, hardened] = grades(rule);
    let [a, b, c] = Profile::ALL.map(Profile::name);
    writeln!(out, "{}", labelled("Levels", &format!("{a}: {spec}, {b}: {restore}, {c}: {hardened}")))?;
    if rule.is_structural() {
        let text = "Past it nothing can be framed, so it is fatal in every profile and cannot be lowered.";
        writeln!(out, "{}", labelled("", text))?;
    }
    writeln!(out, "{}", labelled("Example", &example(rule)))?;
    out.flush()?;
    Ok(status::VALID)
}

fn labelled(label: &str, text: &str) -> String {
    let first = format!("{label:<9}");
    textwrap::fill(text, textwrap::Options::new(WIDTH).initial_indent(&first).subsequent_indent("         "))
}
