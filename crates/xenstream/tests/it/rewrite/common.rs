//! Converts in memory, and takes streams apart.

use std::ops::Range;

use xenstream::rewrite::{Convert, Converted, Output, convert};
use xenstream::wire::libxc::types::{HVM_CONTEXT, PAGE_DATA};
use xenstream::{Input, Layer, Observer, Options, Policy, Record, Report, Target, verify};

/// The default policy with a target.
pub(crate) fn for_target(name: &str) -> Options {
    Options::new(Policy::restore().with_target(Some(name.parse::<Target>().unwrap())))
}

/// Converts bytes.
pub(crate) fn converted(bytes: &[u8], options: &Options, what: &Convert) -> (Converted, Vec<u8>) {
    let mut out = Vec::new();
    let converted = convert(Input::Slice(bytes), Output::Writer(&mut out), options, what).unwrap();
    assert_eq!(converted.bytes.is_some(), !out.is_empty());
    assert_eq!(converted.bytes.is_some(), converted.obstacles.is_empty() && !what.dry_run);
    if converted.bytes.is_some() {
        let after = verify(Input::Slice(&out), options, &mut ()).unwrap();
        assert_eq!(after.violation(), None, "what is written verifies");
    }
    (converted, out)
}

pub(crate) use crate::scrub::common::real;

/// The report on a stream, and its records with their bodies.
pub(crate) fn records(bytes: &[u8]) -> (Report, Vec<(Layer, u64, Vec<u8>)>) {
    let mut seen = Records::default();
    let options = Options::new(Policy::restore().with_keep_going(true));
    let report = verify(Input::Slice(bytes), &options, &mut seen).unwrap();
    let body = |record: &Record| {
        let start = record.body_offset as usize;
        bytes[start..start + record.body_length as usize].to_vec()
    };
    (report, seen.0.iter().map(|record| (record.layer, record.kind, body(record))).collect())
}

/// Where the same records lie.
pub(crate) fn extents(bytes: &[u8]) -> Vec<Range<u64>> {
    let mut seen = Records::default();
    let options = Options::new(Policy::restore().with_keep_going(true));
    verify(Input::Slice(bytes), &options, &mut seen).unwrap();
    seen.0.iter().map(|record| record.offset..record.end()).collect()
}

/// The records of a stream but for entries of HVM_CONTEXT, which are in its body.
#[derive(Default)]
struct Records(Vec<Record>);

impl Observer for Records {
    fn on_record(&mut self, record: &Record) {
        if record.layer != Layer::Hvm {
            self.0.push(*record);
        }
    }
}

/// The entries of a chain: typecode, instance, body.
pub(crate) fn entries(mut chain: &[u8]) -> Vec<(u16, u16, &[u8])> {
    let mut entries = Vec::new();
    while let Some(([a, b, c, d, length @ ..], rest)) = chain.split_first_chunk::<8>() {
        let (body, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        entries.push((u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]), body));
        chain = rest;
    }
    entries
}

/// Whether a record is the state of an HVM guest in the hypervisor.
pub(crate) fn is_context((layer, kind, _): &(Layer, u64, Vec<u8>)) -> bool {
    *layer == Layer::Libxc && *kind == u64::from(HVM_CONTEXT)
}

/// Whether a record has pages.
pub(crate) fn is_pages((layer, kind, _): &(Layer, u64, Vec<u8>)) -> bool {
    *layer == Layer::Libxc && *kind == u64::from(PAGE_DATA)
}
