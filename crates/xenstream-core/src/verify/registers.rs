//! Registers, parameters and policies: the small records of a libxc stream.

use crate::observer::Observer;
use crate::policy::{Limit, Profile};
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::verify::places::Seen;
use crate::verify::{self, Size, Stop};
use crate::wire::Order;
use crate::wire::libxc::{params, pv_info, tsc, types, vcpu};

/// Fields of these records, by record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// `guest_width` and `pt_levels`.
    PvInfo,
    PvInfoReserved,
    TscMode,
    TscReserved,
    ParamsCount,
    ParamsReserved,
    ParamIndex,
    ParamValue,
    CpuidLeaf,
    CpuidSubleaf,
    MsrFlags,
    VcpuId,
    VcpuReserved,
    /// The vcpu id inside EXTENDED's blob.
    ExtendedId,
    /// The reserved word of an entry of MSRS.
    VcpuMsrReserved,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// HVM_PARAMS: entries still to come, the one being read included.
    left: u64,
    /// Indices of this record, as bits.
    params: u64,
    param: u64,
    leaf: u32,
    pub(crate) vcpu_id: u32,
}

impl Field {
    #[inline]
    pub(crate) fn size(self) -> Size {
        Size::Bytes(match self {
            Field::PvInfo => 2,
            Field::PvInfoReserved => 6,
            Field::ParamIndex | Field::ParamValue => 8,
            _ => 4,
        })
    }
}

impl Verifier {
    fn registers_next(&mut self, gap: u64, field: Field) {
        self.next(gap, verify::Field::Registers(field));
    }

    pub(crate) fn registers_field<O: Observer + ?Sized>(
        &mut self,
        field: Field,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let [a, b, c, d, ..] = value;
        let order = self.libxc_order();
        let word = order.u32([a, b, c, d]);
        match field {
            Field::PvInfo => self.pv_info(at, (a, b), o),
            Field::PvInfoReserved => {
                // The two bytes behind the six are zero in the gathered word.
                let reserved = Order::Little.u64(value);
                if reserved != 0 {
                    self.find(Rule::LibxcPvInfoReserved, at, reserved, 0, o)?;
                }
                self.rest_of_body();
                Ok(())
            }
            Field::TscMode => {
                if word > tsc::MODE_MAX {
                    let most = u64::from(tsc::MODE_MAX);
                    self.find(Rule::LibxcTscInfoMode, at, u64::from(word), most, o)?;
                }
                self.registers_next(tsc::RESERVED_AT.saturating_sub(4), Field::TscReserved);
                Ok(())
            }
            Field::TscReserved => {
                if word != 0 {
                    self.find(Rule::LibxcTscInfoReserved, at, u64::from(word), 0, o)?;
                }
                self.rest_of_body();
                Ok(())
            }
            Field::ParamsCount => self.params_count(at, word, o),
            Field::ParamsReserved => {
                if word != 0 {
                    self.find(Rule::LibxcHvmParamsReserved, at, u64::from(word), 0, o)?;
                }
                self.params_await();
                Ok(())
            }
            Field::ParamIndex => self.param_index(at, order.u64(value), o),
            Field::ParamValue => self.param_value(at, order.u64(value), o),
            Field::CpuidLeaf => {
                self.registers.leaf = word;
                if subleaf_of(word).is_none() {
                    self.find(Rule::LibxcCpuidPolicyLeaf, at, u64::from(word), 0, o)?;
                }
                self.registers_next(0, Field::CpuidSubleaf);
                Ok(())
            }
            Field::CpuidSubleaf => self.cpuid_subleaf(at, word, o),
            Field::MsrFlags => {
                if word != 0 {
                    self.find(Rule::LibxcMsrPolicyFlags, at, u64::from(word), 0, o)?;
                }
                // Behind this MSR's value and the next one's index.
                self.registers_entry(8, 4, Field::MsrFlags);
                Ok(())
            }
            Field::VcpuId => self.vcpu_id(at, word, o),
            Field::VcpuReserved => self.vcpu_reserved(at, word, o),
            Field::ExtendedId => {
                // Xen goes by the id inside the blob; a blob is in the guest's own order, little-endian.
                let inner = Order::Little.u32([a, b, c, d]);
                let outer = self.registers.vcpu_id;
                if inner != outer {
                    let (inner, outer) = (u64::from(inner), u64::from(outer));
                    self.find(Rule::LibxcVcpuExtendedId, at, inner, outer, o)?;
                }
                self.rest_of_body();
                Ok(())
            }
            Field::VcpuMsrReserved => {
                let reserved = Order::Little.u32([a, b, c, d]);
                if reserved != 0 {
                    self.find(Rule::LibxcVcpuMsrsReserved, at, u64::from(reserved), 0, o)?;
                }
                self.registers_entry(8, 4, Field::VcpuMsrReserved);
                Ok(())
            }
        }
    }

    /// An entry's last `rest` bytes follow; if the body has another, `field` lies `lead` bytes inside it.
    fn registers_entry(&mut self, rest: u64, lead: u64, field: Field) {
        if self.left_in_body() > rest {
            self.registers_next(rest.saturating_add(lead), field);
        } else {
            self.rest_of_body();
        }
    }
}

