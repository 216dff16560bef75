//! `--files-from`: names of images, read from a file.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::args::PathOrDash;

/// Reads a list of names. Each ends with a newline or, with `null`, with a zero byte, as `find -print0` writes it.
pub(crate) fn read(list: &PathOrDash, null: bool) -> io::Result<Vec<PathBuf>> {
    let mut bytes = Vec::new();
    match list {
        PathOrDash::Dash => io::stdin().read_to_end(&mut bytes).map(|_| ())?,
        PathOrDash::Path(path) => bytes = fs::read(path)?,
        PathOrDash::Elsewhere(_) => return Err(io::ErrorKind::Unsupported.into()),
    }
    Ok(names(&bytes, if null { 0 } else { b'\n' }))
}

fn names(bytes: &[u8], end: u8) -> Vec<PathBuf> {
    let names = bytes.split(|byte| *byte == end).filter(|name| !name.is_empty());
    names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_newline_or_nul() {
        assert_eq!(names(b"a b\n\nc\n", b'\n'), [PathBuf::from("a b"), PathBuf::from("c")]);
        assert_eq!(names(b"a\nb\0c", 0), [PathBuf::from("a\nb"), PathBuf::from("c")]);
        assert!(names(b"", 0).is_empty());
    }
}
