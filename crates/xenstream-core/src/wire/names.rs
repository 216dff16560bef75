//! Names of the numbers and bits that structures carry.

use crate::wire::layout::Flag;
use crate::wire::params::{Kind, PARAMS, Param};

/// Names of HVM parameters, by index; the unused ones have none.
pub const PARAM_NAMES: &[(u64, &str)] = &{
    let mut names = [(u64::MAX, ""); PARAMS.len()];
    let (mut params, mut rest, mut index): (&[Param], &mut [_], u64) = (PARAMS, &mut names, 0);
    while let ([param, others @ ..], [first, places @ ..]) = (params, rest) {
        if !matches!(param.kind, Kind::Unused) {
            *first = (index, param.name);
        }
        (params, rest, index) = (others, places, index.saturating_add(1));
    }
    names
};

/// CPUID leaves (the processor manuals of Intel and AMD, `public/arch-x86/cpuid.h`), by number.
pub const CPUID_LEAVES: &[(u64, &str)] = &[
    (0x0, "vendor"),
    (0x1, "features"),
    (0x2, "cache descriptors"),
    (0x4, "caches"),
    (0x5, "MONITOR"),
    (0x6, "power management"),
    (0x7, "structured features"),
    (0x9, "direct cache access"),
    (0xA, "performance monitoring"),
    (0xB, "topology"),
    (0xD, "XSAVE"),
    (0xF, "cache monitoring"),
    (0x10, "cache allocation"),
    (0x12, "SGX"),
    (0x14, "processor trace"),
    (0x15, "TSC frequency"),
    (0x16, "frequencies"),
    (0x17, "system on chip"),
    (0x18, "address translation"),
    (0x19, "key locker"),
    (0x1A, "hybrid"),
    (0x1B, "PCONFIG"),
    (0x1C, "last branch records"),
    (0x1D, "tiles"),
    (0x1E, "TMUL"),
    (0x1F, "topology, version 2"),
    (0x20, "HRESET"),
    (0x24, "AVX10"),
    (0x4000_0000, "hypervisor"),
    (0x4000_0001, "hypervisor version"),
    (0x4000_0002, "hypervisor pages"),
    (0x4000_0003, "hypervisor time"),
    (0x4000_0004, "hypervisor HVM features"),
    (0x4000_0005, "hypervisor PV features"),
    (0x4000_0100, "hypervisor after Viridian"),
    (0x8000_0000, "extended range"),
    (0x8000_0001, "extended features"),
    (0x8000_0002, "brand"),
    (0x8000_0003, "brand"),
    (0x8000_0004, "brand"),
    (0x8000_0005, "first-level caches"),
    (0x8000_0006, "second-level caches"),
    (0x8000_0007, "advanced power management"),
    (0x8000_0008, "address sizes"),
    (0x8000_000A, "SVM"),
    (0x8000_0019, "1 GiB pages"),
    (0x8000_001A, "performance"),
    (0x8000_001B, "instruction sampling"),
    (0x8000_001C, "lightweight profiling"),
    (0x8000_001D, "caches"),
    (0x8000_001E, "topology"),
    (0x8000_001F, "memory encryption"),
    (0x8000_0020, "quality of service"),
    (0x8000_0021, "extended features, second"),
    (0x8000_0022, "performance monitoring"),
    (0x8000_0026, "extended topology"),
];

/// Model-specific registers that policies and vcpu records carry, by index.
pub const MSRS: &[(u64, &str)] = &[
    (0x10, "TSC"),
    (0x1B, "APIC_BASE"),
    (0x3A, "FEATURE_CONTROL"),
    (0x48, "SPEC_CTRL"),
    (0x49, "PRED_CMD"),
    (0x8B, "BIOS_SIGN_ID"),
    (0xCE, "PLATFORM_INFO"),
    (0xCF, "CORE_CAPABILITIES"),
    (0x10A, "ARCH_CAPABILITIES"),
    (0x10B, "FLUSH_CMD"),
    (0x122, "TSX_CTRL"),
    (0x140, "MISC_FEATURES_ENABLES"),
    (0x174, "SYSENTER_CS"),
    (0x175, "SYSENTER_ESP"),
    (0x176, "SYSENTER_EIP"),
    (0x1A0, "MISC_ENABLE"),
    (0x1D9, "DEBUGCTL"),
    (0x277, "PAT"),
    (0x6A0, "U_CET"),
    (0x6A2, "S_CET"),
    (0xD90, "BNDCFGS"),
    (0xDA0, "XSS"),
    (0xC000_0080, "EFER"),
    (0xC000_0081, "STAR"),
    (0xC000_0082, "LSTAR"),
    (0xC000_0103, "TSC_AUX"),
    (0xC001_011F, "VIRT_SPEC_CTRL"),
    (0xC001_1019, "DR1_ADDR_MASK"),
    (0xC001_101A, "DR2_ADDR_MASK"),
    (0xC001_101B, "DR3_ADDR_MASK"),
    (0xC001_1027, "DR0_ADDR_MASK"),
];

