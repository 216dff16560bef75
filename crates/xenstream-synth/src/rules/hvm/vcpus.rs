//! The rest of an HVM vcpu: APIC, memory types, XSAVE, MSRs.

use xenstream_core::Rule;
use xenstream_core::wire::hvm::types::{CPU_XSAVE, LAPIC, MTRR, VIRIDIAN_VCPU, VMCE_VCPU};
use xenstream_core::wire::hvm::{ENTRY_HEADER, LENGTH_AT, MSR, MSR_HEADER, XSAVE_MIN};
use xenstream_core::wire::msr::{BNDCFGS, DR0_ADDRESS_MASK, SPEC_CTRL, XSS};
use xenstream_core::wire::xsave::{AVX, AVX512, MPX, PKRU, SSE, X87};

use super::{DraftChain, V3_HVM, around, case, field, policy, with_leaf};
use crate::broken::Break;
use crate::broken::needs::HVM;
use crate::cases::Case;
use crate::hvm::Entry;
use crate::places::NO_SUBLEAF;

pub(super) fn cases() -> Vec<Case> {
    let lapic = Entry::reset(LAPIC, 0);
    let xsave = Entry::reset(CPU_XSAVE, 0);
    let of_xsave = |variant, name, bad, good| field(Rule::HvmXsaveState, variant, &xsave, name, bad, good);
    let sse = xsave.clone().with("xcr0_accum", 3);
    let tail = |byte| around(Entry::filled(CPU_XSAVE, 0, XSAVE_MIN + 8, 0).with_byte(604, byte));
    let area = |variant, components: u64, size: u64| {
        let [short, fine] = [size - 1, size].map(|size| {
            around(Entry::filled(CPU_XSAVE, 0, XSAVE_MIN + size, 0).with("xcr0_accum", components))
        });
        case(Rule::HvmXsaveArea, variant, &short, &fine, 1, LENGTH_AT)
    };
    let msr = |rule, variant, bad: (u32, u64), good: (u32, u64), at| {
        let [bad, good] = [bad, good].map(|msr| around(Entry::msrs(0, &[(DR0_ADDRESS_MASK, 0), msr])));
        case(rule, variant, &bad, &good, 1, ENTRY_HEADER + MSR_HEADER + MSR + at)
    };
    vec![
        field(Rule::HvmLapicBase, "", &lapic, "apic_base_msr", 0x400, 0xC00),
        field(Rule::HvmLapicDivisor, "", &lapic, "timer_divisor", 0, 1),
        field(Rule::HvmLapicDivisor, "three", &lapic, "timer_divisor", 3, 4),
        field(Rule::HvmLapicDivisor, "large", &lapic, "timer_divisor", 256, 128),
        case(
            Rule::HvmLapicDivisor,
            "cut",
            &around(Entry::filled(LAPIC, 0, 12, 0)),
            &around(Entry::filled(LAPIC, 0, 16, 0)),
            1,
            LENGTH_AT,
        ),
        field(Rule::HvmMtrrCount, "", &Entry::reset(MTRR, 0), "msr_mtrr_cap", 9, 8),
        field(Rule::HvmViridianPad, "", &Entry::reset(VIRIDIAN_VCPU, 0), "_pad", 1 << 48, 0),
        field(Rule::HvmVmceCaps, "", &Entry::reset(VMCE_VCPU, 0), "caps", 1 << 9, 1 << 8),
        of_xsave("", "xcr0", 0, 1),
        of_xsave("never", "xcr0_accum", 0, 1),
        field(Rule::HvmXsaveState, "sse", &sse, "xcr0", 2, 1),
        field(Rule::HvmXsaveState, "unknown", &sse, "xcr0_accum", 1 | 1 << 10, 1),
        of_xsave("components", "xstate_bv", 2, 1),
        of_xsave("compacted", "xcomp_bv", 1, 0),
        of_xsave("reserved", "reserved5", 1, 0),
        area("", X87 | SSE | AVX, 256),
        area("keys", X87 | PKRU, 8),
        area("mpx", X87 | MPX, 128),
        area("avx512", X87 | SSE | AVX | AVX512, 256 + 64 + 512 + 1024),
        case(Rule::HvmXsaveTail, "", &tail(1), &tail(0), 1, ENTRY_HEADER + 604),
        msr(Rule::HvmMsrIndex, "", (0x1234, 0), (SPEC_CTRL, 0), 0),
        msr(Rule::HvmMsrValue, "", (SPEC_CTRL, 1 << 8), (SPEC_CTRL, 1), 8),
        msr(Rule::HvmMsrValue, "xss", (XSS, 1), (XSS, 0), 8),
        msr(Rule::HvmMsrValue, "canonical", (BNDCFGS, 1 << 63), (BNDCFGS, 0), 8),
        msr(Rule::HvmMsrOrder, "", (BNDCFGS, 1), (BNDCFGS, 0), 8),
    ]
}

