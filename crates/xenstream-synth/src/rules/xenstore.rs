//! The xenstore keys of a device model.

use xenstream_core::wire::libxl::EMULATOR_HEADER;
use xenstream_core::wire::libxl::types::EMULATOR_XENSTORE_DATA;
use xenstream_core::{Limit, Rule};

use super::libxl::{DATA, STATE, longest_so_far, plain};
use crate::body::Body;
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, extra, other};
use crate::item::Part;
use crate::libxl::{QEMU, emulator, record, xenstore_bytes};
use crate::places::{BODY, LENGTH};

const XENSTORE: &str = "EMULATOR_XENSTORE_DATA";

pub(crate) fn cases() -> Vec<Case> {
    [limits(), pairs_in_record()].concat()
}

/// More than a guest needs.
fn limits() -> Vec<Case> {
    let one = plain().with_device_model().replaced(DATA, xenstore_bytes(*b"k\0v\0"));
    let two = || xenstore_bytes(*b"k\0v\0l\0w\0");
    vec![
        other(Rule::LibxlXenstoreLength, "", &one, DATA, two(), LENGTH).limit(Limit::XenstoreBytes, 4),
        other(Rule::LibxlXenstoreCount, "", &one, DATA, two(), BODY + 8 + 4).limit(Limit::XenstorePairs, 1),
        extra(Rule::LibxlXenstoreCount, "second-record", &one, STATE, xenstore_bytes(*b"l\0w\0"))
            .in_record(BODY + 8)
            .limit(Limit::XenstorePairs, 1)
            .note("libxl keeps what it makes of all records"),
    ]
}

fn pairs_in_record() -> Vec<Case> {
    let base = plain().with_device_model();
    // Where the pairs begin in the record.
    let pairs = BODY + 8;
    let case = |rule, variant, bytes: &[u8], at| {
        other(
            rule,
            variant,
            &base,
            DATA,
            emulator(EMULATOR_XENSTORE_DATA, QEMU, Body::new().raw(bytes)),
            pairs + at,
        )
    };
    vec![
        case(Rule::LibxlXenstoreTerminator, "", b"k\0value", 2),
        case(Rule::LibxlXenstoreTerminator, "second-value", b"k\0v\0key\0value", 8),
        case(Rule::LibxlXenstoreTerminator, "key", b"k\0v\0key", 4),
        case(Rule::LibxlXenstorePairs, "", b"k\0v\0key\0", 4),
        case(Rule::LibxlXenstoreKeyEmpty, "", b"k\0v\0\0v\0", 4),
        case(Rule::LibxlXenstoreKeyAbsolute, "", b"k\0v\0/key\0v\0", 4),
        case(Rule::LibxlXenstoreKeyCharset, "", b"k\0v\0k:y\0v\0", 5),
        case(Rule::LibxlXenstoreKeyCharset, "not-ascii", b"k\xC3\xBC\0v\0", 1),
        case(Rule::LibxlXenstoreValueCharset, "", b"k\0v\nx\0", 3),
        case(Rule::LibxlXenstoreValueCharset, "not-ascii", b"k\0\xFF\0", 2),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxlXenstoreLength, XENSTORE, |d| {
        let part = Part::libxl(EMULATOR_XENSTORE_DATA);
        let index = longest_so_far(d, |item| item.part() == part && item.length() > EMULATOR_HEADER)?;
        let limit = d.item(index).length() - EMULATOR_HEADER - 1;
        Some(Fault::in_item(d.stream.clone(), index, LENGTH).limit(Limit::XenstoreBytes, limit))
    }),
    Break::new(Rule::LibxlXenstoreCount, XENSTORE, |d| {
        let index = d.first(Part::libxl(EMULATOR_XENSTORE_DATA))?;
        let first = BODY + EMULATOR_HEADER;
        Some(Fault::in_item(d.stream.clone(), index, first).limit(Limit::XenstorePairs, 0))
    }),
    Break::new(Rule::LibxlXenstoreTerminator, XENSTORE, |d| {
        let (index, mut pairs, _) = pairs(d)?;
        pairs.pop();
        let start = pairs.iter().rposition(|byte| *byte == 0)? + 1;
        // An empty value is nothing but its end: without that, it is the value that is missing.
        if start < pairs.len() { rewritten(d, index, &pairs, start) } else { None }
    }),
    Break::new(Rule::LibxlXenstorePairs, XENSTORE, |d| {
        let (index, mut pairs, _) = pairs(d)?;
        let end = pairs.len();
        pairs.extend(b"key\0");
        rewritten(d, index, &pairs, end)
    }),
    Break::new(Rule::LibxlXenstoreKeyEmpty, XENSTORE, |d| between(d, b"\0value\0", 0)),
    Break::new(Rule::LibxlXenstoreKeyAbsolute, XENSTORE, |d| between(d, b"/key\0value\0", 0)),
    Break::new(Rule::LibxlXenstoreKeyCharset, XENSTORE, |d| between(d, b"k:y\0value\0", 1)),
    Break::new(Rule::LibxlXenstoreKeyCharset, XENSTORE, |d| between(d, b"k\xC3\xBC\0value\0", 1)),
    Break::new(Rule::LibxlXenstoreValueCharset, XENSTORE, |d| between(d, b"key\0va\x7Fue\0", 6)),
];

/// Any EMULATOR_XENSTORE_DATA, its pairs, and where each of them begins.
fn pairs(d: &Draft<'_>) -> Option<(usize, Vec<u8>, Vec<usize>)> {
    let index = d.any_of(Part::libxl(EMULATOR_XENSTORE_DATA))?;
    let item = d.item(index);
    let (from, to) = (BODY + EMULATOR_HEADER, BODY + item.length());
    let pairs = d.bytes(index)[from as usize..to as usize].to_vec();
    let nuls = pairs.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(at, _)| at + 1);
    let starts = [0].into_iter().chain(nuls.skip(1).step_by(2)).collect();
    Some((index, pairs, starts))
}

/// Bytes between two pairs, before the first or after the last, that break a rule at one of them.
fn between(d: &Draft<'_>, bytes: &[u8], at: usize) -> Option<Fault> {
    let (index, mut pairs, starts) = pairs(d)?;
    let start = d.one_of(&starts)?;
    pairs.splice(start..start, bytes.iter().copied());
    rewritten(d, index, &pairs, start + at)
}

/// EMULATOR_XENSTORE_DATA with other pairs, broken at this byte of them.
fn rewritten(d: &Draft<'_>, index: usize, pairs: &[u8], at: usize) -> Option<Fault> {
    let header = Body::new().u32(d.read32(index, BODY)).u32(0);
    let item = record(EMULATOR_XENSTORE_DATA, header.and(Body::new().raw(pairs)));
    d.other(index, item, BODY + EMULATOR_HEADER + at as u64)
}
