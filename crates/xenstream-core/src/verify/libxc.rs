//! The libxc stream: its headers, and the types, order and lengths of its records. Memory is in [`super::pages`]; registers
//! and policies are in [`super::registers`].

use crate::observer::{Header, Observer, Record};
use crate::policy::{Checkpointing, Limit, Profile};
use crate::rule::Rule;
use crate::summary::Guest;
use crate::targets::{Fact, HostDependency};
use crate::value::{Evidence, Value};
use crate::verifier::Verifier;
use crate::verify::flat::{FieldValue, PartOf};
use crate::verify::places::Seen;
use crate::verify::{Bytes, Field, Stop, pages, params, policies, pv, registers, vcpu};
use crate::violation::{Layer, RecordRef};
use crate::wire::layout::LibxcHook;
use crate::wire::libxc::{self, Blob, Length, Place, types};
use crate::wire::{Order, RECORD_HEADER, headers};

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(super) order: Order,
    options: u16,
    pub(crate) version: u32,
    pub(crate) xen_major: u32,
    xen_minor: u32,
    pub(super) index: u64,
    pub(crate) kind: u32,
    /// The body's length.
    pub(crate) length: u64,
    pub(crate) seen: Seen,
    /// The kind of stream, from the caller or from the stream itself.
    pub(crate) checkpointing: Checkpointing,
    /// CHECKPOINT records so far.
    pub(crate) checkpoints: u64,
    /// Complete checkpoints of this libxc stream. The summary counts those of all.
    pub(crate) complete: u64,
    /// Bytes of records since the last CHECKPOINT, if there was one.
    pub(crate) buffered: u64,
    /// The first optional record since the last CHECKPOINT, if there was one.
    pub(crate) optional: Option<RecordRef>,
}

/// Builds the record that observers receive after its header.
#[inline]
pub(super) fn libxc_begun(index: u64, kind: u32, at: u64, length: u64) -> Record {
    Record {
        layer: Layer::Libxc,
        index,
        kind: u64::from(kind),
        instance: 0,
        offset: at,
        body_offset: at.saturating_add(RECORD_HEADER),
        body_length: length,
    }
}

/// The headers.
impl Verifier {
    /// Begins a libxc stream inside another format.
    pub(crate) fn libxc_start(&mut self) {
        self.libxc_certain(libxc::IMAGE_HEADER.saturating_add(libxc::DOMAIN_HEADER));
        self.libxc_reset();
        self.header_start(&headers::LIBXC_IMAGE, PartOf::LibxcImage, 0);
    }

