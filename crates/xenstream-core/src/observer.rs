//! What a caller may hear while a stream is verified.

use crate::summary::Guest;
use crate::violation::{Layer, RecordRef, Violation};
use crate::wire::{
    Order, libvirt,
    libxc::{self, page},
    libxl, padding, xenopsd, xl,
};

/// Hears what the verifier meets, in stream order. All methods do nothing unless overridden, and the observer `()`
/// compiles to nothing.
///
/// Every event is the same for every split of the input, but for the bytes of [`pfns`](Observer::pfns) and
/// [`body`](Observer::body), which come in pieces that depend on it and add up to the same.
pub trait Observer {
    /// Does the observer want the bytes of this record's body? Asked once for each record, before its first byte.
    /// The configuration of an xl or libvirt header is asked for as a pseudo-record of that layer, with kind 0.
    /// Bodies that nobody wants and no rule looks at are skippable.
    fn wants_body(&mut self, record: &Record) -> bool {
        let _ = record;
        false
    }

    /// A header outside any record is complete.
    fn header(&mut self, header: &Header) {
        let _ = header;
    }

    /// A record's header is complete and was not refused.
    fn record(&mut self, record: &Record) {
        let _ = record;
    }

    /// Bytes of a body that [`wants_body`](Observer::wants_body) asked for, in order, without gaps; padding is not
    /// part of it. `offset` is the absolute offset of the first.
    fn body(&mut self, offset: u64, bytes: &[u8]) {
        let _ = (offset, bytes);
    }

    /// Entries of a PAGE_DATA record that broke no rule at deny.
    fn pfns(&mut self, entries: Pfns<'_>) {
        let _ = entries;
    }

    /// All entries of a PAGE_DATA record have been checked; its pages follow.
    fn page_batch(&mut self, batch: &PageBatch) {
        let _ = batch;
    }

    /// A rule at level warn was broken.
    fn warning(&mut self, warning: &Violation) {
        let _ = warning;
    }

    /// A rule at level deny was broken, under a policy that keeps going.
    fn finding(&mut self, finding: &Violation) {
        let _ = finding;
    }
}

impl Observer for () {}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn wants_body(&mut self, record: &Record) -> bool {
        (**self).wants_body(record)
    }
    fn header(&mut self, header: &Header) {
        (**self).header(header);
    }
    fn record(&mut self, record: &Record) {
        (**self).record(record);
    }
    fn body(&mut self, offset: u64, bytes: &[u8]) {
        (**self).body(offset, bytes);
    }
    fn pfns(&mut self, entries: Pfns<'_>) {
        (**self).pfns(entries);
    }
    fn page_batch(&mut self, batch: &PageBatch) {
        (**self).page_batch(batch);
    }
    fn warning(&mut self, warning: &Violation) {
        (**self).warning(warning);
    }
    fn finding(&mut self, finding: &Violation) {
        (**self).finding(finding);
    }
}

/// Hears everything if it is there, and nothing otherwise.
impl<O: Observer> Observer for Option<O> {
    fn wants_body(&mut self, record: &Record) -> bool {
        self.as_mut().is_some_and(|observer| observer.wants_body(record))
    }
    fn header(&mut self, header: &Header) {
        if let Some(observer) = self {
            observer.header(header);
        }
    }
    fn record(&mut self, record: &Record) {
        if let Some(observer) = self {
            observer.record(record);
        }
    }
    fn body(&mut self, offset: u64, bytes: &[u8]) {
        if let Some(observer) = self {
            observer.body(offset, bytes);
        }
    }
    fn pfns(&mut self, entries: Pfns<'_>) {
        if let Some(observer) = self {
            observer.pfns(entries);
        }
    }
    fn page_batch(&mut self, batch: &PageBatch) {
        if let Some(observer) = self {
            observer.page_batch(batch);
        }
    }
    fn warning(&mut self, warning: &Violation) {
        if let Some(observer) = self {
            observer.warning(warning);
        }
    }
    fn finding(&mut self, finding: &Violation) {
        if let Some(observer) = self {
            observer.finding(finding);
        }
    }
}

/// A header outside any record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Header {
    /// The xl header, without its optional data.
    Xl {
        /// Absolute offset of its first byte.
        offset: u64,
        /// Order of its fields.
        order: Order,
        /// Mandatory flags.
        mandatory_flags: u32,
        /// Optional flags.
        optional_flags: u32,
        /// Bytes of optional data that follow.
        optional_data_len: u32,
    },
    /// The libvirt header, without its XML.
    Libvirt {
        /// Absolute offset of its first byte.
        offset: u64,
        /// Order of its fields.
        order: Order,
        /// Format version.
        version: u32,
        /// Bytes of XML that follow, the final NUL included.
        xml_len: u32,
    },
    /// The xenopsd signature; its typed headers are records of layer xenopsd.
    Xenopsd {
        /// Absolute offset of its first byte.
        offset: u64,
    },
    /// The libxl stream header.
    Libxl {
        /// Absolute offset of its first byte.
        offset: u64,
        /// Order of the records' fields.
        order: Order,
        /// Options, as they stand.
        options: u32,
    },
    /// The libxc image header.
    LibxcImage {
        /// Absolute offset of its first byte.
        offset: u64,
        /// Order of the records' fields.
        order: Order,
        /// Stream version, 2 or 3.
        version: u32,
        /// Options, as they stand.
        options: u16,
    },
    /// The libxc domain header.
    LibxcDomain {
        /// Absolute offset of its first byte.
        offset: u64,
        /// The kind of guest.
        guest: Guest,
        /// Version of the Xen that wrote it; major 0 tells a converted legacy stream.
        xen: (u32, u32),
    },
}

