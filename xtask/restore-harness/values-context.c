/*
 * HVM contexts: hvm_load() of the hypervisor and the handlers of every entry. The structures, and with them the lengths,
 * are those of the release's own public header.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <xenctrl.h> /* first: its macros make the headers below the tools' own */
#include <xen/hvm/save.h>

#include "values.h"


enum {
    CR0_PE = 1 << 0,
    CR0_ET = 1 << 4,
    EFER_LME = 1 << 8,
    EFER_LMA = 1 << 10,
    VCPUS_MAX = 128,
    XSAVE_AREA_LEAST = 576,
};
#define CR0_PG (1ull << 31)
#define CR0_KNOWN 0xe005003full
#define EXTENDED 0x80000000u
#define NO_SUBLEAF 0xffffffffu

/* Of each vcpu, what a later entry of its is judged by. */
static uint64_t accumulated[VCPUS_MAX];

struct entry {
    uint16_t type, instance;
    uint32_t length;
    const uint8_t *payload;
};

/* The structure at its full length, its missing tail zero. */
static void take(const struct entry *entry, void *to, size_t size)
{
    memset(to, 0, size);
    memcpy(to, entry->payload, entry->length < size ? entry->length : size);
}

/* ---- CPU ---- */

struct needed {
    uint64_t bits;
    uint32_t leaf, subleaf;
    enum cpuid_register reg;
    unsigned int feature;
};

static bool lacks(uint64_t value, const struct needed *table, size_t count)
{
    uint64_t allowed = 0;

    for (size_t i = 0; i < count; i++)
        if (policy_may_have(table[i].leaf, table[i].subleaf, table[i].reg, table[i].feature))
            allowed |= table[i].bits;
    return value & ~allowed;
}

/* hvm_cr4_guest_valid_bits(); a bit with two lines needs either. */
static bool cr4_refused(uint64_t cr4)
{
    static const struct needed table[] = {
        { 1 << 0 | 1 << 1, 1, NO_SUBLEAF, CPUID_EDX, 1 }, /* VME, PVI */
        { 1 << 2, 1, NO_SUBLEAF, CPUID_EDX, 4 },          /* TSD */
        { 1 << 3, 1, NO_SUBLEAF, CPUID_EDX, 2 },          /* DE */
        { 1 << 4, 1, NO_SUBLEAF, CPUID_EDX, 3 },          /* PSE */
        { 1 << 5, 1, NO_SUBLEAF, CPUID_EDX, 6 },          /* PAE */
        { 1 << 6, 1, NO_SUBLEAF, CPUID_EDX, 7 },          /* MCE, with MCE */
        { 1 << 6, 1, NO_SUBLEAF, CPUID_EDX, 14 },         /* or with MCA */
        { 1 << 7, 1, NO_SUBLEAF, CPUID_EDX, 13 },         /* PGE */
        { 1 << 9, 1, NO_SUBLEAF, CPUID_EDX, 24 },         /* OSFXSR */
        { 1 << 10, 1, NO_SUBLEAF, CPUID_EDX, 25 },        /* OSXMMEXCPT */
        { 1 << 11, 7, 0, CPUID_ECX, 2 },                  /* UMIP */
        { 1 << 13, 1, NO_SUBLEAF, CPUID_ECX, 5 },         /* VMXE, where nested virtualisation is configured */
        { 1 << 16, 7, 0, CPUID_EBX, 0 },                  /* FSGSBASE */
        { 1 << 17, 1, NO_SUBLEAF, CPUID_ECX, 17 },        /* PCIDE */
        { 1 << 18, 1, NO_SUBLEAF, CPUID_ECX, 26 },        /* OSXSAVE */
        { 1 << 20, 7, 0, CPUID_EBX, 7 },                  /* SMEP */
        { 1 << 21, 7, 0, CPUID_EBX, 20 },                 /* SMAP */
        { 1 << 22, 7, 0, CPUID_ECX, 3 },                  /* PKE */
#if XEN_MINOR >= 16
        { 1 << 23, 7, 0, CPUID_ECX, 7 },                  /* CET, with shadow stacks */
        { 1 << 23, 7, 0, CPUID_EDX, 20 },                 /* or with branch tracking */
#endif
#if XEN_MINOR >= 18
        { 1 << 24, 7, 0, CPUID_ECX, 31 },                 /* PKS */
#endif
    };
    const uint64_t pce = 1 << 8;

    return lacks(cr4 & ~pce, table, sizeof(table) / sizeof(*table));
}

