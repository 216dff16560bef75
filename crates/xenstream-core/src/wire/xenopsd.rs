//! The suspend image of xenopsd (XenServer, XCP-ng): a signature, then `i64 type, i64 length` headers,
//! little-endian, without alignment or padding (`xenopsd/lib/suspend_image.ml`).

/// Signature of a structured image.
pub const SIGNATURE: [u8; 15] = *b"XenSavedDomv2-\n";
/// Signature of a legacy image.
pub const SIGNATURE_LEGACY: [u8; 15] = *b"XenSavedDomain\n";

/// Size of a header.
pub const HEADER: u64 = 16;

/// Most bytes of device-model state that xenopsd takes.
pub const QEMU_TRAD_MAX: u64 = 1_048_576;

/// Header types, by number.
pub mod types {
    /// S-expression with the machine's metadata.
    pub const XENOPS: u64 = 0x000F;
    /// A bare libxc stream follows inline, up to and including its END.
    pub const LIBXC: u64 = 0x00F0;
    /// Defined, refused by xenopsd.
    pub const LIBXL: u64 = 0x00F1;
    /// A legacy libxc image inline, without a length.
    pub const LIBXC_LEGACY: u64 = 0x00F2;
    /// qemu-traditional's state.
    pub const QEMU_TRAD: u64 = 0x0F00;
    /// Defined, refused by xenopsd.
    pub const QEMU_XEN: u64 = 0x0F01;
    /// vGPU state inline, without a length.
    pub const DEMU: u64 = 0x0F10;
    /// UEFI variables.
    pub const VARSTORED: u64 = 0x0F11;
    /// vTPM state, first format.
    pub const SWTPM0: u64 = 0x0F12;
    /// vTPM state.
    pub const SWTPM: u64 = 0x0F13;
    /// The end.
    pub const END_OF_IMAGE: u64 = 0xFFFF;
}

/// Name of a header type, as xenopsd spells it.
#[must_use]
pub const fn name(header_type: u64) -> Option<&'static str> {
    Some(match header_type {
        types::XENOPS => "Xenops",
        types::LIBXC => "Libxc",
        types::LIBXL => "Libxl",
        types::LIBXC_LEGACY => "Libxc_legacy",
        types::QEMU_TRAD => "Qemu_trad",
        types::QEMU_XEN => "Qemu_xen",
        types::DEMU => "Demu",
        types::VARSTORED => "Varstored",
        types::SWTPM0 => "Swtpm0",
        types::SWTPM => "Swtpm",
        types::END_OF_IMAGE => "End_of_image",
        _ => return None,
    })
}

/// Place of a header type in the order that xenopsd writes, counting from 1; `None` for an unknown type.
#[must_use]
pub const fn rank(header_type: u64) -> Option<u8> {
    Some(match header_type {
        types::XENOPS => 1,
        types::LIBXC | types::LIBXL | types::LIBXC_LEGACY => 2,
        types::DEMU => 3,
        types::VARSTORED => 4,
        types::SWTPM0 | types::SWTPM => 5,
        types::QEMU_TRAD | types::QEMU_XEN => 6,
        types::END_OF_IMAGE => 7,
        _ => return None,
    })
}
