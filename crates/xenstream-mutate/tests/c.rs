//! The header and the example, compiled and linked with the library that cargo built for this test.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use xenstream_synth::minimal;

const STRICT: [&str; 5] = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"];

/// The compiler that `CC` names, or `cc`. Without one a message says that the test was skipped.
fn compiler() -> Option<Command> {
    let command = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    if Command::new(&command).arg("--version").output().is_err() {
        println!("skipped: there is no C compiler ({command})");
        return None;
    }
    let mut compiler = Command::new(command);
    compiler.args(STRICT).arg("-I").arg(manifest("include"));
    Some(compiler)
}

fn manifest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Cargo puts it where this test is.
fn library() -> PathBuf {
    let test = env::current_exe().expect("a program has a path");
    test.with_file_name("libxenstream_mutate.a")
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn header_is_c_and_cxx() {
    let directory = TempDir::new().expect("a directory");
    for language in ["c", "c++"] {
        let Some(mut compiler) = compiler() else { return };
        let file = directory.path().join("header.c");
        fs::write(&file, "#include <xenstream_mutate.h>\nint header;\n").expect("a directory of our own");
        if language == "c++" {
            compiler.arg("-std=c++11");
        }
        let output =
            compiler.args(["-fsyntax-only", "-x", language]).arg(&file).output().expect("a compiler");
        let text = String::from_utf8_lossy(&output.stderr);
        // The compiler of another language may be missing.
        assert!(output.status.success() || text.contains("cc1plus"), "{language}: {text}");
    }
}

#[test]
fn example_finds_the_error_of_its_reader() {
    let Some(mut compiler) = compiler() else { return };
    let directory = TempDir::new().expect("a directory");
    let (program, seed) = (directory.path().join("toy_reader"), directory.path().join("seed"));
    fs::write(&seed, minimal::hvm().bytes()).expect("a directory of our own");
    compiler.args(["-g", "-DWITH_MAIN", "-o"]).arg(&program).arg(manifest("examples/toy_reader.c"));
    succeed(compiler.arg(library()).args(["-lpthread", "-ldl", "-lm"]));
    let text = succeed(Command::new(&program).arg(&seed));
    let lines: Vec<&str> = text.lines().collect();
    let [mutator, cross, afl] = lines.as_slice() else { panic!("{text}") };
    for line in [mutator, afl] {
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [whole, rounds, found] = numbers.as_slice() else { panic!("{line}") };
        // Bytes changed at random end at a wrong length.
        assert!(whole * 2 > *rounds && *found > 20, "{line}");
    }
    assert!(cross.starts_with("cross-over: ") && !cross.contains(" 0 of"), "{cross}");
}
