//! The first bytes.

use xenstream_core::wire::{libvirt, xenopsd, xl};
use xenstream_core::{Format, Rule};

use super::end::cut;
use crate::body::{Body, Field};
use crate::broken::needs::ANY;
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, field};
use crate::item::{Item, Part};
use crate::minimal;
use crate::stream::Stream;

pub(crate) fn cases() -> Vec<Case> {
    [unrecognised(), legacy()].concat()
}

fn unrecognised() -> Vec<Case> {
    let rule = Rule::StreamUnrecognised;
    let (bare, libxl) = (minimal::hvm(), minimal::hvm().in_libxl());
    let (xl, libvirt, xenopsd) =
        (libxl.clone().in_xl(), libxl.clone().in_libvirt(), minimal::hvm().in_xenopsd());
    let zero = || Field::U8(0);
    let empty = Stream::new(Format::Auto, []);
    vec![
        field(rule, "", &bare, Part::Image, 0, zero()).reported(Format::Auto),
        field(rule, "libxl", &libxl, Part::Libxl, 7, zero()).reported(Format::Auto),
        field(rule, "xl", &xl, Part::Xl, 31, zero()).reported(Format::Auto),
        field(rule, "told-xl", &xl, Part::Xl, 31, zero()),
        field(rule, "told-libvirt", &libvirt, Part::Libvirt, 15, zero()),
        field(rule, "told-xenopsd", &xenopsd, Part::Xenopsd, 14, zero()),
        Case::of(rule, "empty", &empty, &bare),
        cut(rule, "torn-magic", &xl, 24).reported(Format::Auto),
    ]
    .into_iter()
    // Wherever a magic goes wrong, it is the whole of it that is not known.
    .map(|case| case.at(0))
    .collect()
}

fn legacy() -> Vec<Case> {
    let rule = Rule::StreamLegacy;
    let libxl = minimal::hvm().in_libxl();
    let (xl, libvirt, xenopsd) = (libxl.clone().in_xl(), libxl.in_libvirt(), minimal::hvm().in_xenopsd());
    // What the header announces begins with a number of pfns.
    let payload = |stream: &Stream, header, at, value| {
        let announced = stream.clone().edited(header, at, Field::U32(value));
        let legacy = announced.edited(Part::Libxl, 0, Field::Bytes(0x1F000_u64.to_le_bytes().to_vec()));
        (legacy, stream.offset(stream.find(Part::Libxl)))
    };
    let (old_xl, xl_payload) = payload(&xl, Part::Xl, xl::at::MANDATORY_FLAGS, xl::FLAG_JSON);
    let (old_libvirt, libvirt_payload) = payload(&libvirt, Part::Libvirt, libvirt::at::VERSION, 1);
    let signature = Item::new(Part::Xenopsd, Body::new().raw(xenopsd::SIGNATURE_LEGACY));
    let old = xenopsd.clone().replaced(Part::Xenopsd, signature);
    let marker = xenopsd.offset(xenopsd.find(Part::Image));
    let edited = xenopsd.clone().edited(Part::Image, 4, Field::U32(0));
    vec![
        Case::of(rule, "", &old_xl, &xl).at(xl_payload),
        Case::of(rule, "libvirt", &old_libvirt, &libvirt).at(libvirt_payload),
        Case::of(rule, "xenopsd", &old, &xenopsd),
        // The first 8 bytes of a 64-bit toolstack's legacy image end in zeros.
        field(rule, "libxc", &minimal::hvm(), Part::Image, 4, Field::U32(0)).at(0),
        Case::of(rule, "xenopsd-libxc", &edited, &xenopsd).at(marker),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::StreamUnrecognised, ANY, break_unrecognised),
    Break::new(Rule::StreamLegacy, "xl, libvirt, xenopsd or a bare libxc stream", break_legacy),
];

/// A byte of the magic is another.
fn break_unrecognised(d: &Draft<'_>) -> Option<Fault> {
    let magic = match d.expected.format {
        Format::Xl => xl::MAGIC.len(),
        Format::Libvirt => libvirt::MAGIC.len(),
        Format::Xenopsd => xenopsd::SIGNATURE.len(),
        _ => 8,
    };
    let at = d.choices.index(magic)?;
    let byte = d.bytes(0)[at] ^ d.number(1, 255) as u8;
    let fault = d.field(0, at as u64, Field::U8(byte))?;
    // Wherever a magic goes wrong, it is the whole of it that is not known.
    Some(fault.found_at(0).reported(Format::Auto))
}

fn break_legacy(d: &Draft<'_>) -> Option<Fault> {
    match d.expected.format {
        Format::Xl => {
            let flags = d.read32(0, xl::at::MANDATORY_FLAGS) & !xl::FLAG_STREAM_V2;
            announced(d, xl::at::MANDATORY_FLAGS, flags)
        }
        Format::Libvirt => announced(d, libvirt::at::VERSION, libvirt::VERSION_LEGACY),
        Format::Xenopsd if d.choices.index(2)? == 0 => {
            d.other(0, Item::new(Part::Xenopsd, Body::new().raw(xenopsd::SIGNATURE_LEGACY)), 0)
        }
        Format::Xenopsd | Format::Libxc => d.field(d.first(Part::Image)?, 0, pfns(d)),
        _ => None,
    }
}

/// A header that announces a break_legacy image, and a number of pfns where that begins.
fn announced(d: &Draft<'_>, at: u64, value: u32) -> Option<Fault> {
    let payload = d.first(Part::Libxl)?;
    let header = d.item(0).clone().edited(at, Field::U32(value));
    let ident = d.item(payload).clone().edited(0, pfns(d));
    Some(Fault::in_item(d.stream.clone().with_item(0, header).with_item(payload, ident), payload, 0))
}

/// A number of pfns, as a break_legacy image of a 64-bit toolstack begins.
fn pfns(d: &Draft<'_>) -> Field {
    Field::Bytes(d.number(1, 1 << 20).to_le_bytes().to_vec())
}
