//! The libxc stream: its headers, and its records by type and length.

use xenstream_core::wire::Order;
use xenstream_core::wire::libxc::types::{
    CHECKPOINT, END, HVM_CONTEXT, HVM_PARAMS, KNOWN, OPTIONAL, PAGE_DATA, SHARED_INFO, STATIC_DATA_END,
    VERIFY, X86_PV_INFO,
};
use xenstream_core::wire::libxc::{
    PAGE_SHIFT, RECORD_LENGTH_MAX, VERSION_MAX, VERSION_MIN, domain_at, image_at,
};
use xenstream_core::{Guest, Layer, Limit, Profile, Rule};

use crate::body::{Body, Field};
use crate::broken::needs::{ANY, V3};
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, either, extra, field, other};
use crate::hvm::{Chain, Entry};
use crate::item::{Item, Part};
use crate::libxc::{self, dirty_pfn_list, record, toolstack};
use crate::minimal::{self, Kind};
use crate::places::{BODY, LAST, LENGTH};

pub(crate) fn cases() -> Vec<Case> {
    [headers(), types(), optional(), lengths()].concat()
}

fn headers() -> Vec<Case> {
    let bare = minimal::hvm();
    let libxl = minimal::hvm().in_libxl();
    let marker = libxl.offset(libxl.find(Part::Image));
    let image = |rule, variant, at, value| field(rule, variant, &bare, Part::Image, at, value);
    let domain = |rule, variant, at, value| field(rule, variant, &bare, Part::Domain, at, value);
    let old = bare
        .clone()
        .edited(Part::Image, image_at::VERSION, Field::U32(VERSION_MIN))
        .without(Part::libxc(STATIC_DATA_END));
    let big = bare.clone().with_libxc_order(Order::Big);
    vec![
        field(Rule::LibxcMarker, "", &libxl, Part::Image, 7, Field::U8(0)).at(marker),
        image(Rule::LibxcId, "", image_at::ID, Field::U32(0x5845_4E47)),
        image(Rule::LibxcVersion, "", image_at::VERSION, Field::U32(VERSION_MIN - 1)),
        image(Rule::LibxcVersion, "newer", image_at::VERSION, Field::U32(VERSION_MAX + 1)),
        Case::of(Rule::LibxcVersion3, "", &bare, &old).in_item(
            &bare,
            bare.find(Part::Image),
            image_at::VERSION,
        ),
        image(Rule::LibxcOptionsReserved, "", image_at::OPTIONS, Field::U16(1 << 1)),
        image(Rule::LibxcOptionsReserved, "highest", image_at::OPTIONS, Field::U16(1 << 15)),
        Case::of(Rule::LibxcBigEndian, "", &big, &bare)
            .at(bare.offset(bare.find(Part::Image)) + image_at::OPTIONS),
        image(Rule::LibxcHeaderReserved, "", image_at::RESERVED, Field::U16(1)),
        image(Rule::LibxcHeaderReserved, "second", image_at::RESERVED + 2, Field::U32(1)),
        domain(Rule::LibxcDomainType, "", 0, Field::U32(3)),
        domain(Rule::LibxcDomainType, "zero", 0, Field::U32(0)),
        domain(Rule::LibxcPageShift, "", domain_at::PAGE_SHIFT, Field::U16(PAGE_SHIFT + 1)),
        domain(Rule::LibxcPageShift, "wraps", domain_at::PAGE_SHIFT, Field::U16(PAGE_SHIFT + 32))
            .note("the restorer shifts in 32 bits and takes it for 12"),
        domain(Rule::LibxcDomainReserved, "", domain_at::RESERVED, Field::U16(1)),
    ]
}

fn types() -> Vec<Case> {
    let (hvm, pv) = (minimal::hvm(), minimal::pv32());
    let more = |rule, variant, item| extra(rule, variant, &hvm, LAST, item);
    vec![
        more(Rule::LibxcRecordType, "", record(KNOWN, Body::new())),
        more(Rule::LibxcRecordType, "highest", record(OPTIONAL - 1, Body::new())),
        more(Rule::LibxcRecordGuest, "", libxc::shared_info()),
        extra(Rule::LibxcRecordGuest, "hvm", &pv, LAST, libxc::hvm_params(&[(1, 0xF_EFFC)])),
        more(Rule::LibxcToolstack, "", toolstack()),
        more(Rule::LibxcDirtyPfnList, "", dirty_pfn_list(&[0])),
    ]
}

