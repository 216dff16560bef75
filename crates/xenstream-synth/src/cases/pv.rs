//! Contents of a PV guest that the restorer follows.

use xenstream_core::wire::libxc::page;
use xenstream_core::wire::libxc::types::END;
use xenstream_core::wire::libxc::vcpu::{GDT_ENTRIES_MAX, LAYOUT_32, LAYOUT_64};
use xenstream_core::{Profile, Rule};

use super::{BODY, Case, other, second_context, with_second};
use crate::item::Part;
use crate::libxc::{self, page_data, vcpu_basic};
use crate::minimal::{self, MAX_PFN_32, MAX_PFN_64};
use crate::pages::{Page, pte};
use crate::places::{BASIC, BLOB, PAGES};
use crate::stream::Stream;
use crate::vcpu::Basic;

const MAX_64: u64 = MAX_PFN_64 as u64;
const MAX_32: u64 = MAX_PFN_32 as u64;

pub(super) fn cases() -> Vec<Case> {
    [page_tables(), vec![table_batch()], registers()].concat()
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
        table("behind-a-page", &[Page::absent(0), Page::normal(1)], Page::pinned, 2, 256),
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
        .behind_second_context(second_context(&broken))
}

/// The last of more pages than the verifier can tell page tables among. Only the entries are
/// there: the pages would be 16 MiB, and where the rule is at deny nobody comes so far.
fn table_batch() -> Case {
    let pages: Vec<Page> =
        (0..page::TABLES_TOLD).map(|_| Page::normal(0)).chain([Page::table(1, 1, &[])]).collect();
    let whole = minimal::pv32().replaced(PAGES, page_data(&pages));
    let record = whole.find(PAGES);
    let entries = BODY + page::HEADER;
    let end = whole.offset(record) + entries + page::ENTRY * (page::TABLES_TOLD + 1);
    let neighbour = minimal::pv32().replaced(PAGES, libxc::first_pass(MAX_32, &[Page::table(1, 1, &[])]));

    let mut case = Case::of(Rule::PvTableBatch, "", &whole, &neighbour)
        .in_item(&whole, record, entries + page::ENTRY * page::TABLES_TOLD)
        .refused_by(Profile::Spec, Rule::StreamTruncated, end)
        .refused_by(Profile::Restore, Rule::StreamTruncated, end)
        .note("cut behind the entries: the pages would be 16 MiB; the neighbour has a smaller batch");
    case.stream.truncate(end as usize);
    case
}

fn registers() -> Vec<Case> {
    let (wide, narrow) = (minimal::pv64(), minimal::pv32());
    let case = |rule, variant, base: &Stream, [broken, fine]: [Basic; 2], at| {
        let neighbour = base.clone().replaced(BASIC, vcpu_basic(0, &fine));
        other(rule, variant, base, BASIC, vcpu_basic(0, &broken), BLOB + at).beside(&neighbour)
    };
    let pv64 = |rule, variant, set: &dyn Fn(Basic, u64) -> Basic, at| {
        case(rule, variant, &wide, [MAX_64 + 1, MAX_64].map(|pfn| set(Basic::pv64(), pfn)), at)
    };
    let pv32 = |rule, variant, set: &dyn Fn(Basic, u64) -> Basic, at| {
        case(rule, variant, &narrow, [MAX_32 + 1, MAX_32].map(|pfn| set(Basic::pv32(), pfn)), at)
    };
    let count = |variant, base: &Stream, basic: fn() -> Basic, at| {
        let counts = [GDT_ENTRIES_MAX + 1, GDT_ENTRIES_MAX];
        case(Rule::PvGdtCount, variant, base, counts.map(|n| basic().gdt_entries(n)), at)
    };
    // The frame counts if the entries reach into it: the neighbour's end right before it.
    let unreached = [513, 512].map(|n| Basic::pv64().gdt_entries(n).gdt_frame(1, MAX_64 + 1));
    // A frame whose number does not fit the upper bits of a 32-bit cr3 has the rest in the lower ones.
    let folded = [Basic::pv32().cr3(1 << 20), Basic::pv32().cr3(1)];
    vec![
        pv64(Rule::PvStartInfoRange, "", &Basic::start_info, LAYOUT_64.edx),
        pv32(Rule::PvStartInfoRange, "pv32", &Basic::start_info, LAYOUT_32.edx),
        count("", &wide, Basic::pv64, LAYOUT_64.gdt_ents),
        count("pv32", &narrow, Basic::pv32, LAYOUT_32.gdt_ents),
        pv64(
            Rule::PvGdtRange,
            "",
            &|basic, pfn| basic.gdt_entries(1).gdt_frame(0, pfn),
            LAYOUT_64.gdt_frames,
        ),
        case(Rule::PvGdtRange, "second", &wide, unreached, LAYOUT_64.gdt_frames + 8),
        pv32(
            Rule::PvGdtRange,
            "pv32",
            &|basic, pfn| basic.gdt_entries(7168).gdt_frame(13, pfn),
            LAYOUT_32.gdt_frames + 13 * 4,
        ),
        pv64(Rule::PvCr3Range, "", &Basic::cr3, LAYOUT_64.cr3),
        pv32(Rule::PvCr3Range, "pv32", &Basic::cr3, LAYOUT_32.cr3),
        case(Rule::PvCr3Range, "pv32-folded", &narrow, folded, LAYOUT_32.cr3),
        pv64(Rule::PvCr1Range, "", &Basic::cr1, LAYOUT_64.cr1.expect("64-bit guests have one")),
        second_vcpu(),
    ]
}

/// Rules that look at every vcpu, but for the start-info page, which only vcpu 0 names.
fn second_vcpu() -> Case {
    let base = minimal::pv64();
    let item = |pfn| vcpu_basic(1, &Basic::pv64().start_info(MAX_64 + 1).cr3(pfn));
    let end = Part::libxc(END);
    let broken = base.clone().before(end, item(MAX_64 + 1));
    let neighbour = base.before(end, item(MAX_64));
    Case::of(Rule::PvCr3Range, "second-vcpu", &broken, &neighbour).in_item(
        &broken,
        broken.nth(BASIC, 1),
        BLOB + LAYOUT_64.cr3,
    )
}
