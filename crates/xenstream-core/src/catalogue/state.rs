//! Rules on the libxc stream: registers, time, HVM state and CPU policies.

macro_rules! state {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*

    // The libxc stream: registers of a PV guest.
    LibxcVcpuHeader "libxc::vcpu-header" D D D
        field: 4, framing: lost(4, length), by: core
        title: "vcpu record without its header"
        refuses: "A vcpu record too short for its vcpu header."
        why: "Without the header nobody knows which vcpu it is for; the restorer fails."
        source: "libxc specification, \"X86_PV_VCPU_BASIC, EXTENDED, XSAVE, MSRS\"; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length is {found}; the vcpu header alone takes {expected}"
    LibxcVcpuBasicLength "libxc::vcpu-basic-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_PV_VCPU_BASIC"
        refuses: "An X86_PV_VCPU_BASIC whose state is not exactly one vcpu context of the guest's width."
        why: "The blob is the register file as Xen lays it out, 5168 bytes for a 64-bit guest and 2800 for a 32-bit one. The restorer checks the size against the width that it knows then, and fails."
        source: "Xen's public vcpu_guest_context_t; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_BASIC is {found}; a guest of this width takes {expected}"
    LibxcVcpuExtendedLength "libxc::vcpu-extended-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "X86_PV_VCPU_EXTENDED too long"
        refuses: "An X86_PV_VCPU_EXTENDED with more than 128 bytes of state."
        why: "The blob is copied over the argument of a hypercall, which has 128 bytes; the restorer checks that and fails."
        source: "Xen's public domctl; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_EXTENDED is {found}; {expected} is the most"
    LibxcVcpuXsaveLength "libxc::vcpu-xsave-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "X86_PV_VCPU_XSAVE too short"
        refuses: "An X86_PV_VCPU_XSAVE with less than 16 bytes of state."
        why: "The masks in front of the area take 16 bytes; the restorer fails on less."
        source: "Xen's public domctl, vcpuextstate; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_XSAVE is {found}; {expected} is the least"
    LibxcVcpuMsrsLength "libxc::vcpu-msrs-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "X86_PV_VCPU_MSRS with part of an entry"
        refuses: "An X86_PV_VCPU_MSRS whose state is not a whole number of entries."
        why: "Each MSR takes 16 bytes, and half an MSR cannot be set; the restorer fails."
        source: "Xen's public domctl, vcpu_msrs; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_MSRS is {found}; after the vcpu header it holds entries of 16 bytes"
    LibxcVcpuReserved "libxc::vcpu-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of a vcpu header is not zero"
        refuses: "A vcpu header with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage or a format of tomorrow. The restorer does not look at it."
        source: "libxc specification, \"X86_PV_VCPU_BASIC, EXTENDED, XSAVE, MSRS\" and \"Fields\""
        message: "the reserved word of a vcpu header is {found:x}, not zero"
    LibxcVcpuEmpty "libxc::vcpu-empty" W A D
        field: 4, framing: kept, by: core
        title: "vcpu record without state"
        refuses: "A vcpu record with nothing after its header."
        why: "Xen 4.6 to 4.8 wrote such records by mistake and restorers skip them. From anything newer it means that registers were lost, and the vcpu is left as if the record were not there."
        source: "libxc specification, \"Errata\"; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length is {found}: no state follows the vcpu header"
    LibxcVcpuExtendedId "libxc::vcpu-extended-id" W W D
        field: 4, framing: kept, by: core
        title: "extended state of another vcpu"
        refuses: "An X86_PV_VCPU_EXTENDED whose state names another vcpu than its header."
        why: "The blob is a hypercall argument with a vcpu number of its own, and Xen goes by that one: the state is silently given to the other vcpu."
        source: "Xen's public domctl, ext_vcpucontext; restorer, process_vcpu_extended()"
        message: "the state is of vcpu {found}, and its header says vcpu {expected}"
    LibxcVcpuId "libxc::vcpu-id" D D D
        field: 4, framing: kept, by: core
        title: "vcpu id out of range"
        refuses: "A vcpu_id at or above the limit vcpus; under restore in a record with contents only."
        why: "The restorer has room for as many vcpus as the new domain has and fails on the next. That number is not in the stream, so the limit stands in for it: Xen's maximum, or what the configuration of xl or libvirt says. A record without contents it drops before it looks at the id."
        source: "restorer, handle_x86_pv_vcpu_blob(); Xen's maximum of 8192; limit of the policy"
        message: "vcpu_id {found} is not below the limit vcpus of {expected}"
    LibxcVcpuEarly "libxc::vcpu-early" D A D
        field: 4, framing: kept, by: core
        title: "registers before memory"
        refuses: "A vcpu record before the first PAGE_DATA."
        why: "Savers take registers last, when the guest has stopped; earlier ones may not fit the memory that follows. The restorer keeps them until the end and does not mind."
        source: "libxc specification, \"x86 PV Guest\""
        message: "{found:libxc} comes before the first PAGE_DATA"
    LibxcVcpuMsrsReserved "libxc::vcpu-msrs-reserved" W D D
        field: 4, framing: kept, by: core
        title: "reserved word of an MSR is not zero"
        refuses: "An entry of X86_PV_VCPU_MSRS with a reserved word that is not zero."
        why: "Xen refuses the entry and with it the hypercall, and the restore fails at its very end."
        source: "Xen's public domctl, vcpu_msrs: XEN_DOMCTL_set_vcpu_msrs refuses it"
        message: "the reserved word of an MSR is {found:x}, not zero"
    LibxcVcpuBasicMissing "libxc::vcpu-basic-missing" W D D
        field: 4, framing: kept, by: core
        title: "no registers of vcpu 0"
        refuses: "A PV stream that reaches CHECKPOINT or END without X86_PV_VCPU_BASIC of vcpu 0."
        why: "vcpu 0 leads to the start-info page, without which a PV guest cannot be resumed; the restorer fails when all memory has been transferred."
        source: "restorer, update_vcpu_context()"
        message: "{found:libxc} comes without any X86_PV_VCPU_BASIC of vcpu 0 before it"
    LibxcSharedInfoLength "libxc::shared-info-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of SHARED_INFO"
        refuses: "A SHARED_INFO that is not exactly one page."
        why: "It is a copy of the page that guest and hypervisor share; the restorer fails on any other length."
        source: "libxc specification, \"SHARED_INFO\"; restorer, handle_shared_info()"
        message: "body_length of SHARED_INFO is {found}, not {expected}"
    LibxcSharedInfoMissing "libxc::shared-info-missing" W A D
        field: 4, framing: kept, by: core
        title: "no SHARED_INFO"
        refuses: "A PV stream that reaches END without SHARED_INFO."
        why: "The restorer does not ask for it: the guest wakes up with an empty shared page, without its wall clock and the places of its vcpus' data."
        source: "libxc specification, \"x86 PV Guest\""
        message: "{found:libxc} comes without any SHARED_INFO before it"

    // The libxc stream: time, HVM state, CPU policies.
    LibxcTscInfoLength "libxc::tsc-info-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_TSC_INFO"
        refuses: "An X86_TSC_INFO of a length other than 24."
        why: "All its fields are handed to Xen together; the restorer fails on any other length."
        source: "libxc specification, \"TSC_INFO\"; restorer, handle_x86_tsc_info()"
        message: "body_length of X86_TSC_INFO is {found}, not {expected}"
    LibxcTscInfoReserved "libxc::tsc-info-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of X86_TSC_INFO is not zero"
        refuses: "An X86_TSC_INFO with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage or a format of tomorrow. The restorer does not look at it."
        source: "libxc specification, \"TSC_INFO\" and \"Fields\""
        message: "the reserved word of X86_TSC_INFO is {found:x}, not zero"
    LibxcTscInfoMode "libxc::tsc-info-mode" W D D
        field: 4, framing: kept, by: core
        title: "unknown TSC mode"
        refuses: "A TSC mode above 2."
        why: "Xen refuses the hypercall that sets it, and the restore fails."
        source: "Xen's tsc_set_info(); libxc specification, \"TSC_INFO\", mode"
        message: "TSC mode is {found}; {expected} is the largest that Xen takes"
    LibxcTscInfoKhz "libxc::tsc-info-khz" W W D
        field: 4, framing: kept, by: core
        title: "implausible clock rate"
        refuses: "An X86_TSC_INFO of mode 0 or 1 whose khz is neither 0 nor between 1,000 and 20,000,000."
        why: "Releases before 4.16.4 and 4.17.1 multiply the value in 32 bits: a multiple of 2^29 becomes 0, and the hypervisor loops for ever; others give the guest a clock that is off by magnitudes."
        source: "Xen's tsc_set_info() and set_time_scale(); Xen ad15a0a8ca"
        message: "khz is {found}, which is no frequency of a processor"
    LibxcHvmParamsLength "libxc::hvm-params-length" D D D
        field: 4, framing: lost(12, length), by: core
        title: "wrong length of HVM_PARAMS"
        refuses: "An HVM_PARAMS whose length does not follow from its count."
        why: "With fewer entries than the count says the restorer would read past the record, so it checks and fails."
        source: "libxc specification, \"HVM_PARAMS\"; restorer, handle_hvm_params()"
        message: "body_length of HVM_PARAMS is {found} where it takes {expected}"
    LibxcHvmParamsReserved "libxc::hvm-params-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of HVM_PARAMS is not zero"
        refuses: "An HVM_PARAMS with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage or a format of tomorrow. The restorer does not look at it."
        source: "libxc specification, \"HVM_PARAMS\" and \"Fields\""
        message: "the reserved word of HVM_PARAMS is {found:x}, not zero"
    LibxcHvmParamsEmpty "libxc::hvm-params-empty" W A D
        field: 4, framing: kept, by: core
        title: "HVM_PARAMS without entries"
        refuses: "An HVM_PARAMS with a count of 0."
        why: "Xen 4.6 to 4.8 wrote such records by mistake and restorers skip them. From anything newer it means that the guest loses its xenstore and console pages."
        source: "libxc specification, \"Errata\"; restorer, handle_hvm_params()"
        message: "count is {found}: the record sets no parameter"
    LibxcHvmParamsIndex "libxc::hvm-params-index" W D D
        field: 8, framing: kept, by: core
        title: "unknown HVM parameter"
        refuses: "An index of 39 or more in HVM_PARAMS."
        why: "Xen knows 39 parameters and refuses others, but sees only the low 32 bits: an index of 2^32 + 1 silently sets parameter 1."
        source: "Xen's HVM_NR_PARAMS; restorer, handle_hvm_params(), xc_hvm_param_set() takes 32 bits"
        message: "parameter {found} is unknown; Xen has those below {expected}"
    LibxcHvmParamsRefused "libxc::hvm-params-refused" W D D
        field: 8, framing: kept, by: core
        title: "HVM parameter that Xen refuses"
        refuses: "A parameter that a toolstack may not set, or a value that Xen does not take for its parameter."
        why: "The hypercall fails and the restore with it, after all memory has been transferred."
        source: "Xen's hvm_allow_set_param() and hvm_set_param(): 13, 20 to 23, 25, 26 and 30 never, 24 and 35 no longer in newer releases; 9, 10, 14, 15, 24, 31, 33, 35 and 36 by value"
        message: "Xen refuses to set parameter {expected}{to}"
    LibxcHvmParamsSuspended "libxc::hvm-params-suspended" W W D
        field: 8, framing: kept, by: core
        title: "guest suspended to RAM"
        refuses: "An HVM_PARAMS entry that sets ACPI_S_STATE to 3."
        why: "Xen resets every vcpu and leaves the domain paused once too often: it restores and never runs. No saver writes the parameter."
        source: "Xen's hvm_s3_suspend()"
        message: "ACPI_S_STATE is {found}: the guest restores and never runs"
    LibxcHvmParamsConflict "libxc::hvm-params-conflict" W D D
        field: 8, framing: kept, by: core
        title: "parameter set to two values"
        refuses: "A second, different value for a parameter that can be set once."
        why: "Xen refuses to change IOREQ_PFN, BUFIOREQ_PFN, VIRIDIAN, IOREQ_SERVER_PFN, NR_IOREQ_SERVER_PAGES and MCA_CAP after they are set."
        source: "Xen's hvm_allow_set_param()"
        message: "the value is {found:x}, and the parameter was set to {expected:x} before"
    LibxcHvmParamsRepeated "libxc::hvm-params-repeated" W A D
        field: 8, framing: kept, by: core
        title: "HVM parameter set twice"
        refuses: "An index that comes twice in one HVM_PARAMS."
        why: "The last one wins, or Xen refuses it where a parameter may be set only once. Savers never write one twice."
        source: "restorer, handle_hvm_params() sets them one after the other"
        message: "parameter {found} comes twice in the record"
    LibxcHvmParamsOrder "libxc::hvm-params-order" A A A
        field: 4, framing: kept, by: core
        title: "HVM_PARAMS after HVM_CONTEXT"
        refuses: "An HVM_PARAMS that comes after HVM_CONTEXT."
        why: "The specification's text asks for the other order, and every released Xen writes this one; the restorer defers the context, so both work."
        source: "libxc specification, \"x86 HVM Guest\"; Xen's own saver"
        message: "{found:libxc} comes after HVM_CONTEXT"
    LibxcHvmContextEmpty "libxc::hvm-context-empty" D D D
        field: 4, framing: lost(4, length), by: core
        title: "HVM_CONTEXT without contents"
        refuses: "An HVM_CONTEXT without a body."
        why: "It holds the vcpus' registers and all emulated hardware of the hypervisor; without them there is nothing to resume."
        source: "libxc specification, \"HVM_CONTEXT\"; the restorer fails to store an empty blob"
        message: "body_length of HVM_CONTEXT is {found}"
    LibxcHvmContextMissing "libxc::hvm-context-missing" W D D
        field: 4, framing: kept, by: core
        title: "no HVM_CONTEXT"
        refuses: "An HVM stream that reaches CHECKPOINT or END without HVM_CONTEXT."
        why: "The vcpus' registers are missing: Xen refuses an empty context, and the restore fails when all memory has been transferred."
        source: "restorer, x86_hvm_stream_complete(); Xen's hvm_load()"
        message: "{found:libxc} comes without any HVM_CONTEXT before it"
    LibxcHvmParamsStore "libxc::hvm-params-store" W W D
        field: 0, framing: kept, by: core
        title: "no place of the xenstore ring"
        refuses: "A stream of an HVM guest that reaches its end without parameter 1 (STORE_PFN)."
        why: "The toolstack connects page 0 with xenstore instead of the guest's ring. The domain restores, and none of its paravirtual drivers ever answers."
        source: "Xen's HVM_PARAM_STORE_PFN, which every saver writes; restorer, handle_hvm_params()"
        message: "{found:libxc} comes without HVM parameter 1 (STORE_PFN): the guest restores, but its xenstore and paravirtual drivers are dead"
    LibxcHvmParamsConsole "libxc::hvm-params-console" W W W
        field: 0, framing: kept, by: core
        title: "no place of the console ring"
        refuses: "A stream of an HVM guest that reaches its end without parameter 17 (CONSOLE_PFN)."
        why: "The domain restores and runs, and its console shows nothing."
        source: "Xen's HVM_PARAM_CONSOLE_PFN, which every saver writes; restorer, handle_hvm_params()"
        message: "{found:libxc} comes without HVM parameter 17 (CONSOLE_PFN): the guest's console is dead"
    LibxcCpuidPolicyLength "libxc::cpuid-policy-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_CPUID_POLICY"
        refuses: "An X86_CPUID_POLICY that is empty or not a whole number of leaves."
        why: "Each leaf takes 24 bytes; the restorer fails on anything else."
        source: "libxc specification, \"X86_CPUID_POLICY\"; restorer, handle_x86_cpuid_policy()"
        message: "body_length of X86_CPUID_POLICY is {found}; it holds one or more leaves of 24 bytes"
    LibxcCpuidPolicyLeaf "libxc::cpuid-policy-leaf" W D D
        field: 4, framing: kept, by: core
        title: "CPUID leaf out of range"
        refuses: "A leaf or subleaf in X86_CPUID_POLICY that lies outside the ranges of Xen's CPU policy."
        why: "Xen has a place for a fixed set of leaves and refuses the whole policy for one that it cannot store; the restore fails before any memory is transferred."
        source: "Xen's x86_cpuid_copy_from_buffer()"
        message: "CPUID leaf or subleaf {found:x} is out of range for Xen"
    LibxcCpuidPolicyCount "libxc::cpuid-policy-count" W D D
        field: 4, framing: kept, by: core
        title: "too many CPUID leaves"
        refuses: "An X86_CPUID_POLICY of more leaves than any release has room for."
        why: "Xen refuses the whole policy, before any memory is transferred."
        source: "Xen's x86_cpuid_copy_from_buffer() and CPUID_MAX_SERIALISED_LEAVES"
        message: "X86_CPUID_POLICY holds {found} leaves; {expected} is the most"
    LibxcCpuidPolicyMax "libxc::cpuid-policy-max" W D D
        field: 4, framing: kept, by: core
        title: "largest leaf is out of range"
        refuses: "A CPUID leaf 0, 7 or 0x80000000 that names a larger leaf or subleaf than Xen has room for."
        why: "Xen compares the number with its own largest policy and refuses the whole policy, before any memory is transferred."
        source: "Xen's x86_cpu_policies_are_compatible()"
        message: "the largest leaf is {found:x}; {expected:x} is the largest that Xen has"
    LibxcMsrPolicyLength "libxc::msr-policy-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_MSR_POLICY"
        refuses: "An X86_MSR_POLICY that is empty or not a whole number of entries."
        why: "Each MSR takes 16 bytes; the restorer fails on anything else."
        source: "libxc specification, \"X86_MSR_POLICY\"; restorer, handle_x86_msr_policy()"
        message: "body_length of X86_MSR_POLICY is {found}; it holds one or more entries of 16 bytes"
    LibxcMsrPolicyCount "libxc::msr-policy-count" W D D
        field: 4, framing: kept, by: core
        title: "too many MSRs in X86_MSR_POLICY"
        refuses: "An X86_MSR_POLICY of more MSRs than Xen has a place for: 2, and 1 in some point releases."
        why: "Xen refuses the whole policy, and the restore fails before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer() and MSR_MAX_SERIALISED_ENTRIES; the second MSR came with Xen ac4ec487e0"
        message: "X86_MSR_POLICY holds {found} MSRs; {expected} is the most"
    LibxcMsrPolicyFlags "libxc::msr-policy-flags" W D D
        field: 4, framing: kept, by: core
        title: "flags of an MSR are not zero"
        refuses: "An entry of X86_MSR_POLICY with flags that are not zero."
        why: "No flag is defined, and Xen refuses the whole policy for one; the restore fails before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer(); libxc specification, \"X86_MSR_POLICY\", flags"
        message: "flags of an MSR are {found:x}, not zero"
    LibxcMsrPolicyIndex "libxc::msr-policy-index" W D D
        field: 4, framing: kept, by: core
        title: "unknown MSR in X86_MSR_POLICY"
        refuses: "An entry of X86_MSR_POLICY with an index other than 0xce and 0x10a."
        why: "Xen refuses the whole policy, before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer()"
        message: "MSR {found:x} is not one that a policy holds"
    LibxcMsrPolicyValue "libxc::msr-policy-value" W D D
        field: 8, framing: kept, by: core
        title: "value that an MSR of the policy cannot have"
        refuses: "An entry of X86_MSR_POLICY with a value that the MSR cannot have: 0xce has bit 31 only, and 0x10a fits into 32 bits for releases without a place for 64."
        why: "Xen refuses the whole policy, before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer() and x86_cpu_policies_are_compatible(); Xen d9fe459ffa"
        message: "the value is {found:x}; the bits that the MSR may have are {expected:x}"
    LibxcVerifyEarly "libxc::verify-early" W W D
        field: 4, framing: kept, by: core
        title: "VERIFY before any memory"
        refuses: "A VERIFY before any PAGE_DATA."
        why: "After VERIFY the restorer compares pages and no longer stores them, and a difference does not fail the restore: the guest wakes up with zeroed memory, and all looks like a success."
        source: "libxc specification, \"VERIFY\"; restorer, process_page_data()"
        message: "{found:libxc} comes before any PAGE_DATA: the pages that follow will not be stored"
    LibxcVerifyCheckpointed "libxc::verify-checkpointed" W W D
        field: 4, framing: kept, by: core
        title: "VERIFY in a checkpointed stream"
        refuses: "A VERIFY in a checkpointed stream."
        why: "Nothing ends the comparison: the memory of every later checkpoint is compared and dropped, while the registers are taken, so the guest wakes up with a mixture of two states."
        source: "libxc specification, \"VERIFY\"; restorer, process_page_data()"
        message: "VERIFY in a checkpointed stream: the pages of later checkpoints will not be stored"
    LibxcCheckpointUnexpected "libxc::checkpoint-unexpected" W D D
        field: 4, framing: kept, by: core
        title: "CHECKPOINT in a plain stream"
        refuses: "A CHECKPOINT in a stream that is not checkpointed."
        why: "The restorer is told beforehand what kind of stream it gets, and fails at a CHECKPOINT in a plain one. A stream of Remus or COLO has to be announced as such."
        source: "libxc specification, \"CHECKPOINT\"; restorer, handle_checkpoint()"
        message: "{found:libxc} in a stream without checkpoints"
    } };
}
