//! Small records: what the guest is, its clock, and the headers of its vcpus.

use xenstream_core::wire::libxc::types::{
    END, SHARED_INFO, X86_PV_INFO, X86_PV_VCPU_BASIC, X86_PV_VCPU_EXTENDED, X86_PV_VCPU_MSRS,
    X86_PV_VCPU_XSAVE, X86_TSC_INFO,
};
use xenstream_core::wire::libxc::{pv_info, tsc, vcpu};
use xenstream_core::{Guest, Limit, Profile, Rule};

use crate::body::{Body, Field};
use crate::broken::needs::{ANY, PV};
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, either, field, other};
use crate::item::{Item, Part};
use crate::libxc::{self, record};
use crate::minimal;
use crate::places::{BASIC, BLOB, BODY, INFO, LENGTH, PARAMS};
use crate::stream::Stream;
use crate::vcpu::extended_state;

const VCPU: [u32; 4] = [X86_PV_VCPU_BASIC, X86_PV_VCPU_EXTENDED, X86_PV_VCPU_XSAVE, X86_PV_VCPU_MSRS];

pub(crate) fn cases() -> Vec<Case> {
    [vcpus(), vcpu_fields(), shared_info_and_tsc()].concat()
}

pub(super) fn pv_info() -> Vec<Case> {
    let pv = minimal::pv32();
    let length = |variant, bytes: u64| {
        let body = Body::new().u8(4).u8(3).zeros(bytes - 2);
        other(Rule::LibxcPvInfoLength, variant, &pv, INFO, record(X86_PV_INFO, body), LENGTH)
    };
    let combination =
        |variant, info| other(Rule::LibxcPvInfoCombination, variant, &pv, INFO, libxc::pv_info(info), BODY);
    vec![
        length("", 7),
        length("longer", 16)
            .silent(Profile::Restore)
            .note("the restorer reads the first bytes and asks for no more"),
        combination("", (8, 3)),
        combination("width", (5, 3)),
        combination("narrow", (4, 4)),
        field(Rule::LibxcPvInfoReserved, "", &pv, INFO, BODY + pv_info::RESERVED_AT, Field::U8(1)),
        field(Rule::LibxcPvInfoReserved, "last", &pv, INFO, BODY + 7, Field::U8(1))
            .at(pv.offset(pv.find(INFO)) + BODY + pv_info::RESERVED_AT),
    ]
}

/// A record more after the memory of a PV guest, as it should not and as it should be.
fn in_pv(rule: Rule, variant: &'static str, broken: Item, fine: Item, at: u64) -> Case {
    either(rule, variant, &minimal::pv32(), BASIC, [broken, fine], at)
}

fn vcpus() -> Vec<Case> {
    let pv = minimal::pv32();
    let basic = |variant, base: &Stream, size| {
        let blob = Body::new().zeros(size);
        let item = libxc::vcpu(X86_PV_VCPU_BASIC, 0, blob);
        other(Rule::LibxcVcpuBasicLength, variant, base, BASIC, item, LENGTH)
    };
    let blob = |rule, variant, kind, size, right| {
        let wrong = libxc::vcpu(kind, 0, Body::new().zeros(size));
        in_pv(rule, variant, wrong, right, LENGTH)
    };
    let headless = |variant, kind, size| {
        let wrong = record(kind, Body::new().zeros(size));
        in_pv(Rule::LibxcVcpuHeader, variant, wrong, libxc::vcpu_xsave(0, vcpu::XSAVE_MIN), LENGTH)
    };
    let extended = |size| libxc::vcpu_extended(0, extended_state(0, size));
    let msrs = || libxc::vcpu_msrs(0, &[(0xC000_0103, 0)]);
    vec![
        headless("", X86_PV_VCPU_XSAVE, 7),
        headless("empty", X86_PV_VCPU_EXTENDED, 0),
        basic("", &pv, vcpu::BASIC_32 - 8),
        basic("wide", &pv, vcpu::BASIC_64).note("as long as a 64-bit guest's"),
        basic("pv64", &minimal::pv64(), vcpu::BASIC_32).note("as long as a 32-bit guest's"),
        blob(
            Rule::LibxcVcpuExtendedLength,
            "",
            X86_PV_VCPU_EXTENDED,
            vcpu::EXTENDED_MAX + 1,
            extended(vcpu::EXTENDED_MAX),
        ),
        blob(
            Rule::LibxcVcpuXsaveLength,
            "",
            X86_PV_VCPU_XSAVE,
            vcpu::XSAVE_MIN - 1,
            libxc::vcpu_xsave(0, vcpu::XSAVE_MIN),
        ),
        blob(Rule::LibxcVcpuMsrsLength, "", X86_PV_VCPU_MSRS, vcpu::MSR + 8, msrs()),
        blob(Rule::LibxcVcpuEmpty, "", X86_PV_VCPU_EXTENDED, 0, extended(64))
            .note("Xen 4.6 to 4.8 wrote such records: they count as absent"),
        blob(Rule::LibxcVcpuEmpty, "msrs", X86_PV_VCPU_MSRS, 0, msrs()),
    ]
}

