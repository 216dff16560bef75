//! `xenstream rules`: the catalogue.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use xenstream::{Profile, Rule};

use crate::{output, status};

const HELP: &str = "\
Examples:
  xenstream rules | grep hvm::
  xenstream rules --json

Exit status:
  0  they were listed
  2  usage or output error";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Print a JSON object for each rule, on a line of its own
    #[arg(long)]
    json: bool,
}

/// Lists the rules. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let mut out = output::stdout();
    if arguments.json {
        for rule in Rule::all() {
            serde_json::to_writer(&mut out, &RuleObject::new(rule))?;
            writeln!(out)?;
        }
    } else {
        let width = Rule::all().map(|rule| rule.name().len()).max().unwrap_or(0);
        let [spec, restore, hardened] = Profile::ALL.map(Profile::name);
        writeln!(out, "{:<width$}  {spec:<10}  {restore:<10}  {hardened:<10}  refuses", "rule")?;
        for rule in Rule::all() {
            let [spec, restore, hardened] = grades(rule);
            let title = rule.entry().title;
            writeln!(out, "{:<width$}  {spec:<10}  {restore:<10}  {hardened:<10}  {title}", rule.name())?;
        }
    }
    out.flush()?;
    Ok(status::VALID)
}

pub(crate) fn grades(rule: Rule) -> [&'static str; 3] {
    Profile::ALL.map(|profile| rule.grade(profile).name())
}

#[derive(Serialize)]
struct RuleObject {
    rule: &'static str,
    layer: &'static str,
    structural: bool,
    levels: LevelsObject,
    title: &'static str,
    refuses: &'static str,
    why: &'static str,
    source: &'static str,
    example: String,
}

#[derive(Serialize)]
struct LevelsObject {
    spec: String,
    restore: String,
    hardened: String,
}

impl RuleObject {
    fn new(rule: Rule) -> RuleObject {
        let entry = rule.entry();
        let [spec, restore, hardened] = Profile::ALL.map(|profile| rule.grade(profile).level().to_string());
        RuleObject {
            rule: rule.name(),
            layer: rule.layer().name(),
            structural: rule.is_structural(),
            levels: LevelsObject { spec, restore, hardened },
            title: entry.title,
            refuses: entry.refuses,
            why: entry.why,
            source: entry.source,
            example: example(rule),
        }
    }
}

/// The name of the smallest stream that breaks the rule, in the corpus.
pub(crate) fn example(rule: Rule) -> String {
    format!("corpus/rules/{}.bin", rule.name().replace("::", "/"))
}