/* hvm_efer_valid() */
static bool efer_refused(uint64_t efer, uint64_t cr0)
{
    static const struct needed table[] = {
        { 1 << 0, EXTENDED + 1, NO_SUBLEAF, CPUID_EDX, 11 },              /* SCE */
        { EFER_LME | EFER_LMA, EXTENDED + 1, NO_SUBLEAF, CPUID_EDX, 29 },
        { 1 << 11, EXTENDED + 1, NO_SUBLEAF, CPUID_EDX, 20 },             /* NXE */
        { 1 << 12, EXTENDED + 1, NO_SUBLEAF, CPUID_ECX, 2 },              /* SVME, where it is configured */
        { 1 << 14, EXTENDED + 1, NO_SUBLEAF, CPUID_EDX, 25 },             /* FFXSE */
#if XEN_MINOR >= 18
        { 1 << 21, EXTENDED + 0x21, NO_SUBLEAF, CPUID_EAX, 8 },           /* AIBRSE */
#endif
    };

    if ((efer & EFER_LMA) && (!(efer & EFER_LME) || !(cr0 & CR0_PG)))
        return true;
    return lacks(efer, table, sizeof(table) / sizeof(*table));
}

/* An event that no vendor's processor takes. */
static bool event_refused(const struct hvm_hw_cpu *cpu)
{
    if (!cpu->pending_valid)
        return false;
    return cpu->pending_type == 1 || cpu->pending_type > 6 || cpu->pending_reserved ||
           (cpu->pending_error_valid && cpu->error_code > UINT16_MAX);
}

static int load_cpu(const struct entry *entry)
{
    struct hvm_hw_cpu cpu;
    unsigned int bits = policy_address_bits();

    take(entry, &cpu, sizeof(cpu));
    if (entry->length == sizeof(struct hvm_hw_cpu_compat)) {
        struct hvm_hw_cpu_compat old;

        take(entry, &old, sizeof(old));
        cpu.error_code = old.error_code;
        cpu.pending_event = old.pending_event;
        cpu.msr_tsc_aux = 0;
    }
    if (entry->length != sizeof(cpu))
        cpu.flags = XEN_X86_FPU_INITIALISED;

    if (cpu.pad0 || (cpu.cr0 & ~CR0_KNOWN) || !(cpu.cr0 & CR0_ET) || (cpu.cr0 & (CR0_PE | CR0_PG)) == CR0_PG)
        return -EINVAL;
    if (cr4_refused(cpu.cr4) || efer_refused(cpu.msr_efer, cpu.cr0) || cpu.cr3 >> bits)
        return -EINVAL;
#if XEN_MINOR >= 18
    if (cpu.dr6 > UINT32_MAX || cpu.dr7 > UINT32_MAX)
        return -EINVAL;
#endif
    if ((cpu.flags & ~XEN_X86_FPU_INITIALISED) || cpu.msr_tsc_aux > UINT32_MAX || event_refused(&cpu))
        return -EINVAL;
    return 0;
}

/* ---- devices ---- */

static int load_pic(const struct entry *entry)
{
    if (entry->instance > 1)
        return -ENOENT;
#if XEN_MINOR >= 19
    struct hvm_hw_vpic pic;
    uint8_t lines = entry->instance ? 0xde : 0xfc;

    take(entry, &pic, sizeof(pic));
    if (pic.int_output > 1 || pic.is_master != !entry->instance || (pic.int_output && pic.init_state) ||
        (pic.elcr & ~lines))
        return -EINVAL;
#endif
    return 0;
}

