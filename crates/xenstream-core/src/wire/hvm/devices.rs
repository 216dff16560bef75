//! Entries of HVM_CONTEXT that belong to the domain: HEADER and the devices of an HVM guest.

use crate::rule::Rule;
use crate::targets::Fact;
use crate::wire::hvm::{MAGIC, VERSION};
use crate::wire::layout::Check::{self, AtMost, By, For, Is, Zero};
use crate::wire::layout::{ByteOrder, Field, Group, Hook, HvmHook, Layout};

const fn layout(name: &'static str, groups: &'static [Group]) -> Layout {
    Layout { name, order: ByteOrder::Little, groups }
}

/// HEADER.
pub const HEADER: Layout = layout(
    "HEADER",
    &[Group::once(&[
        Field::new("magic", 0, 4, "0x54381286").kept().checked(&[Is(MAGIC as u64, Rule::HvmMagic)]),
        Field::new("version", 4, 4, "version of the chain")
            .kept()
            .decimal()
            .checked(&[Is(VERSION as u64, Rule::HvmVersion)]),
        Field::new("changeset", 8, 8, "changeset of the hypervisor that saved, all ones if unknown").brief(),
        Field::new("cpuid", 16, 4, "EAX of CPUID leaf 1 on the saving host").brief(),
        Field::new("gtsc_khz", 20, 4, "frequency of the guest's TSC in kHz, 0 if it is not known")
            .decimal()
            .brief()
            .checked(&[By(Hook::Hvm(HvmHook::HeaderTsc))]),
    ])],
);

const PIC_BYTE: Check = By(Hook::Hvm(HvmHook::Pic));

/// PIC.
pub const PIC: Layout = layout(
    "PIC",
    &[Group::once(&[
        Field::new("irr", 0, 1, "requested interrupts").checked(&[PIC_BYTE]),
        Field::new("imr", 1, 1, "masked interrupts").checked(&[PIC_BYTE]),
        Field::new("isr", 2, 1, "interrupts in service").checked(&[PIC_BYTE]),
        Field::new("irq_base", 3, 1, "vector of the first interrupt").checked(&[PIC_BYTE]),
        Field::new("init_state", 4, 1, "bits 0 to 3 initialisation state, bits 4 to 7 priority_add")
            .checked(&[PIC_BYTE]),
        Field::new("modes", 5, 1, "bit 6 is_master, bits 0 to 5 modes").kept().checked(&[PIC_BYTE]),
        Field::new("elcr", 6, 1, "level-triggered lines").checked(&[PIC_BYTE]),
        Field::new("int_output", 7, 1, "whether the interrupt pin is asserted")
            .decimal()
            .checked(&[PIC_BYTE]),
    ])],
);

/// IOAPIC.
pub const IOAPIC: Layout = layout(
    "IOAPIC",
    &[
        Group::once(&[
            Field::new("base_address", 0, 8, "guest-physical address"),
            Field::new("ioregsel", 8, 4, "selected register"),
            Field::new("id", 12, 4, "APIC id").decimal(),
        ]),
        Group::array(16, 8, 48, &[Field::new("redirtbl", 0, 8, "redirection entry")]),
    ],
);

/// PCI_IRQ.
pub const PCI_IRQ: Layout =
    layout("PCI_IRQ", &[Group::array(0, 8, 2, &[Field::new("lines", 0, 8, "asserted INTx lines")])]);

/// ISA_IRQ.
pub const ISA_IRQ: Layout =
    layout("ISA_IRQ", &[Group::once(&[Field::new("lines", 0, 8, "asserted ISA lines")])]);

/// PCI_LINK.
pub const PCI_LINK: Layout = layout(
    "PCI_LINK",
    &[
        Group::array(
            0,
            1,
            4,
            &[Field::new("route", 0, 1, "ISA line of a PCI link, 0 if disabled")
                .decimal()
                .checked(&[AtMost(15, Rule::HvmPciLinkRoute)])],
        ),
        Group::once(&[
            Field::reserved("pad", 4, 4).checked(&[For(Fact::LinkPad, &Zero(Rule::HvmPciLinkPad))])
        ]),
    ],
);

/// What releases ask of a PIT that have `pit_check()`.
const fn pit(check: &'static Check) -> Check {
    For(Fact::PitChk, check)
}