/// Programs that emulate a guest's devices, by `emulator_id`.
pub const EMULATORS: &[(u64, &str)] =
    &[(0, "unknown emulator"), (1, "qemu-traditional"), (2, "qemu upstream")];

/// Modes of the time-stamp counter (`XEN_DOMCTL_settscinfo`), by number.
pub const TSC_MODES: &[(u64, &str)] = &[(0, "default"), (1, "always emulated"), (2, "never emulated")];

/// Messages of COLO, by `control_id`.
pub const CONTROLS: &[(u64, &str)] =
    &[(0, "NEW"), (1, "SVM_SUSPENDED"), (2, "SVM_READY"), (3, "SVM_RESUMED")];

/// Bits of control register 0.
pub const CR0: &[Flag] = &[
    Flag { bit: 0, name: "PE" },
    Flag { bit: 1, name: "MP" },
    Flag { bit: 2, name: "EM" },
    Flag { bit: 3, name: "TS" },
    Flag { bit: 4, name: "ET" },
    Flag { bit: 5, name: "NE" },
    Flag { bit: 16, name: "WP" },
    Flag { bit: 18, name: "AM" },
    Flag { bit: 29, name: "NW" },
    Flag { bit: 30, name: "CD" },
    Flag { bit: 31, name: "PG" },
];

/// Bits of control register 4.
pub const CR4: &[Flag] = &[
    Flag { bit: 0, name: "VME" },
    Flag { bit: 1, name: "PVI" },
    Flag { bit: 2, name: "TSD" },
    Flag { bit: 3, name: "DE" },
    Flag { bit: 4, name: "PSE" },
    Flag { bit: 5, name: "PAE" },
    Flag { bit: 6, name: "MCE" },
    Flag { bit: 7, name: "PGE" },
    Flag { bit: 8, name: "PCE" },
    Flag { bit: 9, name: "OSFXSR" },
    Flag { bit: 10, name: "OSXMMEXCPT" },
    Flag { bit: 11, name: "UMIP" },
    Flag { bit: 12, name: "LA57" },
    Flag { bit: 13, name: "VMXE" },
    Flag { bit: 14, name: "SMXE" },
    Flag { bit: 16, name: "FSGSBASE" },
    Flag { bit: 17, name: "PCIDE" },
    Flag { bit: 18, name: "OSXSAVE" },
    Flag { bit: 20, name: "SMEP" },
    Flag { bit: 21, name: "SMAP" },
    Flag { bit: 22, name: "PKE" },
    Flag { bit: 23, name: "CET" },
    Flag { bit: 24, name: "PKS" },
];

/// Bits of the MSR EFER.
pub const EFER: &[Flag] = &[
    Flag { bit: 0, name: "SCE" },
    Flag { bit: 8, name: "LME" },
    Flag { bit: 10, name: "LMA" },
    Flag { bit: 11, name: "NX" },
    Flag { bit: 12, name: "SVME" },
    Flag { bit: 13, name: "LMSLE" },
    Flag { bit: 14, name: "FFXSR" },
    Flag { bit: 21, name: "AIBRSE" },
];

/// Bits of the flags register.
pub const RFLAGS: &[Flag] = &[
    Flag { bit: 0, name: "CF" },
    Flag { bit: 2, name: "PF" },
    Flag { bit: 4, name: "AF" },
    Flag { bit: 6, name: "ZF" },
    Flag { bit: 7, name: "SF" },
    Flag { bit: 8, name: "TF" },
    Flag { bit: 9, name: "IF" },
    Flag { bit: 10, name: "DF" },
    Flag { bit: 11, name: "OF" },
    Flag { bit: 14, name: "NT" },
    Flag { bit: 16, name: "RF" },
    Flag { bit: 17, name: "VM" },
    Flag { bit: 18, name: "AC" },
    Flag { bit: 19, name: "VIF" },
    Flag { bit: 20, name: "VIP" },
    Flag { bit: 21, name: "ID" },
];

/// Components of extended processor state.
pub const XCR0: &[Flag] = &[
    Flag { bit: 0, name: "x87" },
    Flag { bit: 1, name: "SSE" },
    Flag { bit: 2, name: "AVX" },
    Flag { bit: 3, name: "BNDREGS" },
    Flag { bit: 4, name: "BNDCSR" },
    Flag { bit: 5, name: "opmask" },
    Flag { bit: 6, name: "ZMM_Hi256" },
    Flag { bit: 7, name: "Hi16_ZMM" },
    Flag { bit: 9, name: "PKRU" },
    Flag { bit: 11, name: "CET_U" },
    Flag { bit: 12, name: "CET_S" },
    Flag { bit: 17, name: "TILECFG" },
    Flag { bit: 18, name: "TILEDATA" },
    Flag { bit: 62, name: "LWP" },
];