    /// Reports other bytes in place of the marker. Only a bare stream can be a legacy one, because libxl and its converter
    /// write the marker.
    pub(crate) fn no_marker<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        first: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let found = u64::from_be_bytes(first);
        if !self.libxl.present && libxc::is_legacy(first) {
            self.legacy(at, found, o)
        } else {
            self.flag(Rule::LibxcMarker, at, found, libxc::MARKER, o)
        }
    }

    /// Begins a bare stream, whose marker was read by the detection.
    pub(crate) fn libxc_start_after_marker(&mut self) {
        let image = libxc::IMAGE_HEADER.saturating_sub(libxc::image_at::ID);
        self.libxc_certain(image.saturating_add(libxc::DOMAIN_HEADER));
        self.libxc_reset();
        self.header_start(&headers::LIBXC_IMAGE, PartOf::LibxcImage, libxc::image_at::ID);
    }

    /// Records that the headers continue for this many bytes, and that at least one record follows.
    fn libxc_certain(&mut self, headers: u64) {
        self.certain_until =
            self.certain_until.max(self.position.saturating_add(headers).saturating_add(RECORD_HEADER));
    }

    /// Clears the state of an earlier libxc stream in the same input, except the record index.
    fn libxc_reset(&mut self) {
        let checkpointing = match self.policy.checkpointing() {
            // Only the caller can tell the restorer of a bare stream that checkpoints will come.
            Checkpointing::Auto if !self.libxl.present => Checkpointing::Plain,
            known => known,
        };
        self.libxc = State { index: self.libxc.index, checkpointing, ..State::default() };
        self.pages = pages::State::default();
        self.pv = pv::State::default();
        self.vcpus = vcpu::State::default();
        self.registers = registers::State::default();
        self.params = params::State::default();
        self.policies = policies::State::default();
        self.summary.guest_width = None;
        self.summary.max_pfn = None;
        self.record = None;
    }

    /// Returns the byte order of fields in records.
    #[inline]
    pub(crate) fn libxc_order(&self) -> Order {
        self.libxc.order
    }

    /// Runs the hand-written checks of the headers.
    pub(crate) fn libxc_hook<O: Observer + ?Sized>(
        &mut self,
        hook: LibxcHook,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        match hook {
            LibxcHook::Marker if value == libxc::MARKER => Ok(()),
            LibxcHook::Marker => self.no_marker(at, value.to_be_bytes(), o),
            LibxcHook::Version => self.libxc_version(at, value as u32, o),
            LibxcHook::Options => self.libxc_options(at, value as u16, o),
            LibxcHook::DomainType => self.libxc_domain_type(at, value as u32, o),
            LibxcHook::XenMajor => {
                self.libxc.xen_major = value as u32;
                Ok(())
            }
            LibxcHook::XenMinor => {
                self.libxc.xen_minor = value as u32;
                Ok(())
            }
        }
    }

    fn libxc_version<O: Observer + ?Sized>(&mut self, at: u64, version: u32, o: &mut O) -> Result<(), Stop> {
        if !(libxc::VERSION_MIN..=libxc::VERSION_MAX).contains(&version) {
            self.flag(Rule::LibxcVersion, at, u64::from(version), u64::from(libxc::VERSION_MAX), o)?;
        }
        if version == 3 {
            self.flag_fact(Fact::V3, at, u64::from(version), 2, o)?;
        }
        self.libxc.version = version;
        self.summary.libxc_version = Some(version);
        Ok(())
    }

    fn libxc_options<O: Observer + ?Sized>(&mut self, at: u64, options: u16, o: &mut O) -> Result<(), Stop> {
        if options & !libxc::OPTION_BIG_ENDIAN != 0 {
            let known = u64::from(libxc::OPTION_BIG_ENDIAN);
            self.flag(Rule::LibxcOptionsReserved, at, u64::from(options), known, o)?;
        }
        if options & libxc::OPTION_BIG_ENDIAN != 0 {
            self.libxc.order = Order::Big;
            self.flag(Rule::LibxcBigEndian, at, u64::from(options), Value::None, o)?;
        }
        self.libxc.options = options;
        self.summary.order = self.libxc.order;
        Ok(())
    }

    /// Ends the image header.
    pub(crate) fn libxc_domain_start(&mut self) {
        self.header_start(&headers::LIBXC_DOMAIN, PartOf::LibxcDomain, 0);
    }

    fn libxc_domain_type<O: Observer + ?Sized>(&mut self, at: u64, kind: u32, o: &mut O) -> Result<(), Stop> {
        let offset = at.saturating_sub(libxc::IMAGE_HEADER);
        let State { order, version, options, .. } = self.libxc;
        o.on_header(&Header::LibxcImage { offset, order, version, options });
        let guest = match kind {
            libxc::DOMAIN_X86_PV => Guest::Pv,
            libxc::DOMAIN_X86_HVM => Guest::Hvm,
            _ => return self.flag(Rule::LibxcDomainType, at, u64::from(kind), Value::None, o),
        };
        self.summary.guest = Some(guest);
        if self.domain_type.is_some_and(|domain_type| domain_type.guest() != guest) {
            let shown = if guest == Guest::Pv { Evidence::PvGuest } else { Evidence::HvmGuest };
            self.type_mismatch(shown, at, None, o)?;
        }
        self.libxl_guest_known(guest, o)
    }

    /// Ends the headers.
    pub(crate) fn libxc_header_end<O: Observer + ?Sized>(&mut self, o: &mut O) {
        let xen = (self.libxc.xen_major, self.libxc.xen_minor);
        self.summary.xen = Some(xen);
        if let Some(guest) = self.summary.guest {
            o.on_header(&Header::LibxcDomain { offset: self.flat_base(), guest, xen });
        }
        self.depends_on(HostDependency::Memory);
        self.pages.refresh(&self.policy, &self.summary);
        self.libxc_places();
        self.libxc_await();
    }
}

/// The records.
impl Verifier {
    /// Sets the next step: a libxc record.
    #[inline]
    pub(crate) fn libxc_await(&mut self) {
        self.await_record(Layer::Libxc, self.libxc.index, Field::Bytes(Bytes::LibxcRecord));
    }

