//! The chain of entries inside HVM_CONTEXT, walked as Xen's `hvm_load` walks it.

pub(crate) mod cpu;
mod devices;
mod vcpus;

use crate::observer::{Observer, Record};
use crate::policy::Limit;
use crate::rule::Rule;
use crate::summary::DomainType;
use crate::targets::Fact;
use crate::value::{Evidence, Value};
use crate::verifier::Verifier;
use crate::verify::flat::{FieldValue, PartOf};
use crate::verify::{self, Bytes, Marker, Stop};
use crate::violation::{Layer, RecordRef};
use crate::wire::Order;
use crate::wire::hvm::{self, Instances, types};
use crate::wire::layout::HvmHook;

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    index: u64,
    /// The entry being read.
    pub(crate) entry: Option<RecordRef>,
    /// Its instance.
    instance: u16,
    /// Absolute offset of the end of the entry being read.
    end: u64,
    /// Whether END was read.
    ended: bool,
    /// The instances that were read, by typecode, as bits. Repetitions among higher vcpus are not detected.
    seen: [u64; types::KNOWN as usize],
    cpu: cpu::Earlier,
    pics: devices::Pics,
    vcpu: vcpus::Earlier,
}

impl Verifier {
    /// Begins a chain, at the start of the body.
    pub(crate) fn hvm_start(&mut self) {
        self.hvm = State::default();
        self.hvm_await(0);
    }

    /// An entry, or the end of the chain, comes after `gap` bytes.
    fn hvm_await(&mut self, gap: u64) {
        self.set_next(gap, verify::Field::Marker(Marker::HvmNext));
    }

    fn hvm_flag<O: Observer + ?Sized>(
        &mut self,
        rule: Rule,
        offset: u64,
        found: impl Into<Value>,
        expected: impl Into<Value>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let entry = self.hvm.entry;
        self.flag_in(rule, offset, found, expected, entry, o)
    }

    /// Reports something in the entry that some releases of Xen refuse.
    fn hvm_flag_fact<O: Observer + ?Sized>(
        &mut self,
        fact: Fact,
        offset: u64,
        found: impl Into<Value>,
        expected: impl Into<Value>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let entry = self.hvm.entry;
        self.flag_fact_in(fact, offset, found.into(), expected.into(), entry, o)
    }

