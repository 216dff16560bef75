//! The blobs of VCPU records: state of a PV guest's vcpus, in Xen's own structures and always little-endian.
//!
//! Source: `vcpu_guest_context_t` in `public/arch-x86/xen.h`, for guests of 64 and of 32 bits; `struct
//! xen_domctl_ext_vcpucontext`, `struct xen_domctl_vcpuextstate` and `struct xen_domctl_vcpu_msr` in
//! `public/domctl.h`.

use crate::rule::Rule;
use crate::targets::Fact;
use crate::wire::PAGE_SIZE;
use crate::wire::layout::Check::{AtMost, By, Canonical, For, GuestAddress, Within, Zero};
use crate::wire::layout::{
    ByteOrder, Check, Field, Flag, Group, Hook, Keep, Layout, Likely, PvHook, RecordHook,
};
use crate::wire::libxc::{page, pte, vcpu};
use crate::wire::names;

/// Bits of BASIC's `flags`.
const BASIC_FLAGS: &[Flag] = &[
    Flag { bit: 0, name: "i387_valid" },
    Flag { bit: 2, name: "in_kernel" },
    Flag { bit: 3, name: "failsafe_disables_events" },
    Flag { bit: 4, name: "syscall_disables_events" },
    Flag { bit: 5, name: "online" },
];

/// Bits of an address that begins a page.
const PAGE_ALIGNED: u64 = !(PAGE_SIZE - 1);

/// Frames, and page tables with the lowest bit that they have on top of it. What is none is as far out of range as can be.
const FRAME: Likely = Likely::below(page::PFN_END, u64::MAX).unless(Keep::UnlessRegisters);
const TABLE: Likely =
    Likely { below: page::PFN_END << pte::FRAME_SHIFT, bits: 1, other: u64::MAX << 1, ..FRAME };

/// EFLAGS.VM: virtual-8086 mode.
const EFLAGS_VM: u64 = 1 << 17;

/// Reserved words of an XSAVE header.
const XSAVE_RESERVED: &[Check] = &[Zero(Rule::PvXsaveState)];

