//! The libxl stream, revision 2 (`docs/specs/libxl-migration-stream.pandoc`).

/// Size of the stream header: `u64 ident, u32 version, u32 options`, always big-endian.
pub const HEADER: u64 = 16;

/// `ident`: the letters `LibxlFmt`.
pub const IDENT: [u8; 8] = *b"LibxlFmt";
/// The only `version`.
pub const VERSION: u32 = 2;

/// Option: record fields are big-endian.
pub const OPTION_BIG_ENDIAN: u32 = 1 << 0;
/// Option: the stream was made from a legacy one.
pub const OPTION_LEGACY: u32 = 1 << 1;
/// Options that the specification reserves.
pub const OPTIONS_RESERVED: u32 = !(OPTION_BIG_ENDIAN | OPTION_LEGACY);

/// Offsets of the stream header's fields.
pub mod at {
    /// `u32 version`.
    pub const VERSION: u64 = 8;
    /// `u32 options`.
    pub const OPTIONS: u64 = 12;
}

/// Record types, by number.
pub mod types {
    /// Last record.
    pub const END: u32 = 0;
    /// A libxc stream follows at once.
    pub const LIBXC_CONTEXT: u32 = 1;
    /// Xenstore keys of the device model.
    pub const EMULATOR_XENSTORE_DATA: u32 = 2;
    /// The device model's own state.
    pub const EMULATOR_CONTEXT: u32 = 3;
    /// End of the libxl records of a checkpoint.
    pub const CHECKPOINT_END: u32 = 4;
    /// COLO's control message.
    pub const CHECKPOINT_STATE: u32 = 5;
    /// How many types are known.
    pub const KNOWN: u32 = 6;
    /// Bit that marks a type as optional.
    pub const OPTIONAL: u32 = 0x8000_0000;
}

/// Size of the header inside the EMULATOR records: `u32 emulator_id, u32 index`.
pub const EMULATOR_HEADER: u64 = 8;
/// `emulator_id` of qemu-traditional.
pub const EMULATOR_TRADITIONAL: u32 = 1;
/// `emulator_id` of QEMU upstream.
pub const EMULATOR_QEMU: u32 = 2;
/// Largest known `emulator_id`.
pub const EMULATOR_ID_MAX: u32 = EMULATOR_QEMU;

/// `control_id` of CHECKPOINT_STATE that a COLO primary sends.
pub const CHECKPOINT_STATE_NEW: u32 = 0;
/// Largest known `control_id`.
pub const CHECKPOINT_STATE_MAX: u32 = 3;

/// Name of a record type, as the specification spells it.
#[must_use]
pub const fn name(record_type: u32) -> Option<&'static str> {
    Some(match record_type {
        types::END => "END",
        types::LIBXC_CONTEXT => "LIBXC_CONTEXT",
        types::EMULATOR_XENSTORE_DATA => "EMULATOR_XENSTORE_DATA",
        types::EMULATOR_CONTEXT => "EMULATOR_CONTEXT",
        types::CHECKPOINT_END => "CHECKPOINT_END",
        types::CHECKPOINT_STATE => "CHECKPOINT_STATE",
        _ => return None,
    })
}
