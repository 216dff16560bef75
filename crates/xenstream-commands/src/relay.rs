//! `xenstream relay`.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anstream::StripStream;
use serde::Serialize;
use xenstream::{Options, Relayed, json, relay};

use crate::args::{RelayArguments, usage};
use crate::{FAILED, INVALID, VALID, output};

/// Relays standard input to standard output. Returns the exit status.
pub(crate) fn run(arguments: &RelayArguments) -> io::Result<u8> {
    if io::stdin().is_terminal() || io::stdout().is_terminal() {
        usage("relay", "redirect standard input from a stream and standard output to who is to get it");
    }
    let report = match &arguments.report {
        None => None,
        // What cannot be reported on is not begun.
        Some(path) => match File::create(path) {
            Ok(file) => Some(file),
            Err(error) => {
                output::complain(&format!("{}: cannot create it: {error}", output::name(path)));
                return Ok(FAILED);
            }
        },
    };
    let options = Options::new(arguments.changes.policy(arguments.profile)).with_format(arguments.format);
    let relayed = relay(io::stdin(), io::stdout(), &options);
    match report {
        None => tell(&mut anstream::stderr().lock(), &relayed, arguments)?,
        Some(file) => tell(&mut StripStream::new(file), &relayed, arguments)?,
    }
    Ok(match &relayed.result {
        Ok(report) if report.is_valid() => VALID,
        Ok(_) => INVALID,
        Err(_) => FAILED,
    })
}

/// The object of `xenstream verify --json`, and how much was passed on.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    line: json::Line<'a>,
    bytes_relayed: u64,
}

fn tell(out: &mut impl Write, relayed: &Relayed, arguments: &RelayArguments) -> io::Result<()> {
    let path = Path::new("-");
    match &relayed.result {
        result if arguments.json => {
            let line =
                Line { line: json::Line::new(path, result, arguments.profile), bytes_relayed: relayed.bytes };
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        }
        Ok(report) if report.is_valid() && arguments.quiet => {}
        Ok(report) => output::report(out, path, report)?,
        // That nothing came of it is said on standard error, wherever reports go.
        Err(error) => output::failure(path, error),
    }
    out.flush()
}
