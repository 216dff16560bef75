//! The bodies of libxc records that are flat: policies, parameters, clock, and the header of VCPU records.
//!
//! Source: `docs/specs/libxc-migration-stream.pandoc` of Xen, one section for each record.

use crate::rule::Rule;
use crate::wire::layout::Check::{AtMost, By, Zero};
use crate::wire::layout::{ByteOrder, Field, Group, Hook, Layout, Likely, PolicyHook, RecordHook};
use crate::wire::libxc::{page, params, policy, tsc};
use crate::wire::libxl::{EMULATOR_HEADER, EMULATOR_ID_MAX};
use crate::wire::names;

/// Numbers of vcpus and device models.
const NUMBER: Likely = Likely::below(1 << 16, u32::MAX as u64);

/// X86_PV_INFO.
pub const PV_INFO: Layout = Layout {
    name: "X86_PV_INFO",
    order: ByteOrder::Stream,
    groups: &[Group::once(&[
        Field::new("guest_width", 0, 1, "bytes of a guest's word")
            .kept()
            .brief()
            .decimal()
            .checked(&[By(Hook::Record(RecordHook::PvWidth))]),
        Field::new("pt_levels", 1, 1, "levels of its page tables")
            .kept()
            .brief()
            .decimal()
            .checked(&[By(Hook::Record(RecordHook::PvLevels))]),
        Field::reserved("reserved", 2, 6).checked(&[Zero(Rule::LibxcPvInfoReserved)]),
    ])],
};

/// X86_TSC_INFO: the guest's clock.
pub const TSC_INFO: Layout = Layout {
    name: "X86_TSC_INFO",
    order: ByteOrder::Stream,
    groups: &[Group::once(&[
        Field::new("mode", 0, 4, "how the guest's TSC is emulated")
            .kept()
            .brief()
            .named(names::TSC_MODES)
            .checked(&[
                By(Hook::Record(RecordHook::TscMode)),
                AtMost(tsc::MODE_MAX as u64, Rule::LibxcTscInfoMode),
            ]),
        Field::new("khz", 4, 4, "frequency of the TSC in kHz, 0 for the host's")
            .kept()
            .decimal()
            .brief()
            .checked(&[By(Hook::Record(RecordHook::TscKhz))]),
        Field::new("nsec", 8, 8, "nanoseconds that the guest has lived").kept().decimal().brief(),
        Field::new("incarnation", 16, 4, "how often the guest was restored").kept().decimal().brief(),
        Field::reserved("reserved", 20, 4).checked(&[Zero(Rule::LibxcTscInfoReserved)]),
    ])],
};

/// HVM_PARAMS: a header, then entries.
pub const HVM_PARAMS: Layout = Layout {
    name: "HVM_PARAMS",
    order: ByteOrder::Stream,
    groups: &[
        Group::once(&[
            Field::new("count", 0, 4, "number of entries")
                .kept()
                .decimal()
                .likely(Likely::below(page::COUNT_END, page::COUNT_END))
                .checked(&[By(Hook::Record(RecordHook::ParamsCount))]),
            Field::reserved("reserved", 4, 4).checked(&[Zero(Rule::LibxcHvmParamsReserved)]),
        ]),
        Group::to_end(
            params::HEADER as u32,
            params::ENTRY as u32,
            &[
                Field::new("index", 0, 8, "number of the parameter")
                    .kept()
                    .brief()
                    .named(names::PARAM_NAMES)
                    .likely(Likely::below(params::COUNT, params::COUNT))
                    .checked(&[By(Hook::Record(RecordHook::ParamIndex))]),
                Field::new("value", 8, 8, "its value")
                    .kept()
                    .brief()
                    .checked(&[By(Hook::Record(RecordHook::ParamValue))]),
            ],
        ),
    ],
};

