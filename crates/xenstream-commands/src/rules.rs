//! `xenstream rules`: lists the catalogue.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use xenstream::{Profile, Rule};
use xenstream_text::{example, grades};

use crate::{output, status};

const HELP: &str = "\
Examples:
  xenstream rules | grep hvm::   the rules of one layer
  xenstream rules --json         for programs

Exit status:
  0  the rules were listed
  2  usage or output error";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Print one JSON object per rule, each on its own line
    #[arg(long)]
    json: bool,
}

/// Lists the rules. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let mut out = if arguments.json { output::stdout() } else { output::text() };
    if arguments.json {
        for rule in Rule::all() {
            serde_json::to_writer(&mut out, &RuleObject::new(rule))?;
            writeln!(out)?;
        }
    } else {
        table(&mut out)?;
    }
    out.flush()?;
    Ok(status::VALID)
}

/// Prints a line for each rule, or two on a terminal that is too narrow for one.
fn table(out: &mut impl Write) -> io::Result<()> {
    let longest =
        |text: fn(Rule) -> &'static str| Rule::all().map(|rule| text(rule).len()).max().unwrap_or(0);
    let name_width = longest(Rule::name);
    let title_width = longest(|rule| rule.entry().title);
    let row = |name: &str, [spec, restore, hardened]: [&str; 3], title: &str| {
        format!("{name:<name_width$}  {spec:<10}  {restore:<10}  {hardened:<10}  {title}")
    };
    let is_narrow = output::terminal_width()
        .is_some_and(|width| width < row("", Default::default(), "").len() + title_width);
    if is_narrow {
        writeln!(out, "rule\n  levels under spec, restore, hardened: what the rule refuses")?;
    } else {
        writeln!(
            out,
            "{}",
            row("rule", [Profile::Spec, Profile::Restore, Profile::Hardened].map(Profile::name), "refuses")
        )?;
    }
    for rule in Rule::all() {
        let title = rule.entry().title;
        if is_narrow {
            writeln!(out, "{rule}\n  {}: {title}", grades(rule).join(", "))?;
        } else {
            writeln!(out, "{}", row(rule.name(), grades(rule), title))?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct RuleObject {
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct LevelsObject {
    spec: String,
    restore: String,
    hardened: String,
}

impl RuleObject {
    fn new(rule: Rule) -> RuleObject {
        let entry = rule.entry();
        let [spec, restore, hardened] = [Profile::Spec, Profile::Restore, Profile::Hardened]
            .map(|profile| rule.grade(profile).level().to_string());
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
