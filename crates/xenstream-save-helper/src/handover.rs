//! Becoming the real helper.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::error::Error;

/// Set in the real helper's environment, by which this program knows it if it is started there once more: by a script
/// that was meant to start the real helper, say. It would start that script again, and so on without end.
const MARK: &str = "XENSTREAM_SAVE_HELPER_RUNS";

/// Is this the first of its kind in front of the real helper?
pub(crate) fn check_mark() -> Result<(), Error> {
    if env::var_os(MARK).is_some() { Err(Error::InItsOwnPlace { mark: MARK }) } else { Ok(()) }
}

/// The real helper, about to be started. It inherits every descriptor that libxl left open.
pub(crate) fn command(real: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(real);
    command.args(arguments).env(MARK, "1");
    command
}

/// Becomes the real helper. Returns only if that fails.
pub(crate) fn real(real: &Path, arguments: &[OsString]) -> Error {
    let source = command(real, arguments).exec();
    Error::Start { program: real.to_owned(), source }
}
