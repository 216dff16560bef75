//! The envelope of QEMU's device state, as `xen-save-devices-state` writes it (`qemu_save_device_state` in QEMU's
//! `migration/savevm.c`): a header, sections of the devices, and a byte that ends them. All fields are big-endian.
//!
//! How long a section is only the device knows that wrote it, so of all sections the first alone can be found.

/// `magic`: the letters `QEVM`.
pub const MAGIC: u32 = u32::from_be_bytes(*b"QEVM");
/// The only `version` that QEMU reads.
pub const VERSION: u32 = 3;
/// Type of a section that starts a state that comes in parts, as that of memory does.
pub const SECTION_START: u8 = 1;
/// Type of a section that holds a device's whole state.
pub const SECTION_FULL: u8 = 4;
/// The last byte: no further section follows.
pub const END: u8 = 0;

/// Offsets in the state. The first section is `u8 type, u32 id, u8 n, n bytes of name, u32 instance, u32 version`.
pub mod at {
    /// `u32 magic`.
    pub const MAGIC: u64 = 0;
    /// `u32 version`.
    pub const VERSION: u64 = 4;
    /// `u8 type` of the first section.
    pub const SECTION: u64 = 8;
    /// The length of the first section's name, `u8`.
    pub const NAME_LENGTH: u64 = 13;
    /// The name.
    pub const NAME: u64 = 14;
}

/// Bytes between the name of the first section and its contents: `u32 instance, u32 version`.
pub const AFTER_NAME: u64 = 8;

/// The least that a state takes: header, one section with a name of one letter and no contents, and the end.
pub const MIN: u64 = at::NAME + 1 + AFTER_NAME + 1;
