//! CPU: what `hvm_load_cpu_ctxt()` of Xen requires of a vcpu's registers, beyond comparisons of one field.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::targets::{Fact, HostDependency};
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::verify::flat::FieldValue;
use crate::verify::policies::{ADDRESS_BITS_MAX, Need, Word};
use crate::wire::hvm::cpu::{cr0, cr4, efer};

/// Bits of CR4, and what the policy must offer for each.
const CR4_NEEDS: [(u64, Need); 17] = [
    (cr4::VME | cr4::PVI, Need::one(Word::Leaf1Edx, 1)),
    (cr4::TSD, Need::one(Word::Leaf1Edx, 4)),
    (cr4::DE, Need::one(Word::Leaf1Edx, 2)),
    (cr4::PSE, Need::one(Word::Leaf1Edx, 3)),
    (cr4::PAE, Need::one(Word::Leaf1Edx, 6)),
    (cr4::MCE, Need::either((Word::Leaf1Edx, 7), (Word::Leaf1Edx, 14))),
    (cr4::PGE, Need::one(Word::Leaf1Edx, 13)),
    (cr4::OSFXSR, Need::one(Word::Leaf1Edx, 24)),
    (cr4::OSXMMEXCPT, Need::one(Word::Leaf1Edx, 25)),
    (cr4::UMIP, Need::one(Word::Leaf7Ecx, 2)),
    (cr4::VMXE, Need::one(Word::Leaf1Ecx, 5)),
    (cr4::FSGSBASE, Need::one(Word::Leaf7Ebx, 0)),
    (cr4::PCIDE, Need::one(Word::Leaf1Ecx, 17)),
    (cr4::OSXSAVE, Need::one(Word::Leaf1Ecx, 26)),
    (cr4::SMEP, Need::one(Word::Leaf7Ebx, 7)),
    (cr4::SMAP, Need::one(Word::Leaf7Ebx, 20)),
    (cr4::PKE, Need::one(Word::Leaf7Ecx, 3)),
];

/// Bits of EFER, and what the policy must offer for each.
const EFER_NEEDS: [(u64, Need); 6] = [
    (efer::SCE, Need::one(Word::Extended1Edx, 11)),
    (efer::LME | efer::LMA, Need::one(Word::Extended1Edx, 29)),
    (efer::NXE, Need::one(Word::Extended1Edx, 20)),
    (efer::SVME, Need::one(Word::Extended1Ecx, 2)),
    (efer::FFXSE, Need::one(Word::Extended1Edx, 25)),
    (efer::AIBRSE, Need::one(Word::Extended21Eax, 8)),
];

/// Returns the bits of a vcpu's CR4 whose features a processor lacks. `register` returns a register of its CPUID by leaf,
/// subleaf (0 if the leaf has none) and number, from 0 for EAX to 3 for EDX.
#[must_use]
pub fn unsupported_cr4(cr4: u64, register: impl Fn(u32, u32, usize) -> u32) -> u64 {
    unsupported(cr4, &CR4_NEEDS, &register)
}

/// Returns the bits of a vcpu's EFER whose features a processor lacks; see [`unsupported_cr4`].
#[must_use]
pub fn unsupported_efer(efer: u64, register: impl Fn(u32, u32, usize) -> u32) -> u64 {
    unsupported(efer, &EFER_NEEDS, &register)
}

fn unsupported(value: u64, needs: &[(u64, Need)], register: &impl Fn(u32, u32, usize) -> u32) -> u64 {
    let lacking = needs.iter().filter(|(bits, need)| value & bits != 0 && need.is_lacking(register));
    lacking.fold(0, |all, (bits, _)| all | value & bits)
}

