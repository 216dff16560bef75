//! The state of PV vcpus: values that the hypervisor refuses.

use xenstream_core::wire::libxc::types::{
    END, STATIC_DATA_END, X86_CPUID_POLICY, X86_PV_VCPU_MSRS, X86_PV_VCPU_XSAVE,
};
use xenstream_core::wire::libxc::vcpu::{
    EXTENDED_SIZE_MIN, LDT_ENTRIES_MAX, MSR, MSRS_MAX, VMCE_CAPS, XSAVE_AREA_MIN,
};
use xenstream_core::{Guest, Rule};

use super::{BODY, Break, Draft, Fault, LENGTH};
use crate::body::{Body, Field};
use crate::item::{Item, Part};
use crate::libxc;
use crate::places::{BASIC, BLOB};
use crate::stream::Stream;
use crate::vcpu::{extended_state, xsave_state};

const PV: &str = "a PV guest";
const PV32: &str = "a 32-bit PV guest";
const PV64: &str = "a 64-bit PV guest";

pub(super) const BREAKS: &[Break] = &[
    Break::new(Rule::PvRegisters, PV64, |d| {
        // Single registers and callbacks, or the handler of any trap.
        let single = d.one_of(&[648, 672, 4976, 5112, 5120, 5128, 5144, 5152, 5160])?;
        let trap = 728 + 16 * d.number(0, 256);
        let at = d.one_of(&[single, trap])?;
        word(d, 8, at, not_canonical(d)?)
    }),
    Break::new(Rule::PvEflagsVm, PV32, |d| {
        let others = d.number(0, 1 << 16);
        word(d, 4, 556, 1 << 17 | others)
    }),
    Break::new(Rule::PvLdt, PV64, |d| {
        let base = [not_canonical(d)? & !0xFFF, d.number(1, 0xFFF), 0xFFFF_8000_0000_0000];
        word(d, 8, 4816, d.one_of(&base)?)
    }),
    Break::new(Rule::PvLdt, PV64, |d| word(d, 8, 4824, d.one_of(&[LDT_ENTRIES_MAX + 1, 1 << 32, u64::MAX])?)),
    Break::new(Rule::PvLdt, PV32, |d| word(d, 4, 2632, d.number(1, 0xFFF))),
    Break::new(Rule::PvGdtCount, PV64, |d| word(d, 8, 4960, d.number(1, 8) << 32)),
    Break::new(Rule::PvUserMode, PV64, |d| {
        let index = basic(d, 8)?;
        let flags = Field::le64(d.number(0, 2));
        let item = d.item(index).clone().edited(BLOB + 512, flags).edited(BLOB + 4992, Field::le64(0));
        d.other(index, item, BLOB + 4992)
    }),
    Break::new(Rule::PvCr1Present, PV64, |d| word(d, 8, 4992, d.number(1, 512) << 12)),
    Break::new(Rule::PvDebug, PV64, |d| {
        let at = d.one_of(&[5048, 5056, 5064, 5072])?;
        let address = not_canonical(d)?;
        word(d, 8, at, d.one_of(&[address, 0xFFFF_8000_0000_0000])?)
    }),
    Break::new(Rule::PvDebug, PV64, |d| {
        let at = d.one_of(&[5096, 5104])?;
        word(d, 8, at, d.number(1, 0xFFFF) << 32)
    }),
    Break::new(Rule::PvVmAssist, PV, |d| {
        let width = d.expected.guest_width?;
        let index = d.any(|_, item| item.part() == BASIC)?;
        // It belongs to the domain, and Xen takes it from vcpu 0.
        (d.read32(index, BODY) == 0).then_some(())?;
        let bit = 6 + d.number(0, 26);
        if width == 4 {
            d.field(index, BLOB + 2796, Field::le32(1 << bit))
        } else {
            d.field(index, BLOB + 5136, Field::le64(1 << bit))
        }
    }),
    Break::new(Rule::PvExtendedSize, PV, |d| {
        let size = d.number(0, EXTENDED_SIZE_MIN) as u32;
        extended(d, 4, Field::le32(size))
    }),
    Break::new(Rule::PvExtendedShort, PV, |d| {
        let size = d.number(65, u64::from(u32::MAX) - 64) as u32;
        extended(d, 4, Field::le32(size))
    }),
    Break::new(Rule::PvExtendedCallback, PV, |d| {
        let at = d.one_of(&[8, 16])?;
        extended(d, at, Field::le64(not_canonical(d)?))
    }),
    Break::new(Rule::PvExtendedCaps, PV, |d| {
        let bit = d.one_of(&[9, 12, 23, 28, 63])?;
        extended(d, 32, Field::le64(VMCE_CAPS | 1 << bit))
    }),
    Break::new(Rule::PvXsaveState, PV, |d| {
        let (at, value) = d.one_of(&[
            (0, 0),
            (0, 0x207),
            (8, u64::MAX),
            (8, 6),
            (8, 0x27),
            (528, 8),
            (536, 1 << 63),
            (544, 1),
            (584, 1 << 32),
        ])?;
        in_pv(d, libxc::vcpu_xsave(0, 848).edited(BLOB + at, Field::le64(value)), BLOB + at)
    }),
    Break::new(Rule::PvXsaveArea, PV, |d| {
        let mut blob = xsave_state(d.number(17, XSAVE_AREA_MIN - 17));
        let mask = d.number(0, 2) as u8;
        blob[0] = mask;
        blob[8] = mask;
        in_pv(d, libxc::vcpu(X86_PV_VCPU_XSAVE, 0, Body::new().raw(blob)), LENGTH)
    }),
    Break::new(Rule::PvXsaveArea, PV, |d| {
        let size = d.number(XSAVE_AREA_MIN + 1, 847 - XSAVE_AREA_MIN);
        in_pv(d, libxc::vcpu_xsave(0, size), LENGTH)
    }),
    Break::new(Rule::PvXsaveLength, "a PV guest in version 3", |d| {
        d.version(3)?;
        // A CPUID policy in place of any other, which says where the protection keys lie.
        let policy = libxc::cpuid_policy(&[[0xD, 2, 256, 576, 0, 0], [0xD, 9, 8, 832, 0, 0]]);
        let stream = with_policy(d, policy)?;
        let draft = Draft { stream: &stream, expected: d.expected, choices: d.choices.clone() };
        let mask = Field::le64(0x207);
        let item = libxc::vcpu_xsave(0, d.number(857, 64)).edited(BLOB, mask.clone()).edited(BLOB + 8, mask);
        in_pv(&draft, item, LENGTH)
    }),
    Break::new(Rule::PvMsrsCount, PV, |d| {
        let msrs = vec![(0xC000_0103, 0); d.number(MSRS_MAX + 1, 9) as usize];
        in_pv(d, libxc::vcpu_msrs(0, &msrs), LENGTH)
    }),
    Break::new(Rule::PvMsrsIndex, PV, |d| {
        let index = d.one_of(&[0, 0x10, 0xDA0, 0xC000_0102, 0xC001_1018, 0xC001_101C, u32::MAX])?;
        msr(d, index, 0, 0)
    }),
    Break::new(Rule::PvMsrsPolicy, "a PV guest in version 3", |d| {
        d.version(3)?;
        let policy = libxc::cpuid_policy(&[[7, 0, 0, 0, 0, 0], [0x8000_0001, u32::MAX, 0, 0, 0, 0]]);
        let stream = with_policy(d, policy)?;
        let draft = Draft { stream: &stream, expected: d.expected, choices: d.choices.clone() };
        let item = libxc::vcpu_msrs(0, &[(d.one_of(&[0xC000_0103, 0xC001_1027])?, 0)]);
        // In place of the first, so that no vcpu is judged by the policy earlier.
        match draft.first(Part::libxc(X86_PV_VCPU_MSRS)) {
            Some(index) => draft.other(index, item, BLOB),
            None => in_pv(&draft, item, BLOB),
        }
    }),
    Break::new(Rule::PvMsrsValue, PV, |d| {
        let (index, value) =
            d.one_of(&[(0x48, 1 << 8), (0x140, 2), (0xC000_0103, 1 << 32), (0xC001_1027, u64::MAX)])?;
        msr(d, index, value, 8)
    }),
];

