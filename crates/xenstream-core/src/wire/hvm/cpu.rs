//! CPU: the registers of an HVM vcpu (`struct hvm_hw_cpu`).

use crate::rule::Rule;
use crate::targets::Fact;
use crate::wire::layout::Check::{By, For, Has, Within, Zero};
use crate::wire::layout::{ByteOrder, Field, Group, Hook, HvmHook, Layout};
use crate::wire::names;

/// Length of CPU.
pub const LENGTH: u64 = 1032;
/// Length that Xen before 3.4 wrote, without `tsc_aux`: Xen shifts what follows it.
pub const LENGTH_WITHOUT_TSC_AUX: u64 = 1016;

/// Bits of CR0.
pub mod cr0 {
    /// Protection.
    pub const PE: u64 = 1;
    /// Set on every processor.
    pub const ET: u64 = 1 << 4;
    /// Paging.
    pub const PG: u64 = 1 << 31;
}

/// Bits of CR4.
#[allow(missing_docs, reason = "the manuals name the bits")]
pub mod cr4 {
    pub const VME: u64 = 1;
    pub const PVI: u64 = 1 << 1;
    pub const TSD: u64 = 1 << 2;
    pub const DE: u64 = 1 << 3;
    pub const PSE: u64 = 1 << 4;
    pub const PAE: u64 = 1 << 5;
    pub const MCE: u64 = 1 << 6;
    pub const PGE: u64 = 1 << 7;
    pub const OSFXSR: u64 = 1 << 9;
    pub const OSXMMEXCPT: u64 = 1 << 10;
    pub const UMIP: u64 = 1 << 11;
    pub const VMXE: u64 = 1 << 13;
    pub const FSGSBASE: u64 = 1 << 16;
    pub const PCIDE: u64 = 1 << 17;
    pub const OSXSAVE: u64 = 1 << 18;
    pub const SMEP: u64 = 1 << 20;
    pub const SMAP: u64 = 1 << 21;
    pub const PKE: u64 = 1 << 22;
    pub const CET: u64 = 1 << 23;
    pub const PKS: u64 = 1 << 24;
    pub const LASS: u64 = 1 << 27;
    /// Bits that some release gives to a guest (`hvm_cr4_guest_valid_bits()` of Xen).
    pub const POSSIBLE: u64 = 0x09F7_2FFF;
}

/// Bits of EFER.
#[allow(missing_docs, reason = "the manuals name the bits")]
pub mod efer {
    pub const SCE: u64 = 1;
    pub const LME: u64 = 1 << 8;
    pub const LMA: u64 = 1 << 10;
    pub const NXE: u64 = 1 << 11;
    pub const SVME: u64 = 1 << 12;
    pub const FFXSE: u64 = 1 << 14;
    pub const AIBRSE: u64 = 1 << 21;
    /// Bits that some release gives to a guest (`hvm_efer_valid()` of Xen).
    pub const POSSIBLE: u64 = 0x20_5D01;
}

