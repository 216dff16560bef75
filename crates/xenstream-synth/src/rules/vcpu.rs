//! The registers of a PV vcpu: values that the hypervisor refuses, and memory that they name.

use xenstream_core::wire::libxc::pte;
use xenstream_core::wire::libxc::types::{
    END, STATIC_DATA_END, X86_CPUID_POLICY, X86_PV_VCPU_MSRS, X86_PV_VCPU_XSAVE,
};
use xenstream_core::wire::libxc::vcpu::{
    self, BasicLayout, EXTENDED_SIZE_MIN, GDT_ENTRIES_MAX, LAYOUT_32, LAYOUT_64, LDT_ENTRIES_MAX, MSR,
    MSRS_MAX, VM_ASSIST_32, VM_ASSIST_64, VMCE_CAPS, XSAVE_AREA_MIN, XSAVE_MIN,
};
use xenstream_core::wire::msr::{MISC_FEATURES_ENABLES, PLATFORM_INFO, TSC_AUX};
use xenstream_core::wire::pv;
use xenstream_core::wire::xsave::{AVX, PKRU, SSE, X87, least_size};
use xenstream_core::{Guest, Rule};

use crate::body::{Body, Field};
use crate::broken::needs::{PV, PV64};
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, either, other};
use crate::flat::offset_of;
use crate::item::{Item, Part};
use crate::libxc::{self, vcpu_basic};
use crate::minimal;
use crate::pages::pte as present;
use crate::places::{BASIC, BLOB, BODY, LENGTH, MAX_32, MAX_64};
use crate::stream::Stream;
use crate::vcpu::{Basic, extended_state, xsave_of, xsave_state};

/// The first address that is not canonical, and the last one of the lower half.
const LOWER: [u64; 2] = [1 << 47, (1 << 47) - 1];
/// The last address that is not canonical, and the first one of the upper half.
const UPPER: [u64; 2] = [(u64::MAX << 47) - 1, u64::MAX << 47];

pub(crate) fn cases() -> Vec<Case> {
    [basic_64(), basic_32(), extended(), xsave(), msrs()].concat()
}

/// A field of BASIC with a value that breaks the rule, and with one that does not.
fn basic(rule: Rule, variant: &'static str, registers: &Basic, field: &str, values: [u64; 2]) -> Case {
    basic_at(rule, variant, registers, registers.offset_of(field), values)
}

/// The same with the word at this offset of its blob.
fn basic_at(rule: Rule, variant: &'static str, registers: &Basic, at: u64, values: [u64; 2]) -> Case {
    let base = if registers.is_wide() { minimal::pv64() } else { minimal::pv32() };
    let [broken, fine] = values.map(|value| vcpu_basic(0, &registers.clone().word(at, value)));
    let neighbour = base.clone().replaced(BASIC, fine);
    other(rule, variant, &base, BASIC, broken, BLOB + at).beside(&neighbour)
}

fn basic_64() -> Vec<Case> {
    let wide = |rule, variant, at, values| basic(rule, variant, &Basic::pv64(), at, values);
    let address = |variant, at, values| wide(Rule::PvRegisters, variant, at, values);
    let [above_lower, _] = LOWER;
    let trap = Basic::pv64().offset_of_element("trap_address", 255);
    vec![
        address("", "rip", LOWER),
        address("upper-half", "rip", UPPER),
        basic_at(Rule::PvRegisters, "last-trap", &Basic::pv64(), trap, LOWER),
        wide(Rule::PvLdt, "", "ldt_ents", [LDT_ENTRIES_MAX + 1, LDT_ENTRIES_MAX]),
        wide(Rule::PvLdt, "unaligned", "ldt_base", [8, 0x1000]),
        wide(Rule::PvLdt, "base", "ldt_base", [above_lower, above_lower - 0x1000]),
        wide(Rule::PvLdt, "hypervisor", "ldt_base", [0xFFFF_87FF_FFFF_F000, 0xFFFF_8800_0000_0000]),
        wide(Rule::PvGdtCount, "upper-half", "gdt_ents", [1 << 32, GDT_ENTRIES_MAX]),
        basic(Rule::PvUserMode, "", &Basic::pv64().flags(0), "cr1", [0, 1]),
        wide(Rule::PvCr1Present, "", "cr1", [0x1000, 0x1001]),
        wide(Rule::PvDebug, "", "dr7", [1 << 32, 0xFFFF_FFFF]),
        wide(Rule::PvDebug, "dr6", "dr6", [1 << 40, 0xFFFF_0FF0]),
        wide(Rule::PvDebug, "dr0", "dr0", LOWER),
        wide(Rule::PvDebug, "dr3", "dr3", [0xFFFF_87FF_FFFF_FFFF, 0xFFFF_8800_0000_0000]),
        wide(Rule::PvVmAssist, "", "vm_assist", [1 << 6, VM_ASSIST_64]),
        wide(Rule::PvVmAssist, "upper-half", "vm_assist", [1 << 40, 1 << 32]),
    ]
}

