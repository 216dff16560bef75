//! `xenstream-save-helper`: stands in for Xen's `libxl-save-helper` and lets only verified streams pass.
//!
//! libxl runs the program that `LIBXL_SAVE_HELPER` names in place of its own helper. This one verifies the libxc stream
//! that is restored or saved, and leaves all else to the real helper: a file is verified where it is, then this process
//! becomes the real helper; on a pipe or socket the real helper runs beside it and gets from a relay what has been
//! verified. Standard input and output, where libxl talks to its helper, are the real helper's.

#![forbid(unsafe_code)]

mod arguments;
mod child;
mod descriptor;
mod error;
mod gate;
mod handover;
mod host;
mod real;
mod report;
mod settings;
mod stream;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::arguments::Task;
use crate::error::Error;
use crate::gate::Passage;
use crate::settings::{Mode, Settings};

/// The stream was refused, and nobody else said so.
const REFUSED: u8 = 1;
/// No verdict was reached, for a reason that does not lie in the stream.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match run() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            report::complain(&error.to_string());
            ExitCode::from(FAILED)
        }
    }
}

/// The answer to a person who asks what this program is. libxl asks neither.
fn answer(word: &str) -> Option<&'static str> {
    match word {
        "--version" | "-V" => Some(concat!("xenstream-save-helper ", env!("CARGO_PKG_VERSION"))),
        "--help" | "-h" => Some(HELP),
        _ => None,
    }
}

const HELP: &str = "\
Verifies the streams that libxl restores and saves, in front of Xen's libxl-save-helper.

libxl starts this program; it is not called by hand. To switch it on, name it in the environment of
xl or of libvirt's daemon:

  LIBXL_SAVE_HELPER=/usr/libexec/xenstream-save-helper

Settings, in the environment or, without their prefix and in lower case, in /etc/xenstream.toml:

  XENSTREAM_SAVE_HELPER_REAL  absolute path of the real helper; default: the installed one
  XENSTREAM_PROFILE           hardened (default), restore or spec
  XENSTREAM_MODE              enforce (default) or warn
  XENSTREAM_TARGET            auto (default), none or a release of Xen
  XENSTREAM_REPORT            a file, syslog or syslog:SOCKET; default: no report
  XENSTREAM_CONFIG            another file than /etc/xenstream.toml

Exit status: the real helper's; 1 if a stream was refused, 2 if it could not be verified.";

/// Does what libxl asks for. Returns only if this process does not become the real helper, nor ends as that one did.
fn run() -> Result<u8, Error> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(error) = handover::become_if_child(&arguments) {
        return Err(error);
    }
    if let [word] = arguments.as_slice()
        && let Some(answer) = word.to_str().and_then(answer)
    {
        // Not being heard is no reason to fail.
        let _ = writeln!(io::stdout(), "{answer}");
        return Ok(0);
    }
    handover::check_mark()?;
    let settings = Settings::load()?;
    let real = real::find(settings.real.as_deref())?;
    match Task::parse(&arguments) {
        Task::Other => Err(handover::become_real(&real, &arguments)),
        Task::Unknown(_) if settings.mode == Mode::Enforce => Err(Error::Arguments),
        Task::Unknown(operation) => {
            gate::leave_unknown(operation, &settings);
            Err(handover::become_real(&real, &arguments))
        }
        Task::Checkpointed(call) => {
            gate::leave_open(&call, &settings);
            Err(handover::become_real(&real, &arguments))
        }
        Task::Verify(call) => match gate::open(&call, &settings, &real, &arguments)? {
            Passage::Free => Err(handover::become_real(&real, &arguments)),
            Passage::Closed(status) => Ok(status),
        },
    }
}
