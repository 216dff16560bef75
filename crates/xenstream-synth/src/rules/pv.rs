//! Page tables of a PV guest.

use xenstream_core::wire::libxc::types::PAGE_DATA;
use xenstream_core::wire::libxc::{page, pte};
use xenstream_core::wire::{PAGE_SIZE, RECORD_HEADER};
use xenstream_core::{Guest, Profile, Rule};

use super::vcpu::too_high;
use crate::body::{Body, Field};
use crate::broken::needs::PV;
use crate::broken::{Break, Fault};
use crate::cases::{Case, second_context, with_second};
use crate::libxc::{self, page_data, record};
use crate::minimal;
use crate::pages::{Page, pte, pte as present};
use crate::places::{BODY, ENTRIES, MAX_32, MAX_64, PAGES};

pub(crate) fn cases() -> Vec<Case> {
    [page_tables(), vec![table_batch()]].concat()
}

/// A page table after these pages, whose pfns go up from 0, and the same with this entry at this index naming the last
/// frame of the guest.
fn table(
    variant: &'static str,
    before: &[Page],
    page: fn(u64, u64, &[(usize, u64)]) -> Page,
    level: u64,
    n: usize,
) -> Case {
    let [broken, neighbour] = [MAX_32 + 1, MAX_32].map(|frame| {
        let table = page(level, before.len() as u64, &[(n, pte(frame))]);
        minimal::pv32().replaced(PAGES, libxc::first_pass(MAX_32, &[before, &[table]].concat()))
    });
    let entries = BODY + page::HEADER + page::ENTRY * (MAX_32 + 1);
    let pages_before = before.iter().filter(|page| page.contents().is_some()).count() as u64;
    let at = entries + 4096 * pages_before + 8 * n as u64;
    Case::of(Rule::PvPteRange, variant, &broken, &neighbour).in_item(&broken, broken.find(PAGES), at)
}

fn page_tables() -> Vec<Case> {
    vec![
        table("", &[], Page::table, 1, 0),
        table("pinned", &[], Page::pinned, 4, 511),
        table("after-a-page", &[Page::absent(0), Page::normal(1)], Page::pinned, 2, 256),
        table_of_second(),
    ]
}

/// The p2m of a first libxc stream says nothing of the second one's guest.
fn table_of_second() -> Case {
    let [broken, neighbour] = [MAX_64 + 1, MAX_64].map(|frame| {
        let guest = minimal::pv64()
            .replaced(PAGES, libxc::first_pass(MAX_64, &[Page::table(1, 1, &[(0, pte(frame))])]));
        with_second(&minimal::pv32().in_libxl(), &guest)
    });
    let entries = BODY + page::HEADER + page::ENTRY * (MAX_64 + 1);
    Case::of(Rule::PvPteRange, "second-stream", &broken, &neighbour)
        .in_item(&broken, broken.nth(PAGES, 1), entries)
        .after_second_context(second_context(&broken))
}

/// The last of more pages than the verifier can tell page tables among. Only the entries are
/// there: the pages would be 16 MiB, and where the rule is at deny no verifier comes so far.
fn table_batch() -> Case {
    let pages: Vec<Page> =
        (0..page::TABLES_TRACKED).map(|_| Page::normal(0)).chain([Page::table(1, 1, &[])]).collect();
    let whole = minimal::pv32().replaced(PAGES, page_data(&pages));
    let record = whole.find(PAGES);
    let entries = BODY + page::HEADER;
    let end = whole.offset(record) + entries + page::ENTRY * (page::TABLES_TRACKED + 1);
    let neighbour = minimal::pv32().replaced(PAGES, libxc::first_pass(MAX_32, &[Page::table(1, 1, &[])]));

    let mut case = Case::of(Rule::PvTableBatch, "", &whole, &neighbour)
        .in_item(&whole, record, entries + page::ENTRY * page::TABLES_TRACKED)
        .refused_by(Profile::Spec, Rule::StreamTruncated, end)
        .refused_by(Profile::Restore, Rule::StreamTruncated, end)
        .note("cut after the entries: the pages would be 16 MiB; the neighbour has a smaller batch");
    case.stream.truncate(end as usize);
    case
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::PvPteRange, "a page table", |d| {
        d.guest(Guest::Pv)?;
        let index = d.any(|_, item| {
            item.part() == PAGES && item.entries64().iter().any(|entry| page::is_table(page::kind(*entry)))
        })?;
        let entries = d.item(index).entries64();
        let count = entries.len() as u64;
        let with_data = entries.iter().map(|entry| page::kind(*entry)).filter(|kind| page::has_data(*kind));
        let tables: Vec<u64> =
            (0..).zip(with_data).filter(|(_, kind)| page::is_table(*kind)).map(|(page, _)| page).collect();
        let table = d.one_of(&tables)?;
        let at = ENTRIES + page::ENTRY * count + PAGE_SIZE * table + 8 * d.number(0, PAGE_SIZE / 8);
        let frame = too_high(d, pte::FRAME >> pte::FRAME_SHIFT)?;
        d.field(index, at, Field::le64(present(frame)))
    }),
    Break::new(Rule::PvTableBatch, PV, |d| {
        d.guest(Guest::Pv)?;
        let index = d.first(PAGES)?;
        // More pages than the verifier tells apart, and then a page table. Where the rule is at deny no verifier comes as
        // far as the pages, and they would be 16 MiB.
        let before = page::TABLES_TRACKED + d.number(0, 8);
        let entries = (0..before).map(|_| 0).chain([page::L1TAB << page::TYPE_SHIFT]);
        let body = Body::new().u32(before as u32 + 1).u32(0).u64s(entries);
        let item = record(PAGE_DATA, body).claiming(page::HEADER + (page::ENTRY + PAGE_SIZE) * (before + 1));
        let at = ENTRIES + page::ENTRY * before;
        let end = d.stream.offset(index) + RECORD_HEADER + page::HEADER + page::ENTRY * (before + 1);
        let fault = d.other(index, item, at)?;
        Some(Fault { stream: fault.stream.cut(end), ..fault })
    }),
];
