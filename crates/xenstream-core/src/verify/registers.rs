//! Registers, parameters and policies: the hand-written checks of the small records of a libxc stream. Their fields
//! and the checks that compare one field are in [`crate::wire::records`].

use crate::observer::Observer;
use crate::policy::{Limit, Profile};
use crate::rule::Rule;
use crate::targets::{Fact, HostDependency};
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::verify::flat::{PartOf, Value};
use crate::verify::places::Seen;
use crate::wire::layout::RecordHook;
use crate::wire::libxc::{params, pv_info, types, vcpu};
use crate::wire::{pv, records};

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// `guest_width` of X86_PV_INFO.
    guest_width: u8,
    /// Indices of this HVM_PARAMS record, as bits.
    params: u64,
    param: u64,
    leaf: u32,
    pub(crate) vcpu_id: u32,
}

impl Verifier {
    /// The hand-written checks of these records.
    pub(crate) fn record_hook<O: Observer + ?Sized>(
        &mut self,
        hook: RecordHook,
        field: Value,
        o: &mut O,
    ) -> Result<(), Stop> {
        let Value { value, at, .. } = field;
        match hook {
            RecordHook::PvWidth => {
                self.registers.guest_width = value as u8;
                Ok(())
            }
            RecordHook::PvLevels => self.pv_info(at, value as u8, o),
            RecordHook::ParamsCount => self.params_count(at, value, o),
            RecordHook::ParamIndex => self.param_index(at, value, o),
            RecordHook::ParamValue => self.param_value(at, value, o),
            RecordHook::CpuidLeaf => self.cpuid_leaf(at, value as u32, o),
            RecordHook::CpuidSubleaf => self.cpuid_subleaf(at, value as u32, o),
            RecordHook::VcpuId => self.vcpu_id(at, value as u32, o),
            RecordHook::ExtendedId => self.extended_id(at, value, o),
        }
    }
}

/// X86_PV_INFO and the VCPU records.
impl Verifier {
    fn pv_info<O: Observer + ?Sized>(&mut self, at: u64, pt_levels: u8, o: &mut O) -> Result<(), Stop> {
        let info = (self.registers.guest_width, pt_levels);
        if info != pv_info::PV32 && info != pv_info::PV64 {
            let found = u64::from(u16::from_be_bytes([info.0, info.1]));
            self.find(Rule::LibxcPvInfoCombination, at.saturating_sub(1), found, 0, o)?;
        }
        self.summary.guest_width = Some(if info.0 == 4 { 4 } else { 8 });
        Ok(())
    }

    fn vcpu_id<O: Observer + ?Sized>(&mut self, at: u64, id: u32, o: &mut O) -> Result<(), Stop> {
        let limit = self.policy.limit(Limit::Vcpus);
        // The restorer drops a record without contents before it looks at the id.
        let dropped = self.policy.profile() == Profile::Restore && self.left_in_body() <= 4;
        if u64::from(id) >= limit && !dropped {
            self.find(Rule::LibxcVcpuId, at, u64::from(id), limit, o)?;
        }
        self.registers.vcpu_id = id;
        Ok(())
    }

    /// The header of a VCPU record has passed: its blob follows.
    pub(crate) fn vcpu_blob(&mut self) {
        let blob = self.left_in_body();
        match self.libxc.kind {
            types::X86_PV_VCPU_BASIC if blob > 0 => {
                if self.registers.vcpu_id == 0 {
                    self.libxc.seen.add(Seen::BASIC_0);
                }
                self.pv_basic_start();
            }
            types::X86_PV_VCPU_EXTENDED if blob >= 4 => self.flat_body(&pv::EXTENDED),
            types::X86_PV_VCPU_MSRS if blob >= vcpu::MSR => self.flat_body(&pv::MSRS),
            _ => self.rest_of_body(),
        }
    }

    /// A VCPU record begins with a header, whatever its type.
    pub(crate) fn vcpu_start(&mut self) {
        self.flat_start(&records::VCPU_HEADER, vcpu::HEADER, PartOf::VcpuRecord);
    }

    /// Xen goes by the id inside the blob.
    fn extended_id<O: Observer + ?Sized>(&mut self, at: u64, inner: u64, o: &mut O) -> Result<(), Stop> {
        let outer = u64::from(self.registers.vcpu_id);
        if inner != outer {
            self.find(Rule::LibxcVcpuExtendedId, at, inner, outer, o)?;
        }
        Ok(())
    }
}

/// HVM_PARAMS.
impl Verifier {
    fn params_count<O: Observer + ?Sized>(&mut self, at: u64, count: u64, o: &mut O) -> Result<(), Stop> {
        let exact = params::HEADER.saturating_add(count.saturating_mul(params::ENTRY));
        if exact != self.libxc.length {
            self.find(Rule::LibxcHvmParamsLength, at.saturating_sub(4), self.libxc.length, exact, o)?;
            self.rest_of_body();
            return Ok(());
        }
        if count == 0 {
            // Erratum 1 of the specification: Xen 4.6 to 4.8 wrote such records, and they mean nothing.
            self.find(Rule::LibxcHvmParamsEmpty, at, 0, 1, o)?;
        }
        self.registers.params = 0;
        Ok(())
    }

