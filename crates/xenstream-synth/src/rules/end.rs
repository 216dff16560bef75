//! Where the input ends, what follows the stream, and how much of it there may be.

use xenstream_core::wire::libxc::types::{CHECKPOINT, END, HVM_CONTEXT, HVM_PARAMS, PAGE_DATA};
use xenstream_core::wire::libxl::types::{CHECKPOINT_END, CHECKPOINT_STATE};
use xenstream_core::wire::{libxl, xenopsd};
use xenstream_core::{Checkpointing, Layer, Limit, RecordRef, Rule};

use crate::body::Body;
use crate::broken::needs::ANY;
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, second_context, with_second};
use crate::item::{Item, Part};
use crate::minimal::{self, Kind};
use crate::places::{BODY, LENGTH};
use crate::stream::Stream;

pub(crate) fn cases() -> Vec<Case> {
    [truncated(), failover(), trailing(), limits()].concat()
}

/// Every place at which an input can end too early. The offset is the number of bytes, whatever was being read.
fn truncated() -> Vec<Case> {
    let rule = Rule::StreamTruncated;
    let bare = minimal::hvm();
    let libxl = minimal::hvm().in_libxl();
    let (xl, libvirt, xenopsd) =
        (libxl.clone().in_xl(), libxl.clone().in_libvirt(), minimal::hvm().in_xenopsd());
    let emulated = libxl.clone().with_device_model();
    let image = bare.find(Part::Image);
    let [pages, context, end] = [PAGE_DATA, HVM_CONTEXT, END].map(|kind| bare.find(Part::libxc(kind)));
    let libxl_end = Part::libxl(libxl::types::END);
    let state = Part::libxl(libxl::types::EMULATOR_CONTEXT);
    let metadata = Part::xenopsd(xenopsd::types::XENOPS);
    let remus = minimal::checkpointed(Kind::Remus, 1);
    let (checkpoint, verdict) =
        (remus.find(Part::libxc(CHECKPOINT)), remus.find(Part::libxl(CHECKPOINT_END)));
    let colo = minimal::checkpointed(Kind::Colo, 1);
    let colo_state = colo.find(Part::libxl(CHECKPOINT_STATE));
    // Checkpoints of a first libxc stream are none of the second one's.
    let second = with_second(&remus, &bare);
    let second_end = second.nth(Part::libxc(END), 1);
    vec![
        // In headers, which are no records.
        cut(rule, "xl-magic", &xl, 24),
        cut(rule, "xl-header", &xl, 44),
        cut(rule, "xl-data", &xl, 60),
        cut(rule, "libvirt-header", &libvirt, 63),
        cut(rule, "libvirt-xml", &libvirt, 65),
        cut(rule, "libxl-header", &libxl, 15),
        cut(rule, "empty", &bare, 0),
        cut(rule, "image-header", &bare, bare.offset(image) + 20),
        cut(rule, "domain-header", &bare, bare.offset(image + 1) + 1),
        // Between records: the next one is missing.
        cut(rule, "", &bare, bare.offset(end)).record(torn(&bare, end)),
        cut(rule, "libxl-end", &libxl, libxl.offset(libxl.find(libxl_end)))
            .record(torn(&libxl, libxl.find(libxl_end))),
        // In records.
        cut(rule, "record-header", &bare, bare.offset(pages) + LENGTH).record(torn(&bare, pages)),
        cut(rule, "page-data", &bare, bare.offset(pages) + BODY + 12).record(bare.record(pages)),
        cut(rule, "hvm-context", &bare, bare.offset(context) + BODY + 30).record(bare.record(context)),
        cut(rule, "padding", &emulated, emulated.offset(emulated.find(libxl_end)) - 1)
            .record(emulated.record(emulated.find(state))),
        cut(rule, "xenopsd-header", &xenopsd, 15 + 8).record(torn(&xenopsd, xenopsd.find(metadata))),
        cut(rule, "xenopsd-blob", &xenopsd, 15 + 16 + 3).record(xenopsd.record(xenopsd.find(metadata))),
        // The restorer falls back to no checkpoint here: there is none, or it hangs among libxl's records.
        cut(rule, "first-checkpoint", &remus, remus.offset(checkpoint)).record(torn(&remus, checkpoint)),
        cut(rule, "in-checkpoint", &remus, remus.offset(verdict)).record(torn(&remus, verdict)),
        cut(rule, "second-stream", &second, second.offset(second_end))
            .record(torn(&second, second_end))
            .after_second_context(second_context(&second)),
        cut(rule, "colo-state", &colo, colo.offset(colo_state))
            .record(torn(&colo, colo_state))
            .checkpointing(Checkpointing::Colo),
    ]
}

/// How a checkpointed stream ends when its primary dies.
fn failover() -> Vec<Case> {
    let rule = Rule::StreamFailover;
    let libxl = minimal::checkpointed(Kind::Remus, 1);
    let next = libxl.find(Part::libxl(CHECKPOINT_END)) + 1;
    let bare = minimal::bare_checkpointed(1);
    let after = bare.find(Part::libxc(CHECKPOINT)) + 1;
    let colo = minimal::checkpointed(Kind::Colo, 1);
    let resumed = colo.find(Part::libxl(CHECKPOINT_STATE)) + 1;
    vec![
        cut(rule, "", &libxl, libxl.offset(next)).record(torn(&libxl, next)),
        cut(rule, "torn", &libxl, libxl.offset(next) + BODY).record(libxl.record(next)),
        cut(rule, "bare", &bare, bare.offset(after))
            .record(torn(&bare, after))
            .checkpointing(Checkpointing::Remus),
        cut(rule, "colo", &colo, colo.offset(resumed))
            .record(torn(&colo, resumed))
            .checkpointing(Checkpointing::Colo),
    ]
}

