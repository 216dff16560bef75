//! `xenstream inspect`: the table, the objects, the dump, and the arrow.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

use crate::common::{Run, directory, image, run_in, run_with_stdin, spawned, xenstream};
use rustix::pty::OpenptFlags;
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::{Value, json};
use xenstream::wire::libxc::types;
use xenstream_synth::{Field, Page, Part, Stream, libxc as records, valid};

/// A PV guest as `xl save` writes it. Its name would clear the screen.
fn guest() -> Stream {
    let config =
        br#"{"c_info": {"type": "pv", "name": "web\u001b[2J", "uuid": "72914c63-d32f-4c7c-a243-2eeb97464b80"},
                "b_info": {"max_vcpus": 1, "max_memkb": 98304, "target_memkb": 65536}}"#;
    valid::pv64().in_libxl().in_xl_with(3, &[&config[..], b"\0"].concat())
}

const TABLE: &str = r#"     offset      index  layer    type                        length  content
          0             xl       header                          48  order little, mandatory_flags 0x3 (JSON STREAM_V2), optional_flags 0x0, optional_data_len 190
         48             xl       configuration                  186  name "web\x1b[2J", uuid "72914c63-d32f-4c7c-a243-2eeb97464b80", kind "pv", memory_kib 98304, vcpus 1
        238              libxl   header                          16  order little, options 0x0
        254          0   libxl   LIBXC_CONTEXT                    0
        262               libxc  image header                    24  order little, version 3, options 0x0
        286               libxc  domain header                   16  guest pv, xen_major 4, xen_minor 17
        302          0    libxc  X86_PV_INFO                      8  guest_width 8, pt_levels 4
        318          1    libxc  X86_CPUID_POLICY                48  vendor "GenuineIntel", family 6, model 58, stepping 9, 2 entries: vendor, features
        374          2    libxc  X86_MSR_POLICY                  32  2 entries: PLATFORM_INFO 0x80000000, ARCH_CAPABILITIES 0x0
        414          3    libxc  STATIC_DATA_END                  0
        422          4    libxc  X86_PV_P2M_FRAMES               16  frames 1, start_pfn 0x0, end_pfn 0x5
        446          5    libxc  PAGE_DATA                    16440  6 entries, pfn 0x0-0x5: 3 NOTAB, 1 L4TAB pinned, 1 XALLOC, 1 XTAB
      16894          6    libxc  X86_TSC_INFO                    24  mode 0x2 (never emulated), khz 0, nsec 0, incarnation 1
      16926          7    libxc  SHARED_INFO                   4096
      21030          8    libxc  X86_PV_VCPU_BASIC             5176  cr3_pfn 0x1, vcpu_id 0, rip 0x0, cr3 0x1000
      26214          9    libxc  X86_PV_VCPU_EXTENDED            72  vcpu_id 0, size 64
      26294         10    libxc  X86_PV_VCPU_XSAVE              856  vcpu_id 0, xcr0 0x7 (x87 SSE AVX), xcr0_accum 0x7 (x87 SSE AVX)
      27158         11    libxc  X86_PV_VCPU_MSRS                24  vcpu_id 0, 1 entry: TSC_AUX 0x0
      27190         12    libxc  END                              0
      27198          1   libxl   END                              0
"#;

/// What is printed in front of the verdict, and the verdict without its time.
fn parts(run: &Run) -> (&str, &str) {
    let (rows, verdict) = run.stdout.rsplit_once("\n\n").unwrap_or(("", &run.stdout));
    let verdict = verdict.split_once("\n  restores on: ").map_or(verdict, |(verdict, _)| verdict);
    (rows, verdict.rsplit_once(", ").map_or(verdict, |(verdict, _)| verdict))
}

/// The lines that the table has for these types.
fn lines(types: &[&str]) -> String {
    let wanted = |line: &&str| types.contains(&line[33..56].trim_end());
    let lines: Vec<_> = TABLE.lines().take(1).chain(TABLE.lines().filter(wanted)).collect();
    lines.join("\n")
}

