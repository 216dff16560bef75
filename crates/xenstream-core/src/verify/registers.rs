//! Registers, parameters and policies: the hand-written checks of the small records of a libxc stream. Their fields
//! and the checks that compare one field are in [`crate::wire::records`].

use core::ops::RangeInclusive;

use crate::observer::Observer;
use crate::policy::{Limit, Profile};
use crate::rule::Rule;
use crate::targets::Fact;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::verify::flat::{FieldValue, PartOf};
use crate::wire::layout::RecordHook;
use crate::wire::libxc::{pv_info, vcpu};
use crate::wire::records;

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// `guest_width` of X86_PV_INFO.
    guest_width: u8,
    tsc_mode: u32,
    pub(crate) vcpu_id: u32,
}

impl Verifier {
    /// Runs the hand-written checks of these records.
    #[inline(never)]
    pub(crate) fn record_hook<O: Observer + ?Sized>(
        &mut self,
        hook: RecordHook,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        match hook {
            RecordHook::PvWidth => {
                self.registers.guest_width = value as u8;
                Ok(())
            }
            RecordHook::PvLevels => self.pv_info(at, value as u8, o),
            RecordHook::TscMode => {
                self.registers.tsc_mode = value as u32;
                Ok(())
            }
            RecordHook::TscKhz => self.tsc_khz(at, value, o),
            RecordHook::ParamsCount => self.params_count(at, value, o),
            RecordHook::ParamIndex => self.param_index(at, value, o),
            RecordHook::ParamValue => self.param_value(at, value, o),
            RecordHook::VcpuId => self.vcpu_id(at, value as u32, o),
            RecordHook::ExtendedId => self.extended_id(at, value, o),
        }
    }
}

/// The frequencies in kHz that a clock may have. With others, the host hangs or the scale is wrong by orders of magnitude. No
/// processor comes near the bounds.
pub(crate) const TSC_KHZ_PLAUSIBLE: RangeInclusive<u64> = 1_000..=20_000_000;

/// A multiple of this number becomes 0 in releases without the fact TSC64, which multiply in 32 bits, and the host loops for
/// ever.
const TSC_KHZ_WRAPS: u64 = 1 << 29;

/// The largest mode in which Xen computes a scale from the frequency.
const TSC_MODE_SCALED: u32 = 1;

/// The guest's clock.
impl Verifier {
    fn tsc_khz<O: Observer + ?Sized>(&mut self, at: u64, khz: u64, o: &mut O) -> Result<(), Stop> {
        if khz == 0 || self.registers.tsc_mode > TSC_MODE_SCALED {
            return Ok(());
        }
        if khz.is_multiple_of(TSC_KHZ_WRAPS) {
            return self.flag_fact(Fact::Tsc64, at, khz, *TSC_KHZ_PLAUSIBLE.end(), o);
        }
        if !TSC_KHZ_PLAUSIBLE.contains(&khz) {
            self.flag(Rule::LibxcTscInfoKhz, at, khz, *TSC_KHZ_PLAUSIBLE.end(), o)?;
        }
        Ok(())
    }
}

/// X86_PV_INFO and the VCPU records.
impl Verifier {
    fn pv_info<O: Observer + ?Sized>(&mut self, at: u64, pt_levels: u8, o: &mut O) -> Result<(), Stop> {
        let info = (self.registers.guest_width, pt_levels);
        if info != pv_info::PV32 && info != pv_info::PV64 {
            let found = u64::from(u16::from_be_bytes([info.0, info.1]));
            self.flag(Rule::LibxcPvInfoCombination, at.saturating_sub(1), found, Value::None, o)?;
        }
        self.summary.guest_width = Some(if info.0 == 4 { 4 } else { 8 });
        Ok(())
    }

    fn vcpu_id<O: Observer + ?Sized>(&mut self, at: u64, id: u32, o: &mut O) -> Result<(), Stop> {
        let limit = self.policy.limit(Limit::Vcpus);
        // The restorer drops a record without contents before it checks the id.
        let dropped = self.policy.profile() == Profile::Restore && self.left_in_body() <= 4;
        if u64::from(id) >= limit && !dropped {
            self.flag(Rule::LibxcVcpuId, at, u64::from(id), limit, o)?;
        }
        self.registers.vcpu_id = id;
        Ok(())
    }

    /// Begins a VCPU record, which has a header for every type.
    pub(crate) fn vcpu_start(&mut self) {
        self.flat_start(&records::VCPU_HEADER, vcpu::HEADER, PartOf::VcpuRecord);
    }

    /// Compares the id inside the blob, which is the one that Xen uses.
    fn extended_id<O: Observer + ?Sized>(&mut self, at: u64, inner: u64, o: &mut O) -> Result<(), Stop> {
        let outer = u64::from(self.registers.vcpu_id);
        if inner != outer {
            self.flat_flag(Rule::LibxcVcpuExtendedId, at, inner, outer, o)?;
        }
        Ok(())
    }
}
