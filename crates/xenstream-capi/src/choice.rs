//! Parameters with a few values. In C any number can be passed for them, so they are integers that are looked up.

use core::ffi::c_int;

use xenstream_core::{Checkpointing, DomainType, Evidence, Format, Layer, Level, PageType, Profile, Value};

use crate::status::xs_status;

/// The format of a stream.
pub type xs_format = c_int;
/// Detected from the magic at the start of the stream.
pub const XS_FORMAT_AUTO: xs_format = 0;
/// What `xl save` writes.
pub const XS_FORMAT_XL: xs_format = 1;
/// What libvirt's driver for libxl writes.
pub const XS_FORMAT_LIBVIRT: xs_format = 2;
/// A suspend image of xenopsd.
pub const XS_FORMAT_XENOPSD: xs_format = 3;
/// A libxl stream.
pub const XS_FORMAT_LIBXL: xs_format = 4;
/// A bare libxc stream, as a restore helper receives it.
pub const XS_FORMAT_LIBXC: xs_format = 5;

/// A set of levels and limits for one purpose.
pub type xs_profile = c_int;
/// The written specification.
pub const XS_PROFILE_SPEC: xs_profile = 0;
/// What the restore code of a released Xen accepts.
pub const XS_PROFILE_RESTORE: xs_profile = 1;
/// A gate before restore code, for images from people you do not trust.
pub const XS_PROFILE_HARDENED: xs_profile = 2;

/// What happens when a rule is broken.
pub type xs_level = c_int;
/// The rule is ignored.
pub const XS_LEVEL_ALLOW: xs_level = 0;
/// A warning is reported, and verification continues.
pub const XS_LEVEL_WARN: xs_level = 1;
/// The stream is refused.
pub const XS_LEVEL_DENY: xs_level = 2;

/// The kind of stream, if the caller knows it. libxl passes it to its helper as STREAM_TYPE.
pub type xs_checkpointing = c_int;
/// Not known: inside libxl, the stream shows it; a bare libxc stream is taken as plain.
pub const XS_CHECKPOINTING_AUTO: xs_checkpointing = 0;
/// No checkpoints.
pub const XS_CHECKPOINTING_PLAIN: xs_checkpointing = 1;
/// Remus.
pub const XS_CHECKPOINTING_REMUS: xs_checkpointing = 2;
/// COLO.
pub const XS_CHECKPOINTING_COLO: xs_checkpointing = 3;

/// The kind of a guest.
pub type xs_guest = c_int;
/// Not known yet.
pub const XS_GUEST_UNKNOWN: xs_guest = 0;
/// Paravirtualised.
pub const XS_GUEST_PV: xs_guest = 1;
/// Hardware-virtualised, including PVH.
pub const XS_GUEST_HVM: xs_guest = 2;

/// A layer of the format; xs_layer_name() returns its name.
pub type xs_layer = c_int;
/// The stream of bytes as a whole.
pub const XS_LAYER_STREAM: xs_layer = 0;
/// The header of `xl save`.
pub const XS_LAYER_XL: xs_layer = 1;
/// The header of libvirt.
pub const XS_LAYER_LIBVIRT: xs_layer = 2;
/// The suspend image of xenopsd.
pub const XS_LAYER_XENOPSD: xs_layer = 3;
/// The libxl stream.
pub const XS_LAYER_LIBXL: xs_layer = 4;
/// The libxc stream.
pub const XS_LAYER_LIBXC: xs_layer = 5;
/// The chain of entries inside HVM_CONTEXT.
pub const XS_LAYER_HVM: xs_layer = 6;
/// Page tables and registers of a PV guest.
pub const XS_LAYER_PV: xs_layer = 7;
/// The state of the device model.
pub const XS_LAYER_QEMU: xs_layer = 8;
/// The host on which the stream will be restored. No function of the library takes one.
pub const XS_LAYER_HOST: xs_layer = 9;

