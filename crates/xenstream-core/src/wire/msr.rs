//! Model-specific registers that travel in a stream: in CPU_MSR, X86_PV_VCPU_MSRS and X86_MSR_POLICY.

/// Speculation control.
pub const SPEC_CTRL: u32 = 0x48;
/// Platform information, in the policy.
pub const PLATFORM_INFO: u32 = 0xCE;
/// Architectural capabilities, in the policy.
pub const ARCH_CAPABILITIES: u32 = 0x10A;
/// CPUID faulting.
pub const MISC_FEATURES_ENABLES: u32 = 0x140;
/// Protection keys of the supervisor, since Xen 4.18.
pub const PKRS: u32 = 0x6E1;
/// Bounds of MPX.
pub const BNDCFGS: u32 = 0xD90;
/// Supervisor components of XSAVE.
pub const XSS: u32 = 0xDA0;
/// Index of the processor, for RDTSCP.
pub const TSC_AUX: u32 = 0xC000_0103;
/// First of the address masks of breakpoints 1 to 3.
pub const DR1_ADDRESS_MASK: u32 = 0xC001_1019;
/// Last of them.
pub const DR3_ADDRESS_MASK: u32 = 0xC001_101B;
/// Address mask of breakpoint 0.
pub const DR0_ADDRESS_MASK: u32 = 0xC001_1027;
/// Speculation control that the hypervisor offers, since Xen 4.17.
pub const VIRT_SPEC_CTRL: u32 = 0xC001_011F;

/// Bit of SPEC_CTRL that releases with the fact PSFD take.
pub const SPEC_CTRL_PSFD: u64 = 1 << 7;
/// Bits of SPEC_CTRL that releases with the fact BHI take.
pub const SPEC_CTRL_BHI: u64 = 0x478;

/// Whether every release takes this MSR in CPU_MSR (`hvm_load_cpu_msrs()` of Xen). PKRS and VIRT_SPEC_CTRL came later.
#[must_use]
pub const fn is_saved_for_hvm(index: u32) -> bool {
    matches!(
        index,
        SPEC_CTRL | MISC_FEATURES_ENABLES | BNDCFGS | XSS | DR1_ADDRESS_MASK
            ..=DR3_ADDRESS_MASK | DR0_ADDRESS_MASK
    )
}

/// Whether Xen takes this MSR in X86_PV_VCPU_MSRS (`XEN_DOMCTL_set_vcpu_msrs`).
#[must_use]
pub const fn is_saved_for_pv(index: u32) -> bool {
    matches!(
        index,
        SPEC_CTRL | MISC_FEATURES_ENABLES | TSC_AUX | DR1_ADDRESS_MASK..=DR3_ADDRESS_MASK | DR0_ADDRESS_MASK
    )
}

/// Bits of an MSR that some release takes; all of them for one that it does not look into.
#[must_use]
pub const fn bits(index: u32) -> u64 {
    match index {
        SPEC_CTRL => 0x4FF,
        MISC_FEATURES_ENABLES => 1,
        BNDCFGS => !0xFFC,
        // Only zero, which no saver writes.
        XSS => 0,
        PKRS | TSC_AUX | DR1_ADDRESS_MASK..=DR3_ADDRESS_MASK | DR0_ADDRESS_MASK => 0xFFFF_FFFF,
        // Bit 31: CPUID faulting.
        PLATFORM_INFO => 1 << 31,
        _ => u64::MAX,
    }
}
