//! The rules on the host that the stream decides: CPU policies, and the state of vcpus.

use std::sync::Arc;

use xenstream_core::wire::hvm::LENGTH_AT;
use xenstream_core::wire::hvm::cpu::CPU;
use xenstream_core::wire::hvm::types as hvm;
use xenstream_core::wire::hvm::vcpus::{CPU_XSAVE, VMCE_CAPS, VMCE_VCPU, XSAVE_AREA_AT};
use xenstream_core::wire::layout::Layout;
use xenstream_core::wire::libxc::{policy, types, vcpu};
use xenstream_core::wire::{Order, msr, pv};
use xenstream_core::{
    CpuVendor, Fact, Guest, Header, Layer, Level, Policy, Record, Rule, Target, Value, Violation,
    unsupported_cr4, unsupported_efer,
};

use super::Host;
use super::cpu::{CpuPolicy, NO_SUBLEAF};
use crate::Options;

/// The longest body that is looked at. Those of interest have a few kilobytes.
const BODY_MAX: u64 = 1 << 16;
/// Bits of `caps` that every host accepts: the number of banks, and `MCG_CTL_P`.
const MCA_ANY_VENDOR: u64 = 0x1FF;
/// First extended leaf.
const EXTENDED: u32 = 0x8000_0000;

/// Registers of CPUID that have features, and the bits that promise the guest nothing: Xen ignores `HTT` and `CMP_LEGACY`,
/// `FDP_EXCP_ONLY` and `NO_FPU_SEL` say what the processor does not do, and on AMD's processors a part of the last register of
/// leaf 0x80000001 repeats leaf 1, which Xen's largest policy leaves out (`recalculate_cpuid_policy()`).
const FEATURES: [(u32, u32, usize, u32); 15] = [
    (1, 0, 2, 0),
    (1, 0, 3, 1 << 28),
    (7, 0, 1, 1 << 6 | 1 << 13),
    (7, 0, 2, 0),
    (7, 0, 3, 0),
    (7, 1, 0, 0),
    (7, 1, 1, 0),
    (7, 1, 2, 0),
    (7, 1, 3, 0),
    (7, 2, 3, 0),
    (0xD, 1, 0, 0),
    (0x8000_0001, 0, 2, 1 << 1),
    (0x8000_0001, 0, 3, 0x0183_F3FF),
    (0x8000_0008, 0, 1, 0),
    (0x8000_0021, 0, 0, 0),
];

/// A violation and its level.
pub(crate) type Finding = (Violation, Level);

/// Judges a stream for a host.
#[derive(Debug)]
pub(crate) struct Judge {
    host: Option<Arc<Host>>,
    levels: Policy,
    target: Option<Target>,
    guest: Guest,
    order: Order,
    /// Xen has applied the policies, and ignores later ones.
    is_static: bool,
    /// What is being collected, and its bytes so far.
    record: Option<Record>,
    bytes: Vec<u8>,
}

impl Judge {
    pub(crate) fn new(options: &Options) -> Judge {
        Judge {
            host: options.host.clone(),
            levels: options.policy.clone(),
            target: options.policy.target(),
            guest: Guest::Hvm,
            order: Order::Little,
            is_static: false,
            record: None,
            bytes: Vec::new(),
        }
    }

