/*
 * A stand-in for the hypervisor, under Xen's own unmodified libxenguest and libxenctrl.
 *
 * Those libraries reach the hypervisor through four small ones (libxencall, libxenforeignmemory,
 * libxendevicemodel, libxenevtchn). Defining the functions of the first three here, in the program or in a preloaded
 * library, is enough to let xc_domain_restore() run on a machine without Xen: the restore code is the real one, byte
 * for byte, and only the domain that it fills is make-believe.
 */
#ifndef STANDIN_H
#define STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The one domain that exists, and what it may have. */
enum {
    STANDIN_DOMID = 7,
    STANDIN_VCPUS = 128,
    STANDIN_PAGES = 0x40000, /* 1 GiB */
    STANDIN_NR_GPFNS = 0x100000,
};

struct standin_domain {
    bool hvm;    /* what the domain was created as, whatever the stream says */
    bool strict; /* refuse the values that the hypervisor refuses, see values.h */
};

/* What the stand-in was asked for. */
struct standin_trace {
    bool out_of_pages;       /* the domain wanted more than STANDIN_PAGES */
    bool host_hangs;         /* the hypervisor would not come back from a call */
    uint32_t unmodelled;     /* calls that nobody taught the stand-in: their answer was ENOSYS */
    char last_unmodelled[32];
};

extern struct standin_domain standin_domain;
/* Points at a private one until somebody wants to look on from another process. */
extern struct standin_trace *standin_trace;

/* Makes the domain's memory. Once per process, after standin_domain is set. */
void standin_create(void);

/* memory.c: machine frames of a PV guest, populated pages of either. */
unsigned long standin_max_mfn(void);
unsigned long standin_m2p_chunks(uint64_t *mfns, unsigned long room);
unsigned long standin_shared_info_mfn(void);
bool standin_is_mfn(uint64_t frame);
uint64_t standin_populated(void);
bool standin_populate(uint64_t *extent, unsigned int order);

#endif