/// State that needs a feature which the stream's own CPUID policy does not have.
pub(super) fn policies() -> Vec<Case> {
    let xsave = Entry::reset(CPU_XSAVE, 0);
    let keys = Entry::filled(CPU_XSAVE, 0, XSAVE_MIN + 8, 0).with("xcr0_accum", X87 | PKRU);
    let accum = xsave.offset_of("xcr0_accum");
    let masks = Entry::msrs(0, &[(DR0_ADDRESS_MASK, 0)]);
    // Bit 3 of SPEC_CTRL belongs to IPRED_CTRL.
    let ipred = Entry::msrs(0, &[(SPEC_CTRL, 1 << 3)]);
    let at = ENTRY_HEADER + MSR_HEADER;
    let xsaves = [0, 1 << 26].map(|ecx| [1, NO_SUBLEAF, 0, 0, ecx, 0]);
    // Without the leaf that describes it there is no XSAVE.
    let largest = [0xC, 0xD].map(|eax| [0, NO_SUBLEAF, eax, 0, 0, 0]);
    let breakpoints = [0, 1 << 26].map(|ecx| [0x8000_0001, NO_SUBLEAF, 0, 0, ecx, 0]);
    let ipreds = [0, 1 << 1].map(|edx| [7, 2, 0, 0, 0, edx]);
    let sizes = [16, 8].map(|size| [0xD, 9, size, 576, 0, 0]);
    vec![
        policy(Rule::HvmXsavePolicy, "", xsaves, &xsave, accum),
        policy(Rule::HvmXsavePolicy, "leaf", largest, &xsave, accum),
        policy(Rule::HvmMsrPolicy, "", breakpoints, &masks, at),
        policy(Rule::HvmMsrValue, "policy", ipreds, &ipred, at + 8),
        policy(Rule::HvmXsaveLength, "", sizes, &keys, LENGTH_AT),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    field!(HvmLapicBase, LAPIC, => "apic_base_msr": [0x400, 0xFEE0_0500]),
    field!(HvmMtrrCount, MTRR, => "msr_mtrr_cap": [9, 0xFF]),
    field!(HvmXsaveState, CPU_XSAVE, => "xcr0": [0, 2, 1 | 1 << 8]),
    field!(HvmXsaveState, CPU_XSAVE, => "xcr0_accum": [0, 1 | 4, 1 | 1 << 3, 1 | 1 << 5, 1 | 1 << 62]),
    field!(HvmXsaveState, CPU_XSAVE, => "xstate_bv": [2, 4]),
    field!(HvmXsaveState, CPU_XSAVE, => "xcomp_bv": [1, 1 << 63]),
    field!(HvmXsaveState, CPU_XSAVE, => "reserved3": [1]),
    Break::new(Rule::HvmXsaveTail, HVM, |d| {
        let at = d.number(XSAVE_MIN, 8);
        let entry = Entry::filled(CPU_XSAVE, 0, XSAVE_MIN + 8, 0).with_byte(at as usize, 1);
        DraftChain::any(d)?.with_first(d, &entry, ENTRY_HEADER + at)
    }),
    Break::new(Rule::HvmMsrIndex, HVM, |d| {
        let index = d.one_of(&[0, 0x1234, 0xC000_0080, u32::MAX])?;
        DraftChain::any(d)?.with_first(d, &Entry::msrs(0, &[(index, 0)]), ENTRY_HEADER + MSR_HEADER)
    }),
    Break::new(Rule::HvmMsrValue, HVM, |d| {
        let value = d.one_of(&[1 << 8, 1 << 32, u64::MAX])?;
        let entry = Entry::msrs(0, &[(SPEC_CTRL, value)]);
        DraftChain::any(d)?.with_first(d, &entry, ENTRY_HEADER + MSR_HEADER + 8)
    }),
    Break::new(Rule::HvmMsrOrder, HVM, |d| {
        let entry = Entry::msrs(0, &[(BNDCFGS, 1)]);
        DraftChain::any(d)?.with_first(d, &entry, ENTRY_HEADER + MSR_HEADER + 8)
    }),
    Break::new(Rule::HvmMsrPolicy, V3_HVM, |d| {
        let entry = Entry::msrs(0, &[(DR0_ADDRESS_MASK, 0)]);
        with_leaf(d, [0x8000_0001, u32::MAX, 0, 0, 0, 0], &entry, ENTRY_HEADER + MSR_HEADER)
    }),
    Break::new(Rule::HvmXsavePolicy, V3_HVM, |d| {
        let entry = Entry::reset(CPU_XSAVE, 0);
        with_leaf(d, [1, u32::MAX, 0, 0, 0, 0], &entry, entry.offset_of("xcr0_accum"))
    }),
    Break::new(Rule::HvmXsaveArea, HVM, |d| {
        let size = XSAVE_MIN + d.number(0, 256);
        let entry = Entry::filled(CPU_XSAVE, 0, size, 0).with("xcr0_accum", X87 | SSE | AVX);
        DraftChain::any(d)?.with_first(d, &entry, LENGTH_AT)
    }),
    Break::new(Rule::HvmXsaveLength, V3_HVM, |d| {
        let entry = Entry::filled(CPU_XSAVE, 0, XSAVE_MIN + 8, 0).with("xcr0_accum", X87 | PKRU);
        with_leaf(d, [0xD, 9, 16, 576, 0, 0], &entry, LENGTH_AT)
    }),
];
