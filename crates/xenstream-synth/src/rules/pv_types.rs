//! Pages that a PV guest's registers name, and their types: what takes a second walk.

use xenstream_core::wire::libxc::types::{CHECKPOINT, PAGE_DATA, VERIFY};
use xenstream_core::wire::libxc::vcpu::{BasicLayout, LAYOUT_32, LAYOUT_64};
use xenstream_core::wire::libxc::{p2m, page, pte};
use xenstream_core::{Guest, Rule};

use crate::body::Field;
use crate::broken::{Break, Draft, Fault};
use crate::cases::Case;
use crate::item::Part;
use crate::libxc::{page_data, vcpu_basic};
use crate::pages::Page;
use crate::places::{BASIC, BLOB, BODY, P2M, PAGES};
use crate::stream::Stream;
use crate::valid::{self, GDT, RING, ROOT, START_INFO};
use crate::vcpu::Basic;

const PV: &str = "a PV guest without checkpoints";
const PV64: &str = "a 64-bit PV guest without checkpoints";

pub(crate) fn cases() -> Vec<Case> {
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

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::PvStartInfoType, PV, |d| {
        let (index, layout) = vcpu_0(d)?;
        let pfn = word(d, index, layout, layout.edx)?;
        Some(retyped(d.stream.clone(), pfn, index, BLOB + layout.edx))
    }),
    Break::new(Rule::PvStoreRange, PV, |d| ring(d, [44, 56])),
    Break::new(Rule::PvConsoleRange, PV, |d| ring(d, [52, 72])),
    Break::new(Rule::PvGdtType, PV, |d| {
        let (index, layout) = vcpu_0(d)?;
        let pfn = word(d, index, layout, layout.gdt_frames)?;
        let item = d.item(index).clone().edited(BLOB + layout.gdt_ents, Field::le32(1));
        let stream = d.stream.clone().with_item(index, item);
        Some(retyped(stream, pfn, index, BLOB + layout.gdt_frames))
    }),
    Break::new(Rule::PvCr3Type, PV, |d| {
        let (index, layout) = vcpu_0(d)?;
        let cr3 = word(d, index, layout, layout.cr3)?;
        let pfn =
            if layout.word == 4 { u64::from((cr3 as u32).rotate_left(20)) } else { cr3 >> pte::FRAME_SHIFT };
        Some(retyped(d.stream.clone(), pfn, index, BLOB + layout.cr3))
    }),
    Break::new(Rule::PvCr1Type, PV64, |d| {
        let (index, layout) = vcpu_0(d)?;
        let at = layout.cr1?;
        let pfn = d.expected.max_pfn?;
        let item =
            d.item(index).clone().edited(BLOB + at, Field::le64(pfn << pte::FRAME_SHIFT | pte::PRESENT));
        Some(retyped(d.stream.clone().with_item(index, item), pfn, index, BLOB + at))
    }),
    Break::new(Rule::PvP2mType, PV, |d| {
        let (basic, _) = vcpu_0(d)?;
        // The frames of the last record are looked at first.
        let index = d.last(P2M)?;
        let at = BODY + p2m::HEADER;
        let pfn = d.item(index).entries64().first().copied()?;
        let stream = d.stream.clone().inserted(basic, page_data(&[Page::allocated(pfn)]));
        Some(Fault::in_item(stream, index, at))
    }),
];

/// The BASIC of vcpu 0, which the restorer looks at first, in a stream that is judged at its end.
fn vcpu_0(d: &Draft<'_>) -> Option<(usize, &'static BasicLayout)> {
    d.guest(Guest::Pv)?;
    d.first(Part::libxc(CHECKPOINT)).is_none().then_some(())?;
    let index = d.any(|index, item| item.part() == BASIC && d.read32(index, BODY) == 0)?;
    Some((index, if d.expected.guest_width? == 4 { &LAYOUT_32 } else { &LAYOUT_64 }))
}

/// A register in BASIC.
fn word(d: &Draft<'_>, index: usize, layout: &BasicLayout, at: u64) -> Option<u64> {
    let bytes = d.bytes(index);
    let bytes = bytes.get((BLOB + at) as usize..)?;
    let low = u32::from_le_bytes(*bytes.first_chunk()?);
    if layout.word == 4 { Some(u64::from(low)) } else { Some(u64::from_le_bytes(*bytes.first_chunk()?)) }
}

/// The page comes again before BASIC, without contents.
fn retyped(stream: Stream, pfn: u64, index: usize, at: u64) -> Fault {
    Fault::in_item(stream.inserted(index, page_data(&[Page::allocated(pfn)])), index + 1, at)
}

/// The start-info page comes again, with a pfn out of range at this offset of a 32-bit and of a 64-bit guest.
fn ring(d: &Draft<'_>, places: [u64; 2]) -> Option<Fault> {
    let (index, layout) = vcpu_0(d)?;
    d.first(Part::libxc(VERIFY)).is_none().then_some(())?;
    d.first(Part::libxc(PAGE_DATA)).filter(|first| *first < index)?;
    let [narrow, wide] = places;
    let at = if layout.word == 4 { narrow } else { wide };
    let mut contents = vec![0; at as usize];
    contents.extend((d.expected.max_pfn? as u32 + 1).to_le_bytes());
    let pfn = word(d, index, layout, layout.edx)?;
    let item = page_data(&[Page::normal(pfn).holding(contents)]);
    d.extra(index, item, BODY + page::HEADER + page::ENTRY + at)
}
