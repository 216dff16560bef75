//! The envelope of QEMU's device state.

use xenstream_core::wire::libxl::types::EMULATOR_CONTEXT;
use xenstream_core::wire::qemu::{MIN, at};
use xenstream_core::wire::xenopsd::types::QEMU_TRAD;
use xenstream_core::{Profile, Rule};

use super::{BODY, Case, LENGTH, field, other};
use crate::body::{Body, Field};
use crate::container::xenopsd_record;
use crate::item::Part;
use crate::libxl::{QEMU, emulator, emulator_context, qemu_state};
use crate::minimal;

const STATE: Part = Part::libxl(EMULATOR_CONTEXT);
const IN_XENOPSD: Part = Part::xenopsd(QEMU_TRAD);
/// Offset of the state in EMULATOR_CONTEXT.
const BLOB: u64 = BODY + 8;
/// Offset of the state after a typed header of xenopsd, and of that header's length.
const IN_XENOPSD_BLOB: u64 = 16;
const IN_XENOPSD_LENGTH: u64 = 8;
/// Bytes of the state that the cases change.
const SIZE: u64 = 40;

pub(super) fn cases() -> Vec<Case> {
    let base = minimal::hvm().in_libxl().with_device_model().replaced(STATE, emulator_context(SIZE));
    let xenopsd = minimal::hvm().in_xenopsd().with_blobs();
    let least = base.clone().replaced(STATE, emulator_context(MIN));
    let byte = |rule, variant, at, byte| field(rule, variant, &base, STATE, BLOB + at, Field::U8(byte));
    let version = base.offset(base.find(STATE)) + BLOB + at::VERSION;
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
            IN_XENOPSD_LENGTH,
        ),
        byte(Rule::QemuMagic, "", at::MAGIC, b'J'),
        field(Rule::QemuMagic, "xenopsd", &xenopsd, IN_XENOPSD, IN_XENOPSD_BLOB, Field::U8(b'J')),
        other(Rule::QemuMagic, "zeros", &base, STATE, zeros, BLOB)
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