/// X86_PV_INFO and the VCPU records.
impl Verifier {
    fn pv_info<O: Observer + ?Sized>(&mut self, at: u64, info: (u8, u8), o: &mut O) -> Result<(), Stop> {
        let (guest_width, _) = info;
        if info != pv_info::PV32 && info != pv_info::PV64 {
            let found = u64::from(u16::from_be_bytes([info.0, info.1]));
            self.find(Rule::LibxcPvInfoCombination, at, found, 0, o)?;
        }
        self.summary.guest_width = Some(if guest_width == 4 { 4 } else { 8 });
        self.registers_next(0, Field::PvInfoReserved);
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
        self.registers_next(0, Field::VcpuReserved);
        Ok(())
    }

    fn vcpu_reserved<O: Observer + ?Sized>(&mut self, at: u64, word: u32, o: &mut O) -> Result<(), Stop> {
        if word != 0 {
            self.find(Rule::LibxcVcpuReserved, at, u64::from(word), 0, o)?;
        }
        let blob = self.left_in_body();
        match self.libxc.kind {
            types::X86_PV_VCPU_BASIC if blob > 0 => {
                if self.registers.vcpu_id == 0 {
                    self.libxc.seen.add(Seen::BASIC_0);
                }
                self.pv_basic_start();
            }
            types::X86_PV_VCPU_EXTENDED if blob >= 4 => self.registers_next(0, Field::ExtendedId),
            // Behind the MSR's index.
            types::X86_PV_VCPU_MSRS if blob >= vcpu::MSR => self.registers_next(4, Field::VcpuMsrReserved),
            _ => self.rest_of_body(),
        }
        Ok(())
    }
}

/// HVM_PARAMS.
impl Verifier {
    fn params_count<O: Observer + ?Sized>(&mut self, at: u64, count: u32, o: &mut O) -> Result<(), Stop> {
        let exact = params::HEADER.saturating_add(u64::from(count).saturating_mul(params::ENTRY));
        if exact != self.libxc.length {
            self.find(Rule::LibxcHvmParamsLength, at.saturating_sub(4), self.libxc.length, exact, o)?;
            self.rest_of_body();
            return Ok(());
        }
        if count == 0 {
            // Erratum 1 of the specification: Xen 4.6 to 4.8 wrote such records, and they mean nothing.
            self.find(Rule::LibxcHvmParamsEmpty, at, 0, 1, o)?;
        }
        self.registers.left = u64::from(count);
        self.registers.params = 0;
        self.registers_next(0, Field::ParamsReserved);
        Ok(())
    }

    fn params_await(&mut self) {
        if self.registers.left > 0 {
            self.registers_next(0, Field::ParamIndex);
        } else {
            self.rest_of_body();
        }
    }

    fn param_index<O: Observer + ?Sized>(&mut self, at: u64, index: u64, o: &mut O) -> Result<(), Stop> {
        self.registers.param = index;
        if index >= params::COUNT {
            self.find(Rule::LibxcHvmParamsIndex, at, index, params::COUNT, o)?;
        } else {
            if params::is_never_set(index) {
                self.find(Rule::LibxcHvmParamsRefused, at, index, index, o)?;
            }
            let bit = 1 << index;
            if self.registers.params & bit != 0 {
                self.find(Rule::LibxcHvmParamsRepeated, at, index, 0, o)?;
            }
            self.registers.params |= bit;
        }
        self.registers_next(0, Field::ParamValue);
        Ok(())
    }

    fn param_value<O: Observer + ?Sized>(&mut self, at: u64, value: u64, o: &mut O) -> Result<(), Stop> {
        let index = self.registers.param;
        if refused_value(index, value) {
            self.find(Rule::LibxcHvmParamsRefused, at, value, index, o)?;
        }
        self.registers.left = self.registers.left.saturating_sub(1);
        self.params_await();
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
        // HVM_PARAM_TRIPLE_FAULT_REASON: a SHUTDOWN_* code.
        31 => value > 5,
        // HVM_PARAM_NR_IOREQ_SERVER_PAGES.
        33 => !(1..=64).contains(&value),
        // HVM_PARAM_X87_FIP_WIDTH, in bytes; 0 lets the hypervisor choose.
        36 => !matches!(value, 0 | 4 | 8),
        _ => false,
    }
}

/// X86_CPUID_POLICY.
impl Verifier {
    fn cpuid_subleaf<O: Observer + ?Sized>(&mut self, at: u64, subleaf: u32, o: &mut O) -> Result<(), Stop> {
        if subleaf_of(self.registers.leaf) == Some(Subleaf::None) && subleaf != NO_SUBLEAF {
            self.find(Rule::LibxcCpuidPolicyLeaf, at, u64::from(subleaf), u64::from(NO_SUBLEAF), o)?;
        }
        // Behind the registers of this leaf the next one begins.
        self.registers_entry(16, 0, Field::CpuidLeaf);
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
