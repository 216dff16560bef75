//! The order of libxc records: what must come before a record, and what must not.

use crate::observer::Observer;
use crate::policy::{Checkpointing, Level, Limit, Profile};
use crate::rule::Rule;
use crate::summary::Guest;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::violation::{Layer, Violation};
use crate::wire::libxc::{Place, types};
use crate::wire::{RECORD_HEADER, padding};

/// What a libxc stream has contained so far, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(u16);

impl Seen {
    const STATIC_DATA_END: Seen = Seen(1 << 0);
    const PV_INFO: Seen = Seen(1 << 1);
    const P2M_FRAMES: Seen = Seen(1 << 2);
    pub(super) const PAGE_DATA: Seen = Seen(1 << 3);
    const SHARED_INFO: Seen = Seen(1 << 4);
    const HVM_CONTEXT: Seen = Seen(1 << 5);
    pub(super) const VERIFY: Seen = Seen(1 << 6);
    /// A BASIC record of vcpu 0 that is not empty.
    pub(crate) const BASIC_0: Seen = Seen(1 << 7);
    /// `libxc::static-data-end-missing` was reported, which is done once.
    const STATIC_REPORTED: Seen = Seen(1 << 8);
    /// `libxc::verify-checkpointed` was reported for the last VERIFY.
    const VERIFY_REPORTED: Seen = Seen(1 << 9);
    /// STATIC_DATA_END was read, or the stream's version has none.
    pub(super) const STATIC_OVER: Seen = Seen(1 << 10);
    /// X86_PV_P2M_FRAMES was read, or the guest has none.
    pub(super) const P2M_OVER: Seen = Seen(1 << 11);
    /// There was no checkpoint, and the caller announced none.
    pub(super) const UNCHECKPOINTED: Seen = Seen(1 << 12);
    /// `libxc::memory-short` was reported, which is done once.
    pub(crate) const SHORT_REPORTED: Seen = Seen(1 << 13);

    #[inline]
    pub(crate) fn has(self, bits: Seen) -> bool {
        self.0 & bits.0 == bits.0
    }

    #[inline]
    pub(crate) fn add(&mut self, bits: Seen) {
        self.0 |= bits.0;
    }

    pub(super) const fn and(self, bits: Seen) -> Seen {
        Seen(self.0 | bits.0)
    }
}

/// (2) of docs/rules.md: the records' places.
impl Verifier {
    /// Marks what need not come, after the headers.
    pub(crate) fn libxc_places(&mut self) {
        if self.libxc.version < 3 {
            self.libxc.seen.add(Seen::STATIC_OVER);
        }
        if self.summary.guest != Some(Guest::Pv) {
            self.libxc.seen.add(Seen::P2M_OVER);
        }
        if !matches!(self.policy.checkpointing(), Checkpointing::Remus | Checkpointing::Colo) {
            self.libxc.seen.add(Seen::UNCHECKPOINTED);
        }
    }

    /// Ends a CHECKPOINT.
    pub(crate) fn libxc_checkpointed(&mut self) {
        self.libxc.checkpoints = self.libxc.checkpoints.saturating_add(1);
        self.libxc.buffered = 0;
        self.libxc.seen.0 &= !Seen::UNCHECKPOINTED.0;
    }

