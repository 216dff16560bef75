//! `xenstream diff`: what it prints and how it ends.

use serde_json::{Value, json};
use xenstream::wire::libxc::types::X86_TSC_INFO;
use xenstream_synth::{Field, Page, Part, Stream, libxc, valid};

use crate::common::{directory, image, run_in, run_with_stdin};

/// An image with this text in its memory, and of this age.
fn with(text: &str, nsec: u32) -> Stream {
    let tsc = Part::libxc(X86_TSC_INFO);
    let page = libxc::page_data(&[Page::normal(21).holding(text)]);
    let guest = valid::hvm().edited(tsc, 16, Field::U32(nsec)).before(tsc, page);
    guest.in_libxl().with_device_model().in_xl()
}

#[test]
fn equal_images_print_nothing() {
    let files = directory(&[("a", &image().bytes()), ("b", &image().bytes())]);
    let run = run_in(files.path(), ["diff", "a", "b"]);
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
}

#[test]
fn differences_are_named() {
    let files = directory(&[("a", &with("abc", 5).bytes()), ("b", &with("abd", 6).bytes())]);
    let run = run_in(files.path(), ["diff", "--pages", "a", "b"]);
    let expected = "\
X86_TSC_INFO (libxc)
  nsec: 5 -> 6
memory: 1 page the same
  contents differ: 1 page, pfn 0x15
  pfn 0x15 from byte 0x2 on
    63 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    64 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
";
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (1, expected, ""));
    let quiet = run_in(files.path(), ["diff", "--quiet", "a", "b"]);
    assert_eq!((quiet.status, quiet.stdout.as_str()), (1, ""));
    let json = run_in(files.path(), ["diff", "--json", "--pages", "a", "b"]);
    assert_eq!(json.status, 1);
    let object: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        (&object["same"], &object["a"]["path"], &object["b"]["verdict"]),
        (&json!(false), &json!("a"), &json!("valid"))
    );
    let record = json!({"layer": "libxc", "place": "X86_TSC_INFO", "field": "nsec", "a": "5", "b": "6"});
    assert_eq!(object["records"], json!([record]));
    let pages = &object["pages"];
    assert_eq!(
        (&pages["same"], &pages["differing"], &pages["only_a"]),
        (&json!(1), &json!([[21, 21]]), &json!([]))
    );
    assert_eq!(pages["samples"][0]["offset"], 2);
}

#[test]
fn verdicts_are_shown_where_one_is_not_valid() {
    let bytes = image().bytes();
    let files = directory(&[("a", &bytes), ("torn", &bytes[..bytes.len() - 4]), ("none", b"not an image")]);
    let run = run_in(files.path(), ["diff", "a", "torn"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stdout.contains("a: valid: ") && run.stdout.contains("torn: invalid: "), "{run:?}");
    assert_eq!(run_in(files.path(), ["diff", "a", "none"]).status, 2);
    for order in [["a", "missing"], ["missing", "a"]] {
        let missing = run_in(files.path(), ["diff", order[0], order[1]]);
        assert_eq!(missing.status, 2);
        assert!(missing.stderr.starts_with("xenstream: cannot open missing: "), "{missing:?}");
    }
}

#[test]
fn one_of_them_may_come_from_a_pipe() {
    let files = directory(&[("a", &image().bytes())]);
    let path = files.path().join("a");
    let run = run_with_stdin(&image().bytes(), &["diff", path.to_str().unwrap(), "-"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{run:?}");
    let twice = run_with_stdin(b"", &["diff", "-", "-"]);
    assert_eq!(twice.status, 2);
    assert!(twice.stderr.contains("standard input can be read only once"), "{twice:?}");
}
