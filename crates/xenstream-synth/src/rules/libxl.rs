//! The libxl stream.

use xenstream_core::wire::libxc::types::{PAGE_DATA, X86_PV_VCPU_EXTENDED};
use xenstream_core::wire::libxl::types::{
    CHECKPOINT_END, CHECKPOINT_STATE, EMULATOR_CONTEXT, EMULATOR_XENSTORE_DATA, END, KNOWN, LIBXC_CONTEXT,
    OPTIONAL,
};
use xenstream_core::wire::libxl::{
    CHECKPOINT_STATE_MAX, EMULATOR_HEADER, EMULATOR_ID_MAX, EMULATOR_TRADITIONAL, at,
};
use xenstream_core::wire::{Order, qemu};
use xenstream_core::{Checkpointing, Format, Guest, Layer, Limit, Profile, RecordRef, Rule};

use super::libxc::padding;
use crate::body::{Body, Field};
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, either, extra, field, missing, other};
use crate::item::{Item, Part};
use crate::libxl::{
    self, QEMU, checkpoint_end, checkpoint_state, emulator_context, end, libxc_context, record,
    xenstore_bytes,
};
use crate::places::{BODY, LENGTH};
use crate::stream::Stream;
use crate::valid::{self, Kind, Machine};
use crate::{libxc, minimal};

pub(super) const DATA: Part = Part::libxl(EMULATOR_XENSTORE_DATA);
pub(super) const STATE: Part = Part::libxl(EMULATOR_CONTEXT);
const LAST: Part = Part::libxl(END);
const DONE: Part = Part::libxl(CHECKPOINT_END);
const COLO_STATE: Part = Part::libxl(CHECKPOINT_STATE);
const LIBXL: &str = "a libxl stream";
const HVM: &str = "a libxl stream of an HVM guest";
const EMULATOR: &str = "a device model's records";
const CHECKPOINTS: &str = "a checkpoint in a libxl stream";
const COLO: &str = "a COLO stream";
const CONTEXT: Part = Part::libxl(LIBXC_CONTEXT);

pub(crate) fn cases() -> Vec<Case> {
    [header(), records(), context(), emulators(), emulator_guest(), emulator_missing()].concat()
}

/// Checkpoints, whose cases come after those of xenstore.
pub(crate) fn checkpoints() -> Vec<Case> {
    [checkpoint_ends(), inside(), state()].concat()
}

pub(super) fn plain() -> Stream {
    minimal::hvm().in_libxl()
}

fn header() -> Vec<Case> {
    let base = plain();
    let options = |variant, bits| {
        field(Rule::LibxlOptionsReserved, variant, &base, Part::Libxl, at::OPTIONS, Field::U32(bits))
    };
    let big = base.clone().with_libxl_order(Order::Big);
    let wrapped = plain().in_xl();
    let start = wrapped.offset(wrapped.find(Part::Libxl));
    vec![
        field(Rule::LibxlIdent, "", &base, Part::Libxl, 7, Field::U8(b'T')).at(0),
        field(Rule::LibxlIdent, "in-xl", &wrapped, Part::Libxl, 7, Field::U8(b'T')).at(start),
        field(Rule::LibxlVersion, "", &base, Part::Libxl, at::VERSION, Field::U32(1)),
        field(Rule::LibxlVersion, "newer", &base, Part::Libxl, at::VERSION, Field::U32(3)),
        options("", 1 << 2),
        options("highest", 1 << 31).note("Xen's own verifier masks 16 bits only and lets this pass"),
        Case::of(Rule::LibxlBigEndian, "", &big, &base).at(at::OPTIONS),
    ]
}

