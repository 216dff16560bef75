//! Values in the entries of HVM_CONTEXT that a hypervisor refuses, or that take it down.

use xenstream_core::wire::hvm::types::{
    CPU, CPU_XSAVE, HEADER, LAPIC, MTRR, PCI_LINK, PIC, PIT, RTC, VIRIDIAN_VCPU, VMCE_VCPU,
};
use xenstream_core::wire::hvm::{ENTRY_HEADER, LENGTH_AT, MSR, MSR_HEADER, XSAVE_MIN};
use xenstream_core::wire::libxc::types::HVM_CONTEXT;
use xenstream_core::wire::msr::{BNDCFGS, DR0_ADDRESS_MASK, SPEC_CTRL, XSS};
use xenstream_core::wire::xsave::{AVX, AVX512, MPX, PKRU, SSE, X87};
use xenstream_core::{Layer, RecordRef, Rule};

use super::{BODY, Case, around, case};
use crate::hvm::{Chain, Entry};
use crate::item::Part;
use crate::libxc;
use crate::minimal;

/// CR0 with paging and protection, as a guest in long mode has it.
const PAGING: u64 = 0x8000_0011;

pub(super) fn cases() -> Vec<Case> {
    [cpu(), devices(), vcpus(), policy()].concat()
}

/// One field of an entry with a value that breaks the rule, and with one beside it that does not.
fn field(rule: Rule, variant: &'static str, entry: &Entry, field: &str, bad: u64, good: u64) -> Case {
    let [broken, neighbour] = [bad, good].map(|value| chain(entry.clone().with(field, value)));
    case(rule, variant, &broken, &neighbour, 1, entry.offset_of(field))
}

/// HEADER, this entry, and what a domain needs to run, END.
fn chain(entry: Entry) -> Chain {
    around(entry)
}

