/* How a restore helper uses xenstream: each buffer is verified between read() and the parser.
 *
 *     restore_helper [spec|restore|hardened] < STREAM
 *
 * reads one bare libxc stream from its standard input, as libxl hands it to its helper, and "restores" it: here that
 * means to count what is in it. Nothing after the stream's end is read, so libxl finds its own records there.
 *
 * Exit status: 0 restored, 1 refused, 2 used or read wrongly. What was restored is printed on standard output,
 * everything else on standard error.
 */

#include <xenstream.h>

#include <errno.h>
#include <inttypes.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_HEADER 8
#define PAGE_DATA 1
#define END 0

/* Twice what savers put into a record: 1024 pages. */
#define BODY_MAX ((size_t)8 << 20)

/* A parser that trusts its input: it checks nothing. */
struct guest {
    uint64_t records;
    uint64_t batches;
    uint64_t entries;
    bool complete;
};

static uint32_t u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void restore_record(struct guest *guest, const unsigned char *record)
{
    guest->records++;
    switch (u32(record)) {
    case PAGE_DATA:
        guest->batches++;
        guest->entries += u32(record + RECORD_HEADER);
        break;
    case END:
        guest->complete = true;
        break;
    }
}

struct reader {
    xs_verifier *verifier;
    unsigned char *buffer;
    size_t length;
};

static void print_warning(void *context, const xs_violation *warning)
{
    char text[256];

    (void)context;
    if (xs_violation_text(warning, text, sizeof text) >= 0)
        fprintf(stderr, "restore_helper: warning: %s\n", text);
}

/* Prints why the stream is refused. Returns the exit status. */
static int refused(xs_verifier *verifier)
{
    xs_violation violation;
    char text[256];

    if (xs_verifier_violation(verifier, &violation) != XS_STATUS_OK ||
        xs_violation_text(&violation, text, sizeof text) < 0)
        return 2;
    fprintf(stderr, "restore_helper: refused: %s\n", text);
    return 1;
}

static int failed(xs_status status)
{
    fprintf(stderr, "restore_helper: %s\n", xs_status_text(status));
    return 2;
}

/* Reads and verifies until `length` bytes are in the buffer. Returns 0, or the exit status. */
static int fetch(struct reader *reader, size_t length)
{
    while (reader->length < length) {
        size_t wanted = length - reader->length;
        xs_need need;
        xs_status status = xs_verifier_need(reader->verifier, &need);
        ssize_t got;

        if (status != XS_STATUS_OK)
            return failed(status);
        if (wanted > need.certain)
            wanted = (size_t)need.certain;

        got = read(STDIN_FILENO, reader->buffer + reader->length, wanted);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            perror("restore_helper: read");
            return 2;
        }
        /* Nothing read is the end of the input, and here it comes too early. */
        if (got == 0)
            status = xs_verifier_finish(reader->verifier);
        else
            status = xs_verifier_push(reader->verifier, reader->buffer + reader->length, (size_t)got, NULL);

        if (status == XS_STATUS_INVALID || status == XS_STATUS_UNJUDGED)
            return refused(reader->verifier);
        if (status < 0 || got == 0)
            return failed(status);
        reader->length += (size_t)got;
    }
    return 0;
}

/* Reads and restores one stream. Returns the exit status. */
static int restore(xs_verifier *verifier, unsigned char *buffer)
{
    /* The image header and the domain header. */
    struct reader reader = { .verifier = verifier, .buffer = buffer, .length = 0 };
    struct guest guest = { 0 };
    int exit_status = fetch(&reader, 24 + 16);

    while (exit_status == 0 && !guest.complete) {
        reader.length = 0;
        exit_status = fetch(&reader, RECORD_HEADER);
        if (exit_status == 0) {
            /* The length has been verified, so the body fits into the buffer. It is padded to 8 bytes. */
            size_t body_length = (u32(buffer + 4) + (size_t)7) & ~(size_t)7;
            exit_status = fetch(&reader, RECORD_HEADER + body_length);
        }
        if (exit_status == 0)
            restore_record(&guest, buffer);
    }
    if (exit_status != 0)
        return exit_status;

    if (xs_verifier_finish(verifier) != XS_STATUS_OK)
        return refused(verifier);
    printf("restored %" PRIu64 " records, %" PRIu64 " entries in %" PRIu64 " batches\n", guest.records, guest.entries,
           guest.batches);
    return 0;
}

static int profile_of(const char *name)
{
    static const char *const names[] = { "spec", "restore", "hardened" };

    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

int main(int argc, char **argv)
{
    /* A verifier needs no heap: this could as well lie in a structure of the helper's own. */
    static alignas(XS_VERIFIER_ALIGNMENT) unsigned char memory[XS_VERIFIER_SIZE];
    xs_verifier *verifier;
    xs_policy policy;
    xs_status status;
    unsigned char *buffer;
    int exit_status;

    if (argc > 2) {
        fputs("usage: restore_helper [spec|restore|hardened] < STREAM\n", stderr);
        return 2;
    }
    status = xs_policy_init(&policy, argc == 2 ? profile_of(argv[1]) : XS_PROFILE_HARDENED);
    if (status == XS_STATUS_OK)
        status = xs_policy_set_checkpointing(&policy, XS_CHECKPOINTING_PLAIN);
    /* What this parser asks of a stream beyond the rules of the profile. */
    if (status == XS_STATUS_OK)
        status = xs_policy_set_limit(&policy, "libxc-record", BODY_MAX);
    if (status == XS_STATUS_OK)
        status = xs_policy_set_level(&policy, "libxc::big-endian", XS_LEVEL_DENY);
    if (status == XS_STATUS_OK)
        status = xs_verifier_init(memory, sizeof memory, XS_FORMAT_LIBXC, &policy, &verifier);
    if (status == XS_STATUS_OK)
        status = xs_verifier_on_warning(verifier, print_warning, NULL);
    if (status != XS_STATUS_OK)
        return failed(status);

    buffer = malloc(RECORD_HEADER + BODY_MAX);
    if (buffer == NULL) {
        perror("restore_helper: malloc");
        return 2;
    }
    exit_status = restore(verifier, buffer);
    free(buffer);
    return exit_status;
}
