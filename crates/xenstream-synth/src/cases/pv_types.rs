//! Pages that a PV guest's registers name, and their types: what takes a second walk.

use xenstream_core::Rule;
use xenstream_core::wire::libxc::vcpu::{LAYOUT_32, LAYOUT_64};
use xenstream_core::wire::libxc::{p2m, page};

use super::{BODY, Case};
use crate::item::Part;
use crate::libxc::{page_data, vcpu_basic};
use crate::pages::Page;
use crate::places::{BASIC, BLOB, P2M, PAGES};
use crate::stream::Stream;
use crate::valid::{self, GDT, RING, ROOT, START_INFO};
use crate::vcpu::Basic;

pub(super) fn cases() -> Vec<Case> {
    let (wide, narrow) = (valid::pv64(), valid::pv32());
    let cr1 = LAYOUT_64.cr1.expect("64-bit guests have one");
    let registers = Basic::pv64().start_info(START_INFO).gdt_entries(512).gdt_frame(0, GDT).cr3(ROOT);
    let with = |registers: &Basic| wide.clone().replaced(BASIC, vcpu_basic(0, registers));
    let kernel = with(&registers);
    let user = |pfn| with(&registers.clone().cr1(pfn));
    vec![
        again(Rule::PvStartInfoType, "", &wide, Page::allocated(START_INFO), BASIC, BLOB + LAYOUT_64.edx),
        again(
            Rule::PvStartInfoType,
            "pv32",
            &narrow,
            Page::table(1, START_INFO, &[]),
            BASIC,
            BLOB + LAYOUT_32.edx,
        ),
        start_info(Rule::PvStoreRange, "", &wide, 56),
        start_info(Rule::PvStoreRange, "pv32", &narrow, 44),
        start_info(Rule::PvConsoleRange, "", &wide, 72),
        start_info(Rule::PvConsoleRange, "pv32", &narrow, 52),
        again(Rule::PvGdtType, "", &wide, Page::allocated(GDT), BASIC, BLOB + LAYOUT_64.gdt_frames),
        again(Rule::PvCr3Type, "", &kernel, Page::normal(ROOT), BASIC, BLOB + LAYOUT_64.cr3),
        again(Rule::PvCr3Type, "pv32", &narrow, Page::pinned(4, ROOT, &[]), BASIC, BLOB + LAYOUT_32.cr3),
        Case::of(Rule::PvCr1Type, "", &user(GDT), &user(ROOT)).in_item(
            &user(GDT),
            wide.find(BASIC),
            BLOB + cr1,
        ),
        again(Rule::PvP2mType, "", &wide, Page::allocated(valid::P2M), P2M, BODY + p2m::HEADER),
    ]
}

/// A page that comes again, as something else.
fn again(rule: Rule, variant: &'static str, base: &Stream, page: Page, named: Part, at: u64) -> Case {
    let broken = base.clone().after(PAGES, page_data(&[page]));
    Case::of(rule, variant, &broken, base).in_item(&broken, broken.find(named), at)
}

/// The start-info page once more, with a pfn above the largest at this offset.
fn start_info(rule: Rule, variant: &'static str, base: &Stream, at: u64) -> Case {
    let with = |pfn: u64| {
        let mut contents = vec![0; at as usize];
        contents.extend(pfn.to_le_bytes());
        base.clone().after(PAGES, page_data(&[Page::normal(START_INFO).holding(contents)]))
    };
    let broken = with(RING + 1);
    let contents = BODY + page::HEADER + page::ENTRY;
    let index = broken.nth(PAGES, 1);
    Case::of(rule, variant, &broken, &with(RING)).in_item(&broken, index, contents + at)
}
