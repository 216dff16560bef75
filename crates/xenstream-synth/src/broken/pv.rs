//! Contents of a PV guest that the restorer follows.

use xenstream_core::wire::libxc::types::PAGE_DATA;
use xenstream_core::wire::libxc::vcpu::{self, BasicLayout, GDT_ENTRIES_MAX, LAYOUT_32, LAYOUT_64};
use xenstream_core::wire::libxc::{page, pte};
use xenstream_core::wire::{PAGE_SIZE, RECORD_HEADER};
use xenstream_core::{Guest, Rule};

use super::{BODY, Break, Draft, Fault};
use crate::body::{Body, Field};
use crate::libxc::record;
use crate::pages::pte as present;
use crate::places::{BASIC, BLOB, ENTRIES, PAGES};

const PV: &str = "a PV guest";

pub(super) const BREAKS: &[Break] = &[
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
        // More pages than the verifier tells apart, and then a page table. Where the rule is at deny nobody comes so
        // far as the pages, and they would be 16 MiB.
        let before = page::TABLES_TOLD + d.number(0, 8);
        let entries = (0..before).map(|_| 0).chain([page::L1TAB << page::TYPE_SHIFT]);
        let body = Body::new().u32(before as u32 + 1).u32(0).u64s(entries);
        let item = record(PAGE_DATA, body).claiming(page::HEADER + (page::ENTRY + PAGE_SIZE) * (before + 1));
        let at = ENTRIES + page::ENTRY * before;
        let end = d.stream.offset(index) + RECORD_HEADER + page::HEADER + page::ENTRY * (before + 1);
        let fault = d.other(index, item, at)?;
        Some(Fault { stream: fault.stream.cut(end), ..fault })
    }),
    Break::new(Rule::PvStartInfoRange, PV, |d| {
        let index = d.any(|_, item| item.part() == BASIC)?;
        // Only vcpu 0 names it.
        (d.read32(index, BODY) == 0).then_some(())?;
        let pfn = too_high(d, u64::from(u32::MAX))?;
        register(d, index, |layout| layout.edx, pfn)
    }),
    Break::new(Rule::PvGdtCount, PV, |d| {
        let index = d.any_of(BASIC)?;
        let count = d.one_of(&[GDT_ENTRIES_MAX + 1, 0xFFFF, u64::from(u32::MAX)])?;
        register(d, index, |layout| layout.gdt_ents, count)
    }),
    Break::new(Rule::PvGdtRange, PV, |d| {
        let index = d.any_of(BASIC)?;
        let layout = layout(d)?;
        let frame = d.number(0, GDT_ENTRIES_MAX / vcpu::GDT_ENTRIES_PER_FRAME);
        let at = BLOB + layout.gdt_frames + frame * u64::from(layout.word);
        let pfn = too_high(d, u64::from(u32::MAX))?;
        let entries = (frame * vcpu::GDT_ENTRIES_PER_FRAME + d.number(1, vcpu::GDT_ENTRIES_PER_FRAME)) as u32;
        let item = d.item(index).clone().edited(BLOB + layout.gdt_ents, Field::le32(entries));
        d.other(index, item.edited(at, word(layout, pfn)), at)
    }),
    Break::new(Rule::PvCr3Range, PV, |d| {
        let index = d.any_of(BASIC)?;
        // A 32-bit guest's cr3 has room for 20 bits in the usual place.
        let frame = too_high(d, 0xF_FFFF)?;
        register(d, index, |layout| layout.cr3, frame << pte::FRAME_SHIFT)
    }),
    Break::new(Rule::PvCr1Range, "a 64-bit PV guest", |d| {
        let index = d.any_of(BASIC)?;
        let at = layout(d)?.cr1?;
        let frame = too_high(d, pte::FRAME >> pte::FRAME_SHIFT)?;
        d.field(index, BLOB + at, Field::le64(present(frame)))
    }),
];

/// A pfn above the guest's largest, up to this one.
fn too_high(d: &Draft<'_>, most: u64) -> Option<u64> {
    let first = d.expected.max_pfn? + 1;
    d.one_of(&[first, first + 1, first << 4, most])
}

fn layout(d: &Draft<'_>) -> Option<&'static BasicLayout> {
    d.expected.guest_width.map(|width| if width == 4 { &LAYOUT_32 } else { &LAYOUT_64 })
}

fn word(layout: &BasicLayout, value: u64) -> Field {
    if layout.word == 4 { Field::le32(value as u32) } else { Field::le64(value) }
}

fn register(d: &Draft<'_>, index: usize, at: fn(&BasicLayout) -> u64, value: u64) -> Option<Fault> {
    let layout = layout(d)?;
    let at = BLOB + at(layout);
    d.field(index, at, word(layout, value))
}
