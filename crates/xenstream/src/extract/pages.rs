//! Page contents on their way to the output.

use std::fs::File;

use xenstream_core::wire::PAGE_SIZE;

use crate::Error;
use crate::extract::Step;
use crate::extract::contents::{Contents, write_all};
use crate::extract::extents::Extent;
use crate::extract::p2m::Identity;

/// Pages that are written between two steps: 64 MiB.
const PIECE: u64 = (64 << 20) / PAGE_SIZE;

/// Writes pages.
pub(super) struct Pages<'a> {
    contents: Contents<'a>,
    p2m: Option<Identity<'a>>,
    watch: &'a dyn Fn(Step),
    done: u64,
    of: u64,
}

impl<'a> Pages<'a> {
    /// Nothing written yet of this many pages.
    pub(super) fn new(contents: Contents<'a>, pages: u64, watch: &'a dyn Fn(Step)) -> Pages<'a> {
        Pages { contents, p2m: None, watch, done: 0, of: pages.saturating_mul(PAGE_SIZE) }
    }

    /// The same, with the guest's list of frames as it is to be.
    pub(super) fn with_p2m(self, p2m: Option<Identity<'a>>) -> Pages<'a> {
        Pages { p2m, ..self }
    }

    /// Writes these pages, one after the other. Holes stay holes.
    pub(super) fn write(&mut self, extent: Extent, out: &File, to: u64) -> Result<(), Error> {
        let mut first = extent.pfn;
        while first < extent.end() {
            let piece = extent.within(&(first..first.saturating_add(PIECE)));
            let at = |pfn: u64| to.saturating_add((pfn - extent.pfn).saturating_mul(PAGE_SIZE));
            self.contents.copy(piece.at, piece.bytes(), out, at(piece.pfn))?;
            for (pfn, offset, bytes) in self.p2m.iter().flat_map(|p2m| p2m.within(piece.pfn..piece.end())) {
                write_all(out, &bytes, at(pfn).saturating_add(offset))?;
            }
            self.done = self.done.saturating_add(piece.bytes());
            (self.watch)(Step::Written { done: self.done, of: self.of });
            first = piece.end();
        }
        Ok(())
    }
}
