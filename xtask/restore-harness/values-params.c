/*
 * HVM parameters: hvm_allow_set_param() and hvm_set_param() of the hypervisor, called by a toolstack of a new domain.
 */
#include <errno.h>
#include <stdint.h>

#include <xenctrl.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>

#include "values.h"

enum {
    TIMER_MODES = HVMPTM_one_missed_tick_pending + 1,
    IOREQ_PAGES_MAX = 64,
    TASK_STATE_SIZE = 104, /* of a 32-bit one without its maps */
    MCA_LMCE = 1,
};

static uint64_t params[HVM_NR_PARAMS];

static bool is_set_once(uint32_t index)
{
    switch (index) {
    case HVM_PARAM_VIRIDIAN:
    case HVM_PARAM_IOREQ_PFN:
    case HVM_PARAM_BUFIOREQ_PFN:
    case HVM_PARAM_IOREQ_SERVER_PFN:
    case HVM_PARAM_NR_IOREQ_SERVER_PAGES:
    case HVM_PARAM_ALTP2M:
    case HVM_PARAM_MCA_CAP:
        return true;
    default:
        return false;
    }
}

static bool is_refused(uint32_t index, uint64_t value)
{
    switch (index) {
    case HVM_PARAM_PAE_ENABLED:
    case HVM_PARAM_DM_DOMAIN:
    case HVM_PARAM_MEMORY_EVENT_CR0:
    case HVM_PARAM_MEMORY_EVENT_CR3:
    case HVM_PARAM_MEMORY_EVENT_CR4:
    case HVM_PARAM_MEMORY_EVENT_INT3:
    case HVM_PARAM_MEMORY_EVENT_SINGLE_STEP:
    case HVM_PARAM_BUFIOREQ_EVTCHN:
    case HVM_PARAM_MEMORY_EVENT_MSR:
        return true;
    case HVM_PARAM_NESTEDHVM:
#if XEN_MINOR >= 15
        return true;
#else
        return value > 1;
#endif
    case HVM_PARAM_ALTP2M:
#if XEN_MINOR >= 19
        return true;
#else
        return value > XEN_ALTP2M_limited;
#endif
    case HVM_PARAM_VIRIDIAN:
        return (value & ~HVMPV_feature_mask) || !(value & HVMPV_base_freq);
    case HVM_PARAM_TIMER_MODE:
        return value >= TIMER_MODES;
    case HVM_PARAM_ACPI_S_STATE:
        return value != 0 && value != 3;
    case HVM_PARAM_ACPI_IOPORTS_LOCATION:
        return value != params[index] && value != !params[index];
    case HVM_PARAM_VM86_TSS:
        return value > UINT32_MAX;
    case HVM_PARAM_VM86_TSS_SIZED:
        return value >> 32 < TASK_STATE_SIZE;
    case HVM_PARAM_TRIPLE_FAULT_REASON:
        return value > SHUTDOWN_MAX;
    case HVM_PARAM_NR_IOREQ_SERVER_PAGES:
        return value == 0 || value > IOREQ_PAGES_MAX;
    case HVM_PARAM_X87_FIP_WIDTH:
        return value != 0 && value != 4 && value != 8;
    case HVM_PARAM_MCA_CAP:
        return value & ~(uint64_t)MCA_LMCE;
    default:
        return false;
    }
}

int values_param(uint32_t index, uint64_t value)
{
    if (index >= HVM_NR_PARAMS)
        return -EINVAL;
    if (is_set_once(index) && params[index] && value != params[index])
        return -EEXIST;
    if (is_refused(index, value))
        return -EINVAL;
    params[index] = value;
    return 0;
}