static int load_lapic(const struct entry *entry)
{
    const uint64_t enabled = 1 << 11, extended = 1 << 10;
    struct hvm_hw_lapic lapic;

    take(entry, &lapic, sizeof(lapic));
    return (lapic.apic_base_msr & (enabled | extended)) == extended ? -EINVAL : 0;
}

static int load_link(const struct entry *entry)
{
    struct hvm_hw_pci_link link;

    take(entry, &link, sizeof(link));
    for (int i = 0; i < 4; i++)
        if (link.route[i] > 15 || (XEN_MINOR >= 19 && link.pad0[i]))
            return -EINVAL;
    return 0;
}

static int load_pit(const struct entry *entry)
{
#if XEN_MINOR >= 19
    struct hvm_hw_pit pit;

    take(entry, &pit, sizeof(pit));
    if (pit.speaker_data_on > 1 || pit.pad0)
        return -EDOM;
    for (int i = 0; i < 3; i++) {
        const struct hvm_hw_pit_channel *channel = &pit.channels[i];

        if (channel->count > 0x10000 || channel->count_latched > 4 || channel->read_state > 4 ||
            channel->write_state > 4 || channel->rw_mode > 3 || channel->gate > 1 || channel->bcd > 1)
            return -EDOM;
        if (i != 2 && !channel->gate)
            return -EINVAL;
    }
#endif
    return 0;
}

static int load_mtrr(const struct entry *entry)
{
    struct hvm_hw_mtrr mtrr;

    take(entry, &mtrr, sizeof(mtrr));
    return (mtrr.msr_mtrr_cap & 0xff) > MTRR_VCNT ? -EINVAL : 0;
}

static int load_viridian(const struct entry *entry)
{
    struct hvm_viridian_vcpu_context viridian;

    take(entry, &viridian, sizeof(viridian));
    for (size_t i = 0; i < sizeof(viridian._pad); i++)
        if (viridian._pad[i])
            return -EINVAL;
    return 0;
}

static int load_mca(const struct entry *entry)
{
    struct hvm_vmce_vcpu mca;

    take(entry, &mca, sizeof(mca));
    return policy_mca_caps(mca.caps);
}

static int load_nothing(const struct entry *entry)
{
    return 0;
}

/* ---- entries of variable length ---- */

static int load_xsave(const struct entry *entry)
{
    const size_t head = offsetof(struct hvm_hw_cpu_xsave, save_area), least = head + XSAVE_AREA_LEAST;
    struct hvm_hw_cpu_xsave xsave;
    uint32_t known;
    int rc;

    if (entry->length < least)
        return -EINVAL;
    take(entry, &xsave, sizeof(xsave));
    rc = policy_xstate(xsave.xcr0, xsave.xcr0_accum, &xsave.save_area.xsave_hdr);
    if (rc)
        return rc;
    if (entry->length < head + policy_xstate_size_least(xsave.xcr0_accum))
        return -EINVAL;
    known = policy_xstate_size(xsave.xcr0_accum);
    if (known) {
        /* Old releases wrote longer areas than they needed. */
        for (uint32_t i = head + known; i < entry->length; i++)
            if (entry->payload[i])
                return -EOPNOTSUPP;
    }
    accumulated[entry->instance] = xsave.xcr0_accum;
    return 0;
}

static int load_msrs(const struct entry *entry)
{
    const size_t head = offsetof(struct hvm_msr, msr), one = sizeof(struct hvm_one_msr);
    struct hvm_one_msr msr;
    uint32_t count;

    if (entry->length < head + one)
        return -EINVAL;
    memcpy(&count, entry->payload, sizeof(count));
    if (entry->length != head + (uint64_t)count * one)
        return -EOPNOTSUPP;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&msr, entry->payload + head + i * one, one);
        if (msr._rsvd)
            return -EOPNOTSUPP;
    }
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&msr, entry->payload + head + i * one, one);
        /* Not a PV guest's, though its handler would take it. */
        if (!policy_msr_may_be(msr.index, msr.val, true, accumulated[entry->instance]))
            return -ENXIO;
    }
    return 0;
}