/// The stream with this CPUID policy in place of any other.
fn with_policy(d: &Draft<'_>, policy: Item) -> Option<Stream> {
    Some(match d.first(Part::libxc(X86_CPUID_POLICY)) {
        Some(index) => d.stream.clone().with_item(index, policy),
        None => d.stream.clone().inserted(d.first(Part::libxc(STATIC_DATA_END))?, policy),
    })
}

/// An address that is not canonical.
fn not_canonical(d: &Draft<'_>) -> Option<u64> {
    d.one_of(&[1 << 47, (u64::MAX << 47) - 1, 1 << 63])
}

/// The BASIC of any vcpu, if the guest is of this width.
fn basic(d: &Draft<'_>, width: u8) -> Option<usize> {
    (d.expected.guest_width? == width).then_some(())?;
    d.any_of(BASIC)
}

/// A word of BASIC at this offset of the blob.
fn word(d: &Draft<'_>, width: u8, at: u64, value: u64) -> Option<Fault> {
    let index = basic(d, width)?;
    let field = if width == 4 { Field::le32(value as u32) } else { Field::le64(value) };
    d.field(index, BLOB + at, field)
}

/// A record more, last but END.
fn in_pv(d: &Draft<'_>, item: Item, at: u64) -> Option<Fault> {
    d.guest(Guest::Pv)?;
    d.extra(d.last(Part::libxc(END))?, item, at)
}

/// EXTENDED with a field overwritten.
fn extended(d: &Draft<'_>, at: u64, field: Field) -> Option<Fault> {
    in_pv(d, libxc::vcpu_extended(0, extended_state(0, 64)).edited(BLOB + at, field), BLOB + at)
}

/// MSRS with this entry after others, broken `at` bytes from the entry's first.
fn msr(d: &Draft<'_>, index: u32, value: u64, at: u64) -> Option<Fault> {
    let before = d.number(0, MSRS_MAX);
    let mut msrs = vec![(0xC000_0103, 0); before as usize];
    msrs.push((index, value));
    in_pv(d, libxc::vcpu_msrs(0, &msrs), BLOB + MSR * before + at)
}
