/*
 * Looks over the restore code's shoulder, from within its process: how far it has read, what it said, how much memory
 * it asked for. Everything is kept in a mapping that outlives a crash.
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <xentoollog.h>

#include "standin.h"

enum stage {
    STAGE_START,
    STAGE_IMAGE_HEADER,
    STAGE_DOMAIN_HEADER,
    STAGE_RECORD_HEADER, /* reading it, or refusing what it says */
    STAGE_RECORD_DATA,
    STAGE_RECORD,        /* read whole; being handled */
    STAGE_COMPLETE,      /* END was read; the domain is being completed */
    STAGE_DONE,
};

#define NO_RECORD_TYPE UINT32_MAX

struct watch {
    enum stage stage;
    int64_t record_index; /* -1 before the first record */
    uint32_t record_type; /* NO_RECORD_TYPE while the header is torn */
    uint32_t record_length;
    uint64_t record_offset;
    int result; /* of xc_domain_restore() */
    int error;  /* errno after it */
    bool allocation_failed;
    uint64_t largest_allocation;
    char message[320];   /* the last error that says something */
    char assertion[320]; /* the assertion that failed, if one did */
    struct standin_trace trace;
};

/* Where to write; nothing is watched while it is NULL. */
extern struct watch *watch;

/* Hears what libxenguest has to say. */
extern xentoollog_logger watch_logger;

#endif
