//! The registers of an HVM vcpu.

use xenstream_core::Rule;
use xenstream_core::wire::hvm::LENGTH_AT;
use xenstream_core::wire::hvm::types::CPU;

use super::{DraftChain, V3_HVM, around, case, field, policy, with_leaf};
use crate::broken::Break;
use crate::broken::needs::HVM;
use crate::cases::Case;
use crate::hvm::Entry;
use crate::places::NO_SUBLEAF;

/// CR0 with paging and protection, as a guest in long mode has it.
const PAGING: u64 = 0x8000_0011;

pub(super) fn cases() -> Vec<Case> {
    let cpu = Entry::reset(CPU, 0);
    let paging = cpu.clone().with("cr0", PAGING);
    let of_cpu = |rule, variant, name, bad, good| field(rule, variant, &cpu, name, bad, good);
    let with_error = cpu.clone().with("pending_event", 0x8000_0B08);
    // Xen before 3.4 wrote no tsc_aux: the event lies 8 bytes earlier.
    let old = Entry::filled(CPU, 0, 1016, 0).with("cr0", 0x10);
    let event_at = old.offset_of("pending_event");
    let [old_bad, old_good] =
        [0x80, 0].map(|byte| around(old.clone().with("pending_event", byte << 24 | 1 << 8)));
    vec![
        of_cpu(Rule::HvmCpuCr0, "", "cr0", 0, 0x10),
        of_cpu(Rule::HvmCpuCr0, "reserved", "cr0", 0x50, 0x10),
        of_cpu(Rule::HvmCpuCr0, "high", "cr0", 1 << 32 | 0x10, 0x10),
        of_cpu(Rule::HvmCpuCr0, "paging", "cr0", PAGING & !1, PAGING),
        case(
            Rule::HvmCpuCr0,
            "cut",
            &around(Entry::filled(CPU, 0, 656, 0)),
            &around(Entry::filled(CPU, 0, 657, 0)),
            1,
            LENGTH_AT,
        ),
        of_cpu(Rule::HvmCpuCr3, "", "cr3", 1 << 52, 1 << 51),
        of_cpu(Rule::HvmCpuCr4, "", "cr4", 1 << 12, 1 << 11),
        of_cpu(Rule::HvmCpuCr4, "high", "cr4", 1 << 32, 1 << 11),
        of_cpu(Rule::HvmCpuDebug, "", "dr6", 1 << 32, u64::from(u32::MAX)),
        of_cpu(Rule::HvmCpuDebug, "dr7", "dr7", 1 << 63, 0x400),
        field(Rule::HvmCpuEfer, "", &paging, "msr_efer", 1 << 1, 1),
        field(Rule::HvmCpuEfer, "active", &paging, "msr_efer", 0x400, 0x500),
        field(Rule::HvmCpuEfer, "paging", &cpu, "msr_efer", 0x500, 0x100),
        of_cpu(Rule::HvmCpuTscAux, "", "msr_tsc_aux", 1 << 32, u64::from(u32::MAX)),
        of_cpu(Rule::HvmCpuEvent, "", "pending_event", 0x8000_0100, 0x8000_0000),
        of_cpu(Rule::HvmCpuEvent, "reserved", "pending_event", 0x8000_1000, 0x0000_1100),
        field(Rule::HvmCpuEvent, "error", &with_error, "error_code", 1 << 16, 0xFFFF),
        case(Rule::HvmCpuEvent, "old", &old_bad, &old_good, 1, event_at),
        of_cpu(Rule::HvmCpuFlags, "", "flags", 2, 1),
        of_cpu(Rule::HvmCpuPad, "", "pad0", 1, 0),
    ]
}

/// Registers that need a feature which the stream's own CPUID policy does not have.
pub(super) fn policies() -> Vec<Case> {
    let smep = Entry::reset(CPU, 0).with("cr4", 1 << 20);
    let nx = Entry::reset(CPU, 0).with("msr_efer", 1 << 11);
    let wide = Entry::reset(CPU, 0).with("cr3", 1 << 40);
    let [no_smep, with_smep] = [0, 1 << 7].map(|ebx| [7, 0, 0, ebx, 0, 0]);
    let [no_nx, with_nx] = [0, 1 << 20].map(|edx| [0x8000_0001, NO_SUBLEAF, 0, 0, 0, edx]);
    let widths = [40, 41].map(|width| [0x8000_0008, NO_SUBLEAF, width, 0, 0, 0]);
    vec![
        policy(Rule::HvmCpuPolicy, "", [no_smep, with_smep], &smep, smep.offset_of("cr4")),
        policy(Rule::HvmCpuPolicy, "efer", [no_nx, with_nx], &nx, nx.offset_of("msr_efer")),
        policy(Rule::HvmCpuCr3, "policy", widths, &wide, wide.offset_of("cr3")),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    field!(HvmCpuCr0, CPU, => "cr0": [0, 0x50, 1 << 63 | 0x10, 0x8000_0010]),
    field!(HvmCpuCr3, CPU, => "cr3": [1 << 52, 1 << 63]),
    field!(HvmCpuEfer, CPU, => "msr_efer": [2, 0x400, 0x500, 1 << 63]),
    field!(HvmCpuEvent, CPU, => "pending_event": [0x8000_0100, 0x8000_0700, 0x8000_1000]),
    field!(HvmCpuEvent, CPU, "pending_event": 0x8000_0800, => "error_code": [1 << 16, 0xFFFF_FFFF]),
    Break::new(Rule::HvmCpuPolicy, V3_HVM, |d| {
        let entry = Entry::reset(CPU, 0).with("cr4", 1 << 20);
        with_leaf(d, [7, 0, 0, 0, 0, 0], &entry, entry.offset_of("cr4"))
    }),
];
