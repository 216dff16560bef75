//! The libxc stream: registers, parameters and policies.

use xenstream_core::wire::libxc::types::{
    END, HVM_CONTEXT, HVM_PARAMS, PAGE_DATA, SHARED_INFO, X86_CPUID_POLICY, X86_MSR_POLICY,
    X86_PV_VCPU_BASIC, X86_PV_VCPU_EXTENDED, X86_PV_VCPU_MSRS, X86_PV_VCPU_XSAVE, X86_TSC_INFO,
};
use xenstream_core::wire::libxc::{params, tsc, vcpu};
use xenstream_core::{Limit, Profile, Rule};

use super::{BODY, Case, LENGTH, either, extra, other};
use crate::body::{Body, Field};
use crate::item::{Item, Part};
use crate::libxc::{self, record};
use crate::minimal;
use crate::places::{BASIC, BLOB, PARAM, PARAMS, STATIC};
use crate::stream::Stream;
use crate::vcpu::extended_state;

pub(super) fn cases() -> Vec<Case> {
    [vcpus(), vcpu_fields(), shared_info_and_tsc(), hvm_params(), hvm_context(), policies()].concat()
}

/// A record more after the memory of a PV guest, as it should not and as it should be.
fn in_pv(rule: Rule, variant: &'static str, broken: Item, fine: Item, at: u64) -> Case {
    either(rule, variant, &minimal::pv32(), BASIC, [broken, fine], at)
}

fn vcpus() -> Vec<Case> {
    let pv = minimal::pv32();
    let basic = |variant, base: &Stream, size| {
        let blob = Body::new().zeros(size);
        let item = libxc::vcpu(X86_PV_VCPU_BASIC, 0, blob);
        other(Rule::LibxcVcpuBasicLength, variant, base, BASIC, item, LENGTH)
    };
    let blob = |rule, variant, kind, size, right| {
        let wrong = libxc::vcpu(kind, 0, Body::new().zeros(size));
        in_pv(rule, variant, wrong, right, LENGTH)
    };
    let headless = |variant, kind, size| {
        let wrong = record(kind, Body::new().zeros(size));
        in_pv(Rule::LibxcVcpuHeader, variant, wrong, libxc::vcpu_xsave(0, vcpu::XSAVE_MIN), LENGTH)
    };
    let extended = |size| libxc::vcpu_extended(0, extended_state(0, size));
    let msrs = || libxc::vcpu_msrs(0, &[(0xC000_0103, 0)]);
    vec![
        headless("", X86_PV_VCPU_XSAVE, 7),
        headless("empty", X86_PV_VCPU_EXTENDED, 0),
        basic("", &pv, vcpu::BASIC_32 - 8),
        basic("wide", &pv, vcpu::BASIC_64).note("as long as a 64-bit guest's"),
        basic("pv64", &minimal::pv64(), vcpu::BASIC_32).note("as long as a 32-bit guest's"),
        blob(
            Rule::LibxcVcpuExtendedLength,
            "",
            X86_PV_VCPU_EXTENDED,
            vcpu::EXTENDED_MAX + 1,
            extended(vcpu::EXTENDED_MAX),
        ),
        blob(
            Rule::LibxcVcpuXsaveLength,
            "",
            X86_PV_VCPU_XSAVE,
            vcpu::XSAVE_MIN - 1,
            libxc::vcpu_xsave(0, vcpu::XSAVE_MIN),
        ),
        blob(Rule::LibxcVcpuMsrsLength, "", X86_PV_VCPU_MSRS, vcpu::MSR + 8, msrs()),
        blob(Rule::LibxcVcpuEmpty, "", X86_PV_VCPU_EXTENDED, 0, extended(64))
            .note("Xen 4.6 to 4.8 wrote such records: they count as absent"),
        blob(Rule::LibxcVcpuEmpty, "msrs", X86_PV_VCPU_MSRS, 0, msrs()),
    ]
}

fn vcpu_fields() -> Vec<Case> {
    let xsave = |id| libxc::vcpu_xsave(id, vcpu::XSAVE_MIN);
    let empty = |id| libxc::vcpu_msrs(id, &[]);
    let reserved = |item: Item| item.edited(BODY + vcpu::RESERVED_AT, Field::U32(1));
    let limit = Limit::Vcpus.defaults().map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let extended = |inner| libxc::vcpu_extended(0, extended_state(inner, 64));
    let msrs = || libxc::vcpu_msrs(0, &[(0xC000_0103, 0), (0xC001_1027, 0)]);
    let msr = |variant, n: u64| {
        let at = BLOB + n * vcpu::MSR + 4;
        in_pv(Rule::LibxcVcpuMsrsReserved, variant, msrs().edited(at, Field::le32(1)), msrs(), at)
    };
    vec![
        in_pv(Rule::LibxcVcpuReserved, "", reserved(xsave(0)), xsave(0), BODY + vcpu::RESERVED_AT),
        in_pv(Rule::LibxcVcpuId, "", xsave(limit[0]), xsave(limit[0] - 1), BODY),
        in_pv(Rule::LibxcVcpuId, "hardened", xsave(limit[2]), xsave(limit[2] - 1), BODY)
            .silent(Profile::Spec)
            .silent(Profile::Restore),
        in_pv(Rule::LibxcVcpuId, "limit", xsave(2), xsave(1), BODY).limit(Limit::Vcpus, 2),
        in_pv(Rule::LibxcVcpuId, "empty", empty(limit[0]), empty(limit[0] - 1), BODY)
            .allowing(Rule::LibxcVcpuEmpty)
            .silent(Profile::Restore)
            .note("the restorer drops it before it looks at the id"),
        in_pv(Rule::LibxcVcpuExtendedId, "", extended(1), extended(0), BLOB)
            .note("Xen goes by the id inside the blob"),
        msr("", 0),
        msr("second", 1),
    ]
}

