//! The host on which a stream will be restored. Each case comes with the description of a host, and both of its streams are judged
//! for that.

use xenstream_core::Rule;
use xenstream_core::wire::hvm::types::{CPU, CPU_XSAVE, VMCE_VCPU};
use xenstream_core::wire::hvm::{LENGTH_AT, XSAVE_MIN};
use xenstream_core::wire::libxc::policy;
use xenstream_core::wire::libxc::types::{X86_PV_VCPU_EXTENDED, X86_PV_VCPU_XSAVE};
use xenstream_core::wire::xl::at::CONFIG;
use xenstream_core::wire::xsave::{AVX, PKRU, SSE, X87};

use super::hvm::{around, case, field};
use crate::body::Body;
use crate::cases::{Case, either};
use crate::container::XL_FLAGS;
use crate::hvm::Entry;
use crate::item::Part;
use crate::places::{BLOB, BODY, LAST, NO_SUBLEAF, STATIC};
use crate::{libxc, minimal};

/// A host without hardware virtualisation.
const PV_ONLY: &str = r#"{"xenstream_host": 1, "xen": {"capabilities": ["xen-3.0-x86_64"]}}"#;
const SMALL: &str = r#"{"xenstream_host": 1, "memory": {"free_kib": 1024}}"#;
const BRIDGED: &str = r#"{"xenstream_host": 1, "interfaces": ["eth0", "xenbr0"]}"#;
const DISKS: &str = r#"{"xenstream_host": 1, "disks": {"directories": ["/images"], "paths": ["/images/a"]}}"#;
const INTEL: &str = r#"{"xenstream_host": 1, "cpu": {"vendor": "GenuineIntel"}}"#;
const AMD: &str = r#"{"xenstream_host": 1, "cpu": {"vendor": "AuthenticAMD"}}"#;
const INTEL_4_22: &str = r#"{"xenstream_host": 1, "release": "4.22.0", "cpu": {"vendor": "GenuineIntel"}}"#;
/// A host that gives guests leaves up to 0xb, one feature of leaf 1, no MSR, and XSAVE without AVX. PKRU is at 960 in its areas.
const OLD: &str = r#"{"xenstream_host": 1, "policies": {
  "raw": {"leaves": {"0000000d:00000009": "00000008:000003c0:00000000:00000000"}, "msrs": {}},
  "pv_max": {"leaves": {"0000000d:00000000": "00000003:00000000:00000000:00000000"}, "msrs": {}},
  "hvm_max": {"leaves": {
    "00000000:ffffffff": "0000000b:00000000:00000000:00000000",
    "00000001:ffffffff": "00000000:00000000:00000001:00000000",
    "0000000d:00000000": "00000203:00000000:00000000:00000000"}, "msrs": {}}}}"#;

