//! The libxl stream, revision 2 (`docs/specs/libxl-migration-stream.pandoc`).

use crate::rule::Rule;
use crate::wire::layout::Flag;
use crate::wire::records;
use crate::wire::types::{Data, RecordType, Topic};

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
/// Names of the options.
pub const OPTIONS: &[Flag] = &[Flag { bit: 0, name: "BIG_ENDIAN" }, Flag { bit: 1, name: "LEGACY" }];
/// Options that the specification reserves.
pub const OPTIONS_RESERVED: u32 = !(OPTION_BIG_ENDIAN | OPTION_LEGACY);

/// Offsets of the stream header's fields.
pub mod at {
    use crate::wire::headers::LIBXL;

    /// `u32 version`.
    pub const VERSION: u64 = LIBXL.offset_of("version");
    /// `u32 options`.
    pub const OPTIONS: u64 = LIBXL.offset_of("options");
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

/// What is known of a record type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Record {
    /// Its name and its body.
    pub record_type: RecordType,
    /// The shortest body.
    pub least: u64,
    /// The longest body.
    pub most: u64,
    /// The rule that another length breaks.
    pub rule: Rule,
}

impl Record {
    const fn marker(number: u32, name: &'static str, meaning: &'static str, rule: Rule) -> Record {
        let record_type = RecordType::new(number as u64, name, Topic::Control, meaning);
        Record { record_type, least: 0, most: 0, rule }
    }

    const fn emulator(number: u32, name: &'static str, meaning: &'static str, data: Data) -> Record {
        let record_type = RecordType::new(number as u64, name, Topic::Devices, meaning);
        let record_type = record_type.with_body(&[&records::EMULATOR]).of(data);
        Record { record_type, least: EMULATOR_HEADER, most: u64::MAX, rule: Rule::LibxlEmulatorHeader }
    }
}

/// Every record type, by its number.
pub static RECORDS: &[Record] = &{
    let state = Record::marker(
        types::CHECKPOINT_STATE,
        "CHECKPOINT_STATE",
        "how two COLO hosts keep in step",
        Rule::LibxlCheckpointStateLength,
    );
    let state_type = state.record_type.with_body(&[&records::CHECKPOINT_STATE]);
    [
        Record::marker(types::END, "END", "the end", Rule::LibxlEndLength),
        Record::marker(
            types::LIBXC_CONTEXT,
            "LIBXC_CONTEXT",
            "a libxc stream follows",
            Rule::LibxlLibxcContextLength,
        ),
        Record::emulator(
            types::EMULATOR_XENSTORE_DATA,
            "EMULATOR_XENSTORE_DATA",
            "its xenstore keys",
            Data::Xenstore,
        ),
        Record::emulator(
            types::EMULATOR_CONTEXT,
            "EMULATOR_CONTEXT",
            "state of the device model",
            Data::DeviceModel,
        ),
        Record::marker(
            types::CHECKPOINT_END,
            "CHECKPOINT_END",
            "a checkpoint is complete",
            Rule::LibxlCheckpointEndLength,
        ),
        Record { record_type: state_type, least: 4, most: u64::MAX, ..state },
    ]
};

/// What is known of a record type; `None` for one that no version has.
#[must_use]
pub fn record(number: u32) -> Option<&'static Record> {
    RECORDS.get(number as usize)
}
