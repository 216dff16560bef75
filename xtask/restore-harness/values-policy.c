/*
 * CPU policies: x86_cpuid_copy_from_buffer(), x86_msr_copy_from_buffer(), x86_cpu_policies_are_compatible() and
 * recalculate_cpuid_policy() of the hypervisor, and what its other checks ask of the policy that comes of them.
 */
#include <errno.h>
#include <string.h>

#include "values.h"

/* CPUID_GUEST_NR_*: the same in the three point releases that Debian has. */
enum {
    BASIC_LEAVES = 0xe,
    CACHE_SUBLEAVES = 6,
    FEATURE_SUBLEAVES = 3,
    TOPOLOGY_SUBLEAVES = 2,
    XSTATE_SUBLEAVES = 63,
    EXTENDED_LEAVES = 0x22,
    /* The leaves with subleaves count once less each, and the hypervisor's own two are added. */
    MAX_LEAVES = BASIC_LEAVES - 4 + CACHE_SUBLEAVES + FEATURE_SUBLEAVES + TOPOLOGY_SUBLEAVES + XSTATE_SUBLEAVES +
                 EXTENDED_LEAVES + 2,
    MAX_MSRS = 2,
};

#define NO_SUBLEAF 0xffffffffu
#define EXTENDED 0x80000000u
#define PLATFORM_INFO 0xceu
#define ARCH_CAPABILITIES 0x10au
#define CPUID_FAULTING (1ull << 31)

/* What the stream said of the policy; the rest is a host's default. */
static struct {
    xen_cpuid_leaf_t leaves[MAX_LEAVES];
    uint32_t count;
    uint64_t platform_info;
    bool has_platform_info;
} given;

static bool in_range(const xen_cpuid_leaf_t *leaf)
{
    if (leaf->leaf < BASIC_LEAVES) {
        switch (leaf->leaf) {
        case 0x4:
            return leaf->subleaf < CACHE_SUBLEAVES;
        case 0x7:
            return leaf->subleaf < FEATURE_SUBLEAVES;
        case 0xb:
            return leaf->subleaf < TOPOLOGY_SUBLEAVES;
        case 0xd:
            return leaf->subleaf < XSTATE_SUBLEAVES;
        default:
            return leaf->subleaf == NO_SUBLEAF;
        }
    }
    if (leaf->leaf == 0x40000000 || leaf->leaf == 0x40000100 ||
        (leaf->leaf >= EXTENDED && leaf->leaf < EXTENDED + EXTENDED_LEAVES))
        return leaf->subleaf == NO_SUBLEAF;
    return false;
}

/* Later entries replace earlier ones. */
static void keep(const xen_cpuid_leaf_t *leaf)
{
    uint32_t i;

    for (i = 0; i < given.count; i++)
        if (given.leaves[i].leaf == leaf->leaf && given.leaves[i].subleaf == leaf->subleaf)
            break;
    given.leaves[i] = *leaf;
    if (i == given.count)
        given.count++;
}

static const xen_cpuid_leaf_t *find(uint32_t leaf, uint32_t subleaf)
{
    for (uint32_t i = 0; i < given.count; i++)
        if (given.leaves[i].leaf == leaf && given.leaves[i].subleaf == subleaf)
            return &given.leaves[i];
    return NULL;
}

/* Of all ones Xen counts on from 0, zeroes the number itself with all others, and is content. */
static bool above(uint32_t leaf, uint32_t subleaf, uint32_t limit)
{
    const xen_cpuid_leaf_t *entry = find(leaf, subleaf);

    return entry && entry->a > limit && (leaf == EXTENDED || entry->a != UINT32_MAX);
}

/* Is it above the number in this register, as x86_cpu_policy_clear_out_of_range_leaves() counts? */
static bool beyond(uint32_t number, const xen_cpuid_leaf_t *entry)
{
    return entry && number >= entry->a + 1;
}

int values_policy(const xen_cpuid_leaf_t *leaves, uint32_t nr_leaves, const xen_msr_entry_t *msrs, uint32_t nr_msrs)
{
    if (nr_leaves > MAX_LEAVES)
        return -E2BIG;
    for (uint32_t i = 0; i < nr_leaves; i++) {
        if (!in_range(&leaves[i]))
            return -ERANGE;
        keep(&leaves[i]);
    }
    if (nr_msrs > MAX_MSRS)
        return -E2BIG;
    for (uint32_t i = 0; i < nr_msrs; i++) {
        if (msrs[i].flags)
            return -EINVAL;
        if (msrs[i].idx == PLATFORM_INFO) {
            if (msrs[i].val > UINT32_MAX)
                return -EOVERFLOW;
            given.platform_info = msrs[i].val;
            given.has_platform_info = true;
        } else if (msrs[i].idx != ARCH_CAPABILITIES) {
            return -ERANGE;
        }
    }
    /* Against the largest policy that any host can have. */
    if (above(0, NO_SUBLEAF, BASIC_LEAVES - 1) || above(EXTENDED, NO_SUBLEAF, EXTENDED + EXTENDED_LEAVES - 1))
        return -EINVAL;
#if XEN_MINOR >= 15
    if (above(7, 0, FEATURE_SUBLEAVES - 1))
        return -EINVAL;
#endif
    if (given.platform_info & ~CPUID_FAULTING)
        return -EINVAL;
    return 0;
}

