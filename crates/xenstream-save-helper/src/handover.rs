//! Becoming the real helper: as this process, or as a child that does not outlive it.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, id};

use nix::unistd::execvp;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::arguments::SAVE;
use crate::error::Error;

/// First argument of a child that is to become the real helper; libxl has none like it.
const BECOME: &str = "--become";
/// This program, whatever has become of its file.
const THIS: &str = "/proc/self/exe";
/// Set in the real helper's environment, by which this program knows it if it is started there once more: by a script
/// that was meant to start the real helper, say. It would start that script again, and so on without end.
const MARK: &str = "XENSTREAM_SAVE_HELPER_RUNS";

/// Fails if another instance of this program already stands before the real helper.
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
    let source = match arguments.first() {
        Some(operation) if operation == SAVE => exec_ignoring_sigpipe(real, arguments),
        _ => Command::new(real).args(arguments).exec(),
    };
    Some(failed(source))
}

/// Becomes a helper that saves, to which a stream that nobody takes any more is an error and not its death.
///
/// A guest that is being saved is not as it was: its memory is being tracked, it may be suspended. Xen's helper puts that
/// right when a write fails, as it does on a full disk; dead of SIGPIPE it could not. This process ignores the signal,
/// as Rust programs do, and `Command` would undo that.
fn exec_ignoring_sigpipe(real: &Path, arguments: &[OsString]) -> io::Error {
    let word = |word: &OsStr| CString::new(word.as_bytes());
    let words = iter::once(real.as_os_str()).chain(arguments.iter().map(OsString::as_os_str)).map(word);
    let Ok(words) = words.collect::<Result<Vec<_>, _>>() else { return io::ErrorKind::InvalidInput.into() };
    match execvp(&words[0], &words) {
        Err(error) => error.into(),
    }
}
