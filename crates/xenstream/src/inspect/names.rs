//! Names of numbers that a stream carries and the core has no use for: HVM parameters, CPUID leaves, MSRs and others.

/// HVM parameters (`public/hvm/params.h`), by index.
const HVM_PARAMS: [(u64, &str); 36] = [
    (0, "CALLBACK_IRQ"),
    (1, "STORE_PFN"),
    (2, "STORE_EVTCHN"),
    (4, "PAE_ENABLED"),
    (5, "IOREQ_PFN"),
    (6, "BUFIOREQ_PFN"),
    (9, "VIRIDIAN"),
    (10, "TIMER_MODE"),
    (11, "HPET_ENABLED"),
    (12, "IDENT_PT"),
    (13, "DM_DOMAIN"),
    (14, "ACPI_S_STATE"),
    (15, "VM86_TSS"),
    (16, "VPT_ALIGN"),
    (17, "CONSOLE_PFN"),
    (18, "CONSOLE_EVTCHN"),
    (19, "ACPI_IOPORTS_LOCATION"),
    (20, "MEMORY_EVENT_CR0"),
    (21, "MEMORY_EVENT_CR3"),
    (22, "MEMORY_EVENT_CR4"),
    (23, "MEMORY_EVENT_INT3"),
    (24, "NESTEDHVM"),
    (25, "MEMORY_EVENT_SINGLE_STEP"),
    (26, "BUFIOREQ_EVTCHN"),
    (27, "PAGING_RING_PFN"),
    (28, "MONITOR_RING_PFN"),
    (29, "SHARING_RING_PFN"),
    (30, "MEMORY_EVENT_MSR"),
    (31, "TRIPLE_FAULT_REASON"),
    (32, "IOREQ_SERVER_PFN"),
    (33, "NR_IOREQ_SERVER_PAGES"),
    (34, "VM_GENERATION_ID_ADDR"),
    (35, "ALTP2M"),
    (36, "X87_FIP_WIDTH"),
    (37, "VM86_TSS_SIZED"),
    (38, "MCA_CAP"),
];

/// CPUID leaves (the processor manuals of Intel and AMD, `public/arch-x86/cpuid.h`), by number.
const CPUID_LEAVES: [(u64, &str); 56] = [
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
    (0x4000_0100, "hypervisor behind Viridian"),
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
const MSRS: [(u64, &str); 31] = [
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

/// What emulates a guest's devices, by `emulator_id`.
const EMULATORS: [(u64, &str); 3] = [(0, "unknown emulator"), (1, "qemu-traditional"), (2, "qemu upstream")];

/// Modes of the time-stamp counter (`XEN_DOMCTL_settscinfo`), by number.
const TSC_MODES: [(u64, &str); 3] = [(0, "default"), (1, "always emulated"), (2, "never emulated")];

/// Messages of COLO, by `control_id`.
const CONTROLS: [(u64, &str); 4] = [(0, "NEW"), (1, "SVM_SUSPENDED"), (2, "SVM_READY"), (3, "SVM_RESUMED")];

/// A vcpu's typecodes in the chain of HVM_CONTEXT: their instance is the vcpu.
const VCPU_TYPECODES: [u64; 9] = [2, 5, 6, 14, 16, 17, 18, 19, 20];

/// Typecodes of HVM_CONTEXT of which a domain has several instances: the two interrupt controllers.
const MULTIPLE_TYPECODES: [u64; 1] = [3];

/// Name of an HVM parameter.
pub(super) fn hvm_param(index: u64) -> Option<&'static str> {
    find(&HVM_PARAMS, index)
}

/// What a CPUID leaf is about.
pub(super) fn cpuid_leaf(leaf: u32) -> Option<&'static str> {
    find(&CPUID_LEAVES, leaf.into())
}

/// Name of a model-specific register.
pub(super) fn msr(index: u32) -> Option<&'static str> {
    find(&MSRS, index.into())
}

/// Name of a device model.
pub(super) fn emulator(emulator_id: u32) -> Option<&'static str> {
    find(&EMULATORS, emulator_id.into())
}

/// What a mode of the time-stamp counter means.
pub(super) fn tsc_mode(mode: u32) -> Option<&'static str> {
    find(&TSC_MODES, mode.into())
}

/// Name of a message of COLO.
pub(super) fn control(control_id: u32) -> Option<&'static str> {
    find(&CONTROLS, control_id.into())
}

/// Is the instance of such an entry of HVM_CONTEXT a vcpu?
pub(super) fn is_of_vcpu(typecode: u64) -> bool {
    VCPU_TYPECODES.contains(&typecode)
}

/// Does a domain have several of these entries of HVM_CONTEXT?
pub(super) fn has_instances(typecode: u64) -> bool {
    MULTIPLE_TYPECODES.contains(&typecode)
}

fn find(names: &[(u64, &'static str)], number: u64) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_has_two_names() {
        for names in [&HVM_PARAMS[..], &CPUID_LEAVES, &MSRS, &EMULATORS, &TSC_MODES, &CONTROLS] {
            for (place, (number, name)) in names.iter().enumerate() {
                assert!(!name.is_empty());
                let again = names[place + 1..].iter().any(|(other, _)| other == number);
                assert!(!again, "{number:#x}");
            }
        }
    }

    #[test]
    fn every_parameter_that_xen_knows_and_still_has_is_named() {
        use xenstream_core::wire::libxc::params::COUNT;
        let unnamed: Vec<_> = (0..COUNT + 2).filter(|index| hvm_param(*index).is_none()).collect();
        assert_eq!(unnamed, [3, 7, 8, COUNT, COUNT + 1]);
    }
}
