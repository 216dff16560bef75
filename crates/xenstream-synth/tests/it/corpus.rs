//! The corpus as files.

use std::fs;
use std::path::PathBuf;

use xenstream_synth::corpus::{MANIFEST, check_corpus, corpus, write_corpus};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("a folder of our own");
    }
    folder
}

#[test]
fn is_small_enough_for_a_repository() {
    let bytes: usize = corpus().iter().map(|file| file.bytes.len()).sum();
    assert!(bytes < 6_500_000, "{bytes} bytes");
}

#[test]
fn tells_what_is_missing_stale_and_too_much() {
    let root = folder("corpus-check");
    let files = write_corpus(&root).expect("a folder of our own");
    assert_eq!(files, corpus().len());
    assert_eq!(check_corpus(&root).expect("a folder of our own"), [""; 0]);

    fs::write(root.join("rules/xl/byteorder.bin"), b"old").expect("a folder of our own");
    fs::remove_file(root.join("valid/hvm-v3.xl.bin")).expect("a folder of our own");
    fs::write(root.join("rules/xl/no-such-rule.bin"), b"old").expect("a folder of our own");
    fs::write(root.join("rules/README.md"), b"what this is").expect("a folder of our own");
    let lines = check_corpus(&root).expect("a folder of our own");
    assert_eq!(
        lines,
        [
            "not part of it: rules/xl/no-such-rule.bin",
            "stale: rules/xl/byteorder.bin",
            "missing: valid/hvm-v3.xl.bin"
        ]
    );

    write_corpus(&root).expect("a folder of our own");
    assert_eq!(check_corpus(&root).expect("a folder of our own"), [""; 0]);
    assert!(root.join("rules/README.md").exists());
}

#[test]
fn every_line_of_the_table_has_its_files() {
    let files = corpus();
    let manifest = files.iter().find(|file| file.path == MANIFEST).expect("the table");
    let lines = std::str::from_utf8(&manifest.bytes).expect("JSON is text").lines();
    let mut cases = 0;
    for line in lines {
        let case: serde_json::Value = serde_json::from_str(line).expect("a line is an object");
        for key in ["file", "neighbour"] {
            assert!(files.iter().any(|file| case[key] == file.path.as_str()), "{line}");
        }
        cases += 1;
    }
    // A rule on the host has a description of one beside its streams.
    let streams = files.iter().filter(|file| file.path.starts_with("rules/") && file.path.ends_with(".bin"));
    assert_eq!(streams.count(), 2 * cases);
}
