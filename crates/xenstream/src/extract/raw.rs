//! Raw memory: each page at its place, holes where there is none.

use std::fs::File;
use std::ops::Range;

use xenstream_core::wire::PAGE_SIZE;

use crate::Error;
use crate::extract::contents::set_length;
use crate::extract::extents::Extents;
use crate::extract::pages::Pages;

/// Bytes of holes that a file may have in any case: a guest has them below 4 GiB.
const HOLES: u64 = 4 << 30;
/// How often the contents a file may be long besides.
const TIMES: u64 = 16;

/// Refuses a file that would be very long for what is in it: pages of real guests do not lie so far apart.
pub(super) fn refuse_sparse(pages: &Extents) -> Result<(), Error> {
    let count = pages.pages(0..u64::MAX);
    let bytes = pages.end().saturating_mul(PAGE_SIZE);
    if bytes > HOLES.saturating_add(count.saturating_mul(PAGE_SIZE).saturating_mul(TIMES)) {
        return Err(Error::TooSparse { bytes, pages: count });
    }
    Ok(())
}

/// Writes the pages with these pfns; the first of these begins the file. Returns the file's length.
pub(super) fn write(
    out: &File,
    pages: &Extents,
    pfns: &Range<u64>,
    contents: &mut Pages<'_>,
) -> Result<u64, Error> {
    let mut end = 0;
    for extent in pages.within(pfns.clone()) {
        let to = (extent.pfn - pfns.start).saturating_mul(PAGE_SIZE);
        contents.write(extent, out, to)?;
        end = to.saturating_add(extent.bytes());
    }
    set_length(out, end)?;
    Ok(end)
}
