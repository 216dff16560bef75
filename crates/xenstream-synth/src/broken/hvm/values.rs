//! Values in the entries of HVM_CONTEXT: an entry in the state after a reset with a field that breaks the rule.

use xenstream_core::Rule;
use xenstream_core::wire::hvm::types::{
    CPU, CPU_XSAVE, LAPIC, MTRR, PCI_LINK, PIC, PIT, RTC, VIRIDIAN_VCPU, VMCE_VCPU,
};
use xenstream_core::wire::hvm::{ENTRY_HEADER, LENGTH_AT, MSR_HEADER, XSAVE_MIN};
use xenstream_core::wire::libxc::types::HVM_CONTEXT;
use xenstream_core::wire::msr::{BNDCFGS, DR0_ADDRESS_MASK, SPEC_CTRL};
use xenstream_core::wire::xsave::{AVX, PKRU, SSE, X87};

use super::{Break, Chain, Draft, Fault, HVM};
use crate::body::Field;
use crate::hvm::Entry;
use crate::item::Part;
use crate::libxc;

/// An HVM guest of which a policy can be told: version 3.
const V3_HVM: &str = "an HVM guest in a stream of version 3";

/// A break that sets the last of these fields of an entry to any of these values, the others to one.
macro_rules! field {
    ($rule:ident, $typecode:ident, $($name:literal: $value:expr,)* => $field:literal: [$($bad:expr),+]) => {
        Break::new(Rule::$rule, HVM, |d| {
            let entry = Entry::reset($typecode, 0)$(.with($name, $value))*;
            let bad = d.one_of(&[$($bad),+])?;
            let at = entry.offset_of($field);
            Chain::any(d)?.with_first(d, &entry.with($field, bad), at)
        })
    };
}

