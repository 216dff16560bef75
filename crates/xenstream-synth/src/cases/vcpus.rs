//! The state of PV vcpus: values that the hypervisor refuses.

use xenstream_core::Rule;
use xenstream_core::wire::libxc::types::{STATIC_DATA_END, X86_PV_VCPU_XSAVE};
use xenstream_core::wire::libxc::vcpu::{
    EXTENDED_SIZE_MIN, GDT_ENTRIES_MAX, LAYOUT_64, LDT_ENTRIES_MAX, MSR, MSRS_MAX, VM_ASSIST_32,
    VM_ASSIST_64, VMCE_CAPS, XSAVE_AREA_MIN, XSAVE_MIN,
};
use xenstream_core::wire::msr::{MISC_FEATURES_ENABLES, PLATFORM_INFO, TSC_AUX};
use xenstream_core::wire::xsave::{AVX, SSE, X87, least_size};

use super::{Case, LENGTH, either, other};
use crate::body::{Body, Field};
use crate::item::{Item, Part};
use crate::libxc::{self, vcpu_basic};
use crate::minimal;
use crate::places::{BASIC, BLOB};
use crate::vcpu::{Basic, extended_state, xsave_state};

/// The first address that is not canonical, and the last one of the lower half.
const LOWER: [u64; 2] = [1 << 47, (1 << 47) - 1];
/// The last address that is not canonical, and the first one of the upper half.
const UPPER: [u64; 2] = [(u64::MAX << 47) - 1, u64::MAX << 47];

pub(super) fn cases() -> Vec<Case> {
    [basic_64(), basic_32(), extended(), xsave(), msrs()].concat()
}

/// A word of BASIC, at this offset of its blob, that breaks the rule, and one that does not.
fn basic(rule: Rule, variant: &'static str, registers: &Basic, at: u64, values: [u64; 2]) -> Case {
    let base = if registers.is_wide() { minimal::pv64() } else { minimal::pv32() };
    let [broken, fine] = values.map(|value| vcpu_basic(0, &registers.clone().word(at, value)));
    let neighbour = base.clone().replaced(BASIC, fine);
    other(rule, variant, &base, BASIC, broken, BLOB + at).beside(&neighbour)
}

fn basic_64() -> Vec<Case> {
    let wide = |rule, variant, at, values| basic(rule, variant, &Basic::pv64(), at, values);
    let address = |variant, at, values| wide(Rule::PvRegisters, variant, at, values);
    let [above_lower, _] = LOWER;
    let cr1 = LAYOUT_64.cr1.expect("64-bit guests have one");
    vec![
        address("", 648, LOWER),
        address("upper-half", 648, UPPER),
        address("last-trap", 4808, LOWER),
        wide(Rule::PvLdt, "", 4824, [LDT_ENTRIES_MAX + 1, LDT_ENTRIES_MAX]),
        wide(Rule::PvLdt, "unaligned", 4816, [8, 0x1000]),
        wide(Rule::PvLdt, "base", 4816, [above_lower, above_lower - 0x1000]),
        wide(Rule::PvLdt, "hypervisor", 4816, [0xFFFF_87FF_FFFF_F000, 0xFFFF_8800_0000_0000]),
        wide(Rule::PvGdtCount, "upper-half", LAYOUT_64.gdt_ents, [1 << 32, GDT_ENTRIES_MAX]),
        basic(Rule::PvUserMode, "", &Basic::pv64().flags(0), cr1, [0, 1]),
        wide(Rule::PvCr1Present, "", cr1, [0x1000, 0x1001]),
        wide(Rule::PvDebug, "", 5104, [1 << 32, 0xFFFF_FFFF]),
        wide(Rule::PvDebug, "dr6", 5096, [1 << 40, 0xFFFF_0FF0]),
        wide(Rule::PvDebug, "dr0", 5048, LOWER),
        wide(Rule::PvDebug, "dr3", 5072, [0xFFFF_87FF_FFFF_FFFF, 0xFFFF_8800_0000_0000]),
        wide(Rule::PvVmAssist, "", 5136, [1 << 6, VM_ASSIST_64]),
        wide(Rule::PvVmAssist, "upper-half", 5136, [1 << 40, 1 << 32]),
    ]
}

