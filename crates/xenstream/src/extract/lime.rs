//! LiME's format: each run of pages after a header of its own.

use std::fs::File;
use std::ops::Range;

use xenstream_core::wire::PAGE_SIZE;

use crate::Error;
use crate::extract::contents::{set_length, write_all};
use crate::extract::extents::Extents;
use crate::extract::pages::Pages;

/// The letters `EMiL`, as they lie in a file.
const MAGIC: u32 = 0x4C69_4D45;
/// The only version.
const VERSION: u32 = 1;
/// Size of a header: magic, version, first and last address, 8 reserved bytes.
const HEADER: u64 = 32;

/// Writes the pages with these pfns. Returns the file's length.
pub(super) fn write(
    out: &File,
    pages: &Extents,
    pfns: &Range<u64>,
    contents: &mut Pages<'_>,
) -> Result<u64, Error> {
    let mut to = 0u64;
    for run in pages.runs(pfns.clone()) {
        write_all(out, &header(*run.start(), *run.end()), to)?;
        to = to.saturating_add(HEADER);
        for extent in pages.within(*run.start()..*run.end() + 1) {
            contents.write(extent, out, to)?;
            to = to.saturating_add(extent.bytes());
        }
    }
    set_length(out, to)?;
    Ok(to)
}

fn header(first: u64, last: u64) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend([MAGIC, VERSION].map(u32::to_le_bytes).concat());
    let end = last.saturating_mul(PAGE_SIZE).saturating_add(PAGE_SIZE - 1);
    header.extend([first.saturating_mul(PAGE_SIZE), end, 0].map(u64::to_le_bytes).concat());
    header
}
