//! The `xenstream` program: arguments in, text or JSON out. What it does is in the crate `xenstream`.

#![forbid(unsafe_code)]

mod args;
mod descriptor;
mod listing;
mod output;
mod progress;
mod relay;
mod rules;
mod scrub;
mod synth;
mod verify;
mod verify_stream_v2;

use std::env;
use std::io;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Command, Program};

/// Every image is valid.
const VALID: u8 = 0;
/// An image is invalid.
const INVALID: u8 = 1;
/// Usage, input, output.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let command = if verify_stream_v2::is_name(env::args_os().next().as_deref()) {
        Command::VerifyStreamV2(verify_stream_v2::Program::parse().arguments)
    } else {
        Program::parse().command
    };
    let outcome = match command {
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Relay(arguments) => relay::run(&arguments),
        Command::Scrub(arguments) => scrub::run(&arguments),
        Command::Synth(arguments) => synth::run(&arguments),
        Command::Rules(arguments) => rules::list(&arguments),
        Command::Explain(arguments) => rules::explain(&arguments),
        Command::VerifyStreamV2(arguments) => verify_stream_v2::run(&arguments),
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        // Nobody is left to tell when the reader of a pipe has gone, as `head` does.
        if error.kind() != io::ErrorKind::BrokenPipe {
            output::complain(&format!("cannot write the report: {error}"));
        }
        FAILED
    }))
}
