//! What the guest's processor can do.

use xenstream_core::Rule;
use xenstream_core::wire::libxc::policy;
use xenstream_core::wire::libxc::types::{STATIC_DATA_END, X86_CPUID_POLICY, X86_MSR_POLICY};

use crate::body::{Body, Field};
use crate::broken::needs::V3;
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, either};
use crate::item::{Item, Part};
use crate::libxc::{self, record};
use crate::minimal;
use crate::places::{BODY, LENGTH, NO_SUBLEAF, STATIC};

pub(crate) fn cases() -> Vec<Case> {
    let hvm = minimal::hvm();
    let with = |rule, variant, broken, fine, at| either(rule, variant, &hvm, STATIC, [broken, fine], at);
    let leaf =
        |leaf, subleaf| libxc::cpuid_policy(&[[0, NO_SUBLEAF, 0, 0, 0, 0], [leaf, subleaf, 0, 0, 0, 0]]);
    let cpuid = |variant, size| {
        let item = record(X86_CPUID_POLICY, Body::new().zeros(size));
        with(Rule::LibxcCpuidPolicyLength, variant, item, leaf(1, NO_SUBLEAF), LENGTH)
    };
    let two = || libxc::msr_policy(&[(0xCE, 0), (0x10A, 0)]);
    let msr = |variant, size| {
        let item = record(X86_MSR_POLICY, Body::new().zeros(size));
        with(Rule::LibxcMsrPolicyLength, variant, item, two(), LENGTH)
    };
    let leaves = |count| libxc::cpuid_policy(&vec![[1, NO_SUBLEAF, 0, 0, 0, 0]; count]);
    let largest = |variant, leaf, subleaf, bad, good| {
        let [bad, good] = [bad, good].map(|eax| libxc::cpuid_policy(&[[leaf, subleaf, eax, 0, 0, 0]]));
        with(Rule::LibxcCpuidPolicyMax, variant, bad, good, BODY + 8)
    };
    let policy = |rule, variant, bad, good, at| {
        with(rule, variant, libxc::msr_policy(&[bad]), libxc::msr_policy(&[good]), BODY + at)
    };
    let one = libxc::msr_policy(&[(0xCE, 0)]);
    let three = libxc::msr_policy(&[(0xCE, 0), (0x10A, 0), (0xCE, 0)]);
    let flags =
        |variant, at| with(Rule::LibxcMsrPolicyFlags, variant, two().edited(at, Field::U32(1)), two(), at);
    vec![
        cpuid("", 25),
        cpuid("empty", 0),
        with(Rule::LibxcCpuidPolicyLeaf, "", leaf(0x1000_0000, NO_SUBLEAF), leaf(1, NO_SUBLEAF), BODY + 24),
        with(Rule::LibxcCpuidPolicyLeaf, "subleaf", leaf(1, 0), leaf(1, NO_SUBLEAF), BODY + 24 + 4),
        with(Rule::LibxcCpuidPolicyLeaf, "last", leaf(0xE, NO_SUBLEAF), leaf(0xC, NO_SUBLEAF), BODY + 24),
        with(
            Rule::LibxcCpuidPolicyLeaf,
            "extended",
            leaf(0x8000_0022, NO_SUBLEAF),
            leaf(0x8000_0021, NO_SUBLEAF),
            BODY + 24,
        ),
        with(Rule::LibxcCpuidPolicyLeaf, "features", leaf(7, 4), leaf(7, 3), BODY + 24 + 4),
        with(Rule::LibxcCpuidPolicyLeaf, "xsave", leaf(0xD, 63), leaf(0xD, 62), BODY + 24 + 4),
        with(Rule::LibxcCpuidPolicyCount, "", leaves(122), leaves(121), LENGTH),
        largest("", 0, NO_SUBLEAF, 0xE, 0xD),
        largest("features", 7, 0, 4, 3),
        largest("extended", 0x8000_0000, NO_SUBLEAF, 0x8000_0022, 0x8000_0021),
        policy(Rule::LibxcMsrPolicyIndex, "", (0x1234, 0), (0xCE, 0), 0),
        policy(Rule::LibxcMsrPolicyValue, "", (0xCE, 1), (0xCE, 1 << 31), 8),
        msr("", 24),
        msr("empty", 0),
        with(Rule::LibxcMsrPolicyCount, "", three, one, LENGTH),
        flags("", BODY + 4),
        flags("second", BODY + 16 + 4),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxcCpuidPolicyLength, V3, |d| {
        let length = d.one_of(&[0, 1, policy::CPUID_LEAF - 1, policy::CPUID_LEAF + 8])?;
        ahead(d, record(X86_CPUID_POLICY, Body::new().zeros(length)), LENGTH)
    }),
    Break::new(Rule::LibxcCpuidPolicyLeaf, V3, |d| {
        let (leaf, subleaf, at) = d.one_of(&[
            (0x1000_0000, NO_SUBLEAF, 0),
            (u32::MAX, NO_SUBLEAF, 0),
            (0, 0, 4),
            (1, 7, 4),
            (0x8000_0000, 0, 4),
        ])?;
        let before = d.number(0, 3);
        let mut leaves = vec![[0, NO_SUBLEAF, 0, 0, 0, 0]; before as usize];
        leaves.push([leaf, subleaf, 0, 0, 0, 0]);
        ahead(d, libxc::cpuid_policy(&leaves), BODY + policy::CPUID_LEAF * before + at)
    }),
    Break::new(Rule::LibxcCpuidPolicyCount, V3, |d| {
        let leaves = vec![[1, u32::MAX, 0, 0, 0, 0]; d.number(122, 200) as usize];
        ahead(d, libxc::cpuid_policy(&leaves), LENGTH)
    }),
    Break::new(Rule::LibxcCpuidPolicyMax, V3, |d| {
        let (leaf, subleaf, eax) =
            d.one_of(&[(0, u32::MAX, 0xE), (7, 0, 4), (0x8000_0000, u32::MAX, 0x8000_0022)])?;
        ahead(d, libxc::cpuid_policy(&[[leaf, subleaf, eax, 0, 0, 0]]), BODY + 8)
    }),
    Break::new(Rule::LibxcMsrPolicyIndex, V3, |d| {
        let index = d.one_of(&[0, 0xCF, 0x1234, u32::MAX])?;
        ahead(d, libxc::msr_policy(&[(index, 0)]), BODY)
    }),
    Break::new(Rule::LibxcMsrPolicyValue, V3, |d| {
        let value = d.one_of(&[1, 1 << 30, 1 << 32, u64::MAX])?;
        ahead(d, libxc::msr_policy(&[(0xCE, value)]), BODY + 8)
    }),
    Break::new(Rule::LibxcMsrPolicyLength, V3, |d| {
        let length = d.one_of(&[0, 1, policy::MSR - 1, policy::MSR + 8])?;
        ahead(d, record(X86_MSR_POLICY, Body::new().zeros(length)), LENGTH)
    }),
    Break::new(Rule::LibxcMsrPolicyCount, V3, |d| {
        let msrs: Vec<(u32, u64)> = (0..=d.number(policy::MSRS_MAX, 4)).map(|n| (n as u32, n)).collect();
        ahead(d, libxc::msr_policy(&msrs), LENGTH)
    }),
];

/// A record more among the static data.
fn ahead(d: &Draft<'_>, item: Item, at: u64) -> Option<Fault> {
    d.extra(d.first(Part::libxc(STATIC_DATA_END))?, item, at)
}
