//! `xenstream-save-helper`: stands in for Xen's `libxl-save-helper` and lets only verified streams pass.
//!
//! libxl runs the program that `LIBXL_SAVE_HELPER` names instead of its own helper. This program verifies the libxc stream
//! that is restored or saved, and leaves everything else to the real helper. A file is verified in place, and then this
//! process becomes the real helper. With a pipe or socket, the real helper runs beside this process and reads the verified
//! stream from a relay. The real helper gets standard input and output, on which libxl talks to it.

#![forbid(unsafe_code)]

mod answer;
mod arguments;
mod error;
mod gate;
mod real;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use xenstream_guard::handover::{self, Sigpipe};
use xenstream_guard::{FAILED, Mode, Program, Settings, report};

use crate::arguments::Task;
use crate::error::Error;
use crate::gate::Passage;

const PROGRAM: Program = Program {
    name: "xenstream-save-helper",
    real: "the helper",
    real_variable: xenstream_guard::SAVE_HELPER_REAL,
    mark: "XENSTREAM_SAVE_HELPER_RUNS",
};

fn main() -> ExitCode {
    match run() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            report::complain(&PROGRAM, &error.to_string());
            ExitCode::from(FAILED)
        }
    }
}

/// Returns the answer to `--help` and `--version`, which libxl never asks for.
fn answer(word: &str) -> Option<&'static str> {
    match word {
        "--version" | "-V" => Some(concat!("xenstream-save-helper ", env!("CARGO_PKG_VERSION"))),
        "--help" | "-h" => Some(HELP),
        _ => None,
    }
}

const HELP: &str = "\
Verifies the streams that libxl restores and saves, before Xen's libxl-save-helper reads them.

libxl starts this program; do not call it by hand. To switch it on, name it in the environment of
xl or of libvirt's daemon:

  LIBXL_SAVE_HELPER=/usr/libexec/xenstream-save-helper

Settings in the environment. In /etc/xenstream.toml, they have no prefix and are in lower case:

  XENSTREAM_SAVE_HELPER_REAL  absolute path of the real helper; default: the installed one
  XENSTREAM_PROFILE           hardened (default), restore or spec
  XENSTREAM_MODE              enforce (default) or warn
  XENSTREAM_TARGET            auto (default), none or a release of Xen
  XENSTREAM_REPORT            a file, syslog or syslog:SOCKET; default: no report
  XENSTREAM_CONFIG            a file to read instead of /etc/xenstream.toml

Exit status: the real helper's; 1 if a stream was refused, 2 if it could not be verified.";

/// Runs the task that libxl asks for. Returns only if this process neither becomes the real helper nor ends in the same way.
fn run() -> Result<u8, Error> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(error) = handover::become_if_child(&arguments) {
        return Err(error.into());
    }
    if let [word] = arguments.as_slice()
        && let Some(answer) = word.to_str().and_then(answer)
    {
        // Failing to print is not an error here.
        let _ = writeln!(io::stdout(), "{answer}");
        return Ok(0);
    }
    handover::check_mark(&PROGRAM)?;
    let settings = Settings::load(&PROGRAM)?;
    let real = real::find(settings.real.as_deref())?;
    let become_real = || Error::from(handover::become_real(&real, &arguments, &PROGRAM, Sigpipe::Default));
    match Task::parse(&arguments) {
        Task::Other => Err(become_real()),
        Task::Unknown(_) if settings.mode == Mode::Enforce => Err(Error::Arguments),
        Task::Unknown(operation) => {
            gate::leave_unknown(operation, &settings);
            Err(become_real())
        }
        Task::Checkpointed(call) => {
            gate::leave_open(&call, &settings);
            Err(become_real())
        }
        Task::Verify(call) => match gate::open(&call, &settings, &real, &arguments)? {
            Passage::Free => Err(become_real()),
            Passage::Closed(status) => Ok(status),
        },
    }
}