/* x86_cpu_policy_clear_out_of_range_leaves() */
static bool is_cleared(uint32_t leaf, uint32_t subleaf)
{
    const xen_cpuid_leaf_t *basic = find(0, NO_SUBLEAF), *features = find(7, 0), *extended = find(EXTENDED, NO_SUBLEAF);

    if (leaf >= EXTENDED)
        return extended && (leaf & 0xffff) > (extended->a & 0xffff);
    return beyond(leaf, basic) || (leaf == 7 && beyond(subleaf, features));
}

bool policy_may_have(uint32_t leaf, uint32_t subleaf, enum cpuid_register reg, unsigned int bit)
{
    const xen_cpuid_leaf_t *entry = find(leaf, subleaf);
    uint32_t value;

    if (is_cleared(leaf, subleaf))
        return false;
    if (!entry)
        return true;
    value = reg == CPUID_EAX ? entry->a : reg == CPUID_EBX ? entry->b : reg == CPUID_ECX ? entry->c : entry->d;
    return value >> bit & 1;
}

unsigned int policy_address_bits(void)
{
    const xen_cpuid_leaf_t *entry = find(EXTENDED + 8, NO_SUBLEAF);
    bool wide = policy_may_have(1, NO_SUBLEAF, CPUID_EDX, 6) || policy_may_have(1, NO_SUBLEAF, CPUID_EDX, 17);
    unsigned int bits = 52, least = wide ? 36 : 32;

    if (is_cleared(EXTENDED + 8, NO_SUBLEAF))
        bits = 0;
    else if (entry && (entry->a & 0xff) < bits)
        bits = entry->a & 0xff;
    return bits > least ? bits : least;
}

int policy_mca_caps(uint64_t caps)
{
    const uint64_t count = 0xff, ctl = 1 << 8, intel = 1 << 10 | 1 << 11 | 1 << 24 | 1 << 27;

    return caps & ~(count | ctl | intel) ? -EINVAL : 0;
}

/* ---- XSAVE ---- */

enum {
    XCR0_X87 = 1 << 0,
    XCR0_SSE = 1 << 1,
    XCR0_YMM = 1 << 2,
    XCR0_BND = 3 << 3,
    XCR0_AVX512 = 7 << 5,
    XCR0_PKRU = 1 << 9,
    XCR0_TILE = 3 << 17,
};

/* recalculate_xstate() */
static uint64_t largest_xcr0(void)
{
    uint64_t largest = XCR0_X87 | XCR0_SSE;

    /* The leaf has to be there, whatever it says. */
    if (is_cleared(0xd, 0) || !policy_may_have(1, NO_SUBLEAF, CPUID_ECX, 26))
        return 0;
    if (policy_may_have(1, NO_SUBLEAF, CPUID_ECX, 28))
        largest |= XCR0_YMM;
    if (policy_may_have(7, 0, CPUID_EBX, 14))
        largest |= XCR0_BND;
    if (policy_may_have(7, 0, CPUID_EBX, 16))
        largest |= XCR0_AVX512;
    if (policy_may_have(7, 0, CPUID_ECX, 3))
        largest |= XCR0_PKRU;
#if XEN_MINOR >= 20
    if (policy_may_have(7, 0, CPUID_EDX, 24))
        largest |= XCR0_TILE;
#endif
    return largest;
}

static bool is_valid_xcr0(uint64_t xcr0)
{
    if (!(xcr0 & XCR0_X87) || ((xcr0 & XCR0_YMM) && !(xcr0 & XCR0_SSE)))
        return false;
    if ((xcr0 & XCR0_AVX512) && (!(xcr0 & XCR0_YMM) || (xcr0 & XCR0_AVX512) != XCR0_AVX512))
        return false;
    if ((xcr0 & XCR0_BND) && (xcr0 & XCR0_BND) != XCR0_BND)
        return false;
#if XEN_MINOR >= 19
    if ((xcr0 & XCR0_TILE) && (xcr0 & XCR0_TILE) != XCR0_TILE)
        return false;
#endif
    return true;
}

