//! What is blanked when, and what of a guest is still told: the tables of [`wire`](xenstream_core::wire) say it of records,
//! this file of what is around them.

use xenstream_core::wire::layout::Keep;
use xenstream_core::wire::types::{self, Data, RecordType, Topic};
use xenstream_core::{Format, Layer, Summary};

use crate::scrub::Scrub;

/// When a part of a stream is blanked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blanked {
    /// Whatever was asked for.
    Always,
    /// If [registers](Scrub::registers) are.
    Registers,
    /// If [names](Scrub::names) are.
    Names,
    /// Never: it is structure, or the output would not verify.
    Never,
}

/// A part of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub place: &'static str,
    /// What is in it.
    pub holds: &'static str,
    /// When it is blanked.
    pub blanked: Blanked,
    found: Found,
}

/// In which streams a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Everywhere,
    Format(Format),
    /// There is a configuration in front of the records.
    Configured,
    Record(Layer, u64),
}

const fn part(place: &'static str, holds: &'static str, blanked: Blanked, found: Found) -> Part {
    Part { place, holds, blanked, found }
}

/// Parts that are in no record of a known type.
const AROUND: [Part; 6] = [
    part(
        "xl configuration",
        "name, uuid, disks, addresses, command line; keys and numbers stay",
        Blanked::Names,
        Found::Format(Format::Xl),
    ),
    part(
        "libvirt XML",
        "the same; elements, memory and vcpus stay",
        Blanked::Names,
        Found::Format(Format::Libvirt),
    ),
    part(
        "configuration",
        "keys or elements, and numbers: memory, vcpus, sizes, ports",
        Blanked::Never,
        Found::Configured,
    ),
    part(
        "headers",
        "kind of guest, version of Xen, types, order and lengths of all records",
        Blanked::Never,
        Found::Everywhere,
    ),
    part("records of unknown types", "unknown", Blanked::Always, Found::Everywhere),
    part("padding, bytes after the stream", "nothing, or unknown", Blanked::Always, Found::Everywhere),
];

/// Every part of a stream that tells something of a guest.
pub fn parts() -> impl Iterator<Item = Part> {
    // Entries of a chain are in a record themselves.
    let layers = Layer::all().filter(|layer| *layer != Layer::Hvm);
    let records = layers.flat_map(|layer| types::all(layer).flat_map(move |known| of_record(layer, known)));
    records.chain(AROUND)
}

/// What is in a record of this type.
fn of_record(layer: Layer, known: &'static RecordType) -> impl Iterator<Item = Part> {
    let blanked = match known.data {
        // No image has one.
        _ if known.topic == Topic::Obsolete => None,
        Data::Nothing => None,
        Data::Frames => Some(Blanked::Never),
        Data::Chain | Data::DeviceModel => Some(Blanked::Registers),
        Data::Xenstore | Data::Text => Some(Blanked::Names),
        Data::Fields => {
            let fields = known.body.iter().flat_map(|layout| layout.groups).flat_map(|group| group.fields);
            let has_registers = fields.into_iter().any(|field| field.keep == Keep::UnlessRegisters);
            Some(if has_registers { Blanked::Registers } else { Blanked::Never })
        }
        _ => Some(Blanked::Always),
    };
    let holds = match known.data {
        Data::Xenstore => "values; keys stay",
        Data::Text => "names and other words; parentheses stay",
        _ => known.meaning,
    };
    let found = Found::Record(layer, known.number);
    let body = blanked.map(|blanked| part(known.name, holds, blanked, found));
    let entries = (known.data == Data::Pages)
        .then(|| part(known.name, "which pages there are, and of which types", Blanked::Never, found));
    body.into_iter().chain(entries)
}

/// What still tells one guest from another once this was blanked, in a stream that holds what the summary says.
pub fn remains(what: Scrub, summary: &Summary) -> impl Iterator<Item = Part> + '_ {
    let what = what.settled();
    parts().filter(move |part| {
        let stays = match part.blanked {
            Blanked::Always => false,
            Blanked::Registers => !what.registers,
            Blanked::Names => !what.names,
            Blanked::Never => true,
        };
        stays
            && match part.found {
                Found::Everywhere => true,
                Found::Format(format) => summary.format == format,
                Found::Configured => matches!(summary.format, Format::Xl | Format::Libvirt),
                Found::Record(layer @ (Layer::Libxl | Layer::Libxc), kind) => {
                    u32::try_from(kind).is_ok_and(|kind| summary.records.get(layer, kind) > 0)
                }
                // Types of other layers are not counted.
                Found::Record(layer, _) => layer.name() == summary.format.name(),
            }
    })
}
