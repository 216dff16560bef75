//! Passes a stream on while it is verified: nothing after a broken rule reaches the output.
//!
//! ```text
//! ssh source xl save ... | cargo run -p xenstream --example relay > guest.save
//! ```

use std::io;
use std::process::ExitCode;

use xenstream::{Options, Policy, relay};

fn main() -> ExitCode {
    let relayed = relay(io::stdin(), io::stdout(), &Options::new(Policy::hardened()));
    eprintln!("{} bytes passed", relayed.bytes);
    match relayed.result {
        Ok(report) if report.is_valid() => ExitCode::SUCCESS,
        Ok(report) => {
            eprintln!("refused: {}", report.violation().map(ToString::to_string).unwrap_or_default());
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
