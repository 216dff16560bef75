//! The program as its users meet it: arguments and files in, text and an exit status out.

mod bad_input;
mod catalogue;
mod closed;
mod common;
mod completions;
mod convert;
mod diff;
mod extract;
mod help;
mod inspect;
mod json;
mod progress;
mod relay;
mod remote;
mod report;
mod scrub;
mod synth;
mod targets;
mod verify;
mod verify_stream_v2;
mod watch;
