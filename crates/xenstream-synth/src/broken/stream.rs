//! The bytes themselves, and how many there are.

use xenstream_core::wire::libxc::types::{CHECKPOINT, END};
use xenstream_core::wire::libxl::types::{CHECKPOINT_END, CHECKPOINT_STATE};
use xenstream_core::wire::{libvirt, xenopsd, xl};
use xenstream_core::{Checkpointing, Format, Layer, Limit, Rule};

use super::{Break, Draft, Fault};
use crate::body::{Body, Field};
use crate::item::{Item, Part};

pub(super) const BREAKS: &[Break] = &[
    Break::new(Rule::StreamUnrecognised, "anything", unrecognised),
    Break::new(Rule::StreamLegacy, "xl, libvirt, xenopsd or a bare libxc stream", legacy),
    Break::new(Rule::StreamTruncated, "anything", truncated),
    Break::new(Rule::StreamFailover, "a checkpoint", failover),
    Break::new(Rule::StreamTrailingData, "anything", |d| {
        let size = d.number(1, 16);
        let body = Body::new().raw(*b"more").zeros(size);
        Some(Fault::at(d.stream.clone().with(Item::new(Part::Loose, body)), d.stream.size(), None))
    }),
    Break::new(Rule::StreamTrailingZeros, "anything", |d| {
        let size = d.number(1, 16);
        let stream = d.stream.clone().with(Item::new(Part::Loose, Body::new().zeros(size)));
        Some(Fault::at(stream, d.stream.size(), None))
    }),
    Break::new(Rule::StreamRecords, "anything", |d| {
        // Entries of HVM_CONTEXT's chain are no records of the stream.
        let index = d.any(|_, item| item.part().record().is_some())?;
        let before = d.stream.items()[..index].iter().filter(|item| item.part().record().is_some()).count();
        Some(Fault::in_item(d.stream.clone(), index, 0).limit(Limit::Records, before as u64))
    }),
    Break::new(Rule::StreamCheckpoints, "a checkpoint", |d| {
        let checkpoint = Part::libxc(CHECKPOINT);
        let index = d.any_of(checkpoint)?;
        let before = d.stream.items()[..index].iter().filter(|item| item.part() == checkpoint).count();
        Some(Fault::in_item(d.stream.clone(), index, 0).limit(Limit::Checkpoints, before as u64))
    }),
    Break::new(Rule::StreamCheckpointSize, "a checkpoint", checkpoint_size),
];

/// What was allowed between two checkpoints is used up by the record before.
fn checkpoint_size(d: &Draft<'_>) -> Option<Fault> {
    let mut sums = Vec::new();
    let mut sum = None;
    for (index, item) in d.stream.items().iter().enumerate() {
        if !matches!(item.part().record(), Some((Layer::Libxc, _))) {
            continue;
        }
        if let Some(bytes) = &mut sum {
            *bytes += item.size();
            sums.push((index, *bytes));
        }
        if item.part() == Part::libxc(CHECKPOINT) {
            sum = Some(0);
        }
    }
    let (_, bytes) = d.one_of(&sums)?;
    let (first, _) = sums.into_iter().find(|(_, other)| *other >= bytes)?;
    Some(Fault::in_item(d.stream.clone(), first, 0).limit(Limit::CheckpointSize, bytes - 1))
}

/// A byte of the magic is another.
fn unrecognised(d: &Draft<'_>) -> Option<Fault> {
    let magic = match d.expected.format {
        Format::Xl => xl::MAGIC.len(),
        Format::Libvirt => libvirt::MAGIC.len(),
        Format::Xenopsd => xenopsd::SIGNATURE.len(),
        _ => 8,
    };
    let at = d.choices.index(magic)?;
    let byte = d.bytes(0)[at] ^ d.number(1, 255) as u8;
    let fault = d.field(0, at as u64, Field::U8(byte))?;
    // Wherever a magic goes wrong, it is the whole of it that is not known.
    Some(fault.found_at(0).told(Format::Auto))
}

