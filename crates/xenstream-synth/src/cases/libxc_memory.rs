//! The libxc stream: what describes a guest's memory, and the memory.

use xenstream_core::wire::libxc::types::{PAGE_DATA, X86_PV_INFO, X86_PV_P2M_FRAMES};
use xenstream_core::wire::libxc::{p2m, page, pv_info};
use xenstream_core::{Limit, Profile, Rule};

use super::{BODY, Case, LENGTH, field, other};
use crate::body::{Body, Field};
use crate::item::Item;
use crate::libxc::{self, page_data, record};
use crate::minimal::{self, MAX_PFN_32, MAX_PFN_64, STORE_PFN};
use crate::pages::Page;
use crate::places::{ENTRIES, INFO, P2M, PAGES};

pub(super) fn cases() -> Vec<Case> {
    [pv_info(), p2m_frames(), page_data_shape(), page_data_entries(), pfn_range()].concat()
}

fn pv_info() -> Vec<Case> {
    let pv = minimal::pv32();
    let length = |variant, bytes: u64| {
        let body = Body::new().u8(4).u8(3).zeros(bytes - 2);
        other(Rule::LibxcPvInfoLength, variant, &pv, INFO, record(X86_PV_INFO, body), LENGTH)
    };
    let combination =
        |variant, info| other(Rule::LibxcPvInfoCombination, variant, &pv, INFO, libxc::pv_info(info), BODY);
    vec![
        length("", 7),
        length("longer", 16)
            .silent(Profile::Restore)
            .note("the restorer reads the first bytes and asks for no more"),
        combination("", (8, 3)),
        combination("width", (5, 3)),
        combination("narrow", (4, 4)),
        field(Rule::LibxcPvInfoReserved, "", &pv, INFO, BODY + pv_info::RESERVED_AT, Field::U8(1)),
        field(Rule::LibxcPvInfoReserved, "last", &pv, INFO, BODY + 7, Field::U8(1))
            .at(pv.offset(pv.find(INFO)) + BODY + pv_info::RESERVED_AT),
    ]
}

fn p2m_frames() -> Vec<Case> {
    let pv = minimal::pv64();
    let end_pfn = BODY + p2m::END_PFN_AT;
    let frames = |rule, variant, item: Item, at| other(rule, variant, &pv, P2M, item, at);
    // A second record after the first: the neighbour's goes on where the first one ended.
    let second = |rule, start: u32, frame, at| {
        let [broken, neighbour] = [(start, frame), (512, 2)].map(|(start, frame)| {
            let pv = pv.clone().replaced(PAGES, libxc::first_pass(1023, &[]));
            pv.after(P2M, libxc::p2m_frames(start, start + 511, &[frame]))
        });
        Case::of(rule, "second", &broken, &neighbour).in_item(&broken, broken.nth(P2M, 1), at)
    };
    let short = Body::new().u32(0).zeros(3);
    vec![
        frames(Rule::LibxcP2mFramesLength, "header", record(X86_PV_P2M_FRAMES, short), LENGTH),
        frames(Rule::LibxcP2mFramesLength, "", libxc::p2m_frames(0, MAX_PFN_64, &[1, 2]), LENGTH),
        frames(Rule::LibxcP2mFramesLength, "shorter", libxc::p2m_frames(0, MAX_PFN_64, &[]), LENGTH),
        frames(
            Rule::LibxcP2mFramesLength,
            "torn",
            record(X86_PV_P2M_FRAMES, Body::new().u32(0).u32(MAX_PFN_64).u64(1).zeros(4)),
            LENGTH,
        ),
        frames(Rule::LibxcP2mFramesRange, "", libxc::p2m_frames(511, 510, &[1]), end_pfn),
        frames(Rule::LibxcP2mFramesRange, "limit", libxc::p2m_frames(0, 512, &[1, 2]), end_pfn)
            .limit(Limit::P2mPfn, 512),
        frames(Rule::LibxcP2mFramesEmpty, "", libxc::p2m_frames(0, 0, &[0]), end_pfn)
            .note("the restorer crashes on it"),
        frames(
            Rule::LibxcP2mFramesHoles,
            "",
            libxc::p2m_frames(0, 4 * 512 - 1, &[1, 2, 2, 2]),
            BODY + p2m::HEADER + 3 * 8,
        )
        .limit(Limit::P2mHoles, 1)
        .allowing(Rule::LibxcMemoryShort)
        .beside(&pv.clone().replaced(P2M, libxc::p2m_frames(0, 4 * 512 - 1, &[1, 2, 2, 3]))),
        // Frames that are named again are no more of them.
        second(Rule::LibxcP2mFramesHoles, 512, 1, BODY + p2m::HEADER)
            .limit(Limit::P2mHoles, 0)
            .allowing(Rule::LibxcMemoryShort)
            .beside(&pv.clone().after(P2M, libxc::p2m_frames(0, MAX_PFN_64, &[1]))),
        frames(Rule::LibxcP2mFramesGap, "", libxc::p2m_frames(512, 1023, &[1]), BODY)
            .allowing(Rule::LibxcMemoryShort),
        second(Rule::LibxcP2mFramesGap, 1024, 2, BODY).allowing(Rule::LibxcMemoryShort),
        frames(
            Rule::LibxcP2mFramesEntry,
            "",
            libxc::p2m_frames(0, MAX_PFN_64, &[u64::from(MAX_PFN_64) + 1]),
            BODY + p2m::HEADER,
        ),
        second(Rule::LibxcP2mFramesEntry, 512, 1024, BODY + p2m::HEADER),
    ]
}

