//! The suspend image of xenopsd.

use xenstream_core::wire::xenopsd::QEMU_TRAD_MAX;
use xenstream_core::wire::xenopsd::types::{
    DEMU, END_OF_IMAGE, LIBXC, LIBXC_LEGACY, LIBXL, QEMU_TRAD, QEMU_XEN, SWTPM, VARSTORED, XENOPS,
};
use xenstream_core::{Format, Limit, Profile, Rule};

use super::{Case, either, extra, field};
use crate::body::{Body, Field};
use crate::container::{XENOPS as METADATA, xenopsd_record as blob, xenopsd_signature};
use crate::item::{Item, Part};
use crate::minimal;
use crate::stream::Stream;

/// Offset of a typed header's length.
const LENGTH: u64 = 8;

pub(super) fn cases() -> Vec<Case> {
    let base = minimal::hvm().in_xenopsd();
    let full = minimal::hvm().in_xenopsd().with_blobs();
    let more = |rule, variant, kind| extra(rule, variant, &base, Part::xenopsd(END_OF_IMAGE), text(kind));
    let length = |variant, kind, n: u64| {
        field(Rule::XenopsdLength, variant, &full, Part::xenopsd(kind), LENGTH, Field::U64(n))
    };
    vec![
        more(Rule::XenopsdHeaderType, "", 0x1234),
        field(
            Rule::XenopsdLengthNegative,
            "",
            &base,
            Part::xenopsd(XENOPS),
            LENGTH,
            Field::U64(-1i64 as u64),
        ),
        unused_length("", LIBXC, &base),
        unused_length("end-of-image", END_OF_IMAGE, &base),
        length("qemu-trad", QEMU_TRAD, QEMU_TRAD_MAX + 1),
        length("huge", VARSTORED, i64::MAX as u64),
        length("limit", VARSTORED, 65).limit(Limit::XenopsdBlob, 64),
        metadata("", b")(((x(", 0),
        metadata("word-size", b"((time x)(word_size y))", 19),
        more(Rule::XenopsdUnsupported, "", QEMU_XEN),
        extra(Rule::XenopsdUnsupported, "libxl", &base, Part::xenopsd(LIBXC), text(LIBXL)),
        missing_libxc(),
        extra(Rule::XenopsdOpaque, "", &base, Part::xenopsd(END_OF_IMAGE), blob(DEMU, Body::new())),
        // As XenServer writes it: metadata, memory, the state of a vGPU, that of QEMU.
        extra(Rule::XenopsdOpaque, "vgpu", &full, Part::xenopsd(VARSTORED), text(DEMU)),
        extra(Rule::XenopsdOpaque, "legacy", &base, Part::xenopsd(LIBXC), blob(LIBXC_LEGACY, Body::new())),
        either(
            Rule::XenopsdOrder,
            "repeated",
            &full,
            Part::xenopsd(SWTPM),
            [text(VARSTORED), text(SWTPM)],
            0,
        )
        .note("a repeated Swtpm is as xenopsd writes it"),
        out_of_order(),
    ]
}

fn metadata(variant: &'static str, text: &[u8], at: u64) -> Case {
    let base = minimal::hvm().in_xenopsd();
    let item = blob(XENOPS, Body::new().raw(text));
    super::other(Rule::XenopsdMetadata, variant, &base, Part::xenopsd(XENOPS), item, 16 + at)
}

fn text(kind: u64) -> Item {
    blob(kind, Body::new().raw(*b"state"))
}

/// A length at which xenopsd does not look: what follows is as without it.
fn unused_length(variant: &'static str, kind: u64, base: &Stream) -> Case {
    field(Rule::XenopsdLength, variant, base, Part::xenopsd(kind), LENGTH, Field::U64(8))
        .warned(Profile::Restore)
}

fn missing_libxc() -> Case {
    let metadata = blob(XENOPS, Body::new().raw(METADATA));
    let items = [xenopsd_signature(), metadata, blob(END_OF_IMAGE, Body::new())];
    let broken = Stream::new(Format::Xenopsd, items);
    let end = broken.find(Part::xenopsd(END_OF_IMAGE));
    Case::of(Rule::XenopsdMissingLibxc, "", &broken, &minimal::hvm().in_xenopsd()).in_item(&broken, end, 0)
}

/// UEFI variables after the TPM's state; the neighbour has them before it.
fn out_of_order() -> Case {
    let base = minimal::hvm().in_xenopsd();
    let end = Part::xenopsd(END_OF_IMAGE);
    let broken = base.clone().before(end, text(SWTPM)).before(end, text(VARSTORED));
    let neighbour = base.before(end, text(VARSTORED)).before(end, text(SWTPM));
    Case::of(Rule::XenopsdOrder, "", &broken, &neighbour).in_item(
        &broken,
        broken.find(Part::xenopsd(VARSTORED)),
        0,
    )
}
