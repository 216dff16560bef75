//! The bytes themselves: formats, ends, counts.

use xenstream_core::wire::libxc::types::{CHECKPOINT, END, HVM_CONTEXT, HVM_PARAMS, PAGE_DATA};
use xenstream_core::wire::{libvirt, libxl, xenopsd, xl};
use xenstream_core::{Checkpointing, Format, Limit, RecordRef, Rule};

use super::{BODY, Case, LENGTH, field, second_context, with_second};
use crate::Body;
use crate::body::Field;
use crate::item::{Item, Part};
use crate::minimal::{self, Kind};
use crate::stream::Stream;

pub(super) fn cases() -> Vec<Case> {
    [unrecognised(), legacy(), truncated(), failover(), trailing(), limits()].concat()
}

fn unrecognised() -> Vec<Case> {
    let rule = Rule::StreamUnrecognised;
    let (bare, libxl) = (minimal::hvm(), minimal::hvm().in_libxl());
    let (xl, libvirt, xenopsd) =
        (libxl.clone().in_xl(), libxl.clone().in_libvirt(), minimal::hvm().in_xenopsd());
    let zero = || Field::U8(0);
    let empty = Stream::new(Format::Auto, []);
    vec![
        field(rule, "", &bare, Part::Image, 0, zero()).told(Format::Auto),
        field(rule, "libxl", &libxl, Part::Libxl, 7, zero()).told(Format::Auto),
        field(rule, "xl", &xl, Part::Xl, 31, zero()).told(Format::Auto),
        field(rule, "told-xl", &xl, Part::Xl, 31, zero()),
        field(rule, "told-libvirt", &libvirt, Part::Libvirt, 15, zero()),
        field(rule, "told-xenopsd", &xenopsd, Part::Xenopsd, 14, zero()),
        Case::of(rule, "empty", &empty, &bare),
        cut(rule, "torn-magic", &xl, 24).told(Format::Auto),
    ]
    .into_iter()
    // Wherever a magic goes wrong, it is the whole of it that is not known.
    .map(|case| case.at(0))
    .collect()
}

fn legacy() -> Vec<Case> {
    let rule = Rule::StreamLegacy;
    let libxl = minimal::hvm().in_libxl();
    let (xl, libvirt, xenopsd) = (libxl.clone().in_xl(), libxl.in_libvirt(), minimal::hvm().in_xenopsd());
    // What the header announces begins with a number of pfns.
    let payload = |stream: &Stream, header, at, value| {
        let announced = stream.clone().edited(header, at, Field::U32(value));
        let legacy = announced.edited(Part::Libxl, 0, Field::Bytes(0x1F000_u64.to_le_bytes().to_vec()));
        (legacy, stream.offset(stream.find(Part::Libxl)))
    };
    let (old_xl, xl_payload) = payload(&xl, Part::Xl, xl::at::MANDATORY_FLAGS, xl::FLAG_JSON);
    let (old_libvirt, libvirt_payload) = payload(&libvirt, Part::Libvirt, libvirt::at::VERSION, 1);
    let signature = Item::new(Part::Xenopsd, Body::new().raw(xenopsd::SIGNATURE_LEGACY));
    let old = xenopsd.clone().replaced(Part::Xenopsd, signature);
    let marker = xenopsd.offset(xenopsd.find(Part::Image));
    let edited = xenopsd.clone().edited(Part::Image, 4, Field::U32(0));
    vec![
        Case::of(rule, "", &old_xl, &xl).at(xl_payload),
        Case::of(rule, "libvirt", &old_libvirt, &libvirt).at(libvirt_payload),
        Case::of(rule, "xenopsd", &old, &xenopsd),
        // The first 8 bytes of a 64-bit toolstack's legacy image end in zeros.
        field(rule, "libxc", &minimal::hvm(), Part::Image, 4, Field::U32(0)).at(0),
        Case::of(rule, "xenopsd-libxc", &edited, &xenopsd).at(marker),
    ]
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
        (remus.find(Part::libxc(CHECKPOINT)), remus.find(Part::libxl(libxl::types::CHECKPOINT_END)));
    let colo = minimal::checkpointed(Kind::Colo, 1);
    let colo_state = colo.find(Part::libxl(libxl::types::CHECKPOINT_STATE));
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
            .behind_second_context(second_context(&second)),
        cut(rule, "colo-state", &colo, colo.offset(colo_state))
            .record(torn(&colo, colo_state))
            .checkpointing(Checkpointing::Colo),
    ]
}

/// How a checkpointed stream ends when its primary dies.
fn failover() -> Vec<Case> {
    let rule = Rule::StreamFailover;
    let libxl = minimal::checkpointed(Kind::Remus, 1);
    let next = libxl.find(Part::libxl(libxl::types::CHECKPOINT_END)) + 1;
    let bare = minimal::bare_checkpointed(1);
    let after = bare.find(Part::libxc(CHECKPOINT)) + 1;
    let colo = minimal::checkpointed(Kind::Colo, 1);
    let resumed = colo.find(Part::libxl(libxl::types::CHECKPOINT_STATE)) + 1;
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
    let behind = one.offset(last) - one.offset(one.find(Part::libxl(libxl::types::CHECKPOINT_END)) + 1);
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
            .limit(Limit::CheckpointSize, behind),
    ]
}

/// The first bytes of a stream.
fn cut(rule: Rule, variant: &'static str, whole: &Stream, bytes: u64) -> Case {
    let mut case = Case::of(rule, variant, whole, whole).at(bytes);
    case.stream.truncate(bytes as usize);
    case
}

/// A record whose header is not complete: its type is not known.
fn torn(stream: &Stream, index: usize) -> Option<RecordRef> {
    stream.record(index).map(|record| RecordRef { kind: None, ..record })
}