fn records() -> Vec<Case> {
    let base = plain();
    let emulated = plain().with_device_model();
    let claims = |rule, part, item| other(rule, "", &base, part, item, LENGTH);
    let unknown = |rule, variant, kind| extra(rule, variant, &base, LAST, record(kind, Body::new()));
    vec![
        unknown(Rule::LibxlRecordType, "", KNOWN),
        unknown(Rule::LibxlRecordType, "highest", OPTIONAL - 1),
        unknown(Rule::LibxlRecordOptional, "", OPTIONAL),
        either(
            Rule::LibxlRecordLength,
            "",
            &base,
            LAST,
            [emulator_context(25), emulator_context(24)],
            LENGTH,
        )
        .limit(Limit::LibxlRecord, 32),
        other(
            Rule::LibxlPadding,
            "",
            &emulated,
            DATA,
            xenstore_bytes(*b"k\0v\0").padded_with(*b"\0\x01\0\0"),
            0,
        )
        .at(emulated.offset(emulated.find(DATA)) + BODY + 8 + 4 + 1),
        claims(Rule::LibxlEndLength, LAST, record(END, Body::new().zeros(8))),
        claims(
            Rule::LibxlLibxcContextLength,
            Part::libxl(LIBXC_CONTEXT),
            record(LIBXC_CONTEXT, Body::new().zeros(8)),
        ),
    ]
}

/// Where LIBXC_CONTEXT stands.
fn context() -> Vec<Case> {
    let empty = Stream::new(Format::Libxl, [libxl::header(), end()]);
    let domain = minimal::hvm();
    let twice = domain
        .items()
        .iter()
        .fold(plain().before(LAST, libxc_context()), |stream, item| stream.before(LAST, item.clone()));
    let second = twice.nth(Part::libxl(LIBXC_CONTEXT), 1);
    let late = plain().before(Part::libxl(LIBXC_CONTEXT), emulator_context(24));
    let timely = plain().before(LAST, emulator_context(24));
    vec![
        Case::of(Rule::LibxlLibxcContextMissing, "", &empty, &plain()).in_item(&empty, empty.find(LAST), 0),
        Case::of(Rule::LibxlLibxcContextRepeated, "", &twice, &plain()).in_item(&twice, second, 0),
        Case::of(Rule::LibxlLibxcContextLate, "", &late, &timely).in_item(
            &late,
            late.find(Part::libxl(LIBXC_CONTEXT)),
            0,
        ),
    ]
}

fn emulators() -> Vec<Case> {
    let base = plain().with_device_model();
    let header = |variant, part, kind, size| {
        other(Rule::LibxlEmulatorHeader, variant, &base, part, record(kind, Body::new().zeros(size)), LENGTH)
    };
    vec![
        header("", STATE, EMULATOR_CONTEXT, 7),
        header("empty", STATE, EMULATOR_CONTEXT, 0),
        header("xenstore", DATA, EMULATOR_XENSTORE_DATA, 4),
        either(
            Rule::LibxlEmulatorLength,
            "",
            &plain(),
            LAST,
            [emulator_context(25), emulator_context(24)],
            LENGTH,
        )
        .limit(Limit::EmulatorContext, 24),
        field(Rule::LibxlEmulatorId, "", &base, STATE, BODY, Field::U32(QEMU + 1)),
        field(Rule::LibxlEmulatorId, "xenstore", &base, DATA, BODY, Field::U32(u32::MAX)),
        field(Rule::LibxlEmulatorTraditional, "", &base, STATE, BODY, Field::U32(EMULATOR_TRADITIONAL)),
    ]
}

/// Emulator records of a PV domain. What a record ahead of LIBXC_CONTEXT belongs to is known only once the domain
/// header has passed, but it is that record which is at fault.
fn emulator_guest() -> Vec<Case> {
    let rule = Rule::LibxlEmulatorGuest;
    let (pv, hvm) = (minimal::pv32().in_libxl(), plain());
    let case = |variant, before: Part, item: Item| {
        let neighbour = hvm.clone().before(before, item.clone());
        extra(rule, variant, &pv, before, item).beside(&neighbour).note("the neighbour is an HVM domain")
    };
    let context = Part::libxl(LIBXC_CONTEXT);
    vec![
        case("", LAST, emulator_context(24)),
        case("xenstore", LAST, xenstore_bytes(*b"k\0v\0")),
        case("ahead", context, emulator_context(24))
            .warnings(Profile::Spec, &[Rule::LibxlLibxcContextLate, rule])
            .warnings(Profile::Restore, &[Rule::LibxlLibxcContextLate])
            .refused_by(Profile::Hardened, Rule::LibxlLibxcContextLate, 16 + 40)
            .neighbour_warns(&[Rule::LibxlLibxcContextLate]),
    ]
}