/// PIT.
pub const PIT: Layout = layout(
    "PIT",
    &[
        Group::array(
            0,
            16,
            3,
            &[
                Field::new("count", 0, 4, "reload value")
                    .decimal()
                    .checked(&[pit(&AtMost(65536, Rule::HvmPitState))]),
                Field::new("latched_count", 4, 2, "latched count").decimal(),
                Field::new("count_latched", 6, 1, "which bytes of the count are latched")
                    .decimal()
                    .checked(&[pit(&AtMost(4, Rule::HvmPitState))]),
                Field::new("status_latched", 7, 1, "whether the status is latched").decimal(),
                Field::new("status", 8, 1, "latched status"),
                Field::new("read_state", 9, 1, "which byte is read next")
                    .decimal()
                    .checked(&[pit(&AtMost(4, Rule::HvmPitState))]),
                Field::new("write_state", 10, 1, "which byte is written next")
                    .decimal()
                    .checked(&[pit(&AtMost(4, Rule::HvmPitState))]),
                Field::new("write_latch", 11, 1, "first byte of a write of two"),
                Field::new("rw_mode", 12, 1, "access mode")
                    .decimal()
                    .checked(&[pit(&AtMost(3, Rule::HvmPitState))]),
                Field::new("mode", 13, 1, "mode; 0xff or 7 for a channel that was never programmed"),
                Field::new("bcd", 14, 1, "whether it counts in BCD")
                    .decimal()
                    .checked(&[pit(&AtMost(1, Rule::HvmPitState))]),
                Field::new("gate", 15, 1, "state of the gate")
                    .decimal()
                    .kept()
                    .checked(&[By(Hook::Hvm(HvmHook::PitGate))]),
            ],
        ),
        Group::once(&[
            Field::new("speaker_data_on", 48, 4, "whether the speaker is on")
                .decimal()
                .checked(&[pit(&AtMost(1, Rule::HvmPitState))]),
            Field::reserved("pad0", 52, 4).checked(&[pit(&Zero(Rule::HvmPitState))]),
        ]),
    ],
);

/// RTC. The length of Xen 4.13 ends before `rtc_offset`.
pub const RTC: Layout = layout(
    "RTC",
    &[Group::once(&[
        Field::new("cmos_data", 0, 14, "date and status registers").area(),
        Field::new("cmos_index", 14, 1, "selected register").checked(&[AtMost(0x7F, Rule::HvmRtcIndex)]),
        Field::reserved("pad0", 15, 1),
        Field::new("rtc_offset", 16, 8, "seconds between the guest's clock and the host's"),
    ])],
);

/// HPET.
pub const HPET: Layout = layout(
    "HPET",
    &[
        Group::once(&[
            Field::new("capability", 0, 8, "capabilities"),
            Field::reserved("res0", 8, 8),
            Field::new("config", 16, 8, "configuration"),
            Field::reserved("res1", 24, 8),
            Field::new("isr", 32, 8, "interrupts in service").checked(&[PIC_BYTE]),
            Field::reserved("res2", 40, 200),
            Field::new("mc64", 240, 8, "main counter"),
            Field::reserved("res3", 248, 8),
        ]),
        Group::array(
            256,
            32,
            3,
            &[
                Field::new("timer_config", 0, 8, "configuration of a timer"),
                Field::new("timer_cmp", 8, 8, "comparator of a timer"),
                Field::new("timer_fsb", 16, 8, "message of a timer"),
                Field::reserved("timer_res", 24, 8),
            ],
        ),
        Group::array(1024, 8, 3, &[Field::new("period", 0, 8, "period of a timer")]),
    ],
);

/// PMTIMER.
pub const PMTIMER: Layout = layout(
    "PMTIMER",
    &[Group::once(&[
        Field::new("tmr_val", 0, 4, "timer value"),
        Field::new("pm1a_sts", 4, 2, "status register"),
        Field::new("pm1a_en", 6, 2, "enable register"),
    ])],
);

/// VIRIDIAN_DOMAIN.
pub const VIRIDIAN_DOMAIN: Layout = layout(
    "VIRIDIAN_DOMAIN",
    &[Group::once(&[
        Field::new("hypercall_gpa", 0, 8, "address of the hypercall page"),
        Field::new("guest_os_id", 8, 8, "identity of the guest's system"),
        Field::new("time_ref_count", 16, 8, "reference counter"),
        Field::new("reference_tsc", 24, 8, "address of the reference TSC page"),
    ])],
);
