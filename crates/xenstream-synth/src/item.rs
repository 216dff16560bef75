//! The pieces of a stream: headers and records.

use xenstream_core::wire::{Order, RECORD_HEADER, headers, hvm, padding, xenopsd};
use xenstream_core::{Layer, Record};

use crate::body::{Body, Field, usize_of};
use crate::flat::Flat;

/// What a piece of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The xl header, 48 bytes.
    Xl,
    /// The optional data after the xl header.
    XlData,
    /// The libvirt header, 64 bytes.
    Libvirt,
    /// The XML after the libvirt header.
    LibvirtXml,
    /// The signature of a xenopsd image.
    Xenopsd,
    /// The libxl stream header.
    Libxl,
    /// The libxc image header.
    Image,
    /// The libxc domain header.
    Domain,
    /// A record: libxl's, libxc's, or a typed header of xenopsd with its blob.
    Record(Layer, u64),
    /// Bytes that belong to nothing.
    Loose,
}

impl Part {
    /// A record of the libxl stream.
    #[must_use]
    pub const fn libxl(kind: u32) -> Part {
        Part::Record(Layer::Libxl, kind as u64)
    }

    /// A record of the libxc stream.
    #[must_use]
    pub const fn libxc(kind: u32) -> Part {
        Part::Record(Layer::Libxc, kind as u64)
    }

    /// A typed header of a xenopsd image.
    #[must_use]
    pub const fn xenopsd(kind: u64) -> Part {
        Part::Record(Layer::Xenopsd, kind)
    }

    /// The layer and type, if it is a record.
    #[must_use]
    pub const fn record(self) -> Option<(Layer, u64)> {
        match self {
            Part::Record(layer, kind) => Some((layer, kind)),
            _ => None,
        }
    }
}

/// Where an entry of HVM_CONTEXT's chain lies in its record's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryPlace {
    pub(crate) typecode: u16,
    pub(crate) instance: u16,
    /// Counts from the body's first byte.
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl EntryPlace {
    /// The entry as an observer receives it.
    pub(crate) fn record(&self, index: u64, body: u64) -> Record {
        let offset = body + self.offset;
        let (kind, body_offset) = (u64::from(self.typecode), offset + hvm::ENTRY_HEADER);
        let mut record = Record::new(Layer::Hvm, kind, offset, body_offset, self.length);
        (record.index, record.instance) = (index, self.instance);
        record
    }
}

/// One header or one record, with everything about it free to be wrong.
///
/// ```
/// use xenstream_synth::{Body, libxc};
///
/// // A record that says it has 4 bytes more than it has, and padding of ones.
/// let torn = libxc::record(0x8000_0000, Body::new().u32(7)).claiming(8).padded_with([1; 4]);
/// assert_eq!(torn.size(), 16);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    part: Part,
    body: Body,
    claimed: Option<u64>,
    padding: Option<Vec<u8>>,
    entries: Vec<EntryPlace>,
    edits: Vec<(u64, Field)>,
}

impl Item {
    /// A piece that is its body and nothing else, unless it is a record: then its header comes before and padding
    /// after.
    #[must_use]
    pub fn new(part: Part, body: Body) -> Item {
        Item { part, body, claimed: None, padding: None, entries: Vec::new(), edits: Vec::new() }
    }

    pub(crate) fn with_entries(mut self, entries: Vec<EntryPlace>) -> Item {
        self.entries = entries;
        self
    }

    /// With a header that claims this length for the body. xenopsd's lengths are signed.
    #[must_use]
    pub fn claiming(mut self, length: u64) -> Item {
        self.claimed = Some(length);
        self
    }

    /// With this after the body, instead of zeros up to a multiple of 8.
    #[must_use]
    pub fn padded_with(mut self, bytes: impl Into<Vec<u8>>) -> Item {
        self.padding = Some(bytes.into());
        self
    }

    /// With a field written over what is there, `at` bytes from the item's first one.
    ///
    /// # Panics
    /// It does not lie inside the item.
    #[must_use]
    pub fn edited(mut self, at: u64, field: Field) -> Item {
        self.edit(at, field);
        self
    }

    pub(crate) fn edit(&mut self, at: u64, field: Field) {
        assert!(at + field.size() <= self.size(), "an edit at {at} outside an item of {} bytes", self.size());
        self.edits.push((at, field));
    }

    /// What it is.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// Bytes that the header claims for the body; all of it where there is no header.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.claimed.unwrap_or_else(|| self.body.size())
    }

    /// Bytes before the body.
    #[must_use]
    pub fn body_at(&self) -> u64 {
        match self.part {
            Part::Record(Layer::Xenopsd, _) => xenopsd::HEADER,
            Part::Record(..) => RECORD_HEADER,
            _ => 0,
        }
    }

    /// Bytes in all.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.body_at() + self.body.size() + self.padding_size()
    }

    /// The bytes, with the fields in this byte order.
    #[must_use]
    pub fn bytes(&self, order: Order) -> Vec<u8> {
        let mut out = Vec::with_capacity(usize_of(self.size()));
        self.write(order, &mut out);
        out
    }

    pub(crate) fn write(&self, order: Order, out: &mut Vec<u8>) {
        let start = out.len();
        for field in self.fields() {
            field.write(order, out);
        }
        for (at, field) in &self.edits {
            let mut bytes = Vec::new();
            field.write(order, &mut bytes);
            let at = start + usize_of(*at);
            out[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }

    /// The first run of 64-bit fields in the body: the entries of a PAGE_DATA record.
    pub(crate) fn entries64(&self) -> &[u64] {
        let run = self.body.fields().iter().find_map(|field| match field {
            Field::U64s(values) => Some(values.as_slice()),
            _ => None,
        });
        run.unwrap_or(&[])
    }

    /// Bytes of the body, whatever the header claims.
    pub(crate) fn body_size(&self) -> u64 {
        self.body.size()
    }

    pub(crate) fn entries(&self) -> &[EntryPlace] {
        &self.entries
    }

    pub(crate) fn is_edited(&self) -> bool {
        !self.edits.is_empty()
    }

    /// Everything in a row, without the edits.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        let head = match self.part {
            Part::Record(Layer::Xenopsd, kind) => {
                Flat::new(&headers::XENOPSD_RECORD).with("type", kind).with("length", self.length()).body()
            }
            Part::Record(_, kind) => {
                let [kind, length] = [kind, self.length()]
                    .map(|n| u64::from(u32::try_from(n).expect("a record header has 32-bit fields")));
                Flat::new(&headers::RECORD).with("type", kind).with("body_length", length).body()
            }
            _ => Body::new(),
        };
        let padding = match &self.padding {
            Some(bytes) => Field::Bytes(bytes.clone()),
            None => Field::Zeros(self.padding_size()),
        };
        head.into_fields().chain(self.body.fields().iter().cloned()).chain([padding])
    }

    fn padding_size(&self) -> u64 {
        match (&self.padding, self.part) {
            (Some(bytes), _) => bytes.len() as u64,
            (None, Part::Record(Layer::Libxl | Layer::Libxc, _)) => padding(self.body.size()),
            (None, _) => 0,
        }
    }
}