/// A guest with emulated devices whose state is not there, and a checkpoint of one.
fn emulator_missing() -> Vec<Case> {
    let rule = Rule::LibxlEmulatorMissing;
    let whole = valid::hvm().in_libxl().with_device_model();
    let remus = valid::checkpointed(Machine::Hvm, Kind::Remus, 2);
    let second = remus.nth(STATE, 1);
    let items = remus.items().iter().enumerate().filter(|(index, _)| *index != second);
    let broken = Stream::new(Format::Libxl, items.map(|(_, item)| item.clone()));
    let end = broken.nth(Part::libxl(CHECKPOINT_END), 1);
    vec![
        missing(rule, "", &whole, STATE, LAST),
        Case::of(rule, "checkpoint", &broken, &remus).in_item(&broken, end, 0),
    ]
}

fn remus() -> Stream {
    minimal::checkpointed(Kind::Remus, 1)
}

fn colo() -> Stream {
    minimal::checkpointed(Kind::Colo, 1)
}

fn checkpoint_ends() -> Vec<Case> {
    let plain = minimal::hvm().in_libxl();
    vec![
        extra(Rule::LibxlCheckpointEndUnexpected, "", &plain, Part::libxl(END), checkpoint_end()),
        other(
            Rule::LibxlCheckpointEndLength,
            "",
            &remus(),
            DONE,
            record(CHECKPOINT_END, Body::new().zeros(8)),
            LENGTH,
        ),
    ]
}

/// Records that do not belong between CHECKPOINT and CHECKPOINT_END: the restorer aborts on them.
fn inside() -> Vec<Case> {
    let case = |rule, item: Item| extra(rule, "", &remus(), DONE, item);
    vec![case(Rule::LibxlEndInCheckpoint, end()), case(Rule::LibxlLibxcContextInCheckpoint, libxc_context())]
}

fn state() -> Vec<Case> {
    let plain = minimal::hvm().in_libxl();
    let as_colo = |case: Case| case.checkpointing(Checkpointing::Colo);
    let id =
        |variant, n| field(Rule::LibxlCheckpointStateId, variant, &colo(), COLO_STATE, BODY, Field::U32(n));
    let again = colo().without(COLO_STATE).after(DONE, checkpoint_end());
    vec![
        as_colo(other(
            Rule::LibxlCheckpointStateLength,
            "",
            &colo(),
            COLO_STATE,
            record(CHECKPOINT_STATE, Body::new()),
            LENGTH,
        ))
        .note("the restorer crashes on it"),
        other(
            Rule::LibxlCheckpointStateLength,
            "recognised",
            &colo(),
            COLO_STATE,
            record(CHECKPOINT_STATE, Body::new().zeros(3)),
            LENGTH,
        )
        .note("without being reported, a type 5 after CHECKPOINT_END says that the stream is COLO's"),
        extra(Rule::LibxlCheckpointStateUnexpected, "", &plain, Part::libxl(END), checkpoint_state(0)),
        extra(Rule::LibxlCheckpointStateUnexpected, "early", &remus(), DONE, checkpoint_state(0)),
        as_colo(id("", CHECKPOINT_STATE_MAX + 1)),
        as_colo(id("not-new", 1))
            .silent(Profile::Spec)
            .note("1 to 3 are in the specification, but a primary sends nothing but 0"),
        as_colo(Case::of(Rule::LibxlCheckpointStateMissing, "", &again, &colo()).in_item(
            &again,
            again.nth(DONE, 1),
            0,
        )),
        without_second_state(),
        without_first_state(),
    ]
}

