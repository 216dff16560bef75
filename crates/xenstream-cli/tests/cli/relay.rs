//! `xenstream relay`: what comes out, what is said, what is left.

use std::fs::{self, File};
use std::io::{Read, Write, pipe};
use std::process::{Output, Stdio};

use serde_json::Value;
use xenstream::wire::libxc::types::X86_TSC_INFO;
use xenstream_synth::{Field, Part};

use crate::common::{image, output_with_stdin, xenstream};

const BEHIND: &[u8] = b"what is behind the stream";

/// Relays these bytes, which are followed by nothing.
fn relay(bytes: &[u8], arguments: &[&str]) -> Output {
    output_with_stdin(bytes, &[&["relay"], arguments].concat())
}

/// An image with a reserved field that is not zero, which only `restore` overlooks.
fn broken() -> Vec<u8> {
    image().edited(Part::libxc(X86_TSC_INFO), 8 + 20, Field::U32(1)).bytes()
}

#[test]
fn a_valid_stream_comes_out_whole_and_is_reported_on() {
    let bytes = image().bytes();
    let output = relay(&bytes, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == bytes);
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(report.starts_with("-: valid: xl, hvm, Xen 4.17, "), "{report}");

    let output = relay(&bytes, &["--quiet"]);
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn hardened_cuts_and_reports_a_broken_stream() {
    let bytes = broken();
    let output = relay(&bytes, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.len() < bytes.len() && bytes.starts_with(&output.stdout));
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(report.contains("invalid") && report.contains("error: libxc::tsc-info-reserved: "), "{report}");

    for lenient in [&["--profile", "restore"][..], &["--allow", "libxc::tsc-info-reserved"]] {
        let output = relay(&bytes, lenient);
        assert_eq!(output.status.code(), Some(0), "{lenient:?}");
        assert!(output.stdout == bytes);
    }
}

#[test]
fn the_report_goes_where_it_is_to_go() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report");
    let bytes = broken();
    let output = relay(&bytes, &["--json"]);
    let line: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(line["verdict"], "invalid");
    assert_eq!(line["path"], "-");
    assert_eq!(line["profile"], "hardened");
    assert_eq!(line["violation"]["rule"], "libxc::tsc-info-reserved");
    assert_eq!(line["bytes_relayed"], output.stdout.len());

    for arguments in [&["--json"][..], &[]] {
        let output = relay(&bytes, &[arguments, &["--report", path.to_str().unwrap()]].concat());
        assert_eq!((output.status.code(), output.stderr), (Some(1), Vec::new()));
        let report = fs::read_to_string(&path).unwrap();
        assert!(report.contains("libxc::tsc-info-reserved"), "{report}");
        assert_eq!(serde_json::from_str::<Value>(&report).is_ok(), !arguments.is_empty(), "{report}");
    }

    let output = relay(&bytes, &["--report", "/nonexistent/report"]);
    assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nonexistent/report"));
}

#[test]
fn bytes_after_end_are_left_to_the_next_reader() {
    let (mut reader, mut writer) = pipe().unwrap();
    writer.write_all(&[&image().bytes(), BEHIND].concat()).unwrap();
    let child = xenstream()
        .arg("relay")
        .stdin(reader.try_clone().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == image().bytes());
    let mut behind = [0; BEHIND.len()];
    reader.read_exact(&mut behind).unwrap();
    assert_eq!(behind, BEHIND);
}

#[test]
fn kinds_of_failure_are_distinct() {
    // The producer ends early.
    let bytes = image().bytes();
    let output = relay(&bytes[..bytes.len() - 1], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("stream::truncated"));

    // The producer fails: a directory cannot be read.
    let directory = File::open("/").unwrap();
    let output = xenstream().arg("relay").stdin(directory).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot read at offset 0"));

    // The consumer has gone, though the producer is still there and silent.
    let (reader, writer) = pipe().unwrap();
    let (output_reader, output_writer) = pipe().unwrap();
    drop(output_reader);
    let child =
        xenstream().arg("relay").stdin(reader).stdout(output_writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    drop(writer);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("the reader of the output has gone, at offset 0")
    );

    // The output cannot be written.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    fs::write(&path, &bytes).unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let child = xenstream()
        .arg("relay")
        .stdin(File::open(&path).unwrap())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot write at offset 0"));
}

/// What only a second walk finds passes, and that is said.
#[test]
fn hardened_lists_unchecked_rules() {
    let stream = xenstream_synth::valid::pv64().in_libxl().in_xl().bytes();
    let note = "note: 5 rules take a file that is not compressed, and were not checked: pv::";
    let run = relay(&stream, &[]);
    let reported = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success() && run.stdout == stream);
    assert!(
        reported.starts_with("-: valid, 5 rules unchecked: xl, pv64, ") && reported.contains(note),
        "{reported}"
    );
    for (arguments, said) in [(&["verify", "-v"][..], true), (&["verify"], false)] {
        let run = output_with_stdin(&stream, arguments);
        let reported = String::from_utf8(run.stdout).unwrap();
        assert!(reported.starts_with("-: valid: xl") || reported.contains("\n-: valid: xl"), "{reported}");
        assert_eq!(reported.contains(note), said, "{reported}");
    }
    let (path, _directory) = image_file(&stream);
    let run = xenstream().args(["verify", "-v", "--profile", "hardened"]).arg(path).output().unwrap();
    let reported = String::from_utf8(run.stdout).unwrap();
    assert!(reported.contains(": valid: xl") && !reported.contains("not checked"), "{reported}");
}

fn image_file(bytes: &[u8]) -> (std::path::PathBuf, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    fs::write(&path, bytes).unwrap();
    (path, directory)
}
