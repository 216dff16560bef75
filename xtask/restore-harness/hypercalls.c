/*
 * The hypercalls that a restore makes, answered by the stand-in: the functions of libxencall, and the two of
 * libxendevicemodel without which no handle can be had.
 *
 * By default every well-formed call succeeds, so that a refusal is the restore code's own. A strict domain adds some
 * refusals of the hypervisor.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>
#include <xencall.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>

#include "standin.h"

struct standin_domain standin_domain = { .hvm = true };
static struct standin_trace private_trace;
struct standin_trace *standin_trace = &private_trace;

static unsigned int guest_width = 8;

static int unmodelled(const char *call, unsigned long number)
{
    standin_trace->unmodelled++;
    snprintf(standin_trace->last_unmodelled, sizeof(standin_trace->last_unmodelled), "%s %lu", call, number);
    return -ENOSYS;
}

static bool vcpu_unknown(uint32_t vcpu)
{
    return standin_domain.strict && vcpu >= STANDIN_VCPUS;
}

static int get_domain_info(struct xen_domctl *op)
{
    struct xen_domctl_getdomaininfo *info = &op->u.getdomaininfo;

    /* Asks for this domain or the next one that exists. */
    if (op->domain > STANDIN_DOMID)
        return -ESRCH;
    op->domain = STANDIN_DOMID;
    *info = (struct xen_domctl_getdomaininfo){
        .domain = STANDIN_DOMID,
        .flags = XEN_DOMINF_paused | (standin_domain.hvm ? XEN_DOMINF_hvm_guest | XEN_DOMINF_hap : 0),
        .tot_pages = standin_populated(),
        .max_pages = STANDIN_PAGES,
        .shared_info_frame = standin_shared_info_mfn(),
        .nr_online_vcpus = STANDIN_VCPUS,
        .max_vcpu_id = STANDIN_VCPUS - 1,
        .gpaddr_bits = 46,
    };
    return 0;
}

static int set_guest_width(unsigned int bits)
{
    if (bits == guest_width * 8)
        return 0;
    if (bits != 32)
        return -EINVAL;
    /* A PV guest can be made a 32-bit one as long as it is empty. */
    if (standin_domain.hvm || standin_populated())
        return -EACCES;
    guest_width = 4;
    return 0;
}

static int set_hvm_context(const struct xen_domctl_hvmcontext *context)
{
    const uint8_t *typecode = context->buffer.p;

    /* hvm_load() begins with HEADER, whose typecode is 1, and refuses a blob without it. */
    if (standin_domain.strict && (context->size < 8 || !typecode || typecode[0] != 1 || typecode[1] != 0))
        return -EINVAL;
    return 0;
}

static int domctl(struct xen_domctl *op)
{
    if (op->cmd == XEN_DOMCTL_getdomaininfo)
        return get_domain_info(op);
    if (op->domain != STANDIN_DOMID)
        return -ESRCH;

    switch (op->cmd) {
    case XEN_DOMCTL_get_address_size:
        op->u.address_size.size = guest_width * 8;
        return 0;
    case XEN_DOMCTL_set_address_size:
        return set_guest_width(op->u.address_size.size);
    case XEN_DOMCTL_sethvmcontext:
        return set_hvm_context(&op->u.hvmcontext);
    case XEN_DOMCTL_setvcpucontext:
        return vcpu_unknown(op->u.vcpucontext.vcpu) ? -EINVAL : 0;
    case XEN_DOMCTL_set_ext_vcpucontext:
        return vcpu_unknown(op->u.ext_vcpucontext.vcpu) ? -ESRCH : 0;
    case XEN_DOMCTL_shadow_op:
        op->u.shadow_op.stats.dirty_count = 0;
        return 0;
    case XEN_DOMCTL_settscinfo:
    case XEN_DOMCTL_set_cpu_policy:
    case XEN_DOMCTL_setvcpuextstate:
    case XEN_DOMCTL_set_vcpu_msrs:
    case XEN_DOMCTL_cacheflush:
        return 0;
    default:
        return unmodelled("domctl", op->cmd);
    }
}

static long populate(struct xen_memory_reservation *reservation)
{
    uint64_t *extents = (uint64_t *)reservation->extent_start.p;
    unsigned long done = 0;

    while (done < reservation->nr_extents && standin_populate(&extents[done], reservation->extent_order))
        done++;
    return done;
}

static long memory_op(unsigned long cmd, void *arg)
{
    struct xen_machphys_mfn_list *list = arg;

    switch (cmd) {
    case XENMEM_maximum_ram_page:
        return standin_max_mfn();
    case XENMEM_maximum_gpfn:
        return STANDIN_NR_GPFNS - 1;
    case XENMEM_populate_physmap:
        return populate(arg);
    case XENMEM_machphys_mfn_list:
        list->nr_extents = standin_m2p_chunks((uint64_t *)list->extent_start.p, list->max_extents);
        return 0;
    case XENMEM_machphys_compat_mfn_list:
        /* Only its frame's number is wanted. */
        list->nr_extents = standin_m2p_chunks((uint64_t *)list->extent_start.p, 1);
        return 0;
    default:
        return unmodelled("memory_op", cmd);
    }
}