fn basic_32() -> Vec<Case> {
    let narrow = |rule, variant, at, values| basic(rule, variant, &Basic::pv32(), at, values);
    vec![
        narrow(Rule::PvEflagsVm, "", 556, [1 << 17, !(1 << 17)]),
        narrow(Rule::PvLdt, "pv32", 2636, [LDT_ENTRIES_MAX + 1, LDT_ENTRIES_MAX]),
        narrow(Rule::PvLdt, "pv32-unaligned", 2632, [0xFFFF_F800, 0xFFFF_F000]),
        narrow(Rule::PvVmAssist, "pv32", 2796, [1 << 6, VM_ASSIST_32]),
    ]
}

/// A record more of a vcpu, as it should not and as it should be.
fn record(rule: Rule, variant: &'static str, items: [Item; 2], at: u64) -> Case {
    either(rule, variant, &minimal::pv32(), BASIC, items, at)
}

fn extended() -> Vec<Case> {
    let field = |rule, variant, size, at, [broken, fine]: [Field; 2]| {
        let items = [broken, fine]
            .map(|field| libxc::vcpu_extended(0, extended_state(0, size)).edited(BLOB + at, field));
        record(rule, variant, items, BLOB + at)
    };
    let sizes = |sizes: [u64; 2]| sizes.map(|size| Field::le32(size as u32));
    let words = |words: [u64; 2]| words.map(Field::le64);
    vec![
        field(Rule::PvExtendedSize, "", 64, 4, sizes([EXTENDED_SIZE_MIN - 1, EXTENDED_SIZE_MIN])),
        field(Rule::PvExtendedShort, "", 64, 4, sizes([65, 64])),
        field(Rule::PvExtendedCallback, "", 64, 8, words(LOWER)),
        field(Rule::PvExtendedCallback, "sysenter", 64, 16, words(LOWER)),
        field(Rule::PvExtendedCaps, "", 64, 32, words([VMCE_CAPS | 1 << 9, VMCE_CAPS])),
        field(Rule::PvExtendedCaps, "short", 40, 32, words([u64::MAX, 0])),
    ]
}

fn xsave() -> Vec<Case> {
    let sized = |variant, at, [broken, fine]: [u64; 2], size| {
        let items =
            [broken, fine].map(|value| libxc::vcpu_xsave(0, size).edited(BLOB + at, Field::le64(value)));
        record(Rule::PvXsaveState, variant, items, BLOB + at)
    };
    let field = |variant, at, values| sized(variant, at, values, XSAVE_MIN + least_size(X87 | SSE | AVX));
    let accum =
        |variant, [broken, fine]: [u64; 2]| sized(variant, 8, [broken, fine], XSAVE_MIN + least_size(fine));
    let xsave_item = |blob: Vec<u8>| libxc::vcpu(X86_PV_VCPU_XSAVE, 0, Body::new().raw(blob));
    let longer = vec![0; XSAVE_MIN as usize + 1];
    let area = |variant, mask: u8, sizes: [u64; 2]| {
        let items = sizes.map(|size| {
            let mut blob = xsave_state(size);
            blob[0] = mask;
            blob[8] = mask;
            xsave_item(blob)
        });
        record(Rule::PvXsaveArea, variant, items, LENGTH)
    };
    vec![
        field("", 0, [0, 1]),
        field("beyond-accum", 0, [0x207, 7]),
        accum("accum", [u64::MAX, 0x207]),
        accum("ymm-alone", [5, 7]),
        accum("half-avx512", [0x67, 0xE7]),
        accum("half-mpx", [0xF, 0x1F]),
        accum("half-tile", [0x2_0007, 0x6_0007]),
        field("bv", 528, [8, 7]),
        field("compact", 536, [1 << 63, 0]),
        field("reserved", 584, [1, 0]),
        area("", 1, [XSAVE_AREA_MIN - 1, XSAVE_AREA_MIN]),
        record(Rule::PvXsaveArea, "masks-alone", [longer, xsave_state(XSAVE_MIN)].map(xsave_item), LENGTH),
        area("avx", 7, [856, 848]),
        area("avx512", 0xE7, [848 + 1599, 848 + 1600]),
        xsave_length(),
        xsave_policy(),
    ]
}

