//! Events about the contents of a stream while it is verified.

use crate::page_type::PageType;
use crate::summary::Guest;
use crate::violation::{Layer, RecordRef, Violation};
use crate::wire::layout::Layout;
use crate::wire::libxc::{self, page};
use crate::wire::{Order, headers, libvirt, libxl, padding, xenopsd, xl};

/// Receives events from the verifier, in stream order. The default methods do nothing, and the observer `()` compiles to
/// nothing.
///
/// Events do not depend on how the input is split, except that [`on_pfns`](Observer::on_pfns) and [`on_body`](Observer::on_body) may
/// deliver the same bytes in different pieces.
pub trait Observer {
    /// Returns whether the observer wants the bytes of this record's body. Called once for each record, before its first
    /// byte. The configuration in an xl or libvirt header counts as a record of that layer, with kind 0. A body is
    /// skippable if neither the observer nor a rule needs it.
    fn wants_body(&mut self, record: &Record) -> bool {
        let _ = record;
        false
    }

    /// Called when a header outside any record is complete.
    fn on_header(&mut self, header: &Header) {
        let _ = header;
    }

    /// Called when a record's header is complete and was not refused.
    fn on_record(&mut self, record: &Record) {
        let _ = record;
    }

    /// Called with bytes of a body that [`wants_body`](Observer::wants_body) asked for, in order and without gaps or
    /// padding. `offset` is the absolute offset of the first byte.
    fn on_body(&mut self, offset: u64, bytes: &[u8]) {
        let _ = (offset, bytes);
    }

    /// Called with entries of a PAGE_DATA record that broke no rule at level deny.
    fn on_pfns(&mut self, entries: Pfns<'_>) {
        let _ = entries;
    }

    /// Called when all entries of a PAGE_DATA record have been checked; its pages follow.
    fn on_page_batch(&mut self, batch: &PageBatch) {
        let _ = batch;
    }

    /// Called when a rule at level warn was broken.
    fn on_warning(&mut self, warning: &Violation) {
        let _ = warning;
    }

    /// Called when a rule at level deny was broken, under a policy that keeps going.
    fn on_finding(&mut self, finding: &Violation) {
        let _ = finding;
    }
}

impl Observer for () {}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn wants_body(&mut self, record: &Record) -> bool {
        (**self).wants_body(record)
    }
    fn on_header(&mut self, header: &Header) {
        (**self).on_header(header);
    }
    fn on_record(&mut self, record: &Record) {
        (**self).on_record(record);
    }
    fn on_body(&mut self, offset: u64, bytes: &[u8]) {
        (**self).on_body(offset, bytes);
    }
    fn on_pfns(&mut self, entries: Pfns<'_>) {
        (**self).on_pfns(entries);
    }
    fn on_page_batch(&mut self, batch: &PageBatch) {
        (**self).on_page_batch(batch);
    }
    fn on_warning(&mut self, warning: &Violation) {
        (**self).on_warning(warning);
    }
    fn on_finding(&mut self, finding: &Violation) {
        (**self).on_finding(finding);
    }
}

/// Forwards every event if there is an observer.
impl<O: Observer> Observer for Option<O> {
    fn wants_body(&mut self, record: &Record) -> bool {
        self.as_mut().is_some_and(|observer| observer.wants_body(record))
    }
    fn on_header(&mut self, header: &Header) {
        if let Some(observer) = self {
            observer.on_header(header);
        }
    }
    fn on_record(&mut self, record: &Record) {
        if let Some(observer) = self {
            observer.on_record(record);
        }
    }
    fn on_body(&mut self, offset: u64, bytes: &[u8]) {
        if let Some(observer) = self {
            observer.on_body(offset, bytes);
        }
    }
    fn on_pfns(&mut self, entries: Pfns<'_>) {
        if let Some(observer) = self {
            observer.on_pfns(entries);
        }
    }
    fn on_page_batch(&mut self, batch: &PageBatch) {
        if let Some(observer) = self {
            observer.on_page_batch(batch);
        }
    }
    fn on_warning(&mut self, warning: &Violation) {
        if let Some(observer) = self {
            observer.on_warning(warning);
        }
    }
    fn on_finding(&mut self, finding: &Violation) {
        if let Some(observer) = self {
            observer.on_finding(finding);
        }
    }
}