/// X86_PV_VCPU_BASIC of a 64-bit guest.
pub const BASIC_64: Layout = Layout {
    name: "X86_PV_VCPU_BASIC, 64-bit",
    order: ByteOrder::Little,
    groups: &[
        Group::once(&[
            Field::new("fpu_ctxt", 0, 512, "FXSAVE image").area(),
            Field::new("flags", 512, 8, "state of the vcpu")
                .kept_if_sound()
                .flags(BASIC_FLAGS)
                .likely(Likely::none(vcpu::IN_KERNEL).unless(Keep::UnlessDamaged))
                .checked(&[By(Hook::Pv(PvHook::Flags))]),
            Field::new("r15", 520, 8, "register"),
            Field::new("r14", 528, 8, "register"),
            Field::new("r13", 536, 8, "register"),
            Field::new("r12", 544, 8, "register"),
            Field::new("rbp", 552, 8, "register"),
            Field::new("rbx", 560, 8, "register"),
            Field::new("r11", 568, 8, "register"),
            Field::new("r10", 576, 8, "register"),
            Field::new("r9", 584, 8, "register"),
            Field::new("r8", 592, 8, "register"),
            Field::new("rax", 600, 8, "register"),
            Field::new("rcx", 608, 8, "register"),
            Field::new("rdx", 616, 8, "register; pfn of the start-info page in vcpu 0")
                .checked(&[By(Hook::Pv(PvHook::StartInfo))]),
            Field::new("rsi", 624, 8, "register"),
            Field::new("rdi", 632, 8, "register"),
            Field::new("error_code", 640, 4, "error code of the last exception"),
            Field::new("entry_vector", 644, 4, "vector of the last exception"),
            Field::new("rip", 648, 8, "instruction pointer").brief().checked(&[Canonical(Rule::PvRegisters)]),
            Field::new("cs", 656, 2, "selector"),
            Field::new("saved_upcall_mask", 660, 1, "whether events are masked"),
            Field::new("rflags", 664, 8, "flags").flags(names::RFLAGS),
            Field::new("rsp", 672, 8, "stack pointer").checked(&[Canonical(Rule::PvRegisters)]),
            Field::new("ss", 680, 2, "selector"),
            Field::new("es", 688, 2, "selector"),
            Field::new("ds", 696, 2, "selector"),
            Field::new("fs", 704, 2, "selector"),
            Field::new("gs", 712, 2, "selector"),
        ]),
        Group::array(
            720,
            16,
            256,
            &[
                Field::new("trap_vector", 0, 1, "vector of a trap's handler").decimal(),
                Field::new("trap_flags", 1, 1, "its privilege level, and whether it masks events"),
                Field::new("trap_cs", 2, 2, "its selector"),
                Field::new("trap_address", 8, 8, "its address").checked(&[Canonical(Rule::PvRegisters)]),
            ],
        ),
        Group::once(&[
            Field::new("ldt_base", 4816, 8, "address of the LDT")
                .checked(&[Within(PAGE_ALIGNED, Rule::PvLdt), GuestAddress(Rule::PvLdt)]),
            Field::new("ldt_ents", 4824, 8, "number of descriptors in the LDT")
                .decimal()
                .checked(&[AtMost(vcpu::LDT_ENTRIES_MAX, Rule::PvLdt)]),
        ]),
        Group::array(
            4832,
            8,
            16,
            &[Field::new("gdt_frame", 0, 8, "pfn of a frame of the GDT")
                .kept_if_sound()
                .likely(FRAME)
                .checked(&[By(Hook::Pv(PvHook::GdtFrame))])],
        ),
        Group::once(&[
            Field::new("gdt_ents", 4960, 8, "number of descriptors in the GDT")
                .kept_if_sound()
                .decimal()
                .checked(&[By(Hook::Pv(PvHook::GdtEnts))]),
            Field::new("kernel_ss", 4968, 8, "selector of the kernel's stack"),
            Field::new("kernel_sp", 4976, 8, "the kernel's stack pointer")
                .checked(&[Canonical(Rule::PvRegisters)]),
            Field::new("cr0", 4984, 8, "control register 0").flags(names::CR0),
            Field::new("cr1", 4992, 8, "page table of user mode, bit 0 set if there is one")
                .kept_if_sound()
                .likely(TABLE)
                .checked(&[By(Hook::Pv(PvHook::Cr1))]),
            Field::new("cr2", 5000, 8, "address of the last page fault"),
            Field::new("cr3", 5008, 8, "page table of the kernel")
                .brief()
                .kept_if_sound()
                .likely(TABLE)
                .checked(&[By(Hook::Pv(PvHook::Cr3))]),
            Field::new("cr4", 5016, 8, "control register 4"),
            Field::new("cr5", 5024, 8, "unused"),
            Field::new("cr6", 5032, 8, "unused"),
            Field::new("cr7", 5040, 8, "unused"),
            Field::new("dr0", 5048, 8, "address of breakpoint 0")
                .checked(&[For(Fact::Dr32, &GuestAddress(Rule::PvDebug))]),
            Field::new("dr1", 5056, 8, "address of breakpoint 1")
                .checked(&[For(Fact::Dr32, &GuestAddress(Rule::PvDebug))]),
            Field::new("dr2", 5064, 8, "address of breakpoint 2")
                .checked(&[For(Fact::Dr32, &GuestAddress(Rule::PvDebug))]),
            Field::new("dr3", 5072, 8, "address of breakpoint 3")
                .checked(&[For(Fact::Dr32, &GuestAddress(Rule::PvDebug))]),
            Field::new("dr4", 5080, 8, "unused"),
            Field::new("dr5", 5088, 8, "emulated I/O breakpoints, up to Xen 4.10"),
            Field::new("dr6", 5096, 8, "debug status")
                .checked(&[For(Fact::Dr32, &Within(u32::MAX as u64, Rule::PvDebug))]),
            Field::new("dr7", 5104, 8, "debug control")
                .checked(&[For(Fact::Dr32, &Within(u32::MAX as u64, Rule::PvDebug))]),
            Field::new("event_callback_eip", 5112, 8, "address of the event handler")
                .checked(&[Canonical(Rule::PvRegisters)]),
            Field::new("failsafe_callback_eip", 5120, 8, "address of the failsafe handler")
                .checked(&[Canonical(Rule::PvRegisters)]),
            Field::new("syscall_callback_eip", 5128, 8, "address of the system call handler")
                .checked(&[Canonical(Rule::PvRegisters)]),
            Field::new("vm_assist", 5136, 8, "features of the hypervisor that the guest asked for")
                .checked(&[By(Hook::Pv(PvHook::VmAssist))]),
            Field::new("fs_base", 5144, 8, "base of FS").checked(&[Canonical(Rule::PvRegisters)]),
            Field::new("gs_base_kernel", 5152, 8, "base of GS in the kernel")
                .checked(&[Canonical(Rule::PvRegisters)]),
            Field::new("gs_base_user", 5160, 8, "base of GS in user mode")
                .checked(&[Canonical(Rule::PvRegisters)]),
        ]),
    ],
};

