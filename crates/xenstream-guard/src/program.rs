//! Which program stands in front of which.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// A program of ours, and the program of Xen's that it stands in front of.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Our program's name.
    pub name: &'static str,
    /// What messages call the real program.
    pub real: &'static str,
    /// The environment's variable with the path of the real program. In the file, it has no prefix and is in lower case.
    pub real_variable: &'static str,
    /// Set in the real program's environment, by which ours knows it if it is started there once more: by a script that
    /// was meant to start the real one, say. It would start that script again, and so on without end.
    pub mark: &'static str,
}

/// Checks the path of the real program: it is absolute, and it does not lead back to this program.
///
/// # Errors
/// [`Error::RelativeReal`], [`Error::RealIsThis`], or [`Error::Start`] if there is no such file.
pub fn check_real(path: &Path, program: &'static Program) -> Result<PathBuf, Error> {
    let (path, variable) = (path.to_owned(), program.real_variable);
    // What it is must not depend on the directory that this program is started in, nor on its PATH.
    if !path.is_absolute() {
        return Err(Error::RelativeReal { path, variable });
    }
    let identity = |path: &Path| {
        let failed = |source| Error::Start { program: path.to_owned(), source };
        fs::metadata(path).map(|file| (file.dev(), file.ino())).map_err(failed)
    };
    // Running itself in its own place it would never come to an end.
    if identity(&path)? == identity(Path::new("/proc/self/exe"))? {
        return Err(Error::RealIsThis { path, variable });
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program =
        Program { name: "guard", real: "the real one", real_variable: "REAL", mark: "MARK" };

    fn check(path: &Path) -> Result<PathBuf, Error> {
        check_real(path, &PROGRAM)
    }

    #[test]
    fn this_program_is_not_the_real_one() {
        let itself = std::env::current_exe().unwrap();
        assert!(matches!(check(&itself), Err(Error::RealIsThis { .. })));
    }

    #[test]
    fn the_real_one_is_an_existing_absolute_path() {
        assert!(check(Path::new("/bin/sh")).is_ok());
        for path in ["sh", "./sh", "../../bin/sh", "bin/sh"] {
            assert!(matches!(check(Path::new(path)), Err(Error::RelativeReal { .. })), "{path}");
        }
        assert!(matches!(check(Path::new("/nonexistent/helper")), Err(Error::Start { .. })));
    }
}
