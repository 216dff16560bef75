//! The `xenstream` program: arguments in, text or JSON out. What it does is in the crate `xenstream`.
//!
//! A library so that its manual pages and completions can be made from the same definition of the command line.

#![forbid(unsafe_code)]

mod args;
mod command;
mod convert;
mod date;
mod descriptor;
mod diff;
mod explain;
mod extract;
mod files_from;
mod inspect;
mod listing;
mod output;
mod progress;
mod relay;
mod releases;
mod report;
mod rules;
mod scrub;
mod status;
mod suggest;
mod synth;
mod tally;
mod targets;
mod verify;
mod verify_stream_v2;

use std::env;
use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::command::{Command, Deferred, Program};
use crate::status::FAILED;

/// Runs the program on this process's command line.
#[must_use]
pub fn main() -> ExitCode {
    let command = if verify_stream_v2::is_name(env::args_os().next().as_deref()) {
        Command::VerifyStreamV2(Deferred(verify_stream_v2::Program::parse().arguments))
    } else {
        Program::parse().command
    };
    let outcome = match command {
        Command::Verify(Deferred(arguments)) => verify::run(&arguments),
        Command::Relay(Deferred(arguments)) => apart(relay::run, &arguments),
        Command::Inspect(Deferred(arguments)) => apart(inspect::run, &arguments),
        Command::Report(Deferred(arguments)) => apart(report::run, &arguments),
        Command::Scrub(Deferred(arguments)) => apart(scrub::run, &arguments),
        Command::Convert(Deferred(arguments)) => apart(convert::run, &arguments),
        Command::Extract(Deferred(arguments)) => apart(extract::run, &arguments),
        Command::Diff(Deferred(arguments)) => apart(diff::run, &arguments),
        Command::Synth(Deferred(arguments)) => apart(synth::run, &arguments),
        Command::Rules(Deferred(arguments)) => apart(rules::run, &arguments),
        Command::Targets(Deferred(arguments)) => apart(targets::run, &arguments),
        Command::Explain(Deferred(arguments)) => apart(explain::run, &arguments),
        Command::VerifyStreamV2(Deferred(arguments)) => apart(verify_stream_v2::run, &arguments),
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        // Nobody is left to tell when the reader of a pipe has gone, as `head` does.
        if error.kind() != io::ErrorKind::BrokenPipe {
            output::complain(&format!("cannot write the report: {error}"));
        }
        FAILED
    }))
}

/// Runs one of the subcommands that are not the main one. What they do would otherwise be made part of `main`, and lie in
/// memory beside what `verify` uses.
#[inline(never)]
fn apart<A>(run: fn(&A) -> io::Result<u8>, arguments: &A) -> io::Result<u8> {
    run(arguments)
}

/// The command line, for what is made from it.
#[must_use]
pub fn command_line() -> clap::Command {
    Program::command()
}
