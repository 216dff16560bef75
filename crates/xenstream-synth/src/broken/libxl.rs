//! The libxl stream.

use xenstream_core::wire::Order;
use xenstream_core::wire::libxl::types::{
    CHECKPOINT_END, CHECKPOINT_STATE, EMULATOR_CONTEXT, EMULATOR_XENSTORE_DATA, END, KNOWN, LIBXC_CONTEXT,
    OPTIONAL,
};
use xenstream_core::wire::libxl::{
    CHECKPOINT_STATE_MAX, EMULATOR_HEADER, EMULATOR_ID_MAX, EMULATOR_TRADITIONAL, at,
};
use xenstream_core::wire::qemu;
use xenstream_core::{Checkpointing, Guest, Layer, Limit, Rule};

use super::{BODY, Break, Draft, Fault, LENGTH};
use crate::body::{Body, Field};
use crate::item::{Item, Part};
use crate::libxl::{checkpoint_end, checkpoint_state, emulator_context, end, libxc_context, record};

const LIBXL: &str = "a libxl stream";
const HVM: &str = "a libxl stream of an HVM guest";
const EMULATOR: &str = "a device model's records";
const XENSTORE: &str = "EMULATOR_XENSTORE_DATA";
const CHECKPOINTS: &str = "a checkpoint in a libxl stream";
const COLO: &str = "a COLO stream";

const LAST: Part = Part::libxl(END);
const CONTEXT: Part = Part::libxl(LIBXC_CONTEXT);
const DONE: Part = Part::libxl(CHECKPOINT_END);
const STATE: Part = Part::libxl(CHECKPOINT_STATE);