/* ---- the chain ---- */

enum length_rule { EXACT, AT_MOST, OWN };

static const struct kind {
    bool of_vcpu;
    enum length_rule rule;
    uint32_t length;
    int (*load)(const struct entry *entry);
} kinds[HVM_SAVE_CODE_MAX + 1] = {
#define KIND(name, of_vcpu, rule, load) [HVM_SAVE_CODE(name)] = { of_vcpu, rule, HVM_SAVE_LENGTH(name), load }
    KIND(CPU, true, AT_MOST, load_cpu),
    KIND(PIC, false, EXACT, load_pic),
    KIND(IOAPIC, false, EXACT, load_nothing),
    KIND(LAPIC, true, AT_MOST, load_lapic),
    KIND(LAPIC_REGS, true, EXACT, load_nothing),
    KIND(PCI_IRQ, false, EXACT, load_nothing),
    KIND(ISA_IRQ, false, EXACT, load_nothing),
    KIND(PCI_LINK, false, EXACT, load_link),
    KIND(PIT, false, EXACT, load_pit),
    KIND(RTC, false, AT_MOST, load_nothing),
    KIND(HPET, false, EXACT, load_nothing),
    KIND(PMTIMER, false, EXACT, load_nothing),
    KIND(MTRR, true, EXACT, load_mtrr),
    KIND(VIRIDIAN_DOMAIN, false, AT_MOST, load_nothing),
    KIND(VIRIDIAN_VCPU, true, AT_MOST, load_viridian),
    KIND(VMCE_VCPU, true, AT_MOST, load_mca),
    KIND(TSC_ADJUST, true, EXACT, load_nothing),
#undef KIND
    [CPU_XSAVE_CODE] = { true, OWN, 0, load_xsave },
    [CPU_MSR_CODE] = { true, OWN, 0, load_msrs },
};

static int load(const struct entry *entry, unsigned int vcpus)
{
    const struct kind *kind = entry->type <= HVM_SAVE_CODE_MAX ? &kinds[entry->type] : NULL;

    if (!kind || !kind->load || (kind->of_vcpu && (entry->instance >= vcpus || entry->instance >= VCPUS_MAX)))
        return -EINVAL;
    if (kind->rule != OWN && (kind->rule == EXACT ? entry->length != kind->length : entry->length > kind->length))
        return -EINVAL;
    return kind->load(entry);
}

int values_context(const uint8_t *blob, size_t size, unsigned int vcpus)
{
    struct hvm_save_descriptor descriptor;
    struct hvm_save_header header;
    size_t at = sizeof(descriptor) + sizeof(header);

    if (size < at)
        return -ENODATA;
    memcpy(&descriptor, blob, sizeof(descriptor));
    memcpy(&header, blob + sizeof(descriptor), sizeof(header));
    if (descriptor.typecode != HVM_SAVE_CODE(HEADER) || descriptor.length != sizeof(header))
        return -ENODATA;
    if (header.magic != HVM_FILE_MAGIC || header.version != HVM_FILE_VERSION)
        return -EINVAL;
    memset(accumulated, 0, sizeof(accumulated));
    for (;;) {
        struct entry entry;
        int rc;

        if (size - at < sizeof(descriptor))
            return -ENODATA;
        memcpy(&descriptor, blob + at, sizeof(descriptor));
        at += sizeof(descriptor);
        if (descriptor.typecode == HVM_SAVE_CODE(END))
            return 0;
        if (descriptor.length > size - at)
            return -ENODATA;
        entry = (struct entry){ descriptor.typecode, descriptor.instance, descriptor.length, blob + at };
        rc = load(&entry, vcpus);
        if (rc)
            return rc;
        at += descriptor.length;
    }
}