/// X86_CPUID_POLICY: entries.
pub const CPUID_POLICY: Layout = Layout {
    name: "X86_CPUID_POLICY",
    order: ByteOrder::Stream,
    groups: &[Group::to_end(
        0,
        policy::CPUID_LEAF as u32,
        &[
            Field::new("leaf", 0, 4, "CPUID leaf")
                .kept()
                .brief()
                .named(names::CPUID_LEAVES)
                .checked(&[By(Hook::Policy(PolicyHook::Leaf))]),
            Field::new("subleaf", 4, 4, "subleaf, all ones for a leaf that has none")
                .kept()
                .checked(&[By(Hook::Policy(PolicyHook::Subleaf))]),
            Field::new("eax", 8, 4, "register as CPUID returns it")
                .kept_if_sound()
                .checked(&[By(Hook::Policy(PolicyHook::Eax))]),
            Field::new("ebx", 12, 4, "register as CPUID returns it")
                .kept_if_sound()
                .checked(&[By(Hook::Policy(PolicyHook::Ebx))]),
            Field::new("ecx", 16, 4, "register as CPUID returns it")
                .kept_if_sound()
                .checked(&[By(Hook::Policy(PolicyHook::Ecx))]),
            Field::new("edx", 20, 4, "register as CPUID returns it")
                .kept_if_sound()
                .checked(&[By(Hook::Policy(PolicyHook::Edx))]),
        ],
    )],
};

/// X86_MSR_POLICY: entries.
pub const MSR_POLICY: Layout = Layout {
    name: "X86_MSR_POLICY",
    order: ByteOrder::Stream,
    groups: &[Group::to_end(
        0,
        policy::MSR as u32,
        &[
            Field::new("index", 0, 4, "number of the MSR")
                .kept()
                .brief()
                .named(names::MSRS)
                .checked(&[By(Hook::Policy(PolicyHook::MsrIndex))]),
            Field::reserved("flags", 4, 4).checked(&[Zero(Rule::LibxcMsrPolicyFlags)]),
            Field::new("value", 8, 8, "its value")
                .kept_if_sound()
                .brief()
                .checked(&[By(Hook::Policy(PolicyHook::MsrValue))]),
        ],
    )],
};

/// The header in the body of every VCPU record.
pub const VCPU_HEADER: Layout = Layout {
    name: "VCPU header",
    order: ByteOrder::Stream,
    groups: &[Group::once(&[
        Field::new("vcpu_id", 0, 4, "the vcpu")
            .kept()
            .brief()
            .decimal()
            .likely(NUMBER)
            .checked(&[By(Hook::Record(RecordHook::VcpuId))]),
        Field::reserved("reserved", 4, 4).checked(&[Zero(Rule::LibxcVcpuReserved)]),
    ])],
};

/// X86_PV_P2M_FRAMES: a range of pfns, then the frames that hold their part of the p2m.
pub const P2M_FRAMES: Layout = Layout {
    name: "X86_PV_P2M_FRAMES",
    order: ByteOrder::Stream,
    groups: &[
        Group::once(&[
            Field::new("start_pfn", 0, 4, "first pfn").kept().brief(),
            Field::new("end_pfn", 4, 4, "last pfn").kept().brief(),
        ]),
        Group::to_end(
            8,
            page::ENTRY as u32,
            &[Field::new("frame", 0, 8, "pfn of a frame of the p2m").kept()],
        ),
    ],
};

/// The header in the body of the libxl records of a device model; keys and values, or the state, follow.
pub const EMULATOR: Layout = Layout {
    name: "emulator header",
    order: ByteOrder::Stream,
    groups: &[
        Group::once(&[
            Field::new("emulator_id", 0, 4, "program that emulates the devices")
                .kept()
                .brief()
                .named(names::EMULATORS)
                .likely(Likely::below(EMULATOR_ID_MAX as u64 + 1, u32::MAX as u64)),
            Field::new("index", 4, 4, "number of the device model").kept().decimal().likely(NUMBER),
        ]),
        Group::rest(EMULATOR_HEADER as u32, &[Field::new("data", 0, 0, "keys and values, or state").area()]),
    ],
};

/// CHECKPOINT_STATE: a message of COLO.
pub const CHECKPOINT_STATE: Layout = Layout {
    name: "CHECKPOINT_STATE",
    order: ByteOrder::Stream,
    groups: &[Group::once(&[Field::new("control_id", 0, 4, "the message")
        .kept()
        .brief()
        .named(names::CONTROLS)])],
};
