//! The header that libvirt's libxl driver puts before the libxl stream (`libxl_conf.h`), native byte order.

/// First 16 bytes of the file.
pub const MAGIC: [u8; 16] = *b"libvirt-xml\n \0 \r";

/// Size of the header before the XML.
pub const HEADER: u64 = 64;

/// `version` of a file whose payload is a legacy (Xen 4.5 and older) image.
pub const VERSION_LEGACY: u32 = 1;
/// `version` of a file whose payload is a libxl stream.
pub const VERSION: u32 = 2;
/// Number of unused 32-bit words at the end of the header.
pub const UNUSED_WORDS: u64 = 10;

/// Offsets of the header's fields.
pub mod at {
    use crate::wire::headers::LIBVIRT;

    /// `u32 version`.
    pub const VERSION: u64 = LIBVIRT.offset_of("version");
    /// `u32 xml_len`, counts the XML's final NUL.
    pub const XML_LEN: u64 = LIBVIRT.offset_of("xml_len");
    /// `u32 unused[10]`.
    pub const UNUSED: u64 = LIBVIRT.offset_of("unused");
}