    /// Counts the bytes that the restorer buffers between checkpoints, after the first one.
    pub(crate) fn libxc_buffered<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        length: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let record = RECORD_HEADER.saturating_add(length).saturating_add(padding(length));
        self.libxc.buffered = self.libxc.buffered.saturating_add(record);
        let limit = self.policy.limit(Limit::CheckpointSize);
        if self.libxc.buffered > limit {
            self.flag(Rule::StreamCheckpointSize, at, self.libxc.buffered, limit, o)?;
        }
        Ok(())
    }

    /// Records that a checkpoint is complete, so that the restorer can fall back to it.
    pub(crate) fn libxc_checkpoint_complete(&mut self) {
        self.libxc.complete = self.libxc.complete.saturating_add(1);
        self.summary.checkpoints = self.summary.checkpoints.saturating_add(1);
    }

    pub(crate) fn libxc_place<O: Observer + ?Sized>(
        &mut self,
        kind: u32,
        place: Place,
        at: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let seen = self.libxc.seen;
        let found = Value::libxc(kind);
        match place {
            Place::Static => self.libxc_static_place(kind, at, o)?,
            Place::Memory | Place::Registers | Place::Vcpu if !seen.has(Seen::STATIC_OVER) => {
                self.libxc_static_missing(place, found, at, o)?;
            }
            Place::Memory | Place::Registers | Place::Vcpu | Place::Own => {}
        }
        if place == Place::Vcpu && !seen.has(Seen::PAGE_DATA) {
            self.flag(Rule::LibxcVcpuEarly, at, found, Value::None, o)?;
        }
        self.memory_end(kind, place, at, o)?;
        let now = match kind {
            types::PAGE_DATA => {
                self.libxc_p2m_missing(found, at, o)?;
                Seen::PAGE_DATA
            }
            types::X86_PV_P2M_FRAMES => {
                self.libxc_pv_info_missing(found, at, o)?;
                Seen::P2M_FRAMES.and(Seen::P2M_OVER)
            }
            types::SHARED_INFO => {
                self.libxc_pv_info_missing(found, at, o)?;
                Seen::SHARED_INFO
            }
            types::X86_PV_INFO => Seen::PV_INFO,
            types::HVM_CONTEXT => Seen::HVM_CONTEXT,
            types::HVM_PARAMS => {
                // The specification's text asks for the other order, which no release ever wrote.
                if seen.has(Seen::HVM_CONTEXT) {
                    self.flag(Rule::LibxcHvmParamsOrder, at, found, Value::None, o)?;
                }
                return Ok(());
            }
            types::STATIC_DATA_END => {
                self.libxc_static_data_end(at, o)?;
                Seen::STATIC_DATA_END.and(Seen::STATIC_OVER)
            }
            types::VERIFY => return self.libxc_verify_place(at, o),
            types::CHECKPOINT => return self.libxc_checkpoint_place(at, o),
            types::END => return self.libxc_end_place(at, o),
            _ => return Ok(()),
        };
        self.libxc.seen.add(now);
        Ok(())
    }

    /// Returns whether the static data has ended. Version 2 has no record for that; the first memory ends it.
    pub(crate) fn static_data_ended(&self) -> bool {
        let seen = self.libxc.seen;
        let inferred = self.libxc.version < 3 && (seen.has(Seen::PAGE_DATA) || seen.has(Seen::P2M_FRAMES));
        inferred || seen.has(Seen::STATIC_DATA_END)
    }

    fn libxc_static_place<O: Observer + ?Sized>(
        &mut self,
        kind: u32,
        at: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let found = Value::libxc(kind);
        if kind == types::X86_PV_INFO {
            if self.libxc.seen.has(Seen::PV_INFO) {
                self.flag(Rule::LibxcPvInfoRepeated, at, found, Value::None, o)?;
            }
        } else if self.libxc.version < 3 {
            self.flag(Rule::LibxcPolicyVersion, at, found, Value::None, o)?;
        }
        if self.static_data_ended() {
            self.flag(Rule::LibxcStaticRecordLate, at, found, Value::None, o)?;
        }
        Ok(())
    }

    fn libxc_static_data_end<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        let found = Value::libxc(types::STATIC_DATA_END);
        if self.libxc.version < 3 {
            self.flag(Rule::LibxcStaticDataEndVersion, at, found, Value::None, o)?;
        }
        if self.static_data_ended() {
            self.flag(Rule::LibxcStaticDataEndRepeated, at, found, Value::None, o)?;
        }
        Ok(())
    }

    fn libxc_static_missing<O: Observer + ?Sized>(
        &mut self,
        place: Place,
        found: Value,
        at: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        // The restorer applies the static data when memory begins, and ignores other records.
        let looks = self.policy.profile() != Profile::Restore || place == Place::Memory;
        if looks && !self.libxc.seen.has(Seen::STATIC_REPORTED) {
            self.libxc.seen.add(Seen::STATIC_REPORTED);
            self.flag(Rule::LibxcStaticDataEndMissing, at, found, Value::None, o)?;
        }
        Ok(())
    }

    fn libxc_pv_info_missing<O: Observer + ?Sized>(
        &mut self,
        found: Value,
        at: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        if self.libxc.seen.has(Seen::PV_INFO) {
            return Ok(());
        }
        self.flag(Rule::LibxcPvInfoMissing, at, found, Value::None, o)
    }

    /// Reports a missing p2m. Without one, the restorer crashes on pfn 0, even when it fails over to such a checkpoint.
    fn libxc_p2m_missing<O: Observer + ?Sized>(
        &mut self,
        found: Value,
        at: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        if self.libxc.seen.has(Seen::P2M_OVER) {
            return Ok(());
        }
        self.flag(Rule::LibxcP2mFramesMissing, at, found, Value::None, o)
    }

    fn libxc_verify_place<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        let found = Value::libxc(types::VERIFY);
        if !self.libxc.seen.has(Seen::PAGE_DATA) {
            self.flag(Rule::LibxcVerifyEarly, at, found, Value::None, o)?;
        }
        if !self.libxc.seen.has(Seen::UNCHECKPOINTED) {
            self.libxc.seen.add(Seen::VERIFY_REPORTED);
            self.flag(Rule::LibxcVerifyCheckpointed, at, found, Value::None, o)?;
        }
        self.libxc.seen.add(Seen::VERIFY);
        Ok(())
    }

    fn libxc_checkpoint_place<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        let found = Value::libxc(types::CHECKPOINT);
        self.libxc_p2m_missing(found, at, o)?;
        if self.libxc.seen.has(Seen::VERIFY) && !self.libxc.seen.has(Seen::VERIFY_REPORTED) {
            self.libxc.seen.add(Seen::VERIFY_REPORTED);
            self.flag(Rule::LibxcVerifyCheckpointed, at, found, Value::None, o)?;
        }
        if self.libxc.checkpointing == Checkpointing::Plain {
            self.flag(Rule::LibxcCheckpointUnexpected, at, found, Value::None, o)?;
        }
        let checkpoints = self.libxc.checkpoints.saturating_add(1);
        let limit = self.policy.limit(Limit::Checkpoints);
        if checkpoints > limit {
            self.flag(Rule::StreamCheckpoints, at, checkpoints, limit, o)?;
        }
        // After the first checkpoint, the restorer stores records unread and replays them at the next one. The replay
        // refuses optional records, which an immediate read skips.
        if self.policy.profile() == Profile::Restore
            && let Some(record) = self.libxc.optional.take()
        {
            let (rule, offset) = (Rule::LibxcRecordOptional, record.offset);
            let optional = Value::RecordType(Layer::Libxc, record.kind.unwrap_or(0));
            let level = self.policy.level_or(rule, Level::Deny);
            self.flag_at(level, Violation::new(rule, offset, Some(record)).found(optional), o)?;
        }
        self.vcpus_completed(o)?;
        self.libxc_context_missing(found, at, o)
    }

    /// Checks what the restorer needs to complete the domain.
    fn libxc_context_missing<O: Observer + ?Sized>(
        &mut self,
        found: Value,
        at: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let (needed, rule) = match self.summary.guest {
            Some(Guest::Pv) => (Seen::BASIC_0, Rule::LibxcVcpuBasicMissing),
            _ => (Seen::HVM_CONTEXT, Rule::LibxcHvmContextMissing),
        };
        if !self.libxc.seen.has(needed) {
            self.flag(rule, at, found, Value::None, o)?;
        }
        if self.summary.guest == Some(Guest::Hvm) {
            self.params_missing(found, at, o)?;
            self.configured_memory(at, o)?;
        }
        Ok(())
    }

    fn libxc_end_place<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        let found = Value::libxc(types::END);
        // Records after the last checkpoint are never applied.
        if self.libxc.checkpoints == 0 {
            self.vcpus_completed(o)?;
        }
        self.libxc_p2m_missing(found, at, o)?;
        self.libxc_context_missing(found, at, o)?;
        let pv = self.summary.guest == Some(Guest::Pv);
        if pv && !self.libxc.seen.has(Seen::SHARED_INFO) {
            self.flag(Rule::LibxcSharedInfoMissing, at, found, Value::None, o)?;
        }
        if !self.libxc.seen.has(Seen::PAGE_DATA) {
            // An HVM domain without memory is built but never runs; a PV domain has no start-info page.
            self.flag(Rule::LibxcPageDataMissing, at, found, Value::None, o)?;
        }
        Ok(())
    }
}