fn shared_info_and_tsc() -> Vec<Case> {
    let (pv, hvm) = (minimal::pv32(), minimal::hvm());
    let shared = |variant, size| {
        let item = record(SHARED_INFO, Body::new().zeros(size));
        other(Rule::LibxcSharedInfoLength, variant, &pv, Part::libxc(SHARED_INFO), item, LENGTH)
    };
    let tsc = |rule, variant, broken, at| {
        either(rule, variant, &hvm, PARAMS, [broken, libxc::tsc_info(2, 0, 0, 1)], at)
    };
    let length = |variant, size| {
        tsc(Rule::LibxcTscInfoLength, variant, record(X86_TSC_INFO, Body::new().zeros(size)), LENGTH)
    };
    let reserved = libxc::tsc_info(2, 0, 0, 1).edited(BODY + tsc::RESERVED_AT, Field::U32(1));
    vec![
        shared("", 8),
        shared("longer", 4104),
        length("", 16),
        length("longer", 32),
        tsc(Rule::LibxcTscInfoReserved, "", reserved, BODY + tsc::RESERVED_AT),
        tsc(Rule::LibxcTscInfoMode, "", libxc::tsc_info(3, 0, 0, 1), BODY),
        tsc(Rule::LibxcTscInfoKhz, "", libxc::tsc_info(1, 999, 0, 1), BODY + 4),
        tsc(Rule::LibxcTscInfoKhz, "large", libxc::tsc_info(0, 20_000_001, 0, 1), BODY + 4),
        tsc(Rule::LibxcTscInfoKhz, "wraps", libxc::tsc_info(1, 1 << 29, 0, 1), BODY + 4)
            .note("releases before 4.16.4 and 4.17.1 loop for ever"),
    ]
}

fn hvm_params() -> Vec<Case> {
    let hvm = minimal::hvm();
    let with = |rule, variant, item, at| other(rule, variant, &hvm, PARAMS, item, at);
    let body = |count: u32| Body::new().u32(count).u32(0).u64(1).u64(0);
    let length = |variant, body| with(Rule::LibxcHvmParamsLength, variant, record(HVM_PARAMS, body), LENGTH);
    let pair = |rule, variant, index, value, at| {
        with(rule, variant, libxc::hvm_params(&[(1, 0), (index, value), (17, 0)]), PARAM + params::ENTRY + at)
    };
    let index = |variant, index| pair(Rule::LibxcHvmParamsIndex, variant, index, 0, 0);
    // The neighbour sets parameter 4, which Xen drops without a word.
    let dropped = hvm.clone().replaced(PARAMS, libxc::hvm_params(&[(1, 0), (4, 0), (17, 0)]));
    let refused = |variant, index| pair(Rule::LibxcHvmParamsRefused, variant, index, 0, 0).beside(&dropped);
    // The neighbour has a value of the same parameter that Xen takes.
    let value = |variant, index, value, taken| {
        let fine = hvm.clone().replaced(PARAMS, libxc::hvm_params(&[(1, 0), (index, taken), (17, 0)]));
        pair(Rule::LibxcHvmParamsRefused, variant, index, value, 8).beside(&fine)
    };
    let without = |rule, kept| {
        let broken = hvm.clone().replaced(PARAMS, libxc::hvm_params(&[kept]));
        Case::of(rule, "", &broken, &hvm).in_item(&broken, broken.find(Part::libxc(END)), 0)
    };
    let reserved = hvm.items()[hvm.find(PARAMS)].clone().edited(BODY + 4, Field::U32(1));
    // In Remus streams each checkpoint has the record again. Both values name pages of the guest.
    let twice = hvm
        .clone()
        .replaced(Part::libxc(PAGE_DATA), libxc::first_pass(2, &[]))
        .before(PARAMS, libxc::hvm_params(&[(5, 1)]));
    let [again, changed] = [1, 2].map(|value| libxc::hvm_params(&[(5, value)]));
    let conflict = {
        let second = twice.find(PARAMS) + 1;
        let [broken, fine] = [changed, again].map(|item| twice.clone().inserted(second, item));
        Case::of(Rule::LibxcHvmParamsConflict, "", &broken, &fine).in_item(&broken, second, PARAM + 8)
    };
    vec![
        length("header", Body::new().u32(0)),
        length("", body(2)),
        length("longer", body(1).zeros(8)),
        length("huge-count", body(u32::MAX)),
        with(Rule::LibxcHvmParamsReserved, "", reserved, BODY + 4),
        extra(Rule::LibxcHvmParamsEmpty, "", &hvm, PARAMS, libxc::hvm_params(&[]))
            .in_record(BODY)
            .note("Xen 4.6 to 4.8 wrote such records"),
        without(Rule::LibxcHvmParamsStore, (17, 0)),
        without(Rule::LibxcHvmParamsConsole, (1, 0)),
        index("", params::COUNT),
        index("wraps", 1 << 32 | 1).note("the restorer cuts it to 32 bits and sets parameter 1"),
        refused("", 13),
        refused("20", 20),
        refused("26", 26),
        refused("30", 30),
        value("9", 9, 2, 1),
        value("10", 10, 4, 3),
        value("14", 14, 1, 0),
        value("15", 15, 1 << 32, u64::from(u32::MAX)),
        value("31", 31, 6, 5),
        value("33", 33, 65, 64),
        value("33-zero", 33, 0, 1),
        value("36", 36, 2, 8),
        value("viridian-unknown", 9, 1 << 13 | 1, 1),
        value("ioports", 19, 2, 1),
        value("vm86-tss-size", 37, 103 << 32, 104 << 32),
        value("mca-cap", 38, 2, 1),
        pair(Rule::LibxcHvmParamsSuspended, "", 14, 3, 8),
        conflict,
        pair(Rule::LibxcHvmParamsRepeated, "", 1, 0, 0),
    ]
}

