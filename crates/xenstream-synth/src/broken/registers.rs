//! Registers, parameters and policies.

use xenstream_core::wire::libxc::types::{
    END, HVM_CONTEXT, HVM_PARAMS, SHARED_INFO, STATIC_DATA_END, X86_CPUID_POLICY, X86_MSR_POLICY,
    X86_PV_VCPU_BASIC, X86_PV_VCPU_EXTENDED, X86_PV_VCPU_MSRS, X86_PV_VCPU_XSAVE, X86_TSC_INFO,
};
use xenstream_core::wire::libxc::{params, policy, tsc, vcpu};
use xenstream_core::{Guest, Limit, Rule};

use super::{BODY, Break, Draft, Fault, LENGTH};
use crate::body::{Body, Field};
use crate::item::{Item, Part};
use crate::libxc::{self, record};
use crate::places::{BLOB, PARAM};
use crate::vcpu::extended_state;

const ANY: &str = "anything";
const PV: &str = "a PV guest";
const HVM: &str = "an HVM guest";
const V3: &str = "version 3";

pub(super) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxcVcpuHeader, PV, |d| {
        let kind = d.one_of(&VCPU)?;
        let body = Body::new().zeros(d.number(0, vcpu::HEADER));
        in_pv(d, record(kind, body), LENGTH)
    }),
    Break::new(Rule::LibxcVcpuBasicLength, PV, |d| {
        let right = if d.expected.guest_width? == 4 { vcpu::BASIC_32 } else { vcpu::BASIC_64 };
        let size = d.one_of(&[1, right - 8, right + 8, vcpu::BASIC_32 + vcpu::BASIC_64 - right])?;
        blob(d, X86_PV_VCPU_BASIC, size)
    }),
    Break::new(Rule::LibxcVcpuExtendedLength, PV, |d| {
        let size = d.number(vcpu::EXTENDED_MAX + 1, 64);
        blob(d, X86_PV_VCPU_EXTENDED, size)
    }),
    Break::new(Rule::LibxcVcpuXsaveLength, PV, |d| {
        let size = d.number(1, vcpu::XSAVE_MIN - 1);
        blob(d, X86_PV_VCPU_XSAVE, size)
    }),
    Break::new(Rule::LibxcVcpuMsrsLength, PV, |d| {
        let size = vcpu::MSR * d.number(0, 4) + d.number(1, vcpu::MSR - 1);
        blob(d, X86_PV_VCPU_MSRS, size)
    }),
    Break::new(Rule::LibxcVcpuEmpty, PV, |d| {
        let kind = d.one_of(&VCPU)?;
        blob(d, kind, 0)
    }),
    Break::new(Rule::LibxcVcpuReserved, PV, |d| {
        let value = d.number(1, u64::from(u32::MAX)) as u32;
        d.field(any_vcpu(d)?, BODY + vcpu::RESERVED_AT, Field::U32(value))
    }),
    Break::new(Rule::LibxcVcpuId, PV, |d| {
        let id = d.one_of(&[Limit::Vcpus.defaults()[0], u64::from(u32::MAX)])?;
        d.field(any_vcpu(d)?, BODY, Field::U32(id as u32))
    }),
    Break::new(Rule::LibxcVcpuExtendedId, PV, |d| {
        let outer = d.number(0, 8) as u32;
        let inner = d.number(u64::from(outer) + 1, 1 << 20) as u32;
        in_pv(d, libxc::vcpu_extended(outer, extended_state(inner, 64)), BLOB)
    }),
    Break::new(Rule::LibxcVcpuMsrsReserved, PV, |d| {
        let msrs = vec![(0xC000_0103, 0); 1 + d.number(0, 4) as usize];
        let at = BLOB + vcpu::MSR * d.number(0, msrs.len() as u64) + 4;
        let value = d.number(1, u64::from(u32::MAX)) as u32;
        in_pv(d, libxc::vcpu_msrs(0, &msrs).edited(at, Field::le32(value)), at)
    }),
    Break::new(Rule::LibxcSharedInfoLength, PV, |d| {
        let length = d.one_of(&[0, 8, 4088, 4104])?;
        in_pv(d, record(SHARED_INFO, Body::new().zeros(length)), LENGTH)
    }),
    Break::new(Rule::LibxcTscInfoLength, ANY, |d| {
        let length = d.one_of(&[0, tsc::LENGTH - 1, tsc::LENGTH + 8])?;
        at_end(d, record(X86_TSC_INFO, Body::new().zeros(length)), LENGTH)
    }),
    Break::new(Rule::LibxcTscInfoReserved, ANY, |d| {
        let value = d.number(1, u64::from(u32::MAX)) as u32;
        let at = BODY + tsc::RESERVED_AT;
        at_end(d, libxc::tsc_info(0, 0, 0, 0).edited(at, Field::U32(value)), at)
    }),
    Break::new(Rule::LibxcTscInfoMode, ANY, |d| {
        let mode = d.one_of(&[tsc::MODE_MAX + 1, 0x100, u32::MAX])?;
        at_end(d, libxc::tsc_info(mode, 0, 0, 0), BODY)
    }),
    Break::new(Rule::LibxcTscInfoKhz, ANY, |d| {
        let mode = d.number(0, 2) as u32;
        let khz = d.one_of(&[1, 999, 20_000_001, 0x2000_0000, u32::MAX])?;
        at_end(d, libxc::tsc_info(mode, khz, 0, 0), BODY + 4)
    }),
    Break::new(Rule::LibxcHvmParamsLength, HVM, |d| {
        let count = d.one_of(&[0, 2, u32::MAX])?;
        in_hvm(d, record(HVM_PARAMS, Body::new().u32(count).u32(0).u64(1).u64(0)), LENGTH)
    }),
    Break::new(Rule::LibxcHvmParamsLength, HVM, |d| {
        let body = Body::new().zeros(d.number(0, params::HEADER));
        in_hvm(d, record(HVM_PARAMS, body), LENGTH)
    }),
    Break::new(Rule::LibxcHvmParamsReserved, HVM, |d| {
        let value = d.number(1, u64::from(u32::MAX)) as u32;
        in_hvm(d, libxc::hvm_params(&[(1, 0)]).edited(BODY + 4, Field::U32(value)), BODY + 4)
    }),
    Break::new(Rule::LibxcHvmParamsEmpty, HVM, |d| in_hvm(d, libxc::hvm_params(&[]), BODY)),
    Break::new(Rule::LibxcHvmParamsIndex, HVM, |d| {
        let index = d.one_of(&[params::COUNT, 1 << 32 | 1, u64::MAX])?;
        param(d, index, 0, 0)
    }),
    Break::new(Rule::LibxcHvmParamsRefused, HVM, |d| {
        let index = d.one_of(&[13, 20, 21, 22, 23, 25, 26, 30])?;
        param(d, index, 0, 0)
    }),
    Break::new(Rule::LibxcHvmParamsRefused, HVM, |d| {
        let (index, value) = d.one_of(&[
            (9, 2),
            (9, 1 << 13 | 1),
            (10, 4),
            (14, 1),
            (15, 1 << 32),
            (19, 2),
            (31, 6),
            (33, 0),
            (33, 65),
            (36, 2),
            (37, 103 << 32),
            (38, 2),
        ])?;
        param(d, index, value, 8)
    }),
    Break::new(Rule::LibxcHvmParamsSuspended, HVM, |d| param(d, 14, 3, 8)),
    Break::new(Rule::LibxcHvmParamsConflict, HVM, |d| {
        let second = d.number(2, 1 << 20);
        let at = BODY + params::HEADER + params::ENTRY + 8;
        in_hvm(d, libxc::hvm_params(&[(32, 1), (32, second)]), at)
    }),
    Break::new(Rule::LibxcHvmParamsRepeated, HVM, |d| param(d, 1, 0, 0)),
    Break::new(Rule::LibxcHvmContextEmpty, HVM, |d| in_hvm(d, record(HVM_CONTEXT, Body::new()), LENGTH)),
    Break::new(Rule::LibxcCpuidPolicyLength, V3, |d| {
        let length = d.one_of(&[0, 1, policy::CPUID_LEAF - 1, policy::CPUID_LEAF + 8])?;
        ahead(d, record(X86_CPUID_POLICY, Body::new().zeros(length)), LENGTH)
    }),
    Break::new(Rule::LibxcCpuidPolicyLeaf, V3, |d| {
        /// The `subleaf` of a leaf that has none.
        const NONE: u32 = u32::MAX;
        let (leaf, subleaf, at) = d.one_of(&[
            (0x1000_0000, NONE, 0),
            (u32::MAX, NONE, 0),
            (0, 0, 4),
            (1, 7, 4),
            (0x8000_0000, 0, 4),
        ])?;
        let before = d.number(0, 3);
        let mut leaves = vec![[0, NONE, 0, 0, 0, 0]; before as usize];
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
    Break::new(Rule::LibxcMsrPolicyFlags, V3, |d| {
        let msrs: Vec<(u32, u64)> = (0..=d.number(0, 4)).map(|n| (n as u32, n)).collect();
        let at = BODY + policy::MSR * d.number(0, msrs.len() as u64) + 4;
        let flags = d.number(1, u64::from(u32::MAX)) as u32;
        ahead(d, libxc::msr_policy(&msrs).edited(at, Field::U32(flags)), at)
    }),
];

const VCPU: [u32; 4] = [X86_PV_VCPU_BASIC, X86_PV_VCPU_EXTENDED, X86_PV_VCPU_XSAVE, X86_PV_VCPU_MSRS];

fn any_vcpu(d: &Draft<'_>) -> Option<usize> {
    d.any(|_, item| VCPU.map(Part::libxc).contains(&item.part()))
}

/// A record more, last but END.
fn at_end(d: &Draft<'_>, item: Item, at: u64) -> Option<Fault> {
    d.extra(d.last(Part::libxc(END))?, item, at)
}

fn in_pv(d: &Draft<'_>, item: Item, at: u64) -> Option<Fault> {
    d.guest(Guest::Pv)?;
    at_end(d, item, at)
}

fn in_hvm(d: &Draft<'_>, item: Item, at: u64) -> Option<Fault> {
    d.guest(Guest::Hvm)?;
    at_end(d, item, at)
}

/// A record more among the static data.
fn ahead(d: &Draft<'_>, item: Item, at: u64) -> Option<Fault> {
    d.extra(d.first(Part::libxc(STATIC_DATA_END))?, item, at)
}

/// A VCPU record with a blob of this size, which is not right.
fn blob(d: &Draft<'_>, kind: u32, size: u64) -> Option<Fault> {
    in_pv(d, libxc::vcpu(kind, 0, Body::new().zeros(size)), LENGTH)
}

/// HVM_PARAMS with this entry after another, broken `at` bytes from its first.
fn param(d: &Draft<'_>, index: u64, value: u64, at: u64) -> Option<Fault> {
    in_hvm(d, libxc::hvm_params(&[(1, 0), (index, value)]), PARAM + params::ENTRY + at)
}
