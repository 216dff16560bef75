//! The suspend image of xenopsd.

use xenstream_core::wire::xenopsd::QEMU_TRAD_MAX;
use xenstream_core::wire::xenopsd::types::{
    DEMU, END_OF_IMAGE, LIBXC, LIBXC_LEGACY, LIBXL, QEMU_TRAD, QEMU_XEN, SWTPM, VARSTORED, XENOPS,
};
use xenstream_core::{Format, Layer, Limit, Profile, Rule};

use crate::body::{Body, Field};
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, either, extra, field, other};
use crate::container::{XENOPS as METADATA, xenopsd_record, xenopsd_record as blob, xenopsd_signature};
use crate::item::{Item, Part};
use crate::minimal;
use crate::places::{XENOPSD_BODY, XENOPSD_LENGTH};
use crate::stream::Stream;

const XENOPSD: &str = "a xenopsd image";

pub(crate) fn cases() -> Vec<Case> {
    let base = minimal::hvm().in_xenopsd();
    let full = minimal::hvm().in_xenopsd().with_blobs();
    let more = |rule, variant, kind| extra(rule, variant, &base, Part::xenopsd(END_OF_IMAGE), text(kind));
    let length = |variant, kind, n: u64| {
        field(Rule::XenopsdLength, variant, &full, Part::xenopsd(kind), XENOPSD_LENGTH, Field::U64(n))
    };
    vec![
        more(Rule::XenopsdHeaderType, "", 0x1234),
        field(
            Rule::XenopsdLengthNegative,
            "",
            &base,
            Part::xenopsd(XENOPS),
            XENOPSD_LENGTH,
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
    other(Rule::XenopsdMetadata, variant, &base, Part::xenopsd(XENOPS), item, XENOPSD_BODY + at)
}

fn text(kind: u64) -> Item {
    blob(kind, Body::new().raw(*b"state"))
}

/// A length at which xenopsd does not look: what follows is as without it.
fn unused_length(variant: &'static str, kind: u64, base: &Stream) -> Case {
    field(Rule::XenopsdLength, variant, base, Part::xenopsd(kind), XENOPSD_LENGTH, Field::U64(8))
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

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::XenopsdHeaderType, XENOPSD, |d| {
        let kind = d.one_of(&[0, 0x10, 0xF3, 0xF02, 0xF14, 0x1_0000, u64::MAX])?;
        d.extra(d.any_in(Layer::Xenopsd)?, xenopsd_record(kind, Body::new()), 0)
    }),
    Break::new(Rule::XenopsdLengthNegative, XENOPSD, |d| {
        let length = d.one_of(&[1 << 63, u64::MAX])?;
        d.field(d.any_in(Layer::Xenopsd)?, XENOPSD_LENGTH, Field::U64(length))
    }),
    Break::new(Rule::XenopsdLength, XENOPSD, |d| {
        let index = d.any_in(Layer::Xenopsd)?;
        let (_, kind) = d.item(index).part().record()?;
        let most = match kind {
            LIBXC | END_OF_IMAGE => 0,
            QEMU_TRAD => QEMU_TRAD_MAX,
            _ => Limit::XenopsdBlob.default_for(Profile::Spec),
        };
        let length = d.one_of(&[most + 1, most + 8, i64::MAX as u64])?;
        d.field(index, XENOPSD_LENGTH, Field::U64(length))
    }),
    Break::new(Rule::XenopsdMetadata, XENOPSD, |d| {
        d.field(d.first(Part::xenopsd(XENOPS))?, XENOPSD_BODY, Field::U8(b')'))
    }),
    Break::new(Rule::XenopsdUnsupported, XENOPSD, |d| stray(d, &[LIBXL, QEMU_XEN])),
    Break::new(Rule::XenopsdMissingLibxc, XENOPSD, |d| {
        d.extra(d.first(Part::xenopsd(LIBXC))?, xenopsd_record(END_OF_IMAGE, Body::new()), 0)
    }),
    Break::new(Rule::XenopsdOpaque, XENOPSD, |d| stray(d, &[DEMU, LIBXC_LEGACY])),
    Break::new(Rule::XenopsdOrder, XENOPSD, |d| {
        // Anything of a lower rank than what has come, or of the same.
        let end = d.last(Part::xenopsd(END_OF_IMAGE))?;
        let before = d.item(end - 1).part().record().filter(|(layer, _)| *layer == Layer::Xenopsd);
        let kind = match before {
            Some((_, kind)) if kind == VARSTORED || kind == QEMU_TRAD => d.one_of(&[XENOPS, kind])?,
            _ => XENOPS,
        };
        d.extra(end, xenopsd_record(kind, Body::new().zeros(4)), 0)
    }),
];

fn stray(d: &Draft<'_>, kinds: &[u64]) -> Option<Fault> {
    (d.expected.format == Format::Xenopsd).then_some(())?;
    let kind = d.one_of(kinds)?;
    d.extra(d.any_in(Layer::Xenopsd)?, xenopsd_record(kind, Body::new()), 0)
}