    pub(crate) fn header(&mut self, header: &Header) -> Vec<Finding> {
        match header {
            Header::LibxcImage { order, .. } => {
                (self.order, self.is_static) = (*order, false);
                Vec::new()
            }
            Header::LibxcDomain { offset, guest, .. } => {
                self.guest = *guest;
                let cannot = self.host.as_ref().and_then(|host| host.runs(*guest)) == Some(false);
                let violation =
                    Violation::new(Rule::HostGuestType, *offset, None).found(Value::Guest(*guest));
                if cannot { vec![self.at_level(violation)] } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }

    /// A record begins, or an entry of HVM_CONTEXT.
    pub(crate) fn record(&mut self, record: &Record) {
        self.record = None;
        if self.host.is_none() {
            return;
        }
        match record.layer {
            Layer::Hvm => {
                let entries = [hvm::CPU, hvm::CPU_XSAVE, hvm::VMCE_VCPU].map(u64::from);
                if entries.contains(&record.kind) {
                    self.collect(record);
                }
            }
            Layer::Libxc => {
                let applies =
                    [types::STATIC_DATA_END, types::PAGE_DATA, types::X86_PV_P2M_FRAMES, types::END];
                self.is_static |= applies.map(u64::from).contains(&record.kind);
            }
            _ => {}
        }
    }

    /// Returns whether the body of this record, which has just begun, is needed.
    pub(crate) fn wants(&mut self, record: &Record) -> bool {
        if self.host.is_none() || record.layer != Layer::Libxc {
            return false;
        }
        match u32::try_from(record.kind) {
            // Its entries are collected one by one.
            Ok(types::HVM_CONTEXT) => true,
            Ok(types::X86_CPUID_POLICY | types::X86_MSR_POLICY) => !self.is_static && self.collect(record),
            Ok(types::X86_PV_VCPU_XSAVE | types::X86_PV_VCPU_EXTENDED) => self.collect(record),
            _ => false,
        }
    }

    /// Bytes of a body; the last ones of a record or an entry may bring findings.
    pub(crate) fn body(&mut self, offset: u64, bytes: &[u8]) -> Vec<Finding> {
        let Some(record) = self.record else { return Vec::new() };
        let next = record.body_offset.saturating_add(self.bytes.len() as u64);
        let before = usize::try_from(next.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
        let room = usize::try_from(record.body_length).unwrap_or(usize::MAX) - self.bytes.len();
        let rest = &bytes[before..];
        self.bytes.extend_from_slice(&rest[..rest.len().min(room)]);
        if (self.bytes.len() as u64) < record.body_length {
            return Vec::new();
        }
        self.record = None;
        let body = std::mem::take(&mut self.bytes);
        match (record.layer, u32::try_from(record.kind).unwrap_or(u32::MAX)) {
            (Layer::Libxc, types::X86_CPUID_POLICY) => return self.cpuid(&record, &body),
            (Layer::Libxc, types::X86_MSR_POLICY) => return self.msrs(&record, &body),
            (Layer::Libxc, types::X86_PV_VCPU_XSAVE) => return self.pv_xsave(&record, &body),
            (Layer::Libxc, types::X86_PV_VCPU_EXTENDED) => return self.pv_extended(&record, &body),
            (Layer::Hvm, kind) if kind == u32::from(hvm::CPU) => return self.registers(&record, &body),
            (Layer::Hvm, kind) if kind == u32::from(hvm::CPU_XSAVE) => return self.hvm_xsave(&record, &body),
            (Layer::Hvm, kind) if kind == u32::from(hvm::VMCE_VCPU) => {
                return self.mca(&record, 0, field(&VMCE_VCPU, "caps", &body));
            }
            _ => {}
        }
        Vec::new()
    }

    fn collect(&mut self, record: &Record) -> bool {
        let is_short = (1..=BODY_MAX).contains(&record.body_length);
        self.record = is_short.then_some(*record);
        self.bytes.clear();
        is_short
    }

    /// The most that such a guest can be given, if that is known.
    fn max(&self) -> Option<&CpuPolicy> {
        self.host.as_ref().and_then(|host| host.policies.max(self.guest))
    }

    fn at_level(&self, violation: Violation) -> Finding {
        (violation, self.levels.level(violation.rule))
    }

    fn cpuid(&self, record: &Record, body: &[u8]) -> Vec<Finding> {
        let leaves = body.as_chunks::<{ policy::CPUID_LEAF as usize }>().0;
        let mut findings = Vec::new();
        for (n, leaf) in (0..).zip(leaves) {
            let words = leaf.as_chunks::<4>().0;
            let word = |at: usize| words.get(at).map_or(0, |word| self.order.u32(*word));
            let (leaf, subleaf) = (word(0), word(1));
            let at = |number: u64| record.body_offset + n * policy::CPUID_LEAF + 8 + 4 * number;
            let violation = |rule, number, found: Value, expected: Value| {
                Violation::new(rule, at(number), Some(record.reference())).found(found).expected(expected)
            };
            if leaf == 0 {
                let guest = CpuVendor::of_registers(word(3), word(4), word(5));
                let host = self.host.as_ref().and_then(|host| host.vendor());
                if let Some(host) = host.filter(|host| *host != guest) {
                    let (guest, host) = (Value::CpuVendor(guest), Value::CpuVendor(host));
                    findings.push(self.vendor(violation(Rule::HostCpuVendor, 1, guest, host)));
                }
            }
            let Some(max) = self.max() else { continue };
            let subleaf = if subleaf == NO_SUBLEAF { 0 } else { subleaf };
            let host = max.register(leaf, subleaf, 0);
            if self.compares_max(leaf, subleaf, word(2)) && word(2) > host {
                let (guest, host) = (u64::from(word(2)).into(), u64::from(host).into());
                findings.push(self.at_level(violation(Rule::HostCpuidMax, 0, guest, host)));
            }
            for (_, _, number, ignored) in FEATURES.iter().filter(|(l, s, ..)| (*l, *s) == (leaf, subleaf)) {
                let host = max.register(leaf, subleaf, *number);
                let lacking = word(2 + number) & !host & !ignored;
                if lacking != 0 {
                    let (lacking, host) = (u64::from(lacking).into(), u64::from(host).into());
                    findings.push(self.at_level(violation(
                        Rule::HostCpuFeatures,
                        *number as u64,
                        lacking,
                        host,
                    )));
                }
            }
        }
        findings
    }

    /// Returns whether Xen compares EAX of this leaf with the largest policy's.
    fn compares_max(&self, leaf: u32, subleaf: u32, eax: u32) -> bool {
        match (leaf, subleaf) {
            (EXTENDED, _) => true,
            // The leaves after this one are cleared first, which for all ones is every leaf.
            (0 | 7, _) if eax == u32::MAX => false,
            (0, _) => true,
            (7, 0) => self.target.is_some_and(|target| target.has(Fact::L7Max)),
            _ => false,
        }
    }

    /// The finding of another vendor, which releases since 4.22 refuse.
    fn vendor(&self, mut violation: Violation) -> Finding {
        let rule = violation.rule;
        if self.target.is_some_and(|target| target.has(Fact::Vendor)) {
            violation.fact = Some(Fact::Vendor);
            return (violation, self.levels.level_or(rule, Level::Deny));
        }
        self.at_level(violation)
    }

    fn msrs(&self, record: &Record, body: &[u8]) -> Vec<Finding> {
        let Some(max) = self.max() else { return Vec::new() };
        let entries = body.as_chunks::<{ policy::MSR as usize }>().0;
        let entries = (0..).zip(entries).filter_map(|(n, entry)| {
            let (index, value) = (entry.first_chunk()?, entry.last_chunk()?);
            let (index, value) = (self.order.u32(*index), self.order.u64(*value));
            let host = max.msrs.get(&index).copied().unwrap_or(0);
            (index == msr::PLATFORM_INFO && value & !host != 0).then(|| {
                let offset = record.body_offset + n * policy::MSR + 8;
                let violation = Violation::new(Rule::HostMsrPolicy, offset, Some(record.reference()));
                self.at_level(violation.found(value).expected(host))
            })
        });
        entries.collect()
    }

    fn registers(&self, record: &Record, body: &[u8]) -> Vec<Finding> {
        let Some(max) = self.max() else { return Vec::new() };
        let register = |leaf, subleaf, number| max.register(leaf, subleaf, number);
        let finding = |name, lacking: &dyn Fn(u64) -> u64| {
            let (at, value) = field(&CPU, name, body)?;
            let lacking = lacking(value);
            let violation =
                Violation::new(Rule::HostRegisters, record.body_offset + at, Some(record.reference()));
            (lacking != 0).then(|| self.at_level(violation.found(value).expected(lacking)))
        };
        let cr4 = finding("cr4", &|value| unsupported_cr4(value, register));
        let efer = finding("msr_efer", &|value| unsupported_efer(value, register));
        cr4.into_iter().chain(efer).collect()
    }

    fn hvm_xsave(&self, record: &Record, body: &[u8]) -> Vec<Finding> {
        let Some((at, accum)) = field(&CPU_XSAVE, "xcr0_accum", body) else { return Vec::new() };
        let features = self.xsave_features(record, at, accum);
        if !features.is_empty() {
            return features;
        }
        let raw = self.host.as_ref().and_then(|host| host.policies.raw.as_ref());
        let Some(size) = raw.and_then(|raw| raw.xsave_size(accum)) else { return Vec::new() };
        let expected = XSAVE_AREA_AT + size;
        let tail = body.get(usize::try_from(expected).unwrap_or(usize::MAX)..);
        // Xen ignores zeros after the area.
        if accum == 0 || tail.is_some_and(|tail| tail.iter().all(|byte| *byte == 0)) {
            return Vec::new();
        }
        let violation =
            Violation::new(Rule::HostXsaveSize, record.offset + LENGTH_AT, Some(record.reference()));
        vec![self.at_level(violation.found(record.body_length).expected(expected))]
    }

    fn pv_xsave(&self, record: &Record, body: &[u8]) -> Vec<Finding> {
        let blob = body.get(vcpu::HEADER as usize..).unwrap_or(&[]);
        let Some((at, accum)) = field(&pv::XSAVE, "xcr0_accum", blob) else { return Vec::new() };
        self.xsave_features(record, vcpu::HEADER + at, accum)
    }

    fn xsave_features(&self, record: &Record, at: u64, accum: u64) -> Vec<Finding> {
        let Some(host) = self.max().map(CpuPolicy::xsave_features) else { return Vec::new() };
        if accum & !host == 0 {
            return Vec::new();
        }
        let violation =
            Violation::new(Rule::HostXsaveFeatures, record.body_offset + at, Some(record.reference()));
        vec![self.at_level(violation.found(accum).expected(host))]
    }

    fn pv_extended(&self, record: &Record, body: &[u8]) -> Vec<Finding> {
        let blob = body.get(vcpu::HEADER as usize..).unwrap_or(&[]);
        let Some((at, caps)) = field(&pv::EXTENDED, "vmce_caps", blob) else { return Vec::new() };
        // A shorter structure does not have them, whatever follows it.
        let has_caps = field(&pv::EXTENDED, "size", blob).is_some_and(|(_, size)| size >= at + 8);
        if has_caps { self.mca(record, vcpu::HEADER, Some((at, caps))) } else { Vec::new() }
    }

    /// Judges machine-check capabilities. Xen gives an Intel host's guests more of them than any other's.
    fn mca(&self, record: &Record, start: u64, caps: Option<(u64, u64)>) -> Vec<Finding> {
        let vendor = self.host.as_ref().and_then(|host| host.vendor());
        let (Some((at, caps)), Some(vendor)) = (caps, vendor) else { return Vec::new() };
        let accepted = if vendor == CpuVendor::INTEL { VMCE_CAPS } else { MCA_ANY_VENDOR };
        // What no host accepts is another rule's.
        if caps & !accepted & VMCE_CAPS == 0 {
            return Vec::new();
        }
        let offset = record.body_offset + start + at;
        let violation = Violation::new(Rule::HostMcaCapabilities, offset, Some(record.reference()));
        vec![self.at_level(violation.found(caps).expected(accepted))]
    }
}

/// Returns offset and value of a field of a little-endian structure, if the bytes reach that far.
fn field(layout: &Layout, name: &str, bytes: &[u8]) -> Option<(u64, u64)> {
    let placed = layout.find(name)?;
    let element = placed.offset - u64::from(placed.field.at);
    let element = bytes.get(usize::try_from(element).ok()?..)?;
    Some((placed.offset, placed.field.value(element, Order::Little)?))
}
