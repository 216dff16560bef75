//! The libxl stream, but for checkpoints.

use xenstream_core::wire::Order;
use xenstream_core::wire::libxl::types::{
    CHECKPOINT_END, EMULATOR_CONTEXT, EMULATOR_XENSTORE_DATA, END, KNOWN, LIBXC_CONTEXT, OPTIONAL,
};
use xenstream_core::wire::libxl::{EMULATOR_TRADITIONAL, at};
use xenstream_core::{Format, Limit, Profile, Rule};

use super::{BODY, Case, LENGTH, either, extra, field, missing, other};
use crate::body::{Body, Field};
use crate::item::{Item, Part};
use crate::libxl::{self, QEMU, emulator, emulator_context, record, xenstore_bytes};
use crate::minimal;
use crate::stream::Stream;
use crate::valid::{self, Kind, Machine};

const DATA: Part = Part::libxl(EMULATOR_XENSTORE_DATA);
const STATE: Part = Part::libxl(EMULATOR_CONTEXT);
const LAST: Part = Part::libxl(END);

pub(super) fn cases() -> Vec<Case> {
    [
        header(),
        records(),
        context(),
        emulators(),
        emulator_guest(),
        emulator_missing(),
        xenstore_limits(),
        xenstore(),
    ]
    .concat()
}

fn plain() -> Stream {
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
    let empty = Stream::new(Format::Libxl, [libxl::header(), libxl::end()]);
    let domain = minimal::hvm();
    let twice = domain
        .items()
        .iter()
        .fold(plain().before(LAST, libxl::libxc_context()), |stream, item| stream.before(LAST, item.clone()));
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

/// More than a guest needs.
fn xenstore_limits() -> Vec<Case> {
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

fn xenstore() -> Vec<Case> {
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
