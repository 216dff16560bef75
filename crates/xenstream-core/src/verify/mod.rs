//! The verifier's layers: what is taken from the stream, who judges it, and what comes next.
//!
//! A rule is checked in one of these places:
//!
//! * A comparison of one field with a constant stands in the table of its structure: [`wire::headers`](crate::wire::headers),
//!   [`wire::records`](crate::wire::records), [`wire::pv`](crate::wire::pv), [`wire::params`](crate::wire::params) and
//!   [`wire::hvm`](crate::wire::hvm). [`flat`] walks through them.
//! * What takes more than the value of a field is a hook, which the table names and a file here judges: [`xl`], [`libvirt`],
//!   [`libxl`] and [`libxc`] for their headers, [`registers`] for small records, [`params`] for HVM parameters,
//!   [`policies`] for what the processor can do, [`vcpu`] for registers of a PV guest, [`hvm`] for entries of HVM_CONTEXT.
//! * Lengths of records, and the kind of guest that has them, stand with their types: [`wire::libxc`](crate::wire::libxc),
//!   [`wire::libxl`](crate::wire::libxl), [`wire::xenopsd`](crate::wire::xenopsd). The files here of these names judge them.
//! * [`places`] judges the order of libxc records, and what is missing at the end; [`libxl`] and [`xenopsd`] judge that of
//!   theirs.
//! * [`pages`] judges entries of memory, with the passes of [`scan`]; [`memory`] whether all of it is there; [`pv`] page
//!   tables; [`xenstore`] keys and values; [`qemu`] the state of a device model; [`detect`] the first bytes; [`end`] the last
//!   ones.
//! * [`config`] compares the stream with a configuration. The crate `xenstream` reads that, and checks the rules of the
//!   catalogue that are `by: std`.
//!
//! [`fast`] has short ways for the most frequent steps. The tests of a rule are its case and its way of breaking any
//! stream. Both stand in `crates/xenstream-synth/src/rules`, in the file with the name of the one here that judges the rule.

pub(crate) mod config;
pub(crate) mod detect;
pub(crate) mod end;
pub(crate) mod fast;
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
use crate::summary::Format;
use crate::verifier::Verifier;
use crate::violation::{Layer, RecordRef};
use crate::wire::{self, Order, RECORD_HEADER};

/// The stream was refused; the verifier holds the verdict.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop;

/// What is taken from the stream next, by how it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// A separate tag needs one comparison; packed into spare values of the fields, it would need a computation.
#[repr(u8)]
pub(crate) enum Field {
    /// At most 8 bytes, judged together.
    Bytes(Bytes),
    /// Words of 8 bytes, judged in runs.
    Words(Words),
    /// Bytes that are judged one by one.
    Stretch(Stretch),
    /// No bytes: a layer decides what comes next.
    Marker(Marker),
    /// Nothing: the stream has passed.
    Ended,
}

/// Fields of a few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// The first 8 bytes of the input.
    First,
    /// The next 8 bytes of xl's magic.
    XlMagic,
    /// The next 8 bytes of libvirt's magic.
    LibvirtMagic,
    /// The rest of xenopsd's signature, which has 15 bytes.
    XenopsdSignature,
    /// A field of a flat structure.
    Flat,
    XlConfigLen,
    /// The last byte of xl's configuration.
    XlConfigLast,
    /// The last byte of libvirt's XML.
    LibvirtXmlLast,
    XenopsdType,
    XenopsdLength,
    /// The header of a libxl record.
    LibxlRecord,
    /// The header after CHECKPOINT_END in a stream whose kind is not known: libxc's, or COLO's CHECKPOINT_STATE.
    LibxlEither,
    EmulatorId,
    ControlId,
    /// The header of a libxc record.
    LibxcRecord,
    PagesCount,
    PagesReserved,
    P2mStart,
    P2mEnd,
    /// The header of an entry of HVM_CONTEXT.
    HvmEntry,
    QemuMagic,
    QemuVersion,
    /// The type of the first section of QEMU's state.
    QemuSection,
    /// The length of its name.
    QemuNameLength,
    /// A byte of its name.
    QemuName,
    /// The last byte of the state.
    QemuLast,
}

/// Runs of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// The entries of PAGE_DATA.
    PageEntries,
    /// The frames of X86_PV_P2M_FRAMES.
    P2mFrames,
    /// The entries of a page table.
    PageTable,
}

