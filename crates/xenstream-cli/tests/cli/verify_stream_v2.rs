//! The program in place of Xen's `verify-stream-v2`. `cargo xtask dropin` compares the two.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write, pipe};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use tempfile::tempfile;
use xenstream_synth::valid;

use crate::common::{Run, finished, run_in, run_with_stdin, xenstream};

/// The program under the other name.
fn verify_stream_v2() -> Command {
    let mut command = xenstream();
    command.arg0("/usr/lib/xen/bin/verify-stream-v2");
    command
}

/// Runs it on a file, which is on its standard input from the offset at which it stands.
fn run_on(file: &File, arguments: &[&str]) -> Run {
    finished(verify_stream_v2().args(arguments).stdin(file.try_clone().unwrap()).output().unwrap())
}

fn file(bytes: &[u8], offset: u64) -> File {
    let mut file = tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file
}

#[test]
fn verdicts_are_exit_statuses() {
    let stream = valid::hvm().bytes();
    let valid = run_on(&file(&stream, 0), &[]);
    assert_eq!((valid.status, valid.stdout.as_str(), valid.stderr.as_str()), (0, "", ""));
    let torn = run_on(&file(&stream[..100], 0), &[]);
    assert_eq!((torn.status, torn.stdout.as_str()), (1, ""));
    assert!(torn.stderr.starts_with("Stream Error:\nstream::truncated at offset 100 "), "{}", torn.stderr);
    let quiet = run_on(&file(&stream[..100], 0), &["-q", "-v"]);
    assert_eq!((quiet.status, quiet.stdout.as_str(), quiet.stderr.as_str()), (1, "", ""));
    let usage = run_on(&file(&stream, 0), &["-f", "libvirt"]);
    assert_eq!(usage.status, 2);
    let wrong = run_on(&file(&stream, 0), &["-f", "libxl"]);
    assert_eq!(wrong.status, 1);
}

#[test]
fn details_are_the_records() {
    let image = valid::hvm().in_libxl().in_xl();
    let run = run_on(&file(&image.bytes(), 0), &["-v", "-f", "xl"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("LIBXC_CONTEXT") && run.stdout.contains("PAGE_DATA"), "{}", run.stdout);
}

#[test]
fn files_are_found_by_name_and_by_number() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a stream"), valid::hvm().bytes()).unwrap();
    let run =
        |arguments: &[&str]| run_in(directory.path(), ["verify-stream-v2"].iter().chain(arguments)).status;
    assert_eq!(run(&["-i", "a stream"]), 0);
    assert_eq!(run(&["--in=a stream", "--format=libxc"]), 0);
    assert_eq!(run(&["-i", "nothing"]), 1);
    assert_eq!(run(&["-i", "-1"]), 1);
    assert_eq!(run(&["-i", "4000"]), 1);
    assert_eq!(run_with_stdin(&valid::hvm().bytes(), &["verify-stream-v2", "-i", "0"]).status, 0);
}

#[test]
fn compressed_streams_are_not_decompressed() {
    let compressed = zstd::encode_all(&valid::hvm().bytes()[..], 0).unwrap();
    assert_eq!(run_on(&file(&compressed, 0), &[]).status, 1);
}

#[test]
fn bytes_after_end_are_left_to_the_next_reader() {
    let stream = valid::hvm().bytes();
    let mut file = file(&[b"in front", &stream[..], b"behind"].concat(), 8);
    assert_eq!(run_on(&file, &[]).status, 0);
    let mut behind = String::new();
    file.read_to_string(&mut behind).unwrap();
    assert_eq!(behind, "behind");

    let (mut reader, mut writer) = pipe().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || writer.write_all(&[&stream[..], b"behind"].concat()).unwrap());
        let mut command = verify_stream_v2();
        let status = command.stdin(reader.try_clone().unwrap()).stdout(Stdio::null()).status().unwrap();
        drop(command);
        assert!(status.success());
        behind.clear();
        reader.read_to_string(&mut behind).unwrap();
    });
    assert_eq!(behind, "behind");
}

#[test]
fn other_formats_are_named() {
    let stream = valid::hvm().in_libxl().in_xl().bytes();
    let run = run_on(&file(&stream, 0), &[]);
    assert_eq!(run.status, 1);
    assert!(run.stderr.ends_with("\nhint: it begins like format xl; use -f xl\n"), "{}", run.stderr);
}
