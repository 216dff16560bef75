//! Becoming the real program: as this process, or as a child that does not outlive it.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, id};

use nix::unistd::execve;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::{Error, Program};

/// First argument of a child that is to become the real program; no toolstack has one like it.
const BECOME: &str = "--become";
const BECOME_IGNORING_SIGPIPE: &str = "--become-ignoring-sigpipe";
/// This program, whatever has become of its file.
const THIS: &str = "/proc/self/exe";

/// What becomes of the real program when it writes to a pipe or socket that is not read any more.
///
/// This process ignores the signal, as Rust programs do, so what it was before is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sigpipe {
    /// It dies.
    Default,
    /// Its write fails. A guest that is being saved is not as it was: its memory is being tracked, it may be suspended.
    /// Xen's programs put that right when a write fails, as it does on a full disk; dead of SIGPIPE they could not.
    Ignored,
}

/// Fails if another instance of this program already stands before the real one.
///
/// # Errors
/// [`Error::InItsOwnPlace`]
pub fn check_mark(program: &'static Program) -> Result<(), Error> {
    let (mark, variable) = (program.mark, program.real_variable);
    if env::var_os(mark).is_some() { Err(Error::InItsOwnPlace { mark, variable }) } else { Ok(()) }
}

/// Becomes the real program, which inherits every descriptor that was left open. Returns only if that fails.
#[must_use]
pub fn become_real(real: &Path, arguments: &[OsString], program: &Program, sigpipe: Sigpipe) -> Error {
    let source = match sigpipe {
        Sigpipe::Default => Command::new(real).args(arguments).env(program.mark, "1").exec(),
        Sigpipe::Ignored => exec_ignoring_sigpipe(real, arguments, Some(program.mark)),
    };
    Error::Start { program: real.to_owned(), source }
}

/// A child that becomes the real program.
///
/// A toolstack that gives up kills its helper, reaps it, and takes for granted that nothing works on the domain any
/// more. So the real program must not outlive this process, not even if that is killed. The system sees to it if the
/// child asks for that itself, which takes a program of ours between the fork and the real program: this one.
#[must_use]
pub fn child(real: &Path, arguments: &[OsString], program: &Program, sigpipe: Sigpipe) -> Command {
    let word = match sigpipe {
        Sigpipe::Default => BECOME,
        Sigpipe::Ignored => BECOME_IGNORING_SIGPIPE,
    };
    let mut command = Command::new(THIS);
    command.arg(word).arg(id().to_string()).arg(real).args(arguments).env(program.mark, "1");
    command
}

/// If this is such a child, becomes the real program; then it returns only if that fails.
#[must_use]
pub fn become_if_child(arguments: &[OsString]) -> Option<Error> {
    let [first, parent, real, arguments @ ..] = arguments else { return None };
    let sigpipe = match first.to_str() {
        Some(BECOME) => Sigpipe::Default,
        Some(BECOME_IGNORING_SIGPIPE) => Sigpipe::Ignored,
        _ => return None,
    };
    let real = Path::new(real);
    let failed = |source| Error::Start { program: real.to_owned(), source };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return Some(failed(error.into()));
    }
    // If it was gone before that, the signal would never come.
    if parent.to_str() != getppid().map(Pid::as_raw_pid).map(|pid| pid.to_string()).as_deref() {
        return Some(Error::Orphan);
    }
    let source = match sigpipe {
        Sigpipe::Ignored => exec_ignoring_sigpipe(real, arguments, None),
        Sigpipe::Default => Command::new(real).args(arguments).exec(),
    };
    Some(failed(source))
}

/// Replaces this process by a program that inherits its signals as they are, as `Command` would not have it.
fn exec_ignoring_sigpipe(real: &Path, arguments: &[OsString], mark: Option<&str>) -> io::Error {
    let word = |word: &OsStr| CString::new(word.as_bytes());
    let words = iter::once(real.as_os_str()).chain(arguments.iter().map(OsString::as_os_str)).map(word);
    let variables = env::vars_os()
        .map(|(key, value)| [key, value].join(OsStr::new("=")))
        .chain(mark.map(|mark| OsString::from(format!("{mark}=1"))))
        .map(|variable| word(&variable));
    let (Ok(words), Ok(variables)) =
        (words.collect::<Result<Vec<_>, _>>(), variables.collect::<Result<Vec<_>, _>>())
    else {
        return io::ErrorKind::InvalidInput.into();
    };
    match execve(&words[0], &words, &variables) {
        Err(error) => error.into(),
    }
}
