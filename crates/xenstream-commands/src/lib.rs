//! The `xenstream` program: arguments in, text or JSON out. The work is done by the crate `xenstream`.
//!
//! It is a library so that man pages and completions can be generated from the same definition of the command line.

#![forbid(unsafe_code)]

mod args;
mod command;
mod completions;
mod convert;
mod date;
mod descriptor;
mod diff;
mod elsewhere;
mod explain;
mod extract;
mod files_from;
mod host;
mod inspect;
mod listing;
mod output;
mod progress;
mod relay;
mod report;
mod rewriting;
mod rules;
#[cfg(feature = "schema")]
mod schema;
mod scrub;
mod status;
mod suggest;
mod synth;
mod tally;
mod targets;
mod verify;
mod verify_stream_v2;
mod watch;
mod wrapped;

use std::env;
use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::command::{Command, Deferred, Program};
pub use crate::completions::{Shell, script as completions};
pub use crate::elsewhere::Elsewhere;
#[cfg(feature = "schema")]
pub use crate::schema::schemas;
use crate::status::FAILED;

/// Runs the program with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    completions::answer();
    elsewhere::hand_over();
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
        Command::Host(Deferred(arguments)) => apart(host::run, &arguments),
        Command::Rules(Deferred(arguments)) => apart(rules::run, &arguments),
        Command::Targets(Deferred(arguments)) => apart(targets::run, &arguments),
        Command::Explain(Deferred(arguments)) => apart(explain::run, &arguments),
        Command::Completions(Deferred(arguments)) => apart(completions::run, &arguments),
        Command::VerifyStreamV2(Deferred(arguments)) => apart(verify_stream_v2::run, &arguments),
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        // If the reader of a pipe has gone, as `head` does, there is nothing to report.
        if error.kind() != io::ErrorKind::BrokenPipe {
            output::complain(&format!("cannot write output: {error}"));
        }
        FAILED
    }))
}

/// Runs the program with the command line of this process, on images that may be elsewhere than in files.
#[must_use]
pub fn main_with(elsewhere: Elsewhere) -> ExitCode {
    elsewhere::set(elsewhere);
    main()
}

/// Runs a subcommand other than `verify`. Inlined into `main`, its code would be resident in memory beside that of
/// `verify`.
#[inline(never)]
fn apart<A>(run: fn(&A) -> io::Result<u8>, arguments: &A) -> io::Result<u8> {
    run(arguments)
}

/// Returns the definition of the command line, to generate man pages from.
#[must_use]
pub fn command_line() -> clap::Command {
    Program::command()
}
