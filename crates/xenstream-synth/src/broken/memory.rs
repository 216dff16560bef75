//! What describes a guest's memory, and the memory.

use xenstream_core::wire::libxc::types::{CHECKPOINT, END, SHARED_INFO, VERIFY, X86_PV_INFO, X86_TSC_INFO};
use xenstream_core::wire::libxc::{p2m, page, params, pv_info};
use xenstream_core::{Guest, Limit, Rule};

use super::{BODY, Break, Draft, Fault, LENGTH};
use crate::body::{Body, Field};
use crate::item::{Item, Part};
use crate::libxc::{self, record};
use crate::places::{ENTRIES, INFO, P2M, PAGES};

/// Offset of a P2M_FRAMES record's first frame.
const FRAMES: u64 = BODY + p2m::HEADER;

const ANY: &str = "anything";
const PV: &str = "a PV guest";

pub(super) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxcPvInfoLength, PV, |d| {
        let length = d.one_of(&[0, 2, 7, 9, 16])?;
        d.other(d.first(INFO)?, record(X86_PV_INFO, Body::new().zeros(length)), LENGTH)
    }),
    Break::new(Rule::LibxcPvInfoCombination, PV, |d| {
        let info = d.one_of(&[(8, 3), (4, 4), (0, 0), (8, 5), (16, 4), (255, 255)])?;
        d.other(d.first(INFO)?, libxc::pv_info(info), BODY)
    }),
    Break::new(Rule::LibxcPvInfoReserved, PV, |d| {
        let info = d.first(INFO)?;
        let at = d.number(BODY + pv_info::RESERVED_AT, pv_info::LENGTH - pv_info::RESERVED_AT);
        let byte = d.number(1, 255) as u8;
        let field = d.stream.offset(info) + BODY + pv_info::RESERVED_AT;
        Some(d.field(info, at, Field::U8(byte))?.found_at(field))
    }),
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
    Break::new(Rule::LibxcPageDataPfnRange, "a PV guest", |d| {
        d.guest(Guest::Pv)?;
        let (index, at, entry) = entry(d)?;
        let pfn = beyond(d)?;
        d.field(index, at, Field::U64(of_kind(pfn, page::kind(entry))))
    }),
    Break::new(Rule::LibxcPageDataPfnLimit, "an HVM guest", |d| {
        d.guest(Guest::Hvm)?;
        let (index, at, _) = entry(d)?;
        let pfn = beyond(d)?;
        // Only pages that the restorer populates count.
        d.field(index, at, Field::U64(of_kind(pfn, page::XALLOC)))
    }),
    Break::new(Rule::LibxcPageDataTableType, "an HVM guest", |d| {
        d.guest(Guest::Hvm)?;
        let (index, at, entry) = entry(d)?;
        let kind = d.one_of(&[1, 2, 3, 4, 9, 10, 11, 12])?;
        d.field(index, at, Field::U64(of_kind(entry, kind)))
    }),
    Break::new(Rule::LibxcMemoryGap, ANY, |d| {
        // The first entry is of pfn 0, in a stream without gaps.
        let index = d.first(PAGES)?;
        let entry = *d.item(index).entries64().first()?;
        let pfn = d.number(1, d.expected.max_pfn.unwrap_or(LEAST_HVM).min(1 << 16));
        d.field(index, ENTRIES, Field::U64(entry & !page::PFN | pfn))
    }),
    Break::new(Rule::LibxcMemoryShort, PV, |d| {
        d.guest(Guest::Pv)?;
        let first = d.first(PAGES)?;
        let item = libxc::first_pass(d.number(0, d.expected.max_pfn?.min(64)), &[]);
        let items = d.stream.items().iter().enumerate();
        let items = items.filter(|(index, item)| *index == first || item.part() != PAGES);
        let items: Vec<Item> = items.map(|(_, item)| item.clone()).collect();
        let stream = d.stream.clone().of_items(items).with_item(first, item);
        let end = stream.items().iter().position(|item| AFTER_MEMORY.contains(&item.part()))?;
        Some(Fault::in_item(stream, end, 0))
    }),
    Break::new(Rule::LibxcMemoryShort, "an HVM guest", |d| {
        d.guest(Guest::Hvm)?;
        let first = d.first(PAGES)?;
        let item = libxc::first_pass(d.number(0, 64), &[]);
        let pfn = item.entries64().len() as u64;
        let index = d.one_of(&[1, 5, 6, 17, 27, 28, 29, 32])?;
        let stream = d.stream.clone().with_item(first, item);
        let stream = stream.inserted(first + 1, libxc::hvm_params(&[(index, pfn)]));
        Some(Fault::in_item(stream, first + 1, BODY + params::HEADER + 8))
    }),
];

/// The lowest highest pfn of an HVM guest.
const LEAST_HVM: u64 = 16;

/// Records that end a PV guest's memory.
const AFTER_MEMORY: [Part; 5] = [
    Part::libxc(X86_TSC_INFO),
    Part::libxc(SHARED_INFO),
    Part::libxc(VERIFY),
    Part::libxc(CHECKPOINT),
    Part::libxc(END),
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
        None => Limit::HvmPfn.defaults()[0],
    };
    d.one_of(&[first, first + 1, first << 4, page::PFN])
}
