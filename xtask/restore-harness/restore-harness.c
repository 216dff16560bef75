/*
 * restore-harness: what would Xen's xc_domain_restore() do with this libxc stream?
 *
 * Each file is restored in a process of its own, by the real libxenguest over the stand-in hypervisor, within 8 GiB of
 * address space and ten seconds. One line of JSON a file goes to stdout. Without files on the command line, paths are
 * read from stdin, one a line, and each is answered at once.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenguest.h>

#include "watch.h"

#define ADDRESS_SPACE (8UL << 30)
#define SECONDS 10

enum domain_type { TYPE_AUTO, TYPE_PV, TYPE_HVM };

static struct {
    xc_stream_type_t stream;
    enum domain_type type;
    bool strict;
} options = { .stream = XC_STREAM_PLAIN };

/* ---- the child: one restore ---- */

static int say_yes(void *data)
{
    return 1;
}

static int static_data_done(unsigned int missing, void *data)
{
    return 0;
}

static int checkpoint(void *data)
{
    return XGR_CHECKPOINT_SUCCESS;
}

static void restore_results(xen_pfn_t store_gfn, xen_pfn_t console_gfn, void *data)
{
}

_Noreturn static void restore(int stream, struct watch *shared)
{
    struct restore_callbacks callbacks = {
        .suspend = say_yes,
        .postcopy = say_yes,
        .checkpoint = checkpoint,
        .wait_checkpoint = say_yes,
        .static_data_done = static_data_done,
        .restore_results = restore_results,
    };
    struct rlimit none = { 0, 0 }, address_space = { ADDRESS_SPACE, ADDRESS_SPACE };
    unsigned long store_gfn = 0, console_gfn = 0;
    int nowhere = open("/dev/null", O_WRONLY); /* COLO's back channel, and what libc has to say of a corrupted heap */
    xc_interface *xch;

    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_AS, &address_space);
    dup2(nowhere, STDERR_FILENO);
    alarm(SECONDS);
    standin_trace = &shared->trace;
    standin_create();
    xch = xc_interface_open(&watch_logger, &watch_logger, 0);
    if (!xch)
        _exit(EXIT_FAILURE);

    watch = shared;
    shared->result = xc_domain_restore(xch, stream, STANDIN_DOMID, 5, &store_gfn, 0, 6, &console_gfn, 0,
                                       options.stream, &callbacks, nowhere);
    shared->error = errno;
    watch = NULL;
    if (shared->result == 0)
        shared->stage = STAGE_DONE;
    _exit(EXIT_SUCCESS);
}

/* ---- the parent: what became of it ---- */

enum verdict { ACCEPT, REJECT, CRASH, TIMEOUT, LIMIT, BROKEN };

static const char *const verdict_names[] = { "accept", "reject", "crash", "timeout", "limit", "error" };
static const char *const stage_names[] = { "start",       "image-header", "domain-header", "record-header",
                                           "record-data", "record",       "complete",      "done" };
static const char *const record_names[] = {
    "END",
    "PAGE_DATA",
    "X86_PV_INFO",
    "X86_PV_P2M_FRAMES",
    "X86_PV_VCPU_BASIC",
    "X86_PV_VCPU_EXTENDED",
    "X86_PV_VCPU_XSAVE",
    "SHARED_INFO",
    "X86_TSC_INFO",
    "HVM_CONTEXT",
    "HVM_PARAMS",
    "TOOLSTACK",
    "X86_PV_VCPU_MSRS",
    "VERIFY",
    "CHECKPOINT",
    "CHECKPOINT_DIRTY_PFN_LIST",
    "STATIC_DATA_END",
    "X86_CPUID_POLICY",
    "X86_MSR_POLICY",
};

static enum verdict judge(int status, const struct watch *seen)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGALRM ? TIMEOUT : CRASH;
    if (WEXITSTATUS(status) != EXIT_SUCCESS)
        return BROKEN;
    if (seen->trace.host_hangs)
        return CRASH;
    if (seen->result == 0)
        return ACCEPT;
    if (seen->trace.out_of_pages || (seen->allocation_failed && seen->error == ENOMEM))
        return LIMIT;
    return REJECT;
}

