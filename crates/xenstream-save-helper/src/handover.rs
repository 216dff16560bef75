//! Becoming the real helper: as this process, or as a child that does not outlive it.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, id};

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::error::Error;

/// First argument of a child that is to become the real helper; libxl has none like it.
const BECOME: &str = "--become";
/// This program, whatever has become of its file.
const THIS: &str = "/proc/self/exe";
/// Set in the real helper's environment, by which this program knows it if it is started there once more: by a script
/// that was meant to start the real helper, say. It would start that script again, and so on without end.
const MARK: &str = "XENSTREAM_SAVE_HELPER_RUNS";

/// Is this the first of its kind in front of the real helper?
pub(crate) fn check_mark() -> Result<(), Error> {
    if env::var_os(MARK).is_some() { Err(Error::InItsOwnPlace { mark: MARK }) } else { Ok(()) }
}

/// Becomes the real helper, which inherits every descriptor that libxl left open. Returns only if that fails.
pub(crate) fn become_real(real: &Path, arguments: &[OsString]) -> Error {
    let source = Command::new(real).args(arguments).env(MARK, "1").exec();
    Error::Start { program: real.to_owned(), source }
}

/// A child that becomes the real helper.
///
/// libxl kills its helper when it has had enough of it, reaps it, and takes for granted that nobody works on the domain
/// any more. So the real helper must not outlive this process, not even if that is killed. The system sees to it if the
/// child asks for that itself, which takes a program of ours between the fork and the real helper: this one.
pub(crate) fn child(real: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(THIS);
    command.arg(BECOME).arg(id().to_string()).arg(real).args(arguments).env(MARK, "1");
    command
}

/// If this is such a child, becomes the real helper; then it returns only if that fails.
pub(crate) fn become_if_child(arguments: &[OsString]) -> Option<Error> {
    let [first, parent, real, arguments @ ..] = arguments else { return None };
    if first != BECOME {
        return None;
    }
    let real = Path::new(real);
    let failed = |source| Error::Start { program: real.to_owned(), source };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return Some(failed(error.into()));
    }
    // If it was gone before that, the signal would never come.
    if parent.to_str() != getppid().map(Pid::as_raw_pid).map(|pid| pid.to_string()).as_deref() {
        return Some(Error::Orphan);
    }
    Some(failed(Command::new(real).args(arguments).exec()))
}
