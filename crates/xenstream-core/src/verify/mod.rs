//! One state machine per layer, named like [`crate::wire`]. Each file has every rule of its layer, in stream order.

pub(crate) mod config;
pub(crate) mod detect;
pub(crate) mod end;
pub(crate) mod flat;
pub(crate) mod hvm;
pub(crate) mod libvirt;
pub(crate) mod libxc;
pub(crate) mod libxl;
pub(crate) mod memory;
pub(crate) mod pages;
pub(crate) mod params;
pub(crate) mod places;
pub(crate) mod policies;
pub(crate) mod pv;
pub(crate) mod qemu;
pub(crate) mod registers;
pub(crate) mod scan;
pub(crate) mod vcpu;
pub(crate) mod xenopsd;
pub(crate) mod xenstore;
pub(crate) mod xl;

use crate::observer::Observer;
use crate::policy::Level;
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::violation::Layer;

/// The stream was refused; the verifier holds the verdict.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop;

/// The next field to take from the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// A separate tag needs one comparison; packed into spare values of the fields, it would need a computation.
#[repr(u8)]
pub(crate) enum Field {
    Detect(detect::Field),
    Xl(xl::Field),
    /// The last byte of the XML.
    LibvirtXmlLast,
    Xenopsd(xenopsd::Field),
    Libxl(libxl::Field),
    /// The header of a libxc record.
    LibxcRecord,
    Pages(pages::Field),
    Hvm(hvm::Field),
    /// A field of a flat structure, of this many bytes.
    Flat(u8),
    /// The next field of a flat structure that has a check.
    FlatNext,
    /// The entries of a page table.
    PageTable,
    Qemu(qemu::Field),
    /// The bytes after the XSAVE area in CPU_XSAVE.
    XsaveTail,
    Xenstore,
    /// The end of the body.
    BodyEnd,
    /// Padding of the record.
    Padding,
    /// The end of the record, after its padding.
    RecordEnd,
    /// The end of the stream.
    Ended,
}

/// How a field is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// At most 8 bytes, judged together.
    Bytes(u8),
    /// Words of 8 bytes, judged in runs.
    Words,
    /// Bytes that are judged one by one.
    Stretch,
    /// No bytes; a layer decides what comes next.
    Marker,
    /// Nothing comes next.
    End,
}

/// Frequent fields with a fast path that bypasses a layer's `field` and `words`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShortCut {
    None,
    /// A libxc record's header.
    LibxcRecord,
    /// Count and reserved word of PAGE_DATA together.
    PagesHeader,
    /// The entry of a batch of one.
    PagesEntry,
}

impl Field {
    #[inline]
    pub(crate) fn short_cut(self) -> ShortCut {
        match self {
            Field::LibxcRecord => ShortCut::LibxcRecord,
            Field::Pages(pages::Field::Count) => ShortCut::PagesHeader,
            Field::Pages(pages::Field::Entry) => ShortCut::PagesEntry,
            _ => ShortCut::None,
        }
    }

    #[inline]
    pub(crate) fn size(self) -> Size {
        match self {
            Field::Detect(field) => field.size(),
            Field::Xl(field) => field.size(),
            Field::LibvirtXmlLast => Size::Bytes(1),
            Field::Xenopsd(_) | Field::LibxcRecord => Size::Bytes(8),
            Field::Libxl(field) => field.size(),
            Field::Pages(field) => field.size(),
            Field::Hvm(field) => field.size(),
            Field::Flat(width) => Size::Bytes(width),
            Field::PageTable => Size::Words,
            Field::Qemu(field) => field.size(),
            Field::XsaveTail | Field::Xenstore | Field::Padding => Size::Stretch,
            Field::FlatNext | Field::BodyEnd | Field::RecordEnd => Size::Marker,
            Field::Ended => Size::End,
        }
    }
}