/// Stretches of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// Padding of the record.
    Padding,
    /// What follows the XSAVE area in CPU_XSAVE.
    XsaveTail,
    /// Keys and values.
    Xenstore,
}

/// Places between fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    /// The configuration of xl has passed.
    XlConfigEnd,
    /// Pages follow, some of them page tables that are to be read.
    PageContents,
    /// Before a field of a flat structure that has a check.
    Flat,
    /// Between two entries of HVM_CONTEXT.
    HvmNext,
    /// The body has passed.
    BodyEnd,
    /// The record has passed, padding included.
    RecordEnd,
}

/// The number in a field of 4 bytes.
#[inline]
fn word(order: Order, value: [u8; 8]) -> u32 {
    let [a, b, c, d, ..] = value;
    order.u32([a, b, c, d])
}

/// Passes each field to the layer that asked for it.
impl Verifier {
    /// Judges a complete field of a few bytes. `at` is the absolute offset of its first byte.
    #[inline]
    pub(crate) fn field<O: Observer + ?Sized>(
        &mut self,
        field: Bytes,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        match field {
            Bytes::First => self.detect_first(value, o),
            Bytes::XlMagic => self.detect_xl(value, o),
            Bytes::LibvirtMagic => self.detect_libvirt(value, o),
            Bytes::XenopsdSignature => self.detect_xenopsd(value, o),
            Bytes::Flat => self.flat_field(at, value, o),
            Bytes::XlConfigLen => self.xl_config_len(at, value, o),
            Bytes::XlConfigLast => self.xl_config_last(at, value, o),
            Bytes::LibvirtXmlLast => self.libvirt_xml_last(at, value, o),
            Bytes::XenopsdType => {
                self.xenopsd_type(value);
                Ok(())
            }
            Bytes::XenopsdLength => self.xenopsd_header(at, value, o),
            Bytes::LibxlRecord => self.libxl_record(at, value, o),
            Bytes::LibxlEither => self.libxl_either(at, value, o),
            Bytes::EmulatorId => self.emulator_id(at, value, o),
            Bytes::ControlId => self.control_id(at, value, o),
            Bytes::LibxcRecord => self.libxc_record(at, value, o),
            Bytes::PagesCount => self.pages_count(at, value, o),
            Bytes::PagesReserved => self.pages_reserved(at, value, o),
            Bytes::P2mStart => self.p2m_start(at, value, o),
            Bytes::P2mEnd => self.p2m_end(at, value, o),
            Bytes::HvmEntry => self.hvm_entry(at, value, o),
            Bytes::QemuMagic => self.qemu_magic(at, value, o),
            Bytes::QemuVersion => self.qemu_version(at, value, o),
            Bytes::QemuSection => self.qemu_section(at, value, o),
            Bytes::QemuNameLength => self.qemu_name_length(at, value, o),
            Bytes::QemuName => self.qemu_name(at, value, o),
            Bytes::QemuLast => self.qemu_last_byte(at, value, o),
        }
    }

    /// Bytes that a field takes, at most 8.
    #[inline]
    pub(crate) fn width(&self, field: Bytes) -> u8 {
        match field {
            Bytes::Flat => self.flat.width(),
            Bytes::First
            | Bytes::XlMagic
            | Bytes::LibvirtMagic
            | Bytes::XenopsdType
            | Bytes::XenopsdLength
            | Bytes::LibxlRecord
            | Bytes::LibxlEither
            | Bytes::LibxcRecord
            | Bytes::HvmEntry => 8,
            Bytes::XenopsdSignature => 7,
            Bytes::XlConfigLen
            | Bytes::EmulatorId
            | Bytes::ControlId
            | Bytes::PagesCount
            | Bytes::PagesReserved
            | Bytes::P2mStart
            | Bytes::P2mEnd
            | Bytes::QemuMagic
            | Bytes::QemuVersion => 4,
            Bytes::XlConfigLast
            | Bytes::LibvirtXmlLast
            | Bytes::QemuSection
            | Bytes::QemuNameLength
            | Bytes::QemuName
            | Bytes::QemuLast => 1,
        }
    }

