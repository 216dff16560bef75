//! C programs, compiled and linked with the library that cargo built for this test.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use xenstream_c::XS_ABI;

/// What our own C code is compiled with.
const STRICT: &[&str] =
    &["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-D_POSIX_C_SOURCE=200809L", "-g"];

/// A C compiler, and a directory for what it makes.
pub(crate) struct Compiler {
    command: String,
    directory: TempDir,
}

/// Which library a program is linked with.
pub(crate) enum Library {
    Static(PathBuf),
    Shared(PathBuf),
}

impl Compiler {
    /// The compiler that `CC` names, or `cc`. Without one a message says that the test was skipped.
    pub(crate) fn find() -> Option<Compiler> {
        let command = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        if Command::new(&command).arg("--version").output().is_err() {
            skipped(&format!("there is no C compiler ({command})"));
            return None;
        }
        Some(Compiler { command, directory: TempDir::new().unwrap() })
    }

    /// Compiles the example.
    pub(crate) fn restore_helper(&self, name: &str, library: &Library, flags: &[&str]) -> PathBuf {
        let program = self.directory.path().join(name);
        let mut command = Command::new(&self.command);
        command.args(STRICT).args(flags).arg("-I").arg(manifest("include")).arg("-o").arg(&program);
        command.arg(manifest("examples/restore_helper.c"));
        match library {
            Library::Static(path) => {
                command.arg(path).args(["-Wl,--gc-sections", "-lpthread", "-ldl", "-lm"])
            }
            Library::Shared(path) => command.arg(path),
        };
        succeed(&mut command);
        program
    }

    /// Compiles the header alone in a file of this language.
    pub(crate) fn check(&self, file: &str, flags: &[&str]) {
        let mut command = Command::new(&self.command);
        let path = self.directory.path().join(file);
        fs::write(&path, "#include <xenstream.h>\nxs_policy policy;\n").unwrap();
        command.args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"]).arg(manifest("include"));
        succeed(command.args(flags).arg(path));
    }

    /// Returns whether a program compiled with these flags runs. The libraries of a sanitizer may be missing, and so may
    /// the compiler of another language.
    pub(crate) fn can(&self, file: &str, flags: &[&str]) -> bool {
        let path = self.directory.path().join(file);
        let program = self.directory.path().join("can");
        fs::write(&path, "int main(void) { return 0; }\n").unwrap();
        let compiled = Command::new(&self.command).args(flags).arg("-o").arg(&program).arg(path).output();
        compiled.is_ok_and(|output| output.status.success())
            && Command::new(&program).status().is_ok_and(|status| status.success())
    }

    /// The directory of the shared library, under the name by which programs ask for it.
    pub(crate) fn shared(&self) -> PathBuf {
        let name = self.directory.path().join(format!("libxenstream.so.{XS_ABI}"));
        if !name.exists() {
            fs::copy(built().join("libxenstream_c.so"), &name).unwrap();
        }
        name
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// The static library.
pub(crate) fn archive() -> Library {
    Library::Static(built().join("libxenstream_c.a"))
}

pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Runs a command that has to succeed.
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    output
}

pub(crate) fn manifest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where cargo puts the libraries that tests use: beside the tests.
fn built() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.parent().unwrap().to_owned()
}