fn legacy(d: &Draft<'_>) -> Option<Fault> {
    match d.expected.format {
        Format::Xl => {
            let flags = d.read32(0, xl::at::MANDATORY_FLAGS) & !xl::FLAG_STREAM_V2;
            announced(d, xl::at::MANDATORY_FLAGS, flags)
        }
        Format::Libvirt => announced(d, libvirt::at::VERSION, libvirt::VERSION_LEGACY),
        Format::Xenopsd if d.choices.index(2)? == 0 => {
            d.other(0, Item::new(Part::Xenopsd, Body::new().raw(xenopsd::SIGNATURE_LEGACY)), 0)
        }
        Format::Xenopsd | Format::Libxc => d.field(d.first(Part::Image)?, 0, pfns(d)),
        _ => None,
    }
}

/// A header that announces a legacy image, and a number of pfns where that begins.
fn announced(d: &Draft<'_>, at: u64, value: u32) -> Option<Fault> {
    let payload = d.first(Part::Libxl)?;
    let header = d.item(0).clone().edited(at, Field::U32(value));
    let ident = d.item(payload).clone().edited(0, pfns(d));
    Some(Fault::in_item(d.stream.clone().with_item(0, header).with_item(payload, ident), payload, 0))
}

/// A number of pfns, as a legacy image of a 64-bit toolstack begins.
fn pfns(d: &Draft<'_>) -> Field {
    Field::Bytes(d.number(1, 1 << 20).to_le_bytes().to_vec())
}

/// The input ends before the first checkpoint, or among libxl's records of a later one.
fn truncated(d: &Draft<'_>) -> Option<Fault> {
    let stream = d.stream;
    let ends = |part| {
        let items = stream.items().iter().enumerate().filter(move |(_, item)| item.part() == part);
        items.map(|(index, _)| stream.offset(index + 1))
    };
    let has_libxl = stream.has(Part::Libxl);
    let complete: Vec<u64> =
        ends(if has_libxl { Part::libxl(CHECKPOINT_END) } else { Part::libxc(CHECKPOINT) }).collect();
    let end = match complete.first() {
        None => stream.size(),
        Some(first) => {
            if has_libxl && d.choices.index(2)? == 1 {
                let ranges: Vec<(u64, u64)> = ends(Part::libxc(CHECKPOINT)).zip(complete).collect();
                let (from, to) = d.one_of(&ranges)?;
                return Some(cut(d, from + d.choices.below(to - from)?));
            }
            *first
        }
    };
    Some(cut(d, d.choices.below(end)?))
}

/// The input ends where libxc's records are read, after a checkpoint.
fn failover(d: &Draft<'_>) -> Option<Fault> {
    let stream = d.stream;
    let part = if stream.has(Part::libxl(CHECKPOINT_STATE)) {
        Part::libxl(CHECKPOINT_STATE)
    } else if stream.has(Part::libxl(CHECKPOINT_END)) {
        Part::libxl(CHECKPOINT_END)
    } else {
        Part::libxc(CHECKPOINT)
    };
    let checkpoint = d.any_of(part)?;
    let next = stream.items()[checkpoint + 1..]
        .iter()
        .position(|item| [Part::libxc(CHECKPOINT), Part::libxc(END)].contains(&item.part()))?;
    let (from, to) = (stream.offset(checkpoint + 1), stream.offset(checkpoint + 2 + next));
    let fault = cut(d, from + d.choices.below(to - from)?);
    // A CHECKPOINT_STATE that is torn is libxl's, and only who was told of COLO knows that it has to come.
    Some(if part == Part::libxl(CHECKPOINT_STATE) { fault.checkpointing(Checkpointing::Colo) } else { fault })
}

fn cut(d: &Draft<'_>, bytes: u64) -> Fault {
    let stream = d.stream.clone().cut(bytes);
    let record = stream.torn_record().filter(|record| record.layer != Layer::Hvm);
    // Without being told the format, a torn magic is none.
    Fault::at(stream, bytes, record)
}
