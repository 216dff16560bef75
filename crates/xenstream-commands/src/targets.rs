//! `xenstream targets`: lists the known releases of Xen, and what changed between them.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use xenstream::{Fact, Target};
use xenstream_text::releases_with;

use crate::{output, status};

const HELP: &str = "\
Examples:
  xenstream targets                      the changes, and the names that --target takes
  xenstream targets --json | grep 4.20   for programs
  xenstream explain LAPIC32              explain one change

Exit status:
  0  the releases were listed
  2  usage or output error";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Print one JSON object per fact, then one per release, each on its own line
    #[arg(long)]
    json: bool,
}

/// Lists facts and releases. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let mut out = if arguments.json { output::stdout() } else { output::text() };
    if arguments.json {
        for fact in Fact::all() {
            serde_json::to_writer(&mut out, &FactObject::new(fact))?;
            writeln!(out)?;
        }
        for target in Target::all() {
            serde_json::to_writer(&mut out, &TargetObject::new(target))?;
            writeln!(out)?;
        }
    } else {
        text(&mut out)?;
    }
    out.flush()?;
    Ok(status::VALID)
}

fn text(out: &mut impl Write) -> io::Result<()> {
    let width = Fact::all().map(|fact| fact.name().len()).max().unwrap_or(0);
    writeln!(out, "{:<width$}  {:<7}  what changed, and in which releases", "fact", "")?;
    for fact in Fact::all() {
        let entry = fact.entry();
        let releases = releases_with(fact);
        writeln!(out, "{:<width$}  {:<7}  {}: {releases}", fact.name(), entry.polarity.name(), entry.title)?;
    }
    writeln!(out, "\nReleases of Xen:")?;
    let mut line = String::new();
    let mut branch = None;
    for target in Target::all().filter(|target| target.vendor_name().is_none()) {
        let (minor, _) = target.release();
        if branch.replace(minor).is_some_and(|before| before != minor) {
            writeln!(out, "{line}")?;
            line.clear();
        }
        line.push_str(&format!("  {target}"));
    }
    writeln!(out, "{line}\n\nReleases of vendors:")?;
    for target in Target::all() {
        let Some(name) = target.vendor_name() else { continue };
        let (minor, point) = target.release();
        let facts = names(target.added_facts());
        writeln!(out, "  {name}: Xen 4.{minor}.{point} and {}", facts.join(", "))?;
    }
    Ok(())
}

fn names(facts: impl Iterator<Item = Fact>) -> Vec<&'static str> {
    facts.map(Fact::name).collect()
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct FactObject {
    fact: &'static str,
    polarity: &'static str,
    releases: Vec<String>,
    rules: Vec<&'static str>,
    depends_on_host: Option<&'static str>,
    commit: &'static str,
    title: &'static str,
    advice: &'static str,
}

impl FactObject {
    fn new(fact: Fact) -> FactObject {
        let entry = fact.entry();
        FactObject {
            fact: entry.name,
            polarity: entry.polarity.name(),
            releases: releases_with(fact).iter().map(|target| target.to_string()).collect(),
            rules: entry.rules.iter().map(|rule| rule.name()).collect(),
            depends_on_host: entry.host.map(xenstream::HostDependency::name),
            commit: entry.commit,
            title: entry.title,
            advice: entry.advice,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct TargetObject {
    target: String,
    vendor: Option<&'static str>,
    base: String,
    facts: Vec<&'static str>,
}

impl TargetObject {
    fn new(target: Target) -> TargetObject {
        let (minor, point) = target.release();
        TargetObject {
            target: target.to_string(),
            vendor: target.vendor_label(),
            base: format!("4.{minor}.{point}"),
            facts: names(target.facts().iter()),
        }
    }
}