fn hvm_context() -> Vec<Case> {
    let item = record(HVM_CONTEXT, Body::new());
    vec![other(Rule::LibxcHvmContextEmpty, "", &minimal::hvm(), Part::libxc(HVM_CONTEXT), item, LENGTH)]
}

fn policies() -> Vec<Case> {
    /// The `subleaf` of a leaf that has none.
    const NONE: u32 = u32::MAX;
    let hvm = minimal::hvm();
    let with = |rule, variant, broken, fine, at| either(rule, variant, &hvm, STATIC, [broken, fine], at);
    let leaf = |leaf, subleaf| libxc::cpuid_policy(&[[0, NONE, 0, 0, 0, 0], [leaf, subleaf, 0, 0, 0, 0]]);
    let cpuid = |variant, size| {
        let item = record(X86_CPUID_POLICY, Body::new().zeros(size));
        with(Rule::LibxcCpuidPolicyLength, variant, item, leaf(1, NONE), LENGTH)
    };
    let two = || libxc::msr_policy(&[(0xCE, 0), (0x10A, 0)]);
    let msr = |variant, size| {
        let item = record(X86_MSR_POLICY, Body::new().zeros(size));
        with(Rule::LibxcMsrPolicyLength, variant, item, two(), LENGTH)
    };
    let leaves = |count| libxc::cpuid_policy(&vec![[1, NONE, 0, 0, 0, 0]; count]);
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
        with(Rule::LibxcCpuidPolicyLeaf, "", leaf(0x1000_0000, NONE), leaf(1, NONE), BODY + 24),
        with(Rule::LibxcCpuidPolicyLeaf, "subleaf", leaf(1, 0), leaf(1, NONE), BODY + 24 + 4),
        with(Rule::LibxcCpuidPolicyLeaf, "last", leaf(0xE, NONE), leaf(0xC, NONE), BODY + 24),
        with(
            Rule::LibxcCpuidPolicyLeaf,
            "extended",
            leaf(0x8000_0022, NONE),
            leaf(0x8000_0021, NONE),
            BODY + 24,
        ),
        with(Rule::LibxcCpuidPolicyLeaf, "features", leaf(7, 4), leaf(7, 3), BODY + 24 + 4),
        with(Rule::LibxcCpuidPolicyLeaf, "xsave", leaf(0xD, 63), leaf(0xD, 62), BODY + 24 + 4),
        with(Rule::LibxcCpuidPolicyCount, "", leaves(122), leaves(121), LENGTH),
        largest("", 0, NONE, 0xE, 0xD),
        largest("features", 7, 0, 4, 3),
        largest("extended", 0x8000_0000, NONE, 0x8000_0022, 0x8000_0021),
        policy(Rule::LibxcMsrPolicyIndex, "", (0x1234, 0), (0xCE, 0), 0),
        policy(Rule::LibxcMsrPolicyValue, "", (0xCE, 1), (0xCE, 1 << 31), 8),
        msr("", 24),
        msr("empty", 0),
        with(Rule::LibxcMsrPolicyCount, "", three, one, LENGTH),
        flags("", BODY + 4),
        flags("second", BODY + 16 + 4),
    ]
}