    fn param_index<O: Observer + ?Sized>(&mut self, at: u64, index: u64, o: &mut O) -> Result<(), Stop> {
        self.registers.param = index;
        if index >= params::COUNT {
            return self.find(Rule::LibxcHvmParamsIndex, at, index, params::COUNT, o);
        }
        match index {
            params::NESTEDHVM => self.fact(Fact::Nest, at, index, index, o)?,
            params::ALTP2M => self.fact(Fact::Altp2m, at, index, index, o)?,
            _ if params::is_never_set(index) => {
                self.find(Rule::LibxcHvmParamsRefused, at, index, index, o)?;
            }
            _ => {}
        }
        let bit = 1 << index;
        if self.registers.params & bit != 0 {
            self.find(Rule::LibxcHvmParamsRepeated, at, index, 0, o)?;
        }
        self.registers.params |= bit;
        Ok(())
    }

    fn param_value<O: Observer + ?Sized>(&mut self, at: u64, value: u64, o: &mut O) -> Result<(), Stop> {
        let index = self.registers.param;
        if refused_value(index, value) {
            self.find(Rule::LibxcHvmParamsRefused, at, value, index, o)?;
        } else if index == 9 && value & 0x1C00 != 0 {
            self.fact(Fact::Vir13, at, value, index, o)?;
        } else if index == params::NESTEDHVM && value == 1 {
            self.depends_on(HostDependency::Hap);
        }
        self.memory_param(index, value, at, o)?;
        Ok(())
    }
}

/// Values that Xen refuses for a parameter (`hvm_allow_set_param` and `hvm_set_param` in Xen).
fn refused_value(index: u64, value: u64) -> bool {
    match index {
        // HVM_PARAM_VIRIDIAN: no feature without the base feature.
        9 => value & 1 == 0,
        // HVM_PARAM_TIMER_MODE.
        10 => value > 3,
        // HVM_PARAM_ACPI_S_STATE: only awake and suspended to RAM.
        14 => !matches!(value, 0 | 3),
        // HVM_PARAM_VM86_TSS.
        15 => value > u64::from(u32::MAX),
        // Where it may be set at all.
        params::NESTEDHVM => value > 1,
        // HVM_PARAM_TRIPLE_FAULT_REASON: a SHUTDOWN_* code.
        31 => value > 5,
        // HVM_PARAM_NR_IOREQ_SERVER_PAGES.
        33 => !(1..=64).contains(&value),
        // Where it may be set at all.
        params::ALTP2M => value > 3,
        // HVM_PARAM_X87_FIP_WIDTH, in bytes; 0 lets the hypervisor choose.
        36 => !matches!(value, 0 | 4 | 8),
        _ => false,
    }
}

/// X86_CPUID_POLICY.
impl Verifier {
    fn cpuid_leaf<O: Observer + ?Sized>(&mut self, at: u64, leaf: u32, o: &mut O) -> Result<(), Stop> {
        self.registers.leaf = leaf;
        if subleaf_of(leaf).is_none() {
            self.find(Rule::LibxcCpuidPolicyLeaf, at, u64::from(leaf), 0, o)?;
        } else if matches!(leaf, 0x8000_001D..=0x8000_0021) {
            self.fact(Fact::E21, at, u64::from(leaf), 0x8000_001C, o)?;
        }
        Ok(())
    }

    fn cpuid_subleaf<O: Observer + ?Sized>(&mut self, at: u64, subleaf: u32, o: &mut O) -> Result<(), Stop> {
        if subleaf_of(self.registers.leaf) == Some(Subleaf::None) && subleaf != NO_SUBLEAF {
            self.find(Rule::LibxcCpuidPolicyLeaf, at, u64::from(subleaf), u64::from(NO_SUBLEAF), o)?;
        }
        match (self.registers.leaf, subleaf) {
            // The vendor and the highest leaf, each of which some releases compare with the host's.
            (0, _) => {
                self.fact(Fact::Vendor, at, 0, 0, o)?;
                self.fact(Fact::Leaf, at, 0, 0, o)?;
                self.depends_on(HostDependency::Features);
            }
            (7, 2) => self.fact(Fact::L72, at, 2, 1, o)?,
            (7, 3) => self.fact(Fact::L73, at, 3, 2, o)?,
            _ => {}
        }
        Ok(())
    }
}

/// `subleaf` of a leaf that has none.
const NO_SUBLEAF: u32 = u32::MAX;

/// What a CPUID leaf may have for a subleaf.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subleaf {
    None,
    Any,
}

/// Leaves that some Xen takes (`x86_cpuid_copy_from_buffer`); `None` for one that none does. The arrays behind the
/// basic and extended leaves grow with the releases, so their bounds here are generous: 64 leaves each.
fn subleaf_of(leaf: u32) -> Option<Subleaf> {
    match leaf {
        // Cache, features, topology and XSAVE have subleaves, and so have the leaves after them.
        0x4 | 0x7 | 0xB | 0xD..=0x3F => Some(Subleaf::Any),
        0x0..=0x3F | 0x4000_0000 | 0x4000_0100 | 0x8000_0000..=0x8000_003F => Some(Subleaf::None),
        _ => None,
    }
}
