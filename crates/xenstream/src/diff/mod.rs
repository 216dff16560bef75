//! What two images differ in: configuration, registers by name, the processor, parameters, devices, memory by pfn.
//!
//! ```
//! use xenstream::diff::{Compare, diff};
//! use xenstream::{Input, Options};
//!
//! # let image = xenstream_synth::valid::hvm().bytes();
//! let same = diff([Input::Slice(&image), Input::Slice(&image)], &Options::default(), &Compare::default()).unwrap();
//! assert!(same.is_empty() && same.pages.same == 1);
//! ```
//!
//! If a record or a page comes several times, the last one counts; in a Remus or COLO stream, the last one up to the
//! last complete checkpoint. Memory is constant but for an index of the pages, as for [`mod@crate::extract`], and what
//! is decoded of each record. An input that can be read only once is copied to a file without a name first.

mod config;
mod fields;
mod pages;
mod snapshot;

use std::convert::identity;
use std::io;
use std::ops::RangeInclusive;

use xenstream_core::Layer;

use crate::rewrite::open::{Opened, open};
use crate::rewrite::spool::spool;
use crate::source::ahead::fill_at;
use crate::source::file::ReadAt;
use crate::{Error, Input, Options, Report};

use self::snapshot::Snapshot;

/// How closely to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compare {
    /// The number of differing pages whose first differing bytes are reported.
    pub samples: usize,
}

impl Compare {
    /// The same, with the first bytes that differ of this many pages.
    #[must_use]
    pub const fn with_samples(mut self, samples: usize) -> Compare {
        self.samples = samples;
        self
    }
}

/// What two images differ in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diff {
    /// What each was found to be.
    pub reports: [Report; 2],
    /// Differences in headers, configuration and records.
    pub records: Vec<Difference>,
    /// Differences in memory.
    pub pages: Pages,
    /// There were more records than are compared.
    pub is_cut: bool,
}

impl Diff {
    /// Returns whether nothing differs. Images of which one is valid and one is not differ.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Pages { only, differing, .. } = &self.pages;
        let [a, b] = &self.reports;
        self.records.is_empty()
            && differing.is_empty()
            && only.iter().all(Vec::is_empty)
            && a.verdict.name() == b.verdict.name()
    }
}

/// A value that differs, or a record that only one image has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The layer of the header or record.
    pub layer: Layer,
    /// The header or record, with the vcpu or instance that it is about.
    pub place: String,
    /// The value's name; `None` if a whole record is meant.
    pub field: Option<String>,
    /// The values; `None` if it is not there. They are cut where they are long, and may hold anything.
    pub values: [Option<String>; 2],
    /// For an area of bytes, how many differ, and the offset of the first of them in the record's body. The values are
    /// the bytes from there on, in hex.
    pub bytes: Option<(u64, u64)>,
}

/// Differences in memory, by pfn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pages {
    /// Pages that both have, with the same contents.
    pub same: u64,
    /// Pages that both have, with other contents.
    pub differing: Vec<RangeInclusive<u64>>,
    /// Pages that only one of the images has.
    pub only: [Vec<RangeInclusive<u64>>; 2],
    /// The first bytes that differ, of as many pages as were asked for.
    pub samples: Vec<Sample>,
}

/// The first bytes that differ in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The page.
    pub pfn: u64,
    /// Offset in the page of the first byte that differs.
    pub offset: u64,
    /// Bytes from there on, fewer at the page's end.
    pub bytes: [[u8; Sample::BYTES]; 2],
    /// How many of these there are.
    pub length: usize,
}

impl Sample {
    /// Most bytes of a sample.
    pub const BYTES: usize = 16;
}

/// Why two images were not compared.
#[derive(Debug, thiserror::Error)]
#[error("image {}: {error}", input + 1)]
#[non_exhaustive]
pub struct DiffError {
    /// Which of the inputs the error is about: 0 or 1.
    pub input: usize,
    /// What is wrong with it.
    pub error: Error,
}

impl DiffError {
    fn of(input: usize) -> impl Fn(Error) -> DiffError {
        move |error| DiffError { input, error }
    }
}

/// Compares two images. Invalid ones are compared as far as they go.
///
/// # Errors
/// An input could not be opened, read or decompressed, or not be copied.
pub fn diff(inputs: [Input<'_>; 2], options: &Options, what: &Compare) -> Result<Diff, DiffError> {
    let [a, b] = inputs;
    let with_both = |a: &dyn ReadAt| {
        let compared = with_file(b, options, |b| Ok(compare(Side::both(a, b), options, what)));
        Ok(compared.map_err(DiffError::of(1)).and_then(identity))
    };
    with_file(a, options, with_both).map_err(DiffError::of(0)).and_then(identity)
}

/// Opens an input so that it can be read at any place.
fn with_file<R>(
    input: Input<'_>,
    options: &Options,
    then: impl FnOnce(&dyn ReadAt) -> Result<R, Error>,
) -> Result<R, Error> {
    open(input, None, options, |opened| match opened {
        Opened::At(file) => then(file),
        Opened::InOrder(bytes) => then(&spool(bytes, options, None, true)?),
    })
}

/// One of the images.
#[derive(Clone, Copy)]
struct Side<'f> {
    file: &'f dyn ReadAt,
    input: usize,
}

impl<'f> Side<'f> {
    fn both(a: &'f dyn ReadAt, b: &'f dyn ReadAt) -> [Side<'f>; 2] {
        [Side { file: a, input: 0 }, Side { file: b, input: 1 }]
    }

    fn snapshot(self, options: &Options) -> Result<Snapshot, DiffError> {
        Snapshot::of(self.file, options).map_err(DiffError::of(self.input))
    }

    /// Reads bytes that were there a moment ago.
    fn read(self, at: u64, bytes: &mut [u8]) -> Result<(), DiffError> {
        let have = fill_at(self.file, bytes, at).map_err(DiffError::of(self.input))?;
        if have < bytes.len() {
            let (offset, source) = (at.saturating_add(have as u64), io::ErrorKind::UnexpectedEof.into());
            return Err(DiffError { input: self.input, error: Error::Read { offset, source } });
        }
        Ok(())
    }
}

fn compare(sides: [Side<'_>; 2], options: &Options, what: &Compare) -> Result<Diff, DiffError> {
    let [a, b] = [sides[0].snapshot(options)?, sides[1].snapshot(options)?];
    let mut records = Vec::new();
    for key in a.keys_with(&b) {
        fields::compare(key, [a.record(key), b.record(key)], sides, &mut records)?;
    }
    let pages = pages::compare([&a.pages, &b.pages], sides, what.samples)?;
    Ok(Diff { is_cut: a.is_cut || b.is_cut, reports: [a.report, b.report], records, pages })
}
