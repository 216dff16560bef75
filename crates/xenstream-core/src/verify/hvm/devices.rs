//! Devices of an HVM guest: checks of HEADER, PIC, PIT and LAPIC beyond comparisons of one field.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::targets::Fact;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::verify::flat::FieldValue;
use crate::verify::registers::TSC_KHZ_PLAUSIBLE;
use crate::violation::RecordRef;
use crate::wire::hvm::pic::{self, Pic};
use crate::wire::hvm::vcpus::apic_base;

/// The two PICs. The output of the master is judged with the state of the slave.
#[derive(Clone, Debug, Default)]
pub(super) struct Pics {
    /// The bytes of the entry being read.
    gathered: u64,
    /// The entry, and the offset of the output, if the master's output is asserted for its cascade.
    cascaded: Option<(RecordRef, u64)>,
    /// Whether the slave has a deliverable interrupt.
    slave_delivers: bool,
}

impl Verifier {
    /// Judges the frequency. Xen saves it again unchecked as the TSC frequency of the guest, which can make a host loop.
    pub(super) fn hvm_header_tsc<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        if value != 0 && !TSC_KHZ_PLAUSIBLE.contains(&value) {
            self.hvm_flag(Rule::HvmHeaderTsc, at, value, *TSC_KHZ_PLAUSIBLE.end(), o)?;
        }
        Ok(())
    }

    /// Gathers the bytes of a PIC, and judges them after the last one.
    #[inline(never)]
    pub(super) fn hvm_pic<O: Observer + ?Sized>(&mut self, field: FieldValue, o: &mut O) -> Result<(), Stop> {
        let gathered = self.hvm.pics.gathered >> 8 | field.value << 56;
        self.hvm.pics.gathered = gathered;
        let base = self.flat_base();
        if field.at != base.saturating_add(pic::INT_OUTPUT_AT) {
            return Ok(());
        }
        let pic = Pic::of(gathered.to_le_bytes());
        let is_master = self.hvm.instance == 0;
        if pic.is_master != is_master {
            let at = base.saturating_add(pic::MODES_AT);
            self.hvm_flag_fact(
                Fact::PicChk,
                at,
                u64::from(pic.modes),
                u64::from(is_master) << pic::IS_MASTER,
                o,
            )?;
        }
        let lines = if is_master { pic::MASTER_LINES } else { pic::SLAVE_LINES };
        if pic.elcr & !lines != 0 {
            let at = base.saturating_add(pic::ELCR_AT);
            self.hvm_flag_fact(Fact::PicChk, at, u64::from(pic.elcr), u64::from(lines), o)?;
        }
        self.hvm_pic_output(pic, is_master, field, o)
    }

    /// Reports an asserted output without a deliverable interrupt, which fails an assertion in the hypervisor and takes the host
    /// down.
    fn hvm_pic_output<O: Observer + ?Sized>(
        &mut self,
        pic: Pic,
        is_master: bool,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        let deliverable = pic.deliverable();
        let asserted = value == 1;
        if is_master {
            let cascaded = asserted && deliverable == Some(pic::CASCADE);
            self.hvm.pics.cascaded = self.hvm.entry.filter(|_| cascaded).map(|entry| (entry, at));
        } else {
            self.hvm.pics.slave_delivers = deliverable.is_some();
        }
        if value > 1 {
            return self.hvm_flag_fact(Fact::PicChk, at, value, 1, o);
        }
        if asserted && pic.init_state != 0 {
            self.hvm_flag_fact(Fact::PicInit, at, value, 0, o)?;
        }
        if asserted && deliverable.is_none() {
            self.hvm_flag(Rule::HvmPicOutput, at, value, Value::None, o)?;
        }
        Ok(())
    }

    /// Compares the PICs at the end of the chain: if the master's interrupt is the cascade, the slave must have one.
    pub(super) fn hvm_pics_end<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        match self.hvm.pics.cascaded.take() {
            Some((entry, at)) if !self.hvm.pics.slave_delivers => {
                self.flag_in(Rule::HvmPicOutput, at, 1, Value::None, Some(entry), o)
            }
            _ => Ok(()),
        }
    }

    /// Judges the gates of the PIT. Counters 0 and 1 cannot be gated.
    pub(super) fn hvm_pit_gate<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, element } = field;
        let gated = element < 2 && value == 0;
        if gated || value > 1 {
            self.hvm_flag_fact(Fact::PitChk, at, value, 1, o)?;
        }
        Ok(())
    }

    /// Judges the mode of the APIC. x2APIC mode requires an enabled APIC.
    pub(super) fn hvm_lapic_base<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        if value & apic_base::EXTD != 0 && value & apic_base::EN == 0 {
            self.hvm_flag(Rule::HvmLapicBase, at, value, apic_base::EN, o)?;
        }
        Ok(())
    }
}
