//! `xenstream explain`.

use std::io::{self, Write};

use clap::Args;
use xenstream::{Profile, Rule};

use crate::output::{self, complain};
use crate::rules::{example, grades};
use crate::status;
use crate::suggest::rules_like;

const HELP: &str = "\
Examples:
  xenstream explain libxc::page-data-length

Exit status:
  0  it was explained
  2  no rule has this name, or output error";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The rule's name, such as libxc::page-data-length
    rule: String,
}

/// Columns of running text.
const WIDTH: usize = 100;

/// Explains a rule. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let Ok(rule) = arguments.rule.parse::<Rule>() else {
        let name = output::name(&arguments.rule);
        complain(&format!("no rule is called '{name}'{}", rules_like(&arguments.rule)));
        return Ok(status::FAILED);
    };
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
