//! CPU: the registers of an HVM vcpu (`struct hvm_hw_cpu`).

use crate::wire::layout::{ByteOrder, Field, Group, Layout};
use crate::wire::names;

/// Length of CPU.
pub const LENGTH: u64 = 1032;
/// Length that Xen before 3.4 wrote, without `tsc_aux`: Xen shifts what follows it.
pub const LENGTH_WITHOUT_TSC_AUX: u64 = 1016;

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
    Field::new("cr0", 656, 8, "control register 0").brief().flags(names::CR0),
    Field::new("cr2", 664, 8, "address of the last page fault"),
    Field::new("cr3", 672, 8, "page table").brief(),
    Field::new("cr4", 680, 8, "control register 4").brief().flags(names::CR4),
    Field::new("dr0", 688, 8, "address of breakpoint 0"),
    Field::new("dr1", 696, 8, "address of breakpoint 1"),
    Field::new("dr2", 704, 8, "address of breakpoint 2"),
    Field::new("dr3", 712, 8, "address of breakpoint 3"),
    Field::new("dr6", 720, 8, "debug status"),
    Field::new("dr7", 728, 8, "debug control"),
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
    Field::new("msr_efer", 992, 8, "extended features").flags(names::EFER),
];

/// CPU, of 1032 bytes or of a shorter length that Xen extends with zeros.
pub const CPU: Layout = Layout {
    name: "CPU",
    order: ByteOrder::Little,
    groups: &[
        Group::once(REGISTERS),
        Group::once(&[
            Field::new("msr_tsc_aux", 1000, 8, "MSR"),
            Field::new("tsc", 1008, 8, "time-stamp counter"),
            Field::new("pending_event", 1016, 4, "event to be injected"),
            Field::new("error_code", 1020, 4, "error code of that event"),
            Field::new("flags", 1024, 4, "bit 0: the FPU state is valid"),
            Field::reserved("pad0", 1028, 4),
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
            Field::new("pending_event", 1008, 4, "event to be injected"),
            Field::new("error_code", 1012, 4, "error code of that event"),
        ]),
    ],
};
