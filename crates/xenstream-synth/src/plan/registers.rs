//! Policies, registers and parameters.

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use xenstream_core::Guest;
use xenstream_core::wire::hvm::{self, Instances, Length};
use xenstream_core::wire::libxc::params::is_pfn;
use xenstream_core::wire::libxc::policy::MSRS_MAX;
use xenstream_core::wire::libxc::vcpu::{
    EXTENDED_MAX, EXTENDED_SIZE_MIN, GDT_ENTRIES_MAX, GDT_FRAMES, XSAVE_AREA_MIN, XSAVE_MIN,
};
use xenstream_core::wire::msr::{
    self, ARCH_CAPABILITIES, DR0_ADDRESS_MASK, DR1_ADDRESS_MASK, DR3_ADDRESS_MASK, PLATFORM_INFO,
};
use xenstream_core::wire::params::index;

use super::few;
use super::memory::{GDT, ROOT, START_INFO, Space};
use crate::hvm::{Chain, Entry};
use crate::item::Item;
use crate::libxc;
use crate::places::NO_SUBLEAF;
use crate::valid::Machine;
use crate::vcpu::{Basic, extended_state};

/// What a version 3 stream sends ahead of all else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Policies {
    /// X86_CPUID_POLICY; no record without leaves.
    #[arbitrary(with = few::<4, Leaf>)]
    pub leaves: Vec<Leaf>,
    /// X86_MSR_POLICY, as many as Xen takes; no record without MSRs.
    #[arbitrary(with = few::<3, Msr>)]
    pub msrs: Vec<Msr>,
    /// The MSRs come before the leaves, and X86_PV_INFO after both.
    pub reversed: bool,
}

/// A leaf of the CPUID policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Leaf {
    /// Its number, folded into those that Xen takes.
    pub leaf: u8,
    /// Its subleaf, where it has any.
    pub subleaf: u32,
    /// `eax` to `edx`.
    pub registers: [u32; 4],
}

/// A model-specific register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Msr {
    /// Its index.
    pub index: u32,
    /// Its value.
    pub value: u64,
}

/// What makes a domain run again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct State {
    /// The guest's clock.
    pub tsc: Option<Tsc>,
    /// PV: the vcpus after vcpu 0, which always is there.
    #[arbitrary(with = few::<2, Vcpu>)]
    pub vcpus: Vec<Vcpu>,
    /// PV: vcpu 0, but for its number.
    pub first: Vcpu,
    /// HVM: entries of HVM_CONTEXT between HEADER and END; one that has come before is left out.
    #[arbitrary(with = few::<6, HvmEntry>)]
    pub entries: Vec<HvmEntry>,
    /// HVM: HVM_PARAMS; one that has come before is left out. The rings of xenstore and console, which every guest
    /// has, are added.
    #[arbitrary(with = few::<4, Param>)]
    pub params: Vec<Param>,
    /// HVM: HVM_PARAMS come before HVM_CONTEXT, as the specification asks and no release does.
    pub params_first: bool,
}

/// The guest's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Tsc {
    /// The mode, 0 to 2.
    pub mode: u8,
    /// The frequency.
    pub khz: u32,
    /// The time.
    pub nsec: u64,
    /// How many restores it has seen.
    pub incarnation: u32,
}

/// A PV vcpu.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Vcpu {
    /// Its number, 1 to 511.
    pub id: u16,
    /// BASIC.
    pub registers: Registers,
    /// EXTENDED of a length from 32 to 128.
    pub extended: Option<u8>,
    /// XSAVE, with an area or without one.
    pub xsave: Option<bool>,
    /// MSRS, their indices and values folded into those that Xen takes; no record without any.
    #[arbitrary(with = few::<2, Msr>)]
    pub msrs: Vec<Msr>,
}

/// Registers of a PV vcpu that name memory. An anchored plan has them name what is sent for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Registers {
    /// Entries of the GDT.
    pub gdt_entries: u16,
    /// The pfn of the start info, of the frames of the GDT, and of the page tables.
    pub pfns: [u32; 4],
    /// A 64-bit guest has a page table of its user space.
    pub user: bool,
}

/// An entry of HVM_CONTEXT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct HvmEntry {
    /// The typecode, folded into those that Xen knows.
    pub typecode: u8,
    /// The instance, of PICs 0 or 1, of others 0 to 63.
    pub instance: u8,
    /// How much it is shorter than Xen writes it, or longer, where that is allowed; MSRs of a CPU_MSR.
    pub size: u16,
    /// A byte of its body.
    pub fill: u8,
}

/// A parameter of an HVM guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Param {
    /// The index, folded into those that a toolstack may set.
    pub index: u8,
    /// The value, folded into what Xen takes.
    pub value: u64,
}

