//! The chain inside HVM_CONTEXT (`public/hvm/save.h`, `public/arch-x86/hvm/save.h`), always little-endian.

pub mod cpu;
pub mod devices;
pub mod pic;
pub mod vcpus;

use crate::wire::headers::HVM_ENTRY;
use crate::wire::layout::{ByteOrder, Layout};
use crate::wire::types::{RecordType, Topic};

/// Size of an entry's header: `u16 typecode, u16 instance, u32 length`.
pub const ENTRY_HEADER: u64 = 8;
/// Offset of `instance` in an entry.
pub const INSTANCE_AT: u64 = HVM_ENTRY.offset_of("instance");
/// Offset of `length` in an entry.
pub const LENGTH_AT: u64 = HVM_ENTRY.offset_of("length");

/// HEADER's `magic`.
pub const MAGIC: u32 = 0x5438_1286;
/// HEADER's `version`.
pub const VERSION: u32 = 1;
/// HEADER's length.
pub const HEADER_LENGTH: u64 = 24;

/// Typecodes.
pub mod types {
    /// Last entry.
    pub const END: u16 = 0;
    /// First entry.
    pub const HEADER: u16 = 1;
    /// Registers of a vcpu.
    pub const CPU: u16 = 2;
    /// Interrupt controller of an HVM guest.
    pub const PIC: u16 = 3;
    /// I/O interrupt controller of an HVM guest.
    pub const IOAPIC: u16 = 4;
    /// Local APIC of a vcpu.
    pub const LAPIC: u16 = 5;
    /// Registers of the local APIC of a vcpu.
    pub const LAPIC_REGS: u16 = 6;
    /// Lines of PCI interrupts.
    pub const PCI_IRQ: u16 = 7;
    /// Lines of ISA interrupts.
    pub const ISA_IRQ: u16 = 8;
    /// Routes of PCI interrupts.
    pub const PCI_LINK: u16 = 9;
    /// Timer of an HVM guest.
    pub const PIT: u16 = 10;
    /// Real-time clock.
    pub const RTC: u16 = 11;
    /// High-precision timer of an HVM guest.
    pub const HPET: u16 = 12;
    /// Timer of the power management.
    pub const PMTIMER: u16 = 13;
    /// Memory types of a vcpu.
    pub const MTRR: u16 = 14;
    /// Viridian state of the domain.
    pub const VIRIDIAN_DOMAIN: u16 = 15;
    /// XSAVE area of a vcpu.
    pub const CPU_XSAVE: u16 = 16;
    /// Viridian state of a vcpu.
    pub const VIRIDIAN_VCPU: u16 = 17;
    /// Machine-check state of a vcpu.
    pub const VMCE_VCPU: u16 = 18;
    /// Offset of a vcpu's time-stamp counter.
    pub const TSC_ADJUST: u16 = 19;
    /// MSRs of a vcpu.
    pub const CPU_MSR: u16 = 20;
    /// How many typecodes Xen knows.
    pub const KNOWN: u16 = 21;
}

/// Typecodes of devices that every HVM guest has and no PVH guest: PIC, IOAPIC, PIT, RTC, HPET, PMTIMER.
pub const DEVICES: &[u16] = &[types::PIC, types::IOAPIC, types::PIT, types::RTC, types::HPET, types::PMTIMER];

/// CPU_MSR: `u32 count, u32 pad`, then `count` entries.
pub const MSR_HEADER: u64 = 8;
/// Size of one entry of CPU_MSR: `u32 index, u32 reserved, u64 value`.
pub const MSR: u64 = 16;
/// Shortest CPU_XSAVE.
pub const XSAVE_MIN: u64 = 600;

/// Longest LAPIC that every release takes; since [`Fact::Lapic32`](crate::Fact::Lapic32) there are 8 bytes more.
pub const LAPIC_OLD: u64 = 24;
/// The length of RTC that every release takes; since [`Fact::Rtc24`](crate::Fact::Rtc24) there may be 8 bytes more.
pub const RTC_OLD: u64 = 16;

/// Lengths that Xen takes for a typecode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// This one only.
    Exactly(u64),
    /// Up to this one: a shorter entry is extended with zeros.
    AtMost(u64),
    /// This one and longer.
    AtLeast(u64),
}

impl Length {
    /// Returns whether the entry may have this length.
    #[inline]
    #[must_use]
    pub const fn allows(self, length: u64) -> bool {
        match self {
            Length::Exactly(n) => length == n,
            Length::AtMost(n) => length <= n,
            Length::AtLeast(n) => length >= n,
        }
    }

    /// The number that bounds it.
    #[must_use]
    pub const fn bound(self) -> u64 {
        match self {
            Length::Exactly(n) | Length::AtMost(n) | Length::AtLeast(n) => n,
        }
    }
}