/// No CHECKPOINT_STATE came after the first CHECKPOINT_END, so the stream is Remus's, and a type 5 after the second
/// one is libxc's: a record of a PV guest.
fn without_first_state() -> Case {
    let two = minimal::checkpointed(Kind::Remus, 2);
    let index = two.nth(DONE, 1) + 1;
    let body = Body::new().zeros(4);
    let broken = two.clone().inserted(index, libxc::record(X86_PV_VCPU_EXTENDED, body));
    Case::of(Rule::LibxcRecordGuest, "late-colo", &broken, &two).in_item(&broken, index, 0)
}

/// The first CHECKPOINT_STATE says that the stream is COLO's; where the second one should be, libxc goes on. Its
/// PAGE_DATA is read as a record of libxl, among which type 1 is LIBXC_CONTEXT.
fn without_second_state() -> Case {
    let two = minimal::checkpointed(Kind::Colo, 2);
    let second = two.nth(COLO_STATE, 1);
    let record = two.record(second).map(|record| RecordRef { kind: Some(u64::from(PAGE_DATA)), ..record });
    let items = two.items().iter().enumerate().filter(|(index, _)| *index != second);
    let broken = Stream::new(two.format(), items.map(|(_, item)| item.clone()));
    Case::of(Rule::LibxlCheckpointStateMissing, "recognised", &broken, &two)
        .at(broken.offset(second))
        .record(record)
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxlIdent, LIBXL, |d| {
        let header = d.first(Part::Libxl)?;
        let at = d.number(0, 8);
        let byte = d.bytes(header)[at as usize] ^ d.number(1, 255) as u8;
        Some(d.field(header, at, Field::U8(byte))?.found_at(d.stream.offset(header)))
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
    Break::new(Rule::LibxlPadding, "a libxl record with padding", |d| padding(d, Layer::Libxl)),
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
    Break::new(Rule::LibxlCheckpointEndUnexpected, LIBXL, |d| d.extra(d.last(LAST)?, checkpoint_end(), 0)),
    Break::new(Rule::LibxlEndInCheckpoint, CHECKPOINTS, |d| d.extra(d.any_of(DONE)?, end(), 0)),
    Break::new(Rule::LibxlLibxcContextInCheckpoint, CHECKPOINTS, |d| {
        d.extra(d.any_of(DONE)?, libxc_context(), 0)
    }),
    Break::new(Rule::LibxlCheckpointStateLength, COLO, |d| {
        let body = Body::new().zeros(d.number(0, 4));
        d.other(d.any_of(COLO_STATE)?, record(CHECKPOINT_STATE, body), LENGTH)
    }),
    Break::new(Rule::LibxlCheckpointStateUnexpected, LIBXL, |d| {
        d.extra(d.last(LAST)?, checkpoint_state(0), 0)
    }),
    Break::new(Rule::LibxlCheckpointStateUnexpected, CHECKPOINTS, |d| {
        d.extra(d.any_of(DONE)?, checkpoint_state(0), 0)
    }),
    Break::new(Rule::LibxlCheckpointStateId, COLO, |d| {
        let id = d.one_of(&[CHECKPOINT_STATE_MAX + 1, 0x100, u32::MAX])?;
        d.field(d.any_of(COLO_STATE)?, BODY, Field::U32(id))
    }),
    Break::new(Rule::LibxlCheckpointStateMissing, COLO, |d| {
        let fault = d.other(d.any_of(COLO_STATE)?, checkpoint_end(), 0)?;
        Some(fault.checkpointing(Checkpointing::Colo))
    }),
];

/// A record of an unknown type. After CHECKPOINT_END it could be taken for one of libxc.
fn unknown(d: &Draft<'_>, kind: u32) -> Option<Fault> {
    d.libxl()?;
    let index = d.any(|_, item| {
        item.part().record().is_some_and(|(layer, _)| layer == Layer::Libxl) && item.part() != COLO_STATE
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
pub(super) fn longest_so_far(d: &Draft<'_>, wanted: impl Fn(&Item) -> bool) -> Option<usize> {
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
