//! The `xenstream` program; see `xenstream-commands`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    xenstream_commands::main()
}
