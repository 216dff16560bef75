/*
 * What the hypervisor itself refuses of the values that a restore hands to it, release by release: the checks of a
 * strict stand-in. Written from the source of Xen at the tags of the three releases and from their public headers, and
 * from nothing of xenstream's, so that the two can be compared.
 *
 * No host is assumed. What one host refuses and another takes (features, sizes of XSAVE components, a vendor's MCA
 * capabilities, nested virtualisation) is taken, unless the CPU policy in the stream shows that no host takes it.
 *
 * Every function answers 0 or a negative errno.
 */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenctrl.h>

/* values-policy.c: XEN_DOMCTL_set_cpu_policy, and what it leaves the domain with. */
int values_policy(const xen_cpuid_leaf_t *leaves, uint32_t nr_leaves, const xen_msr_entry_t *msrs, uint32_t nr_msrs);

enum cpuid_register { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };
/* May the domain have this feature, on some host? */
bool policy_may_have(uint32_t leaf, uint32_t subleaf, enum cpuid_register reg, unsigned int bit);
/* Number of bits of a physical address, at most. */
unsigned int policy_address_bits(void);
/* May an MSR of a vcpu be set to this value? */
bool policy_msr_may_be(uint32_t index, uint64_t value, bool hvm, uint64_t xcr0_accum);
/* What validate_xstate() makes of a header. `header` is of 64 bytes. */
int policy_xstate(uint64_t xcr0, uint64_t xcr0_accum, const void *header);
/* Size of an area with these components, where it is the same on every processor; 0 where it is not. */
uint32_t policy_xstate_size(uint64_t xcr0_accum);
/* Size that no processor goes below. */
uint32_t policy_xstate_size_least(uint64_t xcr0_accum);
/* vmce_restore_vcpu() */
int policy_mca_caps(uint64_t caps);

/* values-context.c: XEN_DOMCTL_sethvmcontext. */
int values_context(const uint8_t *blob, size_t size, unsigned int vcpus);

/* values-params.c: HVMOP_set_param. */
int values_param(uint32_t index, uint64_t value);

/* values-vcpu.c: the state of a PV guest's vcpu, and XEN_DOMCTL_settscinfo. */
int values_vcpu(uint32_t vcpu, const void *context, bool wide);
int values_extended(const struct xen_domctl_ext_vcpucontext *state);
int values_xsave(const uint8_t *blob, uint64_t size);
int values_msrs(const struct xen_domctl_vcpu_msr *msrs, uint32_t count);
int values_tsc(uint32_t mode, uint32_t khz);

#endif