/// What a value in xs_violation is.
pub type xs_value = c_int;
/// There is no value: the number is 0.
pub const XS_VALUE_NONE: xs_value = 0;
/// The contents of a field, a length, a count, an index, a frame or a limit.
pub const XS_VALUE_NUMBER: xs_value = 1;
/// The type of a record of the violation's layer.
pub const XS_VALUE_RECORD_TYPE: xs_value = 2;
/// An xs_format.
pub const XS_VALUE_FORMAT: xs_value = 3;
/// The type of domain that the configuration names: 0 PV, 1 PVH, 2 HVM.
pub const XS_VALUE_DOMAIN_TYPE: xs_value = 4;
/// What shows of which type the domain is: 0 a PV guest, 1 an HVM or PVH guest, 2 a device-model record, 3 emulated
/// devices.
pub const XS_VALUE_EVIDENCE: xs_value = 5;
/// Viridian features, as bits.
pub const XS_VALUE_VIRIDIAN: xs_value = 6;
/// Viridian state, without features: the number is 0.
pub const XS_VALUE_VIRIDIAN_STATE: xs_value = 7;
/// The type of a page of a PV guest.
pub const XS_VALUE_PAGE_TYPE: xs_value = 8;
/// A page of a PV guest whose type was not remembered: the number is 0.
pub const XS_VALUE_PAGE_TYPE_UNKNOWN: xs_value = 9;

const EVIDENCE: [Evidence; 4] =
    [Evidence::PvGuest, Evidence::HvmGuest, Evidence::EmulatorRecord, Evidence::EmulatedDevices];

const CHECKPOINTINGS: [Checkpointing; 4] =
    [Checkpointing::Auto, Checkpointing::Plain, Checkpointing::Remus, Checkpointing::Colo];
const LEVELS: [Level; 3] = [Level::Allow, Level::Warn, Level::Deny];

pub(crate) fn format(number: xs_format) -> Result<Format, xs_status> {
    chosen(Format::all(), number)
}

pub(crate) fn profile(number: xs_profile) -> Result<Profile, xs_status> {
    chosen(Profile::all(), number)
}

pub(crate) fn level(number: xs_level) -> Result<Level, xs_status> {
    chosen(LEVELS.into_iter(), number)
}

pub(crate) fn checkpointing(number: xs_checkpointing) -> Result<Checkpointing, xs_status> {
    chosen(CHECKPOINTINGS.into_iter(), number)
}

/// A value and what it is, as C has them.
pub(crate) fn value_number(value: Value) -> (xs_value, u64) {
    let index = |number: c_int| u64::try_from(number).unwrap_or(0);
    match value {
        Value::Number(number) => (XS_VALUE_NUMBER, number),
        Value::RecordType(_, kind) => (XS_VALUE_RECORD_TYPE, kind),
        Value::Format(format) => (XS_VALUE_FORMAT, index(number(Format::all(), &format))),
        Value::DomainType(domain_type) => {
            (XS_VALUE_DOMAIN_TYPE, index(number(DomainType::all(), &domain_type)))
        }
        Value::Evidence(evidence) => (XS_VALUE_EVIDENCE, index(number(EVIDENCE.into_iter(), &evidence))),
        Value::Viridian(features) => (XS_VALUE_VIRIDIAN, features),
        Value::ViridianState => (XS_VALUE_VIRIDIAN_STATE, 0),
        Value::PageType(page_type) => (XS_VALUE_PAGE_TYPE, page_type.bits()),
        Value::UnknownPageType => (XS_VALUE_PAGE_TYPE_UNKNOWN, 0),
        _ => (XS_VALUE_NONE, 0),
    }
}

