//! The header that `xl save` puts before the libxl stream (`tools/xl/xl.h`), in the saving host's byte order.

use crate::wire::layout::Flag;

/// First 32 bytes of the file.
pub const MAGIC: [u8; 32] = *b"Xen saved domain, xl format\n \0 \r";

/// Size of the header before the optional data.
pub const HEADER: u64 = 48;

/// Value of the `byteorder` field, in the file's own order.
pub const BYTEORDER: u32 = 0x0102_0304;

/// Offsets of the header's fields.
pub mod at {
    use crate::wire::headers::{XL, XL_CONFIG};

    /// `u32 byteorder`.
    pub const BYTEORDER: u64 = XL.offset_of("byteorder");
    /// `u32 mandatory_flags`.
    pub const MANDATORY_FLAGS: u64 = XL.offset_of("mandatory_flags");
    /// `u32 optional_flags`.
    pub const OPTIONAL_FLAGS: u64 = XL.offset_of("optional_flags");
    /// `u32 optional_data_len`.
    pub const OPTIONAL_DATA_LEN: u64 = XL.offset_of("optional_data_len");
    /// `u32 config_len`, the first field of the optional data.
    pub const CONFIG_LEN: u64 = super::HEADER;
    /// The domain's configuration.
    pub const CONFIG: u64 = super::HEADER + XL_CONFIG.offset_of("config");
}

/// Mandatory flag: the configuration is JSON.
pub const FLAG_JSON: u32 = 1 << 0;
/// Mandatory flag: the payload is a libxl stream of version 2.
pub const FLAG_STREAM_V2: u32 = 1 << 1;

/// Names of the mandatory flags.
pub const FLAGS: &[Flag] = &[Flag { bit: 0, name: "JSON" }, Flag { bit: 1, name: "STREAM_V2" }];