/// What is known of a typecode.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Its name and its body.
    pub record_type: RecordType,
    /// Lengths that Xen takes.
    pub length: Length,
    /// What its instance counts.
    pub instances: Instances,
    body: &'static [&'static Layout; 1],
}

impl Entry {
    /// What is in an entry of this length: CPU has one for which Xen takes another structure.
    #[must_use]
    pub fn body(&self, length: u64) -> &'static [&'static Layout; 1] {
        if self.record_type.number == u64::from(types::CPU) && length == cpu::LENGTH_WITHOUT_TSC_AUX {
            &[&cpu::CPU_WITHOUT_TSC_AUX]
        } else {
            self.body
        }
    }
}

/// What an entry's instance counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// Nothing: Xen does not look at it.
    Any,
    /// The two PICs.
    Pics,
    /// The domain's vcpus.
    Vcpus,
}

/// How many PICs there are.
pub const PICS: u64 = 2;

/// Most vcpus of an HVM guest, in every release (`HVM_MAX_VCPUS`).
pub const VCPUS: u64 = 128;

/// Every typecode that Xen knows, by its number.
pub static ENTRIES: &[Entry] = &{
    use Instances::{Any, Pics, Vcpus};
    use Length::{AtLeast, AtMost, Exactly};
    use types as t;
    const fn entry(
        typecode: u16,
        body: &'static [&'static Layout; 1],
        length: Length,
        instances: Instances,
        meaning: &'static str,
    ) -> Entry {
        let topic = match typecode {
            t::END => Topic::Control,
            t::HEADER => Topic::Header,
            _ => Topic::Registers,
        };
        let [layout] = body;
        let record_type = RecordType::new(typecode as u64, layout.name, topic, meaning).with_body(body);
        Entry { record_type, length, instances, body }
    }
    const END: Layout = Layout { name: "END", order: ByteOrder::Little, groups: &[] };
    [
        entry(t::END, &[&END], Exactly(0), Any, "the end"),
        entry(t::HEADER, &[&devices::HEADER], Exactly(HEADER_LENGTH), Any, "which hypervisor wrote it"),
        entry(t::CPU, &[&cpu::CPU], AtMost(cpu::LENGTH), Vcpus, "registers of a vcpu"),
        entry(t::PIC, &[&devices::PIC], Exactly(8), Pics, "legacy interrupt controller"),
        entry(t::IOAPIC, &[&devices::IOAPIC], Exactly(400), Any, "I/O interrupt controller"),
        entry(t::LAPIC, &[&vcpus::LAPIC], AtMost(32), Vcpus, "local interrupt controller"),
        entry(t::LAPIC_REGS, &[&vcpus::LAPIC_REGS], Exactly(1024), Vcpus, "registers of the LAPIC"),
        entry(t::PCI_IRQ, &[&devices::PCI_IRQ], Exactly(16), Any, "PCI interrupt lines"),
        entry(t::ISA_IRQ, &[&devices::ISA_IRQ], Exactly(8), Any, "ISA interrupt lines"),
        entry(t::PCI_LINK, &[&devices::PCI_LINK], Exactly(8), Any, "how PCI lines are routed"),
        entry(t::PIT, &[&devices::PIT], Exactly(56), Any, "interval timer"),
        entry(t::RTC, &[&devices::RTC], AtMost(24), Any, "real-time clock"),
        entry(t::HPET, &[&devices::HPET], Exactly(1048), Any, "high-precision timer"),
        entry(t::PMTIMER, &[&devices::PMTIMER], Exactly(8), Any, "power-management timer"),
        entry(t::MTRR, &[&vcpus::MTRR], Exactly(240), Vcpus, "memory types of a vcpu"),
        entry(t::VIRIDIAN_DOMAIN, &[&devices::VIRIDIAN_DOMAIN], AtMost(32), Any, "Hyper-V interface, domain"),
        entry(t::CPU_XSAVE, &[&vcpus::CPU_XSAVE], AtLeast(XSAVE_MIN), Vcpus, "FPU and vectors of a vcpu"),
        entry(t::VIRIDIAN_VCPU, &[&vcpus::VIRIDIAN_VCPU], AtMost(216), Vcpus, "Hyper-V interface, vcpu"),
        entry(t::VMCE_VCPU, &[&vcpus::VMCE_VCPU], AtMost(32), Vcpus, "machine checks of a vcpu"),
        entry(
            t::TSC_ADJUST,
            &[&vcpus::TSC_ADJUST],
            Exactly(8),
            Vcpus,
            "offset of a vcpu's time-stamp counter",
        ),
        entry(t::CPU_MSR, &[&vcpus::CPU_MSR], AtLeast(MSR_HEADER + MSR), Vcpus, "MSRs of a vcpu"),
    ]
};

/// What is known of a typecode; `None` for one that Xen does not know.
#[inline]
#[must_use]
pub fn entry(typecode: u16) -> Option<&'static Entry> {
    ENTRIES.get(usize::from(typecode))
}
