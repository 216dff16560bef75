//! The suspend image of xenopsd (XenServer, XCP-ng): a signature, then `i64 type, i64 length` headers,
//! little-endian, without alignment or padding (`xenopsd/lib/suspend_image.ml`).

use crate::rule::Rule;
use crate::wire::types::{Data, RecordType, Topic};

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

/// What is known of a header type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Header {
    /// Its name.
    pub record_type: RecordType,
    /// Its place in the order that xenopsd writes, counting from 1.
    pub rank: u8,
    /// What follows it.
    pub contents: Contents,
    /// The rule that every such header breaks.
    pub refused: Option<Rule>,
}

/// What follows a header, and so what its length may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Nothing, or contents without a length: xenopsd does not look at the number.
    Unmeasured,
    /// A blob, up to the limit for these.
    Blob,
    /// State of a device model, up to what xenopsd takes of it.
    DeviceModel,
}

/// Every header type, by its number.
pub static HEADERS: &[Header] = &{
    use Contents::{Blob, DeviceModel, Unmeasured};
    use Topic::{Control, Devices};
    const fn header(
        number: u64,
        name: &'static str,
        rank: u8,
        contents: Contents,
        topic: Topic,
        meaning: &'static str,
    ) -> Header {
        let data = match (topic, contents) {
            (Topic::Header, _) => Data::Text,
            (Control, Unmeasured) => Data::Nothing,
            (_, DeviceModel) => Data::DeviceModel,
            _ => Data::Opaque,
        };
        let record_type = RecordType::new(number, name, topic, meaning).of(data);
        Header { record_type, rank, contents, refused: None }
    }
    const fn refused(header: Header, rule: Rule) -> Header {
        Header { refused: Some(rule), ..header }
    }
    const UNSUPPORTED: Rule = Rule::XenopsdUnsupported;
    const OPAQUE: Rule = Rule::XenopsdOpaque;
    use types as t;
    [
        header(t::XENOPS, "Xenops", 1, Blob, Topic::Header, "the machine's metadata"),
        header(t::LIBXC, "Libxc", 2, Unmeasured, Control, "a libxc stream follows"),
        refused(header(t::LIBXL, "Libxl", 2, Blob, Control, "a libxl stream follows"), UNSUPPORTED),
        refused(
            header(t::LIBXC_LEGACY, "Libxc_legacy", 2, Unmeasured, Control, "a legacy stream follows"),
            OPAQUE,
        ),
        header(t::QEMU_TRAD, "Qemu_trad", 6, DeviceModel, Devices, "state of the device model"),
        refused(header(t::QEMU_XEN, "Qemu_xen", 6, Blob, Devices, "state of the device model"), UNSUPPORTED),
        refused(header(t::DEMU, "Demu", 3, Unmeasured, Devices, "state of a virtual GPU"), OPAQUE),
        header(t::VARSTORED, "Varstored", 4, Blob, Devices, "UEFI variables"),
        header(t::SWTPM0, "Swtpm0", 5, Blob, Devices, "state of a virtual TPM"),
        header(t::SWTPM, "Swtpm", 5, Blob, Devices, "state of a virtual TPM"),
        header(t::END_OF_IMAGE, "End_of_image", 7, Unmeasured, Control, "the end"),
    ]
};

/// What is known of a header type; `None` for one that xenopsd does not know.
#[must_use]
pub fn header(number: u64) -> Option<&'static Header> {
    HEADERS.iter().find(|header| header.record_type.number == number)
}