int policy_xstate(uint64_t xcr0, uint64_t xcr0_accum, const void *header)
{
    uint64_t words[8]; /* xstate_bv, xcomp_bv, six reserved */

    memcpy(words, header, sizeof(words));
    if ((words[0] & ~xcr0_accum) || (xcr0 & ~xcr0_accum) || (xcr0_accum & ~largest_xcr0()) || !is_valid_xcr0(xcr0) ||
        !is_valid_xcr0(xcr0_accum))
        return -EINVAL;
    if (words[1])
        return -EOPNOTSUPP;
    for (int i = 2; i < 8; i++)
        if (words[i])
            return -EIO;
    return 0;
}

uint32_t policy_xstate_size_least(uint64_t xcr0_accum)
{
    /* Of components 2 to 9 and 17. Those that no release knows take no room here. */
    static const uint32_t sizes[18] = { 0, 0, 256, 64, 64, 64, 512, 1024, 0, 8, [17] = 64 };
    uint32_t size = 576;

    for (unsigned int i = 2; i < 18; i++)
        if (xcr0_accum >> i & 1)
            size += sizes[i];
    return size;
}

uint32_t policy_xstate_size(uint64_t xcr0_accum)
{
    if (xcr0_accum & ~(uint64_t)(XCR0_X87 | XCR0_SSE | XCR0_YMM))
        return 0;
    return policy_xstate_size_least(xcr0_accum);
}

/* ---- guest_wrmsr() ---- */

static uint64_t spec_ctrl_bits(void)
{
    uint64_t bits = 3; /* IBRS, STIBP */

    if (policy_may_have(7, 0, CPUID_EDX, 31) || policy_may_have(EXTENDED + 8, NO_SUBLEAF, CPUID_EBX, 24))
        bits |= 1 << 2;
    if (policy_may_have(7, 2, CPUID_EDX, 0) || policy_may_have(EXTENDED + 8, NO_SUBLEAF, CPUID_EBX, 28))
        bits |= 1 << 7;
#if XEN_MINOR >= 17
    if (policy_may_have(7, 2, CPUID_EDX, 1))
        bits |= 3 << 3;
    if (policy_may_have(7, 2, CPUID_EDX, 2))
        bits |= 3 << 5;
    if (policy_may_have(7, 2, CPUID_EDX, 4))
        bits |= 1 << 10;
#endif
    return bits;
}

static bool is_canonical(uint64_t address)
{
    return (int64_t)(address << 16) >> 16 == (int64_t)address;
}

bool policy_msr_may_be(uint32_t index, uint64_t value, bool hvm, uint64_t xcr0_accum)
{
    uint64_t faulting = given.has_platform_info ? given.platform_info & CPUID_FAULTING : CPUID_FAULTING;

    switch (index) {
    case 0x48: /* SPEC_CTRL */
        return (policy_may_have(7, 0, CPUID_EDX, 26) || policy_may_have(EXTENDED + 8, NO_SUBLEAF, CPUID_EBX, 14)) &&
               !(value & ~spec_ctrl_bits());
    case 0x140: /* MISC_FEATURES_ENABLES */
        return value <= (faulting ? 1 : 0);
    case 0xc0011019 ... 0xc001101b: /* address masks of DR1 to DR3 */
    case 0xc0011027:                /* of DR0 */
        return policy_may_have(EXTENDED + 1, NO_SUBLEAF, CPUID_ECX, 26) && value <= UINT32_MAX;
    case 0xc0000103: /* TSC_AUX */
        return !hvm && value <= UINT32_MAX &&
               (policy_may_have(EXTENDED + 1, NO_SUBLEAF, CPUID_EDX, 27) || policy_may_have(7, 0, CPUID_ECX, 22));
    case 0xd90: /* BNDCFGS */
        return hvm && policy_may_have(7, 0, CPUID_EBX, 14) && is_canonical(value) && !(value & 0xffc) &&
               (!(value & 1) || (xcr0_accum & XCR0_BND));
    case 0xda0: /* XSS */
        return hvm && policy_may_have(0xd, 1, CPUID_EAX, 3) && value == 0;
#if XEN_MINOR >= 17
    case 0xc001011f: /* VIRT_SPEC_CTRL */
        return hvm && policy_may_have(EXTENDED + 8, NO_SUBLEAF, CPUID_EBX, 25);
#endif
#if XEN_MINOR >= 18
    case 0x6e1: /* PKRS */
        return hvm && policy_may_have(7, 0, CPUID_ECX, 31) && value <= UINT32_MAX;
#endif
    default:
        return false;
    }
}