static const char *explain(enum verdict verdict, int status, const struct watch *seen)
{
    static char text[64];

    switch (verdict) {
    case ACCEPT:
        return "";
    case TIMEOUT:
        return "alarm";
    case CRASH:
        if (seen->assertion[0])
            return seen->assertion;
        if (seen->trace.host_hangs)
            return "the hypervisor hangs";
        snprintf(text, sizeof(text), "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return text;
    case BROKEN:
        return "the harness itself failed";
    default:
        return seen->message;
    }
}

/* How the records fared, apart from completing the domain after END. */
static const char *records_word(enum verdict verdict, const struct watch *seen)
{
    if (seen->stage == STAGE_COMPLETE)
        return "ok";
    if (verdict == ACCEPT)
        return seen->record_type == 0 ? "ok" : "failover";
    return verdict == REJECT ? "rejected" : "stopped";
}

static const char *record_name(uint32_t type)
{
    if (type == NO_RECORD_TYPE)
        return "-";
    return type < sizeof(record_names) / sizeof(*record_names) ? record_names[type] : "UNKNOWN";
}

static void print_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = *text;

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_field(const char *name, const char *text)
{
    printf(",\"%s\":", name);
    print_string(text);
}

static void report(const char *path, int status, const struct rusage *usage, off_t consumed, const struct watch *seen)
{
    enum verdict verdict = judge(status, seen);

    printf("{\"file\":");
    print_string(path);
    print_field("verdict", verdict_names[verdict]);
    print_field("stage", stage_names[seen->stage]);
    print_field("records", records_word(verdict, seen));
    print_field("message", explain(verdict, status, seen));
    printf(",\"consumed\":%lld", (long long)consumed);
    if (seen->record_index >= 0)
        printf(",\"record\":{\"index\":%lld,\"type\":%u,\"name\":\"%s\",\"length\":%u,\"offset\":%llu}",
               (long long)seen->record_index, seen->record_type, record_name(seen->record_type), seen->record_length,
               (unsigned long long)seen->record_offset);
    printf(",\"largest_allocation\":%llu,\"peak_kib\":%ld", (unsigned long long)seen->largest_allocation,
           usage->ru_maxrss);
    if (seen->trace.unmodelled)
        print_field("unmodelled", seen->trace.last_unmodelled);
    puts("}");
}

/* PV when the domain header's type says so: a little-endian word behind the image header. */
static bool is_pv(int stream)
{
    uint32_t type;

    return pread(stream, &type, sizeof(type), 24) == sizeof(type) && le32toh(type) == 1;
}

/* Whoever waits for an answer gets one. */
static bool give_up(const char *path)
{
    const char *why = strerror(errno);

    printf("{\"file\":");
    print_string(path);
    print_field("verdict", verdict_names[BROKEN]);
    print_field("message", why);
    puts("}");
    fflush(stdout);
    return false;
}

static bool try_file(const char *path)
{
    int stream = open(path, O_RDONLY | O_CLOEXEC), status;
    struct rusage usage;
    struct watch *seen;
    pid_t child;

    if (stream < 0)
        return give_up(path);
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED)
        return give_up(path);
    seen->record_index = -1;
    seen->record_type = NO_RECORD_TYPE;
    standin_domain.strict = options.strict;
    standin_domain.hvm = options.type == TYPE_AUTO ? !is_pv(stream) : options.type == TYPE_HVM;

    fflush(stdout);
    child = fork();
    if (child == 0)
        restore(stream, seen);
    if (child < 0 || wait4(child, &status, 0, &usage) < 0)
        return give_up(path);
    /* The child was at liberty to write into the mapping by accident. */
    seen->message[sizeof(seen->message) - 1] = '\0';
    seen->assertion[sizeof(seen->assertion) - 1] = '\0';
    seen->trace.last_unmodelled[sizeof(seen->trace.last_unmodelled) - 1] = '\0';
    if (seen->stage > STAGE_DONE)
        seen->stage = STAGE_START;
    report(path, status, &usage, lseek(stream, 0, SEEK_CUR), seen);
    fflush(stdout);
    munmap(seen, sizeof(*seen));
    close(stream);
    return true;
}

/* ---- options ---- */

_Noreturn static void usage(void)
{
    fputs("usage: restore-harness [--stream plain|remus|colo] [--type hvm|pv|auto] [--strict] [FILE...]\n"
          "  --stream  what the caller of xc_domain_restore() says of the stream (plain)\n"
          "  --type    what the domain was created as (auto: as the domain header has it)\n"
          "  --strict  add the hypervisor's own refusals of values\n"
          "Without FILEs, paths are read from stdin, one a line.\n",
          stderr);
    exit(2);
}

/* Place of `word` among `count` words. */
static int choose(const char *word, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    usage();
}

static void parse(int argc, char **argv)
{
    static const struct option known[] = {
        { "stream", required_argument, NULL, 's' },
        { "type", required_argument, NULL, 't' },
        { "strict", no_argument, NULL, 'S' },
        { NULL, 0, NULL, 0 },
    };
    static const char *const streams[] = { [XC_STREAM_PLAIN] = "plain", [XC_STREAM_REMUS] = "remus",
                                           [XC_STREAM_COLO] = "colo" };
    static const char *const types[] = { [TYPE_AUTO] = "auto", [TYPE_PV] = "pv", [TYPE_HVM] = "hvm" };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 's':
            options.stream = choose(optarg, streams, 3);
            break;
        case 't':
            options.type = choose(optarg, types, 3);
            break;
        case 'S':
            options.strict = true;
            break;
        default:
            usage();
        }
    }
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    bool good = true;

    parse(argc, argv);
    for (int i = optind; i < argc; i++)
        good &= try_file(argv[i]);
    if (optind < argc)
        return good ? EXIT_SUCCESS : EXIT_FAILURE;

    while ((length = getline(&line, &room, stdin)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        good &= try_file(line);
    }
    free(line);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
