//! Other entries of a vcpu than CPU: checks of MTRR, CPU_XSAVE and CPU_MSR beyond comparisons of one field.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::targets::{Fact, HostDependency};
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::flat::FieldValue;
use crate::verify::policies::XSAVE_NEEDS;
use crate::verify::{self, Stop, Stretch};
use crate::wire::hvm::{self, vcpus};
use crate::wire::layout::canonical;
use crate::wire::{msr, xsave};

/// The most variable ranges that Xen has room for.
const MTRR_RANGES_MAX: u64 = 8;
const MTRR_RANGES: u64 = 0xFF;

/// Fields of a vcpu's entries that later ones are compared with.
#[derive(Clone, Debug, Default)]
pub(super) struct Earlier {
    xcr0: u64,
    accum: u64,
    /// Features of all vcpus so far.
    ever: u64,
    msr: u32,
}

impl Verifier {
    pub(super) fn hvm_mtrr_count<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let ranges = field.value & MTRR_RANGES;
        if ranges > MTRR_RANGES_MAX {
            self.hvm_flag(Rule::HvmMtrrCount, field.at, ranges, MTRR_RANGES_MAX, o)?;
        }
        Ok(())
    }

    pub(super) fn hvm_xcr0<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        self.hvm.vcpu.xcr0 = field.value;
        self.hvm_xsave_features(field, o)
    }

    /// Features that contradict one another, whatever the processor.
    fn hvm_xsave_features<O: Observer + ?Sized>(&mut self, field: FieldValue, o: &mut O) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        if !xsave::is_consistent(value) || value & !xsave::POSSIBLE != 0 {
            return self.hvm_flag(Rule::HvmXsaveState, at, value, xsave::X87, o);
        }
        let tile = value & xsave::TILE;
        if tile != 0 {
            self.hvm_flag_fact(Fact::Amx, at, value, 0, o)?;
            if tile != xsave::TILE {
                self.hvm_flag_fact(Fact::TilePair, at, value, xsave::TILE, o)?;
            }
        }
        Ok(())
    }

    #[inline(never)]
    pub(super) fn hvm_accum<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        self.hvm.vcpu.accum = value;
        self.hvm.vcpu.ever |= value;
        if self.hvm.vcpu.xcr0 & !value != 0 {
            self.hvm_flag(Rule::HvmXsaveState, at, value, self.hvm.vcpu.xcr0, o)?;
        } else {
            self.hvm_xsave_features(field, o)?;
        }
        self.hvm_policy(Rule::HvmXsavePolicy, field, &XSAVE_NEEDS, o)?;
        self.depends_on(HostDependency::XsaveSize);
        self.hvm_xsave_length(value, o)
    }

    /// Checks that the entry has room for the components of these features.
    fn hvm_xsave_length<O: Observer + ?Sized>(&mut self, features: u64, o: &mut O) -> Result<(), Stop> {
        let length = self.flat_length();
        let needs = |size: u64| vcpus::XSAVE_AREA_AT.saturating_add(size);
        let least = needs(xsave::least_size(features));
        if length < least {
            return self.hvm_flag(Rule::HvmXsaveArea, self.flat_length_at(), length, least, o);
        }
        // The size on the saver's processor, according to the policy.
        if let Some(exact) = self.policies.xsave_size(features).map(needs)
            && length < exact
        {
            self.hvm_flag(Rule::HvmXsaveLength, self.flat_length_at(), length, exact, o)?;
        }
        Ok(())
    }

    pub(super) fn hvm_xstate_bv<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        if field.value & !self.hvm.vcpu.accum != 0 {
            self.hvm_flag(Rule::HvmXsaveState, field.at, field.value, self.hvm.vcpu.accum, o)?;
        }
        Ok(())
    }

    /// Checks the bytes after the components of the guest's features, which must be zero. Called after the area's header.
    #[inline(never)]
    pub(super) fn hvm_xsave_end(&mut self) {
        let features = self.hvm.vcpu.accum;
        let Some(size) = xsave::common_size(features).or_else(|| self.policies.xsave_size(features)) else {
            return;
        };
        let end = self.flat_base().saturating_add(vcpus::XSAVE_AREA_AT).saturating_add(size);
        if end < self.hvm.end {
            self.set_next(end.saturating_sub(self.position), verify::Field::Stretch(Stretch::XsaveTail));
        }
    }

    pub(crate) fn hvm_xsave_tail<O: Observer + ?Sized>(
        &mut self,
        bytes: &[u8],
        o: &mut O,
    ) -> Result<(), Stop> {
        if let Some(clean) = bytes.iter().position(|byte| *byte != 0) {
            self.advance(clean);
            let found = bytes.get(clean).copied().map_or(0, u64::from);
            self.hvm_flag(Rule::HvmXsaveTail, self.position, found, Value::None, o)?;
            self.advance(bytes.len().saturating_sub(clean));
            self.hvm_rest_of_entry();
            return Ok(());
        }
        self.advance(bytes.len());
        if self.hvm_left_in_entry() == 0 {
            self.hvm_rest_of_entry();
        }
        Ok(())
    }

    #[inline(never)]
    pub(super) fn hvm_msr_count<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        let exact = hvm::MSR_HEADER.saturating_add(value.saturating_mul(hvm::MSR));
        if exact != self.flat_length() {
            let room = self.flat_length().saturating_sub(hvm::MSR_HEADER) / hvm::MSR;
            self.hvm_flag(Rule::HvmMsrCount, at, value, room, o)?;
            self.hvm_rest_of_entry();
        }
        Ok(())
    }

    #[inline(never)]
    pub(super) fn hvm_msr_index<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        self.hvm.vcpu.msr = value as u32;
        if self.policies.lacks_msr(value as u32) {
            self.hvm_flag(Rule::HvmMsrPolicy, at, value, Value::None, o)?;
        }
        match value as u32 {
            msr::PKRS => self.hvm_flag_fact(Fact::Pkrs, at, value, 0, o),
            msr::VIRT_SPEC_CTRL => self.hvm_flag_fact(Fact::Vsc, at, value, 0, o),
            index if msr::is_saved_for_hvm(index) => Ok(()),
            _ => self.hvm_flag(Rule::HvmMsrIndex, at, value, Value::None, o),
        }
    }

    #[inline(never)]
    pub(super) fn hvm_msr_value<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        let index = self.hvm.vcpu.msr;
        let allowed = self.policies.msr_bits(index);
        if value & !allowed != 0 {
            return self.hvm_flag(Rule::HvmMsrValue, at, value, allowed, o);
        }
        match index {
            msr::SPEC_CTRL => {
                if value & msr::SPEC_CTRL_PSFD != 0 {
                    self.hvm_flag_fact(Fact::Psfd, at, value, msr::SPEC_CTRL_PSFD, o)?;
                }
                if value & msr::SPEC_CTRL_BHI != 0 {
                    self.hvm_flag_fact(Fact::Bhi, at, value, msr::SPEC_CTRL_BHI, o)?;
                }
                Ok(())
            }
            msr::BNDCFGS if !canonical(value) => self.hvm_flag(Rule::HvmMsrValue, at, value, 0, o),
            msr::BNDCFGS if value & 1 != 0 && self.hvm.vcpu.ever & xsave::MPX == 0 => {
                self.hvm_flag(Rule::HvmMsrOrder, at, value, xsave::MPX, o)
            }
            _ => Ok(()),
        }
    }
}
