//! The state of PV vcpus: which record counts, and when.

use xenstream_core::wire::RECORD_HEADER;
use xenstream_core::wire::libxc::types::{END, PAGE_DATA, X86_PV_P2M_FRAMES, X86_PV_VCPU_BASIC};
use xenstream_core::wire::libxc::vcpu::{GDT_ENTRIES_MAX, HEADER, LAYOUT_64, VM_ASSIST_64};
use xenstream_core::{Level, Policy, Rule};
use xenstream_synth::minimal::{self, Kind, MAX_PFN_64};
use xenstream_synth::{Basic, Item, Part, Stream, extended_state, libxc};

use crate::common::refused;

const BASIC: Part = Part::libxc(X86_PV_VCPU_BASIC);
const MAX: u64 = MAX_PFN_64 as u64;

/// Offset of a field of the n-th BASIC.
fn field(stream: &Stream, n: usize, at: u64) -> u64 {
    stream.offset(stream.nth(BASIC, n)) + RECORD_HEADER + HEADER + at
}

fn with_basic(registers: &Basic) -> Stream {
    minimal::pv64().replaced(BASIC, libxc::vcpu_basic(0, registers))
}

fn bad_cr3() -> Item {
    libxc::vcpu_basic(0, &Basic::pv64().cr3(MAX + 1))
}

#[test]
fn every_address_of_a_vcpu_is_canonical() {
    let single = [648, 672, 4976, 5112, 5120, 5128, 5144, 5152, 5160];
    for at in single.into_iter().chain((0..256).map(|trap| 728 + 16 * trap)) {
        let stream = with_basic(&Basic::pv64().word(at, 1 << 63));
        let expected = Some((Rule::PvRegisters, field(&stream, 0, at)));
        assert_eq!(refused(&stream, &Policy::restore()), expected, "{at}");
        let stream = with_basic(&Basic::pv64().word(at, u64::MAX << 47));
        assert_eq!(refused(&stream, &Policy::hardened()), None, "{at}");
    }
}

/// What savers leave in BASIC and EXTENDED, and no Xen looks at.
#[test]
fn holes_and_dr5_are_never_flagged() {
    let registers = Basic::pv64().word(5088, u64::MAX).word(4984, u64::MAX).word(664, u64::MAX);
    let mut extended = extended_state(0, 64);
    extended[30..32].fill(0xFF);
    let stream = with_basic(&registers).after(BASIC, libxc::vcpu_extended(0, extended));
    for policy in [Policy::spec(), Policy::restore(), Policy::hardened()] {
        assert_eq!(refused(&stream, &policy), None);
    }
}

#[test]
fn vm_assist_counts_in_vcpu_0_alone() {
    let registers = Basic::pv64().word(5136, !VM_ASSIST_64);
    let stream = minimal::pv64().before(Part::libxc(END), libxc::vcpu_basic(1, &registers));
    assert_eq!(refused(&stream, &Policy::hardened()), None);
}

#[test]
fn the_last_basic_of_a_vcpu_counts_under_restore() {
    let good = || libxc::vcpu_basic(0, &Basic::pv64());
    let replaced = minimal::pv64().replaced(BASIC, bad_cr3()).after(BASIC, good());
    assert_eq!(refused(&replaced, &Policy::restore()), None);
    let at = field(&replaced, 0, LAYOUT_64.cr3);
    assert_eq!(refused(&replaced, &Policy::hardened()), Some((Rule::PvCr3Range, at)));

    let replacing = minimal::pv64().after(BASIC, bad_cr3());
    let at = field(&replacing, 1, LAYOUT_64.cr3);
    assert_eq!(refused(&replacing, &Policy::restore()), Some((Rule::PvCr3Range, at)));

    // Another vcpu's replaces nothing, and neither does an empty one.
    let other = libxc::vcpu_basic(1, &Basic::pv64());
    let stream = minimal::pv64().replaced(BASIC, bad_cr3()).after(BASIC, other);
    let at = field(&stream, 0, LAYOUT_64.cr3);
    assert_eq!(refused(&stream, &Policy::restore()), Some((Rule::PvCr3Range, at)));
}

#[test]
fn the_first_of_many_bad_vcpus_is_reported() {
    let bad = |vcpu| libxc::vcpu_basic(vcpu, &Basic::pv64().cr3(MAX + 1));
    let many = (1..12).fold(minimal::pv64(), |stream, vcpu| stream.before(Part::libxc(END), bad(vcpu)));
    let found = refused(&many, &Policy::restore()).expect("a refusal");
    assert_eq!(found.0, Rule::PvCr3Range);
}

#[test]
fn basic_before_the_p2m_is_judged_by_the_p2m() {
    let frames = Part::libxc(X86_PV_P2M_FRAMES);
    let early =
        |registers: &Basic| minimal::pv64().without(BASIC).before(frames, libxc::vcpu_basic(0, registers));
    let policy = Policy::restore();
    for (registers, rule, at) in [
        (Basic::pv64().gdt_entries(GDT_ENTRIES_MAX + 1), Rule::PvGdtCount, LAYOUT_64.gdt_ents),
        (Basic::pv64().gdt_entries(513).gdt_frame(1, MAX + 1), Rule::PvGdtRange, LAYOUT_64.gdt_frames + 8),
        (Basic::pv64().cr3(MAX + 1), Rule::PvCr3Range, LAYOUT_64.cr3),
        (Basic::pv64().start_info(MAX + 1), Rule::PvStartInfoRange, LAYOUT_64.edx),
    ] {
        let stream = early(&registers);
        assert_eq!(refused(&stream, &policy), Some((rule, field(&stream, 0, at))));
    }
    let fine = Basic::pv64().start_info(MAX).gdt_entries(512).gdt_frame(0, MAX).cr3(MAX).cr1(MAX);
    assert_eq!(refused(&early(&fine), &policy), None);
    let replaced = early(&Basic::pv64().cr3(MAX + 1)).after(frames, libxc::vcpu_basic(0, &fine));
    assert_eq!(refused(&replaced, &policy), None);
}

/// The p2m may grow after the vcpus.
#[test]
fn a_frame_is_judged_by_the_last_p2m() {
    let grown = with_basic(&Basic::pv64().cr3(MAX + 1))
        .before(Part::libxc(END), libxc::p2m_frames(MAX_PFN_64 + 1, MAX_PFN_64 + 1, &[1]));
    // The frames come without any memory.
    let policy =
        Policy::restore().with_level(Rule::LibxcMemoryShort, Level::Allow).expect("no structural rule");
    assert_eq!(refused(&grown, &policy), None);
}

#[test]
fn what_a_checkpoint_leaves_standing_counts() {
    let remus = |round: &Stream| minimal::checkpointed_guest(round, Kind::Remus, 1);
    let good = remus(&minimal::pv64());
    assert_eq!(refused(&good, &Policy::restore()), None);

    let bad = remus(&minimal::pv64().replaced(BASIC, bad_cr3()));
    let at = field(&bad, 0, LAYOUT_64.cr3);
    assert_eq!(refused(&bad, &Policy::restore()), Some((Rule::PvCr3Range, at)));

    // What comes after the last checkpoint is never applied.
    let end = good.find(Part::libxc(END));
    let late = good.clone().inserted(end, bad_cr3());
    assert_eq!(refused(&late, &Policy::restore()), None);
    assert!(late.has(Part::libxc(PAGE_DATA)));
}
