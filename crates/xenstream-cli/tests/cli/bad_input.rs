//! Input of which no good can come: the right verdict or none, the right exit status, and never a panic.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use crate::common::{directory, finished, image, run_in, run_with_stdin, xenstream};
use xenstream_synth::{Field, Part};

/// Body length of a record, from its first byte.
const BODY_LENGTH: u64 = 4;
/// Count of PAGE_DATA, from the record's first byte.
const COUNT: u64 = 8;

#[test]
fn non_images_are_unrecognised() {
    // The first of a generator's bytes; no magic begins like that.
    let random: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for bytes in [&b""[..], b"X", b"\xFF", &random] {
        let files = directory(&[("file", bytes)]);
        for run in [run_in(files.path(), ["verify", "file"]), run_with_stdin(bytes, &["verify"])] {
            assert_eq!(run.status, 1, "{run:?}");
            assert!(run.stdout.contains(": invalid: "), "{run:?}");
            assert!(run.stdout.contains("error: stream::unrecognised: "), "{run:?}");
            assert_eq!(run.stderr, "");
        }
    }
}

#[test]
fn short_input_of_a_given_format_is_truncated() {
    for bytes in [&b""[..], b"X"] {
        let run = run_with_stdin(bytes, &["verify", "-f", "xl"]);
        assert_eq!(run.status, 1);
        assert!(run.stdout.contains("error: stream::truncated: "), "{run:?}");
        assert!(run.stdout.contains(&format!("at offset {0} ({0:#x})", bytes.len())), "{run:?}");
    }
}

#[test]
fn read_errors_are_not_verdicts() {
    let files = directory(&[("README.md", b"# not an image\n"), ("good.xl", &image().bytes())]);
    let empty = directory(&[("README.md", b"# not an image\n")]);
    let empty = empty.path().to_str().unwrap();
    for (name, message) in [
        ("cannot open absent", "No such file or directory"),
        (empty, "no image in this directory"),
        // Nothing is mapped at address 0, so reading there fails for every user.
        ("/proc/self/mem", "cannot read at offset 0: Input/output error"),
    ] {
        let image = name.strip_prefix("cannot open ").unwrap_or(name);
        let run = run_in(files.path(), ["verify", image]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
        assert!(run.stderr.starts_with(&format!("xenstream: {name}: {message}")), "{run:?}");
    }
    let output = xenstream().arg("verify").stdin(File::open(files.path()).unwrap()).output().unwrap();
    let run = finished(output);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.starts_with("xenstream: -: cannot read at offset 0: Is a directory"), "{run:?}");
}