/// Records that a reader may skip.
fn optional() -> Vec<Case> {
    let rule = Rule::LibxcRecordOptional;
    let item = || record(OPTIONAL, Body::new().u32(7));
    let remus = minimal::checkpointed(Kind::Remus, 2);
    let second = remus.nth(Part::libxc(CHECKPOINT), 1);
    let replayed = remus.clone().inserted(second, item());
    let offset = replayed.offset(second);
    vec![
        extra(rule, "", &minimal::hvm(), LAST, item()),
        extra(rule, "highest", &minimal::hvm(), LAST, record(u32::MAX, Body::new())),
        Case::of(rule, "replayed", &replayed, &remus)
            .in_item(&replayed, second, 0)
            .refused_by(Profile::Restore, rule, offset)
            .note("the restorer stores records between checkpoints unread, and its replay knows no optional ones"),
    ]
}

fn lengths() -> Vec<Case> {
    let hvm = minimal::hvm();
    let bytes = || Body::new().zeros(8);
    let end = |kind| record(kind, bytes());
    let remus = minimal::checkpointed(Kind::Remus, 1);
    // One byte of VIRIDIAN_DOMAIN, which Xen extends with zeros: the smallest body that needs padding.
    let odd = || libxc::hvm_context(&Chain::around([Entry::new(15, 0, [0])]));
    let dirty = odd().padded_with([0, 0, 0, 0, 0, 1, 0]);
    let padding = odd().body_at() + odd().length();
    vec![
        other(
            Rule::LibxcRecordLength,
            "",
            &hvm,
            Part::libxc(PAGE_DATA),
            record(PAGE_DATA, Body::new()).claiming(RECORD_LENGTH_MAX + 1),
            LENGTH,
        ),
        other(
            Rule::LibxcRecordLength,
            "huge",
            &hvm,
            Part::libxc(PAGE_DATA),
            record(PAGE_DATA, Body::new()).claiming(u64::from(u32::MAX)),
            LENGTH,
        ),
        either(
            Rule::LibxcRecordLength,
            "limit",
            &minimal::hvm(),
            Part::libxc(HVM_PARAMS),
            [libxc::clock().claiming(2048), libxc::clock()],
            LENGTH,
        )
        .limit(Limit::LibxcRecord, 1536)
        .note("the limit comes before the type's own length"),
        either(
            Rule::LibxcPadding,
            "",
            &hvm.clone().without(Part::libxc(HVM_CONTEXT)),
            LAST,
            [dirty, odd()],
            padding + 5,
        ),
        other(Rule::LibxcEndLength, "", &hvm, LAST, end(END), LENGTH),
        either(
            Rule::LibxcVerifyLength,
            "",
            &hvm,
            Part::libxc(HVM_PARAMS),
            [end(VERIFY), libxc::verify()],
            LENGTH,
        ),
        other(Rule::LibxcCheckpointLength, "", &remus, Part::libxc(CHECKPOINT), end(CHECKPOINT), LENGTH),
        other(
            Rule::LibxcStaticDataEndLength,
            "",
            &hvm,
            Part::libxc(STATIC_DATA_END),
            end(STATIC_DATA_END),
            LENGTH,
        ),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxcMarker, ANY, |d| {
        let image = d.first(Part::Image)?;
        // A small byte in the first half could make it a legacy image.
        let at = d.number(4, 4);
        let byte = d.number(0, 255) as u8;
        Some(d.field(image, at, Field::U8(byte))?.found_at(d.stream.offset(image)))
    }),
    Break::new(Rule::LibxcVersion, ANY, |d| {
        let version = d.one_of(&[0, 1, 4, u32::MAX])?;
        d.field(d.first(Part::Image)?, image_at::VERSION, Field::U32(version))
    }),
    Break::new(Rule::LibxcVersion3, V3, |d| {
        d.version(3)?;
        Some(Fault::in_item(d.stream.clone(), d.first(Part::Image)?, image_at::VERSION))
    }),
    Break::new(Rule::LibxcOptionsReserved, ANY, |d| {
        let image = d.first(Part::Image)?;
        let options = (d.read32(image, image_at::OPTIONS) >> 16) as u16 | 1 << d.number(1, 15);
        d.field(image, image_at::OPTIONS, Field::U16(options))
    }),
    Break::new(Rule::LibxcBigEndian, ANY, |d| {
        let image = d.first(Part::Image)?;
        Some(Fault::in_item(d.stream.clone().with_libxc_order(Order::Big), image, image_at::OPTIONS))
    }),
    Break::new(Rule::LibxcDomainType, ANY, |d| {
        let kind = d.one_of(&[0, 3, 0x100, u32::MAX])?;
        d.field(d.first(Part::Domain)?, 0, Field::U32(kind))
    }),
    Break::new(Rule::LibxcRecordType, ANY, |d| {
        let kind = d.one_of(&[KNOWN, KNOWN + 1, 0x1000, OPTIONAL - 1])?;
        unknown(d, kind)
    }),
    Break::new(Rule::LibxcRecordOptional, ANY, |d| {
        let kind = d.one_of(&[OPTIONAL, OPTIONAL | 1, u32::MAX])?;
        unknown(d, kind)
    }),
    Break::new(Rule::LibxcRecordGuest, ANY, |d| {
        let kind = match d.expected.guest {
            Guest::Pv => d.one_of(&[HVM_CONTEXT, HVM_PARAMS])?,
            Guest::Hvm => d.one_of(&[X86_PV_INFO, SHARED_INFO, 3, 4, 6, 0xC])?,
        };
        unknown(d, kind)
    }),
    Break::new(Rule::LibxcToolstack, ANY, |d| d.extra(d.any_in(Layer::Libxc)?, toolstack(), 0)),
    Break::new(Rule::LibxcDirtyPfnList, ANY, |d| {
        let pfn = d.number(0, 1 << 20);
        d.extra(d.any_in(Layer::Libxc)?, dirty_pfn_list(&[pfn]), 0)
    }),
    Break::new(Rule::LibxcRecordLength, ANY, |d| {
        let index = d.any_in(Layer::Libxc)?;
        let length = d.one_of(&[RECORD_LENGTH_MAX + 1, u64::from(u32::MAX)])?;
        d.other(index, d.item(index).clone().claiming(length), LENGTH)
    }),
    Break::new(Rule::LibxcPadding, "a libxc record with padding", |d| padding(d, Layer::Libxc)),
    Break::new(Rule::LibxcEndLength, ANY, |d| longer(d, END)),
    Break::new(Rule::LibxcVerifyLength, ANY, |d| {
        let body = Body::new().zeros(d.number(1, 16));
        d.extra(d.last(Part::libxc(END))?, record(VERIFY, body), LENGTH)
    }),
    Break::new(Rule::LibxcCheckpointLength, "a checkpoint", |d| longer(d, CHECKPOINT)),
    Break::new(Rule::LibxcStaticDataEndLength, V3, |d| longer(d, STATIC_DATA_END)),
];

/// A record of a type that does not belong into the stream at all.
fn unknown(d: &Draft<'_>, kind: u32) -> Option<Fault> {
    let body = Body::new().zeros(d.number(0, 16));
    d.extra(d.any_in(Layer::Libxc)?, record(kind, body), 0)
}

/// A record that should be empty and is not.
fn longer(d: &Draft<'_>, kind: u32) -> Option<Fault> {
    let body = Body::new().zeros(d.number(1, 16));
    d.other(d.any_of(Part::libxc(kind))?, record(kind, body), LENGTH)
}

/// A byte of padding that is not zero.
pub(super) fn padding(d: &Draft<'_>, layer: Layer) -> Option<Fault> {
    let end_of_body = |item: &Item| BODY + item.length();
    let index = d.any(|_, item| {
        item.part().record().is_some_and(|(other, _)| other == layer) && end_of_body(item) < item.size()
    })?;
    let item = d.item(index);
    let (from, to) = (end_of_body(item), item.size());
    let at = d.number(from, to - from);
    let byte = d.number(1, 255) as u8;
    d.field(index, at, Field::U8(byte))
}