#[test]
fn every_record_is_a_line() {
    let bytes = guest().bytes();
    let files = directory(&[("web.save", &bytes), ("web.zst", &zstd::encode_all(&bytes[..], 1).unwrap())]);
    for (run, verdict) in [
        (
            run_in(files.path(), ["inspect", "web.save"]),
            "web.save: valid: xl, pv64, Xen 4.17, 4 pages, 26.5 KiB",
        ),
        (
            run_in(files.path(), ["inspect", "web.zst"]),
            "web.zst: valid: xl in zstd, pv64, Xen 4.17, 4 pages, 26.5 KiB",
        ),
        (run_with_stdin(&bytes, &["inspect", "-"]), "-: valid: xl, pv64, Xen 4.17, 4 pages, 26.5 KiB"),
    ] {
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
        assert_eq!(parts(&run), (TABLE.trim_end(), verdict));
    }
}

const FAULT: &str = "  error: libxc::page-data-type: page type 0x6 is reserved
    at offset 478 (0x1de), in libxc record 5 (PAGE_DATA at 446)

    000001a0  00 00 00 00 00 00 03 00  00 00 10 00 00 00 00 00  |................|
    000001b0  00 00 05 00 00 00 04 00  00 00 00 00 00 00 01 00  |................|
    000001c0  00 00 38 40 00 00 06 00  00 00 00 00 00 00 00 00  |..8@............|
    000001d0  00 00 00 00 00 f0 01 00  00 00 00 00 00 c0 02 00  |................|
                                                         ^^ ^^
    000001e0  00 00 00 00 00 60 03 00  00 00 00 00 00 00 04 00  |.....`..........|
              ^^ ^^ ^^ ^^ ^^ ^^
    000001f0  00 00 00 00 00 00 05 00  00 00 00 00 00 e0 01 30  |...............0|
";

#[test]
fn violation_is_shown_with_an_arrow() {
    let part = Part::libxc(types::PAGE_DATA);
    // The third entry gets a reserved type.
    let stream = guest().edited(part, 16 + 2 * 8, Field::U64(6 << 60 | 2));
    let files = directory(&[("bad.save", &stream.bytes())]);
    let run = run_in(files.path(), ["inspect", "bad.save"]);
    assert_eq!((run.status, run.stderr.as_str()), (1, ""), "{run:?}");
    let rows: Vec<_> = TABLE.lines().take(12).collect();
    let torn = "        446          5    libxc  PAGE_DATA                    16440  2 entries, pfn 0x0-0x1: 1 L4TAB pinned, 1 XTAB  torn\n";
    let (table, rest) = run.stdout.split_once("\n\n").unwrap();
    assert_eq!(format!("{table}\n"), format!("{}\n{torn}", rows.join("\n")));
    let (_, rest) = rest.split_once('\n').unwrap();
    assert_eq!(rest, FAULT);

    // Compressed, and on a pipe, the bytes that passed are shown.
    let packed = zstd::encode_all(&stream.bytes()[..], 1).unwrap();
    for bytes in [&packed[..], &stream.bytes()] {
        let piped = run_with_stdin(bytes, &["inspect", "-"]);
        let (table, rest) = piped.stdout.split_once("\n\n").unwrap();
        assert_eq!(format!("{table}\n"), format!("{}\n{torn}", rows.join("\n")));
        let (shown, _) = FAULT.split_once("    000001e0").unwrap();
        assert!(rest.contains(shown), "{rest}");
    }
}

#[test]
fn of_a_torn_image_the_last_bytes_are_shown() {
    let bytes = guest().bytes();
    let files = directory(&[("torn", &bytes[..16900])]);
    let run = run_in(files.path(), ["inspect", "torn", "--from", "16893"]);
    assert_eq!(run.status, 1);
    let (table, rest) = run.stdout.split_once("\n\n").unwrap();
    assert_eq!(table, lines(&["PAGE_DATA"]), "no header, no record");
    let place = "    at offset 16900 (0x4204), in libxc record 6 (at 16894)\n\n";
    let last = "    00004200  00 00 18 00                                       |....|\n";
    let arrow = "                          ^^ the input ends here\n";
    assert!(rest.contains(place) && rest.ends_with(&format!("{last}{arrow}")), "{rest}");

    let files = directory(&[("torn", &bytes[..20000])]);
    let run = run_in(files.path(), ["inspect", "torn"]);
    let line = "      16926          7    libxc  SHARED_INFO                   4096  torn\n";
    assert!(run.stdout.contains(line), "{run:?}");
}

#[test]
fn records_are_chosen_by_index_type_layer_and_place() {
    let files = directory(&[("web", &guest().bytes())]);
    for (arguments, types) in [
        (&["--record", "6"][..], &["X86_TSC_INFO"][..]),
        (&["--record", "0", "--layer", "libxl"], &["LIBXC_CONTEXT"]),
        (&["--type", "PAGE_DATA"], &["PAGE_DATA"]),
        (&["--type", "page-data", "--type", "SharedInfo"], &["PAGE_DATA", "SHARED_INFO"]),
        (&["--layer", "xl"], &["configuration"]),
        (&["--from", "16894", "--to", "16926"], &["X86_TSC_INFO", "SHARED_INFO"]),
        (&["--from", "0x4200", "--to", "0x4200"], &["X86_TSC_INFO"]),
        (&["--from", "16893", "--to", "16893"], &["PAGE_DATA"]),
        (&["--from", "16K", "--type", "page_data"], &["PAGE_DATA"]),
    ] {
        let run = run_in(files.path(), [&["inspect", "web"], arguments].concat());
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
        let (table, _) = parts(&run);
        let expected = lines(types);
        if types == ["configuration"] {
            let header = TABLE.lines().nth(1).unwrap();
            assert_eq!(table, expected.replacen('\n', &format!("\n{header}\n"), 1));
        } else {
            assert_eq!(table, expected, "{arguments:?}");
        }
    }
    let run = run_in(files.path(), ["inspect", "web", "--record", "99"]);
    assert!(run.stdout.starts_with("no record matches\n"), "{run:?}");
    assert_eq!(run.status, 0);
}

#[test]
fn entries_of_hvm_context_are_its_own() {
    let files = directory(&[("hvm", &image().bytes())]);
    let layers = |arguments: &[&str]| {
        let run = run_in(files.path(), [&["inspect", "hvm"], arguments].concat());
        let (table, _) = parts(&run);
        let layers: Vec<_> = table.lines().skip(1).map(|line| line[24..33].trim().to_owned()).collect();
        (layers.iter().filter(|layer| *layer == "libxc").count(), layers.len())
    };
    let entries = layers(&["--layer", "hvm"]).1;
    assert!(entries > 10);
    assert_eq!(layers(&["--type", "HVM_CONTEXT"]), (1, 1 + entries));
    assert_eq!(layers(&["--record", "7"]), (1, 1 + entries));
    assert_eq!(layers(&["--type", "HVM_CONTEXT", "--layer", "libxc"]), (1, 1));
    assert_eq!(layers(&["--type", "PIC"]), (0, 2));
    assert_eq!(layers(&["--record", "1", "--layer", "hvm"]), (0, 1));
}

#[test]
fn wrong_names_and_numbers_are_usage_errors() {
    let files = directory(&[("web", &guest().bytes())]);
    for (arguments, message) in [
        (
            &["inspect", "web", "--type", "PAGEDATE"][..],
            "unknown record type 'PAGEDATE'; did you mean PAGE_DATA?",
        ),
        (&["inspect", "web", "--type", "??"], "unknown record type '??'\n"),
        (&["inspect", "web", "--layer", "libx"], "possible values: xl, libvirt, xenopsd, libxl, libxc, hvm"),
        (&["inspect", "web", "--from", "here"], "'here' is not a number"),
        (&["inspect", "web", "--record", "-1"], "unexpected argument"),
        (&["inspect", "web", "--hex", "--json"], "cannot be used with"),
        (&["inspect"], "<FILE|->"),
    ] {
        let run = run_in(files.path(), arguments);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(message), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn runs_of_page_data_fold_unless_asked_for() {
    let part = Part::libxc(types::X86_TSC_INFO);
    let page = |pfn| records::page_data(&[Page::normal(pfn), Page::absent(pfn + 1)]);
    let stream = image().before(part, page(0x4)).before(part, page(0x8));
    let files = directory(&[("hvm", &stream.bytes())]);
    let folded = run_in(files.path(), ["inspect", "hvm", "--type", "PAGE_DATA"]);
    let (table, _) = parts(&folded);
    assert_eq!(
        table.lines().nth(1).unwrap(),
        "        250        3-7    libxc  PAGE_DATA                    12528  5 records, 25 entries, pfn 0x0-0x14: 3 NOTAB, 1 BROKEN, 6 XALLOC, 15 XTAB"
    );
    let each = run_in(files.path(), ["inspect", "hvm", "--type", "PAGE_DATA", "--pages"]);
    let (table, _) = parts(&each);
    let lines: Vec<_> = table.lines().skip(1).map(|line| &line[11..]).collect();
    assert_eq!(
        lines,
        [
            "          3    libxc  PAGE_DATA                     4136  4 entries, pfn 0x0-0x3: 1 NOTAB, 1 BROKEN, 1 XALLOC, 1 XTAB",
            "          4    libxc  PAGE_DATA                      104  12 entries, pfn 0x4-0xf: 12 XTAB",
            "          5    libxc  PAGE_DATA                       48  5 entries, pfn 0x10-0x14: 5 XALLOC",
            "          6    libxc  PAGE_DATA                     4120  2 entries, pfn 0x4-0x5: 1 NOTAB, 1 XTAB",
            "          7    libxc  PAGE_DATA                     4120  2 entries, pfn 0x8-0x9: 1 NOTAB, 1 XTAB",
        ]
    );
}

#[test]
fn fields_are_printed_by_name() {
    let bad =
        guest().edited(Part::libxc(types::X86_PV_VCPU_BASIC), 16 + 5008, Field::U64(0xFFFF << 12)).bytes();
    let files = directory(&[("web", &guest().bytes()), ("hvm", &image().bytes()), ("bad", &bad)]);
    let run = run_in(files.path(), ["inspect", "web", "--record", "6", "--fields"]);
    let (table, _) = parts(&run);
    let fields = "    mode 0x2 (never emulated)\n    khz 0\n    nsec 0\n    incarnation 1\n    reserved 0x0";
    assert!(table.ends_with(fields), "{table}");
    let run = run_in(files.path(), ["inspect", "hvm", "--type", "HVM_PARAMS", "--fields"]);
    assert!(run.stdout.contains("\n    0: index 0x1 (STORE_PFN), value 0x"), "{run:?}");
    let run = run_in(files.path(), ["inspect", "bad", "--profile", "restore"]);
    assert!(run.stdout.contains("\n    field: cr3 of X86_PV_VCPU_BASIC, 64-bit\n"), "{run:?}");
    let run = run_in(files.path(), ["inspect", "bad", "--profile", "restore", "--json"]);
    assert!(run.stdout.contains(r#""field":"cr3","structure":"X86_PV_VCPU_BASIC, 64-bit"}"#), "{run:?}");
}

#[test]
fn records_are_dumped_from_files_and_pipes() {
    let bytes = guest().bytes();
    let files = directory(&[("web", &bytes)]);
    let expected = "     offset      index  layer    type                        length
      16894          6    libxc  X86_TSC_INFO                    24
    000041fe  08 00 00 00 18 00 00 00  02 00 00 00 00 00 00 00  |................|
    0000420e  00 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00  |................|
    = mode 0x2 (never emulated), khz 0, nsec 0, incarnation 1";
    let run = run_in(files.path(), ["inspect", "web", "--record", "6", "--hex"]);
    assert_eq!((run.status, parts(&run).0), (0, expected));
    let run = run_with_stdin(&bytes, &["inspect", "-", "--record", "6", "--hex"]);
    assert_eq!((run.status, parts(&run).0), (0, expected));

    // Whole pages, what repeats in them left out.
    let run = run_in(files.path(), ["inspect", "web", "--type", "PAGE_DATA", "--hex"]);
    let piped = run_with_stdin(&bytes, &["inspect", "-", "--type", "PAGE_DATA", "--hex"]);
    assert_eq!(parts(&run).0, parts(&piped).0);
    let (table, _) = parts(&run);
    assert_eq!(dumped(table, 446, 16448), bytes[446..446 + 16448]);
    assert!(table.lines().count() < 60, "{table}");
}

/// The bytes of a dump, which begins at this offset.
fn dumped(table: &str, start: usize, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("    0")) {
        let at = usize::from_str_radix(&line[4..12], 16).unwrap() - start;
        // Where there was an asterisk the line before goes on.
        while bytes.len() < at {
            bytes.extend_from_within(bytes.len() - 16..);
        }
        bytes.extend(line[14..63].split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()));
    }
    assert_eq!(bytes.len(), length);
    bytes
}

#[test]
fn objects_say_the_same_as_the_table() {
    let files = directory(&[("web", &guest().bytes())]);
    let run = run_in(files.path(), ["inspect", "web", "--json"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let objects: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (verdict, rows) = objects.split_last().unwrap();
    assert_eq!(rows.len(), TABLE.lines().count() - 1);
    assert_eq!(
        (&verdict["verdict"], &verdict["path"], verdict.get("view")),
        (&json!("valid"), &json!("web"), None)
    );
    assert_eq!(
        rows[1],
        json!({
            "offset": 48, "layer": "xl", "depth": 0, "type": "configuration", "body_length": 186, "bytes": 190,
            "content": {
                "name": "web\u{1b}[2J", "uuid": "72914c63-d32f-4c7c-a243-2eeb97464b80", "kind": "pv",
                "memory_kib": 98304, "vcpus": 1,
            },
        })
    );
    assert_eq!(
        rows[11],
        json!({
            "offset": 446, "layer": "libxc", "depth": 2, "index": 5, "type": "PAGE_DATA", "body_length": 16440,
            "bytes": 16448,
            "content": {
                "records": 1, "entries": 6, "pages": 4, "lowest_pfn": 0, "highest_pfn": 5,
                "types": {"NOTAB": 3, "L4TAB pinned": 1, "XALLOC": 1, "XTAB": 1},
            },
        })
    );
    assert!(!run.stdout.bytes().any(|byte| byte != b'\n' && !(b' '..=b'~').contains(&byte)));

    let bad = guest().edited(Part::libxc(types::PAGE_DATA), 12, Field::U32(7)).bytes();
    let files = directory(&[("bad", &bad)]);
    let run = run_in(files.path(), ["inspect", "bad", "--profile", "spec", "--json", "--record", "5"]);
    let objects: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [row, verdict] = &objects[..] else { panic!("{run:?}") };
    assert_eq!((run.status, &row["torn"]), (1, &json!(true)));
    assert_eq!(verdict["violation"]["offset"], 458);
    let view = &verdict["view"];
    let (start, hex) = (view["offset"].as_u64().unwrap() as usize, view["bytes"].as_str().unwrap());
    assert_eq!(view["width"], 4);
    let expected: String = bad[start..start + 96].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((start, hex), (400, expected.as_str()));
}

#[test]
fn policies_are_those_of_verify() {
    let bad = guest().edited(Part::libxc(types::PAGE_DATA), 12, Field::U32(7)).bytes();
    let files = directory(&[("bad", &bad), ("web", &guest().bytes())]);
    for (arguments, status, whole) in [
        (&["bad"][..], 0, true),
        (&["bad", "--profile", "spec"], 1, false),
        (&["bad", "--deny", "libxc::page-data-missing"], 0, true),
        (&["bad", "--deny", "libxc::page-data-reserved"], 1, false),
        (&["bad", "--profile", "spec", "--warn", "libxc::page-data-reserved"], 0, true),
        (&["bad", "--profile", "spec", "--keep-going"], 1, true),
        (&["web", "--limit", "records=3"], 1, false),
        (&["web", "-f", "libxl"], 1, false),
        (&["absent"], 2, false),
    ] {
        let run = run_in(files.path(), [&["inspect"], arguments].concat());
        assert_eq!(run.status, status, "{arguments:?}: {run:?}");
        let end = "\n      27198          1   libxl   END ";
        assert_eq!(run.stdout.contains(end), whole, "{arguments:?}: {run:?}");
    }
    let run = run_in(files.path(), ["inspect", "absent"]);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.starts_with("xenstream: cannot open absent: No such file"), "{run:?}");
    let run = run_in(files.path(), ["inspect", "absent", "--json"]);
    let object: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (run.status, &object["verdict"], &object["error"]["kind"]),
        (2, &json!("error"), &json!("io"))
    );
}

#[test]
fn rows_are_flushed_and_a_closed_pipe_is_no_error() {
    // More rows than a pipe has room for.
    let part = Part::libxc(types::X86_TSC_INFO);
    let bytes = (0..3000).fold(guest(), |stream, _| stream.before(part, records::verify())).bytes();
    let mut child = spawned(&["inspect", "-"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    // The stream stops after the domain header, and is not over: what came is told all the same.
    stdin.write_all(&bytes[..310]).unwrap();
    for expected in TABLE.lines().take(6) {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), expected);
    }
    // Now nobody listens any more, as with `head`.
    drop(stdout);
    let _ = stdin.write_all(&bytes[310..]);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(2), &b""[..]));
}

/// What a terminal of this many columns shows.
pub(crate) fn shown(columns: u16, directory: &Path, arguments: &[&str]) -> String {
    let screen = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&screen).unwrap();
    rustix::pty::unlockpt(&screen).unwrap();
    let name = rustix::pty::ptsname(&screen, Vec::new()).unwrap();
    let end = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    tcsetwinsize(&screen, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let mut command = xenstream();
    command.current_dir(directory).args(arguments).env("TERM", "dumb").stdout(end).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // The command has an end as well, and while there is one the screen does not.
    drop(command);
    let mut text = Vec::new();
    // At its end Linux reports an error, and what came before it counts.
    let _ = File::from(screen).read_to_end(&mut text);
    child.wait().unwrap();
    String::from_utf8(text).unwrap().replace('\r', "")
}

#[test]
fn a_terminal_gets_lines_that_fit() {
    let files = directory(&[("web", &guest().bytes())]);
    let narrow = shown(80, files.path(), &["inspect", "web"]);
    assert!(narrow.lines().all(|line| line.len() <= 80), "{narrow}");
    let below = "        318          1    libxc  X86_CPUID_POLICY                48
                        vendor \"GenuineIntel\", family 6, model 58, stepping 9,
                        2 entries: vendor, features
";
    assert!(narrow.contains(below), "{narrow}");
    let wide = shown(120, files.path(), &["inspect", "web"]);
    assert!(wide.lines().all(|line| line.len() <= 120), "{wide}");
    let beside = "        318          1    libxc  X86_CPUID_POLICY                48  vendor \"GenuineIntel\", family 6, model 58,
                                                                     stepping 9, 2 entries: vendor, features
";
    assert!(wide.contains(beside), "{wide}");
    assert_eq!(shown(200, files.path(), &["inspect", "web"]).lines().nth(8), TABLE.lines().nth(8));
}

/// The transcripts of the documentation, which are all of files of the corpus.
#[test]
fn the_documentation_shows_what_the_program_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut commands = 0;
    for name in ["README.md", "docs/inspect.md"] {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        for block in text.split("```console\n").skip(1) {
            let block = block.split("```").next().unwrap();
            for transcript in block.split("$ xenstream inspect ").skip(1) {
                let (arguments, expected) = transcript.split_once('\n').unwrap();
                let run = run_in(&root, ["inspect"].into_iter().chain(arguments.split_whitespace()));
                assert_eq!(timeless(&run.stdout), timeless(expected), "{name}: {arguments}");
                commands += 1;
            }
        }
    }
    assert!(commands > 3);
}

/// A transcript without how long it took.
fn timeless(text: &str) -> String {
    let without = |line: &str| {
        let line = match line.split_once("\"seconds\":") {
            Some((start, rest)) => format!("{start}{}", rest.trim_start_matches(|c: char| !",}".contains(c))),
            None => line.to_owned(),
        };
        let units = [" us", " ms", " s"];
        match line.rsplit_once(", ") {
            Some((start, end)) if units.iter().any(|unit| end.ends_with(unit)) => start.to_owned(),
            _ => line,
        }
    };
    text.trim_end().lines().map(without).collect::<Vec<_>>().join("\n")
}
