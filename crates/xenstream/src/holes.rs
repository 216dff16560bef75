//! Files that have holes where there are zeros.

#[cfg(feature = "extract")]
use std::fs::File;
#[cfg(feature = "extract")]
use std::io;
#[cfg(feature = "extract")]
use std::os::unix::fs::FileExt;

use xenstream_core::wire::PAGE_SIZE;

#[cfg(feature = "extract")]
use crate::Error;

/// A page of zeros.
#[cfg(feature = "rewrite")]
pub(crate) static ZEROS: [u8; PAGE_SIZE as usize] = [0; PAGE_SIZE as usize];

/// Appends zeros, by copying them: `Vec::resize` stores one byte at a time unless it is optimised.
#[cfg(feature = "rewrite")]
pub(crate) fn append_zeros(bytes: &mut Vec<u8>, mut n: usize) {
    while n > 0 {
        let some = n.min(ZEROS.len());
        bytes.extend_from_slice(&ZEROS[..some]);
        n -= some;
    }
}

/// Whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

/// Writes bytes to a new file, but for pages of zeros.
#[cfg(feature = "extract")]
pub(crate) fn write_with_holes(file: &File, bytes: &[u8], at: u64) -> Result<(), Error> {
    let first = usize::try_from(PAGE_SIZE - at % PAGE_SIZE).unwrap_or(usize::MAX).min(bytes.len());
    let (first, rest) = bytes.split_at(first);
    let mut at = at;
    let pages = std::iter::once(first).chain(rest.chunks(PAGE_SIZE as usize));
    // Neighbours go out together.
    let mut run = 0..0;
    let mut done = 0;
    let write = |run: &std::ops::Range<usize>, end_at: u64| -> io::Result<()> {
        let start = end_at - run.len() as u64;
        file.write_all_at(&bytes[run.clone()], start)
    };
    for page in pages {
        if is_zero(page) {
            write(&run, at).map_err(|error| Error::of_output(at, error))?;
            done += page.len();
            run = done..done;
        } else {
            done += page.len();
            run.end = done;
        }
        at = at.saturating_add(page.len() as u64);
        if run.is_empty() {
            run = done..done;
        }
    }
    write(&run, at).map_err(|error| Error::of_output(at, error))
}
