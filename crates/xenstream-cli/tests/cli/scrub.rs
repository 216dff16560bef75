//! `xenstream scrub`: what comes out, what is said, what is left.

use std::fs::{self, File};
use std::io::{Read, Write, pipe};
use std::process::{Output, Stdio};

use rustix::fs::{Mode, OFlags, fcntl_setfl};
use xenstream::wire::libxc::types::{PAGE_DATA, X86_TSC_INFO};
use xenstream_synth::{Field, Page, Part, libxc};

use crate::common::{directory, image, output_with_stdin, run_in, run_with_stdin, xenstream};

/// What must not come out.
const SECRET: &[u8] = b"attack at dawn";

/// An image with a secret in its memory.
fn secret() -> Vec<u8> {
    let page = Page::normal(3).holding(SECRET);
    image().after(Part::libxc(PAGE_DATA), libxc::page_data(&[page])).bytes()
}

fn occurs(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET)
}

/// Scrubs these bytes, from standard input to standard output.
fn filter(bytes: &[u8], arguments: &[&str]) -> Output {
    output_with_stdin(bytes, &[&["scrub", "-", "-"], arguments].concat())
}

#[test]
fn files_and_pipes_give_the_same_result() {
    let bytes = secret();
    assert!(occurs(&bytes));
    let files = directory(&[("in", &bytes)]);
    let run = run_in(files.path(), ["scrub", "in", "out"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{run:?}");
    let out = fs::read(files.path().join("out")).unwrap();
    assert!(out.len() == bytes.len() && !occurs(&out));
    assert_eq!(run_in(files.path(), ["verify", "--profile", "hardened", "out"]).status, 0);
    assert!(filter(&bytes, &[]).stdout == out);

    let to_stdout = xenstream().current_dir(files.path()).args(["scrub", "in", "-"]).output().unwrap();
    assert!(to_stdout.stdout == out);
    let run = run_with_stdin(&bytes, &["scrub", "-", files.path().join("other").to_str().unwrap()]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(fs::read(files.path().join("other")).unwrap() == out);
}

#[test]
fn remaining_identification_is_listed() {
    let files = directory(&[("in", &secret())]);
    let run = run_in(files.path(), ["scrub", "in", "out"]);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("in: valid: xl, hvm, Xen 4.17, 2 pages, "), "{run:?}");
    assert!(lines[1].starts_with("  restores on: "), "{run:?}");
    assert_eq!(lines[2], "out: scrubbed: 13.6 KiB");
    assert_eq!(lines[3], "  what still identifies the guest:");
    let has = |stderr: &str, start: &str| stderr.lines().any(|line| line.starts_with(start));
    let registers = "    HVM_CONTEXT: vcpus and emulated platform";
    let names = "    xl configuration: name, uuid, ";
    let never = "    PAGE_DATA: which pages there are, ";
    assert!([registers, names, never].iter().all(|start| has(&run.stderr, start)), "{run:?}");
    for (arguments, reported) in [
        (&["--registers"][..], [false, true, true]),
        (&["--names"], [true, false, true]),
        (&["--registers", "--names"], [false, false, true]),
        (&["--damaged"], [false, false, true]),
    ] {
        let run = run_in(files.path(), [&["scrub", "--force", "in", "out"], arguments].concat());
        assert_eq!(run.status, 0);
        assert_eq!([registers, names, never].map(|start| has(&run.stderr, start)), reported, "{run:?}");
    }
    let run = run_in(files.path(), ["scrub", "--force", "--quiet", "in", "out"]);
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
}

#[test]
fn invalid_stream_is_refused_without_damaged() {
    let broken = image().edited(Part::libxc(X86_TSC_INFO), 8 + 20, Field::U32(1)).bytes();
    let files =
        directory(&[("in", &broken), ("cut", &secret()[..secret().len() - 4]), ("none", b"not an image")]);
    let run = run_in(files.path(), ["scrub", "--profile", "spec", "in", "out"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stderr.contains("error: libxc::tsc-info-reserved: "), "{run:?}");
    assert!(run.stderr.ends_with(
        "not scrubbed: --damaged scrubs invalid and unjudged streams as far as they can be parsed\n"
    ));
    assert!(!files.path().join("out").exists());
    // Another profile overlooks it.
    assert_eq!(run_in(files.path(), ["scrub", "in", "out"]).status, 0);

    for (name, rule) in [("in", "libxc::tsc-info-reserved"), ("cut", "stream::truncated")] {
        let run = run_in(files.path(), ["scrub", "--profile", "spec", "--damaged", "--force", name, "out"]);
        assert_eq!(run.status, 1, "{run:?}");
        assert!(
            run.stderr.contains(&format!("error: {rule}: ")) && run.stderr.contains("out: scrubbed: "),
            "{run:?}"
        );
        let [before, after] = [name, "out"].map(|name| fs::read(files.path().join(name)).unwrap());
        assert!(before.len() == after.len() && !occurs(&after));
        assert!(
            run_in(files.path(), ["verify", "--profile", "spec", "out"])
                .stdout
                .contains(&format!("error: {rule}: "))
        );
    }
    let run = run_in(files.path(), ["scrub", "--damaged", "none", "other"]);
    assert_eq!(run.status, 1);
    assert!(run.stderr.ends_with("not scrubbed: the input is in no known format\n"), "{run:?}");
    assert!(!files.path().join("other").exists());
}

/// Bytes after the stream come out as zeros, which have a rule of their own.
#[test]
fn refused_output_is_not_written() {
    let files = directory(&[("in", &[&secret()[..], &[7; 100]].concat())]);
    let arguments = ["scrub", "--quiet", "--deny", "stream::trailing-zeros", "in", "out"];
    let run = run_in(files.path(), arguments);
    assert_eq!(run.status, 1, "{run:?}");
    let why = "not scrubbed: the output would be refused: the stream has ended, and only zeros follow\n";
    assert!(run.stderr.ends_with(why), "{run:?}");
    assert!(!files.path().join("out").exists());
}

#[test]
fn start_of_blanking_is_reported() {
    let bytes = secret();
    let stream = image();
    let at = stream.offset(stream.find(Part::libxc(PAGE_DATA)));
    let mut broken = bytes.clone();
    // The number of pages in the first record.
    broken[at as usize + 8] += 1;
    let output = filter(&broken, &["--damaged"]);
    assert_eq!(output.status.code(), Some(1));
    let reported = String::from_utf8(output.stderr).unwrap();
    let zeros = at as usize + 16;
    assert!(
        reported.contains(&format!("  everything from offset {zeros} ({zeros:#x}) on is zero\n")),
        "{reported}"
    );
    assert_eq!(output.stdout.len(), bytes.len());
    assert!(output.stdout[zeros..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_input_is_never_overwritten() {
    let bytes = secret();
    let files = directory(&[("in", &bytes), ("other", b"mine")]);
    for arguments in [&["scrub", "in", "in"][..], &["scrub", "--force", "./in", "in"]] {
        let run = run_in(files.path(), arguments);
        assert_eq!(
            (run.status, run.stderr.as_str()),
            (2, "xenstream: in: output is the same file as the input\n")
        );
    }
    // As standard output, too.
    let append = File::options().append(true).open(files.path().join("in")).unwrap();
    let mut command = xenstream();
    let output =
        command.current_dir(files.path()).args(["scrub", "in", "-"]).stdout(append).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "xenstream: -: output is the same file as the input\n"
    );
    let run = run_in(files.path(), ["scrub", "in", "other"]);
    assert_eq!(
        (run.status, run.stderr.as_str()),
        (2, "xenstream: other: output already exists; --force replaces it\n")
    );
    assert!(fs::read(files.path().join("in")).unwrap() == bytes);
    assert_eq!(fs::read(files.path().join("other")).unwrap(), b"mine");
}

#[test]
fn each_way_to_fail_has_its_status() {
    let bytes = secret();
    let files = directory(&[("in", &bytes), ("bad.gz", &[0x1F, 0x8B, 8, 0, 0, 0])]);
    for (arguments, message) in [
        (["absent", "out"], "xenstream: cannot open absent: No such file or directory"),
        (["/proc/self/mem", "out"], "xenstream: /proc/self/mem: cannot read at offset 0: Input/output error"),
        (["bad.gz", "out"], "xenstream: bad.gz: cannot decompress gzip data after offset 0: "),
        (["in", "absent/out"], "xenstream: absent/out: cannot create output: No such file or directory"),
        (["in", "."], "xenstream: .: output already exists; --force replaces it\n"),
    ] {
        let run = run_in(files.path(), [&["scrub"], &arguments[..]].concat());
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
        assert!(run.stderr.starts_with(message), "{run:?}");
        assert!(!files.path().join("out").exists());
    }
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for (stdout, message) in [
        (Stdio::from(writer), "xenstream: -: the reader of the output has gone, at offset "),
        (full.into(), "xenstream: -: cannot write at offset "),
    ] {
        let mut command = xenstream();
        let output =
            command.current_dir(files.path()).args(["scrub", "in", "-"]).stdout(stdout).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().starts_with(message));
    }
}

#[test]
fn filter_reads_nothing_after_the_end() {
    let bytes = secret();
    let expected = filter(&bytes, &[]).stdout;
    let (reader, mut writer) = pipe().unwrap();
    let mut child = xenstream()
        .args(["scrub", "-", "-"])
        .stdin(reader.try_clone().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // The configuration goes out when it is complete, though nothing follows yet.
    let stream = image();
    let start = stream.offset(stream.find(Part::Libxl)) as usize;
    for byte in &bytes[..start + 16] {
        writer.write_all(&[*byte]).unwrap();
    }
    let mut out = vec![0; start];
    stdout.read_exact(&mut out).unwrap();
    for byte in &bytes[start + 16..] {
        writer.write_all(&[*byte]).unwrap();
    }
    writer.write_all(b"behind").unwrap();
    stdout.read_to_end(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(out == expected);
    let mut behind = [0; 6];
    (&reader).read_exact(&mut behind).unwrap();
    assert_eq!(&behind, b"behind");
}

#[test]
fn a_consumer_that_is_slow_is_waited_for() {
    let mut bytes = secret();
    let stream = image();
    let at = stream.offset(stream.find(Part::libxc(PAGE_DATA))) as usize;
    let memory: Vec<u8> = (0..64)
        .flat_map(|_| {
            libxc::page_data(&[Page::normal(0).holding(SECRET)]).bytes(xenstream::wire::Order::Little)
        })
        .collect();
    bytes.splice(at..at, memory);
    let (mut reader, writer) = pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    let files = directory(&[("in", &bytes)]);
    let mut command = xenstream();
    command.current_dir(files.path()).args(["scrub", "--quiet", "in", "-"]).stdout(writer);
    let mut child = command.spawn().unwrap();
    // The program has it now, and nobody else.
    drop(command);
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(out.len() == bytes.len() && out.len() > 128 << 10 && !occurs(&out));
}

#[test]
fn of_a_program_that_is_killed_nothing_is_left() {
    let files = directory(&[]);
    let unnamed = rustix::fs::open(files.path(), OFlags::TMPFILE | OFlags::WRONLY, Mode::RWXU);
    let bytes = secret();
    let (reader, mut writer) = pipe().unwrap();
    let mut child = xenstream()
        .current_dir(files.path())
        .args(["scrub", "-", "out"])
        .stdin(reader.try_clone().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writer.write_all(&bytes[..bytes.len() - 8]).unwrap();
    // It has read all of that once the pipe is empty.
    while rustix::io::ioctl_fionread(&reader).unwrap() > 0 {
        assert_eq!(child.try_wait().unwrap(), None, "the program ended before it had read all of that");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Where the file system has no files without a name there may be one with another.
    let left =
        fs::read_dir(files.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert!(!left.contains(&"out".into()) && (unnamed.is_err() || left.is_empty()), "{left:?}");
}
