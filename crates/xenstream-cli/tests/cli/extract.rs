//! `xenstream extract`: what comes out, what is said, and what real tools make of it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use xenstream::wire::libxc::types::{HVM_CONTEXT, PAGE_DATA};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::{Page, Part, Stream, libxc, valid};

use crate::common::{directory, run_in, run_with_stdin};

/// Where the text is in the guest's memory.
const TEXT_PFN: u64 = 21;
const TEXT: &[u8] = b"attack at dawn\0";

/// A guest of two vcpus, one of which is about to run some text.
fn stream() -> Stream {
    let vcpu = |n: u16| Entry::reset(2, n).with("rip", (TEXT_PFN << 12) + u64::from(n)).with("rsp", 0x7000);
    let chain = Chain::around([vcpu(0), vcpu(1)]);
    let memory = [Page::normal(TEXT_PFN).holding(TEXT), Page::absent(22), Page::normal(23)];
    let guest = valid::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&chain));
    let tsc = Part::libxc(xenstream::wire::libxc::types::X86_TSC_INFO);
    guest.before(tsc, libxc::page_data(&memory)).in_libxl().with_device_model().in_xl()
}

#[test]
fn missing_pages_are_listed() {
    let files = directory(&[("in", &stream().bytes())]);
    let run = run_in(files.path(), ["extract", "in", "out"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("in: valid: xl, hvm, Xen 4.17, 3 pages, "), "{run:?}");
    let reported = [
        "out: extracted: 3 pages, 12.0 KiB, registers of 2 vcpus",
        "  without contents: 21 pages, pfn 0x1-0x14, 0x16",
    ];
    assert_eq!(lines[2..], reported, "{run:?}");
    let again = run_in(files.path(), ["extract", "in", "out"]);
    assert_eq!(
        (again.status, again.stderr.as_str()),
        (2, "xenstream: out: output already exists; --force replaces it\n")
    );
    let quiet = run_in(files.path(), ["extract", "--force", "--quiet", "in", "out"]);
    assert_eq!((quiet.status, quiet.stderr.as_str()), (0, ""));
}

#[test]
fn torn_image_lists_incomplete_pages() {
    let stream = stream();
    // In the middle of the last page.
    let cut = stream.offset(stream.nth(Part::libxc(PAGE_DATA), 3)) + 16 + 24 + 4096 + 100;
    let files = directory(&[("in", &stream.bytes()[..cut as usize])]);
    let run = run_in(files.path(), ["extract", "in", "out"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stderr.contains("error: stream::truncated: "), "{run:?}");
    let lost = "\n  lost: 1 page, pfn 0x17: announced, but the contents are incomplete\n";
    assert!(run.stderr.contains("registers of 0 vcpus\n") && run.stderr.contains(lost), "{run:?}");
    assert_eq!(fs::metadata(files.path().join("out")).unwrap().len(), 4096 * 3);
}

#[test]
fn where_there_is_nothing_there_is_no_file() {
    let files = directory(&[("in", &stream().bytes()), ("none", b"not an image")]);
    for (arguments, status, last) in [
        (&["none", "out"][..], 1, "not extracted: the image has no page contents\n"),
        (&["--pfn", "22", "in", "out"], 2, "not extracted: the image has no page contents with these pfns\n"),
        (&["--vcpu", "2", "in", "out"], 2, "xenstream: in: there are no registers of vcpu 2\n"),
        (
            &["--checkpoint", "1", "in", "out"],
            2,
            "xenstream: in: there is no checkpoint 1; the stream has 0 complete checkpoints\n",
        ),
    ] {
        let run = run_in(files.path(), [&["extract"], arguments].concat());
        assert_eq!(run.status, status, "{run:?}");
        assert!(run.stderr.ends_with(last), "{run:?}");
        assert!(!files.path().join("out").exists());
    }
}

#[test]
fn json_has_the_lists_whole() {
    let files = directory(&[]);
    let out = files.path().join("out");
    let arguments = ["extract", "--json", "--format", "raw", "-", out.to_str().unwrap()];
    let run = run_with_stdin(&stream().bytes(), &arguments);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    let object: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&object["path"], &object["verdict"]), (&"-".into(), &"valid".into()));
    let expected = serde_json::json!({
        "output_format": "raw", "bytes": 24 * 4096, "pages": 3, "vcpus": [0, 1],
        "missing": [[1, 20], [22, 22]], "lost": [], "checkpoints": 0, "left_out": 0,
    });
    assert_eq!(object["extracted"], expected);
    let memory = fs::read(out).unwrap();
    assert!(memory[(TEXT_PFN as usize) << 12..].starts_with(TEXT));
}

#[test]
fn list_of_frames_is_made_anew_if_asked_for() {
    let files = directory(&[("pv", &valid::pv64().bytes()), ("hvm", &stream().bytes())]);
    let run = run_in(files.path(), ["extract", "-f", "raw", "--p2m", "pv", "out"]);
    assert_eq!(run.status, 0, "{run:?}");
    // The list of the smallest guest is page 4.
    assert_eq!(fs::read(files.path().join("out")).unwrap()[4 * 4096 + 8..][..8], 1u64.to_le_bytes());
    let run = run_in(files.path(), ["extract", "--p2m", "hvm", "none"]);
    let expected =
        "xenstream: hvm: there is no list of frames (X86_PV_P2M_FRAMES), which only PV guests have\n";
    assert_eq!((run.status, run.stderr.as_str()), (2, expected));
    assert!(!files.path().join("none").exists());
}

/// What a tool says, in English; `None` where the machine does not have it.
fn tool(directory: &Path, name: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(name);
    match command.args(arguments).current_dir(directory).env("LC_ALL", "C").output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

#[test]
fn gdb_reads_registers_and_memory() {
    let files = directory(&[("in", &stream().bytes())]);
    assert_eq!(run_in(files.path(), ["extract", "in", "guest.core"]).status, 0);
    let script = [
        "-nx",
        "-batch",
        "-ex",
        "info threads",
        "-ex",
        "thread 2",
        "-ex",
        "info registers rip rsp",
        "-ex",
        "x/s 0x15000",
        "-c",
        "guest.core",
    ];
    let Some(said) = tool(files.path(), "gdb", &script) else { return };
    let has = |text: &str| assert!(said.contains(text), "{text}: {said}");
    has("0x0000000000015000 in ??");
    has("0x0000000000015001 in ??");
    has("0x15001");
    has("0x7000");
    has("\"attack at dawn\"");
}

#[test]
fn readelf_reads_segments_and_notes() {
    let files = directory(&[("in", &stream().bytes())]);
    assert_eq!(run_in(files.path(), ["extract", "in", "guest.core"]).status, 0);
    let Some(said) = tool(files.path(), "readelf", &["-hlnW", "guest.core"]) else { return };
    let has = |text: &str| assert!(said.contains(text), "{text}: {said}");
    has("CORE (Core file)");
    has("Advanced Micro Devices X86-64");
    has("0x0000000000015000 0x0000000000015000 0x001000 0x001000 RWE 0x1000");
    assert_eq!(said.matches("NT_PRSTATUS").count(), 2, "{said}");
}
