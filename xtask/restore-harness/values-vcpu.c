/*
 * The state of a PV guest's vcpu: arch_set_info_guest() and the calls for EXTENDED, XSAVE and MSRS of the hypervisor;
 * and tsc_set_info().
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <xenctrl.h>
#include <xen/foreign/x86_32.h>
#include <xen/foreign/x86_64.h>

#include "standin.h"
#include "values.h"

enum {
    PAGE = 4096,
    LDT_ENTRIES_MAX = 8192,
    GDT_FRAMES = 16,
    GDT_ENTRIES_PER_FRAME = 512,
    IN_KERNEL = 1 << 2,
    EXTENDED_LEAST = 32,   /* up to the MCA state */
    EXTENDED_MCA_LEAST = 8, /* the capabilities alone, as they once were */
    XSAVE_HEADER = 16,     /* xcr0, xcr0_accum */
    XSAVE_AREA_LEAST = 576,
    XSAVE_AREA_HEADER_AT = 512,
    VCPU_MSRS = 7,
};
#define ASSISTS 0x3full
#define ASSIST_M2P_STRICT (1ull << 32)
#define LOWER_HALF_END (1ull << 47)
#define XEN_END 0xffff880000000000ull

static bool is_canonical(uint64_t address)
{
    return (int64_t)(address << 16) >> 16 == (int64_t)address;
}

/* __addr_ok(): outside of Xen's own addresses. */
static bool is_guests(uint64_t address)
{
    return address < LOWER_HALF_END || address >= XEN_END;
}

static bool gdt_too_long(uint64_t entries)
{
    return entries / GDT_ENTRIES_PER_FRAME + !!(entries % GDT_ENTRIES_PER_FRAME) > GDT_FRAMES;
}

static int wide_vcpu(uint32_t vcpu, const vcpu_guest_context_x86_64_t *context)
{
#if XEN_MINOR >= 18
    if (context->debugreg[6] > UINT32_MAX || context->debugreg[7] > UINT32_MAX)
        return -EINVAL;
    for (int i = 0; i < 4; i++)
        if (!is_guests(context->debugreg[i]))
            return -EINVAL;
#endif
    if (!is_canonical(context->user_regs.rip) || !is_canonical(context->user_regs.rsp) ||
        !is_canonical(context->kernel_sp) || !is_canonical(context->fs_base) ||
        !is_canonical(context->gs_base_kernel) || !is_canonical(context->gs_base_user) ||
        !is_canonical(context->event_callback_eip) || !is_canonical(context->failsafe_callback_eip) ||
        !is_canonical(context->syscall_callback_eip) || (context->ldt_ents && !is_canonical(context->ldt_base)))
        return -EINVAL;
    for (int i = 0; i < 256; i++)
        if (!is_canonical(context->trap_ctxt[i].address))
            return -EINVAL;
    if (!is_guests(context->ldt_base) || context->ldt_base % PAGE || context->ldt_ents > LDT_ENTRIES_MAX)
        return -EINVAL;
    if (vcpu == 0 && (context->vm_assist & ~(ASSISTS | ASSIST_M2P_STRICT)))
        return -EINVAL;
    if (gdt_too_long(context->gdt_ents))
        return -EINVAL;
    if (!(context->flags & IN_KERNEL) && context->ctrlreg[1] == 0)
        return -EINVAL;
    /* A machine frame by now, and the restorer has translated it if it was marked as present. */
    if (context->ctrlreg[1] && !standin_is_mfn(context->ctrlreg[1] / PAGE))
        return -EINVAL;
    return 0;
}

static int narrow_vcpu(uint32_t vcpu, const vcpu_guest_context_x86_32_t *context)
{
    if (context->ldt_base % PAGE || context->ldt_ents > LDT_ENTRIES_MAX)
        return -EINVAL;
    if (vcpu == 0 && (context->vm_assist & ~ASSISTS))
        return -EINVAL;
    return gdt_too_long(context->gdt_ents) ? -EINVAL : 0;
}

int values_vcpu(uint32_t vcpu, const void *context, bool wide)
{
    return wide ? wide_vcpu(vcpu, context) : narrow_vcpu(vcpu, context);
}

int values_extended(const struct xen_domctl_ext_vcpucontext *state)
{
    if (state->size < EXTENDED_LEAST || !is_canonical(state->sysenter_callback_eip) ||
        !is_canonical(state->syscall32_callback_eip))
        return -EINVAL;
    return state->size < EXTENDED_LEAST + EXTENDED_MCA_LEAST ? 0 : policy_mca_caps(state->vmce.caps);
}

int values_xsave(const uint8_t *blob, uint64_t size)
{
    uint64_t masks[2]; /* xcr0, xcr0_accum */
    const uint8_t *area = blob + XSAVE_HEADER;
    int rc = -EINVAL;

    if (size < XSAVE_HEADER)
        return -EINVAL;
    memcpy(masks, blob, sizeof(masks));
    if (masks[1]) {
        if (size >= XSAVE_HEADER + XSAVE_AREA_LEAST)
            rc = policy_xstate(masks[0], masks[1], area + XSAVE_AREA_HEADER_AT);
    } else if (!masks[0]) {
        rc = 0;
    }
    if (rc || size == XSAVE_HEADER)
        return rc;
    if (!masks[1] || size < XSAVE_HEADER + policy_xstate_size_least(masks[1]))
        return -EINVAL;
    return policy_xstate_size(masks[1]) && size != XSAVE_HEADER + policy_xstate_size(masks[1]) ? -EINVAL : 0;
}

int values_msrs(const struct xen_domctl_vcpu_msr *msrs, uint32_t count)
{
    if (count > VCPU_MSRS)
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        if (msrs[i].reserved)
            return -EINVAL;
        if (!policy_msr_may_be(msrs[i].index, msrs[i].value, false, 0))
            return -ENXIO;
    }
    return 0;
}

int values_tsc(uint32_t mode, uint32_t khz)
{
    if (mode > 2)
        return -EINVAL;
#if XEN_MINOR < 16
    /* set_time_scale() of 0 Hz never returns: the host hangs. */
    if (mode < 2 && khz && khz * 1000 == 0) {
        standin_trace->host_hangs = true;
        return -EINVAL;
    }
#endif
    return 0;
}
