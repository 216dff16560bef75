/*
 * A reader of libxc streams that is too trusting, and how to fuzz it.
 *
 * With clang, libFuzzer finds the error:
 *
 *     clang -g -fsanitize=fuzzer,address -I include examples/toy_reader.c libxenstream_mutate.a -lpthread -ldl -lm
 *     ./a.out ../../corpus/valid
 *
 * With another compiler, the main function here does what a fuzzer does, without its feedback:
 *
 *     cc -g -DWITH_MAIN -I include examples/toy_reader.c libxenstream_mutate.a -lpthread -ldl -lm
 *     ./a.out ../../corpus/valid/pvh-v3.libxc.bin
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenstream_mutate.h"

enum { HEADERS = 40, RECORD = 8, PARAMS = 0x0A, END = 0, KNOWN = 39 };

struct guest {
    uint64_t params[KNOWN];
    unsigned int records;
    /* Where a real reader would write past the table. */
    int corrupted;
};

static uint32_t read32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Reads pairs of index and value. It believes the index. */
static void read_params(struct guest *guest, const uint8_t *body, size_t length)
{
    uint32_t count, n, index;

    if (length < 8)
        return;
    count = read32(body);
    if (length != 8 + (uint64_t)count * 16)
        return;
    for (n = 0; n < count; n++) {
        index = read32(body + 8 + n * 16);
        if (index >= KNOWN)
            guest->corrupted = 1;
        else
            guest->params[index] = read32(body + 16 + n * 16);
    }
}

/* Reads a little-endian libxc stream. Returns whether it came to the end. */
static int read_stream(struct guest *guest, const uint8_t *data, size_t size)
{
    static const uint8_t start[12] = { 255, 255, 255, 255, 255, 255, 255, 255, 'X', 'E', 'N', 'F' };
    size_t at = HEADERS;

    if (size < HEADERS || memcmp(data, start, sizeof(start)) != 0)
        return 0;
    while (size - at >= RECORD) {
        uint32_t type = read32(data + at), length = read32(data + at + 4);
        size_t padded = ((size_t)length + 7) / 8 * 8;

        at += RECORD;
        if (padded > size - at)
            return 0;
        guest->records++;
        if (type == END)
            return 1;
        if (type == PARAMS)
            read_params(guest, data + at, length);
        at += padded;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guest guest = { { 0 }, 0, 0 };

    read_stream(&guest, data, size);
    if (guest.corrupted)
        abort();
    return 0;
}

#ifdef WITH_MAIN
enum { ROUNDS = 20000, MOST = 8192 };

static void show(const char *how, unsigned int whole, unsigned int found)
{
    printf("%s: %u of %d read to the end, %u with the error\n", how, whole, ROUNDS, found);
}

static void count(const uint8_t *data, size_t size, unsigned int *whole, unsigned int *found)
{
    struct guest guest = { { 0 }, 0, 0 };

    *whole += read_stream(&guest, data, size) != 0;
    *found += guest.corrupted != 0;
}

int main(int argc, char **argv)
{
    static uint8_t seed[MOST], other[MOST], data[MOST];
    unsigned int round, whole = 0, found = 0;
    size_t size, other_size = 0, made;
    uint8_t *out = NULL;
    void *state;
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;

    if (!file)
        return 2;
    size = fread(seed, 1, MOST, file);
    fclose(file);

    for (round = 0; round < ROUNDS; round++) {
        memcpy(data, seed, size);
        made = LLVMFuzzerCustomMutator(data, size, MOST, round);
        count(data, made, &whole, &found);
        if (round == 0) {
            memcpy(other, data, made);
            other_size = made;
        }
    }
    show("libFuzzer", whole, found);

    whole = found = 0;
    for (round = 0; round < ROUNDS; round++) {
        made = LLVMFuzzerCustomCrossOver(seed, size, other, other_size, data, MOST, round);
        count(data, made, &whole, &found);
    }
    show("cross-over", whole, found);

    whole = found = 0;
    state = afl_custom_init(NULL, 1);
    for (round = 0; round < ROUNDS; round++) {
        made = afl_custom_fuzz(state, seed, size, &out, other, other_size, MOST);
        count(out, made, &whole, &found);
    }
    afl_custom_deinit(state);
    show("AFL++", whole, found);
    return 0;
}
#endif
