//! Rules on the libxc stream: registers, time, HVM state and CPU policies.

macro_rules! state {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*

    // The libxc stream: registers of a PV guest.
    LibxcVcpuHeader "libxc::vcpu-header" D D D
        field: 4, framing: lost(4, length), by: core
        title: "vcpu record without its header"
        refuses: "A vcpu record too short for its vcpu header."
        why: "Without the header, it is unknown which vcpu the record is for. The restorer fails."
        source: "libxc specification, \"X86_PV_VCPU_BASIC, EXTENDED, XSAVE, MSRS\"; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length is {found}; the vcpu header alone takes {expected}"
    LibxcVcpuBasicLength "libxc::vcpu-basic-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_PV_VCPU_BASIC"
        refuses: "An X86_PV_VCPU_BASIC whose state is not exactly one vcpu context of the guest's width."
        why: "The state is the register file in Xen's layout: 5168 bytes for a 64-bit guest and 2800 for a 32-bit one. The restorer compares the size with the guest's width and fails."
        source: "Xen's public vcpu_guest_context_t; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_BASIC is {found}; a guest of this width takes {expected}"
    LibxcVcpuExtendedLength "libxc::vcpu-extended-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "X86_PV_VCPU_EXTENDED too long"
        refuses: "An X86_PV_VCPU_EXTENDED with more than 128 bytes of state."
        why: "The state is copied to the argument of a hypercall, which has room for 128 bytes. The restorer checks the size and fails."
        source: "Xen's public domctl; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_EXTENDED is {found}; at most {expected} is allowed"
    LibxcVcpuXsaveLength "libxc::vcpu-xsave-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "X86_PV_VCPU_XSAVE too short"
        refuses: "An X86_PV_VCPU_XSAVE with less than 16 bytes of state."
        why: "The masks before the area take 16 bytes. The restorer fails on less."
        source: "Xen's public domctl, vcpuextstate; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_XSAVE is {found}; at least {expected} is needed"
    LibxcVcpuMsrsLength "libxc::vcpu-msrs-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "X86_PV_VCPU_MSRS with an incomplete entry"
        refuses: "An X86_PV_VCPU_MSRS whose state is not a whole number of entries."
        why: "Each MSR takes 16 bytes. The restorer fails on an incomplete one."
        source: "Xen's public domctl, vcpu_msrs; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_MSRS is {found}; the state after the vcpu header must be entries of 16 bytes"
    LibxcVcpuReserved "libxc::vcpu-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of a vcpu header is not zero"
        refuses: "A vcpu header with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage, or a future format. The restorer ignores the value."
        source: "libxc specification, \"X86_PV_VCPU_BASIC, EXTENDED, XSAVE, MSRS\" and \"Fields\""
        message: "the reserved word of a vcpu header is {found:x}, not zero"
    LibxcVcpuEmpty "libxc::vcpu-empty" W A D
        field: 4, framing: kept, by: core
        title: "vcpu record without state"
        refuses: "A vcpu record with nothing after its header."
        why: "Xen 4.6 to 4.8 wrote such records by mistake, and restorers skip them. From anything newer, it means that registers were lost, and the vcpu is left as if the record were not there."
        source: "libxc specification, \"Errata\"; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length is {found}: no state follows the vcpu header"
    LibxcVcpuExtendedId "libxc::vcpu-extended-id" W W D
        field: 4, framing: kept, by: core
        title: "extended state of another vcpu"
        refuses: "An X86_PV_VCPU_EXTENDED whose state and header name different vcpus."
        why: "The state is a hypercall argument with a vcpu number of its own, which Xen uses: the other vcpu silently gets the state."
        source: "Xen's public domctl, ext_vcpucontext; restorer, process_vcpu_extended()"
        message: "the state belongs to vcpu {found}, but its header says vcpu {expected}"
    LibxcVcpuId "libxc::vcpu-id" D D D
        field: 4, framing: kept, by: core
        title: "vcpu id out of range"
        refuses: "A vcpu_id at or above the limit `vcpus`. Under restore, only in a record with contents."
        why: "The restorer fails on a vcpu that the new domain does not have. The number of vcpus is not in the stream, so the limit stands in for it: Xen's maximum, or the number in the configuration of xl or libvirt. The restorer drops a record without contents before it looks at the id."
        source: "restorer, handle_x86_pv_vcpu_blob(); Xen's maximum of 8192; limit of the policy"
        message: "vcpu_id {found} is not below the limit vcpus of {expected}"
    LibxcVcpuEarly "libxc::vcpu-early" D A D
        field: 4, framing: kept, by: core
        title: "registers before memory"
        refuses: "A vcpu record before the first PAGE_DATA."
        why: "Savers write registers last, after the guest has stopped. Earlier ones may not match the memory that follows. The restorer keeps them until the end and accepts either order."
        source: "libxc specification, \"x86 PV Guest\""
        message: "{found} comes before the first PAGE_DATA"
    LibxcVcpuMsrsReserved "libxc::vcpu-msrs-reserved" W D D
        field: 4, framing: kept, by: core
        title: "reserved word of an MSR is not zero"
        refuses: "An entry of X86_PV_VCPU_MSRS with a reserved word that is not zero."
        why: "Xen refuses the entry and the whole hypercall, and the restore fails at its very end."
        source: "Xen's public domctl, vcpu_msrs: XEN_DOMCTL_set_vcpu_msrs refuses it"
        message: "the reserved word of an MSR is {found:x}, not zero"
    LibxcVcpuBasicMissing "libxc::vcpu-basic-missing" W D D
        field: 4, framing: kept, by: core
        title: "no registers of vcpu 0"
        refuses: "A PV stream that reaches CHECKPOINT or END without X86_PV_VCPU_BASIC of vcpu 0."
        why: "The registers of vcpu 0 name the start-info page, without which a PV guest cannot resume. The restorer fails after all memory has been transferred."
        source: "restorer, update_vcpu_context()"
        message: "{found} comes without an X86_PV_VCPU_BASIC of vcpu 0 before it"
    LibxcSharedInfoLength "libxc::shared-info-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of SHARED_INFO"
        refuses: "A SHARED_INFO that is not exactly one page."
        why: "The record is a copy of the page that guest and hypervisor share. The restorer fails on any other length."
        source: "libxc specification, \"SHARED_INFO\"; restorer, handle_shared_info()"
        message: "body_length of SHARED_INFO is {found}, not {expected}"
    LibxcSharedInfoMissing "libxc::shared-info-missing" W A D
        field: 4, framing: kept, by: core
        title: "no SHARED_INFO"
        refuses: "A PV stream that reaches END without SHARED_INFO."
        why: "The restorer does not check for the record: the guest resumes with an empty shared page, without its wall clock and without the locations of its vcpus' data."
        source: "libxc specification, \"x86 PV Guest\""
        message: "{found} comes without a SHARED_INFO before it"

    // The libxc stream: time, HVM state, CPU policies.
    LibxcTscInfoLength "libxc::tsc-info-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_TSC_INFO"
        refuses: "An X86_TSC_INFO of a length other than 24."
        why: "All fields are passed to Xen together. The restorer fails on any other length."
        source: "libxc specification, \"TSC_INFO\"; restorer, handle_x86_tsc_info()"
        message: "body_length of X86_TSC_INFO is {found}, not {expected}"
    LibxcTscInfoReserved "libxc::tsc-info-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of X86_TSC_INFO is not zero"
        refuses: "An X86_TSC_INFO with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage, or a future format. The restorer ignores the value."
        source: "libxc specification, \"TSC_INFO\" and \"Fields\""
        message: "the reserved word of X86_TSC_INFO is {found:x}, not zero"
    LibxcTscInfoMode "libxc::tsc-info-mode" W D D
        field: 4, framing: kept, by: core
        title: "unknown TSC mode"
        refuses: "A TSC mode above 2."
        why: "Xen refuses the hypercall that sets it, and the restore fails."
        source: "Xen's tsc_set_info(); libxc specification, \"TSC_INFO\", mode"
        message: "TSC mode is {found}; {expected} is the largest that Xen accepts"
    LibxcTscInfoKhz "libxc::tsc-info-khz" W W D
        field: 4, framing: kept, by: core
        title: "implausible clock rate"
        refuses: "An X86_TSC_INFO of mode 0 or 1 whose khz is neither 0 nor between 1,000 and 20,000,000."
        why: "Releases before 4.16.4 and 4.17.1 multiply the value in 32 bits: a multiple of 2^29 becomes 0, and the hypervisor loops for ever. Other values give the guest a clock that is wrong by orders of magnitude."
        source: "Xen's tsc_set_info() and set_time_scale(); Xen ad15a0a8ca"
        message: "khz is {found}, which is not a plausible processor frequency"
    LibxcHvmParamsLength "libxc::hvm-params-length" D D D
        field: 4, framing: lost(12, length), by: core
        title: "wrong length of HVM_PARAMS"
        refuses: "An HVM_PARAMS whose length does not follow from its count."
        why: "With fewer entries than count says, the restorer would read past the record, so it checks the length and fails."
        source: "libxc specification, \"HVM_PARAMS\"; restorer, handle_hvm_params()"
        message: "body_length of HVM_PARAMS is {found}; its count needs {expected}"
    LibxcHvmParamsReserved "libxc::hvm-params-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of HVM_PARAMS is not zero"
        refuses: "An HVM_PARAMS with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage, or a future format. The restorer ignores the value."
        source: "libxc specification, \"HVM_PARAMS\" and \"Fields\""
        message: "the reserved word of HVM_PARAMS is {found:x}, not zero"
    LibxcHvmParamsEmpty "libxc::hvm-params-empty" W A D
        field: 4, framing: kept, by: core
        title: "HVM_PARAMS without entries"
        refuses: "An HVM_PARAMS with a count of 0."
        why: "Xen 4.6 to 4.8 wrote such records by mistake, and restorers skip them. From anything newer, it means that the guest loses its xenstore and console pages."
        source: "libxc specification, \"Errata\"; restorer, handle_hvm_params()"
        message: "count is {found}: the record sets no parameter"
    LibxcHvmParamsIndex "libxc::hvm-params-index" W D D
        field: 8, framing: kept, by: core
        title: "unknown HVM parameter"
        refuses: "An index of 39 or more in HVM_PARAMS."
        why: "Xen has 39 parameters and refuses others, but looks only at the low 32 bits of the index: 2^32 + 1 silently sets parameter 1."
        source: "Xen's HVM_NR_PARAMS; restorer, handle_hvm_params(), xc_hvm_param_set() takes 32 bits"
        message: "parameter {found} is unknown; Xen has parameters below {expected}"
    LibxcHvmParamsRefused "libxc::hvm-params-refused" W D D
        field: 8, framing: kept, by: core
        title: "HVM parameter that Xen refuses"
        refuses: "A parameter that a toolstack may not set, or a value that Xen does not accept for the parameter."
        why: "The hypercall and the restore fail after all memory has been transferred."
        source: "Xen's hvm_allow_set_param() and hvm_set_param(): 13, 20 to 23, 25, 26 and 30 never, 24 and 35 no longer in newer releases; 9, 10, 14, 15, 24, 31, 33, 35 and 36 by value"
        message: "Xen refuses to set parameter {expected}{to}"
    LibxcHvmParamsSuspended "libxc::hvm-params-suspended" W W D
        field: 8, framing: kept, by: core
        title: "guest suspended to RAM"
        refuses: "An HVM_PARAMS entry that sets ACPI_S_STATE to 3."
        why: "Xen resets every vcpu and pauses the domain once more than it is unpaused: the domain restores but never runs. No saver writes the parameter."
        source: "Xen's hvm_s3_suspend()"
        message: "ACPI_S_STATE is {found}: the guest restores but never runs"
    LibxcHvmParamsConflict "libxc::hvm-params-conflict" W D D
        field: 8, framing: kept, by: core
        title: "parameter set to two values"
        refuses: "A second, different value for a parameter that can be set only once."
        why: "Xen refuses to change IOREQ_PFN, BUFIOREQ_PFN, VIRIDIAN, IOREQ_SERVER_PFN, NR_IOREQ_SERVER_PAGES and MCA_CAP once they are set."
        source: "Xen's hvm_allow_set_param()"
        message: "the value is {found:x}, but the parameter was already set to {expected:x}"
    LibxcHvmParamsRepeated "libxc::hvm-params-repeated" W A D
        field: 8, framing: kept, by: core
        title: "HVM parameter set twice"
        refuses: "An index that comes twice in one HVM_PARAMS."
        why: "The last value wins, or Xen refuses it if the parameter may be set only once. Savers never write a parameter twice."
        source: "restorer, handle_hvm_params() sets them one after the other"
        message: "parameter {found} comes twice in the record"
    LibxcHvmParamsOrder "libxc::hvm-params-order" A A A
        field: 4, framing: kept, by: core
        title: "HVM_PARAMS after HVM_CONTEXT"
        refuses: "An HVM_PARAMS that comes after HVM_CONTEXT."
        why: "The specification's text asks for the other order, but every released Xen writes this one. The restorer defers the context, so both work."
        source: "libxc specification, \"x86 HVM Guest\"; Xen's own saver"
        message: "{found} comes after HVM_CONTEXT"
    LibxcHvmContextEmpty "libxc::hvm-context-empty" D D D
        field: 4, framing: lost(4, length), by: core
        title: "HVM_CONTEXT without contents"
        refuses: "An HVM_CONTEXT without a body."
        why: "The record holds the vcpus' registers and all hardware that the hypervisor emulates. Without them, there is nothing to resume."
        source: "libxc specification, \"HVM_CONTEXT\"; the restorer fails to store an empty blob"
        message: "body_length of HVM_CONTEXT is {found}"
    LibxcHvmContextMissing "libxc::hvm-context-missing" W D D
        field: 4, framing: kept, by: core
        title: "no HVM_CONTEXT"
        refuses: "An HVM stream that reaches CHECKPOINT or END without HVM_CONTEXT."
        why: "The vcpus' registers are missing. Xen refuses an empty context, and the restore fails after all memory has been transferred."
        source: "restorer, x86_hvm_stream_complete(); Xen's hvm_load()"
        message: "{found} comes without an HVM_CONTEXT before it"
    LibxcHvmParamsStore "libxc::hvm-params-store" W W D
        field: 0, framing: kept, by: core
        title: "no xenstore ring"
        refuses: "A stream of an HVM guest that reaches its end without parameter 1 (STORE_PFN)."
        why: "The toolstack connects xenstore to page 0 instead of the guest's ring. The domain restores, but its paravirtual drivers never work."
        source: "Xen's HVM_PARAM_STORE_PFN, which every saver writes; restorer, handle_hvm_params()"
        message: "{found} comes without HVM parameter 1 (STORE_PFN): the guest restores, but its xenstore and paravirtual drivers are dead"
    LibxcHvmParamsConsole "libxc::hvm-params-console" W W W
        field: 0, framing: kept, by: core
        title: "no console ring"
        refuses: "A stream of an HVM guest that reaches its end without parameter 17 (CONSOLE_PFN)."
        why: "The domain restores and runs, but its console shows nothing."
        source: "Xen's HVM_PARAM_CONSOLE_PFN, which every saver writes; restorer, handle_hvm_params()"
        message: "{found} comes without HVM parameter 17 (CONSOLE_PFN): the guest's console is dead"
    LibxcCpuidPolicyLength "libxc::cpuid-policy-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_CPUID_POLICY"
        refuses: "An X86_CPUID_POLICY that is empty or not a whole number of leaves."
        why: "Each leaf takes 24 bytes. The restorer fails on any other length."
        source: "libxc specification, \"X86_CPUID_POLICY\"; restorer, handle_x86_cpuid_policy()"
        message: "body_length of X86_CPUID_POLICY is {found}; it must be one or more leaves of 24 bytes"
    LibxcCpuidPolicyLeaf "libxc::cpuid-policy-leaf" W D D
        field: 4, framing: kept, by: core
        title: "CPUID leaf out of range"
        refuses: "A leaf or subleaf in X86_CPUID_POLICY outside the ranges of Xen's CPU policy."
        why: "Xen stores a fixed set of leaves and refuses the whole policy if one does not fit. The restore fails before any memory is transferred."
        source: "Xen's x86_cpuid_copy_from_buffer()"
        message: "CPUID leaf or subleaf {found:x} is out of range for Xen"
    LibxcCpuidPolicyCount "libxc::cpuid-policy-count" W D D
        field: 4, framing: kept, by: core
        title: "too many CPUID leaves"
        refuses: "An X86_CPUID_POLICY with more leaves than any release has room for."
        why: "Xen refuses the whole policy, and the restore fails before any memory is transferred."
        source: "Xen's x86_cpuid_copy_from_buffer() and CPUID_MAX_SERIALISED_LEAVES"
        message: "X86_CPUID_POLICY holds {found} leaves; at most {expected} are allowed"
    LibxcCpuidPolicyMax "libxc::cpuid-policy-max" W D D
        field: 4, framing: kept, by: core
        title: "largest leaf is out of range"
        refuses: "A CPUID leaf 0, 7 or 0x80000000 that names a larger leaf or subleaf than Xen has room for."
        why: "Xen compares the number with the largest policy that it supports and refuses the whole policy, before any memory is transferred."
        source: "Xen's x86_cpu_policies_are_compatible()"
        message: "the largest leaf is {found:x}; Xen supports at most {expected:x}"
    LibxcMsrPolicyLength "libxc::msr-policy-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_MSR_POLICY"
        refuses: "An X86_MSR_POLICY that is empty or not a whole number of entries."
        why: "Each MSR takes 16 bytes. The restorer fails on any other length."
        source: "libxc specification, \"X86_MSR_POLICY\"; restorer, handle_x86_msr_policy()"
        message: "body_length of X86_MSR_POLICY is {found}; it must be one or more entries of 16 bytes"
    LibxcMsrPolicyCount "libxc::msr-policy-count" W D D
        field: 4, framing: kept, by: core
        title: "too many MSRs in X86_MSR_POLICY"
        refuses: "An X86_MSR_POLICY with more MSRs than Xen has room for: 2, or 1 in some point releases."
        why: "Xen refuses the whole policy, and the restore fails before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer() and MSR_MAX_SERIALISED_ENTRIES; the second MSR came with Xen ac4ec487e0"
        message: "X86_MSR_POLICY holds {found} MSRs; at most {expected} are allowed"
    LibxcMsrPolicyFlags "libxc::msr-policy-flags" W D D
        field: 4, framing: kept, by: core
        title: "flags of an MSR are not zero"
        refuses: "An entry of X86_MSR_POLICY with flags that are not zero."
        why: "No flag is defined, and Xen refuses the whole policy if one is set. The restore fails before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer(); libxc specification, \"X86_MSR_POLICY\", flags"
        message: "the flags of an MSR are {found:x}, not zero"
    LibxcMsrPolicyIndex "libxc::msr-policy-index" W D D
        field: 4, framing: kept, by: core
        title: "unknown MSR in X86_MSR_POLICY"
        refuses: "An entry of X86_MSR_POLICY with an index other than 0xce and 0x10a."
        why: "Xen refuses the whole policy, and the restore fails before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer()"
        message: "MSR {found:x} does not belong in a policy"
    LibxcMsrPolicyValue "libxc::msr-policy-value" W D D
        field: 8, framing: kept, by: core
        title: "impossible value of an MSR in the policy"
        refuses: "An entry of X86_MSR_POLICY with a value that the MSR cannot have: 0xce may have bit 31 only, and 0x10a must fit into 32 bits for releases that store no more."
        why: "Xen refuses the whole policy, and the restore fails before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer() and x86_cpu_policies_are_compatible(); Xen d9fe459ffa"
        message: "the value is {found:x}; the bits that the MSR may have are {expected:x}"
    LibxcVerifyEarly "libxc::verify-early" W W D
        field: 4, framing: kept, by: core
        title: "VERIFY before any memory"
        refuses: "A VERIFY before any PAGE_DATA."
        why: "After VERIFY, the restorer only compares pages and does not store them, and a difference does not fail the restore. The restore appears to succeed, but the guest's memory is zeros."
        source: "libxc specification, \"VERIFY\"; restorer, process_page_data()"
        message: "{found} comes before any PAGE_DATA: the pages that follow will not be stored"
    LibxcVerifyCheckpointed "libxc::verify-checkpointed" W W D
        field: 4, framing: kept, by: core
        title: "VERIFY in a checkpointed stream"
        refuses: "A VERIFY in a checkpointed stream."
        why: "The comparison never ends: the memory of every later checkpoint is compared and discarded, while its registers are used, so the guest resumes with a mixture of two states."
        source: "libxc specification, \"VERIFY\"; restorer, process_page_data()"
        message: "VERIFY in a checkpointed stream: the pages of later checkpoints will not be stored"
    LibxcCheckpointUnexpected "libxc::checkpoint-unexpected" W D D
        field: 4, framing: kept, by: core
        title: "CHECKPOINT in a plain stream"
        refuses: "A CHECKPOINT in a stream that is not checkpointed."
        why: "The restorer's caller says whether the stream is checkpointed, and the restorer fails at a CHECKPOINT in a plain stream. A Remus or COLO stream must be announced as such."
        source: "libxc specification, \"CHECKPOINT\"; restorer, handle_checkpoint()"
        message: "{found} in a stream without checkpoints"
    } };
}
