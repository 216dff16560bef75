//! The example of a restore helper: compiled without a warning, and run on every bare libxc stream there is.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::compiler::{Compiler, Library, archive, manifest, skipped, succeed};
use xenstream_core::{Checkpointing, Format, Level, Limit, Observer, Policy, Rule, Verifier, Violation};
use xenstream_synth::{cases, corpus};

/// What lies after the stream on the same descriptor: libxl's.
const BEHIND: &[u8] = b"libxl goes on here";

/// Exit status of [`restore_helper`](../examples/restore_helper.c) for a stream that it restored, and one it refused.
const RESTORED: i32 = 0;
const REFUSED: i32 = 1;

#[test]
fn only_valid_streams_are_restored() {
    let Some(compiler) = Compiler::find() else { return };
    let helper = compiler.restore_helper("helper", &archive(), &[]);
    let mut refused = 0;
    for (name, stream) in streams() {
        refused += u32::from(check(Command::new(&helper), &name, &stream) == REFUSED);
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn shared_library_does_the_same() {
    let Some(compiler) = Compiler::find() else { return };
    let helper = compiler.restore_helper("helper-shared", &Library::Shared(compiler.shared()), &[]);
    for (name, stream) in some_streams() {
        let mut command = Command::new(&helper);
        command.env("LD_LIBRARY_PATH", compiler.directory());
        check(command, &name, &stream);
    }
}

#[test]
fn sanitizers_find_nothing() {
    let Some(compiler) = Compiler::find() else { return };
    let flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    if !compiler.can("sanitized.c", &flags) {
        return skipped("the compiler has no sanitizers");
    }
    let helper = compiler.restore_helper("helper-sanitized", &archive(), &flags);
    for (name, stream) in streams() {
        check(Command::new(&helper), &name, &stream);
    }
}

#[test]
fn valgrind_finds_nothing() {
    let Some(compiler) = Compiler::find() else { return };
    if Command::new("valgrind").arg("--version").output().is_err() {
        return skipped("there is no valgrind");
    }
    let helper = compiler.restore_helper("helper-valgrind", &archive(), &[]);
    for (name, stream) in some_streams() {
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=all"])
            .arg(&helper);
        check(command, &name, &stream);
    }
}

#[test]
fn library_without_std_never_allocates_or_unwinds() {
    let Some(compiler) = Compiler::find() else { return };
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embedded");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(manifest("../..")).args([
        "rustc",
        "--package",
        "xenstream-capi",
        "--no-default-features",
    ]);
    cargo
        .args(["--profile", "embedded", "--crate-type", "staticlib", "--offline", "--target-dir"])
        .arg(&target);
    succeed(&mut cargo);
    let library = Library::Static(target.join("embedded/libxenstream_c.a"));
    let helper = compiler.restore_helper("helper-embedded", &library, &["-O2"]);
    for (name, stream) in some_streams() {
        check(Command::new(&helper), &name, &stream);
    }
    let Ok(output) = Command::new("nm").arg(&helper).output() else { return skipped("there is no nm") };
    let symbols = String::from_utf8(output.stdout).unwrap();
    assert!(symbols.contains("xs_verifier_push"), "nm shows nothing");
    let forbidden = ["_Unwind_", "__rust_alloc", "eh_personality"];
    let found: Vec<_> =
        symbols.lines().filter(|line| forbidden.iter().any(|part| line.contains(part))).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn header_stands_alone_in_c_and_cpp() {
    let Some(compiler) = Compiler::find() else { return };
    compiler.check("header.c", &["-std=c11", "-pedantic"]);
    compiler.check("header99.c", &["-std=c99", "-pedantic"]);
    if compiler.can("can.cpp", &[]) {
        compiler.check("header.cpp", &["-std=c++11", "-pedantic"]);
    } else {
        skipped("the compiler knows no C++");
    }
}

/// Every bare libxc stream of the cases, and the valid ones.
fn streams() -> Vec<(String, Vec<u8>)> {
    let mut streams = Vec::new();
    for case in cases::all().into_iter().filter(|case| case.format == Format::Libxc) {
        let name = format!("{}::{}", case.rule.layer(), case.name());
        streams.push((format!("{name}.ok"), case.neighbour));
        streams.push((name, case.stream));
    }
    for (name, stream) in corpus::valid_streams() {
        if stream.format() == Format::Libxc {
            streams.push((name, stream.bytes()));
        }
    }
    streams
}

/// A few of them, for runs that take long.
fn some_streams() -> impl Iterator<Item = (String, Vec<u8>)> {
    let all = streams();
    let apart = all.len() / 12;
    all.into_iter().step_by(apart)
}

/// Runs the helper on a stream with libxl's bytes after it, and compares what it says and leaves with what the core
/// says. Returns the exit status.
fn check(mut helper: Command, name: &str, stream: &[u8]) -> i32 {
    let (restored, reported) = expectation(stream);
    let (mut input, mut output) = io::pipe().unwrap();
    let bytes = [stream, if restored.is_some() { BEHIND } else { &[] }].concat();
    let behind = restored.map(|bytes_taken| bytes[bytes_taken..].to_vec());
    let expected = if behind.is_some() { RESTORED } else { REFUSED };
    let writer = thread::spawn(move || output.write_all(&bytes));

    helper.stdin(input.try_clone().unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = helper.output().unwrap();
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(expected), "{name}: {stderr}");
    assert_eq!(stderr, reported, "{name}");
    assert_eq!(run.stdout.starts_with(b"restored "), expected == RESTORED, "{name}");

    let mut left = Vec::new();
    input.read_to_end(&mut left).unwrap();
    writer.join().unwrap().unwrap();
    if let Some(behind) = behind {
        assert_eq!(left, behind, "{name}: what lies behind the stream");
    }
    expected
}

/// What the helper should restore, in bytes, or nothing; and what it should print.
fn expectation(stream: &[u8]) -> (Option<usize>, String) {
    let policy = Policy::hardened()
        .with_checkpointing(Checkpointing::Plain)
        .with_limit(Limit::LibxcRecord, 8 << 20)
        .with_level(Rule::LibxcBigEndian, Level::Deny)
        .unwrap();
    let mut reported = Warnings::default();
    let mut verifier = Verifier::new(Format::Libxc, &policy);
    let pushed = verifier.push(stream, &mut reported);
    match pushed.and_then(|progress| verifier.finish(&mut reported).map(|_| progress.consumed)) {
        Ok(bytes) => (Some(bytes), reported.0),
        Err(violation) => (None, format!("{}restore_helper: refused: {violation}\n", reported.0)),
    }
}

/// What the helper prints of warnings.
#[derive(Default)]
struct Warnings(String);

impl Observer for Warnings {
    fn on_warning(&mut self, warning: &Violation) {
        self.0.push_str(&format!("restore_helper: warning: {warning}\n"));
    }
}