pub(in crate::broken) const BREAKS: &[Break] = &[
    Break::new(Rule::HvmHeaderTsc, HVM, |d| {
        let khz = d.one_of(&[1, 999, 20_000_001, 0x2000_0000, u32::MAX])?;
        Chain::any(d)?.edited(d, 0, ENTRY_HEADER + 20, Field::le32(khz))
    }),
    field!(HvmCpuCr0, CPU, => "cr0": [0, 0x50, 1 << 63 | 0x10, 0x8000_0010]),
    field!(HvmCpuCr3, CPU, => "cr3": [1 << 52, 1 << 63]),
    field!(HvmCpuCr4, CPU, => "cr4": [1 << 12, 1 << 25, 1 << 63]),
    field!(HvmCpuEfer, CPU, => "msr_efer": [2, 0x400, 0x500, 1 << 63]),
    field!(HvmCpuDebug, CPU, => "dr6": [1 << 32, u64::MAX]),
    field!(HvmCpuDebug, CPU, => "dr7": [1 << 32, u64::MAX]),
    field!(HvmCpuTscAux, CPU, => "msr_tsc_aux": [1 << 32, u64::MAX]),
    field!(HvmCpuEvent, CPU, => "pending_event": [0x8000_0100, 0x8000_0700, 0x8000_1000]),
    field!(HvmCpuEvent, CPU, "pending_event": 0x8000_0800, => "error_code": [1 << 16, 0xFFFF_FFFF]),
    field!(HvmCpuFlags, CPU, => "flags": [2, 3, 0xFFFF_FFFF]),
    field!(HvmCpuPad, CPU, => "pad0": [1, 0xFFFF_FFFF]),
    field!(HvmPicState, PIC, => "modes": [0, 0x3F]),
    field!(HvmPicState, PIC, => "elcr": [1, 2, 3]),
    field!(HvmPicState, PIC, => "int_output": [2, 0xFF]),
    field!(HvmPicInit, PIC, "irr": 1, "init_state": 3, => "int_output": [1]),
    field!(HvmPicOutput, PIC, => "int_output": [1]),
    field!(HvmLapicBase, LAPIC, => "apic_base_msr": [0x400, 0xFEE0_0500]),
    field!(HvmLapicDivisor, LAPIC, => "timer_divisor": [0, 3, 256, 0x8000_0000]),
    field!(HvmPciLinkRoute, PCI_LINK, => "route": [16, 0xFF]),
    field!(HvmPciLinkPad, PCI_LINK, => "pad": [1, 0xFFFF_FFFF]),
    field!(HvmPitState, PIT, => "count": [65_537, 0xFFFF_FFFF]),
    field!(HvmPitState, PIT, => "rw_mode": [4, 0xFF]),
    field!(HvmPitState, PIT, => "gate": [0, 2]),
    field!(HvmPitState, PIT, => "pad0": [1]),
    field!(HvmRtcIndex, RTC, => "cmos_index": [128, 255]),
    field!(HvmMtrrCount, MTRR, => "msr_mtrr_cap": [9, 0xFF]),
    field!(HvmViridianPad, VIRIDIAN_VCPU, => "_pad": [1, 1 << 55]),
    field!(HvmVmceCaps, VMCE_VCPU, => "caps": [1 << 9, 1 << 63]),
    field!(HvmXsaveState, CPU_XSAVE, => "xcr0": [0, 2, 1 | 1 << 8]),
    field!(HvmXsaveState, CPU_XSAVE, => "xcr0_accum": [0, 1 | 4, 1 | 1 << 3, 1 | 1 << 5, 1 | 1 << 62]),
    field!(HvmXsaveState, CPU_XSAVE, => "xstate_bv": [2, 4]),
    field!(HvmXsaveState, CPU_XSAVE, => "xcomp_bv": [1, 1 << 63]),
    field!(HvmXsaveState, CPU_XSAVE, => "reserved3": [1]),
    Break::new(Rule::HvmXsaveTail, HVM, |d| {
        let at = d.number(XSAVE_MIN, 8);
        let entry = Entry::filled(CPU_XSAVE, 0, XSAVE_MIN + 8, 0).with_byte(at as usize, 1);
        Chain::any(d)?.with_first(d, &entry, ENTRY_HEADER + at)
    }),
    Break::new(Rule::HvmMsrIndex, HVM, |d| {
        let index = d.one_of(&[0, 0x1234, 0xC000_0080, u32::MAX])?;
        Chain::any(d)?.with_first(d, &Entry::msrs(0, &[(index, 0)]), ENTRY_HEADER + MSR_HEADER)
    }),
    Break::new(Rule::HvmMsrValue, HVM, |d| {
        let value = d.one_of(&[1 << 8, 1 << 32, u64::MAX])?;
        let entry = Entry::msrs(0, &[(SPEC_CTRL, value)]);
        Chain::any(d)?.with_first(d, &entry, ENTRY_HEADER + MSR_HEADER + 8)
    }),
    Break::new(Rule::HvmMsrOrder, HVM, |d| {
        let entry = Entry::msrs(0, &[(BNDCFGS, 1)]);
        Chain::any(d)?.with_first(d, &entry, ENTRY_HEADER + MSR_HEADER + 8)
    }),
    Break::new(Rule::HvmCpuPolicy, V3_HVM, |d| {
        let entry = Entry::reset(CPU, 0).with("cr4", 1 << 20);
        with_leaf(d, [7, 0, 0, 0, 0, 0], &entry, entry.offset_of("cr4"))
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
        Chain::any(d)?.with_first(d, &entry, LENGTH_AT)
    }),
    Break::new(Rule::HvmXsaveLength, V3_HVM, |d| {
        let entry = Entry::filled(CPU_XSAVE, 0, XSAVE_MIN + 8, 0).with("xcr0_accum", X87 | PKRU);
        with_leaf(d, [0xD, 9, 16, 576, 0, 0], &entry, LENGTH_AT)
    }),
];

/// With a CPUID policy of this leaf in place of any other, and with this entry.
fn with_leaf(d: &Draft<'_>, leaf: [u32; 6], entry: &Entry, at: u64) -> Option<Fault> {
    use xenstream_core::wire::libxc::types::{STATIC_DATA_END, X86_CPUID_POLICY};
    d.version(3)?;
    // The chain before any other, so that no vcpu of it is judged by the leaf first.
    d.first(Part::libxc(HVM_CONTEXT))?;
    let policy = libxc::cpuid_policy(&[leaf]);
    let stream = match d.first(Part::libxc(X86_CPUID_POLICY)) {
        Some(index) => d.stream.clone().with_item(index, policy),
        None => d.stream.clone().inserted(d.first(Part::libxc(STATIC_DATA_END))?, policy),
    };
    let draft = Draft { stream: &stream, expected: d.expected, choices: d.choices.clone() };
    Chain::first(&draft)?.with_first(&draft, entry, at)
}