impl Tsc {
    /// The frequency, folded into what a processor may have; 0 is the host's.
    fn khz(&self) -> u32 {
        if self.khz == 0 { 0 } else { 1_000 + self.khz % 19_000_000 }
    }
}

impl Policies {
    /// Everything up to STATIC_DATA_END, as a version 3 stream has it.
    pub(super) fn records(&self, machine: Machine) -> Vec<Item> {
        let mut records = Vec::from_iter(machine.info());
        if !self.leaves.is_empty() {
            let leaves: Vec<[u32; 6]> = self.leaves.iter().map(Leaf::words).collect();
            records.push(libxc::cpuid_policy(&leaves));
        }
        if !self.msrs.is_empty() {
            // With CPUID faulting, which the vcpus of a plan may use.
            let allowed = |(n, msr): (usize, &Msr)| match n {
                0 => (PLATFORM_INFO, msr::bits(PLATFORM_INFO)),
                _ => (ARCH_CAPABILITIES, msr.value & msr::bits(ARCH_CAPABILITIES)),
            };
            let msrs: Vec<(u32, u64)> =
                self.msrs.iter().take(MSRS_MAX as usize).enumerate().map(allowed).collect();
            records.push(libxc::msr_policy(&msrs));
        }
        if self.reversed {
            records.reverse();
        }
        records.push(libxc::static_data_end());
        records
    }
}

impl Leaf {
    fn words(&self) -> [u32; 6] {
        // Some that have no subleaves, and some that have as many.
        const LEAVES: [(u32, u32); 10] = [
            (0, 0),
            (1, 0),
            (4, 6),
            (7, 3),
            (0xB, 2),
            (0xD, 63),
            (0x4000_0000, 0),
            (0x8000_0000, 0),
            (0x8000_0008, 0),
            (0x8000_0021, 0),
        ];
        let (leaf, subleaves) = LEAVES[usize::from(self.leaf) % LEAVES.len()];
        let [a, b, c, d] = self.registers;
        let subleaf = self.subleaf.checked_rem(subleaves).unwrap_or(NO_SUBLEAF);
        // The largest leaf of each range, which for the vcpus of a plan goes up to XSAVE.
        let a = match (leaf, subleaf) {
            (0, _) => 0xD,
            (7, 0) => 2,
            // With the leaf that tells of breakpoint masks.
            (0x8000_0000, _) => 0x8000_0001 + a % 0x21,
            _ => a,
        };
        match (leaf, subleaf) {
            // XSAVE and AVX, which the vcpus of a plan use, and where AVX lies in the area.
            (1, _) => [leaf, subleaf, a, b, c | 1 << 26 | 1 << 28, d],
            (0xD, 2) => [leaf, subleaf, 256, 576, c, d],
            // RDPID, and everything in SPEC_CTRL.
            (7, 0) => [leaf, subleaf, a, b, c | 1 << 22, d | 1 << 26 | 1 << 31],
            (7, 2) => [leaf, subleaf, a, b, c, d | 0b10111],
            (0x8000_0008, _) => [leaf, subleaf, a, b | 1 << 14 | 1 << 24 | 1 << 28, c, d],
            _ => [leaf, subleaf, a, b, c, d],
        }
    }
}

impl State {
    pub(super) fn records(&self, machine: Machine, space: &Space, anchored: bool) -> Vec<Item> {
        let tsc = self
            .tsc
            .map(|tsc| libxc::clock_of(u32::from(tsc.mode % 3), tsc.khz(), tsc.nsec, tsc.incarnation));
        let mut records = Vec::from_iter(tsc);
        match machine.guest() {
            Guest::Pv => {
                records.push(libxc::shared_info());
                records.extend(self.first.records(0, machine, space, anchored));
                for vcpu in &self.vcpus {
                    let id = 1 + u32::from(vcpu.id % 511);
                    records.extend(vcpu.records(id, machine, space, anchored));
                }
            }
            Guest::Hvm => {
                let context = libxc::hvm_context(&self.chain());
                let params = self.params(space);
                records.extend(if self.params_first { [params, context] } else { [context, params] });
            }
        }
        records
    }

    /// Whether the chain has a device that a PVH guest has not.
    pub(super) fn has_devices(&self) -> bool {
        self.entries.iter().any(|entry| hvm::DEVICES.contains(&entry.number()))
    }

    fn chain(&self) -> Chain {
        let mut come = BTreeSet::new();
        let entries = self.entries.iter().filter(|entry| come.insert((entry.number(), entry.instance())));
        Chain::around(entries.map(HvmEntry::entry))
    }

    fn params(&self, space: &Space) -> Item {
        let mut come = BTreeSet::new();
        let rings = [index::STORE_PFN, index::CONSOLE_PFN].map(|index| (index, 0));
        let params = self.params.iter().map(|param| param.pair(space)).chain(rings);
        let params: Vec<(u64, u64)> = params.filter(|(index, _)| come.insert(*index)).collect();
        libxc::hvm_params(&params)
    }
}

