//! The bodies of libxc records that are flat: policies, parameters, clock, and the header of VCPU records.
//!
//! Source: `docs/specs/libxc-migration-stream.pandoc` of Xen, one section for each record.

use crate::rule::Rule;
use crate::wire::layout::Check::{AtMost, By, Zero};
use crate::wire::layout::{ByteOrder, Field, Group, Hook, Layout, RecordHook};
use crate::wire::libxc::{params, policy, tsc};

/// X86_PV_INFO.
pub const PV_INFO: Layout = Layout {
    name: "X86_PV_INFO",
    order: ByteOrder::Stream,
    groups: &[Group::once(&[
        Field::new("guest_width", 0, 1, "bytes of a guest's word")
            .kept()
            .decimal()
            .checked(&[By(Hook::Record(RecordHook::PvWidth))]),
        Field::new("pt_levels", 1, 1, "levels of its page tables")
            .kept()
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
            .decimal()
            .checked(&[AtMost(tsc::MODE_MAX as u64, Rule::LibxcTscInfoMode)]),
        Field::new("khz", 4, 4, "frequency of the TSC in kHz, 0 for the host's").kept().decimal(),
        Field::new("nsec", 8, 8, "nanoseconds that the guest has lived").kept().decimal(),
        Field::new("incarnation", 16, 4, "how often the guest was restored").kept().decimal(),
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
                .checked(&[By(Hook::Record(RecordHook::ParamsCount))]),
            Field::reserved("reserved", 4, 4).checked(&[Zero(Rule::LibxcHvmParamsReserved)]),
        ]),
        Group::to_end(
            params::HEADER as u32,
            params::ENTRY as u32,
            &[
                Field::new("index", 0, 8, "number of the parameter")
                    .kept()
                    .decimal()
                    .checked(&[By(Hook::Record(RecordHook::ParamIndex))]),
                Field::new("value", 8, 8, "its value")
                    .kept()
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
            Field::new("leaf", 0, 4, "CPUID leaf").kept().checked(&[By(Hook::Record(RecordHook::CpuidLeaf))]),
            Field::new("subleaf", 4, 4, "subleaf, all ones for a leaf that has none")
                .kept()
                .checked(&[By(Hook::Record(RecordHook::CpuidSubleaf))]),
            Field::new("eax", 8, 4, "register as CPUID returns it").kept(),
            Field::new("ebx", 12, 4, "register as CPUID returns it").kept(),
            Field::new("ecx", 16, 4, "register as CPUID returns it").kept(),
            Field::new("edx", 20, 4, "register as CPUID returns it").kept(),
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
            Field::new("index", 0, 4, "number of the MSR").kept(),
            Field::reserved("flags", 4, 4).checked(&[Zero(Rule::LibxcMsrPolicyFlags)]),
            Field::new("value", 8, 8, "its value").kept(),
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
            .decimal()
            .checked(&[By(Hook::Record(RecordHook::VcpuId))]),
        Field::reserved("reserved", 4, 4).checked(&[Zero(Rule::LibxcVcpuReserved)]),
    ])],
};
