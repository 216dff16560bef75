//! What `cargo bench` runs at the top of the repository: every benchmark of `xenstream-benches`, with the same
//! arguments.
//!
//! The benchmarks are no default members themselves. Then `cargo build` would build them too, and what they measure with.

#![forbid(unsafe_code)]

use std::env;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    // Without the flag this is `cargo test --benches`: everything once, to see that it runs.
    let task = if arguments.iter().any(|argument| argument == "--bench") { "bench" } else { "test" };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([task, "--package", "xenstream-benches", "--features", "criterion", "--benches", "--"]);
    // Cargo adds the flag itself.
    cargo.args(arguments.iter().filter(|argument| *argument != "--bench"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    match cargo.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("{cargo:?}: {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cannot start {cargo:?}: {error}");
            ExitCode::FAILURE
        }
    }
}