/// X86_PV_VCPU_BASIC of a 32-bit guest.
pub const BASIC_32: Layout = Layout {
    name: "X86_PV_VCPU_BASIC, 32-bit",
    order: ByteOrder::Little,
    groups: &[
        Group::once(&[
            Field::new("fpu_ctxt", 0, 512, "FXSAVE image").area(),
            Field::new("flags", 512, 4, "state of the vcpu").kept_if_sound().flags(BASIC_FLAGS),
            Field::new("ebx", 516, 4, "register"),
            Field::new("ecx", 520, 4, "register"),
            Field::new("edx", 524, 4, "register; pfn of the start-info page in vcpu 0")
                .checked(&[By(Hook::Pv(PvHook::StartInfo))]),
            Field::new("esi", 528, 4, "register"),
            Field::new("edi", 532, 4, "register"),
            Field::new("ebp", 536, 4, "register"),
            Field::new("eax", 540, 4, "register"),
            Field::new("error_code", 544, 2, "error code of the last exception"),
            Field::new("entry_vector", 546, 2, "vector of the last exception"),
            Field::new("eip", 548, 4, "instruction pointer").brief(),
            Field::new("cs", 552, 2, "selector"),
            Field::new("saved_upcall_mask", 554, 1, "whether events are masked"),
            Field::new("eflags", 556, 4, "flags")
                .flags(names::RFLAGS)
                .checked(&[For(Fact::Pv32Vm, &Within(!EFLAGS_VM, Rule::PvEflagsVm))]),
            Field::new("esp", 560, 4, "stack pointer"),
            Field::new("ss", 564, 2, "selector"),
            Field::new("es", 568, 2, "selector"),
            Field::new("ds", 572, 2, "selector"),
            Field::new("fs", 576, 2, "selector"),
            Field::new("gs", 580, 2, "selector"),
        ]),
        Group::array(
            584,
            8,
            256,
            &[
                Field::new("trap_vector", 0, 1, "vector of a trap's handler").decimal(),
                Field::new("trap_flags", 1, 1, "its privilege level, and whether it masks events"),
                Field::new("trap_cs", 2, 2, "its selector"),
                Field::new("trap_address", 4, 4, "its address"),
            ],
        ),
        Group::once(&[
            Field::new("ldt_base", 2632, 4, "address of the LDT")
                .checked(&[Within(PAGE_ALIGNED, Rule::PvLdt)]),
            Field::new("ldt_ents", 2636, 4, "number of descriptors in the LDT")
                .decimal()
                .checked(&[AtMost(vcpu::LDT_ENTRIES_MAX, Rule::PvLdt)]),
        ]),
        Group::array(
            2640,
            4,
            16,
            &[Field::new("gdt_frame", 0, 4, "pfn of a frame of the GDT")
                .kept_if_sound()
                .likely(FRAME)
                .checked(&[By(Hook::Pv(PvHook::GdtFrame))])],
        ),
        Group::once(&[
            Field::new("gdt_ents", 2704, 4, "number of descriptors in the GDT")
                .kept_if_sound()
                .decimal()
                .checked(&[By(Hook::Pv(PvHook::GdtEnts))]),
            Field::new("kernel_ss", 2708, 4, "selector of the kernel's stack"),
            Field::new("kernel_sp", 2712, 4, "the kernel's stack pointer"),
            Field::new("cr0", 2716, 4, "control register 0").flags(names::CR0),
            Field::new("cr1", 2720, 4, "unused"),
            Field::new("cr2", 2724, 4, "address of the last page fault"),
            Field::new("cr3", 2728, 4, "page table, its frame folded into 32 bits")
                .brief()
                .kept_if_sound()
                .likely(TABLE)
                .checked(&[By(Hook::Pv(PvHook::Cr3))]),
            Field::new("cr4", 2732, 4, "control register 4").flags(names::CR4),
            Field::new("cr5", 2736, 4, "unused"),
            Field::new("cr6", 2740, 4, "unused"),
            Field::new("cr7", 2744, 4, "unused"),
            Field::new("dr0", 2748, 4, "address of breakpoint 0"),
            Field::new("dr1", 2752, 4, "address of breakpoint 1"),
            Field::new("dr2", 2756, 4, "address of breakpoint 2"),
            Field::new("dr3", 2760, 4, "address of breakpoint 3"),
            Field::new("dr4", 2764, 4, "unused"),
            Field::new("dr5", 2768, 4, "emulated I/O breakpoints, up to Xen 4.10"),
            Field::new("dr6", 2772, 4, "debug status"),
            Field::new("dr7", 2776, 4, "debug control"),
            Field::new("event_callback_cs", 2780, 4, "selector of the event handler"),
            Field::new("event_callback_eip", 2784, 4, "address of the event handler"),
            Field::new("failsafe_callback_cs", 2788, 4, "selector of the failsafe handler"),
            Field::new("failsafe_callback_eip", 2792, 4, "address of the failsafe handler"),
            Field::new("vm_assist", 2796, 4, "features of the hypervisor that the guest asked for")
                .checked(&[By(Hook::Pv(PvHook::VmAssist))]),
        ]),
    ],
};

