//! Entries of HVM_CONTEXT that belong to a vcpu, but for [CPU](super::cpu).

use crate::rule::Rule;
use crate::wire::hvm::{MSR, MSR_HEADER};
use crate::wire::layout::Check::{By, OneOf, Within, Zero};
use crate::wire::layout::{ByteOrder, Field, Group, Hook, HvmHook, Keep, Layout, Likely};
use crate::wire::{names, xsave};

const fn layout(name: &'static str, groups: &'static [Group]) -> Layout {
    Layout { name, order: ByteOrder::Little, groups }
}

/// Bits of `apic_base_msr`.
pub mod apic_base {
    /// x2APIC mode.
    pub const EXTD: u64 = 1 << 10;
    /// Enabled.
    pub const EN: u64 = 1 << 11;
}

/// Machine-check capabilities that some host takes: the number of banks, and what Intel's have.
pub const VMCE_CAPS: u64 = 0x0900_0DFF;

/// Offset of the XSAVE area in CPU_XSAVE.
pub const XSAVE_AREA_AT: u64 = 24;

/// LAPIC. 24 bytes, or 32 since the releases that save `pending_esr`.
pub const LAPIC: Layout = layout(
    "LAPIC",
    &[Group::once(&[
        Field::new("apic_base_msr", 0, 8, "address and mode").checked(&[By(Hook::Hvm(HvmHook::LapicBase))]),
        Field::new("disabled", 8, 4, "whether it is disabled, by software or by hardware").decimal(),
        Field::new("timer_divisor", 12, 4, "divisor of the timer")
            .decimal()
            .checked(&[OneOf(&[1, 2, 4, 8, 16, 32, 64, 128], Rule::HvmLapicDivisor)]),
        Field::new("tdt_msr", 16, 8, "TSC deadline"),
        Field::new("pending_esr", 24, 4, "errors that the next write to ESR reports"),
        Field::reserved("padding", 28, 4),
    ])],
);

/// LAPIC_REGS.
pub const LAPIC_REGS: Layout = layout(
    "LAPIC_REGS",
    &[Group::array(0, 16, 64, &[Field::new("register", 0, 4, "register of the local APIC")])],
);

/// MTRR.
pub const MTRR: Layout = layout(
    "MTRR",
    &[
        Group::once(&[Field::new("msr_pat_cr", 0, 8, "page attribute table")]),
        Group::array(8, 8, 16, &[Field::new("msr_mtrr_var", 0, 8, "base or mask of a variable range")]),
        Group::array(136, 8, 11, &[Field::new("msr_mtrr_fixed", 0, 8, "types of a fixed range")]),
        Group::once(&[
            Field::new("msr_mtrr_cap", 224, 8, "capabilities; the lowest byte counts the variable ranges")
                .checked(&[By(Hook::Hvm(HvmHook::MtrrCount))]),
            Field::new("msr_mtrr_def_type", 232, 8, "default type"),
        ]),
    ],
);

/// The least that a processor has in use.
const X87: Likely = Likely::none(xsave::X87).unless(Keep::UnlessRegisters);

/// CPU_XSAVE.
pub const CPU_XSAVE: Layout = layout(
    "CPU_XSAVE",
    &[
        Group::once(&[
            Field::new("xfeature_mask", 0, 8, "unused"),
            Field::new("xcr0", 8, 8, "features in use")
                .brief()
                .flags(names::XCR0)
                .likely(X87)
                .checked(&[By(Hook::Hvm(HvmHook::Xcr0))]),
            Field::new("xcr0_accum", 16, 8, "features that were ever in use")
                .brief()
                .flags(names::XCR0)
                .likely(X87)
                .checked(&[By(Hook::Hvm(HvmHook::Accum))]),
            Field::new("fpu_sse", 24, 512, "legacy area").area(),
            Field::new("xstate_bv", 536, 8, "components that are not in their initial state")
                .flags(names::XCR0)
                .checked(&[By(Hook::Hvm(HvmHook::XstateBv))]),
            Field::new("xcomp_bv", 544, 8, "zero in the standard format")
                .checked(&[Zero(Rule::HvmXsaveState)]),
            Field::new("reserved0", 552, 8, "reserved").checked(&[Zero(Rule::HvmXsaveState)]),
            Field::new("reserved1", 560, 8, "reserved").checked(&[Zero(Rule::HvmXsaveState)]),
            Field::new("reserved2", 568, 8, "reserved").checked(&[Zero(Rule::HvmXsaveState)]),
            Field::new("reserved3", 576, 8, "reserved").checked(&[Zero(Rule::HvmXsaveState)]),
            Field::new("reserved4", 584, 8, "reserved").checked(&[Zero(Rule::HvmXsaveState)]),
            Field::new("reserved5", 592, 8, "reserved")
                .checked(&[Zero(Rule::HvmXsaveState), By(Hook::Hvm(HvmHook::XsaveEnd))]),
        ]),
        Group::rest(600, &[Field::new("extended", 0, 0, "components after the first two").area()]),
    ],
);

/// VIRIDIAN_VCPU.
pub const VIRIDIAN_VCPU: Layout = layout(
    "VIRIDIAN_VCPU",
    &[
        Group::once(&[
            Field::new("vp_assist_msr", 0, 8, "address of the assist page"),
            Field::new("apic_assist_pending", 8, 1, "whether an EOI is pending").decimal(),
            Field::reserved("_pad", 9, 7).checked(&[Zero(Rule::HvmViridianPad)]),
            Field::new("simp_msr", 16, 8, "address of the message page"),
        ]),
        Group::array(24, 8, 16, &[Field::new("sint_msr", 0, 8, "synthetic interrupt source")]),
        Group::array(152, 8, 4, &[Field::new("stimer_config_msr", 0, 8, "configuration of a timer")]),
        Group::array(184, 8, 4, &[Field::new("stimer_count_msr", 0, 8, "count of a timer")]),
    ],
);

/// VMCE_VCPU.
pub const VMCE_VCPU: Layout = layout(
    "VMCE_VCPU",
    &[Group::once(&[
        Field::new("caps", 0, 8, "machine-check capabilities")
            .checked(&[Within(VMCE_CAPS, Rule::HvmVmceCaps)]),
        Field::new("mci_ctl2_bank0", 8, 8, "machine-check control of bank 0"),
        Field::new("mci_ctl2_bank1", 16, 8, "machine-check control of bank 1"),
        Field::new("mcg_ext_ctl", 24, 8, "extended machine-check control"),
    ])],
);

/// TSC_ADJUST.
pub const TSC_ADJUST: Layout =
    layout("TSC_ADJUST", &[Group::once(&[Field::new("tsc_adjust", 0, 8, "offset of the TSC")])]);

/// CPU_MSR: a count, four bytes that savers leave uninitialised, and entries.
pub const CPU_MSR: Layout = layout(
    "CPU_MSR",
    &[
        Group::once(&[Field::new("count", 0, 4, "number of entries")
            .kept()
            .decimal()
            .checked(&[By(Hook::Hvm(HvmHook::MsrCount))])]),
        Group::to_end(
            MSR_HEADER as u32,
            MSR as u32,
            &[
                Field::new("index", 0, 4, "number of the MSR")
                    .kept()
                    .brief()
                    .named(names::MSRS)
                    .checked(&[By(Hook::Hvm(HvmHook::MsrIndex))]),
                Field::reserved("_rsvd", 4, 4).checked(&[Zero(Rule::HvmMsrReserved)]),
                Field::new("value", 8, 8, "its value").brief().checked(&[By(Hook::Hvm(HvmHook::MsrValue))]),
            ],
        ),
    ],
);