fn trailing() -> Vec<Case> {
    let (bare, xl) = (minimal::hvm(), minimal::hvm().in_libxl().in_xl());
    let case = |rule, variant, base: &Stream, after: Body| {
        let broken = base.clone().with(Item::new(Part::Loose, after));
        Case::of(rule, variant, &broken, base)
            .at(base.size())
            .note("a finding in a regular file only: a live stream may go on")
    };
    let (more, zeros) = (|| Body::new().raw(*b"more"), || Body::new().zeros(512));
    vec![
        case(Rule::StreamTrailingData, "", &bare, more()),
        case(Rule::StreamTrailingData, "xl", &xl, more()),
        case(Rule::StreamTrailingData, "zeros-first", &bare, zeros().raw(*b"more")),
        case(Rule::StreamTrailingZeros, "", &bare, zeros()),
        case(Rule::StreamTrailingZeros, "xl", &xl, zeros()),
    ]
}

fn limits() -> Vec<Case> {
    let bare = minimal::hvm();
    let end = bare.find(Part::libxc(END));
    let short = bare.clone().without(Part::libxc(HVM_PARAMS));
    let (two, one) = (minimal::checkpointed(Kind::Remus, 2), minimal::checkpointed(Kind::Remus, 1));
    let second = two.nth(Part::libxc(CHECKPOINT), 1);
    // What comes after the only checkpoint, without libxl's records.
    let last = one.find(Part::libxc(END));
    let after = one.offset(last) - one.offset(one.find(Part::libxl(CHECKPOINT_END)) + 1);
    let params = one.nth(Part::libxc(HVM_PARAMS), 1);
    let shorter = one.items().iter().enumerate().filter(|(index, _)| *index != params);
    let shorter = Stream::new(one.format(), shorter.map(|(_, item)| item.clone()));
    vec![
        Case::of(Rule::StreamRecords, "", &bare, &short)
            .in_item(&bare, end, 0)
            .limit(Limit::Records, 4)
            .neighbour_warns(&[Rule::LibxcHvmParamsStore, Rule::LibxcHvmParamsConsole]),
        Case::of(Rule::StreamCheckpoints, "", &two, &one)
            .in_item(&two, second, 0)
            .limit(Limit::Checkpoints, 1),
        Case::of(Rule::StreamCheckpointSize, "", &one, &shorter)
            .in_item(&one, last, 0)
            .limit(Limit::CheckpointSize, after),
    ]
}

/// The first bytes of a stream.
pub(super) fn cut(rule: Rule, variant: &'static str, whole: &Stream, bytes: u64) -> Case {
    let mut case = Case::of(rule, variant, whole, whole).at(bytes);
    case.stream.truncate(bytes as usize);
    case
}

/// A record whose header is not complete: its type is not known.
fn torn(stream: &Stream, index: usize) -> Option<RecordRef> {
    stream.record(index).map(|record| RecordRef { kind: None, ..record })
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::StreamTruncated, ANY, break_truncated),
    Break::new(Rule::StreamFailover, "a checkpoint", break_failover),
    Break::new(Rule::StreamTrailingData, ANY, |d| {
        let size = d.number(1, 16);
        let body = Body::new().raw(*b"more").zeros(size);
        Some(Fault::at(d.stream.clone().with(Item::new(Part::Loose, body)), d.stream.size(), None))
    }),
    Break::new(Rule::StreamTrailingZeros, ANY, |d| {
        let size = d.number(1, 16);
        let stream = d.stream.clone().with(Item::new(Part::Loose, Body::new().zeros(size)));
        Some(Fault::at(stream, d.stream.size(), None))
    }),
    Break::new(Rule::StreamRecords, ANY, |d| {
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

/// The input ends before the first checkpoint, or among libxl's records of a later one.
fn break_truncated(d: &Draft<'_>) -> Option<Fault> {
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
                return Some(break_cut(d, from + d.choices.below(to - from)?));
            }
            *first
        }
    };
    Some(break_cut(d, d.choices.below(end)?))
}

/// The input ends where libxc's records are read, after a checkpoint.
fn break_failover(d: &Draft<'_>) -> Option<Fault> {
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
    let fault = break_cut(d, from + d.choices.below(to - from)?);
    // A CHECKPOINT_STATE that is torn is libxl's, and only who was told of COLO knows that it has to come.
    Some(if part == Part::libxl(CHECKPOINT_STATE) { fault.checkpointing(Checkpointing::Colo) } else { fault })
}

fn break_cut(d: &Draft<'_>, bytes: u64) -> Fault {
    let stream = d.stream.clone().cut(bytes);
    let record = stream.torn_record().filter(|record| record.layer != Layer::Hvm);
    // Without being told the format, a torn magic is none.
    Fault::at(stream, bytes, record)
}
