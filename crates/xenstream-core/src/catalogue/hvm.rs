//! Rules on the chain inside HVM_CONTEXT.

macro_rules! hvm {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    HvmHeader "hvm::header" D D D
        field: 4, framing: kept, by: core
        title: "no valid HEADER entry at the start"
        refuses: "A chain of entries that does not begin with a HEADER of 24 bytes, or that has a second HEADER."
        why: "Xen reads the HEADER first and has no handler for it anywhere else. It refuses the context, and the restore fails."
        source: "Xen's hvm_load(); public/hvm/save.h"
        message: "the chain must begin with a HEADER entry of 24 bytes, and have no other"
    HvmMagic "hvm::magic" D D D
        field: 4, framing: kept, by: core
        title: "bad magic of HVM_CONTEXT"
        refuses: "A HEADER whose magic is not that of Xen's HVM contexts."
        why: "This is not an HVM context of Xen on x86. Xen refuses it."
        source: "Xen's arch_hvm_load(), HVM_FILE_MAGIC"
        message: "magic is {found:x}, not {expected:x}"
    HvmVersion "hvm::version" D D D
        field: 4, framing: kept, by: core
        title: "unknown version of HVM_CONTEXT"
        refuses: "A HEADER whose version is not 1."
        why: "The version determines the layout of every entry. Xen refuses any other."
        source: "Xen's arch_hvm_load(), HVM_FILE_VERSION"
        message: "version is {found}, not {expected}"
    HvmTypecode "hvm::typecode" W D D
        field: 2, framing: kept, by: core
        title: "unknown typecode"
        refuses: "An entry with a typecode that Xen does not know."
        why: "Xen does not skip unknown entries. It refuses the context, and the restore fails after all memory has been transferred."
        source: "Xen's hvm_load(): no handler for the typecode"
        message: "typecode {found} is unknown to Xen"
    HvmInstance "hvm::instance" W D D
        field: 4, framing: kept, by: core
        title: "no such instance"
        refuses: "A PIC entry of an instance above 1, or an entry of a vcpu whose id is 128 or above, or at or above the limit `vcpus`."
        why: "An instance is a device or a vcpu of the domain, whose configuration says how many vcpus it has: at most 128 on every release. If one does not exist, Xen refuses the context, and the restore fails after all memory has been transferred."
        source: "Xen's vpic_load(): there are two; HVM_MAX_VCPUS; the load handlers of what each vcpu has look the vcpu up; limit of the policy"
        message: "instance {found} is not below {expected} (the number of PICs or of vcpus)"
    HvmEntryLength "hvm::entry-length" D D D
        field: 4, framing: kept, by: core
        title: "wrong length for the typecode"
        refuses: "An entry of a length that Xen does not accept for its typecode."
        why: "Each entry is a structure of fixed size; a few may be shorter, and the rest is zeros. Xen refuses a context with any other length."
        source: "Xen's hvm_load_entry() and hvm_load_entry_zeroextend(); public/arch-x86/hvm/save.h"
        message: "length is {found}; the bound for this typecode is {expected}"
    HvmMsrCount "hvm::msr-count" D D D
        field: 4, framing: kept, by: core
        title: "count and length of CPU_MSR disagree"
        refuses: "A CPU_MSR entry whose length is not exactly that of its header and count MSRs."
        why: "Xen compares the two and refuses the context. Xen 4.9 and older wrote such entries: the count was right, but the length was that of all known MSRs, so the next entry began inside this one."
        source: "Xen's hvm_load_cpu_msrs()"
        message: "count and length of CPU_MSR contradict each other: count is {found}, but the length has room for {expected}"
    HvmLapicLength "hvm::lapic-length" A A A
        field: 4, framing: kept, by: core
        title: "LAPIC entry too long for the release"
        refuses: "A LAPIC entry of more than 24 bytes, for a release that accepts at most 24."
        why: "The entry grew by 8 bytes in point releases of several branches, and a release without the change refuses it, even a newer one. The restore fails after all memory has been transferred."
        source: "Xen's hvm_load_entry_zeroextend() in lapic_load_hidden(); Xen b28b590d4a"
        message: "the LAPIC entry has {found} bytes, more than {expected}"
    HvmRtcLength "hvm::rtc-length" A A A
        field: 4, framing: kept, by: core
        title: "RTC entry is not 16 bytes long"
        refuses: "An RTC entry that is not 16 bytes long, for a release that accepts no other length."
        why: "Xen 4.13 and XCP-ng 8.2, which is based on it, refuse the context after all memory has been transferred."
        source: "Xen's hvm_load_entry() in rtc_load(); Xen 105b06fc7e"
        message: "the RTC entry has {found} bytes, not {expected}"
    HvmEntryOverrun "hvm::entry-overrun" D D D
        field: 4, framing: kept, by: core
        title: "entry runs past HVM_CONTEXT"
        refuses: "An entry that does not fit into the rest of HVM_CONTEXT."
        why: "The chain is cut off, or a length is wrong. Xen checks the rest and refuses the context."
        source: "Xen's hvm_load() and _hvm_check_entry()"
        message: "the entry needs {found} more bytes, but HVM_CONTEXT has {expected} left"
    HvmCpuMissing "hvm::cpu-missing" W D D
        field: 0, framing: kept, by: core
        title: "no registers of vcpu 0"
        refuses: "A chain without a CPU entry of instance 0."
        why: "Xen loads the chain and leaves vcpu 0 in its initial state, which is down. The domain restores, but no vcpu ever runs."
        source: "Xen's hvm_load_cpu_ctxt(), which alone brings a vcpu up"
        message: "the chain ends without a CPU entry of vcpu 0: the guest restores, but no vcpu ever runs"
    HvmEndMissing "hvm::end-missing" D D D
        field: 1, framing: kept, by: core
        title: "no END entry"
        refuses: "A chain that ends without an END entry."
        why: "Without END, a complete chain looks like one that was cut between two entries. Xen refuses it."
        source: "Xen's hvm_load(); public/hvm/save.h"
        message: "HVM_CONTEXT ends without an END entry"
    HvmEndLength "hvm::end-length" W A D
        field: 4, framing: kept, by: core
        title: "END entry with contents"
        refuses: "An END entry of a length other than 0."
        why: "The entry has no contents, so a length here is damage or hides something. Xen stops at the typecode and ignores the length."
        source: "Xen's hvm_load(); public/hvm/save.h"
        message: "the length of the END entry is {found}, not {expected}"
    HvmTrailing "hvm::trailing" W A D
        field: 1, framing: kept, by: core
        title: "bytes after the END entry"
        refuses: "Bytes in HVM_CONTEXT after its END entry."
        why: "Xen stops at END and ignores these bytes: the context was damaged, or they hide something."
        source: "Xen's hvm_load(); public/hvm/save.h"
        message: "HVM_CONTEXT continues after its END entry"
    HvmEntryRepeated "hvm::entry-repeated" W W D
        field: 4, framing: kept, by: core
        title: "entry repeated"
        refuses: "A second entry of the same typecode and instance."
        why: "Xen loads the second over the first, and the result depends on the handler. Savers never write an entry twice."
        source: "Xen's hvm_load() keeps no account of what it has loaded"
        message: "an entry of typecode {found} comes a second time for its instance"
    HvmMsrReserved "hvm::msr-reserved" W D D
        field: 4, framing: kept, by: core
        title: "reserved word of an MSR is not zero"
        refuses: "An entry of CPU_MSR with a reserved word that is not zero."
        why: "Xen refuses the whole context, and the restore fails after all memory has been transferred."
        source: "Xen's hvm_load_cpu_msrs()"
        message: "the reserved word of an MSR is {found:x}, not zero"
    HvmHeaderTsc "hvm::header-tsc" W W D
        field: 4, framing: kept, by: core
        title: "implausible clock rate in HEADER"
        refuses: "A HEADER whose gtsc_khz is neither 0 nor between 1,000 and 20,000,000."
        why: "Xen accepts any value and saves it again as the guest's TSC frequency, where some values make releases before 4.16.4 and 4.17.1 loop for ever. No processor has such a rate."
        source: "Xen's hvm_load() and tsc_set_info()"
        message: "gtsc_khz is {found}, which is not a plausible processor frequency in kHz"
    HvmCpuCr0 "hvm::cpu-cr0" W D D
        field: 8, framing: kept, by: core
        title: "impossible CR0"
        refuses: "A CPU entry whose CR0 has a reserved bit, lacks ET, or enables paging without protection."
        why: "Xen refuses the context, and the restore fails after all memory has been transferred. Most often, the whole CPU entry is zeros."
        source: "Xen's hvm_load_cpu_ctxt()"
        message: "cr0 is {found:x}: it has a reserved bit, lacks ET, or enables paging without protection"
    HvmCpuCr3 "hvm::cpu-cr3" W D D
        field: 8, framing: kept, by: core
        title: "CR3 exceeds the physical address width"
        refuses: "A CPU entry whose CR3 has bits above the physical address width in the CPUID policy, or above 52 bits without a policy."
        why: "Xen has refused the context since 4.14. The bits have no meaning on the processor that the guest sees."
        source: "Xen's hvm_load_cpu_ctxt(); Xen 80872597e6"
        message: "cr3 is {found:x}, wider than {expected} bits"
    HvmCpuCr4 "hvm::cpu-cr4" W D D
        field: 8, framing: kept, by: core
        title: "impossible CR4"
        refuses: "A CPU entry whose CR4 has a bit that the release gives no guest."
        why: "Xen refuses the context. Xen 4.16 added CET, 4.18 PKS, and 4.22 LASS."
        source: "Xen's hvm_load_cpu_ctxt() and hvm_cr4_guest_valid_bits()"
        message: "cr4 is {found:x}; a guest may have only the bits {expected:x}"
    HvmCpuEfer "hvm::cpu-efer" W D D
        field: 8, framing: kept, by: core
        title: "impossible EFER"
        refuses: "A CPU entry whose EFER has a bit that the release gives no guest, or has long mode active although it is not enabled or paging is off."
        why: "Xen refuses the context. Xen 4.18 added AutoIBRS."
        source: "Xen's hvm_load_cpu_ctxt() and hvm_efer_valid()"
        message: "msr_efer is {found:x}: it has an impossible bit, or LMA without LME or without paging"
    HvmCpuPolicy "hvm::cpu-policy" W D D
        field: 8, framing: kept, by: core
        title: "register needs a feature that the guest does not have"
        refuses: "A bit of CR4 or EFER whose feature the stream's CPUID policy does not give the guest."
        why: "A guest gets at most the features of its policy, so every host refuses the register. The guest ran under the same policy when it was saved, so no real image has this."
        source: "Xen's hvm_load_cpu_ctxt(), hvm_cr4_guest_valid_bits() and hvm_efer_valid()"
        message: "the register is {found:x}, but the CPUID policy lacks the feature that bits {expected:x} need"
    HvmCpuDebug "hvm::cpu-debug" W W D
        field: 8, framing: kept, by: core
        title: "debug register above 32 bits"
        refuses: "A CPU entry whose DR6 or DR7 has any of the bits 63 to 32."
        why: "Xen has refused the context since 4.18. Hardware never sets these bits."
        source: "Xen's hvm_load_cpu_ctxt(); Xen 15987cb03f"
        message: "the debug register is {found:x}, above 32 bits"
    HvmCpuTscAux "hvm::cpu-tsc-aux" W D D
        field: 8, framing: kept, by: core
        title: "TSC_AUX above 32 bits"
        refuses: "A CPU entry whose msr_tsc_aux does not fit into 32 bits."
        why: "Xen refuses the context: the register has 32 bits."
        source: "Xen's hvm_load_cpu_ctxt()"
        message: "msr_tsc_aux is {found:x}, above 32 bits"
    HvmCpuEvent "hvm::cpu-event" W D D
        field: 4, framing: kept, by: core
        title: "impossible pending event"
        refuses: "A CPU entry whose pending event has a reserved type or reserved bits, or whose error code exceeds 16 bits."
        why: "Xen refuses the context: the processor would fail when it injects the event."
        source: "Xen's hvm_load_cpu_ctxt()"
        message: "the pending event or its error code is {found:x}, which no processor can inject"
    HvmCpuFlags "hvm::cpu-flags" W D D
        field: 4, framing: kept, by: core
        title: "unknown flags of a vcpu"
        refuses: "A CPU entry with flags other than bit 0."
        why: "Only bit 0 is defined: the FPU state is valid. Xen refuses the context."
        source: "Xen's hvm_load_cpu_ctxt()"
        message: "flags is {found:x}; only {expected:x} is known"
    HvmCpuPad "hvm::cpu-pad" W D D
        field: 4, framing: kept, by: core
        title: "padding of CPU is not zero"
        refuses: "A CPU entry whose pad0 is not zero."
        why: "Xen refuses the context."
        source: "Xen's hvm_load_cpu_ctxt()"
        message: "pad0 is {found:x}, not zero"
    HvmPicState "hvm::pic-state" W W D
        field: 1, framing: kept, by: core
        title: "impossible PIC"
        refuses: "A PIC entry whose is_master does not fit its instance, whose int_output is above 1, or whose elcr has lines that cannot be level-triggered."
        why: "Before Xen 4.19, a wrong is_master makes the hypervisor access memory outside its structure, and the whole host goes down. Since 4.19, Xen refuses the context."
        source: "Xen's vpic_load() and vpic_check(); Xen 69c89dd787"
        message: "the PIC holds {found:x}; only {expected:x} is possible there"
    HvmPicInit "hvm::pic-init" W W W
        field: 1, framing: kept, by: core
        title: "PIC output asserted during initialisation"
        refuses: "A PIC entry whose int_output is 1 during an initialisation sequence."
        why: "Xen has refused the context since 4.19. Savers before Xen 4.16 could write it if the guest was saved at just that moment."
        source: "Xen's vpic_check(); Xen 1ca901c527"
        message: "int_output is {found} during an initialisation sequence"
    HvmPicOutput "hvm::pic-output" W W D
        field: 1, framing: kept, by: core
        title: "PIC output asserted without an interrupt"
        refuses: "A PIC entry whose int_output is 1 although no interrupt is deliverable. If the master's interrupt is the cascade, the slave must have a deliverable one."
        why: "An assertion in the hypervisor fails when the guest runs, and the whole host goes down."
        source: "Xen's vpic_get_priority() and vpic_intack()"
        message: "int_output is {found}, but no interrupt is deliverable"
    HvmLapicBase "hvm::lapic-base" W D D
        field: 8, framing: kept, by: core
        title: "x2APIC mode of a disabled APIC"
        refuses: "A LAPIC entry whose apic_base_msr sets x2APIC mode without the enable bit."
        why: "Xen refuses the context. No guest can put its APIC into this state."
        source: "Xen's lapic_load_hidden()"
        message: "apic_base_msr is {found:x}: x2APIC mode without the enable bit"
    HvmLapicDivisor "hvm::lapic-divisor" W W D
        field: 4, framing: kept, by: core
        title: "impossible divisor of the APIC timer"
        refuses: "A LAPIC entry whose timer_divisor is not 1, 2, 4, 8, 16, 32, 64 or 128. In an entry that ends before the field, it is 0."
        why: "With 0, the hypervisor divides by zero when the guest reads its timer, and the whole host goes down. Savers write only powers of two."
        source: "Xen's vlapic_get_tmcct() and vlapic_set_tdcr()"
        message: "timer_divisor is {found}, not a power of two from 1 to 128"
    HvmPciLinkRoute "hvm::pci-link-route" W D D
        field: 1, framing: kept, by: core
        title: "PCI link routed to no line"
        refuses: "A PCI_LINK entry with a route above 15."
        why: "There are 16 ISA lines. Xen refuses the context."
        source: "Xen's hvm_load() of PCI_LINK"
        message: "route is {found}; {expected} is the last line"
    HvmPciLinkPad "hvm::pci-link-pad" W W D
        field: 4, framing: kept, by: core
        title: "padding of PCI_LINK is not zero"
        refuses: "A PCI_LINK entry whose padding is not zero."
        why: "Xen has refused the context since 4.19. No saver writes it."
        source: "Xen's PCI_LINK check; Xen 7a3bd1cbc4"
        message: "the padding is {found:x}, not zero"
    HvmPitState "hvm::pit-state" W W D
        field: 1, framing: kept, by: core
        title: "impossible PIT"
        refuses: "A PIT entry with a count above 65,536, a latch, access or BCD state out of range, a gate other than 1 on channel 0 or 1, or padding that is not zero."
        why: "Xen has checked these fields, and refused the context, since 4.19. The mode is not checked: savers write 0xff or 7 for a channel that was never programmed."
        source: "Xen's pit_check(); Xen c53013da6f"
        message: "the field is {found}, beyond its bound of {expected}"
    HvmRtcIndex "hvm::rtc-index" W W D
        field: 1, framing: kept, by: core
        title: "CMOS index out of range"
        refuses: "An RTC entry whose cmos_index is above 127."
        why: "The guest cannot select such a register, so no saver writes it. Before the point releases of July 2026, it let two vcpus access memory beyond an array in the hypervisor."
        source: "Xen's rtc_load(); Xen f755242d60"
        message: "cmos_index is {found}; {expected} is the largest"
    HvmMtrrCount "hvm::mtrr-count" W D D
        field: 8, framing: kept, by: core
        title: "too many variable ranges"
        refuses: "An MTRR entry whose capabilities have more than 8 variable ranges."
        why: "Xen has room for 8 and refuses the context."
        source: "Xen's hvm_load_mtrr_msr()"
        message: "msr_mtrr_cap has {found} variable ranges; at most {expected} are allowed"
    HvmViridianPad "hvm::viridian-pad" W D D
        field: 7, framing: kept, by: core
        title: "padding of VIRIDIAN_VCPU is not zero"
        refuses: "A VIRIDIAN_VCPU entry whose padding is not zero."
        why: "Xen refuses the context."
        source: "Xen's viridian_load_vcpu_ctxt()"
        message: "the padding is {found:x}, not zero"
    HvmVmceCaps "hvm::vmce-caps" W D D
        field: 8, framing: kept, by: core
        title: "unknown machine-check capabilities"
        refuses: "A VMCE_VCPU entry with capabilities that no host has."
        why: "Xen refuses the context."
        source: "Xen's vmce_restore_vcpu()"
        message: "caps is {found:x}; no host accepts more than {expected:x}"
    HvmXsaveState "hvm::xsave-state" W D D
        field: 8, framing: kept, by: core
        title: "impossible XSAVE state"
        refuses: "A CPU_XSAVE entry with features that no processor has or that contradict each other, with features in use that are not in xcr0_accum, in the compacted format, or with reserved bytes that are not zero."
        why: "Xen refuses the context, because restoring the state would fault."
        source: "Xen's hvm_load_cpu_xsave_states() and validate_xstate()"
        message: "the state is {found:x}, which contradicts {expected:x} or the format"
    HvmXsavePolicy "hvm::xsave-policy" W D D
        field: 8, framing: kept, by: core
        title: "XSAVE feature that the guest does not have"
        refuses: "A CPU_XSAVE entry with a feature that the stream's CPUID policy does not give the guest."
        why: "A guest gets at most the features of its policy, so every host refuses the state."
        source: "Xen's recalculate_xstate() and validate_xstate()"
        message: "xcr0_accum is {found:x}, but the CPUID policy lacks the feature that bits {expected:x} need"
    HvmXsaveArea "hvm::xsave-area" W D D
        field: 4, framing: kept, by: core
        title: "XSAVE area shorter than its components"
        refuses: "A CPU_XSAVE entry without room for the components in its xcr0_accum, wherever a processor places them."
        why: "The legacy area and its header take 576 bytes and AVX another 256 on every processor, and components never overlap. Every host refuses the context, after all memory has been transferred."
        source: "Xen's hvm_load_cpu_xsave_states(); xstate_ctxt_size()"
        message: "the entry has {found} bytes; its components take at least {expected}"
    HvmXsaveLength "hvm::xsave-length" W W D
        field: 4, framing: kept, by: core
        title: "XSAVE area too short"
        refuses: "A CPU_XSAVE entry that is too short for the components of its features, laid out by the stream's CPUID policy."
        why: "Xen refuses the context if the host's processor uses the same layout."
        source: "Xen's hvm_load_cpu_xsave_states()"
        message: "the entry has {found} bytes; its features need {expected}"
    HvmXsaveTail "hvm::xsave-tail" W D D
        field: 1, framing: kept, by: core
        title: "bytes after the XSAVE area"
        refuses: "A CPU_XSAVE entry with bytes other than zero after the components of its features."
        why: "Xen refuses the context. Only zeros may follow, which Xen 4.3.0 and older wrote."
        source: "Xen's hvm_load_cpu_xsave_states()"
        message: "the byte after the XSAVE area is {found:x}, not zero"
    HvmMsrIndex "hvm::msr-index" W D D
        field: 4, framing: kept, by: core
        title: "unknown MSR"
        refuses: "An entry of CPU_MSR with an index that the release does not accept."
        why: "Xen refuses the context. Xen 4.17 added VIRT_SPEC_CTRL, and 4.18 PKRS."
        source: "Xen's hvm_load_cpu_msrs()"
        message: "MSR {found:x} is not one that Xen loads"
    HvmMsrValue "hvm::msr-value" W D D
        field: 8, framing: kept, by: core
        title: "value that an MSR cannot have"
        refuses: "An entry of CPU_MSR with a value that the MSR cannot have on any processor, or with a bit of a feature that the stream's policies do not give the guest."
        why: "Xen refuses the context. Point releases added bits of SPEC_CTRL."
        source: "Xen's hvm_load_cpu_msrs() and guest_wrmsr()"
        message: "the value is {found:x}; the bits that the MSR may have are {expected:x}"
    HvmMsrPolicy "hvm::msr-policy" W D D
        field: 4, framing: kept, by: core
        title: "MSR that the guest does not have"
        refuses: "An entry of CPU_MSR whose MSR belongs to a feature that the stream's CPUID policy does not give the guest."
        why: "A guest gets at most the features of its policy, so every host refuses the MSR."
        source: "Xen's hvm_load_cpu_msrs() and guest_wrmsr()"
        message: "MSR {found:x} belongs to a feature that the CPUID policy lacks"
    HvmMsrOrder "hvm::msr-order" W D D
        field: 8, framing: kept, by: core
        title: "MPX enabled before its state"
        refuses: "An entry of CPU_MSR that enables MPX in BNDCFGS before any CPU_XSAVE entry with the MPX components."
        why: "Xen loads the entries in order and refuses the context. Savers write CPU_XSAVE first."
        source: "Xen's hvm_load_cpu_msrs() and hvm_set_guest_bndcfgs()"
        message: "BNDCFGS is {found:x}, but no CPU_XSAVE with the components {expected:x} came before"
    } };
}