/// The value that [`value_number`] gave these numbers. `layer` is that of the violation.
pub(crate) fn value(kind: xs_value, number: u64, layer: Layer) -> Result<Value, xs_status> {
    let index = c_int::try_from(number).map_err(|_| xs_status::ErrorArgument);
    Ok(match kind {
        XS_VALUE_NONE => Value::None,
        XS_VALUE_NUMBER => Value::Number(number),
        XS_VALUE_RECORD_TYPE => Value::RecordType(layer, number),
        XS_VALUE_FORMAT => Value::Format(chosen(Format::all(), index?)?),
        XS_VALUE_DOMAIN_TYPE => Value::DomainType(chosen(DomainType::all(), index?)?),
        XS_VALUE_EVIDENCE => Value::Evidence(chosen(EVIDENCE.into_iter(), index?)?),
        XS_VALUE_VIRIDIAN => Value::Viridian(number),
        XS_VALUE_VIRIDIAN_STATE => Value::ViridianState,
        XS_VALUE_PAGE_TYPE => Value::PageType(PageType::from_bits(number)),
        XS_VALUE_PAGE_TYPE_UNKNOWN => Value::UnknownPageType,
        _ => return Err(xs_status::ErrorArgument),
    })
}

/// The one of these that a number stands for.
pub(crate) fn chosen<T>(mut all: impl Iterator<Item = T>, number: c_int) -> Result<T, xs_status> {
    let number = usize::try_from(number).map_err(|_| xs_status::ErrorArgument)?;
    all.nth(number).ok_or(xs_status::ErrorArgument)
}

/// The number that stands for one of these.
pub(crate) fn number<T: PartialEq>(mut all: impl Iterator<Item = T>, value: &T) -> c_int {
    let position = all.position(|known| known == *value);
    position.and_then(|position| c_int::try_from(position).ok()).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenstream_core::Layer;

    /// The numbers are in the header, and stay.
    #[test]
    fn numbers_match_their_names() {
        for (constant, format) in [
            (XS_FORMAT_AUTO, Format::Auto),
            (XS_FORMAT_XL, Format::Xl),
            (XS_FORMAT_LIBVIRT, Format::Libvirt),
            (XS_FORMAT_XENOPSD, Format::Xenopsd),
            (XS_FORMAT_LIBXL, Format::Libxl),
            (XS_FORMAT_LIBXC, Format::Libxc),
        ] {
            assert_eq!(super::format(constant), Ok(format));
        }
        for (constant, profile) in [
            (XS_PROFILE_SPEC, Profile::Spec),
            (XS_PROFILE_RESTORE, Profile::Restore),
            (XS_PROFILE_HARDENED, Profile::Hardened),
        ] {
            assert_eq!(super::profile(constant), Ok(profile));
        }
        for (constant, level) in
            [(XS_LEVEL_ALLOW, Level::Allow), (XS_LEVEL_WARN, Level::Warn), (XS_LEVEL_DENY, Level::Deny)]
        {
            assert_eq!(super::level(constant), Ok(level));
        }
        for (constant, checkpointing) in [
            (XS_CHECKPOINTING_AUTO, Checkpointing::Auto),
            (XS_CHECKPOINTING_PLAIN, Checkpointing::Plain),
            (XS_CHECKPOINTING_REMUS, Checkpointing::Remus),
            (XS_CHECKPOINTING_COLO, Checkpointing::Colo),
        ] {
            assert_eq!(super::checkpointing(constant), Ok(checkpointing));
        }
        for (constant, layer) in [
            (XS_LAYER_STREAM, Layer::Stream),
            (XS_LAYER_XL, Layer::Xl),
            (XS_LAYER_LIBVIRT, Layer::Libvirt),
            (XS_LAYER_XENOPSD, Layer::Xenopsd),
            (XS_LAYER_LIBXL, Layer::Libxl),
            (XS_LAYER_LIBXC, Layer::Libxc),
            (XS_LAYER_HVM, Layer::Hvm),
            (XS_LAYER_PV, Layer::Pv),
            (XS_LAYER_QEMU, Layer::Qemu),
            (XS_LAYER_HOST, Layer::Host),
        ] {
            assert_eq!(number(Layer::all(), &layer), constant);
        }
        for wrong in [-1, 99, c_int::MIN, c_int::MAX] {
            assert_eq!(format(wrong), Err(xs_status::ErrorArgument));
        }
    }
}
