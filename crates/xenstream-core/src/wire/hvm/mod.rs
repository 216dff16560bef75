//! The chain inside HVM_CONTEXT (`public/hvm/save.h`, `public/arch-x86/hvm/save.h`), always little-endian.

pub mod cpu;
pub mod devices;
pub mod pic;
pub mod vcpus;

use crate::wire::layout::{ByteOrder, Layout};

/// Size of an entry's header: `u16 typecode, u16 instance, u32 length`.
pub const ENTRY_HEADER: u64 = 8;
/// Offset of `instance` in an entry.
pub const INSTANCE_AT: u64 = 2;
/// Offset of `length` in an entry.
pub const LENGTH_AT: u64 = 4;

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
    /// MSRs of a vcpu.
    pub const CPU_MSR: u16 = 20;
    /// How many typecodes Xen knows.
    pub const KNOWN: u16 = 21;
}

/// Typecodes of devices that every HVM guest has and no PVH guest: PIC, IOAPIC, PIT, RTC, HPET, PMTIMER.
pub const DEVICES: [u16; 6] =
    [types::PIC, types::IOAPIC, types::PIT, types::RTC, types::HPET, types::PMTIMER];

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
    /// Does this length fit?
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
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Lengths that Xen takes.
    pub length: Length,
    /// What its instance counts.
    pub instances: Instances,
    /// What is in it.
    pub layout: &'static Layout,
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

/// Every typecode that Xen knows, by its number.
pub const ENTRIES: [Entry; types::KNOWN as usize] = {
    use Instances::{Any, Pics, Vcpus};
    use Length::{AtLeast, AtMost, Exactly};
    const fn entry(layout: &'static Layout, length: Length, instances: Instances) -> Entry {
        Entry { name: layout.name, length, instances, layout }
    }
    const END: Layout = Layout { name: "END", order: ByteOrder::Little, groups: &[] };
    [
        entry(&END, Exactly(0), Any),
        entry(&devices::HEADER, Exactly(HEADER_LENGTH), Any),
        entry(&cpu::CPU, AtMost(cpu::LENGTH), Vcpus),
        entry(&devices::PIC, Exactly(8), Pics),
        entry(&devices::IOAPIC, Exactly(400), Any),
        entry(&vcpus::LAPIC, AtMost(32), Vcpus),
        entry(&vcpus::LAPIC_REGS, Exactly(1024), Vcpus),
        entry(&devices::PCI_IRQ, Exactly(16), Any),
        entry(&devices::ISA_IRQ, Exactly(8), Any),
        entry(&devices::PCI_LINK, Exactly(8), Any),
        entry(&devices::PIT, Exactly(56), Any),
        entry(&devices::RTC, AtMost(24), Any),
        entry(&devices::HPET, Exactly(1048), Any),
        entry(&devices::PMTIMER, Exactly(8), Any),
        entry(&vcpus::MTRR, Exactly(240), Vcpus),
        entry(&devices::VIRIDIAN_DOMAIN, AtMost(32), Any),
        entry(&vcpus::CPU_XSAVE, AtLeast(XSAVE_MIN), Vcpus),
        entry(&vcpus::VIRIDIAN_VCPU, AtMost(216), Vcpus),
        entry(&vcpus::VMCE_VCPU, AtMost(32), Vcpus),
        entry(&vcpus::TSC_ADJUST, Exactly(8), Vcpus),
        entry(&vcpus::CPU_MSR, AtLeast(MSR_HEADER + MSR), Vcpus),
    ]
};

/// What is known of a typecode; `None` for one that Xen does not know.
#[inline]
#[must_use]
pub fn entry(typecode: u16) -> Option<&'static Entry> {
    static TABLE: [Entry; types::KNOWN as usize] = ENTRIES;
    TABLE.get(usize::from(typecode))
}
