//! Frames of the p2m, and PAGE_DATA.

use xenstream_core::wire::libxc::types::{PAGE_DATA, X86_PV_P2M_FRAMES};
use xenstream_core::wire::libxc::{p2m, page};
use xenstream_core::{Guest, Limit, Profile, Rule};

use crate::body::{Body, Field};
use crate::broken::needs::{ANY, HVM, PV};
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, field, other};
use crate::item::Item;
use crate::libxc::{self, page_data, record};
use crate::minimal::{self, MAX_PFN_32, MAX_PFN_64, STORE_PFN};
use crate::pages::Page;
use crate::places::{BODY, ENTRIES, LENGTH, P2M, PAGES};

/// Offset of a P2M_FRAMES record's first frame.
const FRAMES: u64 = BODY + p2m::HEADER;

pub(crate) fn cases() -> Vec<Case> {
    [p2m_frames(), page_data_shape(), page_data_entries(), pfn_range()].concat()
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
    let [spec, restore, hardened] = [Profile::Spec, Profile::Restore, Profile::Hardened]
        .map(|profile| Limit::HvmPfn.default_for(profile));
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

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxcP2mFramesLength, PV, |d| {
        let index = d.any_of(P2M)?;
        let item = d.item(index).clone();
        let length = d.one_of(&[0, 7, item.length() - 8, item.length() + 4, item.length() + 8])?;
        d.other(index, item.claiming(length), LENGTH)
    }),
    Break::new(Rule::LibxcP2mFramesRange, PV, |d| {
        let index = d.any_of(P2M)?;
        let (start, end) = (d.read32(index, BODY), d.read32(index, BODY + p2m::END_PFN_AT));
        let item = d.item(index).clone();
        let backwards = if start > 0 && d.choices.index(2)? == 0 {
            item.edited(BODY + p2m::END_PFN_AT, Field::U32(start - 1))
        } else {
            item.edited(BODY, Field::U32(end + 1))
        };
        d.other(index, backwards, BODY + p2m::END_PFN_AT)
    }),
    Break::new(Rule::LibxcP2mFramesRange, PV, |d| {
        // The largest pfn over the limit.
        let index = d.any_of(P2M)?;
        let end = d.read32(index, BODY + p2m::END_PFN_AT);
        let fault = Fault::in_item(d.stream.clone(), index, BODY + p2m::END_PFN_AT);
        Some(fault.limit(Limit::P2mPfn, u64::from(end)))
    }),
    Break::new(Rule::LibxcP2mFramesEmpty, PV, |d| {
        d.other(d.first(P2M)?, libxc::p2m_frames(0, 0, &[0]), BODY + p2m::END_PFN_AT)
    }),
    Break::new(Rule::LibxcP2mFramesGap, PV, |d| {
        let index = d.first(P2M)?;
        // More pfns than a frame holds of any guest.
        let start = d.number(1024, 1 << 30) as u32;
        d.field(index, BODY, Field::U32(start))
    }),
    Break::new(Rule::LibxcP2mFramesEntry, PV, |d| {
        let index = d.any_of(P2M)?;
        let frames = d.item(index).entries64().len() as u64;
        let at = FRAMES + 8 * d.number(0, frames);
        let pfn = beyond(d)?;
        d.field(index, at, Field::U64(pfn))
    }),
    Break::new(Rule::LibxcP2mFramesHoles, PV, |d| {
        let index = d.first(P2M)?;
        let frame = *d.item(index).entries64().first()?;
        // Two frames of a guest of either width.
        let last = if d.expected.guest_width? == 4 { 2 * 1024 - 1 } else { 2 * 512 - 1 };
        let fault = d.other(index, libxc::p2m_frames(0, last, &[frame, frame]), FRAMES + 8)?;
        Some(fault.limit(Limit::P2mHoles, 0))
    }),
    Break::new(Rule::LibxcPageDataLength, ANY, |d| {
        let index = d.any_of(PAGES)?;
        let item = d.item(index).clone();
        let length = d.one_of(&[0, 7, item.length() - 8, item.length() + 8, item.length() + 4096])?;
        d.other(index, item.claiming(length), LENGTH)
    }),
    Break::new(Rule::LibxcPageDataLength, ANY, |d| {
        // A count that goes on after the record.
        let index = d.any_of(PAGES)?;
        let room = d.item(index).length() / 8;
        let count = d.one_of(&[room, room + 1, u64::from(u32::MAX)])?;
        let length = d.stream.offset(index) + LENGTH;
        Some(d.field(index, BODY, Field::U32(count as u32))?.found_at(length))
    }),
    Break::new(Rule::LibxcPageDataLength, ANY, |d| {
        // An entry more or less with data than there are pages.
        let (index, at, entry) = entry(d)?;
        let kind = if page::has_data(page::kind(entry)) { page::XTAB } else { page::NOTAB };
        let length = d.stream.offset(index) + LENGTH;
        Some(d.field(index, at, Field::U64(of_kind(entry, kind)))?.found_at(length))
    }),
    Break::new(Rule::LibxcPageDataCount, ANY, |d| d.field(d.any_of(PAGES)?, BODY, Field::U32(0))),
    Break::new(Rule::LibxcPageDataReserved, ANY, |d| {
        let value = d.number(1, u64::from(u32::MAX)) as u32;
        d.field(d.any_of(PAGES)?, BODY + 4, Field::U32(value))
    }),
    Break::new(Rule::LibxcPageDataType, ANY, |d| {
        let (index, at, entry) = entry(d)?;
        let kind = d.number(page::RESERVED_FIRST, 4);
        d.field(index, at, Field::U64(of_kind(entry, kind)))
    }),
    Break::new(Rule::LibxcPageDataPfnReserved, ANY, |d| {
        let (index, at, entry) = entry(d)?;
        let bit = d.number(52, 8);
        d.field(index, at, Field::U64(entry | 1 << bit))
    }),
    Break::new(Rule::LibxcPageDataPfnRange, PV, |d| {
        d.guest(Guest::Pv)?;
        let (index, at, entry) = entry(d)?;
        let pfn = beyond(d)?;
        d.field(index, at, Field::U64(of_kind(pfn, page::kind(entry))))
    }),
    Break::new(Rule::LibxcPageDataPfnLimit, HVM, |d| {
        d.guest(Guest::Hvm)?;
        let (index, at, _) = entry(d)?;
        let pfn = beyond(d)?;
        // Only pages that the restorer populates count.
        d.field(index, at, Field::U64(of_kind(pfn, page::XALLOC)))
    }),
    Break::new(Rule::LibxcPageDataTableType, HVM, |d| {
        d.guest(Guest::Hvm)?;
        let (index, at, entry) = entry(d)?;
        let kind = d.one_of(&[1, 2, 3, 4, 9, 10, 11, 12])?;
        d.field(index, at, Field::U64(of_kind(entry, kind)))
    }),
];

/// Any entry of any PAGE_DATA record: the item, the offset in it, and the entry.
fn entry(d: &Draft<'_>) -> Option<(usize, u64, u64)> {
    let index = d.any_of(PAGES)?;
    let n = d.choices.index(d.item(index).entries64().len())?;
    Some((index, ENTRIES + page::ENTRY * n as u64, d.item(index).entries64()[n]))
}

fn of_kind(entry: u64, kind: u64) -> u64 {
    entry & (page::PFN | page::RESERVED) | kind << page::TYPE_SHIFT
}

/// A pfn that no page of the guest may have under `spec`.
pub(super) fn beyond(d: &Draft<'_>) -> Option<u64> {
    let first = match d.expected.max_pfn {
        Some(max_pfn) => max_pfn + 1,
        None => Limit::HvmPfn.default_for(Profile::Spec),
    };
    d.one_of(&[first, first + 1, first << 4, page::PFN])
}
