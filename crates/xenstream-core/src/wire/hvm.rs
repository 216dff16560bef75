//! The chain inside HVM_CONTEXT (`public/hvm/save.h`, `public/arch-x86/hvm/save.h`), always little-endian.

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
    /// XSAVE area of a vcpu.
    pub const CPU_XSAVE: u16 = 16;
    /// MSRs of a vcpu.
    pub const CPU_MSR: u16 = 20;
    /// How many typecodes Xen knows.
    pub const KNOWN: u16 = 21;
}

/// CPU_MSR: `u32 count, u32 pad`, then `count` entries.
pub const MSR_HEADER: u64 = 8;
/// Size of one entry of CPU_MSR: `u32 index, u32 reserved, u64 value`.
pub const MSR: u64 = 16;
/// Shortest CPU_XSAVE.
pub const XSAVE_MIN: u64 = 600;

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

/// Name and lengths of a typecode; `None` for one that Xen does not know.
#[inline]
#[must_use]
pub const fn entry(typecode: u16) -> Option<(&'static str, Length)> {
    Some(match typecode {
        0 => ("END", Length::Exactly(0)),
        1 => ("HEADER", Length::Exactly(HEADER_LENGTH)),
        2 => ("CPU", Length::AtMost(1032)),
        3 => ("PIC", Length::Exactly(8)),
        4 => ("IOAPIC", Length::Exactly(400)),
        5 => ("LAPIC", Length::AtMost(32)),
        6 => ("LAPIC_REGS", Length::Exactly(1024)),
        7 => ("PCI_IRQ", Length::Exactly(16)),
        8 => ("ISA_IRQ", Length::Exactly(8)),
        9 => ("PCI_LINK", Length::Exactly(8)),
        10 => ("PIT", Length::Exactly(56)),
        11 => ("RTC", Length::AtMost(24)),
        12 => ("HPET", Length::Exactly(1048)),
        13 => ("PMTIMER", Length::Exactly(8)),
        14 => ("MTRR", Length::Exactly(240)),
        15 => ("VIRIDIAN_DOMAIN", Length::AtMost(32)),
        16 => ("CPU_XSAVE", Length::AtLeast(XSAVE_MIN)),
        17 => ("VIRIDIAN_VCPU", Length::AtMost(216)),
        18 => ("VMCE_VCPU", Length::AtMost(32)),
        19 => ("TSC_ADJUST", Length::Exactly(8)),
        20 => ("CPU_MSR", Length::AtLeast(MSR_HEADER + MSR)),
        _ => return None,
    })
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

/// What the instance of a typecode counts.
#[inline]
#[must_use]
pub const fn instances(typecode: u16) -> Instances {
    match typecode {
        3 => Instances::Pics,
        2 | 5 | 6 | 14 | 16..=20 => Instances::Vcpus,
        _ => Instances::Any,
    }
}