/// Protection keys, which the stream's own policy does not offer.
fn xsave_policy() -> Case {
    let policy = libxc::cpuid_policy(&[[7, 0, 0, 0, 0, 0]]);
    let base = minimal::pv32().before(Part::libxc(STATIC_DATA_END), policy);
    let items = [(0x207, 856), (7, 848)].map(|(accum, size)| {
        libxc::vcpu_xsave(0, size).edited(BLOB, Field::le64(1)).edited(BLOB + 8, Field::le64(accum))
    });
    either(Rule::PvXsaveState, "policy", &base, BASIC, items, BLOB + 8)
}

/// Against the stream's own policy, which says where the protection keys lie.
fn xsave_length() -> Case {
    let policy = libxc::cpuid_policy(&[[0xD, 2, 256, 576, 0, 0], [0xD, 9, 8, 832, 0, 0]]);
    let base = minimal::pv32().before(Part::libxc(STATIC_DATA_END), policy);
    let items = [864, 856].map(|size| {
        libxc::vcpu_xsave(0, size).edited(BLOB, Field::le64(0x207)).edited(BLOB + 8, Field::le64(0x207))
    });
    either(Rule::PvXsaveLength, "", &base, BASIC, items, LENGTH)
}

fn msrs() -> Vec<Case> {
    let entries = |count: u64| libxc::vcpu_msrs(0, &vec![(TSC_AUX, 0); count as usize]);
    let entry = |rule, variant, at, entries: [(u32, u64); 2]| {
        let items = entries.map(|entry| libxc::vcpu_msrs(0, &[(TSC_AUX, 1), entry]));
        record(rule, variant, items, BLOB + MSR + at)
    };
    let value = |variant, index, values: [u64; 2]| {
        entry(Rule::PvMsrsValue, variant, 8, values.map(|value| (index, value)))
    };
    vec![
        record(Rule::PvMsrsCount, "", [MSRS_MAX + 1, MSRS_MAX].map(entries), LENGTH),
        entry(Rule::PvMsrsIndex, "", 0, [(0x1_2345, 0), (0xC001_1027, 0)]),
        entry(Rule::PvMsrsIndex, "xss", 0, [(0xDA0, 0), (0x140, 0)]),
        value("", 0x48, [1 << 8, 0x4FF]),
        value("tsc-aux", TSC_AUX, [1 << 32, 0xFFFF_FFFF]),
        value("cpuid-faulting", 0x140, [2, 1]),
        value("address-mask", 0xC001_1019, [1 << 63, 0xFFFF_FFFF]),
        msr_policy(),
        msr_bits(),
    ]
}

/// TSC_AUX, which takes RDTSCP or RDPID.
fn msr_policy() -> Case {
    let policy = libxc::cpuid_policy(&[[7, 0, 0, 0, 0, 0], [0x8000_0001, u32::MAX, 0, 0, 0, 0]]);
    let base = minimal::pv32().before(Part::libxc(STATIC_DATA_END), policy);
    let items = [TSC_AUX, MISC_FEATURES_ENABLES].map(|index| libxc::vcpu_msrs(0, &[(index, 0)]));
    either(Rule::PvMsrsPolicy, "", &base, BASIC, items, BLOB)
}

/// CPUID faulting, which the stream's MSR policy does not offer.
fn msr_bits() -> Case {
    let base = minimal::pv32().before(Part::libxc(STATIC_DATA_END), libxc::msr_policy(&[(PLATFORM_INFO, 0)]));
    let items = [1, 0].map(|value| libxc::vcpu_msrs(0, &[(MISC_FEATURES_ENABLES, value)]));
    either(Rule::PvMsrsValue, "policy", &base, BASIC, items, BLOB + 8)
}