/* hvm_allow_set_param() and hvm_set_param() in xen/arch/x86/hvm/hvm.c. */
static bool param_refused(const struct xen_hvm_param *param)
{
    uint64_t value = param->value;

    switch (param->index) {
    case HVM_PARAM_VIRIDIAN:
        return value && !(value & HVMPV_base_freq);
    case HVM_PARAM_TIMER_MODE:
        return value > HVMPTM_one_missed_tick_pending;
    case HVM_PARAM_ACPI_S_STATE:
        return value != 0 && value != 3;
    case HVM_PARAM_VM86_TSS:
        return value > UINT32_MAX;
    case HVM_PARAM_TRIPLE_FAULT_REASON:
        return value > SHUTDOWN_MAX;
    case HVM_PARAM_NR_IOREQ_SERVER_PAGES:
        return value == 0 || value > 64;
    case HVM_PARAM_X87_FIP_WIDTH:
        return value != 0 && value != 4 && value != 8;
    case HVM_PARAM_PAE_ENABLED:
    case HVM_PARAM_DM_DOMAIN:
    case HVM_PARAM_MEMORY_EVENT_CR0:
    case HVM_PARAM_MEMORY_EVENT_CR3:
    case HVM_PARAM_MEMORY_EVENT_CR4:
    case HVM_PARAM_MEMORY_EVENT_INT3:
    case HVM_PARAM_NESTEDHVM:
    case HVM_PARAM_MEMORY_EVENT_SINGLE_STEP:
    case HVM_PARAM_BUFIOREQ_EVTCHN:
    case HVM_PARAM_MEMORY_EVENT_MSR:
        return true;
    default:
        return param->index >= HVM_NR_PARAMS;
    }
}

static int hvm_op(unsigned long cmd, struct xen_hvm_param *param)
{
    switch (cmd) {
    case HVMOP_set_param:
        return standin_domain.strict && param_refused(param) ? -EINVAL : 0;
    case HVMOP_get_param:
        param->value = 0;
        return 0;
    default:
        return unmodelled("hvm_op", cmd);
    }
}

/* libxenctrl wraps memory_op in a multicall, because its result may need more than 32 bits. */
static int multicall(multicall_entry_t *calls, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        calls[i].result = calls[i].op == __HYPERVISOR_memory_op
                              ? memory_op(calls[i].args[0], (void *)calls[i].args[1])
                              : unmodelled("multicall", calls[i].op);
    return 0;
}

/* ---- libxencall ---- */

static char handle;

/* Negative errors from within become errno, as in libxencall. */
static int answer(long result)
{
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned int flags)
{
    return (xencall_handle *)&handle;
}

int xencall_close(xencall_handle *xcall)
{
    return 0;
}

int xencall_buffers_never_fault(xencall_handle *xcall)
{
    return 1;
}

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t pages)
{
    size_t size = (pages ? pages : 1) * 4096;
    void *buffer = aligned_alloc(4096, size);

    return buffer ? memset(buffer, 0, size) : NULL;
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *buffer, size_t pages)
{
    free(buffer);
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
    return xencall_alloc_buffer_pages(xcall, size / 4096 + 1);
}

void xencall_free_buffer(xencall_handle *xcall, void *buffer)
{
    free(buffer);
}

int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1)
{
    return answer(op == __HYPERVISOR_domctl ? domctl((void *)arg1) : unmodelled("hypercall", op));
}

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
    switch (op) {
    case __HYPERVISOR_memory_op:
        return answer(memory_op(arg1, (void *)arg2));
    case __HYPERVISOR_hvm_op:
        return answer(hvm_op(arg1, (void *)arg2));
    case __HYPERVISOR_multicall:
        return answer(multicall((void *)arg1, arg2));
    default:
        return answer(unmodelled("hypercall", op));
    }
}

int xencall3(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
    return answer(unmodelled("hypercall", op));
}

int xencall4(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3, uint64_t arg4)
{
    /* Page tables are pinned at the end; the stand-in believes in any. */
    return answer(op == __HYPERVISOR_mmuext_op ? 0 : unmodelled("hypercall", op));
}

/* ---- libxendevicemodel ---- */

struct xendevicemodel_handle *xendevicemodel_open(struct xentoollog_logger *logger, unsigned int flags)
{
    return (struct xendevicemodel_handle *)&handle;
}

int xendevicemodel_close(struct xendevicemodel_handle *dmod)
{
    return 0;
}