/// Up to EFER, which all lengths share.
const REGISTERS: &[Field] = &[
    Field::new("fpu_regs", 0, 512, "FXSAVE image").area(),
    Field::new("rax", 512, 8, "register"),
    Field::new("rbx", 520, 8, "register"),
    Field::new("rcx", 528, 8, "register"),
    Field::new("rdx", 536, 8, "register"),
    Field::new("rbp", 544, 8, "register"),
    Field::new("rsi", 552, 8, "register"),
    Field::new("rdi", 560, 8, "register"),
    Field::new("rsp", 568, 8, "stack pointer"),
    Field::new("r8", 576, 8, "register"),
    Field::new("r9", 584, 8, "register"),
    Field::new("r10", 592, 8, "register"),
    Field::new("r11", 600, 8, "register"),
    Field::new("r12", 608, 8, "register"),
    Field::new("r13", 616, 8, "register"),
    Field::new("r14", 624, 8, "register"),
    Field::new("r15", 632, 8, "register"),
    Field::new("rip", 640, 8, "instruction pointer").brief(),
    Field::new("rflags", 648, 8, "flags").flags(names::RFLAGS),
    Field::new("cr0", 656, 8, "control register 0").brief().flags(names::CR0).checked(&[
        Within(0xE005_003F, Rule::HvmCpuCr0),
        Has(cr0::ET, Rule::HvmCpuCr0),
        By(Hook::Hvm(HvmHook::Cr0)),
    ]),
    Field::new("cr2", 664, 8, "address of the last page fault"),
    Field::new("cr3", 672, 8, "page table").brief().checked(&[By(Hook::Hvm(HvmHook::Cr3))]),
    Field::new("cr4", 680, 8, "control register 4").brief().flags(names::CR4).checked(&[
        Within(cr4::POSSIBLE, Rule::HvmCpuCr4),
        For(Fact::Cet, &Within(!cr4::CET, Rule::HvmCpuCr4)),
        For(Fact::Pks, &Within(!cr4::PKS, Rule::HvmCpuCr4)),
        For(Fact::Lass, &Within(!cr4::LASS, Rule::HvmCpuCr4)),
        By(Hook::Hvm(HvmHook::Cr4)),
    ]),
    Field::new("dr0", 688, 8, "address of breakpoint 0"),
    Field::new("dr1", 696, 8, "address of breakpoint 1"),
    Field::new("dr2", 704, 8, "address of breakpoint 2"),
    Field::new("dr3", 712, 8, "address of breakpoint 3"),
    Field::new("dr6", 720, 8, "debug status")
        .checked(&[For(Fact::Dr32, &Within(0xFFFF_FFFF, Rule::HvmCpuDebug))]),
    Field::new("dr7", 728, 8, "debug control")
        .checked(&[For(Fact::Dr32, &Within(0xFFFF_FFFF, Rule::HvmCpuDebug))]),
    Field::new("cs_sel", 736, 4, "selector"),
    Field::new("ds_sel", 740, 4, "selector"),
    Field::new("es_sel", 744, 4, "selector"),
    Field::new("fs_sel", 748, 4, "selector"),
    Field::new("gs_sel", 752, 4, "selector"),
    Field::new("ss_sel", 756, 4, "selector"),
    Field::new("tr_sel", 760, 4, "selector"),
    Field::new("ldtr_sel", 764, 4, "selector"),
    Field::new("cs_limit", 768, 4, "limit of a segment"),
    Field::new("ds_limit", 772, 4, "limit of a segment"),
    Field::new("es_limit", 776, 4, "limit of a segment"),
    Field::new("fs_limit", 780, 4, "limit of a segment"),
    Field::new("gs_limit", 784, 4, "limit of a segment"),
    Field::new("ss_limit", 788, 4, "limit of a segment"),
    Field::new("tr_limit", 792, 4, "limit of a segment"),
    Field::new("ldtr_limit", 796, 4, "limit of a segment"),
    Field::new("idtr_limit", 800, 4, "limit of a table"),
    Field::new("gdtr_limit", 804, 4, "limit of a table"),
    Field::new("cs_base", 808, 8, "base of a segment"),
    Field::new("ds_base", 816, 8, "base of a segment"),
    Field::new("es_base", 824, 8, "base of a segment"),
    Field::new("fs_base", 832, 8, "base of a segment"),
    Field::new("gs_base", 840, 8, "base of a segment"),
    Field::new("ss_base", 848, 8, "base of a segment"),
    Field::new("tr_base", 856, 8, "base of a segment"),
    Field::new("ldtr_base", 864, 8, "base of a segment"),
    Field::new("idtr_base", 872, 8, "base of a table"),
    Field::new("gdtr_base", 880, 8, "base of a table"),
    Field::new("cs_arbytes", 888, 4, "access rights of a segment"),
    Field::new("ds_arbytes", 892, 4, "access rights of a segment"),
    Field::new("es_arbytes", 896, 4, "access rights of a segment"),
    Field::new("fs_arbytes", 900, 4, "access rights of a segment"),
    Field::new("gs_arbytes", 904, 4, "access rights of a segment"),
    Field::new("ss_arbytes", 908, 4, "access rights of a segment"),
    Field::new("tr_arbytes", 912, 4, "access rights of a segment"),
    Field::new("ldtr_arbytes", 916, 4, "access rights of a segment"),
    Field::new("sysenter_cs", 920, 8, "MSR"),
    Field::new("sysenter_esp", 928, 8, "MSR"),
    Field::new("sysenter_eip", 936, 8, "MSR"),
    Field::new("shadow_gs", 944, 8, "base of GS for SWAPGS"),
    Field::new("msr_flags", 952, 8, "unused"),
    Field::new("msr_lstar", 960, 8, "MSR"),
    Field::new("msr_star", 968, 8, "MSR"),
    Field::new("msr_cstar", 976, 8, "MSR"),
    Field::new("msr_syscall_mask", 984, 8, "MSR"),
    Field::new("msr_efer", 992, 8, "extended features").flags(names::EFER).checked(&[
        Within(efer::POSSIBLE, Rule::HvmCpuEfer),
        For(Fact::Aibrs, &Within(!efer::AIBRSE, Rule::HvmCpuEfer)),
        By(Hook::Hvm(HvmHook::Efer)),
    ]),
];

/// CPU, of 1032 bytes or of a shorter length that Xen extends with zeros.
pub const CPU: Layout = Layout {
    name: "CPU",
    order: ByteOrder::Little,
    groups: &[
        Group::once(REGISTERS),
        Group::once(&[
            Field::new("msr_tsc_aux", 1000, 8, "MSR").checked(&[Within(0xFFFF_FFFF, Rule::HvmCpuTscAux)]),
            Field::new("tsc", 1008, 8, "time-stamp counter"),
            Field::new("pending_event", 1016, 4, "event to be injected")
                .checked(&[By(Hook::Hvm(HvmHook::Event))]),
            Field::new("error_code", 1020, 4, "error code of that event")
                .checked(&[By(Hook::Hvm(HvmHook::ErrorCode))]),
            Field::new("flags", 1024, 4, "bit 0: the FPU state is valid")
                .checked(&[Within(1, Rule::HvmCpuFlags)]),
            Field::reserved("pad0", 1028, 4).checked(&[Zero(Rule::HvmCpuPad)]),
        ]),
    ],
};

/// CPU of 1016 bytes.
pub const CPU_WITHOUT_TSC_AUX: Layout = Layout {
    name: "CPU without tsc_aux",
    order: ByteOrder::Little,
    groups: &[
        Group::once(REGISTERS),
        Group::once(&[
            Field::new("tsc", 1000, 8, "time-stamp counter"),
            Field::new("pending_event", 1008, 4, "event to be injected")
                .checked(&[By(Hook::Hvm(HvmHook::Event))]),
            Field::new("error_code", 1012, 4, "error code of that event")
                .checked(&[By(Hook::Hvm(HvmHook::ErrorCode))]),
        ]),
    ],
};
