#define _GNU_SOURCE
#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

struct watch *watch;

/* ---- reading ----
 *
 * libxenguest takes all its input through read_exact(), which libxenctrl exports: first the two headers, then for each
 * record its header and, unless that is empty, its body with the padding. So the sequence of calls tells where it is.
 */

#define RECORD_LENGTH_MAX (128u << 20)
#define RECORD_END 0

static void before_read(int fd)
{
    switch (watch->stage) {
    case STAGE_START:
        watch->stage = STAGE_IMAGE_HEADER;
        break;
    case STAGE_IMAGE_HEADER:
        watch->stage = STAGE_DOMAIN_HEADER;
        break;
    case STAGE_RECORD_HEADER:
        watch->stage = STAGE_RECORD_DATA;
        break;
    default:
        watch->stage = STAGE_RECORD_HEADER;
        watch->record_index++;
        watch->record_offset = lseek(fd, 0, SEEK_CUR);
        watch->record_type = NO_RECORD_TYPE;
        watch->record_length = 0;
        break;
    }
}

static void after_read(const void *data)
{
    if (watch->stage == STAGE_RECORD_HEADER) {
        uint32_t header[2];

        memcpy(header, data, sizeof(header));
        watch->record_type = le32toh(header[0]);
        watch->record_length = le32toh(header[1]);
        /* A body will be read, unless there is none or the restorer balks at its length. */
        if (watch->record_length == 0)
            watch->stage = STAGE_RECORD;
    } else if (watch->stage == STAGE_RECORD_DATA) {
        watch->stage = STAGE_RECORD;
    }
    if (watch->stage == STAGE_RECORD && watch->record_type == RECORD_END)
        watch->stage = STAGE_COMPLETE;
}

int read_exact(int fd, void *data, size_t size)
{
    static int (*real)(int, void *, size_t);
    int rc;

    if (!real)
        real = (int (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read_exact");
    if (!watch)
        return real(fd, data, size);
    before_read(fd);
    rc = real(fd, data, size);
    if (rc == 0)
        after_read(data);
    return rc;
}

/* ---- memory ---- */

/* glibc's own names, since looking up the next malloc() would itself allocate. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);

static void *note(void *block, size_t size)
{
    if (watch) {
        if (size > watch->largest_allocation)
            watch->largest_allocation = size;
        if (!block && size)
            watch->allocation_failed = true;
    }
    return block;
}

void *malloc(size_t size)
{
    return note(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        total = SIZE_MAX;
    return note(__libc_calloc(count, size), total);
}

void *realloc(void *block, size_t size)
{
    return note(__libc_realloc(block, size), size);
}

/* ---- what it says ---- */

void __assert_fail(const char *assertion, const char *file, unsigned int line, const char *function)
{
    if (watch)
        snprintf(watch->assertion, sizeof(watch->assertion), "%s:%u: %s: Assertion `%s' failed.", file, line, function,
                 assertion);
    abort();
}

static void hear(struct xentoollog_logger *logger, xentoollog_level level, int error, const char *context,
                 const char *format, va_list arguments)
{
    char line[256];

    if (!watch || level < XTL_ERROR)
        return;
    vsnprintf(line, sizeof(line), format, arguments);
    line[strcspn(line, "\n")] = '\0';
    /* The last word is always this one, and it says nothing. */
    if (strstr(line, "Restore failed"))
        return;
    if (error >= 0)
        snprintf(watch->message, sizeof(watch->message), "%s: %s", line, strerror(error));
    else
        snprintf(watch->message, sizeof(watch->message), "%s", line);
}

static void hear_progress(struct xentoollog_logger *logger, const char *context, const char *what, int percent,
                          unsigned long done, unsigned long total)
{
}

static void keep(struct xentoollog_logger *logger)
{
}

xentoollog_logger watch_logger = { .vmessage = hear, .progress = hear_progress, .destroy = keep };
