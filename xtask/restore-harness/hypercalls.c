/*
 * The hypercalls that a restore makes, answered by the stand-in: the functions of libxencall, and the two of
 * libxendevicemodel without which no handle can be had.
 *
 * By default every well-formed call succeeds, so that a refusal is the restore code's own. A strict domain adds the
 * refusals of the hypervisor, see values.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>
#include <xencall.h>
#include <xen/hvm/hvm_op.h>

#include "standin.h"
#include "values.h"

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
#if XEN_MINOR >= 16
        .gpaddr_bits = 46,
#endif
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
    return standin_domain.strict ? values_context(context->buffer.p, context->size, STANDIN_VCPUS) : 0;
}

static int set_cpu_policy(const struct xen_domctl_cpu_policy *policy)
{
    if (!standin_domain.strict)
        return 0;
    return values_policy(policy->leaves.p, policy->nr_leaves, policy->msrs.p, policy->nr_msrs);
}

/* The state of a PV guest's vcpu, which the hypervisor has for every id below its number. */
static int set_vcpu(const struct xen_domctl *op)
{
    if (!standin_domain.strict)
        return 0;
    switch (op->cmd) {
    case XEN_DOMCTL_setvcpucontext:
        if (op->u.vcpucontext.vcpu >= STANDIN_VCPUS)
            return -EINVAL;
        return values_vcpu(op->u.vcpucontext.vcpu, op->u.vcpucontext.ctxt.p, guest_width == 8);
    case XEN_DOMCTL_set_ext_vcpucontext:
        return op->u.ext_vcpucontext.vcpu >= STANDIN_VCPUS ? -ESRCH : values_extended(&op->u.ext_vcpucontext);
    case XEN_DOMCTL_setvcpuextstate:
        if (op->u.vcpuextstate.vcpu >= STANDIN_VCPUS)
            return -ESRCH;
        return values_xsave((const uint8_t *)op->u.vcpuextstate.buffer.p, op->u.vcpuextstate.size);
    default:
        if (op->u.vcpu_msrs.vcpu >= STANDIN_VCPUS)
            return -ESRCH;
        return values_msrs(op->u.vcpu_msrs.msrs.p, op->u.vcpu_msrs.msr_count);
    }
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
    case XEN_DOMCTL_set_cpu_policy:
        return set_cpu_policy(&op->u.cpu_policy);
    case XEN_DOMCTL_setvcpucontext:
    case XEN_DOMCTL_set_ext_vcpucontext:
    case XEN_DOMCTL_setvcpuextstate:
    case XEN_DOMCTL_set_vcpu_msrs:
        return set_vcpu(op);
    case XEN_DOMCTL_shadow_op:
        op->u.shadow_op.stats.dirty_count = 0;
        return 0;
    case XEN_DOMCTL_settscinfo:
        return standin_domain.strict ? values_tsc(op->u.tsc_info.tsc_mode, op->u.tsc_info.gtsc_khz) : 0;
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

static int hvm_op(unsigned long cmd, struct xen_hvm_param *param)
{
    switch (cmd) {
    case HVMOP_set_param:
        return standin_domain.strict ? values_param(param->index, param->value) : 0;
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