/// A header outside any record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Header {
    /// The xl header, without its optional data.
    Xl {
        /// Absolute offset of the first byte.
        offset: u64,
        /// Byte order of the fields.
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
        /// Absolute offset of the first byte.
        offset: u64,
        /// Byte order of the fields.
        order: Order,
        /// Format version.
        version: u32,
        /// Bytes of XML that follow, including the final NUL.
        xml_len: u32,
    },
    /// The xenopsd signature; its typed headers are records of layer xenopsd.
    Xenopsd {
        /// Absolute offset of the first byte.
        offset: u64,
    },
    /// The libxl stream header.
    Libxl {
        /// Absolute offset of the first byte.
        offset: u64,
        /// Byte order of fields in records.
        order: Order,
        /// Options, as stored.
        options: u32,
    },
    /// The libxc image header.
    LibxcImage {
        /// Absolute offset of the first byte.
        offset: u64,
        /// Byte order of fields in records.
        order: Order,
        /// Stream version, 2 or 3.
        version: u32,
        /// Options, as stored.
        options: u16,
    },
    /// The libxc domain header.
    LibxcDomain {
        /// Absolute offset of the first byte.
        offset: u64,
        /// The kind of guest.
        guest: Guest,
        /// Version of the Xen that wrote the stream. Major 0 marks a converted legacy stream.
        xen: (u32, u32),
    },
}

impl Header {
    /// Returns the layer that the header belongs to.
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

    /// Returns the name of the header within its layer.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Header::Xl { .. } | Header::Libvirt { .. } | Header::Libxl { .. } => "header",
            Header::Xenopsd { .. } => "signature",
            Header::LibxcImage { .. } => "image header",
            Header::LibxcDomain { .. } => "domain header",
        }
    }

    /// Returns the absolute offset of the header's first byte.
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

    /// Returns the structure of the header, without a configuration that follows it.
    #[must_use]
    pub const fn layouts(&self) -> &'static [&'static Layout] {
        match self {
            Header::Xl { .. } => &[&headers::XL],
            Header::Libvirt { .. } => &[&headers::LIBVIRT],
            Header::Xenopsd { .. } => &[&headers::XENOPSD],
            Header::Libxl { .. } => &[&headers::LIBXL],
            Header::LibxcImage { .. } => &[&headers::LIBXC_IMAGE],
            Header::LibxcDomain { .. } => &[&headers::LIBXC_DOMAIN],
        }
    }

    /// Returns the length of the header in bytes, without a configuration that follows it.
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

    /// Returns the absolute offset of the first byte after the header.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.offset().saturating_add(self.length())
    }
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The record's layer: xenopsd, libxl, libxc, or hvm for an entry of HVM_CONTEXT. `Xl` and `Libvirt` stand for the
    /// configuration in those headers.
    pub layer: Layer,
    /// Index from 0 within the layer, or within HVM_CONTEXT for an hvm entry.
    pub index: u64,
    /// Number of the type; for an hvm entry, the typecode.
    pub kind: u64,
    /// Instance of an hvm entry; otherwise 0.
    pub instance: u16,
    /// Absolute offset of the record's first byte.
    pub offset: u64,
    /// Absolute offset of the body's first byte.
    pub body_offset: u64,
    /// Length of the body in bytes, without padding.
    pub body_length: u64,
}

impl Record {
    /// Creates a record, with index and instance 0.
    #[must_use]
    pub const fn new(layer: Layer, kind: u64, offset: u64, body_offset: u64, body_length: u64) -> Record {
        Record { layer, index: 0, kind, instance: 0, offset, body_offset, body_length }
    }

    /// Returns the number of bytes of padding after the body. Records of libxl and libxc are padded to a multiple of 8
    /// bytes, other records are not.
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
            | Layer::Qemu
            | Layer::Host => 0,
        }
    }

    /// Returns the absolute offset of the first byte after the record and its padding.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.body_offset.saturating_add(self.body_length).saturating_add(self.padding())
    }

    /// Returns the reference by which violations name the record.
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
    /// Returns the absolute offset of the first entry.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the entries, in stream order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = PfnEntry> + 'a {
        let order = self.order;
        let (words, _) = self.bytes.as_chunks::<8>();
        words.iter().map(move |word| PfnEntry::new(order.u64(*word)))
    }
}

/// One entry of a PAGE_DATA record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PfnEntry(u64);

impl PfnEntry {
    /// Creates an entry from its 64 bits.
    #[must_use]
    pub const fn new(bits: u64) -> PfnEntry {
        PfnEntry(bits)
    }

    /// Returns the entry's 64 bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the page frame number.
    #[must_use]
    pub const fn pfn(self) -> u64 {
        self.0 & page::PFN
    }

    /// Returns the type of the page.
    #[must_use]
    pub const fn page_type(self) -> PageType {
        PageType::from_bits(page::kind(self.0))
    }

    /// Returns whether the record contains the page's data.
    #[must_use]
    pub const fn has_data(self) -> bool {
        self.page_type().has_data()
    }
}

/// A PAGE_DATA record after all its entries have been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageBatch {
    /// Number of entries in the record.
    pub count: u32,
    /// Number of pages with data that follow, 4096 bytes each.
    pub pages: u64,
    /// Absolute offset of the first page.
    pub offset: u64,
}
