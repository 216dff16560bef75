//! A copy of page contents, for inputs that pass once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xenstream_core::wire::PAGE_SIZE;

use crate::Error;
use crate::extract::contents::forget;
use crate::extract::extents::Extent;

/// A file without a name, beside the output. Pages of zeros take no room in it, nor do those that are no longer needed.
pub(crate) struct Spool {
    file: File,
    end: u64,
}

impl Spool {
    /// An empty copy in this directory.
    pub(super) fn new(directory: &Path) -> Result<Spool, Error> {
        let file = tempfile::tempfile_in(directory).map_err(Error::Create)?;
        Ok(Spool { file, end: 0 })
    }

    /// Makes room for this many bytes; returns where it begins.
    pub(super) fn make_room(&mut self, bytes: u64) -> u64 {
        let start = self.end;
        self.end = start.saturating_add(bytes);
        start
    }

    /// Writes a part of what there is room for.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        write_with_holes(&self.file, bytes, at)
    }

    /// Gives room back that is no longer needed.
    pub(super) fn forget(&mut self, extent: Extent) {
        forget(&self.file, extent.at..extent.at.saturating_add(extent.bytes()));
    }

    /// The file, as long as it is to be.
    pub(super) fn into_file(self) -> Result<File, Error> {
        self.file.set_len(self.end).map_err(|error| Error::of_output(self.end, error))?;
        Ok(self.file)
    }
}

/// Writes bytes to a new file, but for pages of zeros.
pub(super) fn write_with_holes(file: &File, bytes: &[u8], at: u64) -> Result<(), Error> {
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
        if page.iter().all(|byte| *byte == 0) {
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