/// Passes each field to the layer that asked for it.
impl Verifier {
    /// Judges a complete field of a few bytes. `at` is the absolute offset of its first byte.
    #[inline]
    pub(crate) fn field<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        match self.field {
            Field::LibxcRecord => self.libxc_record(at, value, o),
            Field::Pages(field) => self.pages_field(field, at, value, o),
            Field::Hvm(field) => self.hvm_field(field, at, value, o),
            Field::Flat(width) => self.flat_field(at, width, value, o),
            Field::Qemu(field) => self.qemu_field(field, at, value, o),
            Field::Libxl(field) => self.libxl_field(field, at, value, o),
            Field::Detect(field) => self.detect_field(field, value, o),
            Field::Xl(field) => self.xl_field(field, at, value, o),
            Field::LibvirtXmlLast => {
                let [byte, ..] = value;
                self.libvirt_xml_last(at, byte, o)
            }
            Field::Xenopsd(field) => self.xenopsd_field(field, at, value, o),
            // These are not fields of a few bytes.
            Field::FlatNext
            | Field::PageTable
            | Field::XsaveTail
            | Field::Xenstore
            | Field::BodyEnd
            | Field::Padding
            | Field::RecordEnd
            | Field::Ended => Ok(()),
        }
    }

    /// Returns the number of words left in the current field.
    #[inline]
    pub(crate) fn words_left(&self) -> u64 {
        match self.field {
            Field::PageTable => self.pv.words_left,
            _ => self.pages.words_left,
        }
    }

    /// Judges words. Moves the position after the last one that broke no rule.
    #[inline]
    pub(crate) fn words<O: Observer + ?Sized>(
        &mut self,
        words: &[[u8; 8]],
        bytes: &[u8],
        o: &mut O,
    ) -> Result<(), Stop> {
        match self.field {
            Field::PageTable => self.pv_words(words, o),
            Field::Pages(pages::Field::P2mFrame) => self.p2m_words(words, o),
            _ => self.pages_words(words, bytes, o),
        }
    }

    /// Returns the number of bytes left in the current run of bytes.
    pub(crate) fn stretch_left(&self) -> u64 {
        match self.field {
            Field::Padding => self.body_end.saturating_add(self.body_padding).saturating_sub(self.position),
            Field::XsaveTail => self.hvm_left_in_entry(),
            _ => self.left_in_body(),
        }
    }

    /// Judges bytes one by one. Moves the position after the last one that broke no rule.
    pub(crate) fn stretch<O: Observer + ?Sized>(&mut self, bytes: &[u8], o: &mut O) -> Result<(), Stop> {
        match self.field {
            Field::Padding => self.record_padding(bytes, o),
            Field::XsaveTail => self.hvm_xsave_tail(bytes, o),
            _ => self.xenstore_bytes(bytes, o),
        }
    }

    /// Handles a marker: decides what comes next.
    #[inline]
    pub(crate) fn marker<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        match self.field {
            Field::Pages(_) => self.pages_contents(),
            Field::FlatNext => self.flat_next(o)?,
            Field::Hvm(_) => self.hvm_next(o)?,
            Field::Xl(_) => self.xl_config_end(),
            Field::BodyEnd => self.body_end(),
            _ => self.record_end(),
        }
        Ok(())
    }

    /// Ends a body: its padding follows, or the next record.
    #[inline]
    pub(crate) fn body_end(&mut self) {
        self.wanted = false;
        if self.body_padding == 0 {
            self.record_end();
        } else if self.policy.level(self.padding_rule()) == Level::Allow {
            self.next(self.body_padding, Field::RecordEnd);
        } else {
            self.next(0, Field::Padding);
        }
    }

    fn padding_rule(&self) -> Rule {
        match self.record {
            Some(record) if record.layer == Layer::Libxl => Rule::LibxlPadding,
            _ => Rule::LibxcPadding,
        }
    }

    /// Judges padding, which must be zero (both specifications, "Records"). One finding per record is enough.
    fn record_padding<O: Observer + ?Sized>(&mut self, bytes: &[u8], o: &mut O) -> Result<(), Stop> {
        if let Some(clean) = bytes.iter().position(|byte| *byte != 0) {
            self.advance(clean);
            let found = bytes.get(clean).copied().map_or(0, u64::from);
            self.find(self.padding_rule(), self.position, found, 0, o)?;
            self.advance(bytes.len().saturating_sub(clean));
            self.next(self.stretch_left(), Field::RecordEnd);
            return Ok(());
        }
        self.advance(bytes.len());
        if self.stretch_left() == 0 {
            self.next(0, Field::RecordEnd);
        }
        Ok(())
    }
}