#[test]
fn a_list_without_names_is_an_error() {
    let files = directory(&[("list", b"")]);
    let run = run_in(files.path(), ["verify", "--files-from", "list"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert_eq!(run.stderr, "xenstream: list: no name in this list\n");
}

#[test]
fn damaged_compressed_data_is_no_verdict() {
    let files = directory(&[("a.gz", &[0x1F, 0x8B, 8, 0, 0, 0]), ("b.xz", b"\xFD7zXZ\0nonsense")]);
    let run = run_in(files.path(), ["verify", "a.gz", "b.xz"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    let lines: Vec<_> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("xenstream: a.gz: cannot decompress gzip data after offset 0: "), "{run:?}");
    assert!(lines[1].starts_with("xenstream: b.xz: cannot decompress xz data after offset 0: "), "{run:?}");
}

#[test]
fn the_worst_outcome_is_the_status() {
    let files = directory(&[("good", &image().bytes()), ("bad", &image().bytes()[..100])]);
    for (names, status) in [
        (&["good"][..], 0),
        (&["good", "bad"], 1),
        (&["bad", "good"], 1),
        (&["absent", "good"], 2),
        (&["absent", "bad"], 2),
        (&["bad", "absent", "good"], 2),
    ] {
        assert_eq!(run_in(files.path(), [&["verify"], names].concat()).status, status, "{names:?}");
    }
}

#[test]
fn lengths_that_lie_are_refused_where_they_stand() {
    let pages = Part::libxc(xenstream::wire::libxc::types::PAGE_DATA);
    let state = Part::libxl(xenstream::wire::libxl::types::EMULATOR_CONTEXT);
    for (part, at, rule) in [
        (pages, BODY_LENGTH, "libxc::record-length"),
        (pages, COUNT, "libxc::page-data-length"),
        (state, BODY_LENGTH, "stream::truncated"),
    ] {
        let stream = image().edited(part, at, Field::U32(u32::MAX));
        let bytes = stream.bytes();
        let offset = match rule {
            "stream::truncated" => bytes.len() as u64,
            _ => stream.offset(stream.find(part)) + BODY_LENGTH,
        };
        let files = directory(&[("file", &bytes)]);
        for run in [run_in(files.path(), ["verify", "file"]), run_with_stdin(&bytes, &["verify", "-"])] {
            assert_eq!(run.status, 1, "{run:?}");
            assert!(run.stdout.contains(&format!("error: {rule}: ")), "{run:?}");
            assert!(run.stdout.contains(&format!("at offset {offset} ({offset:#x}), in lib")), "{run:?}");
        }
    }
}

#[test]
fn bytes_after_end_are_a_warning() {
    let bytes = [&image().bytes()[..], b"behind"].concat();
    let files = directory(&[("file", &bytes)]);
    let run = run_in(files.path(), ["verify", "--profile", "spec", "file"]);
    assert_eq!(run.status, 0, "{run:?}");
    let offset = image().size();
    assert!(run.stdout.contains("warning: stream::trailing-data: "), "{run:?}");
    assert!(run.stdout.contains(&format!("at offset {offset} ({offset:#x})\n")), "{run:?}");
    assert_eq!(run_in(files.path(), ["verify", "--profile", "hardened", "file"]).status, 1);
    assert_eq!(run_in(files.path(), ["verify", "--deny", "stream::trailing-data", "file"]).status, 1);
    let run = run_with_stdin(&bytes, &["verify"]);
    assert_eq!(run.status, 0);
    assert!(!run.stdout.contains("warning"), "a live stream may go on: {run:?}");
}

#[test]
fn a_stream_may_come_byte_by_byte() {
    let bytes = image().bytes();
    let mut child = xenstream().arg("verify").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for byte in &bytes {
        stdin.write_all(&[*byte]).unwrap();
    }
    // The verdict does not wait for the writer to close.
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let run = finished(output);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.starts_with("-: valid: xl, hvm, Xen 4.17, 1 page, "), "{run:?}");
}

#[test]
fn closed_stdout_is_not_reported() {
    let files = directory(&[("good", &image().bytes()), ("bad", b"")]);
    for arguments in [
        &["verify", "bad", "good"][..],
        &["verify", "-v", "good"],
        &["verify", "--json", "good"],
        &["rules"],
        &["explain", "libxl::end-length"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = xenstream().current_dir(files.path()).args(arguments).stdout(writer).output().unwrap();
        let run = finished(output);
        assert_eq!((run.status, run.stderr.as_str()), (2, ""), "{arguments:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let files = directory(&[("good", &image().bytes())]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output =
        xenstream().current_dir(files.path()).args(["verify", "good"]).stdout(full).output().unwrap();
    let run = finished(output);
    assert_eq!(run.status, 2);
    assert!(run.stderr.starts_with("xenstream: cannot write output: No space left on device"), "{run:?}");
}

#[test]
fn names_need_not_be_text() {
    let files = directory(&[]);
    let name = OsStr::from_bytes(b"odd \xFF\x1b[31m.xl");
    std::fs::write(files.path().join(name), image().bytes()).unwrap();
    let run = run_in(files.path(), [OsStr::new("verify"), name]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.starts_with("odd \u{FFFD}\u{FFFD}[31m.xl: valid: "), "{run:?}");
    let run = run_in(files.path(), ["verify", "."]);
    assert_eq!(run.status, 0, "{run:?}");
}

#[test]
fn other_formats_are_named() {
    let files = directory(&[("good", &image().bytes()), ("packed", b"BZh91AY&SY and so on")]);
    let run = run_in(files.path(), ["verify", "-f", "libxl", "good"]);
    assert_eq!(run.status, 1);
    assert!(run.stdout.contains("  error: libxl::ident: "), "{run:?}");
    assert!(run.stdout.ends_with("    hint: it begins like format xl; try --format xl\n"), "{run:?}");

    let run = run_in(files.path(), ["verify", "packed"]);
    assert_eq!(run.status, 1);
    assert!(
        run.stdout
            .ends_with("    hint: it seems to be compressed by bzip2: decompress it first, with bzip2 -dc\n"),
        "{run:?}"
    );
    let run = run_in(files.path(), ["verify", "--json", "packed"]);
    assert!(run.stdout.contains(r#""hint":"it seems to be compressed by bzip2"#), "{run:?}");
}
