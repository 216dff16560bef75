//! What `cargo fuzz run TARGET` has to do by itself: it passes a target no dictionary.

#![forbid(unsafe_code)]

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Magics, record types, and records as short as they can be.
const DICTIONARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dictionaries/stream.dict");

/// Starts this program anew with the dictionary of streams, unless it was started with one.
///
/// libFuzzer takes a dictionary from its command line alone, and calls this before it reads that. Where the sources are
/// not, as on a machine that only runs targets, it is left to the caller.
pub fn use_dictionary() {
    let has_one = env::args_os().any(|argument| argument.as_encoded_bytes().starts_with(b"-dict="));
    if has_one || !Path::new(DICTIONARY).exists() {
        return;
    }
    let itself = env::current_exe().expect("a program has a path");
    let error = Command::new(itself).args(env::args_os().skip(1)).arg(format!("-dict={DICTIONARY}")).exec();
    panic!("cannot start with a dictionary: {error}");
}