fn vcpu_fields() -> Vec<Case> {
    let xsave = |id| libxc::vcpu_xsave(id, vcpu::XSAVE_MIN);
    let empty = |id| libxc::vcpu_msrs(id, &[]);
    let reserved = |item: Item| item.edited(BODY + vcpu::RESERVED_AT, Field::U32(1));
    let limit = [Profile::Spec, Profile::Restore, Profile::Hardened]
        .map(|profile| Limit::Vcpus.default_for(profile))
        .map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let extended = |inner| libxc::vcpu_extended(0, extended_state(inner, 64));
    let msrs = || libxc::vcpu_msrs(0, &[(0xC000_0103, 0), (0xC001_1027, 0)]);
    let msr = |variant, n: u64| {
        let at = BLOB + n * vcpu::MSR + 4;
        in_pv(Rule::LibxcVcpuMsrsReserved, variant, msrs().edited(at, Field::le32(1)), msrs(), at)
    };
    vec![
        in_pv(Rule::LibxcVcpuReserved, "", reserved(xsave(0)), xsave(0), BODY + vcpu::RESERVED_AT),
        in_pv(Rule::LibxcVcpuId, "", xsave(limit[0]), xsave(limit[0] - 1), BODY),
        in_pv(Rule::LibxcVcpuId, "hardened", xsave(limit[2]), xsave(limit[2] - 1), BODY)
            .silent(Profile::Spec)
            .silent(Profile::Restore),
        in_pv(Rule::LibxcVcpuId, "limit", xsave(2), xsave(1), BODY).limit(Limit::Vcpus, 2),
        in_pv(Rule::LibxcVcpuId, "empty", empty(limit[0]), empty(limit[0] - 1), BODY)
            .allowing(Rule::LibxcVcpuEmpty)
            .silent(Profile::Restore)
            .note("the restorer drops it before it looks at the id"),
        in_pv(Rule::LibxcVcpuExtendedId, "", extended(1), extended(0), BLOB)
            .note("Xen goes by the id inside the blob"),
        msr("", 0),
        msr("second", 1),
    ]
}