fn cpu() -> Vec<Case> {
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

fn devices() -> Vec<Case> {
    let header = |bad, good| {
        let [bad, good] = [bad, good].map(|khz| {
            let header = Entry::reset(HEADER, 0).with("gtsc_khz", khz);
            Chain::new([header, Entry::reset(CPU, 0), Entry::end()])
        });
        case(Rule::HvmHeaderTsc, "", &bad, &good, 0, ENTRY_HEADER + 20)
    };
    let [master, slave] = [0, 1].map(|instance| Entry::reset(PIC, instance));
    // A request that is not masked, and so is deliverable.
    let requesting = master.clone().with("irr", 1).with("int_output", 1);
    let cascading = master.clone().with("irr", 4).with("int_output", 1);
    let pics = |slave: Entry| Chain::around([cascading.clone(), slave]);
    let pit = Entry::reset(PIT, 0);
    let link = Entry::reset(PCI_LINK, 0);
    vec![
        header(0x2000_0000, 2_400_000),
        field(Rule::HvmPicState, "", &master, "modes", 0, 0x40),
        field(Rule::HvmPicState, "slave", &slave, "modes", 0x40, 0),
        field(Rule::HvmPicState, "elcr", &master, "elcr", 1, 4),
        field(Rule::HvmPicState, "output", &master, "int_output", 2, 0),
        field(Rule::HvmPicInit, "", &requesting.clone().with("init_state", 1), "int_output", 1, 0),
        field(Rule::HvmPicOutput, "", &master, "int_output", 1, 0),
        field(Rule::HvmPicOutput, "masked", &requesting.with("imr", 1), "int_output", 1, 0),
        case(
            Rule::HvmPicOutput,
            "cascade",
            &pics(slave.clone()),
            &pics(slave.with("irr", 1)),
            1,
            cascading.offset_of("int_output"),
        ),
        field(Rule::HvmPciLinkRoute, "", &link, "route", 16, 15),
        field(Rule::HvmPciLinkPad, "", &link, "pad", 1, 0),
        field(Rule::HvmPitState, "", &pit, "count", 65_537, 65_536),
        field(Rule::HvmPitState, "gate", &pit, "gate", 0, 1),
        field(Rule::HvmPitState, "speaker", &pit, "speaker_data_on", 2, 1),
        field(Rule::HvmRtcIndex, "", &Entry::reset(RTC, 0), "cmos_index", 128, 127),
    ]
}

fn vcpus() -> Vec<Case> {
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

/// Registers that need a feature which the stream's own CPUID policy does not have.
fn policy() -> Vec<Case> {
    const NONE: u32 = u32::MAX;
    let build = |rule, variant, leaf: [u32; 6], good: [u32; 6], entry: &Entry, at: u64| {
        let chain = around(entry.clone());
        let context = Part::libxc(HVM_CONTEXT);
        let [broken, neighbour] = [leaf, good].map(|leaf| {
            let stream = minimal::hvm().replaced(context, libxc::hvm_context(&chain));
            stream.before(
                Part::libxc(xenstream_core::wire::libxc::types::STATIC_DATA_END),
                libxc::cpuid_policy(&[leaf]),
            )
        });
        let offset = broken.offset(broken.find(context)) + BODY + chain.offset(1);
        let kind = Some(u64::from(entry.typecode()));
        let record = RecordRef { layer: Layer::Hvm, index: 1, kind, offset };
        Case::of(rule, variant, &broken, &neighbour).at(offset + at).record(Some(record))
    };
    let smep = Entry::reset(CPU, 0).with("cr4", 1 << 20);
    let nx = Entry::reset(CPU, 0).with("msr_efer", 1 << 11);
    let wide = Entry::reset(CPU, 0).with("cr3", 1 << 40);
    let xsave = Entry::reset(CPU_XSAVE, 0);
    let keys = Entry::filled(CPU_XSAVE, 0, XSAVE_MIN + 8, 0).with("xcr0_accum", X87 | PKRU);
    let size = |size: u32| [0xD, 9, size, 576, 0, 0];
    vec![
        build(
            Rule::HvmCpuPolicy,
            "",
            [7, 0, 0, 0, 0, 0],
            [7, 0, 0, 1 << 7, 0, 0],
            &smep,
            smep.offset_of("cr4"),
        ),
        build(
            Rule::HvmCpuPolicy,
            "efer",
            [0x8000_0001, NONE, 0, 0, 0, 0],
            [0x8000_0001, NONE, 0, 0, 0, 1 << 20],
            &nx,
            nx.offset_of("msr_efer"),
        ),
        build(
            Rule::HvmCpuCr3,
            "policy",
            [0x8000_0008, NONE, 40, 0, 0, 0],
            [0x8000_0008, NONE, 41, 0, 0, 0],
            &wide,
            wide.offset_of("cr3"),
        ),
        build(
            Rule::HvmXsavePolicy,
            "",
            [1, NONE, 0, 0, 0, 0],
            [1, NONE, 0, 0, 1 << 26, 0],
            &xsave,
            xsave.offset_of("xcr0_accum"),
        ),
        // Without the leaf that describes it there is no XSAVE.
        build(
            Rule::HvmXsavePolicy,
            "leaf",
            [0, NONE, 0xC, 0, 0, 0],
            [0, NONE, 0xD, 0, 0, 0],
            &xsave,
            xsave.offset_of("xcr0_accum"),
        ),
        build(
            Rule::HvmMsrPolicy,
            "",
            [0x8000_0001, NONE, 0, 0, 0, 0],
            [0x8000_0001, NONE, 0, 0, 1 << 26, 0],
            &Entry::msrs(0, &[(DR0_ADDRESS_MASK, 0)]),
            ENTRY_HEADER + MSR_HEADER,
        ),
        // Bit 3 of SPEC_CTRL belongs to IPRED_CTRL.
        build(
            Rule::HvmMsrValue,
            "policy",
            [7, 2, 0, 0, 0, 0],
            [7, 2, 0, 0, 0, 1 << 1],
            &Entry::msrs(0, &[(SPEC_CTRL, 1 << 3)]),
            ENTRY_HEADER + MSR_HEADER + 8,
        ),
        build(Rule::HvmXsaveLength, "", size(16), size(8), &keys, LENGTH_AT),
    ]
}
