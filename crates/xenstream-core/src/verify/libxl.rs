//! The libxl stream: its header and its records.

use crate::observer::{Header, Observer, Record};
use crate::policy::{Checkpointing, Limit, Profile};
use crate::rule::Rule;
use crate::summary::{DomainType, Guest};
use crate::targets::Fact;
use crate::value::{Evidence, Value};
use crate::verifier::Verifier;
use crate::verify::flat::{FieldValue, PartOf};
use crate::verify::{Bytes, Field, Stop, word};
use crate::violation::{Layer, RecordRef};
use crate::wire::layout::LibxlHook;
use crate::wire::libxl::{self, types};
use crate::wire::{Order, RECORD_HEADER, headers, libxc};

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Whether the libxc stream is inside a libxl stream.
    pub(crate) present: bool,
    /// Whether the stream was converted from a legacy image.
    pub(crate) converted: bool,
    order: Order,
    options: u32,
    index: u64,
    kind: u32,
    context_seen: bool,
    /// The first emulator record before LIBXC_CONTEXT.
    early_emulator: Option<RecordRef>,
    /// Whether there was an EMULATOR_CONTEXT: at all, and since the last CHECKPOINT_END.
    device_model: bool,
    checkpoint_device_model: bool,
    /// Whether records of a checkpoint are being read.
    pub(crate) in_checkpoint: bool,
    /// What follows the record being read.
    next: Next,
}

/// What follows a libxl record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    /// Another libxl record.
    #[default]
    Record,
    /// Only COLO's CHECKPOINT_STATE.
    CheckpointState,
    /// The libxc stream, which continues after its CHECKPOINT.
    Libxc,
    /// The libxc stream or a first CHECKPOINT_STATE.
    Either,
    /// A new libxc stream.
    LibxcStart,
    End,
}

/// The stream header.
impl Verifier {
    /// Begins the stream, after a container's header.
    pub(crate) fn libxl_start(&mut self) {
        self.libxl_certain(libxl::HEADER);
        self.libxl.present = true;
        self.header_start(&headers::LIBXL, PartOf::Libxl, 0);
    }

    /// Begins a bare stream, whose ident was read by the detection.
    pub(crate) fn libxl_start_after_ident(&mut self) {
        self.libxl_certain(libxl::HEADER.saturating_sub(libxl::at::VERSION));
        self.libxl.present = true;
        self.header_start(&headers::LIBXL, PartOf::Libxl, libxl::at::VERSION);
    }

    /// Runs the hand-written checks of the header.
    pub(crate) fn libxl_hook<O: Observer + ?Sized>(
        &mut self,
        hook: LibxlHook,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        match hook {
            LibxlHook::Ident => self.libxl_ident(field.at, field.value, o),
            LibxlHook::Options => self.libxl_options(field.at, field.value as u32, o),
        }
    }

    /// Compares the container's header, which says whether a libxl stream or a legacy image follows, with the stream.
    fn libxl_ident<O: Observer + ?Sized>(&mut self, at: u64, found: u64, o: &mut O) -> Result<(), Stop> {
        let expected = u64::from_be_bytes(libxl::IDENT);
        let is_libxl = found == expected;
        match self.announces_legacy() {
            Some((rule, field, found)) if is_libxl => self.flag(rule, field, found, Value::None, o),
            Some(_) => self.legacy(at, found, o),
            None if is_libxl => Ok(()),
            None => self.flag(Rule::LibxlIdent, at, found, expected, o),
        }
    }

    /// Records that the header continues for this many bytes, and that at least one record follows.
    fn libxl_certain(&mut self, header: u64) {
        self.certain_until =
            self.certain_until.max(self.position.saturating_add(header).saturating_add(RECORD_HEADER));
    }

    fn libxl_options<O: Observer + ?Sized>(&mut self, at: u64, options: u32, o: &mut O) -> Result<(), Stop> {
        if options & libxl::OPTIONS_RESERVED != 0 {
            let known = u64::from(!libxl::OPTIONS_RESERVED);
            self.flag(Rule::LibxlOptionsReserved, at, u64::from(options), known, o)?;
        }
        self.libxl.converted = options & libxl::OPTION_LEGACY != 0;
        if options & libxl::OPTION_BIG_ENDIAN != 0 {
            self.libxl.order = Order::Big;
            self.flag(Rule::LibxlBigEndian, at, u64::from(options), Value::None, o)?;
        }
        self.libxl.options = options;
        Ok(())
    }