/// Fields of `pending_event`.
mod event {
    pub(super) const VALID: u64 = 1 << 31;
    pub(super) const HAS_ERROR: u64 = 1 << 11;
    pub(super) const RESERVED: u64 = 0x7FFF_F000;
    pub(super) const TYPE_SHIFT: u32 = 8;
    pub(super) const TYPE: u64 = 7;
    /// Types that no processor injects.
    pub(super) const RESERVED_TYPES: [u64; 2] = [1, 7];
    /// Types that only a VMX host accepts.
    pub(super) const VMX_TYPES: [u64; 2] = [5, 6];
    pub(super) const ERROR_MAX: u64 = 0xFFFF;
}

/// Fields of CPU that later ones are compared with.
#[derive(Clone, Debug, Default)]
pub(super) struct Earlier {
    cr0: u64,
    event: u64,
}

impl Verifier {
    /// Judges CR0. Paging requires protection.
    pub(super) fn hvm_cr0<O: Observer + ?Sized>(&mut self, field: FieldValue, o: &mut O) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        self.hvm.cpu.cr0 = value;
        if value & cr0::PG != 0 && value & cr0::PE == 0 {
            self.hvm_flag(Rule::HvmCpuCr0, at, value, cr0::PE, o)?;
        }
        Ok(())
    }

    /// Judges CR3. The policy bounds the width of physical addresses; no processor has more than 52 bits.
    pub(super) fn hvm_cr3<O: Observer + ?Sized>(&mut self, field: FieldValue, o: &mut O) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        let bits = self.policies.address_bits().unwrap_or(ADDRESS_BITS_MAX);
        if value.checked_shr(bits).unwrap_or(0) != 0 {
            self.hvm_flag_fact(Fact::Cr3w, at, value, u64::from(bits), o)?;
        }
        Ok(())
    }

    pub(super) fn hvm_cr4<O: Observer + ?Sized>(&mut self, field: FieldValue, o: &mut O) -> Result<(), Stop> {
        if field.value & cr4::VMXE != 0 {
            self.hvm_flag_fact(Fact::Vmxe, field.at, field.value, 0, o)?;
            self.depends_on(HostDependency::NestedVirt);
        }
        self.hvm_policy(Rule::HvmCpuPolicy, field, &CR4_NEEDS, o)
    }

    /// Judges EFER. Long mode is active only if it is enabled and paging is on.
    pub(super) fn hvm_efer<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        let active = value & efer::LMA != 0;
        if active && (value & efer::LME == 0 || self.hvm.cpu.cr0 & cr0::PG == 0) {
            self.hvm_flag(Rule::HvmCpuEfer, at, value, efer::LME, o)?;
        }
        self.hvm_policy(Rule::HvmCpuPolicy, field, &EFER_NEEDS, o)
    }

    /// Compares the bits of a value with the features that the guest sees.
    pub(super) fn hvm_policy<O: Observer + ?Sized>(
        &mut self,
        rule: Rule,
        field: FieldValue,
        needs: &[(u64, Need)],
        o: &mut O,
    ) -> Result<(), Stop> {
        for (bits, need) in needs {
            let bits = field.value & bits;
            if bits != 0 && self.policies.lacks(*need) {
                return self.hvm_flag(rule, field.at, field.value, bits, o);
            }
        }
        Ok(())
    }

    pub(super) fn hvm_event<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        self.hvm.cpu.event = value;
        if value & event::VALID == 0 {
            return Ok(());
        }
        let kind = value >> event::TYPE_SHIFT & event::TYPE;
        if value & event::RESERVED != 0 || event::RESERVED_TYPES.contains(&kind) {
            return self.hvm_flag(Rule::HvmCpuEvent, at, value, Value::None, o);
        }
        if event::VMX_TYPES.contains(&kind) {
            self.depends_on(HostDependency::Vendor);
        }
        Ok(())
    }

    pub(super) fn hvm_error_code<O: Observer + ?Sized>(
        &mut self,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let used = event::VALID | event::HAS_ERROR;
        if self.hvm.cpu.event & used == used && field.value > event::ERROR_MAX {
            self.hvm_flag(Rule::HvmCpuEvent, field.at, field.value, event::ERROR_MAX, o)?;
        }
        Ok(())
    }
}