fn basic_32() -> Vec<Case> {
    let narrow = |rule, variant, at, values| basic(rule, variant, &Basic::pv32(), at, values);
    vec![
        narrow(Rule::PvEflagsVm, "", "eflags", [1 << 17, !(1 << 17)]),
        narrow(Rule::PvLdt, "pv32", "ldt_ents", [LDT_ENTRIES_MAX + 1, LDT_ENTRIES_MAX]),
        narrow(Rule::PvLdt, "pv32-unaligned", "ldt_base", [0xFFFF_F800, 0xFFFF_F000]),
        narrow(Rule::PvVmAssist, "pv32", "vm_assist", [1 << 6, VM_ASSIST_32]),
    ]
}

/// A record more of a vcpu, as it should not and as it should be.
fn either_record(rule: Rule, variant: &'static str, items: [Item; 2], at: u64) -> Case {
    either(rule, variant, &minimal::pv32(), BASIC, items, at)
}

fn extended() -> Vec<Case> {
    let field = |rule, variant, size, name, [broken, fine]: [Field; 2]| {
        let at = offset_of(&pv::EXTENDED, name);
        let items = [broken, fine]
            .map(|field| libxc::vcpu_extended(0, extended_state(0, size)).edited(BLOB + at, field));
        either_record(rule, variant, items, BLOB + at)
    };
    let sizes = |sizes: [u64; 2]| sizes.map(|size| Field::le32(size as u32));
    let words = |words: [u64; 2]| words.map(Field::le64);
    vec![
        field(Rule::PvExtendedSize, "", 64, "size", sizes([EXTENDED_SIZE_MIN - 1, EXTENDED_SIZE_MIN])),
        field(Rule::PvExtendedShort, "", 64, "size", sizes([65, 64])),
        field(Rule::PvExtendedCallback, "", 64, "syscall32_callback_eip", words(LOWER)),
        field(Rule::PvExtendedCallback, "sysenter", 64, "sysenter_callback_eip", words(LOWER)),
        field(Rule::PvExtendedCaps, "", 64, "vmce_caps", words([VMCE_CAPS | 1 << 9, VMCE_CAPS])),
        field(Rule::PvExtendedCaps, "short", 40, "vmce_caps", words([u64::MAX, 0])),
    ]
}

fn xsave() -> Vec<Case> {
    let sized = |variant, name, [broken, fine]: [u64; 2], size| {
        let at = offset_of(&pv::XSAVE, name);
        let items =
            [broken, fine].map(|value| libxc::vcpu_xsave(0, size).edited(BLOB + at, Field::le64(value)));
        either_record(Rule::PvXsaveState, variant, items, BLOB + at)
    };
    let field = |variant, name, values| sized(variant, name, values, XSAVE_MIN + least_size(X87 | SSE | AVX));
    let accum = |variant, [broken, fine]: [u64; 2]| {
        sized(variant, "xcr0_accum", [broken, fine], XSAVE_MIN + least_size(fine))
    };
    let xsave_item = |blob: Vec<u8>| libxc::vcpu(X86_PV_VCPU_XSAVE, 0, Body::new().raw(blob));
    let longer = vec![0; XSAVE_MIN as usize + 1];
    let area = |variant, mask, sizes: [u64; 2]| {
        let items = sizes.map(|size| xsave_item(xsave_of(size, mask)));
        either_record(Rule::PvXsaveArea, variant, items, LENGTH)
    };
    vec![
        field("", "xcr0", [0, 1]),
        field("beyond-accum", "xcr0", [0x207, 7]),
        accum("accum", [u64::MAX, 0x207]),
        accum("ymm-alone", [5, 7]),
        accum("half-avx512", [0x67, 0xE7]),
        accum("half-mpx", [0xF, 0x1F]),
        accum("half-tile", [0x2_0007, 0x6_0007]),
        field("bv", "xstate_bv", [8, 7]),
        field("compact", "xcomp_bv", [1 << 63, 0]),
        field("reserved", "reserved5", [1, 0]),
        area("", 1, [XSAVE_AREA_MIN - 1, XSAVE_AREA_MIN]),
        either_record(
            Rule::PvXsaveArea,
            "masks-alone",
            [longer, xsave_state(XSAVE_MIN)].map(xsave_item),
            LENGTH,
        ),
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
        libxc::vcpu(X86_PV_VCPU_XSAVE, 0, Body::new().raw(xsave_of(size, X87 | SSE | AVX | PKRU)))
    });
    either(Rule::PvXsaveLength, "", &base, BASIC, items, LENGTH)
}