/// X86_PV_VCPU_EXTENDED. Savers write 64 bytes; holes at 30 and 31.
pub const EXTENDED: Layout = Layout {
    name: "X86_PV_VCPU_EXTENDED",
    order: ByteOrder::Little,
    groups: &[Group::once(&[
        Field::new("vcpu", 0, 4, "the vcpu, by which Xen goes")
            .kept()
            .decimal()
            .checked(&[By(Hook::Record(RecordHook::ExtendedId))]),
        Field::new("size", 4, 4, "bytes of the structure")
            .kept()
            .decimal()
            .brief()
            .likely(
                Likely::below(vcpu::EXTENDED_MAX + 1, vcpu::EXTENDED_SIZE_MIN).unless(Keep::UnlessRegisters),
            )
            .checked(&[By(Hook::Pv(PvHook::ExtendedSize))]),
        Field::new("syscall32_callback_eip", 8, 8, "address of the 32-bit system call handler")
            .checked(&[Canonical(Rule::PvExtendedCallback)]),
        Field::new("sysenter_callback_eip", 16, 8, "address of the SYSENTER handler")
            .checked(&[Canonical(Rule::PvExtendedCallback)]),
        Field::new("syscall32_callback_cs", 24, 2, "selector of the 32-bit system call handler"),
        Field::new("sysenter_callback_cs", 26, 2, "selector of the SYSENTER handler"),
        Field::new("syscall32_disables_events", 28, 1, "whether that handler starts with events masked"),
        Field::new("sysenter_disables_events", 29, 1, "whether that handler starts with events masked"),
        Field::new("vmce_caps", 32, 8, "machine-check capabilities")
            .checked(&[By(Hook::Pv(PvHook::ExtendedCaps))]),
        Field::new("vmce_mci_ctl2_bank0", 40, 8, "machine-check control of bank 0"),
        Field::new("vmce_mci_ctl2_bank1", 48, 8, "machine-check control of bank 1"),
        Field::new("mcg_ext_ctl", 56, 8, "extended machine-check control"),
    ])],
};

/// X86_PV_VCPU_XSAVE: two masks, then an XSAVE area.
pub const XSAVE: Layout = Layout {
    name: "X86_PV_VCPU_XSAVE",
    order: ByteOrder::Little,
    groups: &[
        Group::once(&[
            Field::new("xcr0", 0, 8, "features in use")
                .kept()
                .brief()
                .flags(names::XCR0)
                .checked(&[By(Hook::Pv(PvHook::Xcr0))]),
            Field::new("xcr0_accum", 8, 8, "features that were ever in use")
                .kept()
                .brief()
                .flags(names::XCR0)
                .checked(&[By(Hook::Pv(PvHook::Xcr0Accum))]),
            Field::new("fpu", 16, 512, "legacy area").area(),
            Field::new("xstate_bv", 528, 8, "components that are not in their initial state")
                .flags(names::XCR0)
                .checked(&[By(Hook::Pv(PvHook::XstateBv))]),
            Field::new("xcomp_bv", 536, 8, "zero in the standard format")
                .checked(&[Zero(Rule::PvXsaveState)]),
            Field::reserved("reserved0", 544, 8).checked(XSAVE_RESERVED),
            Field::reserved("reserved1", 552, 8).checked(XSAVE_RESERVED),
            Field::reserved("reserved2", 560, 8).checked(XSAVE_RESERVED),
            Field::reserved("reserved3", 568, 8).checked(XSAVE_RESERVED),
            Field::reserved("reserved4", 576, 8).checked(XSAVE_RESERVED),
            Field::reserved("reserved5", 584, 8).checked(XSAVE_RESERVED),
        ]),
        Group::rest(592, &[Field::new("extended", 0, 0, "components after the first two").area()]),
    ],
};

/// X86_PV_VCPU_MSRS: entries.
pub const MSRS: Layout = Layout {
    name: "X86_PV_VCPU_MSRS",
    order: ByteOrder::Little,
    groups: &[Group::to_end(
        0,
        vcpu::MSR as u32,
        &[
            Field::new("index", 0, 4, "number of the MSR")
                .kept()
                .brief()
                .named(names::MSRS)
                .checked(&[By(Hook::Pv(PvHook::MsrIndex))]),
            Field::reserved("reserved", 4, 4).checked(&[Zero(Rule::LibxcVcpuMsrsReserved)]),
            Field::new("value", 8, 8, "its value").brief().checked(&[By(Hook::Pv(PvHook::MsrValue))]),
        ],
    )],
};
