//! `xenstream relay`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anstream::StripStream;
use clap::Args;
use serde::Serialize;
use xenstream::{Relayed, json, relay};

use crate::args::{Judging, usage};
use crate::descriptor::is_unusable;
use crate::{output, status};

const HELP: &str = "\
A stream compressed with zstd is passed on compressed, and its contents are verified.

Examples:
  cat guest.save | xenstream relay > copy.save
  cat guest.save | xenstream relay --json --report relay.json > copy.save

Exit status:
  0  the stream is valid and was passed on
  1  the stream is invalid; the output ends before the fault
  2  usage, input or output error, or the reader of standard output has gone
  3  the stream cannot be judged; the output ends before the part that cannot be";

#[derive(Debug, Args)]
#[command(after_help = HELP, mut_arg("profile", |profile| profile.default_value("hardened")))]
pub(crate) struct Arguments {
    #[command(flatten)]
    judging: Judging,

    /// Print the verdict as a JSON object on one line
    #[arg(long)]
    json: bool,

    /// Write the verdict to this file instead of standard error
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Print nothing if the stream is valid
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
}

/// Relays standard input to standard output. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    if is_unusable(&io::stdin()) || is_unusable(&io::stdout()) {
        usage::<Arguments>(
            "relay",
            "redirect standard input from a stream, and standard output to its reader",
        );
    }
    let report = match &arguments.report {
        None => None,
        // Without a place for the verdict, nothing is relayed.
        Some(path) => match File::create(path) {
            Ok(file) => Some(file),
            Err(error) => {
                output::complain(&format!("{}: cannot create output: {error}", output::name(path)));
                return Ok(status::FAILED);
            }
        },
    };
    let options = arguments.judging.options(false);
    let relayed = relay(io::stdin(), io::stdout(), &options);
    match report {
        None => tell(&mut anstream::stderr().lock(), &relayed, arguments)?,
        Some(file) => tell(&mut StripStream::new(file), &relayed, arguments)?,
    }
    Ok(status::of_result(relayed.result.as_ref()))
}

/// The object of `xenstream verify --json`, plus how much was passed on.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Line<'a> {
    #[serde(flatten)]
    line: json::Line<'a>,
    bytes_relayed: u64,
}

fn tell(out: &mut impl Write, relayed: &Relayed, arguments: &Arguments) -> io::Result<()> {
    let path = Path::new("-");
    match &relayed.result {
        result if arguments.json => {
            let line = Line {
                line: json::Line::new(path, result, arguments.judging.profile),
                bytes_relayed: relayed.bytes,
            };
            json::write_line(out, &line)?;
        }
        Ok(report) if report.is_valid() && arguments.quiet => {}
        Ok(report) => output::report(out, path, report)?,
        // A failure goes to standard error, even if verdicts go to a file.
        Err(error) => output::failure(path, error),
    }
    out.flush()
}
