//! `--progress` of `verify` and `extract`.

use std::io::{BufRead, BufReader, Read, Write};

use crate::common::{directory, image, run_with_stdin, spawned};

/// The stream is held back until progress has been told, however long that takes.
#[test]
fn who_waits_for_a_pipe_is_told_of_it() {
    let bytes = image().bytes();
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    let mut child = spawned(&["verify", "--progress", "-"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stdin.write_all(first).unwrap();
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    // A pipe has no length, so there is a rate and no time left.
    assert!(line.contains(" B, ") && line.contains("/s") && !line.contains("left"), "{line:?}");
    stdin.write_all(rest).unwrap();
    drop(stdin);
    let mut verdict = String::new();
    child.stdout.take().unwrap().read_to_string(&mut verdict).unwrap();
    assert!(verdict.starts_with("-: valid: "), "{verdict:?}");
    std::io::copy(&mut stderr, &mut std::io::sink()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn extraction_reports_progress_of_reading() {
    let bytes = image().bytes();
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    let files = directory(&[]);
    let out = files.path().join("out");
    let mut child = spawned(&["extract", "--progress=always", "-", out.to_str().unwrap()]);
    let mut stdin = child.stdin.take().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stdin.write_all(first).unwrap();
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("B, ") && line.contains("/s") && !line.contains("left"), "{line:?}");
    stdin.write_all(rest).unwrap();
    drop(stdin);
    let mut reported = String::new();
    stderr.read_to_string(&mut reported).unwrap();
    assert!(reported.contains("-: valid: ") && reported.contains(": extracted: "), "{reported:?}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn progress_is_silent_without_a_terminal() {
    for arguments in [&["verify"][..], &["verify", "--progress=never"], &["verify", "--quiet"]] {
        let run = run_with_stdin(&image().bytes(), arguments);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    }
}