fn msrs() -> Vec<Case> {
    let entries = |count: u64| libxc::vcpu_msrs(0, &vec![(TSC_AUX, 0); count as usize]);
    let entry = |rule, variant, at, entries: [(u32, u64); 2]| {
        let items = entries.map(|entry| libxc::vcpu_msrs(0, &[(TSC_AUX, 1), entry]));
        either_record(rule, variant, items, BLOB + MSR + at)
    };
    let value = |variant, index, values: [u64; 2]| {
        entry(Rule::PvMsrsValue, variant, 8, values.map(|value| (index, value)))
    };
    vec![
        either_record(Rule::PvMsrsCount, "", [MSRS_MAX + 1, MSRS_MAX].map(entries), LENGTH),
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

pub(super) fn registers() -> Vec<Case> {
    let (wide, narrow) = (minimal::pv64(), minimal::pv32());
    let case = |rule, variant, base: &Stream, [broken, fine]: [Basic; 2], at| {
        let neighbour = base.clone().replaced(BASIC, vcpu_basic(0, &fine));
        other(rule, variant, base, BASIC, vcpu_basic(0, &broken), BLOB + at).beside(&neighbour)
    };
    let pv64 = |rule, variant, set: &dyn Fn(Basic, u64) -> Basic, at| {
        case(rule, variant, &wide, [MAX_64 + 1, MAX_64].map(|pfn| set(Basic::pv64(), pfn)), at)
    };
    let pv32 = |rule, variant, set: &dyn Fn(Basic, u64) -> Basic, at| {
        case(rule, variant, &narrow, [MAX_32 + 1, MAX_32].map(|pfn| set(Basic::pv32(), pfn)), at)
    };
    let count = |variant, base: &Stream, basic: fn() -> Basic, at| {
        let counts = [GDT_ENTRIES_MAX + 1, GDT_ENTRIES_MAX];
        case(Rule::PvGdtCount, variant, base, counts.map(|n| basic().gdt_entries(n)), at)
    };
    // The frame counts if the entries reach into it: the neighbour's end right before it.
    let unreached = [513, 512].map(|n| Basic::pv64().gdt_entries(n).gdt_frame(1, MAX_64 + 1));
    // A frame whose number does not fit the upper bits of a 32-bit cr3 has the rest in the lower ones.
    let folded = [Basic::pv32().cr3(1 << 20), Basic::pv32().cr3(1)];
    vec![
        pv64(Rule::PvStartInfoRange, "", &Basic::start_info, LAYOUT_64.edx),
        pv32(Rule::PvStartInfoRange, "pv32", &Basic::start_info, LAYOUT_32.edx),
        count("", &wide, Basic::pv64, LAYOUT_64.gdt_ents),
        count("pv32", &narrow, Basic::pv32, LAYOUT_32.gdt_ents),
        pv64(
            Rule::PvGdtRange,
            "",
            &|basic, pfn| basic.gdt_entries(1).gdt_frame(0, pfn),
            LAYOUT_64.gdt_frames,
        ),
        case(Rule::PvGdtRange, "second", &wide, unreached, LAYOUT_64.gdt_frames + 8),
        pv32(
            Rule::PvGdtRange,
            "pv32",
            &|basic, pfn| basic.gdt_entries(7168).gdt_frame(13, pfn),
            LAYOUT_32.gdt_frames + 13 * 4,
        ),
        pv64(Rule::PvCr3Range, "", &Basic::cr3, LAYOUT_64.cr3),
        pv32(Rule::PvCr3Range, "pv32", &Basic::cr3, LAYOUT_32.cr3),
        case(Rule::PvCr3Range, "pv32-folded", &narrow, folded, LAYOUT_32.cr3),
        pv64(Rule::PvCr1Range, "", &Basic::cr1, LAYOUT_64.cr1.expect("64-bit guests have one")),
        second_vcpu(),
    ]
}

/// Rules that look at every vcpu, but for the start-info page, which only vcpu 0 names.
fn second_vcpu() -> Case {
    let base = minimal::pv64();
    let item = |pfn| vcpu_basic(1, &Basic::pv64().start_info(MAX_64 + 1).cr3(pfn));
    let end = Part::libxc(END);
    let broken = base.clone().before(end, item(MAX_64 + 1));
    let neighbour = base.before(end, item(MAX_64));
    Case::of(Rule::PvCr3Range, "second-vcpu", &broken, &neighbour).in_item(
        &broken,
        broken.nth(BASIC, 1),
        BLOB + LAYOUT_64.cr3,
    )
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::PvStartInfoRange, PV, |d| {
        let index = d.any(|_, item| item.part() == BASIC)?;
        // Only vcpu 0 names it.
        (d.read32(index, BODY) == 0).then_some(())?;
        let pfn = too_high(d, u64::from(u32::MAX))?;
        register(d, index, |layout| layout.edx, pfn)
    }),
    Break::new(Rule::PvGdtCount, PV, |d| {
        let index = d.any_of(BASIC)?;
        let count = d.one_of(&[GDT_ENTRIES_MAX + 1, 0xFFFF, u64::from(u32::MAX)])?;
        register(d, index, |layout| layout.gdt_ents, count)
    }),
    Break::new(Rule::PvGdtRange, PV, |d| {
        let index = d.any_of(BASIC)?;
        let layout = layout(d)?;
        let frame = d.number(0, GDT_ENTRIES_MAX / vcpu::GDT_ENTRIES_PER_FRAME);
        let at = BLOB + layout.gdt_frames + frame * u64::from(layout.word);
        let pfn = too_high(d, u64::from(u32::MAX))?;
        let entries = (frame * vcpu::GDT_ENTRIES_PER_FRAME + d.number(1, vcpu::GDT_ENTRIES_PER_FRAME)) as u32;
        let item = d.item(index).clone().edited(BLOB + layout.gdt_ents, Field::le32(entries));
        d.other(index, item.edited(at, word(layout, pfn)), at)
    }),
    Break::new(Rule::PvCr3Range, PV, |d| {
        let index = d.any_of(BASIC)?;
        // A 32-bit guest's cr3 has room for 20 bits in the usual place.
        let frame = too_high(d, 0xF_FFFF)?;
        register(d, index, |layout| layout.cr3, frame << pte::FRAME_SHIFT)
    }),
    Break::new(Rule::PvCr1Range, PV64, |d| {
        let index = d.any_of(BASIC)?;
        let at = layout(d)?.cr1?;
        let frame = too_high(d, pte::FRAME >> pte::FRAME_SHIFT)?;
        d.field(index, BLOB + at, Field::le64(present(frame)))
    }),
    Break::new(Rule::PvGdtCount, PV64, |d| wide_word(d, "gdt_ents", d.number(1, 8) << 32)),
    Break::new(Rule::PvUserMode, PV64, |d| {
        let index = break_basic(d, 8)?;
        let flags = Field::le64(d.number(0, 2));
        let [flags_at, cr1] = ["flags", "cr1"].map(|name| BLOB + offset_of(&pv::BASIC_64, name));
        let item = d.item(index).clone().edited(flags_at, flags).edited(cr1, Field::le64(0));
        d.other(index, item, cr1)
    }),
    Break::new(Rule::PvCr1Present, PV64, |d| wide_word(d, "cr1", d.number(1, 512) << 12)),
    Break::new(Rule::PvVmAssist, PV, |d| {
        let width = d.expected.guest_width?;
        let index = d.any(|_, item| item.part() == BASIC)?;
        // It belongs to the domain, and Xen takes it from vcpu 0.
        (d.read32(index, BODY) == 0).then_some(())?;
        let bit = 6 + d.number(0, 26);
        let layout = if width == 4 { &pv::BASIC_32 } else { &pv::BASIC_64 };
        let at = BLOB + offset_of(layout, "vm_assist");
        d.field(index, at, if width == 4 { Field::le32(1 << bit) } else { Field::le64(1 << bit) })
    }),
    Break::new(Rule::PvExtendedSize, PV, |d| {
        let size = d.number(0, EXTENDED_SIZE_MIN) as u32;
        break_extended(d, "size", Field::le32(size))
    }),
    Break::new(Rule::PvExtendedShort, PV, |d| {
        let size = d.number(65, u64::from(u32::MAX) - 64) as u32;
        break_extended(d, "size", Field::le32(size))
    }),
    Break::new(Rule::PvExtendedCaps, PV, |d| {
        let bit = d.one_of(&[9, 12, 23, 28, 63])?;
        break_extended(d, "vmce_caps", Field::le64(VMCE_CAPS | 1 << bit))
    }),
    Break::new(Rule::PvXsaveState, PV, |d| {
        let (name, value) = d.one_of(&[
            ("xcr0", 0),
            ("xcr0", 0x207),
            ("xcr0_accum", u64::MAX),
            ("xcr0_accum", 6),
            ("xcr0_accum", 0x27),
            ("xstate_bv", 8),
            ("xcomp_bv", 1 << 63),
            ("reserved0", 1),
            ("reserved5", 1 << 32),
        ])?;
        let at = offset_of(&pv::XSAVE, name);
        in_pv(d, libxc::vcpu_xsave(0, 848).edited(BLOB + at, Field::le64(value)), BLOB + at)
    }),
    Break::new(Rule::PvXsaveArea, PV, |d| {
        let size = d.number(17, XSAVE_AREA_MIN - 17);
        let blob = xsave_of(size, d.number(0, 2));
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
        let draft = Draft { rule: d.rule, stream: &stream, expected: d.expected, choices: d.choices.clone() };
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
        let draft = Draft { rule: d.rule, stream: &stream, expected: d.expected, choices: d.choices.clone() };
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

/// A pfn above the guest's largest, up to this one.
pub(super) fn too_high(d: &Draft<'_>, most: u64) -> Option<u64> {
    let first = d.expected.max_pfn? + 1;
    d.one_of(&[first, first + 1, first << 4, most])
}

fn layout(d: &Draft<'_>) -> Option<&'static BasicLayout> {
    d.expected.guest_width.map(|width| if width == 4 { &LAYOUT_32 } else { &LAYOUT_64 })
}

fn word(layout: &BasicLayout, value: u64) -> Field {
    if layout.word == 4 { Field::le32(value as u32) } else { Field::le64(value) }
}

fn register(d: &Draft<'_>, index: usize, at: fn(&BasicLayout) -> u64, value: u64) -> Option<Fault> {
    let layout = layout(d)?;
    let at = BLOB + at(layout);
    d.field(index, at, word(layout, value))
}

/// The stream with this CPUID policy in place of any other.
fn with_policy(d: &Draft<'_>, policy: Item) -> Option<Stream> {
    Some(match d.first(Part::libxc(X86_CPUID_POLICY)) {
        Some(index) => d.stream.clone().with_item(index, policy),
        None => d.stream.clone().inserted(d.first(Part::libxc(STATIC_DATA_END))?, policy),
    })
}

/// The BASIC of any vcpu, if the guest is of this width.
fn break_basic(d: &Draft<'_>, width: u8) -> Option<usize> {
    (d.expected.guest_width? == width).then_some(())?;
    d.any_of(BASIC)
}

/// A register of a 64-bit guest.
fn wide_word(d: &Draft<'_>, register: &str, value: u64) -> Option<Fault> {
    let index = break_basic(d, 8)?;
    d.field(index, BLOB + offset_of(&pv::BASIC_64, register), Field::le64(value))
}

/// A record more, last but END.
fn in_pv(d: &Draft<'_>, item: Item, at: u64) -> Option<Fault> {
    d.guest(Guest::Pv)?;
    d.extra(d.last(Part::libxc(END))?, item, at)
}

/// EXTENDED with a field overwritten.
fn break_extended(d: &Draft<'_>, name: &str, field: Field) -> Option<Fault> {
    let at = offset_of(&pv::EXTENDED, name);
    in_pv(d, libxc::vcpu_extended(0, extended_state(0, 64)).edited(BLOB + at, field), BLOB + at)
}

/// MSRS with this entry after others, broken `at` bytes from the entry's first.
fn msr(d: &Draft<'_>, index: u32, value: u64, at: u64) -> Option<Fault> {
    let before = d.number(0, MSRS_MAX);
    let mut msrs = vec![(0xC000_0103, 0); before as usize];
    msrs.push((index, value));
    in_pv(d, libxc::vcpu_msrs(0, &msrs), BLOB + MSR * before + at)
}
