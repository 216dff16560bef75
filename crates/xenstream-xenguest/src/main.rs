//! `xenstream-xenguest`: stands in for the `xenguest` of XenServer and XCP-ng and lets only verified streams pass.
//!
//! emu-manager starts xenguest by its path, so this program takes that path and leaves the work to the real one. A stream
//! to restore is either named on the command line, or arrives over xenguest's control socket. In both cases the real
//! xenguest reads a pipe, which a relay fills with what has been verified. Everything else passes unchanged.

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod error;
mod listen;
mod place;
mod session;
mod socket;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use xenstream_guard::handover::{self, Sigpipe};
use xenstream_guard::{
    Call, FAILED, Mode, Operation, Program, Settings, check_real, descriptor, passage, report, stream,
};

use crate::arguments::Task;
use crate::error::Error;

const PROGRAM: Program = Program {
    name: "xenstream-xenguest",
    real: "xenguest",
    real_variable: xenstream_guard::XENGUEST_REAL,
    mark: "XENSTREAM_XENGUEST_RUNS",
};

/// Where the real xenguest is, unless the settings name it.
const REAL: &str = "/usr/libexec/xen/bin/xenguest.real";

fn main() -> ExitCode {
    match run() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            report::complain(&PROGRAM, &error.to_string());
            ExitCode::from(FAILED)
        }
    }
}

/// Returns the answer to `--help` and `--version`, which emu-manager never asks for.
fn answer(word: &str) -> Option<&'static str> {
    match word {
        "--version" | "-V" => Some(concat!("xenstream-xenguest ", env!("CARGO_PKG_VERSION"))),
        "--help" | "-h" => Some(HELP),
        _ => None,
    }
}

const HELP: &str = "\
Verifies the streams that XenServer and XCP-ng restore, before xenguest reads them.

emu-manager starts this program; do not call it by hand. To switch it on, put it in xenguest's place:

  cd /usr/libexec/xen/bin && mv xenguest xenguest.real && cp /usr/libexec/xenstream-xenguest xenguest

Settings in /etc/xenstream.toml. In the environment, which emu-manager empties, they are in upper case
and begin with XENSTREAM_:

  xenguest_real  absolute path of the real xenguest; default: /usr/libexec/xen/bin/xenguest.real
  profile        hardened (default), restore or spec
  mode           enforce (default) or warn
  target         auto (default), none or a release of Xen
  report         a file, syslog or syslog:SOCKET; default: no report

Exit status: the real xenguest's; 1 if a stream was refused, 2 if it could not be verified.";

/// Runs the task. Returns only if this process neither becomes the real xenguest nor ends in the same way.
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
    let real = check_real(settings.real.as_deref().unwrap_or(Path::new(REAL)), &PROGRAM)?;
    // emu-manager starts xenguest with SIGPIPE ignored.
    let child = || handover::child(&real, &arguments, &PROGRAM, Sigpipe::Ignored);
    let become_real = || handover::become_real(&real, &arguments, &PROGRAM, Sigpipe::Ignored);
    match Task::parse(&arguments) {
        Task::Other => Err(become_real().into()),
        Task::Unknown if settings.mode == Mode::Enforce => Err(Error::Arguments),
        Task::Unknown => {
            let reason = "the arguments are those of no known xenguest";
            passage::tell_unverified(Operation::Restore, None, &settings, Path::new(""), reason);
            Err(become_real().into())
        }
        Task::Restore(call) => restore(&call, &settings, child()),
        Task::Listen { domid } => Ok(listen::run(child(), domid, settings)?),
    }
}

/// Runs the real xenguest with a pipe in place of a stream that the command line names.
fn restore(call: &Call, settings: &Settings, command: std::process::Command) -> Result<u8, Error> {
    let unusable = |source| xenstream_guard::Error::Descriptor { number: call.stream, source };
    let descriptor = descriptor::duplicate(call.stream).map_err(unusable)?;
    let path = stream::name(&descriptor);
    Ok(passage::pass_on(descriptor, command, call, settings, &path)?)
}