impl Header {
    /// The layer that the header belongs to.
    #[must_use]
    pub const fn layer(&self) -> Layer {
        match self {
            Header::Xl { .. } => Layer::Xl,
            Header::Libvirt { .. } => Layer::Libvirt,
            Header::Xenopsd { .. } => Layer::Xenopsd,
            Header::Libxl { .. } => Layer::Libxl,
            Header::LibxcImage { .. } | Header::LibxcDomain { .. } => Layer::Libxc,
        }
    }

    /// The header's name inside its layer.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Header::Xl { .. } | Header::Libvirt { .. } | Header::Libxl { .. } => "header",
            Header::Xenopsd { .. } => "signature",
            Header::LibxcImage { .. } => "image header",
            Header::LibxcDomain { .. } => "domain header",
        }
    }

    /// Absolute offset of the header's first byte.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        match self {
            Header::Xl { offset, .. }
            | Header::Libvirt { offset, .. }
            | Header::Xenopsd { offset }
            | Header::Libxl { offset, .. }
            | Header::LibxcImage { offset, .. }
            | Header::LibxcDomain { offset, .. } => *offset,
        }
    }

    /// Bytes of the header, without the configuration that may follow it.
    #[must_use]
    pub const fn length(&self) -> u64 {
        match self {
            Header::Xl { .. } => xl::HEADER,
            Header::Libvirt { .. } => libvirt::HEADER,
            Header::Xenopsd { .. } => xenopsd::SIGNATURE.len() as u64,
            Header::Libxl { .. } => libxl::HEADER,
            Header::LibxcImage { .. } => libxc::IMAGE_HEADER,
            Header::LibxcDomain { .. } => libxc::DOMAIN_HEADER,
        }
    }

    /// Absolute offset of the first byte after the header.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.offset().saturating_add(self.length())
    }
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// xenopsd, libxl, libxc, or hvm for an entry of HVM_CONTEXT's chain. `Xl` and `Libvirt` stand for the
    /// configuration that those headers carry, as a pseudo-record.
    pub layer: Layer,
    /// Counts from 0 in its layer; for an hvm entry from the chain's start.
    pub index: u64,
    /// The type's number; for an hvm entry its typecode.
    pub kind: u64,
    /// For an hvm entry its instance, otherwise 0.
    pub instance: u16,
    /// Absolute offset of the record's first byte.
    pub offset: u64,
    /// Absolute offset of the body's first byte.
    pub body_offset: u64,
    /// Bytes in the body, without padding.
    pub body_length: u64,
}

impl Record {
    /// Bytes of padding after the body: those of libxl and libxc are padded to a multiple of 8 bytes, other records are
    /// not.
    #[inline]
    #[must_use]
    pub const fn padding(&self) -> u64 {
        match self.layer {
            Layer::Libxl | Layer::Libxc => padding(self.body_length),
            Layer::Stream
            | Layer::Xl
            | Layer::Libvirt
            | Layer::Xenopsd
            | Layer::Hvm
            | Layer::Pv
            | Layer::Qemu => 0,
        }
    }

    /// Absolute offset of the first byte after the record, its padding included.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.body_offset.saturating_add(self.body_length).saturating_add(self.padding())
    }

    /// The record as violations name it.
    #[must_use]
    pub fn reference(&self) -> RecordRef {
        RecordRef { layer: self.layer, index: self.index, kind: Some(self.kind), offset: self.offset }
    }
}

/// Some entries of a PAGE_DATA record.
#[derive(Clone, Copy, Debug)]
pub struct Pfns<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) order: Order,
    pub(crate) offset: u64,
}

impl<'a> Pfns<'a> {
    /// Absolute offset of the first entry.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The entries, in stream order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = PfnEntry> + 'a {
        let order = self.order;
        let (words, _) = self.bytes.as_chunks::<8>();
        words.iter().map(move |word| PfnEntry(order.u64(*word)))
    }
}

/// One entry of a PAGE_DATA record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PfnEntry(pub u64);

impl PfnEntry {
    /// The page frame number.
    #[must_use]
    pub fn pfn(self) -> u64 {
        self.0 & page::PFN
    }

    /// The page's type, see [`page`].
    #[must_use]
    pub fn kind(self) -> u64 {
        page::kind(self.0)
    }

    /// Does a page follow for it?
    #[must_use]
    pub fn has_data(self) -> bool {
        page::has_data(self.kind())
    }
}

/// A PAGE_DATA record whose entries have all been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageBatch {
    /// Entries in the record.
    pub count: u32,
    /// Pages with data, 4096 bytes each, that follow.
    pub pages: u64,
    /// Absolute offset of the first page.
    pub offset: u64,
}