pub(crate) fn cases() -> Vec<Case> {
    let vendor = |name: &[u8; 12]| {
        let word = |at| u32::from_le_bytes([name[at], name[at + 1], name[at + 2], name[at + 3]]);
        [0, NO_SUBLEAF, 0xB, word(0), word(8), word(4)]
    };
    let [intel, amd] = [b"GenuineIntel", b"AuthenticAMD"].map(vendor);
    let caps =
        |bad, good| field(Rule::HostMcaCapabilities, "", &Entry::reset(VMCE_VCPU, 0), "caps", bad, good);
    let cpu = Entry::reset(CPU, 0);
    let registers = |variant, name, bad| field(Rule::HostRegisters, variant, &cpu, name, bad, 0);
    let msrs = [1 << 31, 0].map(|value| libxc::msr_policy(&[(0xCE, value)]));
    vec![
        guest_type(),
        config(Rule::HostMemory, "", (r#"{"b_info": {"target_memkb": "#, "1025}}"), "1024}}").host(SMALL),
        config(Rule::HostMemory, "most", (r#"{"b_info": {"max_memkb": "#, "1025}}"), "1024}}").host(SMALL),
        config(Rule::HostBridge, "", (r#"{"nics": [{"bridge": "#, r#""xenbr1"}]}"#), r#""xenbr0"}]}"#)
            .host(BRIDGED),
        config(
            Rule::HostDisk,
            "",
            (r#"{"disks": [{"pdev_path": "#, r#""/images/b"}]}"#),
            r#""/images/a"}]}"#,
        )
        .host(DISKS),
        leaf(Rule::HostCpuVendor, "", amd, intel, 1).host(INTEL),
        leaf(Rule::HostCpuVendor, "refused", amd, intel, 1).denied().host(INTEL_4_22),
        leaf(Rule::HostCpuidMax, "", largest(0, 0xD), largest(0, 0xB), 0).host(OLD),
        leaf(Rule::HostCpuidMax, "extended", largest(0x8000_0000, 0x8000_0008), largest(0x8000_0000, 0), 0)
            .host(OLD),
        leaf(Rule::HostCpuFeatures, "", [1, NO_SUBLEAF, 0, 0, 3, 0], [1, NO_SUBLEAF, 0, 0, 1, 0], 2)
            .host(OLD),
        either(Rule::HostMsrPolicy, "", &minimal::hvm(), STATIC, msrs, BODY + 8).host(OLD),
        // PGE and NXE.
        registers("", "cr4", 1 << 7).host(OLD),
        registers("efer", "msr_efer", 1 << 11).host(OLD),
        xsave_features(),
        pv_xsave(),
        xsave_size("", 8, PKRU),
        xsave_size("tail", 512, PKRU),
        caps(1 << 24, 1 << 8).host(AMD),
        pv_caps(),
    ]
}

fn largest(leaf: u32, eax: u32) -> [u32; 6] {
    [leaf, NO_SUBLEAF, eax, 0, 0, 0]
}

fn guest_type() -> Case {
    let (broken, neighbour) = (minimal::hvm(), minimal::pv64());
    let domain = broken.find(Part::Domain);
    Case::of(Rule::HostGuestType, "", &broken, &neighbour).in_item(&broken, domain, 0).host(PV_ONLY)
}

/// A configuration in an xl header: its beginning, the rest from the value that breaks the rule, and another rest.
fn config(rule: Rule, variant: &'static str, (start, bad): (&str, &str), good: &str) -> Case {
    let [broken, neighbour] = [bad, good].map(|rest| {
        let config = [start, rest, "\0"].concat();
        minimal::pv64().in_libxl().in_xl_with(XL_FLAGS, config.as_bytes())
    });
    Case::of(rule, variant, &broken, &neighbour).at(CONFIG + start.len() as u64)
}

/// A CPUID policy of one leaf, with the rule broken in this register.
fn leaf(rule: Rule, variant: &'static str, bad: [u32; 6], good: [u32; 6], register: u64) -> Case {
    let items = [bad, good].map(|leaf| libxc::cpuid_policy(&[leaf]));
    either(rule, variant, &minimal::hvm(), STATIC, items, BODY + policy::CPUID_LEAF - 16 + 4 * register)
}

fn xsave_features() -> Case {
    let [broken, neighbour] = [X87 | SSE | AVX, X87 | SSE].map(|features| {
        let size = if features & AVX == 0 { 0 } else { 256 };
        Entry::filled(CPU_XSAVE, 0, XSAVE_MIN + size, 0).with("xcr0_accum", features)
    });
    let at = broken.offset_of("xcr0_accum");
    case(Rule::HostXsaveFeatures, "", &around(broken), &around(neighbour), 1, at).host(OLD)
}

/// An area that ends early, or has data after its end, which is at 968 on this host.
fn xsave_size(variant: &'static str, extended: u64, features: u64) -> Case {
    let entry = |extended: u64, fill| {
        let mut entry =
            Entry::filled(CPU_XSAVE, 0, XSAVE_MIN + extended, 0).with("xcr0_accum", X87 | features);
        if fill {
            entry = entry.with_byte((XSAVE_MIN + extended) as usize - 1, 1);
        }
        around(entry)
    };
    let exact = 960 + 8 - 576;
    case(Rule::HostXsaveSize, variant, &entry(extended, extended > exact), &entry(exact, false), 1, LENGTH_AT)
        .host(OLD)
}

fn pv_xsave() -> Case {
    let base = minimal::pv64();
    let items = [X87 | SSE | AVX, X87 | SSE].map(|features| {
        let size = if features & AVX == 0 { 576 } else { 832 };
        let blob = Body::new().u64(X87).u64(features).zeros(size);
        libxc::vcpu(X86_PV_VCPU_XSAVE, 0, blob)
    });
    either(Rule::HostXsaveFeatures, "pv", &base, LAST, items, BLOB + 8).host(OLD)
}

fn pv_caps() -> Case {
    let items = [1 << 24, 1 << 8].map(|caps: u64| {
        let blob = Body::new().u32(0).u32(64).zeros(24).u64(caps).zeros(24);
        libxc::vcpu(X86_PV_VCPU_EXTENDED, 0, blob)
    });
    either(Rule::HostMcaCapabilities, "pv", &minimal::pv64(), LAST, items, BLOB + 32).host(AMD)
}