    /// Ends the header.
    pub(crate) fn libxl_header_end<O: Observer + ?Sized>(&mut self, o: &mut O) {
        let State { order, options, .. } = self.libxl;
        o.on_header(&Header::Libxl { offset: self.flat_base(), order, options });
        self.libxl_await();
    }
}

/// The records.
impl Verifier {
    /// Sets the next step: a libxl record.
    pub(crate) fn libxl_await(&mut self) {
        self.certain_until = self.certain_until.max(self.position.saturating_add(RECORD_HEADER));
        self.await_record(Layer::Libxl, self.libxl.index, Field::Bytes(Bytes::LibxlRecord));
    }

    /// Takes the header after CHECKPOINT_END. Only COLO has type 5 there: COLO is for HVM guests, and type 5 of libxc is a PV
    /// record.
    pub(crate) fn libxl_either<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        header: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let [a, b, c, d, ..] = header;
        if self.libxl.order.u32([a, b, c, d]) == types::CHECKPOINT_STATE {
            self.libxc.checkpointing = Checkpointing::Colo;
            self.libxl.next = Next::CheckpointState;
            self.libxl_record(at, header, o)
        } else {
            // The stream is not COLO, in which one follows each CHECKPOINT_END.
            self.libxc.checkpointing = Checkpointing::Remus;
            self.libxc_record(at, header, o)
        }
    }

    pub(crate) fn libxl_record<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        header: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let [a, b, c, d, e, f, g, h] = header;
        let kind = self.libxl.order.u32([a, b, c, d]);
        let length = u64::from(self.libxl.order.u32([e, f, g, h]));
        let index = self.libxl.index;
        let came_for = core::mem::take(&mut self.libxl.next);
        self.record = Some(RecordRef { layer: Layer::Libxl, index, kind: Some(u64::from(kind)), offset: at });
        self.libxl.index = index.saturating_add(1);
        self.libxl.kind = kind;
        self.summary.records.count_libxl(kind);

        let known = libxl::record(kind);
        match known {
            Some(_) => {}
            None if kind & types::OPTIONAL != 0 => {
                self.flag(Rule::LibxlRecordOptional, at, Value::libxl(kind), Value::None, o)?;
            }
            None => return self.flag(Rule::LibxlRecordType, at, Value::libxl(kind), Value::None, o),
        }
        self.count_record(at, o)?;
        self.libxl_place(kind, at, came_for, o)?;
        let unread = !self.libxl_length(kind, known, at, length, o)?;

        let tail = match kind {
            types::END => 0,
            types::LIBXC_CONTEXT => libxc::IMAGE_HEADER.saturating_add(libxc::DOMAIN_HEADER),
            _ => RECORD_HEADER,
        };
        let record = Record {
            layer: Layer::Libxl,
            index,
            kind: u64::from(kind),
            instance: 0,
            offset: at,
            body_offset: self.position,
            body_length: length,
        };
        self.begin_body(&record, tail, o);
        match kind {
            _ if unread => self.rest_of_body(),
            types::EMULATOR_XENSTORE_DATA | types::EMULATOR_CONTEXT => {
                self.set_next(0, Field::Bytes(Bytes::EmulatorId));
            }
            types::CHECKPOINT_STATE => self.set_next(0, Field::Bytes(Bytes::ControlId)),
            _ => self.rest_of_body(),
        }
        Ok(())
    }

    /// The emulator of a record that is about a device model.
    pub(crate) fn emulator_id<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let id = word(self.libxl.order, value);
        if id > libxl::EMULATOR_ID_MAX {
            let most = u64::from(libxl::EMULATOR_ID_MAX);
            self.flag(Rule::LibxlEmulatorId, at, u64::from(id), most, o)?;
        } else if id == libxl::EMULATOR_TRADITIONAL && self.libxl.kind == types::EMULATOR_CONTEXT {
            self.flag_fact(Fact::Qtrad, at, u64::from(id), 0, o)?;
        }
        if self.libxl.kind == types::EMULATOR_CONTEXT {
            self.emulator_state(at, id, o)?;
        }
        // Both follow the header's second word, `index`.
        if self.libxl.kind == types::EMULATOR_XENSTORE_DATA {
            self.xenstore_start(4);
        } else if id == libxl::EMULATOR_QEMU {
            self.qemu_start(4, at.saturating_sub(4), o)?;
        } else {
            self.rest_of_body();
        }
        Ok(())
    }

    /// The message of CHECKPOINT_STATE.
    pub(crate) fn control_id<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let id = word(self.libxl.order, value);
        let most = match self.policy.profile() {
            Profile::Spec => libxl::CHECKPOINT_STATE_MAX,
            // A primary sends nothing else.
            Profile::Restore | Profile::Hardened => libxl::CHECKPOINT_STATE_NEW,
        };
        if id > most {
            self.flag(Rule::LibxlCheckpointStateId, at, u64::from(id), u64::from(most), o)?;
        }
        self.rest_of_body();
        Ok(())
    }

    /// (2) of docs/rules.md, the record's place; and where the stream goes on after it.
    fn libxl_place<O: Observer + ?Sized>(
        &mut self,
        kind: u32,
        at: u64,
        came_for: Next,
        o: &mut O,
    ) -> Result<(), Stop> {
        let found = Value::libxl(kind);
        let expects_state = came_for == Next::CheckpointState;
        if expects_state && kind != types::CHECKPOINT_STATE {
            self.flag(
                Rule::LibxlCheckpointStateMissing,
                at,
                found,
                Value::libxl(types::CHECKPOINT_STATE),
                o,
            )?;
        }
        match kind {
            types::END => {
                if self.libxl.in_checkpoint {
                    self.flag(Rule::LibxlEndInCheckpoint, at, found, Value::None, o)?;
                } else if !self.libxl.context_seen {
                    self.flag(Rule::LibxlLibxcContextMissing, at, found, Value::None, o)?;
                } else if !self.libxl.device_model {
                    self.libxl_emulator_missing(at, found, o)?;
                }
                self.libxl.next = Next::End;
            }
            types::LIBXC_CONTEXT => {
                if self.libxl.in_checkpoint {
                    self.flag(Rule::LibxlLibxcContextInCheckpoint, at, found, Value::None, o)?;
                }
                if self.libxl.context_seen {
                    self.flag(Rule::LibxlLibxcContextRepeated, at, found, Value::None, o)?;
                } else if self.libxl.early_emulator.is_some() {
                    self.flag(Rule::LibxlLibxcContextLate, at, found, Value::None, o)?;
                }
                self.libxl.context_seen = true;
                self.libxl.next = Next::LibxcStart;
            }
            types::EMULATOR_XENSTORE_DATA | types::EMULATOR_CONTEXT => {
                if kind == types::EMULATOR_CONTEXT {
                    self.libxl.device_model = true;
                    self.libxl.checkpoint_device_model = true;
                }
                match self.summary.guest {
                    Some(Guest::Pv) => self.flag(Rule::LibxlEmulatorGuest, at, found, Value::None, o)?,
                    Some(Guest::Hvm) => {}
                    None => self.libxl.early_emulator = self.libxl.early_emulator.or(self.record),
                }
                if self.domain_type == Some(DomainType::Pvh) {
                    self.type_mismatch(Evidence::EmulatorRecord, at, self.record, o)?;
                }
            }
            types::CHECKPOINT_END if self.libxl.in_checkpoint => {
                if !core::mem::take(&mut self.libxl.checkpoint_device_model) {
                    self.libxl_emulator_missing(at, found, o)?;
                }
                self.libxl.next = self.after_checkpoint();
            }
            types::CHECKPOINT_END => {
                self.flag(Rule::LibxlCheckpointEndUnexpected, at, found, Value::None, o)?;
            }
            types::CHECKPOINT_STATE if expects_state => self.libxl.next = Next::Libxc,
            types::CHECKPOINT_STATE => {
                self.flag(Rule::LibxlCheckpointStateUnexpected, at, found, Value::None, o)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Reports missing device-model state, if the domain has a device model.
    fn libxl_emulator_missing<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        found: Value,
        o: &mut O,
    ) -> Result<(), Stop> {
        let needed = match self.domain_type {
            Some(DomainType::Hvm) => self.summary.guest == Some(Guest::Hvm),
            Some(DomainType::Pv | DomainType::Pvh) => false,
            None => self.hvm.has_devices(),
        };
        if needed { self.flag(Rule::LibxlEmulatorMissing, at, found, Value::None, o) } else { Ok(()) }
    }

    /// Reports something that a domain of the configured type does not have.
    pub(crate) fn type_mismatch<O: Observer + ?Sized>(
        &mut self,
        evidence: Evidence,
        at: u64,
        record: Option<RecordRef>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let configured = self.domain_type.map_or(Value::None, Value::DomainType);
        self.flag_in(Rule::XlTypeMismatch, at, Value::Evidence(evidence), configured, record, o)
    }

    /// Returns which layer continues after CHECKPOINT_END. No record says so: libxl learns the kind of stream from its caller.
    fn after_checkpoint(&self) -> Next {
        match self.libxc.checkpointing {
            Checkpointing::Colo => Next::CheckpointState,
            Checkpointing::Auto if self.summary.guest == Some(Guest::Hvm) => Next::Either,
            Checkpointing::Auto | Checkpointing::Remus | Checkpointing::Plain => Next::Libxc,
        }
    }

    /// Judges the length, (3) of docs/rules.md. Returns false if it is wrong but the rule was lowered, so that the body must be
    /// skipped unread.
    fn libxl_length<O: Observer + ?Sized>(
        &mut self,
        kind: u32,
        known: Option<&'static libxl::Record>,
        at: u64,
        length: u64,
        o: &mut O,
    ) -> Result<bool, Stop> {
        let at = at.saturating_add(4);
        let limit = self.policy.limit(Limit::LibxlRecord);
        if length > limit {
            self.flag(Rule::LibxlRecordLength, at, length, limit, o)?;
            return Ok(false);
        }
        let Some(libxl::Record { least, most, rule, .. }) = known.copied() else { return Ok(false) };
        if length < least || length > most {
            self.flag(rule, at, length, least, o)?;
            return Ok(false);
        }
        let context = length.saturating_sub(libxl::EMULATOR_HEADER);
        let limit = self.policy.limit(Limit::XenstoreBytes);
        if kind == types::EMULATOR_XENSTORE_DATA && context > limit {
            self.flag(Rule::LibxlXenstoreLength, at, context, limit, o)?;
            return Ok(false);
        }
        let limit = self.policy.limit(Limit::EmulatorContext);
        if kind == types::EMULATOR_CONTEXT && context > limit {
            self.flag(Rule::LibxlEmulatorLength, at, context, limit, o)?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Ends a record, after its padding.
    pub(crate) fn libxl_record_end(&mut self) {
        match self.libxl.next {
            Next::End => self.set_next(0, Field::Ended),
            Next::LibxcStart => self.libxc_start(),
            Next::Record => self.libxl_await(),
            next => {
                if self.libxl.kind == types::CHECKPOINT_END {
                    self.libxl.in_checkpoint = false;
                    self.xenstore.keys = 0;
                    self.libxc_checkpoint_complete();
                }
                match next {
                    Next::CheckpointState => self.libxl_await(),
                    Next::Either => {
                        self.libxc_await();
                        self.set_next(0, Field::Bytes(Bytes::LibxlEither));
                    }
                    _ => self.libxc_await(),
                }
            }
        }
    }

    /// Judges earlier emulator records, when the domain header shows the kind of guest.
    pub(crate) fn libxl_guest_known<O: Observer + ?Sized>(
        &mut self,
        guest: Guest,
        o: &mut O,
    ) -> Result<(), Stop> {
        match self.libxl.early_emulator {
            Some(record) if guest == Guest::Pv => {
                let found = Value::RecordType(Layer::Libxl, record.kind.unwrap_or(0));
                self.flag_in(Rule::LibxlEmulatorGuest, record.offset, found, Value::None, Some(record), o)
            }
            _ => Ok(()),
        }
    }
}
