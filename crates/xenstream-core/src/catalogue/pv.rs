//! Rules on page tables and registers of a PV guest.

macro_rules! pv {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    PvPteRange "pv::pte-range" D D D
        field: 8, framing: kept, by: core
        title: "page-table entry out of range"
        refuses: "A present page-table entry that names a frame above the guest's largest pfn."
        why: "The restorer turns every pfn in a page table into a machine frame and asserts that it is in range: one bad entry aborts the restore helper."
        source: "restorer, x86_pv_localise_page() and the assertion in pfn_to_mfn()"
        message: "a page-table entry names frame {found:x}; the largest pfn is {expected:x}"
    PvTableBatch "pv::table-batch" W W D
        field: 8, framing: kept, by: core
        title: "page table too far inside a batch"
        refuses: "A page table in a PV stream that comes, in its PAGE_DATA, after four times as many pages with data as savers put into one."
        why: "Its entries cannot be judged in constant memory, so an entry that aborts the restorer could hide there. Savers put no more than 1024 pages into a record."
        source: "libxc specification, \"PAGE_DATA\"; Xen's saver, MAX_BATCH_SIZE"
        message: "a page table comes after {found} pages with data of its record; tables are judged after fewer than {expected}"
    PvStartInfoRange "pv::start-info-range" W D D
        field: word, framing: kept, by: core
        title: "start-info page out of range"
        refuses: "An edx of vcpu 0 that names a pfn above the guest's largest."
        why: "A suspended PV guest leaves the pfn of its start-info page there; the restorer has to update that page, and fails when all memory has been transferred."
        source: "restorer, process_start_info()"
        message: "edx of vcpu 0 names pfn {found:x}; the largest pfn is {expected:x}"
    PvRegisters "pv::registers" W D D
        field: word, framing: kept, by: core
        title: "address that is not canonical"
        refuses: "A rip, rsp, kernel_sp, base of FS or GS, callback or trap handler of a 64-bit vcpu whose bits 63 to 47 are not all the same."
        why: "No processor takes such an address. Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "an address of the vcpu is {found:x}, which is not canonical"
    PvEflagsVm "pv::eflags-vm" W W D
        field: 4, framing: kept, by: core
        title: "virtual-8086 mode"
        refuses: "An eflags of a 32-bit vcpu with bit 17 set."
        why: "A PV guest cannot run in that mode. Releases from 4.21.1 on refuse the vcpu; older ones load the flag."
        source: "arch_set_info_guest() in Xen"
        message: "eflags is {found:x}: bit 17 asks for virtual-8086 mode"
    PvLdt "pv::ldt" W D D
        field: word, framing: kept, by: core
        title: "impossible LDT"
        refuses: "An ldt_base that does not begin a page or lies in the part of the address space that is Xen's, or an ldt_ents above 8192."
        why: "Xen refuses the vcpu, whether the LDT has entries or not, when all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "the LDT of the vcpu has a base or a number of entries of {found:x}, which Xen does not take"
    PvGdtCount "pv::gdt-count" W D D
        field: word, framing: kept, by: core
        title: "too many GDT entries"
        refuses: "A gdt_ents above 7168, in all its bits."
        why: "The rest of the table belongs to Xen. The restorer checks the lower 32 bits before it converts the frames, and Xen all of them; either fails."
        source: "restorer, process_vcpu_basic(); Xen's FIRST_RESERVED_GDT_ENTRY; arch_set_info_guest() in Xen"
        message: "gdt_ents is {found}; {expected} is the most"
    PvGdtRange "pv::gdt-range" W D D
        field: word, framing: kept, by: core
        title: "GDT frame out of range"
        refuses: "A frame of the GDT in use that lies above the guest's largest pfn."
        why: "The restorer turns each into a machine frame and fails on one that the guest does not have, when all memory has been transferred."
        source: "restorer, process_vcpu_basic()"
        message: "a GDT frame is pfn {found:x}; the largest pfn is {expected:x}"
    PvUserMode "pv::user-mode" W D D
        field: word, framing: kept, by: core
        title: "user mode without a page table"
        refuses: "A 64-bit vcpu whose flags do not say that it runs its kernel, with a cr1 of zero."
        why: "Such a vcpu goes on in user mode, and its page table is the one in cr1: Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "the vcpu is in user mode, and cr1 names no page table"
    PvCr1Present "pv::cr1-present" W D D
        field: word, framing: kept, by: core
        title: "cr1 without its mark"
        refuses: "A cr1 of a 64-bit vcpu that is not zero and has bit 0 clear."
        why: "The restorer turns the pfn in cr1 into a machine frame only if bit 0 is set, and Xen takes what is there for a machine frame in any case: a frame that may be another guest's, so it refuses the vcpu."
        source: "restorer, process_vcpu_basic(); arch_set_info_guest() in Xen"
        message: "cr1 is {found:x}; bit 0 marks one that is in use"
    PvCr3Range "pv::cr3-range" W D D
        field: word, framing: kept, by: core
        title: "page table in cr3 out of range"
        refuses: "A cr3 that names a pfn above the guest's largest."
        why: "It is the root of the vcpu's page tables; the restorer fails on one that the guest does not have, when all memory has been transferred."
        source: "restorer, process_vcpu_basic()"
        message: "cr3 names pfn {found:x}; the largest pfn is {expected:x}"
    PvCr1Range "pv::cr1-range" W D D
        field: word, framing: kept, by: core
        title: "user page table in cr1 out of range"
        refuses: "A cr1 in use that names a pfn above the guest's largest."
        why: "A 64-bit PV guest keeps the root of its user page tables there, marked by bit 0; the restorer fails on one that the guest does not have, when all memory has been transferred."
        source: "restorer, process_vcpu_basic()"
        message: "cr1 names pfn {found:x}; the largest pfn is {expected:x}"
    PvDebug "pv::debug" W W D
        field: word, framing: kept, by: core
        title: "impossible debug register"
        refuses: "A dr6 or dr7 of a 64-bit vcpu above 32 bits, or a dr0 to dr3 that names an address in Xen's part of the address space or none at all."
        why: "The processor has no such values. Releases from 4.18 on refuse the vcpu; older ones drop the value. Where dr5 holds something, Xen up to 4.10 left it there: it is not looked at."
        source: "arch_set_info_guest() in Xen"
        message: "a debug register is {found:x}, which Xen 4.18 and newer refuse"
    PvVmAssist "pv::vm-assist" W D D
        field: word, framing: kept, by: core
        title: "unknown feature in vm_assist"
        refuses: "A vm_assist of vcpu 0 with a bit that Xen does not know for guests of this width."
        why: "Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "vm_assist is {found:x}; only the bits of {expected:x} are known"
    PvExtendedSize "pv::extended-size" W D D
        field: 4, framing: kept, by: core
        title: "extended state too short for Xen"
        refuses: "An X86_PV_VCPU_EXTENDED whose size field is below 32."
        why: "The field tells Xen how much of the structure counts, and it asks for the system call handlers at least: it refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_ext_vcpucontext"
        message: "size is {found}; Xen asks for {expected} at least"
    PvExtendedShort "pv::extended-short" W W D
        field: 4, framing: kept, by: core
        title: "extended state shorter than it says"
        refuses: "An X86_PV_VCPU_EXTENDED whose size field is more than the record holds."
        why: "Up to Xen 4.18 the restorer hands the record to Xen in a structure that it does not clear, so that the guest's state is completed with what was on its stack."
        source: "restorer, process_vcpu_extended()"
        message: "size is {found}; the record holds {expected} bytes of state"
    PvExtendedCallback "pv::extended-callback" W D D
        field: 8, framing: kept, by: core
        title: "system call handler that is not canonical"
        refuses: "A syscall32_callback_eip or sysenter_callback_eip whose bits 63 to 47 are not all the same."
        why: "Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_ext_vcpucontext"
        message: "the address of a system call handler is {found:x}, which is not canonical"
    PvExtendedCaps "pv::extended-caps" W D D
        field: 8, framing: kept, by: core
        title: "unknown machine-check capability"
        refuses: "Machine-check capabilities that no host has, where the size field covers them."
        why: "Xen refuses the vcpu, when all memory has been transferred. Those that only Intel processors have it takes on such a host alone."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_ext_vcpucontext; vmce_restore_vcpu()"
        message: "the machine-check capabilities are {found:x}; only the bits of {expected:x} are known"
    PvXsaveState "pv::xsave-state" W D D
        field: 8, framing: kept, by: core
        title: "extended processor state that no processor has"
        refuses: "An X86_PV_VCPU_XSAVE whose xcr0 or xcr0_accum is no set of components that go together, whose xcr0 or xstate_bv goes beyond xcr0_accum, whose xcr0_accum has a component that X86_CPUID_POLICY of the same stream does not offer, or with a word in the XSAVE header that is not zero."
        why: "Xen refuses the vcpu, when all memory has been transferred: the processor would fault on the state."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_setvcpuextstate; validate_xstate()"
        message: "a field of the XSAVE state is {found:x}, which Xen does not take"
    PvXsaveArea "pv::xsave-area" W D D
        field: 4, framing: kept, by: core
        title: "XSAVE area that does not go with its masks"
        refuses: "An X86_PV_VCPU_XSAVE with a xcr0_accum and less than an XSAVE area, with more than the two masks and no xcr0_accum, or of another length than the components up to AVX take on every processor."
        why: "Xen compares the length with the components that were in use and refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_setvcpuextstate; validate_xstate()"
        message: "the XSAVE state has {found} bytes; its masks go with {expected}"
    PvXsaveLength "pv::xsave-length" W W D
        field: 4, framing: kept, by: core
        title: "XSAVE area of another size"
        refuses: "An X86_PV_VCPU_XSAVE whose area is not as long as the components in its xcr0_accum are in X86_CPUID_POLICY of the same stream."
        why: "The policy tells how the area is laid out on the processor that the guest was saved on. Xen asks for the size on its own processor, to the byte, and refuses the vcpu when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_setvcpuextstate; xstate_ctxt_size()"
        message: "the XSAVE state has {found} bytes; its components take {expected}"
    PvMsrsCount "pv::msrs-count" W D D
        field: 4, framing: kept, by: core
        title: "too many MSRs"
        refuses: "An X86_PV_VCPU_MSRS with more than 7 entries."
        why: "Xen refuses the vcpu, when all memory has been transferred. Releases before 4.18.4 and 4.19.1 take no more than 3 on a host whose processor has no address masks for breakpoints."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_vcpu_msrs"
        message: "the vcpu has {found} MSRs; {expected} is the most"
    PvMsrsIndex "pv::msrs-index" W D D
        field: 4, framing: kept, by: core
        title: "unknown MSR"
        refuses: "An entry of X86_PV_VCPU_MSRS with an index that no release takes."
        why: "Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_vcpu_msrs"
        message: "MSR {found:x} is not one that Xen takes for a vcpu"
    PvMsrsValue "pv::msrs-value" W D D
        field: 8, framing: kept, by: core
        title: "impossible value of an MSR"
        refuses: "An entry of X86_PV_VCPU_MSRS with a bit set that no release takes in this MSR."
        why: "Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_vcpu_msrs; guest_wrmsr()"
        message: "the value of an MSR is {found:x}; only the bits of {expected:x} may be set"
    PvStartInfoType "pv::start-info-type" W D D
        field: word, framing: kept, by: std
        title: "start-info page of another type"
        refuses: "An edx of vcpu 0 that names a page whose last entry in PAGE_DATA is not NOTAB."
        why: "The restorer writes to that page, and refuses one that is a page table, or is not there, when all memory has been transferred. Types are known only once all of memory has passed, so the rule is checked in files alone."
        source: "restorer, process_start_info()"
        message: "edx of vcpu 0 names a page of type {found:x}; the start-info page is a normal one"
    PvStoreRange "pv::store-range" W D D
        field: word, framing: kept, by: std
        title: "xenstore's page out of range"
        refuses: "A store_mfn in the start-info page that names a pfn above the guest's largest."
        why: "The restorer turns it into a machine frame and fails on one that the guest does not have, when all memory has been transferred. The page is known only once all of memory has passed, so the rule is checked in files alone."
        source: "restorer, process_start_info()"
        message: "the start-info page names pfn {found:x} for xenstore; the largest pfn is {expected:x}"
    PvConsoleRange "pv::console-range" W D D
        field: word, framing: kept, by: std
        title: "the console's page out of range"
        refuses: "A console.domU.mfn in the start-info page that names a pfn above the guest's largest."
        why: "The restorer turns it into a machine frame and fails on one that the guest does not have, when all memory has been transferred. The page is known only once all of memory has passed, so the rule is checked in files alone."
        source: "restorer, process_start_info()"
        message: "the start-info page names pfn {found:x} for the console; the largest pfn is {expected:x}"
    PvGdtType "pv::gdt-type" W D D
        field: word, framing: kept, by: std
        title: "GDT frame of another type"
        refuses: "A frame of the GDT in use whose last entry in PAGE_DATA is not NOTAB."
        why: "The restorer refuses a frame that is a page table, or is not there, when all memory has been transferred. Types are known only once all of memory has passed, so the rule is checked in files alone."
        source: "restorer, process_vcpu_basic()"
        message: "a GDT frame is a page of type {found:x}, not a normal one"
    PvCr3Type "pv::cr3-type" W D D
        field: word, framing: kept, by: std
        title: "cr3 names no top-level page table"
        refuses: "A cr3 that names a page whose last entry in PAGE_DATA is not that of a top-level page table: L4TAB of a 64-bit guest, L3TAB of a 32-bit guest."
        why: "The vcpu would run on tables that are none. The restorer compares the type and fails, when all memory has been transferred. Of an input that comes in order the types of these tables are kept, up to 131072 of them."
        source: "restorer, process_vcpu_basic()"
        message: "cr3 names a page {of-type}; a top-level page table is of type {expected:x}"
    PvCr1Type "pv::cr1-type" W D D
        field: word, framing: kept, by: std
        title: "cr1 names no top-level page table"
        refuses: "A cr1 in use that names a page whose last entry in PAGE_DATA is not L4TAB."
        why: "It holds the page tables of user mode. The restorer compares the type and fails, when all memory has been transferred. Of an input that comes in order the types of these tables are kept, up to 131072 of them."
        source: "restorer, process_vcpu_basic()"
        message: "cr1 names a page {of-type}; a top-level page table is of type {expected:x}"
    PvP2mType "pv::p2m-type" W D D
        field: 8, framing: kept, by: std
        title: "p2m frame of another type"
        refuses: "A frame in X86_PV_P2M_FRAMES that is a page whose last entry in PAGE_DATA is not NOTAB."
        why: "The restorer writes the new p2m to these pages, and refuses one that is a page table, or is not there, when all memory has been transferred. Types are known only once all of memory has passed, so the rule is checked in files alone."
        source: "restorer, update_guest_p2m()"
        message: "a frame of the p2m is a page of type {found:x}, not a normal one"
    } };
}
