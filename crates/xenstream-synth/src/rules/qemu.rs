//! The envelope of QEMU's device state.

use xenstream_core::wire::libxl::EMULATOR_HEADER;
use xenstream_core::wire::libxl::types::EMULATOR_CONTEXT;
use xenstream_core::wire::qemu::{MIN, at};
use xenstream_core::wire::xenopsd::types::QEMU_TRAD;
use xenstream_core::{Layer, Profile, Rule};

use crate::body::{Body, Field};
use crate::broken::{Break, Draft};
use crate::cases::{Case, field, other};
use crate::container::xenopsd_record;
use crate::item::Part;
use crate::libxl::{QEMU, emulator, emulator_context, qemu_state};
use crate::minimal;
use crate::places::{BODY, LENGTH, XENOPSD_BODY, XENOPSD_LENGTH};

const STATE: Part = Part::libxl(EMULATOR_CONTEXT);
const IN_XENOPSD: Part = Part::xenopsd(QEMU_TRAD);
/// Offset of the state in EMULATOR_CONTEXT.
const STATE_AT: u64 = BODY + EMULATOR_HEADER;
/// Bytes of the state that the cases change.
const SIZE: u64 = 40;
const QEMU_STATE: &str = "a state of QEMU upstream";

pub(crate) fn cases() -> Vec<Case> {
    let base = minimal::hvm().in_libxl().with_device_model().replaced(STATE, emulator_context(SIZE));
    let xenopsd = minimal::hvm().in_xenopsd().with_blobs();
    let least = base.clone().replaced(STATE, emulator_context(MIN));
    let byte = |rule, variant, at, byte| field(rule, variant, &base, STATE, STATE_AT + at, Field::U8(byte));
    let version = base.offset(base.find(STATE)) + STATE_AT + at::VERSION;
    let zeros = emulator(EMULATOR_CONTEXT, QEMU, Body::new().zeros(SIZE));
    vec![
        other(Rule::QemuShort, "", &base, STATE, emulator_context(MIN - 1), LENGTH).beside(&least),
        other(Rule::QemuShort, "empty", &base, STATE, emulator_context(0), LENGTH).beside(&least),
        other(
            Rule::QemuShort,
            "xenopsd",
            &xenopsd,
            IN_XENOPSD,
            xenopsd_record(QEMU_TRAD, qemu_state(MIN - 1)),
            XENOPSD_LENGTH,
        ),
        byte(Rule::QemuMagic, "", at::MAGIC, b'J'),
        field(Rule::QemuMagic, "xenopsd", &xenopsd, IN_XENOPSD, XENOPSD_BODY, Field::U8(b'J')),
        other(Rule::QemuMagic, "zeros", &base, STATE, zeros, STATE_AT)
            .warnings(Profile::Spec, &[Rule::QemuMagic, Rule::QemuVersion, Rule::QemuFirstSection])
            .note("what a saver leaves whose device model had died"),
        byte(Rule::QemuVersion, "", at::VERSION + 3, 2).at(version),
        byte(Rule::QemuFirstSection, "", at::SECTION, 7).note("a configuration, of a QEMU that is not Xen's"),
        byte(Rule::QemuMemorySection, "", at::SECTION, 1),
        byte(Rule::QemuName, "", at::NAME_LENGTH, 0),
        byte(Rule::QemuName, "too-long", at::NAME_LENGTH, (SIZE - at::NAME - 8) as u8),
        byte(Rule::QemuName, "unprintable", at::NAME + 4, b'\n'),
        byte(Rule::QemuEnd, "", SIZE - 1, 5),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::QemuShort, QEMU_STATE, |d| {
        let (index, _) = state(d)?;
        let size = d.number(0, MIN);
        match d.item(index).part().record()? {
            (Layer::Libxl, _) => d.other(index, emulator_context(size), LENGTH),
            _ => d.other(index, xenopsd_record(QEMU_TRAD, qemu_state(size)), XENOPSD_LENGTH),
        }
    }),
    Break::new(Rule::QemuMagic, QEMU_STATE, |d| {
        let (index, start) = state(d)?;
        d.field(index, start + at::MAGIC, Field::Bytes(b"JUNK".to_vec()))
    }),
    Break::new(Rule::QemuVersion, QEMU_STATE, |d| {
        let (index, start) = state(d)?;
        let version: u32 = d.one_of(&[0, 2, 4, u32::MAX])?;
        d.field(index, start + at::VERSION, Field::Bytes(version.to_be_bytes().to_vec()))
    }),
    Break::new(Rule::QemuFirstSection, QEMU_STATE, |d| {
        let (index, start) = state(d)?;
        let kind = d.one_of(&[0, 2, 7, 0x7E, 0xFF])?;
        d.field(index, start + at::SECTION, Field::U8(kind))
    }),
    Break::new(Rule::QemuMemorySection, QEMU_STATE, |d| {
        let (index, start) = state(d)?;
        d.field(index, start + at::SECTION, Field::U8(1))
    }),
    Break::new(Rule::QemuName, QEMU_STATE, |d| {
        let (index, start) = state(d)?;
        match d.choices.index(2)? {
            0 => d.field(index, start + at::NAME_LENGTH, Field::U8(0)),
            _ => d.field(index, start + at::NAME, Field::U8(d.one_of(&[0, b'\n', 0x7F, 0xFF])?)),
        }
    }),
    Break::new(Rule::QemuEnd, QEMU_STATE, |d| {
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
