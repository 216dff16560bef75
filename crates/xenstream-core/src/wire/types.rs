//! Types of records: what is known of each, whatever its layer. The tables stand with the other numbers of their layers:
//! [`xenopsd::HEADERS`], [`libxl::RECORDS`], [`libxc::RECORDS`] and [`hvm::ENTRIES`].

use crate::violation::Layer;
use crate::wire::layout::Layout;
use crate::wire::{hvm, libxc, libxl, xenopsd};

/// A type of a record, of an entry of HVM_CONTEXT, or of a header of xenopsd.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RecordType {
    /// Its number.
    pub number: u64,
    /// Its name, as the specification spells it.
    pub name: &'static str,
    /// What such a record is, in a few words.
    pub meaning: &'static str,
    /// What it is about.
    pub topic: Topic,
    /// The structures that the body consists of, one after the other; none where nothing is declared. Only the last one
    /// may be longer or shorter than its [size](Layout::size). Some bodies of another length have others, see
    /// [`structures::of_body`](crate::wire::structures::of_body).
    pub body: &'static [&'static Layout],
    /// What the body is made of.
    pub data: Data,
}

/// What a body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Data {
    /// Nothing: the record is a marker.
    Nothing,
    /// The declared structures.
    Fields,
    /// Entries, and the page of each that has one.
    Pages,
    /// A range of pfns, and the frames that hold their part of the p2m.
    Frames,
    /// Entries, each with a header of its own.
    Chain,
    /// The state of a device model, after a header where one is declared.
    DeviceModel,
    /// Keys and values of xenstore, after a declared header.
    Xenstore,
    /// A configuration.
    Text,
    /// What may be anything, or holds keys.
    Opaque,
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topic {
    /// The image itself.
    Header,
    /// The guest's memory.
    Memory,
    /// What the guest is, and where its memory lies.
    Static,
    /// Registers and the hypervisor's devices: each round of a checkpointed stream sends them anew.
    Registers,
    /// The device model and firmware.
    Devices,
    /// A marker.
    Control,
    /// Nothing that is of use.
    Obsolete,
}

impl RecordType {
    /// A type whose body is not declared.
    pub(super) const fn new(number: u64, name: &'static str, topic: Topic, meaning: &'static str) -> Self {
        let data = if matches!(topic, Topic::Control) { Data::Nothing } else { Data::Opaque };
        RecordType { number, name, meaning, topic, body: &[], data }
    }

    /// The same type, with a body that is made of this.
    pub(super) const fn of(self, data: Data) -> Self {
        RecordType { data, ..self }
    }

    /// The same type, with declared structures for a body.
    pub(super) const fn with_body(self, body: &'static [&'static Layout]) -> Self {
        RecordType { body, data: Data::Fields, ..self }
    }
}

/// Every type that a layer knows; none where the layer has no records.
pub fn all(layer: Layer) -> impl Iterator<Item = &'static RecordType> {
    (0..).map_while(move |n| match layer {
        Layer::Xenopsd => xenopsd::HEADERS.get(n).map(|header| &header.record_type),
        Layer::Libxl => libxl::RECORDS.get(n).map(|record| &record.record_type),
        Layer::Libxc => libxc::RECORDS.get(n).map(|record| &record.record_type),
        Layer::Hvm => hvm::ENTRIES.get(n).map(|entry| &entry.record_type),
        Layer::Stream | Layer::Xl | Layer::Libvirt | Layer::Pv | Layer::Qemu | Layer::Host => None,
    })
}

/// The type with this number; `None` where the layer does not know it.
#[must_use]
pub fn get(layer: Layer, number: u64) -> Option<&'static RecordType> {
    all(layer).find(|known| known.number == number)
}

/// The number of the type that ends a layer's stream; `None` where the layer has none.
#[must_use]
pub const fn end(layer: Layer) -> Option<u32> {
    match layer {
        Layer::Xenopsd => Some(xenopsd::types::END_OF_IMAGE as u32),
        Layer::Libxl => Some(libxl::types::END),
        Layer::Libxc => Some(libxc::types::END),
        Layer::Hvm => Some(hvm::types::END as u32),
        Layer::Stream | Layer::Xl | Layer::Libvirt | Layer::Pv | Layer::Qemu | Layer::Host => None,
    }
}

/// The name of a type, as the specification spells it.
#[must_use]
pub fn name(layer: Layer, number: u64) -> Option<&'static str> {
    get(layer, number).map(|known| known.name)
}
