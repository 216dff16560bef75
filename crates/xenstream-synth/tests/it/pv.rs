//! What of a PV guest is compared with its p2m, and what is not.

use xenstream_core::wire::RECORD_HEADER;
use xenstream_core::wire::libxc::types::{
    PAGE_DATA, STATIC_DATA_END, X86_CPUID_POLICY, X86_PV_P2M_FRAMES, X86_PV_VCPU_BASIC,
};
use xenstream_core::wire::libxc::{image_at, vcpu};
use xenstream_core::{Layer, Level, Policy, Rule};
use xenstream_synth::{Field, Page, Part, Stream, libxc, valid};

/// What is refused, and how far after the start of the record of this type.
fn refused(stream: &Stream, policy: &Policy, part: Part) -> Option<(Rule, u64)> {
    let found = crate::common::refused(stream, policy);
    found.map(|(rule, offset)| (rule, offset - stream.offset(stream.find(part))))
}

#[test]
fn a_p2m_may_come_in_parts_and_hold_its_own_last_pfn() {
    let frames = Part::libxc(X86_PV_P2M_FRAMES);
    let parts = |second| {
        let first = valid::pv64().replaced(frames, libxc::p2m_frames(0, 511, &[511]));
        first.after(frames, libxc::p2m_frames(512, 1535, second))
    };
    let policy =
        Policy::spec().with_level(Rule::LibxcP2mFramesEntry, Level::Deny).expect("any rule can be at deny");
    assert_eq!(refused(&parts(&[1535, 4]), &policy, frames), None);
    for second in [&[1535][..], &[1535, 4, 5]] {
        let stream = parts(second);
        // Of the second record, which follows the first: header, range, one frame.
        let length = RECORD_HEADER + 16 + 4;
        assert_eq!(refused(&stream, &Policy::spec(), frames), Some((Rule::LibxcP2mFramesLength, length)));
    }
}

#[test]
fn first_wrong_page_table_entry_is_reported() {
    const ABOVE: u64 = 0x0000_1234_5678_9001;
    let batch = Part::libxc(PAGE_DATA);
    for entries in [&[(7, ABOVE)][..], &[(7, ABOVE), (9, ABOVE)], &[(7, ABOVE), (8, ABOVE), (9, ABOVE)]] {
        let stream = valid::pv64()
            .before(Part::libxc(X86_PV_VCPU_BASIC), libxc::page_data(&[Page::table(1, 5, entries)]));
        let first = stream.offset(stream.nth(batch, 1)) - stream.offset(stream.find(batch));
        let at = first + RECORD_HEADER + 8 + 8 + 7 * 8;
        assert_eq!(refused(&stream, &Policy::spec(), batch), Some((Rule::PvPteRange, at)), "{entries:?}");
    }
}

#[test]
fn registers_of_a_64_bit_guest_are_64_bits_wide() {
    let basic = Part::libxc(X86_PV_VCPU_BASIC);
    let layout = &vcpu::LAYOUT_64;
    let cr1 = layout.cr1.expect("a 64-bit guest has one");
    // Their lower halves are in range, those of cr1 and cr3 after the twelve bits that are no frame.
    let registers = [
        (layout.edx, 1 << 40 | 2, Some(Rule::PvStartInfoRange)),
        (layout.gdt_frames, 1 << 40 | 3, Some(Rule::PvGdtRange)),
        (cr1, 1 << 40 | 0x1001, Some(Rule::PvCr1Range)),
        (layout.cr3, 1 << 40 | 0x1000, Some(Rule::PvCr3Range)),
        // There is a cr1 only if its lowest bit says so.
        (cr1, 1 << 40 | 0x1000, Some(Rule::PvCr1Present)),
        // The restorer looks at the lower half of the number of GDT entries, and Xen at all of it.
        (layout.gdt_ents, 1 << 40 | 512, Some(Rule::PvGdtCount)),
    ];
    let policy = Policy::spec().with_level(Layer::Pv, Level::Deny).expect("any rule can be at deny");
    for (at, value, rule) in registers {
        let at = RECORD_HEADER + vcpu::HEADER + at;
        let stream = valid::pv64().edited(basic, at, Field::U64(value));
        assert_eq!(refused(&stream, &policy, basic), rule.map(|rule| (rule, at)), "{value:#x}");
    }
}

/// Version 3 says where static data ends: memory does not.
#[test]
fn memory_ends_the_static_data_of_version_2_only() {
    let allowed = [Rule::LibxcStaticDataEndMissing, Rule::LibxcPolicyVersion];
    let levels = allowed
        .map(|rule| (rule, Level::Allow))
        .into_iter()
        .chain([(Rule::LibxcStaticRecordLate, Level::Deny)]);
    let policy = levels.fold(Policy::spec(), |policy, (rule, level)| {
        policy.with_level(rule, level).expect("no structural rule")
    });
    let leaf = || libxc::cpuid_policy(&[[0; 6]]);
    let stream = valid::hvm().without(Part::libxc(STATIC_DATA_END)).without(Part::libxc(X86_CPUID_POLICY));
    let late = stream.after(Part::libxc(PAGE_DATA), leaf());
    let leaf = Part::libxc(X86_CPUID_POLICY);
    assert_eq!(refused(&late, &policy, leaf), None);
    let version_2 = late.edited(Part::Image, image_at::VERSION, Field::U32(2));
    assert_eq!(refused(&version_2, &policy, leaf), Some((Rule::LibxcStaticRecordLate, 0)));
}
