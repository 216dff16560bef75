//! Runs the program.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use xenstream_synth::{Stream, valid};

/// The program, without the surroundings' wishes for color; a CI machine is one of them.
pub(crate) fn xenstream() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xenstream"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "CI"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program with these arguments in a directory.
pub(crate) fn run_in(directory: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
    finished(xenstream().current_dir(directory).args(arguments).output().unwrap())
}

/// Runs the program with these bytes on its standard input.
pub(crate) fn run_with_stdin(bytes: &[u8], arguments: &[&str]) -> Run {
    finished(output_with_stdin(bytes, arguments))
}

/// The same, where the output is no text.
pub(crate) fn output_with_stdin(bytes: &[u8], arguments: &[&str]) -> Output {
    let mut child = spawned(arguments);
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // The program may have seen enough before it has seen everything.
            let _ = stdin.write_all(bytes);
        });
        child.wait_with_output().unwrap()
    })
}

/// The program at work, with a pipe for each of its standard streams.
pub(crate) fn spawned(arguments: &[&str]) -> Child {
    let mut command = xenstream();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

pub(crate) fn finished(output: Output) -> Run {
    Run {
        status: output.status.code().expect("no signal ends the program"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A small HVM guest as `xl save` writes it.
pub(crate) fn image() -> Stream {
    valid::hvm().in_libxl().with_device_model().in_xl()
}

/// A directory with these files.
pub(crate) fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(directory.path().join(name), bytes).unwrap();
    }
    directory
}
