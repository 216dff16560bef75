//! Many images at once, and directories of them.

use std::fs;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use xenstream::batch::{Outcome, Target, verify_all};
use xenstream::{Options, Policy};
use xenstream_synth::valid;

/// Path and verdict of every outcome, in order; what broke off counts as `limit`.
fn verify(targets: &[Target], threads: usize) -> Vec<(PathBuf, String)> {
    let mut outcomes = Vec::new();
    verify_all(
        targets,
        &Options::new(Policy::spec()),
        NonZero::new(threads),
        |_| (),
        |Outcome { path, result, passed_over, .. }| {
            let verdict = match result {
                Ok(report) if passed_over => format!("passed over: {}", report.hint().unwrap()),
                Ok(report) if report.is_valid() => "valid".to_owned(),
                Ok(report) => report.violation().unwrap().rule.to_string(),
                Err(error) => error.kind().to_owned(),
            };
            outcomes.push((path, verdict));
            ControlFlow::Continue(())
        },
    );
    outcomes
}

fn image() -> Vec<u8> {
    valid::pvh().in_libxl().in_xl().bytes()
}

/// A directory of images and of what is none.
fn populated() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir_all(root.join("b/deeper")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("README.md"), "# not an image\n").unwrap();
    fs::write(root.join("nothing"), "").unwrap();
    fs::write(root.join("a.xl"), image()).unwrap();
    fs::write(root.join("b/deeper/cut.xl"), &image()[..200]).unwrap();
    fs::write(root.join("b/x.xl"), image()).unwrap();
    fs::write(root.join("b/cut magic"), &image()[..7]).unwrap();
    fs::write(root.join("b/damaged magic"), [b"Zen", &image()[3..]].concat()).unwrap();
    fs::write(root.join("b/named.save"), "a note\n").unwrap();
    fs::write(root.join("b/named.chk.gz"), zstd::encode_all(&b"a note\n"[..], 1).unwrap()).unwrap();
    fs::write(root.join("b/zeros"), [0; 70_000]).unwrap();
    fs::write(root.join("c.libxl"), valid::pvh().in_libxl().bytes()).unwrap();
    fs::write(root.join("packed.gz"), [0x1F, 0x8B, 8]).unwrap();
    symlink("..", root.join("b/circle")).unwrap();
    symlink("nowhere", root.join("b/dangling")).unwrap();
    symlink("a.xl", root.join("z.xl")).unwrap();
    directory
}

#[test]
fn directories_are_walked_in_order() {
    let directory = populated();
    let root = directory.path();
    let expected = [
        ("README.md", "passed over: it seems to be text"),
        ("a.xl", "valid"),
        ("b/cut magic", "stream::unrecognised"),
        ("b/damaged magic", "stream::unrecognised"),
        ("b/deeper/cut.xl", "stream::truncated"),
        ("b/named.chk.gz", "stream::unrecognised"),
        ("b/named.save", "stream::unrecognised"),
        ("b/x.xl", "valid"),
        ("b/zeros", "stream::unrecognised"),
        ("c.libxl", "valid"),
        ("nothing", "stream::unrecognised"),
        ("packed.gz", "decompress"),
        ("z.xl", "valid"),
    ]
    .map(|(name, verdict)| (root.join(name), verdict.to_owned()));
    for threads in [1, 2, 7] {
        assert_eq!(verify(&[Target::from_path(root)], threads), expected, "{threads} threads");
        let all = verify(&[Target::AllOf(root.to_owned())], threads);
        assert_eq!(all[0], (root.join("README.md"), "stream::unrecognised".to_owned()));
        assert_eq!(all[1..], expected[1..]);
    }
}

#[test]
fn directory_without_an_image_is_an_error() {
    let directory = populated();
    let root = directory.path();
    let none = tempfile::tempdir().unwrap();
    fs::write(none.path().join("README.md"), "# not an image\n").unwrap();
    let names = [
        root.join("empty"),
        root.join("README.md"),
        none.path().to_owned(),
        root.join("absent"),
        root.join("b/deeper"),
    ];
    let targets: Vec<_> = names.iter().map(|name| Target::from_path(name)).collect();
    let expected = [
        (names[0].clone(), "no-image"),
        (names[1].clone(), "stream::unrecognised"),
        (none.path().join("README.md"), "passed over: it seems to be text"),
        (names[2].clone(), "no-image"),
        (names[3].clone(), "io"),
        (root.join("b/deeper/cut.xl"), "stream::truncated"),
    ]
    .map(|(name, verdict)| (name, verdict.to_owned()));
    assert_eq!(verify(&targets, 3), expected);
}

#[test]
fn outcomes_are_in_order_and_can_be_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..64).map(|n| directory.path().join(format!("{n:02}"))).collect();
    for (n, name) in names.iter().enumerate() {
        // Every third one takes longer.
        let image = if n % 3 == 0 { zstd::encode_all(&image()[..], 19).unwrap() } else { image() };
        fs::write(name, image).unwrap();
    }
    let targets: Vec<_> = names.iter().cloned().map(Target::File).collect();
    for threads in [1, 4] {
        let outcomes = verify(&targets, threads);
        assert!(outcomes.iter().map(|(path, _)| path).eq(&names), "{threads} threads");
        assert!(outcomes.iter().all(|(_, verdict)| verdict == "valid"));

        let mut seen = 0;
        verify_all(
            &targets,
            &Options::new(Policy::spec()),
            NonZero::new(threads),
            |_| (),
            |_| {
                seen += 1;
                if seen == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(seen, 5, "{threads} threads");
    }
}

#[test]
fn names_tell_what_they_are() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(Target::from_path(Path::new("-")), Target::Stdin);
    assert_eq!(Target::from_path(directory.path()), Target::Directory(directory.path().to_owned()));
    assert_eq!(Target::from_path(Path::new("./-")), Target::File("./-".into()));
}
