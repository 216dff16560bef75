/*
 * A mutator of Xen saved domains and migration streams, for fuzzers of programs that read them.
 *
 * It takes any bytes apart as far as they are a stream (xl, libvirt, xenopsd, libxl or libxc), inserts, drops, repeats,
 * moves and changes headers, records, entries and single fields, and puts them together again. Mostly it makes lengths
 * and padding fit, and sometimes it leaves them wrong on purpose. The same seed gives the same bytes.
 *
 * libFuzzer: link libxenstream_mutate.a with the target. It calls the first two functions by their names.
 * AFL++:     AFL_CUSTOM_MUTATOR_LIBRARY=libxenstream_mutate.so. It calls the last three by their names.
 *
 * No function keeps what it is given. All but afl_custom_fuzz(), which uses the state, may be called by any thread.
 */
#ifndef XENSTREAM_MUTATE_H
#define XENSTREAM_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Changes the first `size` bytes at `data`, which has room for `max_size` bytes, and for `size` if that is more. Returns
 * how many bytes there are then, at most `max_size`.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/*
 * Makes one input of two, at `out`, which has room for `max_out_size` bytes and overlaps neither of them. Returns its
 * size.
 */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2, uint8_t *out,
                                 size_t max_out_size, unsigned int seed);

/* Makes a state for afl_custom_fuzz(). `afl` is not looked at. */
void *afl_custom_init(void *afl, unsigned int seed);

/*
 * Changes the `buf_size` bytes at `buf`, or makes one input of them and of those at `add_buf`, which may be null. Returns
 * the size of what `*out_buf` then points to, at most `max_size`. It stays until the next call with this state.
 */
size_t afl_custom_fuzz(void *data, uint8_t *buf, size_t buf_size, uint8_t **out_buf, uint8_t *add_buf,
                       size_t add_buf_size, size_t max_size);

/* Frees the state. */
void afl_custom_deinit(void *data);

#ifdef __cplusplus
}
#endif

#endif
