//! Of every declared structure, what no field keeps comes out as zero: bytes between fields, reserved ones, and what there
//! is after the last.

use std::collections::BTreeSet;

use xenstream::wire::layout::{Keep, Layout};
use xenstream::wire::libxc::types::HVM_CONTEXT;
use xenstream::wire::{hvm, structures};
use xenstream::{Input, Observer, Options, Policy, Profile, Record, verify};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::minimal::{Kind, checkpointed_guest};
use xenstream_synth::valid::{self, Machine};
use xenstream_synth::{Part, Stream, libxc};

use super::common::{DAMAGED, WISHES, options, scrubbed};

/// What the bytes that are not kept are full of.
const PLANTED: u8 = 0xA5;

/// A byte that is not kept.
struct Unkept {
    at: usize,
    /// The reserved field that it is in; none covers the others.
    is_reserved: bool,
    structure: &'static str,
}

/// Every kind of guest, and every typecode of HVM_CONTEXT.
fn streams() -> Vec<Stream> {
    let longest = |entry: &hvm::Entry| entry.length.bound();
    let every = (2..hvm::types::KNOWN)
        .map(|typecode| Entry::filled(typecode, 0, hvm::entry(typecode).map_or(0, longest), 0));
    let chain = libxc::hvm_context(&Chain::around(every));
    let hvm = valid::hvm().replaced(Part::libxc(HVM_CONTEXT), chain);
    let machines = Machine::all().map(Machine::libxc);
    let colo = checkpointed_guest(&valid::hvm(), Kind::Colo, 2);
    machines.into_iter().chain([hvm.clone(), hvm.in_libxl().with_device_model(), colo]).collect()
}

/// The records of a stream, those of HVM_CONTEXT too.
fn records(bytes: &[u8]) -> Vec<Record> {
    #[derive(Default)]
    struct Records(Vec<Record>);
    impl Observer for Records {
        fn wants_body(&mut self, _: &Record) -> bool {
            true
        }
        fn on_record(&mut self, record: &Record) {
            self.0.push(*record);
        }
    }
    let mut records = Records::default();
    let options = Options::new(Policy::spec().with_keep_going(true));
    verify(Input::Slice(bytes), &options, &mut records).unwrap();
    records.0
}

/// The bytes of a record that no declared field keeps.
fn unkept(record: &Record) -> Vec<Unkept> {
    let layouts: &'static [&'static Layout] =
        structures::of_body(record.layer, record.kind, record.body_length);
    let mut found = Vec::new();
    let mut start = record.body_offset;
    let end = record.body_offset + record.body_length;
    for (n, layout) in layouts.iter().enumerate() {
        let length = if n + 1 == layouts.len() { end - start } else { layout.size() };
        let mut covers = vec![None; length as usize];
        for placed in layout.fields(length) {
            let rest = length.saturating_sub(placed.offset);
            let width = if placed.field.width == 0 { rest } else { rest.min(placed.field.width.into()) };
            let from = covers.len() - rest as usize;
            covers[from..from + width as usize].fill(Some(placed.field.keep));
        }
        for (at, keep) in
            covers.iter().enumerate().filter(|(_, keep)| matches!(keep, None | Some(Keep::Never)))
        {
            let at = start as usize + at;
            found.push(Unkept { at, is_reserved: keep.is_some(), structure: layout.name });
        }
        start += length;
    }
    found
}

#[test]
fn undeclared_bytes_come_out_as_zero() {
    let mut seen = BTreeSet::new();
    for stream in streams() {
        let bytes = stream.bytes();
        for record in records(&bytes) {
            for is_reserved in [false, true] {
                let unkept: Vec<_> =
                    unkept(&record).into_iter().filter(|byte| byte.is_reserved == is_reserved).collect();
                if unkept.is_empty() {
                    continue;
                }
                let mut planted = bytes.clone();
                unkept.iter().for_each(|byte| planted[byte.at] = PLANTED);
                seen.extend(unkept.iter().map(|byte| (byte.structure, is_reserved)));
                let (before, _) = scrubbed(&bytes, &options(Profile::Spec), WISHES[0]);
                for what in WISHES.into_iter().chain([DAMAGED]) {
                    let (scrubbed, out) = scrubbed(&planted, &options(Profile::Spec), what);
                    // The verifier does not look at what no field covers.
                    assert!(is_reserved || scrubbed.report.violation() == before.report.violation());
                    if scrubbed.bytes.is_none() {
                        continue;
                    }
                    for byte in &unkept {
                        // What is not zero, and should be, becomes the least such value.
                        let left = out[byte.at];
                        assert!(
                            left <= u8::from(is_reserved),
                            "{} at {}: {left:#x}, {what:?}",
                            byte.structure,
                            byte.at
                        );
                    }
                }
            }
        }
    }
    // Headers of streams and records come first, and what is wrong with those stays.
    let bodies = structures::all().skip_while(|layout| layout.name != "entry header").skip(1);
    let missing: Vec<_> = bodies.filter(|layout| !is_seen(layout, &seen)).map(|layout| layout.name).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Whether what no field of a structure keeps was planted, if it has such bytes.
fn is_seen(layout: &'static Layout, seen: &BTreeSet<(&str, bool)>) -> bool {
    let mut covered = 0;
    layout.fields(layout.size()).all(|placed| {
        let has_gap = placed.offset > covered;
        covered = placed.offset + u64::from(placed.field.width);
        let is_reserved = placed.field.keep == Keep::Never;
        (!has_gap || seen.contains(&(layout.name, false)))
            && (!is_reserved || seen.contains(&(layout.name, true)))
    })
}
