//! The property `splits` of fuzz/properties, on the core alone and on the repository's small streams: whoever changes
//! the core meets it without building anything else.

use std::fs;
use std::path::Path;

use crate::property;

/// Longer streams take long byte by byte, and hold nothing else.
const LONGEST: u64 = 12 << 10;

#[test]
fn every_split_gives_the_same() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus");
    let mut directories = vec![corpus.join("rules"), corpus.join("valid"), corpus.join("crashes")];
    let mut tried = 0;
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "bin")
                && entry.metadata().unwrap().len() <= LONGEST
            {
                let mut input = fs::read(entry.path()).unwrap();
                // Any format; spec that stops and wants no bodies, hardened that goes on and wants them.
                for how in [0, 0xC0 + 2] {
                    input.extend([0, how]);
                    property::splits(&input);
                    input.truncate(input.len() - 2);
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 600, "the corpus has shrunk to {tried} streams");
}
