/*
 * The memory of the stand-in's domain, and the functions of libxenforeignmemory that map it.
 *
 * All pages lie one behind the other in a memfd, in the order in which they were populated: a page's place there is its
 * slot. Slot 0 is a PV guest's shared info page. A machine frame of a PV guest is its slot plus a constant. Guest frames
 * of an HVM guest may be any 52-bit number, so a second, sparse memfd keeps the slot of gfn g at byte 4 * g.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#include "standin.h"

#define PAGE 4096UL

enum {
    FIRST_MFN = 0x1000,
    MAX_MFN = FIRST_MFN + STANDIN_PAGES,
    M2P_FIRST_MFN = 0x40000000, /* frames of DOMID_XEN under which the machine-to-physical table is found */
    M2P_CHUNK_MFNS = 512,       /* it is handed out in pieces of 2 MiB */
};
#define M2P_SIZE ((((MAX_MFN + 1) * 8UL) + (M2P_CHUNK_MFNS * PAGE) - 1) / (M2P_CHUNK_MFNS * PAGE) * M2P_CHUNK_MFNS * PAGE)

static int pages_fd = -1; /* slots */
static int slots_fd = -1; /* HVM: gfn to slot, 0 where nothing is populated */
static int m2p_fd = -1;   /* PV: mfn to pfn, all ones where nothing is populated */
static uint64_t *m2p;
static uint32_t slots = 1;

static int memory_file(const char *name, off_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, size) < 0)
        abort();
    return fd;
}

void standin_create(void)
{
    pages_fd = memory_file("pages", (STANDIN_PAGES + 1) * PAGE);
    if (standin_domain.hvm) {
        slots_fd = memory_file("slots", (1L << 52) * sizeof(uint32_t));
        return;
    }
    m2p_fd = memory_file("m2p", M2P_SIZE);
    m2p = mmap(NULL, M2P_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m2p_fd, 0);
    if (m2p == MAP_FAILED)
        abort();
    memset(m2p, 0xff, M2P_SIZE);
}

unsigned long standin_max_mfn(void)
{
    return MAX_MFN;
}

unsigned long standin_shared_info_mfn(void)
{
    return FIRST_MFN;
}

bool standin_is_mfn(uint64_t frame)
{
    return frame >= FIRST_MFN && frame < FIRST_MFN + (uint64_t)slots;
}

uint64_t standin_populated(void)
{
    return slots - 1;
}

unsigned long standin_m2p_chunks(uint64_t *mfns, unsigned long room)
{
    unsigned long chunk, chunks = M2P_SIZE / (M2P_CHUNK_MFNS * PAGE);

    for (chunk = 0; chunk < chunks && chunk < room; chunk++)
        mfns[chunk] = M2P_FIRST_MFN + chunk * M2P_CHUNK_MFNS;
    return chunk;
}

/* As XENMEM_populate_physmap: takes the guest's frame and, for PV, gives the machine's. */
bool standin_populate(uint64_t *extent, unsigned int order)
{
    uint64_t first = *extent, count = 1UL << order;

    if (count > STANDIN_PAGES - standin_populated()) {
        standin_trace->out_of_pages = true;
        return false;
    }
    if (!standin_domain.hvm)
        *extent = FIRST_MFN + slots;
    for (uint64_t i = 0; i < count; i++, slots++) {
        if (!standin_domain.hvm)
            m2p[FIRST_MFN + slots] = first + i;
        else if (pwrite(slots_fd, &slots, sizeof(slots), (first + i) * sizeof(slots)) != sizeof(slots))
            return false;
    }
    return true;
}

struct place {
    int fd;
    off_t offset;
};

static bool find(uint32_t domid, uint64_t frame, struct place *place)
{
    if (domid == DOMID_XEN && m2p_fd >= 0) {
        *place = (struct place){ m2p_fd, (frame - M2P_FIRST_MFN) * PAGE };
        return frame >= M2P_FIRST_MFN && frame < M2P_FIRST_MFN + M2P_SIZE / PAGE;
    }
    if (domid != STANDIN_DOMID)
        return false;
    if (standin_domain.hvm) {
        uint32_t slot = 0;

        if (frame >> 52 || pread(slots_fd, &slot, sizeof(slot), frame * sizeof(slot)) != sizeof(slot) || slot == 0)
            return false;
        *place = (struct place){ pages_fd, slot * PAGE };
        return true;
    }
    *place = (struct place){ pages_fd, (frame - FIRST_MFN) * PAGE };
    return standin_is_mfn(frame);
}

/* One mapping of `count` pages; those that cannot be found stay inaccessible and are told in `errors`. */
static void *map(uint32_t domid, int prot, size_t count, const xen_pfn_t *frames, int *errors)
{
    char *base = mmap(NULL, (count ? count : 1) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t next;

    if (base == MAP_FAILED)
        return NULL;
    for (size_t i = 0; i < count; i = next) {
        struct place place, following;

        next = i + 1;
        if (!find(domid, frames[i], &place)) {
            if (!errors) {
                errno = EINVAL;
                goto undo;
            }
            errors[i] = -EINVAL;
            continue;
        }
        /* Runs of neighbouring pages are mapped at one stroke. */
        while (next < count && find(domid, frames[next], &following) && following.fd == place.fd &&
               following.offset == place.offset + (off_t)((next - i) * PAGE))
            next++;
        if (mmap(base + i * PAGE, (next - i) * PAGE, prot, MAP_SHARED | MAP_FIXED, place.fd, place.offset) == MAP_FAILED)
            goto undo;
        if (errors)
            memset(errors + i, 0, (next - i) * sizeof(*errors));
    }
    return base;

undo:
    munmap(base, (count ? count : 1) * PAGE);
    return NULL;
}

/* ---- libxenforeignmemory ---- */

static char handle;

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger, unsigned int flags)
{
    return (xenforeignmemory_handle *)&handle;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
    return 0;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t domid, int prot, size_t pages,
                           const xen_pfn_t frames[], int errors[])
{
    return map(domid, prot, pages, frames, errors);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *address, size_t pages)
{
    return munmap(address, pages * PAGE);
}

/* The grant table, which the restorer seeds with two entries: memory of its own that nobody looks at. */
struct xenforeignmemory_resource_handle {
    void *address;
    size_t size;
};

xenforeignmemory_resource_handle *xenforeignmemory_map_resource(xenforeignmemory_handle *fmem, domid_t domid,
                                                                unsigned int type, unsigned int id,
                                                                unsigned long frame, unsigned long frames,
                                                                void **address, int prot, int flags)
{
    struct xenforeignmemory_resource_handle *resource = malloc(sizeof(*resource));

    if (!resource)
        return NULL;
    resource->size = frames * PAGE;
    resource->address = mmap(NULL, resource->size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (resource->address == MAP_FAILED) {
        free(resource);
        return NULL;
    }
    *address = resource->address;
    return resource;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem, xenforeignmemory_resource_handle *resource)
{
    int rc = munmap(resource->address, resource->size);

    free(resource);
    return rc;
}
