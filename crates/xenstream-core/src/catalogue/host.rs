//! Rules on the host on which the stream will be restored. They are checked only for a host that the caller describes, and only
//! in what its description knows.

macro_rules! host {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    HostMemory "host::memory" W W W
        field: 1, framing: kept, by: std
        title: "more memory than the host has free"
        refuses: "A configuration with more memory (target_memkb, or libvirt's memory) than was free on the host when it was described."
        why: "Xen cannot allocate the guest's memory, and the restore ends in the middle of it. Whether the toolstack can take memory from dom0 or from other guests first is not in the description, so this is a warning."
        source: "Xen's populate_physmap(); libxl_domain_need_memory() and freemem() of xl"
        message: "the guest has {found} KiB of memory; the host had {expected} KiB free"
    HostBridge "host::bridge" W W W
        field: 1, framing: kept, by: std
        title: "bridge that the host does not have"
        refuses: "A network interface in the configuration, connected by the script vif-bridge, whose bridge is not among the host's network interfaces."
        why: "The hotplug script does not find the bridge, and the toolstack destroys the domain after the restore. A configuration file that is passed with the image can name another bridge, so this is a warning."
        source: "libxl_domain_config, nics; libvirt XML, source of an interface; tools/hotplug/Linux/vif-bridge"
        message: "network interface {found} of the configuration is on a bridge that the host does not have"
    HostDisk "host::disk" W W W
        field: 1, framing: kept, by: std
        title: "disk that the host does not have"
        refuses: "A disk in the configuration whose file or device is not on the host: it is this host, or its description lists the directory."
        why: "The toolstack does not find the disk and destroys the domain. A configuration file that is passed with the image can name another, so this is a warning."
        source: "libxl_domain_config, disks; libvirt XML, source of a disk; libxl__device_disk_set_backend()"
        message: "disk {found} of the configuration is not on the host"
    HostGuestType "host::guest-type" W D D
        field: 4, framing: kept, by: std
        title: "kind of guest that the host cannot run"
        refuses: "An HVM or PVH guest for a host without hardware virtualisation, or a PV guest for a Xen without support for them."
        why: "Xen refuses to create the domain."
        source: "libxc domain header, type; Xen's sanitise_domain_config(); `xl info`, virt_caps and xen_caps"
        message: "the host cannot run guests of type {found}"
    HostCpuVendor "host::cpu-vendor" W W W
        field: 4, framing: kept, by: std
        title: "processor of another vendor"
        refuses: "A CPUID policy with another vendor than the host's processor. Refused with a target since Xen 4.22."
        why: "Xen 4.22 and newer refuse the policy. Older releases restore the guest, which then runs on a processor that it takes for another: system calls, workarounds and mitigations differ."
        source: "Xen's x86_cpu_policies_are_compatible(), since c520286a53"
        message: "the guest's processor is of vendor {found}, the host's of vendor {expected}"
    HostCpuidMax "host::cpuid-max" W D D
        field: 4, framing: kept, by: std
        title: "more CPUID leaves than the host gives to guests"
        refuses: "A CPUID policy whose highest leaf, highest subleaf of leaf 7 (since Xen 4.15), or highest extended leaf is above that of the host's largest policy for such guests."
        why: "Xen refuses the whole policy: \"Failed to set CPUID policy\" in the log. Since Xen 4.18.4, 4.19.1 and 4.20 every host's largest policy has as many leaves as Xen knows."
        source: "Xen's x86_cpu_policies_are_compatible(); `xen-cpuid -p`, PV Max and HVM Max"
        message: "the highest leaf is {found:x}; the host gives guests at most {expected:x}"
    HostCpuFeatures "host::cpu-features" W W W
        field: 4, framing: kept, by: std
        title: "processor features that the host does not have"
        refuses: "A CPUID policy with features that the host's largest policy for such guests lacks."
        why: "Xen restores the guest and hides these features from then on, but the guest found them when it booted and goes on using them: it may crash at any time on an instruction that the host does not have."
        source: "Xen's recalculate_cpuid_policy(); `xen-cpuid -p`, PV Max and HVM Max"
        message: "the guest was given features {found:x} in this register that the host does not have; it has {expected:x}"
    HostMsrPolicy "host::msr-policy" W D D
        field: 8, framing: kept, by: std
        title: "MSR policy that the host does not have"
        refuses: "An MSR policy with bits of PLATFORM_INFO (0xce) that the host's largest policy for such guests lacks."
        why: "Xen refuses the whole policy: \"Failed to set CPUID policy\" in the log."
        source: "Xen's x86_cpu_policies_are_compatible(); `xen-cpuid -p`, PV Max and HVM Max"
        message: "PLATFORM_INFO is {found:x}; the host gives guests at most {expected:x}"
    HostRegisters "host::registers" W D D
        field: 8, framing: kept, by: std
        title: "register needs a feature that the host does not have"
        refuses: "A bit of CR4 or EFER of an HVM vcpu whose feature the host's largest policy for HVM guests lacks."
        why: "Xen gives a guest at most the host's features, and refuses registers that need more."
        source: "Xen's hvm_load_cpu_ctxt(), hvm_cr4_guest_valid_bits() and hvm_efer_valid(); `xen-cpuid -p`, HVM Max"
        message: "the register is {found:x}, but the host lacks the feature that bits {expected:x} need"
    HostXsaveFeatures "host::xsave-features" W D D
        field: 8, framing: kept, by: std
        title: "XSAVE feature that the host does not have"
        refuses: "XSAVE state of a vcpu with components in xcr0_accum that the host's largest policy for such guests lacks."
        why: "Xen refuses the state: the processor has no registers to load it into."
        source: "Xen's validate_xstate(); `xen-cpuid -p`, leaf 0xd of PV Max and HVM Max"
        message: "xcr0_accum is {found:x}; the host gives guests at most {expected:x}"
    HostXsaveSize "host::xsave-size" W D D
        field: 4, framing: kept, by: std
        title: "XSAVE area of another processor's size"
        refuses: "A CPU_XSAVE entry that is shorter than the host's area for the components in xcr0_accum, or has data after it."
        why: "Processors place the components at different offsets, and Xen takes only an area of its own processor's size."
        source: "Xen's hvm_load_cpu_xsave_states(); `xen-cpuid -p`, leaf 0xd of Raw"
        message: "the entry has {found} bytes; the host's processor needs {expected} for these components"
    HostMcaCapabilities "host::mca-capabilities" W D D
        field: 8, framing: kept, by: std
        title: "machine-check capabilities of another vendor"
        refuses: "Machine-check capabilities of a vcpu that only Intel's processors have, for a host with another processor."
        why: "Xen refuses the vcpu. A guest that was saved on an Intel processor always has them."
        source: "Xen's vmce_restore_vcpu()"
        message: "the capabilities are {found:x}; the host accepts {expected:x}"
    } };
}
