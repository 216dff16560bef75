//! `xenstream explain`.

use std::io::{self, Write};

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use xenstream_text::explain;

use crate::completions;
use crate::output::{self, complain};
use crate::status;
use crate::suggest::rules_or_facts_like;

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

/// Explains a rule, a fact, or a line of a log. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let subject = arguments.subject.join(" ");
    let width = output::terminal_width().map_or(WIDTH, |width| width.min(WIDTH));
    let mut out = output::text();
    if explain(&mut out, &subject, width)? {
        out.flush()?;
        return Ok(status::VALID);
    }
    let name = output::name(&subject);
    complain(&if subject.contains(char::is_whitespace) {
        format!("no known message of Xen matches '{name}'; docs/messages.md lists the known ones")
    } else {
        format!("unknown rule or fact '{name}'{}", rules_or_facts_like(&subject))
    });
    Ok(status::FAILED)
}