fn shared_info_and_tsc() -> Vec<Case> {
    let (pv, hvm) = (minimal::pv32(), minimal::hvm());
    let shared = |variant, size| {
        let item = record(SHARED_INFO, Body::new().zeros(size));
        other(Rule::LibxcSharedInfoLength, variant, &pv, Part::libxc(SHARED_INFO), item, LENGTH)
    };
    let tsc = |rule, variant, broken, at| {
        either(rule, variant, &hvm, PARAMS, [broken, libxc::clock_of(2, 0, 0, 1)], at)
    };
    let length = |variant, size| {
        tsc(Rule::LibxcTscInfoLength, variant, record(X86_TSC_INFO, Body::new().zeros(size)), LENGTH)
    };
    let reserved = libxc::clock_of(2, 0, 0, 1).edited(BODY + tsc::RESERVED_AT, Field::U32(1));
    vec![
        shared("", 8),
        shared("longer", 4104),
        length("", 16),
        length("longer", 32),
        tsc(Rule::LibxcTscInfoReserved, "", reserved, BODY + tsc::RESERVED_AT),
        tsc(Rule::LibxcTscInfoMode, "", libxc::clock_of(3, 0, 0, 1), BODY),
        tsc(Rule::LibxcTscInfoKhz, "", libxc::clock_of(1, 999, 0, 1), BODY + 4),
        tsc(Rule::LibxcTscInfoKhz, "large", libxc::clock_of(0, 20_000_001, 0, 1), BODY + 4),
        tsc(Rule::LibxcTscInfoKhz, "wraps", libxc::clock_of(1, 1 << 29, 0, 1), BODY + 4)
            .note("releases before 4.16.4 and 4.17.1 loop for ever"),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxcPvInfoLength, PV, |d| {
        let length = d.one_of(&[0, 2, 7, 9, 16])?;
        d.other(d.first(INFO)?, record(X86_PV_INFO, Body::new().zeros(length)), LENGTH)
    }),
    Break::new(Rule::LibxcPvInfoCombination, PV, |d| {
        let info = d.one_of(&[(8, 3), (4, 4), (0, 0), (8, 5), (16, 4), (255, 255)])?;
        d.other(d.first(INFO)?, libxc::pv_info(info), BODY)
    }),
    Break::new(Rule::LibxcVcpuHeader, PV, |d| {
        let kind = d.one_of(&VCPU)?;
        let body = Body::new().zeros(d.number(0, vcpu::HEADER));
        break_in_pv(d, record(kind, body), LENGTH)
    }),
    Break::new(Rule::LibxcVcpuBasicLength, PV, |d| {
        let right = if d.expected.guest_width? == 4 { vcpu::BASIC_32 } else { vcpu::BASIC_64 };
        let size = d.one_of(&[1, right - 8, right + 8, vcpu::BASIC_32 + vcpu::BASIC_64 - right])?;
        blob(d, X86_PV_VCPU_BASIC, size)
    }),
    Break::new(Rule::LibxcVcpuExtendedLength, PV, |d| {
        let size = d.number(vcpu::EXTENDED_MAX + 1, 64);
        blob(d, X86_PV_VCPU_EXTENDED, size)
    }),
    Break::new(Rule::LibxcVcpuXsaveLength, PV, |d| {
        let size = d.number(1, vcpu::XSAVE_MIN - 1);
        blob(d, X86_PV_VCPU_XSAVE, size)
    }),
    Break::new(Rule::LibxcVcpuMsrsLength, PV, |d| {
        let size = vcpu::MSR * d.number(0, 4) + d.number(1, vcpu::MSR - 1);
        blob(d, X86_PV_VCPU_MSRS, size)
    }),
    Break::new(Rule::LibxcVcpuEmpty, PV, |d| {
        let kind = d.one_of(&VCPU)?;
        blob(d, kind, 0)
    }),
    Break::new(Rule::LibxcVcpuId, PV, |d| {
        let id = d.one_of(&[Limit::Vcpus.default_for(Profile::Spec), u64::from(u32::MAX)])?;
        d.field(any_vcpu(d)?, BODY, Field::U32(id as u32))
    }),
    Break::new(Rule::LibxcVcpuExtendedId, PV, |d| {
        let outer = d.number(0, 8) as u32;
        let inner = d.number(u64::from(outer) + 1, 1 << 20) as u32;
        break_in_pv(d, libxc::vcpu_extended(outer, extended_state(inner, 64)), BLOB)
    }),
    Break::new(Rule::LibxcSharedInfoLength, PV, |d| {
        let length = d.one_of(&[0, 8, 4088, 4104])?;
        break_in_pv(d, record(SHARED_INFO, Body::new().zeros(length)), LENGTH)
    }),
    Break::new(Rule::LibxcTscInfoLength, ANY, |d| {
        let length = d.one_of(&[0, tsc::LENGTH - 1, tsc::LENGTH + 8])?;
        at_end(d, record(X86_TSC_INFO, Body::new().zeros(length)), LENGTH)
    }),
    Break::new(Rule::LibxcTscInfoKhz, ANY, |d| {
        let mode = d.number(0, 2) as u32;
        let khz = d.one_of(&[1, 999, 20_000_001, 0x2000_0000, u32::MAX])?;
        at_end(d, libxc::clock_of(mode, khz, 0, 0), BODY + 4)
    }),
];

fn any_vcpu(d: &Draft<'_>) -> Option<usize> {
    d.any(|_, item| VCPU.map(Part::libxc).contains(&item.part()))
}

/// A record more, last but END.
fn at_end(d: &Draft<'_>, item: Item, at: u64) -> Option<Fault> {
    d.extra(d.last(Part::libxc(END))?, item, at)
}

fn break_in_pv(d: &Draft<'_>, item: Item, at: u64) -> Option<Fault> {
    d.guest(Guest::Pv)?;
    at_end(d, item, at)
}

pub(super) fn in_hvm(d: &Draft<'_>, item: Item, at: u64) -> Option<Fault> {
    d.guest(Guest::Hvm)?;
    at_end(d, item, at)
}

/// A VCPU record with a blob of this size, which is not right.
fn blob(d: &Draft<'_>, kind: u32, size: u64) -> Option<Fault> {
    break_in_pv(d, libxc::vcpu(kind, 0, Body::new().zeros(size)), LENGTH)
}
