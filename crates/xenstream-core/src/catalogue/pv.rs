//! Rules on page tables and registers of a PV guest.

macro_rules! pv {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    PvPteRange "pv::pte-range" D D D
        field: 8, framing: kept, by: core
        title: "page-table entry out of range"
        refuses: "A present page-table entry that names a frame above the guest's largest pfn."
        why: "The restorer translates every pfn in a page table into a machine frame and asserts that it is in range. One bad entry aborts the restore helper."
        source: "restorer, x86_pv_localise_page() and the assertion in pfn_to_mfn()"
        message: "a page-table entry names frame {found:x}; the largest pfn is {expected:x}"
    PvTableBatch "pv::table-batch" W W D
        field: 8, framing: kept, by: core
        title: "page table too far inside a batch"
        refuses: "A page table of a PV guest that comes after four times as many pages with data in one PAGE_DATA as savers write."
        why: "Its entries cannot be judged in constant memory, so an entry that aborts the restorer could hide there. Savers write at most 1024 pages per record."
        source: "libxc specification, \"PAGE_DATA\"; Xen's saver, MAX_BATCH_SIZE"
        message: "a page table comes after {found} pages with data in its record; tables can be judged after fewer than {expected}"
    PvStartInfoRange "pv::start-info-range" W D D
        field: word, framing: kept, by: core
        title: "start-info page out of range"
        refuses: "An edx of vcpu 0 that names a pfn above the guest's largest."
        why: "A suspended PV guest leaves the pfn of its start-info page in edx. The restorer must update that page, and fails after all memory has been transferred."
        source: "restorer, process_start_info()"
        message: "edx of vcpu 0 names pfn {found:x}; the largest pfn is {expected:x}"
    PvRegisters "pv::registers" W D D
        field: word, framing: kept, by: core
        title: "address that is not canonical"
        refuses: "A rip, rsp, kernel_sp, base of FS or GS, callback or trap handler of a 64-bit vcpu whose bits 63 to 47 are not all the same."
        why: "No processor accepts such an address. Xen refuses the vcpu, and the restore fails after all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "an address of the vcpu is {found:x}, which is not canonical"
    PvEflagsVm "pv::eflags-vm" W W D
        field: 4, framing: kept, by: core
        title: "virtual-8086 mode"
        refuses: "An eflags of a 32-bit vcpu with bit 17 set."
        why: "A PV guest cannot run in that mode. Releases since 4.21.1 refuse the vcpu; older ones load the flag."
        source: "arch_set_info_guest() in Xen"
        message: "eflags is {found:x}: bit 17 asks for virtual-8086 mode"
    PvLdt "pv::ldt" W D D
        field: word, framing: kept, by: core
        title: "impossible LDT"
        refuses: "An ldt_base that is not page-aligned or lies in Xen's part of the address space, or an ldt_ents above 8192."
        why: "Xen refuses the vcpu, even if the LDT has no entries, and the restore fails after all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "the LDT of the vcpu has a base or a number of entries of {found:x}, which Xen does not accept"
    PvGdtCount "pv::gdt-count" W D D
        field: word, framing: kept, by: core
        title: "too many GDT entries"
        refuses: "A gdt_ents above 7168, taking all its bits into account."
        why: "The rest of the table belongs to Xen. The restorer checks the low 32 bits before it translates the frames, and Xen checks all bits. Either fails."
        source: "restorer, process_vcpu_basic(); Xen's FIRST_RESERVED_GDT_ENTRY; arch_set_info_guest() in Xen"
        message: "gdt_ents is {found}; at most {expected} is allowed"
    PvGdtRange "pv::gdt-range" W D D
        field: word, framing: kept, by: core
        title: "GDT frame out of range"
        refuses: "A frame of the GDT in use that lies above the guest's largest pfn."
        why: "The restorer translates each into a machine frame and fails on one that the guest does not have, after all memory has been transferred."
        source: "restorer, process_vcpu_basic()"
        message: "a GDT frame is pfn {found:x}; the largest pfn is {expected:x}"
    PvUserMode "pv::user-mode" W D D
        field: word, framing: kept, by: core
        title: "user mode without a page table"
        refuses: "A 64-bit vcpu whose flags say that it is in user mode, with a cr1 of zero."
        why: "Such a vcpu resumes in user mode with the page table in cr1. Xen refuses the vcpu, and the restore fails after all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "the vcpu is in user mode, and cr1 names no page table"
    PvCr1Present "pv::cr1-present" W D D
        field: word, framing: kept, by: core
        title: "cr1 not marked as in use"
        refuses: "A cr1 of a 64-bit vcpu that is not zero and has bit 0 clear."
        why: "The restorer translates the pfn in cr1 into a machine frame only if bit 0 is set, but Xen always interprets it as a machine frame. The frame may belong to another guest, so Xen refuses the vcpu."
        source: "restorer, process_vcpu_basic(); arch_set_info_guest() in Xen"
        message: "cr1 is {found:x}, but bit 0, which marks it as in use, is clear"
    PvCr3Range "pv::cr3-range" W D D
        field: word, framing: kept, by: core
        title: "page table in cr3 out of range"
        refuses: "A cr3 that names a pfn above the guest's largest."
        why: "cr3 is the root of the vcpu's page tables. The restorer fails on one that the guest does not have, when all memory has been transferred."
        source: "restorer, process_vcpu_basic()"
        message: "cr3 names pfn {found:x}; the largest pfn is {expected:x}"
    PvCr1Range "pv::cr1-range" W D D
        field: word, framing: kept, by: core
        title: "user page table in cr1 out of range"
        refuses: "A cr1 in use that names a pfn above the guest's largest."
        why: "A 64-bit PV guest keeps the root of its user page tables in cr1 and marks it with bit 0. The restorer fails on one that the guest does not have, when all memory has been transferred."
        source: "restorer, process_vcpu_basic()"
        message: "cr1 names pfn {found:x}; the largest pfn is {expected:x}"
    PvDebug "pv::debug" W W D
        field: word, framing: kept, by: core
        title: "impossible debug register"
        refuses: "A dr6 or dr7 of a 64-bit vcpu above 32 bits, or a dr0 to dr3 that names an address in Xen's part of the address space or none at all."
        why: "No processor has such values. Releases since 4.18 refuse the vcpu; older ones discard the value. dr5 is not checked, because Xen up to 4.10 left data in it."
        source: "arch_set_info_guest() in Xen"
        message: "a debug register is {found:x}, which Xen 4.18 and newer refuse"
    PvVmAssist "pv::vm-assist" W D D
        field: word, framing: kept, by: core
        title: "unknown feature in vm_assist"
        refuses: "A vm_assist of vcpu 0 with a bit that Xen does not know for guests of this width."
        why: "Xen refuses the vcpu, and the restore fails after all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "vm_assist is {found:x}; only the bits of {expected:x} are known"
    PvExtendedSize "pv::extended-size" W D D
        field: 4, framing: kept, by: core
        title: "extended state too short for Xen"
        refuses: "An X86_PV_VCPU_EXTENDED whose size field is below 32."
        why: "The field says how much of the structure is used, and Xen requires at least the system call handlers. It refuses the vcpu, and the restore fails after all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_ext_vcpucontext"
        message: "size is {found}; Xen requires at least {expected}"
    PvExtendedShort "pv::extended-short" W W D
        field: 4, framing: kept, by: core
        title: "extended state shorter than it says"
        refuses: "An X86_PV_VCPU_EXTENDED whose size field exceeds the state in the record."
        why: "Up to Xen 4.18, the restorer passes the record to Xen in a structure that it does not clear, so data from its stack completes the guest's state."
        source: "restorer, process_vcpu_extended()"
        message: "size is {found}, but the record holds {expected} bytes of state"
    PvExtendedCallback "pv::extended-callback" W D D
        field: 8, framing: kept, by: core
        title: "system call handler that is not canonical"
        refuses: "A syscall32_callback_eip or sysenter_callback_eip whose bits 63 to 47 are not all the same."
        why: "Xen refuses the vcpu, and the restore fails after all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_ext_vcpucontext"
        message: "the address of a system call handler is {found:x}, which is not canonical"
    PvExtendedCaps "pv::extended-caps" W D D
        field: 8, framing: kept, by: core
        title: "unknown machine-check capability"
        refuses: "Machine-check capabilities that no host has, where the size field covers them."
        why: "Xen refuses the vcpu, and the restore fails after all memory has been transferred. It accepts capabilities of Intel processors only on such a host."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_ext_vcpucontext; vmce_restore_vcpu()"
        message: "the machine-check capabilities are {found:x}; only the bits of {expected:x} are known"
    PvXsaveState "pv::xsave-state" W D D
        field: 8, framing: kept, by: core
        title: "extended processor state that no processor has"
        refuses: "An X86_PV_VCPU_XSAVE whose xcr0 or xcr0_accum is not a valid set of components, whose xcr0 or xstate_bv has components outside xcr0_accum, whose xcr0_accum has a component that the stream's X86_CPUID_POLICY does not offer, or whose XSAVE header has a reserved word that is not zero."
        why: "Xen refuses the vcpu after all memory has been transferred: the processor would fault on the state."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_setvcpuextstate; validate_xstate()"
        message: "a field of the XSAVE state is {found:x}, which Xen does not accept"
    PvXsaveArea "pv::xsave-area" W D D
        field: 4, framing: kept, by: core
        title: "XSAVE area does not match its masks"
        refuses: "An X86_PV_VCPU_XSAVE that has an xcr0_accum but no room for its components, wherever a processor places them, that has more than the two masks but no xcr0_accum, or whose length does not match its components, if none is beyond AVX, so that every processor has the same layout."
        why: "Xen compares the length with the components in use and refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_setvcpuextstate; validate_xstate()"
        message: "the XSAVE state has {found} bytes; its masks need {expected}"
    PvXsaveLength "pv::xsave-length" W W D
        field: 4, framing: kept, by: core
        title: "XSAVE area of another size"
        refuses: "An X86_PV_VCPU_XSAVE whose area is not as long as the components in its xcr0_accum, laid out by the stream's X86_CPUID_POLICY."
        why: "The policy describes the layout on the processor that the guest was saved on. Xen requires the exact size on its own processor, and refuses the vcpu after all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_setvcpuextstate; xstate_ctxt_size()"
        message: "the XSAVE state has {found} bytes; its components need {expected}"
    PvMsrsCount "pv::msrs-count" W D D
        field: 4, framing: kept, by: core
        title: "too many MSRs"
        refuses: "An X86_PV_VCPU_MSRS with more than 7 entries."
        why: "Xen refuses the vcpu, and the restore fails after all memory has been transferred. Releases before 4.18.4 and 4.19.1 count up to 11 on a host whose processor has address masks for breakpoints, but no saver writes more than 7."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_vcpu_msrs"
        message: "the vcpu has {found} MSRs; at most {expected} are allowed"
    PvMsrsIndex "pv::msrs-index" W D D
        field: 4, framing: kept, by: core
        title: "unknown MSR"
        refuses: "An entry of X86_PV_VCPU_MSRS with an index that no release accepts."
        why: "Xen refuses the vcpu, and the restore fails after all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_vcpu_msrs"
        message: "Xen does not accept MSR {found:x} for a vcpu"
    PvMsrsPolicy "pv::msrs-policy" W D D
        field: 4, framing: kept, by: core
        title: "MSR that the guest does not have"
        refuses: "An entry of X86_PV_VCPU_MSRS whose MSR belongs to a feature that the stream's CPUID policy does not give the guest."
        why: "A guest gets at most the features of its policy, so every host refuses the MSR, after all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_vcpu_msrs; guest_wrmsr()"
        message: "MSR {found:x} belongs to a feature that the CPUID policy lacks"
    PvMsrsValue "pv::msrs-value" W D D
        field: 8, framing: kept, by: core
        title: "impossible value of an MSR"
        refuses: "An entry of X86_PV_VCPU_MSRS with a bit that no release accepts in this MSR, or that belongs to a feature which the stream's policies do not give the guest."
        why: "Xen refuses the vcpu, and the restore fails after all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_vcpu_msrs; guest_wrmsr()"
        message: "the value of an MSR is {found:x}; only the bits of {expected:x} may be set"
    PvStartInfoType "pv::start-info-type" W D D
        field: word, framing: kept, by: std
        title: "start-info page of the wrong type"
        refuses: "An edx of vcpu 0 that names a page whose last entry in PAGE_DATA is not NOTAB."
        why: "The restorer writes to that page. It refuses a page that is a page table or absent, after all memory has been transferred. Page types are known only after all of memory has passed, so this rule is checked in files only."
        source: "restorer, process_start_info()"
        message: "edx of vcpu 0 names a page of type {found:x}; the start-info page must be a normal page"
    PvStoreRange "pv::store-range" W D D
        field: word, framing: kept, by: std
        title: "xenstore page out of range"
        refuses: "A store_mfn in the start-info page that names a pfn above the guest's largest."
        why: "The restorer turns it into a machine frame and fails on one that the guest does not have, after all memory has been transferred. The page is known only after all of memory has passed, so this rule is checked in files only."
        source: "restorer, process_start_info()"
        message: "the start-info page names pfn {found:x} for xenstore; the largest pfn is {expected:x}"
    PvConsoleRange "pv::console-range" W D D
        field: word, framing: kept, by: std
        title: "console page out of range"
        refuses: "A console.domU.mfn in the start-info page that names a pfn above the guest's largest."
        why: "The restorer turns it into a machine frame and fails on one that the guest does not have, after all memory has been transferred. The page is known only after all of memory has passed, so this rule is checked in files only."
        source: "restorer, process_start_info()"
        message: "the start-info page names pfn {found:x} for the console; the largest pfn is {expected:x}"
    PvGdtType "pv::gdt-type" W D D
        field: word, framing: kept, by: std
        title: "GDT frame of the wrong type"
        refuses: "A frame of the GDT in use whose last entry in PAGE_DATA is not NOTAB."
        why: "The restorer refuses a frame that is a page table or absent, after all memory has been transferred. Page types are known only after all of memory has passed, so this rule is checked in files only."
        source: "restorer, process_vcpu_basic()"
        message: "a GDT frame is a page of type {found:x}, not a normal page"
    PvCr3Type "pv::cr3-type" W D D
        field: word, framing: kept, by: std
        title: "cr3 names no top-level page table"
        refuses: "A cr3 that names a page whose last entry in PAGE_DATA is not that of a top-level page table: L4TAB of a 64-bit guest, L3TAB of a 32-bit guest."
        why: "The vcpu would run on pages that are not page tables. The restorer checks the type and fails after all memory has been transferred. On a pipe, the types of up to 131072 such tables are remembered."
        source: "restorer, process_vcpu_basic()"
        message: "cr3 names a page {found}; a top-level page table has type {expected:x}"
    PvCr1Type "pv::cr1-type" W D D
        field: word, framing: kept, by: std
        title: "cr1 names no top-level page table"
        refuses: "A cr1 in use that names a page whose last entry in PAGE_DATA is not L4TAB."
        why: "cr1 is the root of the page tables of user mode. The restorer checks the type and fails after all memory has been transferred. On a pipe, the types of up to 131072 such tables are remembered."
        source: "restorer, process_vcpu_basic()"
        message: "cr1 names a page {found}; a top-level page table has type {expected:x}"
    PvP2mType "pv::p2m-type" W D D
        field: 8, framing: kept, by: std
        title: "p2m frame of the wrong type"
        refuses: "A frame in X86_PV_P2M_FRAMES whose last entry in PAGE_DATA is not NOTAB."
        why: "The restorer writes the new p2m to these pages. It refuses a page that is a page table or absent, after all memory has been transferred. Page types are known only after all of memory has passed, so this rule is checked in files only."
        source: "restorer, update_guest_p2m()"
        message: "a frame of the p2m is a page of type {found:x}, not a normal page"
    } };
}
