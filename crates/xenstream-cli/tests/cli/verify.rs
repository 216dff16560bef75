//! `xenstream verify`: its text, its options, its colors.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use crate::common::{directory, finished, image, run_in, run_with_stdin, xenstream};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::OpenptFlags;
use xenstream::wire::libxc;
use xenstream_synth::{Field, Page, Part, libxc as records};

/// Offset of PAGE_DATA's reserved word from the record's first byte.
const RESERVED: u64 = 12;

/// An image with one fault, and where it is.
fn broken() -> (Vec<u8>, u64) {
    let part = Part::libxc(libxc::types::PAGE_DATA);
    let stream = image().edited(part, RESERVED, Field::U32(7));
    (stream.bytes(), stream.offset(stream.find(part)) + RESERVED)
}

/// The same with another fault after it.
fn twice_broken() -> Vec<u8> {
    let part = Part::libxc(libxc::types::X86_TSC_INFO);
    let at = 8 + libxc::tsc::RESERVED_AT;
    image()
        .edited(Part::libxc(libxc::types::PAGE_DATA), RESERVED, Field::U32(7))
        .edited(part, at, Field::U32(9))
        .bytes()
}

/// So that of programs side by side, as `xargs -P` starts them, nobody's lines come between another's.
#[test]
fn a_report_is_written_at_once() {
    let files = directory(&[("bad.xl", &twice_broken()), ("good.xl", &image().bytes())]);
    for arguments in
        [&["verify", "--profile", "spec", "--keep-going"][..], &["verify", "--profile", "spec", "--json"]]
    {
        // A pipe of packets: a read gets what one write wrote.
        let (reader, writer) = pipe_with(PipeFlags::DIRECT).unwrap();
        let mut command = xenstream();
        command.current_dir(files.path()).args(arguments).args(["bad.xl", "good.xl"]).stdout(writer);
        assert_eq!(command.status().unwrap().code(), Some(1));
        drop(command);
        let mut reader = File::from(reader);
        for name in ["bad.xl", "good.xl"] {
            let mut packet = vec![0; 1 << 16];
            let length = reader.read(&mut packet).unwrap();
            let text = str::from_utf8(&packet[..length]).unwrap();
            assert!(text.contains(name) && text.ends_with('\n'), "{text:?}");
        }
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn a_line_says_what_an_image_is_and_what_is_wrong() {
    let (bad, offset) = broken();
    let files = directory(&[("good.xl", &image().bytes()), ("bad.xl", &bad)]);
    let run = run_in(files.path(), ["verify", "--profile", "spec", "good.xl", "bad.xl"]);
    assert_eq!((run.status, run.stderr.as_str()), (1, ""));
    let lines: Vec<_> = run.stdout.lines().collect();
    let [good, releases, bad, error, place] = lines[..] else { panic!("{run:?}") };
    assert!(good.starts_with("good.xl: valid: xl, hvm, Xen 4.17, 1 page, 9.6 KiB, "), "{good}");
    assert_eq!(releases, "  restores on: Xen 4.14.1+, 4.15+, XCP-ng 8.3 of 2024, XCP-ng 8.3");
    assert!(bad.starts_with("bad.xl: invalid: xl, hvm, Xen 4.17, stopped after "), "{bad}");
    assert!(bad.contains(" of 9.6 KiB, "), "{bad}");
    assert!(error.starts_with("  error: libxc::page-data-reserved: "), "{error}");
    let record = offset - RESERVED;
    assert_eq!(
        place,
        format!("    at offset {offset} ({offset:#x}), in libxc record 3 (PAGE_DATA at {record})")
    );
}

#[test]
fn quiet_reports_only_bad_images() {
    let files = directory(&[("good", &image().bytes()), ("bad", &broken().0)]);
    let run = run_in(files.path(), ["verify", "--profile", "spec", "-q", "good", "bad", "absent"]);
    assert_eq!(run.status, 2);
    assert!(run.stdout.starts_with("bad: invalid: "), "{run:?}");
    assert!(run.stderr.starts_with("xenstream: cannot open absent: "), "{run:?}");
    let run = run_in(files.path(), ["verify", "--quiet", "good"]);
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
}

#[test]
fn verbose_lists_the_records_and_folds_memory() {
    let part = Part::libxc(libxc::types::X86_TSC_INFO);
    let one = || records::page_data(&[Page::normal(2), Page::absent(3)]);
    let verify = || records::record(libxc::types::VERIFY, xenstream_synth::Body::new());
    let stream = image().before(part, verify()).before(part, one());
    let files = directory(&[("file", &stream.bytes()), ("note", b"none")]);
    let run = run_in(files.path(), ["verify", "-v", "."]);
    assert_eq!(run.status, 0, "{run:?}");
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines[0], "./file");
    assert_eq!(run.stderr, "1 image: 1 valid; 1 file passed over\n");
    let (passed_over, lines) = lines.split_last().unwrap();
    assert_eq!(*passed_over, "./note: passed over: it seems to be text");
    let words: Vec<Vec<_>> = lines[1..].iter().map(|line| line.split_whitespace().collect()).collect();
    let offset = |index: usize| stream.offset(index).to_string();
    let first = stream.find(Part::libxc(libxc::types::PAGE_DATA));
    let end = offset(first + 3);
    let run_of_pages =
        format!("{} libxc 3-5 PAGE_DATA 3 records, 1 page of 21 entries, up to {end}", offset(first));
    assert_eq!(words[9].join(" "), run_of_pages);
    assert_eq!(words[10].join(" "), format!("{end} libxc 6 VERIFY 0 bytes"));
    let (at, behind) = (offset(first + 4), offset(first + 5));
    assert_eq!(
        words[11].join(" "),
        format!("{at} libxc 7 PAGE_DATA 1 record, 1 page of 2 entries, up to {behind}")
    );
    assert_eq!(words[0][1..3], ["xl", "header"]);
    assert!(lines.iter().any(|line| line.starts_with("./file: valid: ")));
}

#[test]
fn keep_going_reports_everything() {
    let files = directory(&[("file", &twice_broken())]);
    let run = run_in(files.path(), ["verify", "--profile", "spec", "file"]);
    assert_eq!(run.stdout.matches("error: ").count(), 1, "{run:?}");
    let run = run_in(files.path(), ["verify", "--profile", "spec", "--keep-going", "file"]);
    assert_eq!(run.status, 1);
    let rules: Vec<_> = run.stdout.lines().filter_map(|line| line.trim().strip_prefix("error: ")).collect();
    assert!(rules[0].starts_with("libxc::page-data-reserved: "), "{run:?}");
    assert!(rules[1].starts_with("libxc::tsc-info-reserved: "), "{run:?}");
    assert_eq!(rules.len(), 2);
}

#[test]
fn frequent_findings_are_listed_a_few_times() {
    // Reserved bits in twelve entries.
    let pages: Vec<_> = (0..12).map(|pfn| Page::absent(0x3000 + pfn)).collect();
    let part = Part::libxc(libxc::types::X86_TSC_INFO);
    let mut memory = records::page_data(&pages);
    for n in 0..12 {
        memory = memory.edited(16 + 8 * n, Field::U64(0xF010_0000_0000_3000 + n));
    }
    let files = directory(&[("file", &image().before(part, memory).bytes())]);
    let rule = "libxc::page-data-pfn-reserved";
    for (arguments, what, status) in [(&["--warn", rule][..], "warning", 0), (&["--keep-going"], "error", 1)]
    {
        let run = run_in(files.path(), [&["verify", "--profile", "spec", "file"], arguments].concat());
        assert_eq!(run.status, status, "{run:?}");
        assert_eq!(run.stdout.matches(&format!("  {what}: {rule}: ")).count(), 9, "{run:?}");
        assert!(run.stdout.contains(&format!("  {what}: {rule}: 4 more times\n")), "{run:?}");
    }
}

#[test]
fn levels_and_limits_are_the_user_s() {
    let files = directory(&[("file", &broken().0), ("good", &image().bytes())]);
    let rule = "libxc::page-data-reserved";
    for (arguments, status) in [
        (&["--profile", "spec", "file"][..], 1),
        (&["file"], 0),
        (&["--profile", "spec", "--warn", rule, "file"], 0),
        (&["--allow", "libxc::*", "file"], 0),
        (&["--allow", "libxc::*", "--deny", rule, "file"], 1),
        (&["--deny", rule, "--allow", "libxc::*", "file"], 0),
        (&["--limit", "hvm-pfn=0x3", "good"], 1),
        (&["--limit", "hvm-pfn=3", "good"], 1),
        (&["--limit", "hvm-pfn=1K", "good"], 0),
        (&["--limit", "records=3", "good"], 1),
        (&["--limit", "records=3", "--limit", "records=none", "good"], 0),
        (&["-f", "libxl", "good"], 1),
        (&["--format", "xl", "good"], 0),
        (&["--checkpointing", "plain", "good"], 0),
    ] {
        let run = run_in(files.path(), [&["verify"], arguments].concat());
        assert_eq!(run.status, status, "{arguments:?}: {run:?}");
    }
}

#[test]
fn usage_errors_are_not_verdicts() {
    let files = directory(&[("good", &image().bytes())]);
    for (arguments, message) in [
        (
            &["verify", "--deny", "libxc::paddin", "good"][..],
            "unknown rule 'libxc::paddin'; did you mean libxc::padding",
        ),
        (&["verify", "--warn", "nonsense::*", "good"], "unknown rule 'nonsense::*'"),
        (
            &["verify", "--allow", "stream::truncated", "good"],
            "stream::truncated is structural and cannot be lowered",
        ),
        (&["verify", "--limit", "records", "good"], "expected NAME=VALUE"),
        (&["verify", "--limit", "nonsense=1", "good"], "unknown limit 'nonsense'; the limits are "),
        (&["verify", "--limit", "hvm-pfm=1", "good"], "unknown limit 'hvm-pfm'; did you mean hvm-pfn?"),
        (&["verify", "--limit", "records=many", "good"], "'many' is not a number"),
        (&["verify", "--profile", "nonsense", "good"], "possible values: spec, restore, hardened"),
        (&["verify", "-q", "-v", "good"], "cannot be used with"),
        (&["verify", "-", "-"], "standard input can be read only once"),
        (&["nonsense"], "unrecognized subcommand"),
        (&[], "Usage: xenstream"),
    ] {
        let run = run_in(files.path(), arguments);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(message), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn standard_input_is_read_when_nothing_is_named() {
    let bytes = image().bytes();
    let run = run_with_stdin(&bytes, &["verify"]);
    assert!(run.stdout.starts_with("-: valid: "), "{run:?}");
    // A file on standard input is verified from its offset on, and not read through.
    let files = directory(&[("file", &bytes)]);
    let file = File::open(files.path().join("file")).unwrap();
    let run = finished(xenstream().args(["verify", "-"]).stdin(file).output().unwrap());
    assert!(run.stdout.starts_with("-: valid: "), "{run:?}");
}

/// A terminal: what it shows, and the end that a program has.
pub(crate) fn terminal() -> (OwnedFd, File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let screen = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&screen).unwrap();
    rustix::pty::unlockpt(&screen).unwrap();
    let name = rustix::pty::ptsname(&screen, Vec::new()).unwrap();
    let end = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (screen, end)
}

#[test]
fn a_terminal_is_not_waited_for() {
    let (_screen, end) = terminal();
    let run = finished(xenstream().arg("verify").stdin(end).output().unwrap());
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("name an image"), "{run:?}");
}

#[test]
fn colors_follow_the_terminal_and_the_environment() {
    let files = directory(&[("good", &image().bytes())]);
    let shown = |variable: Option<(&str, &str)>| {
        let (screen, end) = terminal();
        let mut command = xenstream();
        command.current_dir(files.path()).args(["verify", "good"]).env("TERM", "xterm").envs(variable);
        let status = command.stdout(end).stderr(Stdio::null()).status().unwrap();
        assert!(status.success());
        // The command has an end as well, and while there is one the screen does not.
        drop(command);
        let mut text = Vec::new();
        // At its end Linux reports an error, and what came before it counts.
        let _ = File::from(screen).read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    };
    let plain = |text: &str| text.starts_with("good: valid: xl, ");
    let colored = shown(None);
    assert!(colored.starts_with("good: \u{1b}["), "{colored:?}");
    assert!(plain(&shown(Some(("NO_COLOR", "1")))));
    assert!(plain(&shown(Some(("CLICOLOR", "0")))));
    assert!(plain(&shown(Some(("TERM", "dumb")))));

    assert!(plain(&run_in(files.path(), ["verify", "good"]).stdout));
    let forced =
        xenstream().current_dir(files.path()).args(["verify", "good"]).env("CLICOLOR_FORCE", "1").output();
    assert!(finished(forced.unwrap()).stdout.starts_with("good: \u{1b}["));
}

#[test]
fn limits_from_the_configuration_are_reported() {
    let config = b"{\"b_info\": {\"max_memkb\": 16384}}\0";
    let inner = xenstream_synth::valid::hvm().in_libxl().with_device_model();
    let files = directory(&[("file", &inner.in_xl_with(3, config).bytes())]);
    let run = run_in(files.path(), ["verify", "--profile", "hardened", "file"]);
    assert_eq!(run.status, 0, "{run:?}");
    let note =
        "  note: limit hvm-pfn lowered to 0x101000, from the 16.0 MiB of memory in the configuration\n";
    assert!(run.stdout.ends_with(note), "{run:?}");
    for arguments in [&["--limit", "hvm-pfn=0x10000000"][..], &["--profile", "spec"]] {
        let run = run_in(files.path(), [&["verify", "file"], arguments].concat());
        assert!(!run.stdout.contains("note"), "{run:?}");
    }
}

/// A directory with a good image, a bad one, and what is none.
fn mixed() -> tempfile::TempDir {
    directory(&[
        ("a.save", &image().bytes()),
        ("b.save", &broken().0),
        ("notes.txt", b"just some notes\n"),
        ("empty", b""),
        ("random", b"\x01\x02\x03\xFE\x80"),
    ])
}

#[test]
fn directories_are_summed_up() {
    let files = mixed();
    let run = run_in(files.path(), ["verify", "--profile", "spec", "."]);
    assert_eq!((run.status, run.stderr.as_str()), (1, "3 images: 1 valid, 2 invalid; 2 files passed over\n"));
    assert!(run.stdout.contains("./empty: invalid: ") && run.stdout.contains("hint: it is empty"), "{run:?}");
    assert!(!run.stdout.contains("notes.txt"), "{run:?}");

    let run = run_in(files.path(), ["verify", "--profile", "spec", "--all", "."]);
    assert_eq!((run.status, run.stderr.as_str()), (1, "5 images: 1 valid, 4 invalid\n"));

    let run = run_in(files.path(), ["verify", "--profile", "spec", "--json", "."]);
    assert_eq!((run.status, run.stderr.as_str()), (1, ""));
    let last: serde_json::Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    let totals = &last["totals"];
    assert_eq!((&totals["images"], &totals["valid"], &totals["invalid"]), (&3.into(), &1.into(), &2.into()));
    assert_eq!(totals["passed_over"][0]["path"], "./notes.txt");
    assert_eq!(totals["passed_over"][0]["reason"], "it seems to be text");
    assert_eq!(totals["passed_over"][1]["reason"], "it is in no known format");
}

#[test]
fn files_are_listed_in_a_file() {
    let files = mixed();
    std::fs::write(files.path().join("list"), "a.save\nb.save\n").unwrap();
    let run = run_in(files.path(), ["verify", "--profile", "spec", "--files-from", "list"]);
    assert_eq!((run.status, run.stderr.as_str()), (1, "2 images: 1 valid, 1 invalid\n"), "{run:?}");
    let name = files.path().join("a.save");
    let run = run_with_stdin(
        format!("{}\0", name.display()).as_bytes(),
        &["verify", "--profile", "spec", "-0", "--files-from", "-"],
    );
    assert_eq!((run.status, run.stderr.as_str()), (0, "1 image: 1 valid\n"), "{run:?}");
    let run = run_in(files.path(), ["verify", "--files-from", "absent"]);
    assert_eq!(run.status, 2);
    assert!(
        run.stderr.starts_with("xenstream: absent: cannot read the list of names: No such file"),
        "{run:?}"
    );
    let run = run_in(files.path(), ["verify", "--files-from", "-", "-"]);
    assert!(run.stderr.contains("standard input can be read only once"), "{run:?}");
}

#[test]
fn warnings_are_quiet_about_nothing() {
    let files = directory(&[("file", &broken().0)]);
    let rule = "libxc::page-data-reserved";
    let lowered = ["verify", "--profile", "spec", "file", "--warn", rule];
    let with = |more: &[&str]| run_in(files.path(), [&lowered[..], more].concat());
    let run = with(&["-q"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.contains("  warning: libxc::page-data-reserved: "), "{run:?}");
    assert!(run.stdout.contains("(hardened refuses this)\n"), "{run:?}");
    let run = with(&["--strict"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stdout.contains("  error: libxc::page-data-reserved: "), "{run:?}");
    let run = with(&["-qq", "--strict"]);
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (1, "", ""));
    let run = with(&["--json"]);
    assert!(run.stdout.contains(r#""refused_by":"hardened""#), "{run:?}");
}

#[test]
fn verbose_describes_the_guest() {
    let config =
        br#"{"c_info": {"type": "pvh", "name": "web1"}, "b_info": {"max_memkb": 65536, "max_vcpus": 2}}"#;
    let config = [&config[..], b"\0"].concat();
    let inner = xenstream_synth::valid::pvh().in_libxl();
    let files = directory(&[("file", &inner.in_xl_with(3, &config).bytes())]);
    let run = run_in(files.path(), ["verify", "-v", "--profile", "spec", "file"]);
    assert!(run.stdout.contains("file: valid: xl, pvh, Xen 4.17, "), "{run:?}");
    let guest = "\n  guest: name web1, 64.0 MiB of memory, 2 vcpus, libxc stream version 3\n";
    assert!(run.stdout.contains(guest), "{run:?}");
    let run = run_in(files.path(), ["verify", "--json", "--profile", "spec", "file"]);
    let object: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let expected = serde_json::json!({"kind": "pvh", "name": "web1", "memory_kib": 65536, "vcpus": 2});
    assert_eq!(object["guest"], expected);
}

#[test]
fn a_torn_image_says_how_much_of_the_memory_arrived() {
    let config = b"{\"c_info\": {\"type\": \"pvh\"}, \"b_info\": {\"max_memkb\": 65536}}\0";
    let hvm = xenstream_synth::valid::pvh().in_libxl().in_xl_with(3, config);
    let pv = xenstream_synth::valid::pv64();
    let torn = |stream: &xenstream_synth::Stream, part| {
        let end = stream.offset(stream.find(Part::libxc(part)));
        stream.bytes()[..end as usize + 4].to_vec()
    };
    let files = directory(&[
        ("hvm", &torn(&hvm, libxc::types::HVM_CONTEXT)),
        ("pv", &torn(&pv, libxc::types::X86_PV_VCPU_BASIC)),
    ]);
    for (file, whole) in [("hvm", "of the guest's 64.0 MiB of memory"), ("pv", " KiB of memory")] {
        let run = run_in(files.path(), ["verify", file]);
        assert!(run.stdout.contains("ends after ") && run.stdout.contains(whole), "{run:?}");
    }
}
