//! The libxc stream: its headers, and its records by type and length.

use xenstream_core::wire::Order;
use xenstream_core::wire::libxc::types::{
    CHECKPOINT, END, HVM_CONTEXT, HVM_PARAMS, KNOWN, OPTIONAL, PAGE_DATA, STATIC_DATA_END, VERIFY,
};
use xenstream_core::wire::libxc::{
    PAGE_SHIFT, RECORD_LENGTH_MAX, VERSION_MAX, VERSION_MIN, domain_at, image_at,
};
use xenstream_core::{Limit, Profile, Rule};

use super::{Case, LENGTH, either, extra, field, other};
use crate::body::{Body, Field};
use crate::hvm::{Chain, Entry};
use crate::item::Part;
use crate::libxc::{self, record};
use crate::minimal::{self, Kind};
use crate::places::LAST;

pub(super) fn cases() -> Vec<Case> {
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
        more(Rule::LibxcToolstack, "", libxc::toolstack()),
        more(Rule::LibxcDirtyPfnList, "", libxc::dirty_pfn_list(&[0])),
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
            [libxc::tsc_info(2, 0, 0, 1).claiming(2048), libxc::tsc_info(2, 0, 0, 1)],
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
