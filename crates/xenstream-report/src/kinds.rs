//! The lanes of the pictures, and the color of each record type.

use xenstream::Layer;
use xenstream::wire::types::{self, RecordType, Topic};

/// What a record is about. Pictures have a color for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Header,
    Memory,
    Static,
    Registers,
    Devices,
    Control,
    Unknown,
    Mixed,
}

impl Group {
    /// In the order of the legend.
    pub(crate) const ALL: [Group; 8] = [
        Group::Header,
        Group::Static,
        Group::Memory,
        Group::Registers,
        Group::Devices,
        Group::Control,
        Group::Unknown,
        Group::Mixed,
    ];

    /// The group of a record type.
    pub(crate) const fn of(known: &RecordType) -> Group {
        match known.topic {
            Topic::Header => Group::Header,
            Topic::Memory => Group::Memory,
            Topic::Static => Group::Static,
            Topic::Registers => Group::Registers,
            Topic::Devices => Group::Devices,
            Topic::Control => Group::Control,
            // A topic that this crate does not know has no color in its pictures.
            _ => Group::Unknown,
        }
    }

    /// Its class in the style sheet.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Group::Header => "header",
            Group::Memory => "memory",
            Group::Static => "static",
            Group::Registers => "registers",
            Group::Devices => "devices",
            Group::Control => "control",
            Group::Unknown => "unknown",
            Group::Mixed => "mixed",
        }
    }

    /// What the legend says.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Group::Header => "headers and configuration",
            Group::Memory => "memory",
            Group::Static => "static data and layout",
            Group::Registers => "registers and hypervisor state",
            Group::Devices => "device model and firmware",
            Group::Control => "markers",
            Group::Unknown => "unknown types",
            Group::Mixed => "several small records",
        }
    }
}

/// A lane of the timeline: a layer of the format, or the containers, of which a stream has one at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Container,
    Libxl,
    Libxc,
    Hvm,
}

impl Lane {
    /// Outermost first.
    pub(crate) const ALL: [Lane; 4] = [Lane::Container, Lane::Libxl, Lane::Libxc, Lane::Hvm];

    /// The lane of a layer's records; those of the others are no records.
    pub(crate) const fn of(layer: Layer) -> Option<Lane> {
        match layer {
            Layer::Xl | Layer::Libvirt | Layer::Xenopsd => Some(Lane::Container),
            Layer::Libxl => Some(Lane::Libxl),
            Layer::Libxc => Some(Lane::Libxc),
            Layer::Hvm => Some(Lane::Hvm),
            Layer::Stream | Layer::Pv | Layer::Qemu | Layer::Host => None,
        }
    }

    /// Its name in links and in the table of records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Lane::Container => "container",
            Lane::Libxl => "libxl",
            Lane::Libxc => "libxc",
            Lane::Hvm => "hvm",
        }
    }

    /// What stands over the lane.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Lane::Container => "container",
            Lane::Libxl => "libxl stream",
            Lane::Libxc => "libxc stream",
            Lane::Hvm => "inside HVM_CONTEXT",
        }
    }

    /// What its headers are, in a few words.
    pub(crate) const fn header_words(self) -> &'static str {
        match self {
            Lane::Container => "with the configuration",
            Lane::Libxl => "of the libxl stream",
            Lane::Libxc => "of image and domain",
            Lane::Hvm => "of the chain",
        }
    }

    /// The types that it knows.
    pub(crate) fn types(self) -> impl Iterator<Item = &'static RecordType> {
        types::all(match self {
            Lane::Container => Layer::Xenopsd,
            Lane::Libxl => Layer::Libxl,
            Lane::Libxc => Layer::Libxc,
            Lane::Hvm => Layer::Hvm,
        })
    }

    /// The type of this number, and its place among those that are known.
    pub(crate) fn known(self, number: u64) -> Option<(usize, &'static RecordType)> {
        self.types().enumerate().find(|(_, known)| known.number == number)
    }

    /// A type for people: its name, or its number in hex.
    pub(crate) fn label(self, number: u64) -> String {
        self.known(number).map_or_else(|| format!("{number:#x}"), |(_, known)| known.name.to_owned())
    }
}
