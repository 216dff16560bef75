//! Whether all of the guest's memory is there.

use xenstream_core::wire::libxc::types::{PAGE_DATA, SHARED_INFO, VERIFY};
use xenstream_core::wire::libxc::{domain_at, page, params};
use xenstream_core::wire::libxl;
use xenstream_core::{Format, Guest, Profile, Rule};

use crate::body::Field;
use crate::broken::needs::{ANY, HVM, PV};
use crate::broken::{Break, Fault};
use crate::cases::Case;
use crate::item::{Item, Part};
use crate::libxc::{self, AFTER_MEMORY, page_data};
use crate::minimal::{self, MAX_PFN_32, MAX_PFN_64};
use crate::pages::Page;
use crate::places::{BODY, ENTRIES, PAGES, PARAMS};
use crate::stream::Stream;

/// Offset of the value of HVM_PARAMS' first entry.
const VALUE: u64 = BODY + params::HEADER + 8;
/// The lowest highest pfn of an HVM guest.
const LEAST_HVM: u64 = 16;
pub(crate) fn cases() -> Vec<Case> {
    [gaps(), shorts()].concat()
}

/// An HVM guest whose memory comes in these records, each of absent pages.
fn hvm(records: &[&[u64]]) -> Stream {
    let mut stream = minimal::hvm().without(PAGES);
    for pfns in records {
        stream = stream.before(PARAMS, absent(pfns));
    }
    stream
}

fn absent(pfns: &[u64]) -> Item {
    page_data(&pfns.iter().copied().map(Page::absent).collect::<Vec<_>>())
}

/// Broken at an entry of a PAGE_DATA record, both counted from 0.
fn gap_in(variant: &'static str, broken: &Stream, whole: &Stream, record: usize, entry: u64) -> Case {
    let at = ENTRIES + page::ENTRY * entry;
    Case::of(Rule::LibxcMemoryGap, variant, broken, whole).in_item(broken, broken.nth(PAGES, record), at)
}

fn gaps() -> Vec<Case> {
    let [first, second, third]: [&[u64]; 3] = [&[0, 1, 2, 3], &[4, 5, 6, 7], &[8, 9]];
    let whole = hvm(&[first, second, third]);
    let gap =
        |variant, records: &[&[u64]], record, entry| gap_in(variant, &hvm(records), &whole, record, entry);
    // As full as savers make them.
    let batch: Vec<u64> = (0..page::BATCH).collect();
    let mut twice = batch.clone();
    twice[700] = 699;
    let converted = |stream: Stream| stream.edited(Part::Domain, domain_at::XEN_MAJOR, Field::U32(0));
    let flagged = |stream: Stream| {
        let legacy = Field::U32(libxl::OPTION_LEGACY);
        stream.in_libxl().edited(Part::Libxl, libxl::at::OPTIONS, legacy)
    };
    let warned = |case: Case| case.warned(Profile::Restore);
    let without_second = hvm(&[first, third]);
    vec![
        gap("", &[second, third], 0, 0).note("the first batch is gone; every profile took it before"),
        gap("middle", &[first, third], 1, 0),
        gap("entry", &[first, &[4, 6, 7], third], 1, 1),
        gap("duplicate", &[first, &[4, 5, 5, 7], third], 1, 3)
            .note("the entry before it stands in for its neighbour"),
        gap("duplicate-at-the-end", &[&[0, 1, 2, 2], second, third], 1, 0),
        gap("single", &[&[0], &[2], &[3, 4, 5, 6, 7, 8, 9]], 1, 0),
        gap("swapped", &[second, first, third], 0, 0),
        gap("batch", &[&twice], 0, 701).beside(&hvm(&[&batch])),
        // A pass over memory that has been named may name any of it.
        gap("dirty", &[first, &[1, 3], &[5]], 2, 0).beside(&hvm(&[first, &[1, 3], &[4]])),
        warned(gap_in("converted", &converted(without_second.clone()), &converted(whole.clone()), 1, 0))
            .note("a converter copies batches in the order of the legacy image"),
        warned(gap_in("flagged", &flagged(without_second), &flagged(whole), 1, 0)),
    ]
}

fn shorts() -> Vec<Case> {
    let rule = Rule::LibxcMemoryShort;
    let shared_info = Part::libxc(SHARED_INFO);
    let pv = |variant, base: Stream, max_pfn: u32| {
        let broken = base.clone().replaced(PAGES, libxc::first_pass(u64::from(max_pfn) - 1, &[]));
        Case::of(rule, variant, &broken, &base).in_item(&broken, broken.find(shared_info), 0)
    };
    let verified = minimal::pv32().before(shared_info, libxc::verify());
    let unverified = verified.clone().replaced(PAGES, libxc::first_pass(3, &[]));
    let params = |pfn: u64| libxc::hvm_params(&[(17, pfn), (1, 0)]);
    let whole = hvm(&[&[0, 1, 2, 3]]);
    let [short, fits] = [4, 3].map(|pfn| whole.clone().replaced(PARAMS, params(pfn)));
    // The text asks for parameters early, and says nothing of whether they may come before the memory.
    let [early, early_fits] = [4, 3].map(|pfn| {
        let memory = Part::libxc(PAGE_DATA);
        whole.clone().without(PARAMS).before(memory, params(pfn))
    });
    let no_pfn = whole.clone().replaced(PARAMS, libxc::hvm_params(&[(17, u64::MAX), (19, 4), (1, 0)]));
    vec![
        pv("", minimal::pv64(), MAX_PFN_64),
        pv("pv32", minimal::pv32(), MAX_PFN_32),
        Case::of(rule, "verify", &unverified, &verified).in_item(
            &unverified,
            unverified.find(Part::libxc(VERIFY)),
            0,
        ),
        Case::of(rule, "hvm", &short, &fits).in_item(&short, short.find(PARAMS), VALUE),
        Case::of(rule, "hvm-no-pfn", &short, &no_pfn)
            .in_item(&short, short.find(PARAMS), VALUE)
            .neighbour_warns(&[Rule::LibxcHvmParamsRefused]),
        Case::of(rule, "hvm-params-first", &early, &early_fits).in_item(&early, early.items().len() - 1, 0),
        Case::of(rule, "hvm-libxl", &short.clone().in_libxl(), &fits.in_libxl())
            .in_item(&short.clone().in_libxl(), short.in_libxl().find(PARAMS), VALUE)
            .reported(Format::Libxl),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
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
    Break::new(Rule::LibxcMemoryShort, HVM, |d| {
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
