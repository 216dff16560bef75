//! Registers and policies: what a record of them needs, and may have.

use xenstream_core::wire::RECORD_HEADER;
use xenstream_core::wire::libxc::types::{END, STATIC_DATA_END, X86_CPUID_POLICY, X86_PV_VCPU_BASIC};
use xenstream_core::wire::libxc::vcpu::HEADER;
use xenstream_core::wire::msr::{MISC_FEATURES_ENABLES, PLATFORM_INFO, TSC_AUX};
use xenstream_core::{Level, Policy, Rule};
use xenstream_synth::{Body, Part, libxc, minimal, valid};

use crate::common::refused;

/// A vcpu without any state is no vcpu, and where no state is none of it is read.
#[test]
fn empty_basic_record_of_vcpu_0_does_not_count() {
    let basic = Part::libxc(X86_PV_VCPU_BASIC);
    let empty = |vcpu| libxc::vcpu(X86_PV_VCPU_BASIC, vcpu, Body::new());
    let policy =
        Policy::spec().with_level(Rule::LibxcVcpuBasicMissing, Level::Deny).expect("no structural rule");
    let without = valid::pv64().replaced(basic, empty(0));
    let end = without.offset(without.find(Part::libxc(END)));
    assert_eq!(refused(&without, &policy), Some((Rule::LibxcVcpuBasicMissing, end)));
    assert_eq!(refused(&valid::pv64().after(basic, empty(1)), &policy), None);
}

#[test]
fn leaves_with_subleaves_are_those_of_xen() {
    let policy =
        Policy::spec().with_level(Rule::LibxcCpuidPolicyLeaf, Level::Deny).expect("no structural rule");
    let part = Part::libxc(X86_CPUID_POLICY);
    let with =
        |leaf, subleaf| valid::hvm().replaced(part, libxc::cpuid_policy(&[[leaf, subleaf, 0, 0, 0, 0]]));
    let none = u32::MAX;
    for leaf in [0x4, 0x7, 0xB, 0xD] {
        assert_eq!(refused(&with(leaf, 0), &policy), None, "{leaf:#x}");
        assert_eq!(refused(&with(leaf, 1), &policy), None, "{leaf:#x}");
    }
    for leaf in [0x0, 0x1, 0x3, 0x5, 0x6, 0x8, 0xA, 0xC, 0x4000_0000, 0x4000_0100, 0x8000_0000, 0x8000_0021] {
        assert_eq!(refused(&with(leaf, none), &policy), None, "{leaf:#x}");
        let stream = with(leaf, 0);
        let at = stream.offset(stream.find(part)) + RECORD_HEADER + 4;
        assert_eq!(refused(&stream, &policy), Some((Rule::LibxcCpuidPolicyLeaf, at)), "{leaf:#x}");
    }
    for leaf in [0xE, 0x14, 0x4000_0001, 0x4000_00FF, 0x8000_0022, 0xFFFF_FFFF] {
        let stream = with(leaf, none);
        let at = stream.offset(stream.find(part)) + RECORD_HEADER;
        assert_eq!(refused(&stream, &policy), Some((Rule::LibxcCpuidPolicyLeaf, at)), "{leaf:#x}");
    }
}

/// The restorer applies the policies when the static data ends. What comes later changes nothing.
#[test]
fn a_late_policy_leaves_the_applied_one_standing() {
    let leaves = [[7, 0, 0, 0, 0, 0], [0x8000_0001, u32::MAX, 0, 0, 0, 0]];
    let end = Part::libxc(STATIC_DATA_END);
    let basic = Part::libxc(X86_PV_VCPU_BASIC);
    let late = minimal::pv32()
        .before(end, libxc::cpuid_policy(&leaves))
        .before(end, libxc::msr_policy(&[(PLATFORM_INFO, 0)]))
        .after(end, libxc::msr_policy(&[(PLATFORM_INFO, 1 << 31)]))
        .after(end, libxc::cpuid_policy(&[[1, u32::MAX, 0, 0, 0, 0]]));
    let policy =
        Policy::restore().with_level(Rule::LibxcStaticRecordLate, Level::Allow).expect("no structural rule");
    assert_eq!(refused(&late, &policy), None);
    for (rule, at, msr) in
        [(Rule::PvMsrsPolicy, 0, (TSC_AUX, 0)), (Rule::PvMsrsValue, 8, (MISC_FEATURES_ENABLES, 1))]
    {
        let stream = late.clone().before(basic, libxc::vcpu_msrs(0, &[msr]));
        let entry = stream.offset(stream.find(basic) - 1) + RECORD_HEADER + HEADER;
        assert_eq!(refused(&stream, &policy), Some((rule, entry + at)));
    }
}