    /// Sets the next step: an entry, or the end of the chain.
    pub(crate) fn hvm_next<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let left = self.left_in_body();
        if self.hvm.ended {
            if left > 0 {
                self.hvm_flag(Rule::HvmTrailing, self.position, left, Value::None, o)?;
            }
            self.rest_of_body();
        } else if left == 0 {
            self.hvm_flag(Rule::HvmEndMissing, self.position, Value::None, Value::None, o)?;
            self.rest_of_body();
        } else if left < hvm::ENTRY_HEADER {
            let offset = self.position;
            let torn = RecordRef { layer: Layer::Hvm, index: self.hvm.index, kind: None, offset };
            let field = offset.saturating_add(hvm::LENGTH_AT);
            self.flag_in(Rule::HvmEntryOverrun, field, hvm::ENTRY_HEADER, left, Some(torn), o)?;
            self.rest_of_body();
        } else {
            self.set_next(0, verify::Field::Bytes(Bytes::HvmEntry));
        }
        Ok(())
    }

    /// Runs the hand-written checks of entries.
    #[inline(never)]
    pub(crate) fn hvm_hook<O: Observer + ?Sized>(
        &mut self,
        hook: HvmHook,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        match hook {
            HvmHook::HeaderTsc => self.hvm_header_tsc(field, o),
            HvmHook::Cr0 => self.hvm_cr0(field, o),
            HvmHook::Cr3 => self.hvm_cr3(field, o),
            HvmHook::Cr4 => self.hvm_cr4(field, o),
            HvmHook::Efer => self.hvm_efer(field, o),
            HvmHook::Event => self.hvm_event(field, o),
            HvmHook::ErrorCode => self.hvm_error_code(field, o),
            HvmHook::Pic => self.hvm_pic(field, o),
            HvmHook::LapicBase => self.hvm_lapic_base(field, o),
            HvmHook::PitGate => self.hvm_pit_gate(field, o),
            HvmHook::MtrrCount => self.hvm_mtrr_count(field, o),
            HvmHook::Xcr0 => self.hvm_xcr0(field, o),
            HvmHook::Accum => self.hvm_accum(field, o),
            HvmHook::XstateBv => self.hvm_xstate_bv(field, o),
            HvmHook::XsaveEnd => {
                self.hvm_xsave_end();
                Ok(())
            }
            HvmHook::MsrCount => self.hvm_msr_count(field, o),
            HvmHook::MsrIndex => self.hvm_msr_index(field, o),
            HvmHook::MsrValue => self.hvm_msr_value(field, o),
        }
    }

    /// Returns the number of bytes left in the entry.
    pub(crate) fn hvm_left_in_entry(&self) -> u64 {
        self.hvm.end.saturating_sub(self.position)
    }

    pub(crate) fn hvm_rest_of_entry(&mut self) {
        self.hvm_await(self.hvm_left_in_entry());
    }

    /// Takes the complete header of an entry.
    pub(crate) fn hvm_entry<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        header: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let [a, b, c, d, e, f, g, h] = header;
        let typecode = Order::Little.u16([a, b]);
        let instance = Order::Little.u16([c, d]);
        let length = u64::from(Order::Little.u32([e, f, g, h]));
        let index = self.hvm.index;
        let kind = u64::from(typecode);
        self.hvm.entry = Some(RecordRef { layer: Layer::Hvm, index, kind: Some(kind), offset: at });
        self.hvm.index = index.saturating_add(1);
        self.hvm.instance = instance;
        self.hvm.end = self.position.saturating_add(length).min(self.body_end);
        let length_at = at.saturating_add(hvm::LENGTH_AT);

        if (index == 0) != (typecode == types::HEADER) {
            self.hvm_flag(Rule::HvmHeader, at, kind, u64::from(types::HEADER), o)?;
        }
        let known = hvm::entry(typecode);
        if known.is_none() {
            self.hvm_flag(Rule::HvmTypecode, at, kind, Value::None, o)?;
        }
        let instances = match known.map(|known| known.instances) {
            None | Some(Instances::Any) => u64::MAX,
            Some(Instances::Pics) => hvm::PICS,
            Some(Instances::Vcpus) => self.policy.limit(Limit::Vcpus).min(hvm::VCPUS),
        };
        if u64::from(instance) >= instances {
            let field = at.saturating_add(hvm::INSTANCE_AT);
            self.hvm_flag(Rule::HvmInstance, field, u64::from(instance), instances, o)?;
        }
        if self.hvm.repeats(typecode, instance) {
            self.hvm_flag(Rule::HvmEntryRepeated, at, kind, u64::from(instance), o)?;
        }
        o.on_record(&Record {
            layer: Layer::Hvm,
            index,
            kind,
            instance,
            offset: at,
            body_offset: self.position,
            body_length: length,
        });
        if typecode == types::END {
            self.hvm_chain_ends(at, o)?;
            // Xen stops here and ignores the rest, including this entry's length.
            if length != 0 {
                self.hvm_flag(Rule::HvmEndLength, length_at, length, 0, o)?;
            }
            self.hvm_pics_end(o)?;
            self.hvm.ended = true;
            self.hvm_rest_of_entry();
            return Ok(());
        }
        if matches!(typecode, types::VIRIDIAN_DOMAIN | types::VIRIDIAN_VCPU) {
            self.viridian_entry(at, o)?;
        }
        let room = self.left_in_body();
        if length > room {
            self.hvm_flag(Rule::HvmEntryOverrun, length_at, length, room, o)?;
            self.hvm.ended = true;
            self.rest_of_body();
            return Ok(());
        }
        let Some(known) = known else {
            self.hvm_rest_of_entry();
            return Ok(());
        };
        if !known.length.allows(length) {
            let rule = if typecode == types::HEADER { Rule::HvmHeader } else { Rule::HvmEntryLength };
            self.hvm_flag(rule, length_at, length, known.length.bound(), o)?;
            self.hvm_rest_of_entry();
            return Ok(());
        }
        if typecode == types::LAPIC && length > hvm::LAPIC_OLD {
            self.hvm_flag_fact(Fact::Lapic32, length_at, length, hvm::LAPIC_OLD, o)?;
        }
        if typecode == types::RTC && length != hvm::RTC_OLD {
            self.hvm_flag_fact(Fact::Rtc24, length_at, length, hvm::RTC_OLD, o)?;
        }
        let [layout] = known.body(length);
        self.flat_start(layout, length, PartOf::Entry);
        Ok(())
    }
}

impl Verifier {
    /// Ends the chain at this offset, and checks that it is complete.
    fn hvm_chain_ends<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        if !self.hvm.has(types::CPU, 1) {
            self.hvm_flag(Rule::HvmCpuMissing, at, Value::None, Value::None, o)?;
        }
        if self.domain_type == Some(DomainType::Pvh) && self.hvm.has_devices() {
            self.type_mismatch(Evidence::EmulatedDevices, at, self.hvm.entry, o)?;
        }
        Ok(())
    }
}

impl State {
    /// Returns whether one of these instances, as bits, was read.
    fn has(&self, typecode: u16, instances: u64) -> bool {
        self.seen.get(usize::from(typecode)).is_some_and(|seen| seen & instances != 0)
    }

    /// Returns whether an emulated device was read that a PVH guest does not have.
    pub(crate) fn has_devices(&self) -> bool {
        hvm::DEVICES.iter().any(|typecode| self.has(*typecode, u64::MAX))
    }

    /// Records this typecode and instance. Returns whether they were read before.
    fn repeats(&mut self, typecode: u16, instance: u16) -> bool {
        let Some(seen) = self.seen.get_mut(usize::from(typecode)) else { return false };
        let Some(bit) = 1u64.checked_shl(u32::from(instance)) else { return false };
        let repeats = *seen & bit != 0;
        *seen |= bit;
        repeats
    }
}