/// The three places at which PAGE_DATA's length is decided, and its own header.
fn page_data_shape() -> Vec<Case> {
    let hvm = minimal::hvm();
    let rule = Rule::LibxcPageDataLength;
    let with = |variant, body| other(rule, variant, &hvm, PAGES, record(PAGE_DATA, body), LENGTH);
    let entry = Page::absent(0).entry();
    vec![
        with("header", Body::new().u32(1)),
        with("count", Body::new().u32(2).u32(0).u64(entry)),
        field(rule, "huge-count", &hvm, PAGES, BODY, Field::U32(u32::MAX))
            .at(hvm.offset(hvm.find(PAGES)) + LENGTH),
        with("", Body::new().u32(1).u32(0).u64(entry).zeros(8)),
        with("no-page", Body::new().u32(1).u32(0).u64(Page::normal(0).entry())),
        other(Rule::LibxcPageDataCount, "", &hvm, PAGES, page_data(&[]), BODY),
        field(Rule::LibxcPageDataReserved, "", &hvm, PAGES, BODY + 4, Field::U32(1)),
    ]
}

fn page_data_entries() -> Vec<Case> {
    let hvm = minimal::hvm();
    let kind = |variant, kind| {
        other(Rule::LibxcPageDataType, variant, &hvm, PAGES, page_data(&[Page::of(kind, 0)]), ENTRIES)
    };
    let bits = |variant, bit: u32| {
        let pages = [Page::absent(0).with_bits(1 << bit), Page::absent(STORE_PFN)];
        other(Rule::LibxcPageDataPfnReserved, variant, &hvm, PAGES, page_data(&pages), ENTRIES)
    };
    let third = [Page::absent(0), Page::absent(1), Page::of(5, 2), Page::absent(3)];
    let rule = Rule::LibxcPageDataTableType;
    let normal = hvm.clone().replaced(PAGES, libxc::first_pass(STORE_PFN, &[Page::normal(0)]));
    vec![
        kind("", page::RESERVED_FIRST),
        kind("6", 6),
        kind("7", 7),
        kind("last", page::RESERVED_LAST),
        other(Rule::LibxcPageDataType, "third", &hvm, PAGES, page_data(&third), ENTRIES + 2 * page::ENTRY),
        bits("", 52),
        bits("highest", 59),
        other(rule, "", &normal, PAGES, libxc::first_pass(STORE_PFN, &[Page::table(1, 0, &[])]), ENTRIES),
        other(
            rule,
            "pinned",
            &normal,
            PAGES,
            libxc::first_pass(STORE_PFN, &[Page::pinned(4, 0, &[])]),
            ENTRIES,
        ),
    ]
}

fn pfn_range() -> Vec<Case> {
    let rule = Rule::LibxcPageDataPfnLimit;
    let pv = minimal::pv32();
    let hvm = |variant, page: fn(u64) -> Page, pfn: u64| {
        let [broken, neighbour] =
            [pfn, pfn - 1].map(|pfn| minimal::hvm().replaced(PAGES, page_data(&[page(pfn)])));
        // One entry stands for a guest of that size.
        Case::of(rule, variant, &broken, &neighbour)
            .in_item(&broken, broken.find(PAGES), ENTRIES)
            .allowing(Rule::LibxcMemoryGap)
    };
    let [spec, restore, hardened] = Limit::HvmPfn.defaults();
    vec![
        other(
            Rule::LibxcPageDataPfnRange,
            "",
            &pv,
            PAGES,
            page_data(&[Page::absent(u64::from(MAX_PFN_32) + 1)]),
            ENTRIES,
        ),
        hvm("", Page::allocated, spec),
        hvm("restore", Page::allocated, restore)
            .silent(Profile::Spec)
            .note("the restorer grows a bitmap to it and touches 4 GiB"),
        hvm("hardened", Page::allocated, hardened)
            .silent(Profile::Spec)
            .silent(Profile::Restore)
            .note("a guest of 1 TiB ends before it"),
        hvm("hardened-absent", Page::absent, hardened)
            .silent(Profile::Spec)
            .silent(Profile::Restore)
            .note("only pages that the restorer populates count elsewhere"),
        hvm("limit", Page::allocated, 16).limit(Limit::HvmPfn, 16),
    ]
}
