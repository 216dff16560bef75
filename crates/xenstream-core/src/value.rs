//! What a violation found, and what its rule asks for.

use core::fmt;

use crate::page_type::PageType;
use crate::summary::{DomainType, Format, Guest};
use crate::violation::{Layer, TypeLabel};

/// The value that a violation found or that its rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Value {
    /// There is nothing to say: something is missing, or the rule names no bound.
    None,
    /// The contents of a field, a length, a count, an index, a frame or a limit.
    Number(u64),
    /// The type of a record of this layer.
    RecordType(Layer, u64),
    /// A format, with which an input begins or should begin.
    Format(Format),
    /// A type of domain, which the configuration names.
    DomainType(DomainType),
    /// What shows of which type the domain is.
    Evidence(Evidence),
    /// The Viridian features that a stream or a configuration gives a guest, as bits.
    Viridian(u64),
    /// Viridian state in HVM_CONTEXT, of a guest without Viridian features.
    ViridianState,
    /// The type of a page of a PV guest.
    PageType(PageType),
    /// A page of a PV guest whose type was not remembered.
    UnknownPageType,
    /// The vendor of a processor.
    CpuVendor(CpuVendor),
    /// The kind of guest.
    Guest(Guest),
}

/// The vendor of a processor, as CPUID leaf 0 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CpuVendor([u8; 12]);

impl CpuVendor {
    /// Intel.
    pub const INTEL: CpuVendor = CpuVendor(*b"GenuineIntel");
    /// AMD.
    pub const AMD: CpuVendor = CpuVendor(*b"AuthenticAMD");

    /// Returns the vendor with this name, if it has 12 bytes.
    #[must_use]
    pub fn named(name: &str) -> Option<CpuVendor> {
        name.as_bytes().try_into().ok().map(CpuVendor)
    }

    /// Returns the vendor in the registers of leaf 0.
    #[must_use]
    pub const fn of_registers(ebx: u32, ecx: u32, edx: u32) -> CpuVendor {
        let ([a, b, c, d], [e, f, g, h], [i, j, k, l]) =
            (ebx.to_le_bytes(), edx.to_le_bytes(), ecx.to_le_bytes());
        CpuVendor([a, b, c, d, e, f, g, h, i, j, k, l])
    }
}

impl fmt::Display for CpuVendor {
    /// Writes the name. What is not printable ASCII becomes a full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| {
            let is_plain = matches!(byte, b' '..=b'~');
            write!(f, "{}", if is_plain { char::from(*byte) } else { '.' })
        })
    }
}

/// What a stream reveals about the type of its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// The domain header is that of a PV guest.
    PvGuest,
    /// The domain header is that of an HVM or PVH guest.
    HvmGuest,
    /// A record has the state of a device model.
    EmulatorRecord,
    /// HVM_CONTEXT has the state of emulated devices.
    EmulatedDevices,
}

impl Value {
    /// The type of a libxc record.
    pub(crate) fn libxc(kind: u32) -> Value {
        Value::RecordType(Layer::Libxc, u64::from(kind))
    }

    /// The type of a libxl record.
    pub(crate) fn libxl(kind: u32) -> Value {
        Value::RecordType(Layer::Libxl, u64::from(kind))
    }

    /// The number, or that of the type. `None` if the value is no number.
    #[must_use]
    pub const fn number(self) -> Option<u64> {
        match self {
            Value::Number(number) | Value::RecordType(_, number) | Value::Viridian(number) => Some(number),
            Value::PageType(page_type) => Some(page_type.bits()),
            Value::None
            | Value::Format(_)
            | Value::DomainType(_)
            | Value::Evidence(_)
            | Value::UnknownPageType
            | Value::CpuVendor(_)
            | Value::Guest(_)
            | Value::ViridianState => None,
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(number)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::None => f.write_str("nothing"),
            Value::Number(number) => write!(f, "{number}"),
            Value::RecordType(layer, kind) => write!(f, "{}", TypeLabel::new(layer, kind)),
            Value::Format(format) => write!(f, "{format}"),
            Value::DomainType(domain_type) => f.write_str(domain_type.name()),
            Value::Evidence(evidence) => write!(f, "{evidence}"),
            Value::Viridian(0) => f.write_str("no Viridian features"),
            Value::Viridian(features) => write!(f, "Viridian features {features:#x}"),
            Value::ViridianState => f.write_str("Viridian state"),
            Value::PageType(page_type) => write!(f, "of type {:#x}", page_type.bits()),
            Value::UnknownPageType => f.write_str("of another type"),
            Value::CpuVendor(vendor) => write!(f, "{vendor}"),
            Value::Guest(guest) => f.write_str(guest.name()),
        }
    }
}

/// In hex if it is a number, and as `Display` writes it otherwise.
impl fmt::LowerHex for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number:#x}"),
            other => write!(f, "{other}"),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Evidence::PvGuest => "the stream holds a PV guest",
            Evidence::HvmGuest => "the stream holds an HVM or PVH guest",
            Evidence::EmulatorRecord => "the stream has a device-model record",
            Evidence::EmulatedDevices => "the stream has emulated devices",
        })
    }
}
