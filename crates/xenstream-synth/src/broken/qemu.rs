//! The envelope of QEMU's device state.

use xenstream_core::wire::libxl::EMULATOR_HEADER;
use xenstream_core::wire::libxl::types::EMULATOR_CONTEXT;
use xenstream_core::wire::qemu::{MIN, at};
use xenstream_core::wire::xenopsd::types::QEMU_TRAD;
use xenstream_core::{Layer, Rule};

use super::{BODY, Break, Draft, LENGTH};
use crate::body::Field;
use crate::container::xenopsd_record;
use crate::item::Part;
use crate::libxl::{QEMU, emulator_context, qemu_state};

/// Offset of the length in a typed header of xenopsd.
const XENOPSD_LENGTH: u64 = 8;

const STATE: &str = "a state of QEMU upstream";

pub(super) const BREAKS: &[Break] = &[
    Break::new(Rule::QemuShort, STATE, |d| {
        let (index, _) = state(d)?;
        let size = d.number(0, MIN);
        match d.item(index).part().record()? {
            (Layer::Libxl, _) => d.other(index, emulator_context(size), LENGTH),
            _ => d.other(index, xenopsd_record(QEMU_TRAD, qemu_state(size)), XENOPSD_LENGTH),
        }
    }),
    Break::new(Rule::QemuMagic, STATE, |d| {
        let (index, start) = state(d)?;
        d.field(index, start + at::MAGIC, Field::Bytes(b"JUNK".to_vec()))
    }),
    Break::new(Rule::QemuVersion, STATE, |d| {
        let (index, start) = state(d)?;
        let version: u32 = d.one_of(&[0, 2, 4, u32::MAX])?;
        d.field(index, start + at::VERSION, Field::Bytes(version.to_be_bytes().to_vec()))
    }),
    Break::new(Rule::QemuFirstSection, STATE, |d| {
        let (index, start) = state(d)?;
        let kind = d.one_of(&[0, 2, 7, 0x7E, 0xFF])?;
        d.field(index, start + at::SECTION, Field::U8(kind))
    }),
    Break::new(Rule::QemuMemorySection, STATE, |d| {
        let (index, start) = state(d)?;
        d.field(index, start + at::SECTION, Field::U8(1))
    }),
    Break::new(Rule::QemuName, STATE, |d| {
        let (index, start) = state(d)?;
        match d.choices.index(2)? {
            0 => d.field(index, start + at::NAME_LENGTH, Field::U8(0)),
            _ => d.field(index, start + at::NAME, Field::U8(d.one_of(&[0, b'\n', 0x7F, 0xFF])?)),
        }
    }),
    Break::new(Rule::QemuEnd, STATE, |d| {
        let (index, _) = state(d)?;
        let last = d.item(index).body_at() + d.item(index).length() - 1;
        d.field(index, last, Field::U8(d.number(1, 255) as u8))
    }),
];

/// Any state of QEMU upstream: its record, and where in it the state begins.
fn state(d: &Draft<'_>) -> Option<(usize, u64)> {
    let of_qemu = |index: usize| d.read32(index, BODY) == QEMU;
    let index = d.any(|index, item| {
        item.part() == Part::xenopsd(QEMU_TRAD)
            || item.part() == Part::libxl(EMULATOR_CONTEXT) && of_qemu(index)
    })?;
    let in_libxl = d.item(index).part() == Part::libxl(EMULATOR_CONTEXT);
    let header = if in_libxl { EMULATOR_HEADER } else { 0 };
    Some((index, d.item(index).body_at() + header))
}
