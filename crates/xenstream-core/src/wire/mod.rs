//! The formats as data: names, numbers, sizes and field offsets. The structures that are flat
//! are declared field by field, with what each field is checked for ([`layout`]).
//!
//! All sizes are in bytes, all offsets count from the start of the structure they belong to.

pub mod headers;
pub mod hooks;
pub mod hvm;
#[allow(clippy::panic, reason = "the panic is a build error of a constant")]
pub mod layout;
pub mod libvirt;
pub mod libxc;
pub mod libxl;
pub mod msr;
pub mod names;
pub mod params;
pub mod pv;
pub mod qemu;
pub mod records;
pub mod structures;
pub mod types;
pub mod xenopsd;
pub mod xl;
pub mod xsave;

use byteorder::{BigEndian, ByteOrder, LittleEndian};

use crate::summary::Format;

/// What the streams of each format begin with.
pub const MAGICS: &[(Format, &[u8])] = &[
    (Format::Xl, &xl::MAGIC),
    (Format::Libvirt, &libvirt::MAGIC),
    (Format::Xenopsd, &xenopsd::SIGNATURE),
    (Format::Libxl, &libxl::IDENT),
    (Format::Libxc, &libxc::MARKER.to_be_bytes()),
];

/// Size of a guest page in bytes.
pub const PAGE_SIZE: u64 = 4096;

/// The order of the bytes in multi-byte fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Least significant byte first: what every released Xen writes.
    #[default]
    Little,
    /// Most significant byte first: defined by the specification, never released.
    Big,
}

impl Order {
    /// Reads an unsigned 16-bit field.
    #[inline]
    #[must_use]
    pub fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Order::Little => LittleEndian::read_u16(&bytes),
            Order::Big => BigEndian::read_u16(&bytes),
        }
    }

    /// Reads an unsigned 32-bit field.
    #[inline]
    #[must_use]
    pub fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Little => LittleEndian::read_u32(&bytes),
            Order::Big => BigEndian::read_u32(&bytes),
        }
    }

    /// Reads an unsigned 64-bit field.
    #[inline]
    #[must_use]
    pub fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Order::Little => LittleEndian::read_u64(&bytes),
            Order::Big => BigEndian::read_u64(&bytes),
        }
    }

    /// Reads two unsigned 32-bit fields, one after the other.
    #[inline]
    #[must_use]
    pub fn pair(self, bytes: [u8; 8]) -> (u32, u32) {
        match self {
            Order::Little => {
                let word = LittleEndian::read_u64(&bytes);
                (word as u32, (word >> 32) as u32)
            }
            Order::Big => big_pair(bytes),
        }
    }

    /// Writes an unsigned 16-bit field.
    #[must_use]
    pub fn put_u16(self, value: u16) -> [u8; 2] {
        match self {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        }
    }

    /// Writes an unsigned 32-bit field.
    #[must_use]
    pub fn put_u32(self, value: u32) -> [u8; 4] {
        match self {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        }
    }

    /// Writes an unsigned 64-bit field.
    #[must_use]
    pub fn put_u64(self, value: u64) -> [u8; 8] {
        match self {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        }
    }

    /// Reads an unsigned number of at most 8 bytes.
    #[must_use]
    pub fn number(self, bytes: &[u8]) -> u64 {
        let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        match self {
            Order::Little => bytes.iter().take(8).rev().fold(0, push),
            Order::Big => bytes.iter().take(8).fold(0, push),
        }
    }

    /// Writes an unsigned number of this many bytes, at most 8, to the front of those that are returned.
    #[must_use]
    pub fn put_number(self, width: u32, value: u64) -> [u8; 8] {
        match self {
            Order::Little => value.to_le_bytes(),
            Order::Big => {
                let unused = 64u32.saturating_sub(width.saturating_mul(8));
                value.checked_shl(unused).unwrap_or(0).to_be_bytes()
            }
        }
    }

    /// The other order.
    #[must_use]
    pub fn swapped(self) -> Order {
        match self {
            Order::Little => Order::Big,
            Order::Big => Order::Little,
        }
    }
}

/// Out of line, as no such streams are in use: inlined, the compiler reads both orders each time and chooses one.
#[cold]
#[inline(never)]
fn big_pair(bytes: [u8; 8]) -> (u32, u32) {
    let word = BigEndian::read_u64(&bytes);
    ((word >> 32) as u32, word as u32)
}

/// Size of the header of a libxl or libxc record: `u32 type, u32 body_length`.
pub const RECORD_HEADER: u64 = 8;

/// Bytes of padding after a body of `body_length` bytes: records fill up to a multiple of 8
/// (both specifications, section "Records"). Counts from the record's own start, whatever its alignment.
#[inline]
#[must_use]
pub const fn padding(body_length: u64) -> u64 {
    body_length.wrapping_neg() & 7
}
