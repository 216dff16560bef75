//! A copy of page contents, for inputs that pass once.

use std::fs::File;
use std::path::Path;

use crate::Error;
use crate::extract::contents::forget;
use crate::extract::extents::Extent;
use crate::holes::write_with_holes;

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