    /// Returns the number of words left in a run.
    #[inline]
    pub(crate) fn words_left(&self, words: Words) -> u64 {
        match words {
            Words::PageEntries | Words::P2mFrames => self.pages.words_left,
            Words::PageTable => self.pv.words_left,
        }
    }

    /// Judges words. Moves the position after the last one that broke no rule.
    #[inline]
    pub(crate) fn words<O: Observer + ?Sized>(
        &mut self,
        run: Words,
        words: &[[u8; 8]],
        bytes: &[u8],
        o: &mut O,
    ) -> Result<(), Stop> {
        match run {
            Words::PageEntries => self.pages_words(words, bytes, o),
            Words::P2mFrames => self.p2m_words(words, o),
            Words::PageTable => self.pv_words(words, o),
        }
    }

    /// Returns the number of bytes left in a run of bytes.
    pub(crate) fn stretch_left(&self, stretch: Stretch) -> u64 {
        match stretch {
            Stretch::Padding => self.padding_left(),
            Stretch::XsaveTail => self.hvm_left_in_entry(),
            Stretch::Xenstore => self.left_in_body(),
        }
    }

    /// Judges bytes one by one. Moves the position after the last one that broke no rule.
    pub(crate) fn stretch<O: Observer + ?Sized>(
        &mut self,
        stretch: Stretch,
        bytes: &[u8],
        o: &mut O,
    ) -> Result<(), Stop> {
        match stretch {
            Stretch::Padding => self.record_padding(bytes, o),
            Stretch::XsaveTail => self.hvm_xsave_tail(bytes, o),
            Stretch::Xenstore => self.xenstore_bytes(bytes, o),
        }
    }

    /// Handles a marker: decides what comes next.
    #[inline]
    pub(crate) fn marker<O: Observer + ?Sized>(&mut self, marker: Marker, o: &mut O) -> Result<(), Stop> {
        match marker {
            Marker::XlConfigEnd => self.xl_config_end(),
            Marker::PageContents => self.pages_contents(),
            Marker::Flat => self.flat_next(o)?,
            Marker::HvmNext => self.hvm_next(o)?,
            Marker::BodyEnd => self.body_end(),
            Marker::RecordEnd => self.record_end(),
        }
        Ok(())
    }

    /// Ends a body: its padding follows, or the next record.
    #[inline]
    pub(crate) fn body_end(&mut self) {
        self.body_is_wanted = false;
        if self.body_padding == 0 {
            self.record_end();
        } else if self.policy.level(self.padding_rule()) == Level::Allow {
            self.set_next(self.body_padding, Field::Marker(Marker::RecordEnd));
        } else {
            self.set_next(0, Field::Stretch(Stretch::Padding));
        }
    }

    /// Ends a record, after its padding. Its layer decides what comes next.
    #[inline]
    pub(crate) fn record_end(&mut self) {
        match self.record {
            Some(RecordRef { layer: Layer::Libxl, .. }) => self.libxl_record_end(),
            Some(RecordRef { layer: Layer::Xenopsd, .. }) => self.xenopsd_record_end(),
            _ => self.libxc_record_end(),
        }
    }

    /// Sets the next step after the libxc stream: the format around it goes on.
    pub(crate) fn after_libxc(&mut self) {
        if self.libxl.present {
            self.libxl_await();
        } else if self.summary.format == Format::Xenopsd {
            self.xenopsd_await();
        } else {
            self.set_next(0, Field::Ended);
        }
    }

    /// Returns the number of bytes that are certain to follow the libxc stream.
    pub(crate) fn certain_after_libxc(&self) -> u64 {
        if self.libxl.present {
            RECORD_HEADER
        } else if self.summary.format == Format::Xenopsd {
            wire::xenopsd::HEADER
        } else {
            0
        }
    }

    /// Bytes of padding that are still to come.
    fn padding_left(&self) -> u64 {
        self.body_end.saturating_add(self.body_padding).saturating_sub(self.position)
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
            self.flag(self.padding_rule(), self.position, found, 0, o)?;
            self.advance(bytes.len().saturating_sub(clean));
            self.set_next(self.padding_left(), Field::Marker(Marker::RecordEnd));
            return Ok(());
        }
        self.advance(bytes.len());
        if self.padding_left() == 0 {
            self.set_next(0, Field::Marker(Marker::RecordEnd));
        }
        Ok(())
    }
}
