//! `xenstream report`: where the page goes, and what is left where none is made.

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use xenstream::wire::libxc::types;
use xenstream_synth::{Field, Part};

use crate::common::{directory, finished, image, run_in, run_with_stdin, xenstream};
use crate::verify::terminal;

/// An image with two faults.
fn broken() -> Vec<u8> {
    image()
        .edited(Part::libxc(types::PAGE_DATA), 12, Field::U32(7))
        .edited(Part::libxc(types::X86_TSC_INFO), 28, Field::U32(9))
        .bytes()
}

fn is_page(text: &str) -> bool {
    text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_page_goes_to_standard_output_or_to_a_file() {
    let files = directory(&[("good.xl", &image().bytes())]);
    for arguments in [&["report", "good.xl"][..], &["report", "good.xl", "-o", "-"]] {
        let run = run_in(files.path(), arguments);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert!(is_page(&run.stdout) && run.stdout.contains("<h1>good.xl</h1>"), "{}", run.stdout);
    }
    let run = run_in(files.path(), ["report", "good.xl", "-o", "page.html"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.starts_with("good.xl: valid: xl, hvm, "), "{run:?}");
    let page = files.path().join("page.html");
    assert!(is_page(&fs::read_to_string(&page).unwrap()));
    assert_eq!(names(files.path()), ["good.xl", "page.html"]);
    // It has the permissions of any other file that the user makes.
    let mode = |path: &Path| fs::metadata(path).unwrap().mode();
    assert_eq!(mode(&page), mode(&files.path().join("good.xl")));
}

#[test]
fn standard_input_is_read() {
    let run = run_with_stdin(&image().bytes(), &["report", "-"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(is_page(&run.stdout) && run.stdout.contains("<h1>standard input</h1>"), "{}", run.stdout);
}

#[test]
fn an_invalid_image_has_a_page_with_all_that_is_wrong() {
    let files = directory(&[("bad.xl", &broken()), ("none", b"no image")]);
    let run = run_in(files.path(), ["report", "--profile", "spec", "bad.xl", "--output=page.html"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(run.stdout.matches("  error: ").count(), 2, "{run:?}");
    let page = fs::read_to_string(files.path().join("page.html")).unwrap();
    assert!(is_page(&page) && page.contains("id=\"finding-2\"") && !page.contains("id=\"finding-3\""));
    let run = run_in(files.path(), ["report", "none"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(is_page(&run.stdout));
}

#[test]
fn levels_and_limits_are_the_user_s() {
    let files = directory(&[("bad", &broken()), ("good", &image().bytes())]);
    for (arguments, status) in [
        (&["bad"][..], 0),
        (&["bad", "--profile", "spec", "--allow", "libxc::*"], 0),
        (&["bad", "--profile", "spec", "--warn", "libxc::page-data-reserved"], 1),
        (&["good", "--limit", "records=3"], 1),
        (&["good", "-f", "libxl"], 1),
        (&["good", "--checkpointing", "plain"], 0),
        (&["good", "--progress"], 0),
    ] {
        let run = run_in(files.path(), [&["report"], arguments].concat());
        assert_eq!(run.status, status, "{arguments:?}: {run:?}");
        assert!(is_page(&run.stdout), "{arguments:?}");
    }
}

#[test]
fn where_no_verdict_is_reached_there_is_no_page() {
    let truncated = zstd::encode_all(&image().bytes()[..], 1).unwrap();
    let torn = &truncated[..truncated.len() - 9];
    let files = directory(&[("torn.zst", torn), ("old.html", b"what was there")]);
    for (image, output) in
        [("absent", "new.html"), ("torn.zst", "new.html"), ("torn.zst", "old.html"), (".", "-")]
    {
        let run = run_in(files.path(), ["report", image, "-o", output]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{image}: {run:?}");
        assert!(run.stderr.starts_with("xenstream: "), "{run:?}");
    }
    assert_eq!(names(files.path()), ["old.html", "torn.zst"]);
    assert_eq!(fs::read(files.path().join("old.html")).unwrap(), b"what was there");
}

#[test]
fn write_errors_are_reported() {
    let files = directory(&[("good", &image().bytes())]);
    for (output, what) in [
        ("absent/page.html", "cannot create output: "),
        (".", "output exists and is not a regular file"),
        ("/dev/full", "cannot write at offset 0: "),
    ] {
        let run = run_in(files.path(), ["report", "good", "-o", output]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{output}: {run:?}");
        assert!(run.stderr.starts_with(&format!("xenstream: {output}: {what}")), "{run:?}");
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let run = finished(
        xenstream().current_dir(files.path()).args(["report", "good"]).stdout(full).output().unwrap(),
    );
    assert_eq!(run.status, 2, "{run:?}");
    assert_eq!(names(files.path()), ["good"]);
}

#[test]
fn the_image_is_not_overwritten() {
    let bytes = image().bytes();
    let files = directory(&[("image", &bytes)]);
    fs::hard_link(files.path().join("image"), files.path().join("other")).unwrap();
    symlink("image", files.path().join("link")).unwrap();
    for (from, to) in [("image", "image"), ("image", "./image"), ("image", "other"), ("link", "image")] {
        let run = run_in(files.path(), ["report", from, "-o", to]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{from} {to}: {run:?}");
        assert!(run.stderr.contains("the page would take the image's place"), "{run:?}");
    }
    let stdin = File::open(files.path().join("image")).unwrap();
    let mut command = xenstream();
    command.current_dir(files.path()).args(["report", "-", "-o", "image"]).stdin(stdin);
    assert_eq!(finished(command.output().unwrap()).status, 2);
    assert_eq!(fs::read(files.path().join("image")).unwrap(), bytes);
}

#[test]
fn replaced_files_keep_links_and_permissions() {
    let files = directory(&[("image", &image().bytes()), ("page.html", b"old")]);
    let page = files.path().join("page.html");
    fs::set_permissions(&page, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("page.html", files.path().join("link")).unwrap();
    let run = run_in(files.path(), ["report", "image", "-o", "link", "--force"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(fs::symlink_metadata(files.path().join("link")).unwrap().is_symlink());
    assert!(is_page(&fs::read_to_string(&page).unwrap()));
    assert_eq!(fs::metadata(&page).unwrap().mode() & 0o777, 0o600);
    let run = run_in(files.path(), ["report", "image", "-o", "/dev/null"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn a_terminal_gets_no_page() {
    let files = directory(&[("image", &image().bytes())]);
    let (_screen, end) = terminal();
    let mut command = xenstream();
    command.current_dir(files.path()).args(["report", "image"]).stdout(end).stderr(Stdio::piped());
    let run = finished(command.spawn().unwrap().wait_with_output().unwrap());
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("-o report.html"), "{run:?}");
    let (_screen, end) = terminal();
    let run = finished(xenstream().args(["report", "-"]).stdin(end).output().unwrap());
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("name an image"), "{run:?}");
}

#[test]
fn only_former_pages_are_replaced() {
    let files = directory(&[("good", &image().bytes()), ("notes", b"what was there")]);
    let run = run_in(files.path(), ["report", "good", "-o", "notes"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
    assert_eq!(run.stderr, "xenstream: notes: output already exists; --force replaces it\n");
    assert_eq!(fs::read(files.path().join("notes")).unwrap(), b"what was there");
    for arguments in [&["report", "good", "-o", "notes", "--force"][..], &["report", "good", "-o", "notes"]] {
        let run = run_in(files.path(), arguments);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
        let page = fs::read_to_string(files.path().join("notes")).unwrap();
        assert!(is_page(&page) && page.contains("id=\"fact-path\"") && page.contains("id=\"fact-date\""));
    }
}