impl Vcpu {
    fn records(&self, id: u32, machine: Machine, space: &Space, anchored: bool) -> Vec<Item> {
        let mut records = vec![libxc::vcpu_basic(id, &self.registers.basic(machine, space, anchored))];
        if let Some(size) = self.extended {
            let size = EXTENDED_SIZE_MIN + u64::from(size) % (EXTENDED_MAX - EXTENDED_SIZE_MIN + 1);
            records.push(libxc::vcpu_extended(id, extended_state(id, size)));
        }
        if let Some(size) = self.xsave {
            let size = if size { XSAVE_AREA_MIN } else { XSAVE_MIN };
            records.push(libxc::vcpu_xsave(id, size));
        }
        if !self.msrs.is_empty() {
            let msrs: Vec<(u32, u64)> = self.msrs.iter().map(Msr::of_vcpu).collect();
            records.push(libxc::vcpu_msrs(id, &msrs));
        }
        records
    }
}

impl Registers {
    fn basic(&self, machine: Machine, space: &Space, anchored: bool) -> Basic {
        let [start_info, gdt, kernel, user] = if anchored {
            [START_INFO, GDT, ROOT, ROOT]
        } else {
            self.pfns.map(|pfn| space.pfn(machine, pfn))
        };
        let wide = machine == Machine::Pv64;
        let basic = if wide { Basic::pv64() } else { Basic::pv32() };
        let entries = u64::from(self.gdt_entries) % (GDT_ENTRIES_MAX + 1);
        let basic = (0..GDT_FRAMES).fold(basic, |basic, n| basic.gdt_frame(n, gdt));
        let basic = basic.start_info(start_info).gdt_entries(entries).cr3(kernel);
        if wide && self.user { basic.cr1(user) } else { basic }
    }
}

impl HvmEntry {
    /// The typecode: anything but END and HEADER, which every chain has.
    fn number(&self) -> u16 {
        2 + u16::from(self.typecode) % (hvm::types::KNOWN - 2)
    }

    fn instance(&self) -> u16 {
        let n = match hvm::entry(self.number()).map_or(Instances::Any, |entry| entry.instances) {
            Instances::Pics => hvm::PICS as u8,
            Instances::Vcpus | Instances::Any => 64,
        };
        u16::from(self.instance % n)
    }

    fn entry(&self) -> Entry {
        let (typecode, instance) = (self.number(), self.instance());
        if typecode == hvm::types::CPU_MSR {
            // Those of which Xen takes any value of 32 bits.
            let masks = [DR0_ADDRESS_MASK].into_iter().chain(DR1_ADDRESS_MASK..=DR3_ADDRESS_MASK);
            let count = 1 + usize::from(self.size % 4);
            let msrs: Vec<(u32, u64)> =
                masks.take(count).map(|index| (index, u64::from(self.fill))).collect();
            return Entry::msrs(instance, &msrs);
        }
        let length = hvm::entry(typecode).expect("the typecode is one that Xen knows").length;
        let size = u64::from(self.size);
        let length = match length {
            Length::Exactly(n) => n,
            Length::AtMost(n) => {
                // What Xen needs of a shorter one: CR0 of CPU, the divisor of LAPIC.
                let least = match typecode {
                    hvm::types::CPU => 664,
                    hvm::types::LAPIC => 16,
                    _ => 0,
                };
                n - size % (n + 1 - least)
            }
            Length::AtLeast(n) => n + size % 512,
        };
        Entry::filled(typecode, instance, length, self.fill)
    }
}

impl Param {
    fn pair(&self, space: &Space) -> (u64, u64) {
        /// Parameters with fixed meanings, and others that Xen stores as they are; 4 is dropped.
        const INDICES: [u64; 18] = [1, 2, 4, 5, 6, 9, 10, 12, 14, 15, 16, 17, 19, 27, 31, 33, 36, 38];
        let index = INDICES[usize::from(self.index) % INDICES.len()];
        let value = match index {
            9 => self.value & 0x1F | 1,
            10 => self.value % 4,
            14 => 0,
            19 | 38 => self.value % 2,
            37 => 104 << 32 | self.value,
            15 => u64::from(self.value as u32),
            31 => self.value % 6,
            33 => 1 + self.value % 64,
            36 => self.value % 3 * 4,
            index if is_pfn(index) => space.special_pfn(self.value),
            _ => self.value,
        };
        (index, value)
    }
}

impl Msr {
    /// Index and value in a vcpu's state.
    fn of_vcpu(&self) -> (u32, u64) {
        const INDICES: [u32; 7] =
            [0x48, 0x140, 0xC000_0103, 0xC001_1019, 0xC001_101A, 0xC001_101B, 0xC001_1027];
        let index = INDICES[self.index as usize % INDICES.len()];
        (index, self.value & msr::bits(index))
    }
}