pub(super) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxlIdent, LIBXL, |d| {
        let header = d.first(Part::Libxl)?;
        let at = d.number(0, 8);
        let byte = d.bytes(header)[at as usize] ^ d.number(1, 255) as u8;
        Some(d.field(header, at, Field::U8(byte))?.found_at(d.stream.offset(header)))
    }),
    Break::new(Rule::LibxlVersion, LIBXL, |d| {
        let version = d.one_of(&[0, 1, 3, u32::MAX])?;
        d.field(d.first(Part::Libxl)?, at::VERSION, Field::U32(version))
    }),
    Break::new(Rule::LibxlOptionsReserved, LIBXL, |d| {
        let header = d.first(Part::Libxl)?;
        let options = d.read32(header, at::OPTIONS) | 1 << d.number(2, 30);
        d.field(header, at::OPTIONS, Field::U32(options))
    }),
    Break::new(Rule::LibxlBigEndian, LIBXL, |d| {
        let header = d.first(Part::Libxl)?;
        Some(Fault::in_item(d.stream.clone().with_libxl_order(Order::Big), header, at::OPTIONS))
    }),
    Break::new(Rule::LibxlRecordType, LIBXL, |d| {
        let kind = d.one_of(&[KNOWN, KNOWN + 1, 0x1000, OPTIONAL - 1])?;
        unknown(d, kind)
    }),
    Break::new(Rule::LibxlRecordOptional, LIBXL, |d| {
        let kind = d.one_of(&[OPTIONAL, OPTIONAL | 5, u32::MAX])?;
        unknown(d, kind)
    }),
    Break::new(Rule::LibxlRecordLength, "a libxl record with a body", |d| {
        let index =
            longest_so_far(d, |item| item.part().record().is_some_and(|(layer, _)| layer == Layer::Libxl))?;
        let limit = d.item(index).length() - 1;
        Some(Fault::in_item(d.stream.clone(), index, LENGTH).limit(Limit::LibxlRecord, limit))
    }),
    Break::new(Rule::LibxlPadding, "a libxl record with padding", |d| super::libxc::padding(d, Layer::Libxl)),
    Break::new(Rule::LibxlEndLength, LIBXL, |d| longer(d, END)),
    Break::new(Rule::LibxlLibxcContextLength, LIBXL, |d| longer(d, LIBXC_CONTEXT)),
    Break::new(Rule::LibxlCheckpointEndLength, CHECKPOINTS, |d| longer(d, CHECKPOINT_END)),
    Break::new(Rule::LibxlLibxcContextMissing, LIBXL, |d| d.extra(d.first(CONTEXT)?, end(), 0)),
    Break::new(Rule::LibxlLibxcContextRepeated, LIBXL, |d| d.extra(d.last(LAST)?, libxc_context(), 0)),
    Break::new(Rule::LibxlLibxcContextLate, LIBXL, |d| {
        let context = d.first(CONTEXT)?;
        let stream = d.stream.clone().inserted(context, emulator_context(d.number(qemu::MIN, 64)));
        Some(Fault::in_item(stream, context + 1, 0))
    }),
    Break::new(Rule::LibxlEmulatorHeader, HVM, |d| {
        d.guest(Guest::Hvm)?;
        let kind = d.one_of(&[EMULATOR_XENSTORE_DATA, EMULATOR_CONTEXT])?;
        let body = Body::new().zeros(d.number(0, EMULATOR_HEADER));
        d.extra(d.last(LAST)?, record(kind, body), LENGTH)
    }),
    Break::new(Rule::LibxlEmulatorLength, "EMULATOR_CONTEXT with a state", |d| {
        let part = Part::libxl(EMULATOR_CONTEXT);
        let index = longest_so_far(d, |item| item.part() == part && item.length() > EMULATOR_HEADER)?;
        let limit = d.item(index).length() - EMULATOR_HEADER - 1;
        Some(Fault::in_item(d.stream.clone(), index, LENGTH).limit(Limit::EmulatorContext, limit))
    }),
    Break::new(Rule::LibxlEmulatorId, EMULATOR, |d| {
        let index = d.any(|_, item| {
            [EMULATOR_CONTEXT, EMULATOR_XENSTORE_DATA].map(Part::libxl).contains(&item.part())
        })?;
        let id = d.one_of(&[EMULATOR_ID_MAX + 1, 0x100, u32::MAX])?;
        d.field(index, BODY, Field::U32(id))
    }),
    Break::new(Rule::LibxlEmulatorTraditional, HVM, |d| {
        d.guest(Guest::Hvm)?;
        let item = emulator_context(d.number(qemu::MIN, 64)).edited(BODY, Field::U32(EMULATOR_TRADITIONAL));
        d.extra(d.last(LAST)?, item, BODY)
    }),
    Break::new(Rule::LibxlEmulatorGuest, "a libxl stream of a PV guest", |d| {
        d.guest(Guest::Pv)?;
        d.extra(d.last(LAST)?, emulator_context(d.number(qemu::MIN, 64)), 0)
    }),
    Break::new(Rule::LibxlEmulatorMissing, "a libxl stream of an HVM guest with devices", |d| {
        d.libxl()?;
        d.stream.has_devices().then_some(())?;
        let gone = |index| d.item(index).part() == Part::libxl(EMULATOR_CONTEXT);
        d.without(gone, |part| part == DONE || part == LAST)
    }),
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
        // Of an empty value nothing is left without its end: then it is the value that is missing.
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
    Break::new(Rule::LibxlCheckpointEndUnexpected, LIBXL, |d| d.extra(d.last(LAST)?, checkpoint_end(), 0)),
    Break::new(Rule::LibxlEndInCheckpoint, CHECKPOINTS, |d| d.extra(d.any_of(DONE)?, end(), 0)),
    Break::new(Rule::LibxlLibxcContextInCheckpoint, CHECKPOINTS, |d| {
        d.extra(d.any_of(DONE)?, libxc_context(), 0)
    }),
    Break::new(Rule::LibxlCheckpointStateLength, COLO, |d| {
        let body = Body::new().zeros(d.number(0, 4));
        d.other(d.any_of(STATE)?, record(CHECKPOINT_STATE, body), LENGTH)
    }),
    Break::new(Rule::LibxlCheckpointStateUnexpected, LIBXL, |d| {
        d.extra(d.last(LAST)?, checkpoint_state(0), 0)
    }),
    Break::new(Rule::LibxlCheckpointStateUnexpected, CHECKPOINTS, |d| {
        d.extra(d.any_of(DONE)?, checkpoint_state(0), 0)
    }),
    Break::new(Rule::LibxlCheckpointStateId, COLO, |d| {
        let id = d.one_of(&[CHECKPOINT_STATE_MAX + 1, 0x100, u32::MAX])?;
        d.field(d.any_of(STATE)?, BODY, Field::U32(id))
    }),
    Break::new(Rule::LibxlCheckpointStateMissing, COLO, |d| {
        let fault = d.other(d.any_of(STATE)?, checkpoint_end(), 0)?;
        Some(fault.checkpointing(Checkpointing::Colo))
    }),
];

/// A record of an unknown type. After CHECKPOINT_END it could be taken for one of libxc.
fn unknown(d: &Draft<'_>, kind: u32) -> Option<Fault> {
    d.libxl()?;
    let index = d.any(|_, item| {
        item.part().record().is_some_and(|(layer, _)| layer == Layer::Libxl) && item.part() != STATE
    })?;
    let body = Body::new().zeros(d.number(0, 16));
    d.extra(index, record(kind, body), 0)
}

/// A record that should be empty and is not.
fn longer(d: &Draft<'_>, kind: u32) -> Option<Fault> {
    let body = Body::new().zeros(d.number(1, 16));
    d.other(d.any_of(Part::libxl(kind))?, record(kind, body), LENGTH)
}

/// Any of these items that is longer than all of them before it: a limit below its length is first broken there.
fn longest_so_far(d: &Draft<'_>, wanted: impl Fn(&Item) -> bool) -> Option<usize> {
    let mut longest = 0;
    let mut records = Vec::new();
    for (index, item) in d.stream.items().iter().enumerate().filter(|(_, item)| wanted(item)) {
        if item.length() > longest {
            longest = item.length();
            records.push(index);
        }
    }
    d.one_of(&records)
}

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
