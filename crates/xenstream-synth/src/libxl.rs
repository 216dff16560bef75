//! Header and records of the libxl stream.

use xenstream_core::Format;
use xenstream_core::wire::libxl::{EMULATOR_QEMU, IDENT, VERSION, types};
use xenstream_core::wire::{headers, qemu, records};

use crate::body::Body;
use crate::flat::Flat;
use crate::item::{Item, Part};
use crate::stream::Stream;

/// The `emulator_id` of QEMU upstream.
pub const QEMU: u32 = EMULATOR_QEMU;

/// The stream header.
#[must_use]
pub fn header() -> Item {
    let ident = u64::from_be_bytes(IDENT);
    let header = Flat::new(&headers::LIBXL).with("ident", ident).with("version", VERSION.into());
    Item::new(Part::Libxl, header.body())
}

/// A record of any type.
#[must_use]
pub fn record(kind: u32, body: Body) -> Item {
    Item::new(Part::libxl(kind), body)
}

/// END.
#[must_use]
pub fn end() -> Item {
    record(types::END, Body::new())
}

/// LIBXC_CONTEXT; a libxc stream follows it.
#[must_use]
pub fn libxc_context() -> Item {
    record(types::LIBXC_CONTEXT, Body::new())
}

/// EMULATOR_XENSTORE_DATA of QEMU: pairs of key and value.
#[must_use]
pub fn xenstore(pairs: &[(&str, &str)]) -> Item {
    xenstore_bytes(pairs.iter().flat_map(|(key, value)| [key, "\0", value, "\0"]).collect::<String>())
}

/// EMULATOR_XENSTORE_DATA of QEMU with these bytes for its pairs.
#[must_use]
pub fn xenstore_bytes(bytes: impl Into<Vec<u8>>) -> Item {
    emulator(types::EMULATOR_XENSTORE_DATA, QEMU, Body::new().raw(bytes))
}

/// EMULATOR_CONTEXT of QEMU, with a state of this size.
#[must_use]
pub fn emulator_context(state_size: u64) -> Item {
    emulator(types::EMULATOR_CONTEXT, QEMU, qemu_state(state_size))
}

/// A state of QEMU of this size: header and first section as QEMU writes them, of what is a real device if there is room
/// for its name. A state too short for the smallest is cut.
#[must_use]
pub fn qemu_state(size: u64) -> Body {
    let name = &b"timer"[..size.saturating_sub(qemu::MIN).saturating_add(1).min(5) as usize];
    let mut head = Vec::new();
    head.extend(qemu::MAGIC.to_be_bytes());
    head.extend(qemu::VERSION.to_be_bytes());
    head.extend([qemu::SECTION_FULL, 0, 0, 0, 0, name.len() as u8]);
    head.extend(name);
    // Instance and version of the section.
    head.extend([0, 0, 0, 0, 0, 0, 0, 2]);
    head.truncate(crate::body::usize_of(size));
    let rest = size - head.len() as u64;
    Body::new().raw(head).zeros(rest)
}

/// Any of the EMULATOR records: an emulator header with index 0, then a body.
#[must_use]
pub fn emulator(kind: u32, emulator_id: u32, body: Body) -> Item {
    let header = Flat::new(&records::EMULATOR).with("emulator_id", emulator_id.into());
    record(kind, header.body().and(body))
}

/// CHECKPOINT_END.
#[must_use]
pub fn checkpoint_end() -> Item {
    record(types::CHECKPOINT_END, Body::new())
}

/// CHECKPOINT_STATE, as long as libxl writes it.
#[must_use]
pub fn checkpoint_state(control_id: u32) -> Item {
    let message = Flat::new(&records::CHECKPOINT_STATE).with("control_id", control_id.into());
    record(types::CHECKPOINT_STATE, message.body())
}

impl Stream {
    /// A bare libxc stream as the only content of a libxl stream.
    #[must_use]
    pub fn in_libxl(self) -> Stream {
        self.wrapped(Format::Libxl, [header(), libxc_context()], [end()])
    }

    /// With a device model's records before the END of a libxl stream.
    ///
    /// # Panics
    /// It is not in libxl.
    #[must_use]
    pub fn with_device_model(self) -> Stream {
        let end = Part::libxl(types::END);
        self.before(end, xenstore(&[("physmap/f0000000/size", "0x1000000")]))
            .before(end, emulator_context(25))
    }
}