    /// Judges a record of any type, rule by rule.
    #[inline(never)]
    pub(super) fn libxc_unusual<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        let State { index, kind, length, .. } = self.libxc;
        let found = Value::libxc(kind);
        self.summary.records.count_libxc(kind);
        let known = libxc::record(kind);
        let mut unread = match known {
            Some(libxc::Record { guest: Some(guest), .. }) if self.summary.guest != Some(*guest) => {
                self.flag(Rule::LibxcRecordGuest, at, found, Value::None, o)?;
                true
            }
            Some(libxc::Record { length: Length::Refused(rule), .. }) => {
                self.flag(*rule, at, found, Value::None, o)?;
                true
            }
            Some(_) => false,
            None if kind & types::OPTIONAL != 0 => {
                if self.libxc.checkpoints > 0 {
                    self.libxc.optional = self.libxc.optional.or(self.record);
                }
                self.flag(Rule::LibxcRecordOptional, at, found, Value::None, o)?;
                true
            }
            None => return self.flag(Rule::LibxcRecordType, at, found, Value::None, o),
        };
        self.count_record(at, o)?;
        if self.libxc.checkpoints > 0 {
            self.libxc_buffered(at, length, o)?;
        }
        if let Some(known) = known {
            self.libxc_place(kind, known.place, at, o)?;
        }
        unread |= !self.libxc_length(kind, known, at, length, o)?;
        match kind {
            // Version 3 added them, but newer restorers also accept them in older streams.
            types::STATIC_DATA_END | types::X86_CPUID_POLICY | types::X86_MSR_POLICY
                if self.libxc.version < 3 =>
            {
                self.flag_fact(Fact::V3, at, found, Value::None, o)?;
            }
            _ => {}
        }
        let tail = if kind == types::END { self.certain_after_libxc() } else { RECORD_HEADER };
        self.begin_body(&libxc_begun(index.wrapping_sub(1), kind, at, length), tail, o);
        match known {
            Some(known) if !unread => self.libxc_body(kind, known),
            Some(_) | None => self.rest_of_body(),
        }
        Ok(())
    }

    /// Sets the next step in the body of a record.
    #[inline]
    fn libxc_body(&mut self, kind: u32, known: &'static libxc::Record) {
        match (kind, known.record_type.body) {
            (types::PAGE_DATA, _) => self.set_next(0, Field::Bytes(Bytes::PagesCount)),
            (types::X86_PV_P2M_FRAMES, _) => self.set_next(0, Field::Bytes(Bytes::P2mStart)),
            (types::X86_CPUID_POLICY, _) => self.cpuid_start(),
            (types::X86_MSR_POLICY, _) => self.msr_policy_start(),
            (types::HVM_CONTEXT, _) => self.hvm_start(),
            _ if known.place == Place::Vcpu => self.vcpu_start(),
            (_, [layout]) => self.flat_body(layout),
            _ => self.rest_of_body(),
        }
    }

    /// Judges the length, (3) of docs/rules.md. Returns false if it is wrong but the rule was lowered, so that the body must be
    /// skipped unread.
    #[inline]
    fn libxc_length<O: Observer + ?Sized>(
        &mut self,
        kind: u32,
        known: Option<&'static libxc::Record>,
        at: u64,
        length: u64,
        o: &mut O,
    ) -> Result<bool, Stop> {
        let at = at.saturating_add(4);
        let limit = self.policy.limit(Limit::LibxcRecord);
        if length > limit {
            self.flag(Rule::LibxcRecordLength, at, length, limit, o)?;
            return Ok(false);
        }
        let Some(known) = known else { return Ok(true) };
        let (fits, rule, expected) = match known.length {
            Length::Refused(_) => return Ok(true),
            Length::Exactly(n, rule) => (length == n, rule, n),
            Length::AtLeast(n, rule) => (length >= n, rule, n),
            Length::Multiple(n, rule) => (length != 0 && length.is_multiple_of(n), rule, n),
            Length::Start(n, rule) => {
                let longer = self.policy.profile() == Profile::Restore && length > n;
                (length == n || longer, rule, n)
            }
            Length::Vcpu(blob, rule) => return self.libxc_vcpu_length((blob, rule), at, length, o),
        };
        if !fits {
            self.flag(rule, at, length, expected, o)?;
        } else if kind == types::X86_MSR_POLICY && !self.static_data_ended() {
            self.msr_policy_count(at, length, o)?;
        } else if kind == types::X86_CPUID_POLICY && !self.static_data_ended() {
            self.cpuid_count(at, length, o)?;
        }
        Ok(fits)
    }

    fn libxc_vcpu_length<O: Observer + ?Sized>(
        &mut self,
        (kind, rule): (Blob, Rule),
        at: u64,
        length: u64,
        o: &mut O,
    ) -> Result<bool, Stop> {
        use libxc::vcpu;
        let Some(blob) = length.checked_sub(vcpu::HEADER) else {
            self.flag(Rule::LibxcVcpuHeader, at, length, vcpu::HEADER, o)?;
            return Ok(false);
        };
        if blob == 0 {
            // Erratum 1 of the specification: Xen 4.6 to 4.8 wrote such records, and they mean nothing.
            self.flag(Rule::LibxcVcpuEmpty, at, length, vcpu::HEADER, o)?;
            return Ok(true);
        }
        let (fits, expected) = match kind {
            Blob::OfWidth { narrow, .. } if self.guest_width() == 4 => (blob == narrow, narrow),
            Blob::OfWidth { wide, .. } => (blob == wide, wide),
            Blob::AtMost(n) => (blob <= n, n),
            Blob::AtLeast(n) => (blob >= n, n),
            Blob::Multiple(n) => (blob.is_multiple_of(n), n),
        };
        if !fits {
            self.flag(rule, at, length, expected.saturating_add(vcpu::HEADER), o)?;
        }
        Ok(fits)
    }

    /// Returns the width of the PV guest in bytes, or 8 if it is not known.
    #[inline]
    pub(crate) fn guest_width(&self) -> u8 {
        self.summary.guest_width.unwrap_or(8)
    }

    /// Ends a record, after its padding.
    #[inline]
    pub(crate) fn libxc_record_end(&mut self) {
        match self.libxc.kind {
            types::END => self.after_libxc(),
            types::CHECKPOINT => {
                self.libxc_checkpointed();
                if self.libxl.present {
                    self.libxl.in_checkpoint = true;
                    self.libxl_await();
                } else {
                    self.libxc_checkpoint_complete();
                    self.libxc_await();
                }
            }
            _ => self.libxc_await(),
        }
    }
}
