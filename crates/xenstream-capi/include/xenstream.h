/* xenstream: verifies Xen's saved domains and migration streams.
 *
 * A verifier takes a stream in pieces of any size, and says whether each may be parsed:
 *
 *     alignas(XS_VERIFIER_ALIGNMENT) unsigned char memory[XS_VERIFIER_SIZE];
 *     xs_verifier *verifier;
 *     xs_verifier_init(memory, sizeof memory, XS_FORMAT_LIBXC, NULL, &verifier);
 *     while ((status = xs_verifier_need(verifier, &need)) == XS_STATUS_OK) {
 *         ... read at most need.certain bytes ...
 *         status = xs_verifier_push(verifier, buffer, length, NULL);
 *         if (status != XS_STATUS_OK && status != XS_STATUS_ENDED)
 *             break;
 *         ... parse them ...
 *     }
 *     status = xs_verifier_finish(verifier);
 *
 * For every function:
 *
 * - It returns XS_STATUS_OK (0) or a greater number on success, and a number below 0 if the call was wrong or the
 *   system failed. Its description says what is written on failure.
 * - Unless its description says otherwise, a pointer must not be null, must be aligned for its type, and must point
 *   to as many bytes as its type or the length beside it says. Null and misaligned pointers, and uninitialised
 *   verifiers and policies, are detected and refused.
 * - Its arguments still belong to the caller. It keeps nothing after it returns, except the verifier's memory, and
 *   the function and context passed to xs_verifier_on_warning(). Nothing needs to be freed.
 * - Returned strings are static: valid until the library is unloaded, and not to be freed or changed.
 * - Different threads may use different verifiers at the same time. Only one thread at a time may use a verifier or
 *   a policy.
 * - It does not end the program, and throws no exception. It does not allocate, except the functions whose names end
 *   in _fd: as in any Rust program, these abort if there is no memory left.
 */


#ifndef XENSTREAM_H
#define XENSTREAM_H

/* Made by cbindgen from the sources of xenstream-capi: cargo xtask docs */

#include <stddef.h>
#include <stdint.h>

// Version of the binary interface that this header describes. It changes when programs must be recompiled, and is
// the number at the end of the shared library's name.
#define XS_ABI 1

// Number of bytes that are enough for a verifier in every library with this XS_ABI. xs_verifier_size() returns the
// exact size.
#define XS_VERIFIER_SIZE 4096

// The alignment that a verifier's memory needs, in every library with this XS_ABI.
#define XS_VERIFIER_ALIGNMENT 16

// In xs_violation.has: the violation is inside a record, which record_layer, record_index and record_offset
// identify.
#define XS_HAS_RECORD 1

// In xs_violation.has: the type of the record is known and in record_type.
#define XS_HAS_RECORD_TYPE 2

// In xs_violation.has: some releases of Xen accept the stream. xs_violation_text() names them.
#define XS_HAS_RELEASES 4

// Size of xs_report.message in bytes.
#define XS_MESSAGE_SIZE 512

// Make an ordinary stream of a checkpointed one, which ends at its last complete checkpoint, or at
// xs_conversion.checkpoint.
#define XS_CONVERT_PLAIN (1 << 0)

// Leave the last copy of each page.
#define XS_CONVERT_COMPACT (1 << 1)

// Zero padding and reserved words, drop what readers pass over, put records in the order of savers.
#define XS_CONVERT_NORMALISE (1 << 2)

// Repair what is certain.
#define XS_CONVERT_REPAIR (1 << 3)

// Compress the output with zstd, in a library with the feature `decompress`.
#define XS_CONVERT_ZSTD (1 << 4)

// Replace a file of the output's name.
#define XS_CONVERT_OVERWRITE (1 << 5)

// The result of a function. Below 0, the call was wrong or the system failed, and there is no verdict.
typedef enum {
  // Success. For a stream: nothing is wrong with it so far, or with all of it if the function says so.
  XS_STATUS_OK = 0,
  // Nothing is wrong with the stream, and its last byte has been consumed.
  XS_STATUS_ENDED = 1,
  // The stream is refused. This is final; xs_verifier_violation() returns the reason.
  XS_STATUS_INVALID = 2,
  // The stream cannot be judged after some byte: it is a legacy image, or has vGPU state. Nothing is wrong before
  // that byte, but the rest must not be trusted. This is final; xs_verifier_violation() returns the offset and the
  // reason.
  XS_STATUS_UNJUDGED = 3,
  // A pointer is null.
  XS_STATUS_ERROR_NULL = -1,
  // A pointer is not aligned for its type.
  XS_STATUS_ERROR_ALIGNMENT = -2,
  // A size or length is wrong: too little memory for a verifier, or more bytes than an object can have.
  XS_STATUS_ERROR_SIZE = -3,
  // The verifier or policy was not initialised, or is something else.
  XS_STATUS_ERROR_UNINITIALISED = -4,
  // The verifier is in use by the call that is running the callback, or by another thread.
  XS_STATUS_ERROR_BUSY = -5,
  // A number is not a possible value of its parameter, or a descriptor is negative.
  XS_STATUS_ERROR_ARGUMENT = -6,
  // No rule, layer or limit has this name.
  XS_STATUS_ERROR_NAME = -7,
  // The rule is structural and cannot be lowered, because nothing after such a violation can be parsed.
  XS_STATUS_ERROR_STRUCTURAL = -8,
  // The call asked to skip more bytes than possible.
  XS_STATUS_ERROR_SKIP = -9,
  // The call is not possible in this state: the stream has not ended, the verification is finished, or nothing is
  // wrong.
  XS_STATUS_ERROR_STATE = -10,
  // The input cannot be read.
  XS_STATUS_ERROR_INPUT = -11,
  // The compressed input cannot be decompressed.
  XS_STATUS_ERROR_DECOMPRESS = -12,
  // The output cannot be written.
  XS_STATUS_ERROR_OUTPUT = -13,
  // The reader of the output has gone.
  XS_STATUS_ERROR_CONSUMER_GONE = -14,
  // A bug in the library. Nothing was left half done.
  XS_STATUS_ERROR_INTERNAL = -15,
} xs_status;

// Verifies one stream, in memory that the caller provides. When you are done with it, just stop using it: nothing
// needs to be freed. While no function is using it, it may be moved or copied with memcpy(), to memory of the same
// size and alignment.
//
// It checks every rule that the bytes of a stream decide as they come. The rules on the contents of a configuration or
// of xenopsd's metadata (xl::config-json, xl::config-depth, xl::config-values, xl::config-number, xl::type-mismatch,
// xl::memory-mismatch, xl::viridian-mismatch, xl::emulator-mismatch, libvirt::xml-syntax, xenopsd::metadata) and those
// that look up the type of a page once all have come (pv::start-info-type, pv::store-range, pv::console-range,
// pv::gdt-type, pv::cr3-type, pv::cr1-type, pv::p2m-type) are checked by xs_verify_fd() and xs_relay_fd() alone.
// No function of this library checks the rules host::*.
typedef struct xs_verifier xs_verifier;

// How strict to be. The caller owns the policy, may copy and discard it, and uses the functions below to change
// it.
typedef struct {
  uint64_t opaque[64];
} xs_policy;

// A set of levels and limits for one purpose.
typedef int xs_profile;

// What happens when a rule is broken.
typedef int xs_level;

// The kind of stream, if the caller knows it. libxl passes it to its helper as STREAM_TYPE.
typedef int xs_checkpointing;

// The format of a stream.
typedef int xs_format;

// What is known about the next bytes of a stream.
typedef struct {
  // Number of further bytes that are certain to belong to the stream. A caller that must not read past the end of
  // the stream reads at most this many. At least 1 until the stream ends or is refused, then 0.
  uint64_t certain;
  // Number of these bytes, from the next one on, that no rule needs, such as page contents. xs_verifier_skip() may
  // skip them.
  uint64_t skippable;
} xs_need;

// What a value in xs_violation is.
typedef int xs_value;

// A layer of the format; xs_layer_name() returns its name.
typedef int xs_layer;

// One violation of a rule. Unused fields are 0 or null.
typedef struct {
  // The rule's name, such as "libxc::padding". Static, never null.
  const char *rule;
  // Which of XS_HAS_RECORD, XS_HAS_RECORD_TYPE and XS_HAS_RELEASES apply. Other bits are reserved.
  uint32_t has;
  // The rule's number in this version of the library, see xs_rule_name().
  uint32_t rule_number;
  // Offset in bytes from the start of the stream.
  uint64_t offset;
  // The value, bound or limit that the rule asks for.
  uint64_t expected;
  // The value that was found.
  uint64_t found;
  // What `expected` is.
  xs_value expected_kind;
  // What `found` is.
  xs_value found_kind;
  // The layer of the rule.
  xs_layer layer;
  // The layer of the record.
  xs_layer record_layer;
  // The index of the record in its layer, from 0.
  uint64_t record_index;
  // The number of the record's type.
  uint64_t record_type;
  // Offset of the record's first byte.
  uint64_t record_offset;
  // The name of the record's type, such as "PAGE_DATA". Static; null if it has none.
  const char *record_type_name;
} xs_violation;

// Called for each violation of a rule at level warn, from within the function that finds it. `context` is the one
// that was passed to xs_verifier_on_warning(). `warning` belongs to the library and is valid until the callback
// returns. The callback must return normally, not by longjmp() or an exception. During the callback, every
// function returns XS_STATUS_ERROR_BUSY for this verifier.
typedef void (*xs_warning)(void *context, const xs_violation *warning);

// The kind of a guest.
typedef int xs_guest;

// A summary of a stream's contents, as far as it was read. Fields that are not known yet are 0.
typedef struct {
  // The format, or XS_FORMAT_AUTO if it is not known yet.
  xs_format format;
  // The kind of guest.
  xs_guest guest;
  // Major version of the Xen that wrote the libxc stream.
  uint32_t xen_major;
  // Minor version of the Xen that wrote the libxc stream.
  uint32_t xen_minor;
  // Version of the libxc stream.
  uint32_t libxc_version;
  // Width of a PV guest in bytes, 4 or 8; 0 for others.
  uint32_t guest_width;
  // Number of bytes of the stream that were pushed or skipped.
  uint64_t bytes;
  // Number of records of libxl and libxc.
  uint64_t records;
  // Number of pages with contents. A page that was sent twice counts twice.
  uint64_t pages;
  // Number of complete checkpoints.
  uint64_t checkpoints;
} xs_summary;

// The result for a stream that was read from a descriptor.
typedef struct {
  // What is wrong with the stream, or what cannot be judged, also where the status is that of something else that was
  // made of it. Otherwise xs_violation.rule is null and the other fields are 0.
  xs_violation violation;
  // A summary of the stream's contents, unless an error is returned.
  xs_summary summary;
  // Number of bytes read from the input, not counting those that were skipped.
  uint64_t bytes_read;
  // Number of bytes written to the output, whatever is returned.
  uint64_t bytes_written;
  // The errno of an error from the system; otherwise 0.
  int os_error;
  // With XS_STATUS_OK, how many rules could not be checked: those on a PV guest's start info, GDT and p2m take a
  // second walk, which a pipe, a socket or a compressed image does not allow. `message` names them.
  uint32_t unchecked;
  // What is wrong with the stream, what failed, or what was not checked: one line, cut off if it is too long;
  // otherwise empty.
  char message[XS_MESSAGE_SIZE];
} xs_report;

// A change that a conversion made, or, with a `reason`, what is in its way. The strings are the library's, and live
// until the call returns.
typedef struct {
  // Offset in the input.
  uint64_t offset;
  // The record, and what of it.
  const char *place;
  // The field that changed; null with a reason.
  const char *field;
  // What it was; null with a reason.
  const char *before;
  // What it is; null with a reason.
  const char *after;
  // Why there is no output; null for a change.
  const char *reason;
  // The name of what the guest loses, or would lose; null if that is nothing, or if no name allows it.
  const char *loss;
} xs_change;

// Is called for each change and for what is in the way, with the context of the conversion. It must return.
typedef void (*xs_on_change)(void *context, const xs_change *change);

// What to make of a stream. Zeros stand for nothing; the release that it is for is that of the policy.
typedef struct {
  // XS_CONVERT_ flags.
  uint32_t flags;
  // The container that the guest is put into, as a format; XS_FORMAT_AUTO keeps the one that it is in.
  xs_format container;
  // The checkpoint at which a checkpointed stream ends, counting from 1; 0 stands for none.
  uint64_t checkpoint;
  // The configuration for the container; may be null.
  const void *config;
  // Its length in bytes.
  size_t config_length;
  // Names of what the guest may lose, apart by commas; may be null. docs/convert.md lists them.
  const char *lossy;
  // Called for each change; may be null.
  xs_on_change on_change;
  // Passed to that function.
  void *context;
} xs_conversion;

// The format of extracted memory.
typedef int xs_memory_format;

// A difference between two streams. The strings are the library's, and live until the call returns.
typedef struct {
  // The layer of the header or record; null for memory and for verdicts.
  const char *layer;
  // The header or record, with the vcpu or instance that it is about; `memory`, `verdict`, or `records` for those that
  // were not compared.
  const char *place;
  // The value's name; null if a whole record or pages are meant that only one stream has.
  const char *field;
  // The value in the first stream; null if it is not there, and for the contents of pages. Long values are cut, and
  // bytes are in hex.
  const char *a;
  // The same in the second one.
  const char *b;
  // The number of bytes that differ in an area of bytes; otherwise 0.
  uint64_t bytes;
  // The offset of the first of them in the record's body.
  uint64_t offset;
  // The first pfn of a run of pages, for memory.
  uint64_t first_pfn;
  // The last one.
  uint64_t last_pfn;
} xs_difference;

// Is called for each difference, with the context that was given. It must return.
typedef void (*xs_on_difference)(void *context, const xs_difference *difference);

// Detected from the magic at the start of the stream.
#define XS_FORMAT_AUTO 0

// What `xl save` writes.
#define XS_FORMAT_XL 1

// What libvirt's driver for libxl writes.
#define XS_FORMAT_LIBVIRT 2

// A suspend image of xenopsd.
#define XS_FORMAT_XENOPSD 3

// A libxl stream.
#define XS_FORMAT_LIBXL 4

// A bare libxc stream, as a restore helper receives it.
#define XS_FORMAT_LIBXC 5

// The written specification.
#define XS_PROFILE_SPEC 0

// What the restore code of a released Xen accepts.
#define XS_PROFILE_RESTORE 1

// A gate before restore code, for images from people you do not trust.
#define XS_PROFILE_HARDENED 2

// The rule is ignored.
#define XS_LEVEL_ALLOW 0

// A warning is reported, and verification continues.
#define XS_LEVEL_WARN 1

// The stream is refused.
#define XS_LEVEL_DENY 2

// Not known: inside libxl, the stream shows it; a bare libxc stream is taken as plain.
#define XS_CHECKPOINTING_AUTO 0

// No checkpoints.
#define XS_CHECKPOINTING_PLAIN 1

// Remus.
#define XS_CHECKPOINTING_REMUS 2

// COLO.
#define XS_CHECKPOINTING_COLO 3

// Not known yet.
#define XS_GUEST_UNKNOWN 0

// Paravirtualised.
#define XS_GUEST_PV 1

// Hardware-virtualised, including PVH.
#define XS_GUEST_HVM 2

// The stream of bytes as a whole.
#define XS_LAYER_STREAM 0

// The header of `xl save`.
#define XS_LAYER_XL 1

// The header of libvirt.
#define XS_LAYER_LIBVIRT 2

// The suspend image of xenopsd.
#define XS_LAYER_XENOPSD 3

// The libxl stream.
#define XS_LAYER_LIBXL 4

// The libxc stream.
#define XS_LAYER_LIBXC 5

// The chain of entries inside HVM_CONTEXT.
#define XS_LAYER_HVM 6

// Page tables and registers of a PV guest.
#define XS_LAYER_PV 7

// The state of the device model.
#define XS_LAYER_QEMU 8

// The host on which the stream will be restored. No function of the library takes one.
#define XS_LAYER_HOST 9

// There is no value: the number is 0.
#define XS_VALUE_NONE 0

// The contents of a field, a length, a count, an index, a frame or a limit.
#define XS_VALUE_NUMBER 1

// The type of a record of the violation's layer.
#define XS_VALUE_RECORD_TYPE 2

// An xs_format.
#define XS_VALUE_FORMAT 3

// The type of domain that the configuration names: 0 PV, 1 PVH, 2 HVM.
#define XS_VALUE_DOMAIN_TYPE 4

// What shows of which type the domain is: 0 a PV guest, 1 an HVM or PVH guest, 2 a device-model record, 3 emulated
// devices.
#define XS_VALUE_EVIDENCE 5

// Viridian features, as bits.
#define XS_VALUE_VIRIDIAN 6

// Viridian state, without features: the number is 0.
#define XS_VALUE_VIRIDIAN_STATE 7

// The type of a page of a PV guest.
#define XS_VALUE_PAGE_TYPE 8

// A page of a PV guest whose type was not remembered: the number is 0.
#define XS_VALUE_PAGE_TYPE_UNKNOWN 9

// An ELF core file with the vcpus' registers.
#define XS_MEMORY_ELF 0

// A sparse file by pfn.
#define XS_MEMORY_RAW 1

// What LiME writes.
#define XS_MEMORY_LIME 2

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Returns the library's version, such as "0.1.0".
const char *xs_version(void);

// Returns the library's XS_ABI. A program that loads the library itself must compare it with the header's, and use
// no other function if they differ.
uint32_t xs_abi(void);

// Returns an English description of a status, such as "a pointer is null", or of an unknown one. Never null.
const char *xs_status_text(int status);

// Initialises `policy` with a profile.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_ARGUMENT if `profile` is not a profile.
xs_status xs_policy_init(xs_policy *policy, xs_profile profile);

// Sets the level of a rule by name ("libxc::padding"), or of every rule of a layer ("libxl::*") except its
// structural rules.
//
// Returns XS_STATUS_OK; XS_STATUS_ERROR_NAME if no rule or layer has this name; XS_STATUS_ERROR_STRUCTURAL if it
// is a structural rule, which cannot be lowered; XS_STATUS_ERROR_ARGUMENT if `level` is not a level. On failure,
// the policy is not changed.
xs_status xs_policy_set_level(xs_policy *policy,
                              const char *rule,
                              xs_level level);

// Sets a limit by name. In bytes: "libxl-record", "libxc-record", "optional-data", "xml", "emulator-context",
// "xenopsd-blob", "checkpoint-size" and "xenstore-bytes". The lowest value that is not allowed: "hvm-pfn" and
// "p2m-pfn" (page frame numbers), "vcpus" (vcpu ids) and "config-number" (numbers in arrays of a configuration).
// The most that are allowed: "config-depth" (levels of nesting), "records", "checkpoints", "p2m-holes" (frames of
// a p2m that repeat the previous one), "xenstore-pairs" and "config-values". UINT64_MAX means no limit.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_NAME if no limit has this name.
xs_status xs_policy_set_limit(xs_policy *policy,
                              const char *limit,
                              uint64_t value);

// Sets the kind of stream.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_ARGUMENT if `checkpointing` is not a kind of stream.
xs_status xs_policy_set_checkpointing(xs_policy *policy, xs_checkpointing checkpointing);

// Sets the release of Xen on which the stream will be restored, such as "4.17.5", "4.20" (the newest known release
// of that branch) or "xcp-ng-8.3". The stream is refused if this release refuses it. With null, the default, the
// stream is refused only if every release refuses it.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_NAME if no known release has this name. On failure, the policy is not
// changed.
xs_status xs_policy_set_target(xs_policy *policy,
                               const char *release);

// Returns the size of a verifier in bytes, at most XS_VERIFIER_SIZE.
size_t xs_verifier_size(void);

// Returns the alignment that a verifier's memory needs, a power of two that divides XS_VERIFIER_ALIGNMENT. Memory
// from malloc() has it.
size_t xs_verifier_alignment(void);

// Initialises a verifier for a stream.
//
// `memory` is the verifier's memory: `size` bytes, at least xs_verifier_size(), aligned to
// xs_verifier_alignment(), and used by nothing else while the verifier is in use. Its contents are overwritten.
// `policy` is copied, and may be null for XS_PROFILE_HARDENED. `*verifier` is set to the verifier, which is at
// `memory`, or to null on failure.
//
// Returns XS_STATUS_OK; XS_STATUS_ERROR_SIZE if the memory is too small; XS_STATUS_ERROR_ALIGNMENT if it is not
// aligned; XS_STATUS_ERROR_ARGUMENT if `format` is not a format; XS_STATUS_ERROR_UNINITIALISED if `policy` was not
// initialised.
xs_status xs_verifier_init(void *memory,
                           size_t size,
                           xs_format format,
                           const xs_policy *policy,
                           xs_verifier **verifier);

// Judges the next `length` bytes of the stream. The verdict does not depend on how the stream is split. Accepted
// bytes may be parsed up to the end of the last complete record; an incomplete record may still be refused.
//
// `bytes` may be null if `length` is 0, and must not overlap the verifier. `consumed` may be null. `*consumed` is
// set to the number of bytes that belong to the stream: all of them with XS_STATUS_OK, those up to its end with
// XS_STATUS_ENDED, and 0 otherwise.
//
// Returns XS_STATUS_OK; XS_STATUS_ENDED if the last byte of the stream is among them or came before;
// XS_STATUS_INVALID or XS_STATUS_UNJUDGED if the stream is refused, now or before; XS_STATUS_ERROR_SIZE if no
// object can be as long as `length`; XS_STATUS_ERROR_STATE after xs_verifier_finish(). With an error, nothing is
// judged.
xs_status xs_verifier_push(xs_verifier *verifier,
                           const void *bytes,
                           size_t length,
                           size_t *consumed);

// Skips bytes as if they had been pushed, at most xs_need.skippable.
//
// Returns XS_STATUS_OK; XS_STATUS_ENDED if the stream's last byte is among them; XS_STATUS_INVALID or
// XS_STATUS_UNJUDGED if the stream is refused; XS_STATUS_ERROR_SKIP if that is more than can be skipped, XS_STATUS_ERROR_STATE after
// xs_verifier_finish(), and then nothing was skipped.
xs_status xs_verifier_skip(xs_verifier *verifier,
                           uint64_t bytes);

// Sets `*need` to what is known about the next bytes of the stream, or to zeros unless XS_STATUS_OK is returned.
//
// Returns XS_STATUS_OK if the stream continues, XS_STATUS_ENDED if it has ended, XS_STATUS_INVALID or
// XS_STATUS_UNJUDGED if it is refused.
xs_status xs_verifier_need(xs_verifier *verifier,
                           xs_need *need);

// Ends the input. Nothing can be pushed afterwards. A second call returns the same status.
//
// Returns XS_STATUS_OK if the stream is valid and complete, XS_STATUS_INVALID if it is not, XS_STATUS_UNJUDGED if it
// cannot be judged.
xs_status xs_verifier_finish(xs_verifier *verifier);

// Reports bytes after the end of the stream, in a file where there should be none. Do not call it for a pipe or
// socket, where the following bytes belong to the caller. Call it at most once per stream.
//
// `bytes` are the bytes that follow, or the first `length` of them. They distinguish harmless zeros from another
// image and from anything else. If all of them are zeros, the rest is assumed to be zeros too, so pass the bytes
// after a long run of zeros, if there are any. `bytes` may be null if `length` is 0, for unknown bytes.
//
// Returns XS_STATUS_OK; XS_STATUS_INVALID if the policy refuses them; the earlier status, if the stream was
// refused before; XS_STATUS_ERROR_SIZE if no object can be as long as `length`; XS_STATUS_ERROR_STATE if the
// stream has not ended.
xs_status xs_verifier_trailing_data(xs_verifier *verifier,
                                    const void *bytes,
                                    size_t length);

// Changes a limit for the rest of the stream, such as "hvm-pfn" once the size of the guest's memory is known. See
// xs_policy_set_limit() for the names.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_NAME if no limit has this name.
xs_status xs_verifier_set_limit(xs_verifier *verifier,
                                const char *limit,
                                uint64_t value);

// Sets the function to call for each violation at level warn, in stream order. Null, the default, means none.
// `context` is passed to it, and may be anything, even null.
//
// Returns XS_STATUS_OK.
xs_status xs_verifier_on_warning(xs_verifier *verifier,
                                 xs_warning function,
                                 void *context);

// Sets `*violation` to the reason why the stream is refused. On failure, it is not changed.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_STATE if the stream is not refused.
xs_status xs_verifier_violation(xs_verifier *verifier, xs_violation *violation);

// Sets `*summary` to a summary of the stream so far, refused or not. On failure, it is not changed.
//
// Returns XS_STATUS_OK.
xs_status xs_verifier_summary(xs_verifier *verifier, xs_summary *summary);

// Writes which releases of Xen accept the stream, as far as it was read, such as "Xen 4.18.5+, 4.19.2+, 4.20.1+,
// 4.21+, XCP-ng 8.3". Like snprintf(), it writes at most `size` bytes, ends them with NUL, and truncates the rest.
// The text is meaningless for a refused stream.
//
// `buffer` may be null if `size` is 0.
//
// Returns the length of the whole text without its NUL, so the text was truncated if that is at least `size`; or
// an error below 0, and then nothing is written.
int xs_verifier_accepting_releases(xs_verifier *verifier,
                                   char *buffer,
                                   size_t size);

// Writes a violation as one line of text: the rule, the place, and a sentence. Like snprintf(), it writes at most
// `size` bytes, ends them with NUL, and truncates the rest.
//
// `buffer` may be null if `size` is 0.
//
// Returns the length of the whole line without its NUL, so the line was truncated if that is at least `size`; or
// an error below 0, and then nothing is written: XS_STATUS_ERROR_NULL, XS_STATUS_ERROR_ALIGNMENT, or
// XS_STATUS_ERROR_ARGUMENT if `violation` is not a violation.
int xs_violation_text(const xs_violation *violation,
                      char *buffer,
                      size_t size);

// Verifies the stream in a file, pipe or socket from its current offset, from which offsets in the report count.
// The offset of a regular file does not move, and its page contents are not read. From a pipe or socket, nothing
// after the end of the stream is consumed. A library with the feature `decompress` decompresses compressed images on
// the fly, and then reads the whole pipe; others judge them as they are, and they are in no known format. Waits for
// bytes even if the descriptor is non-blocking.
//
// `fd` stays open. `policy` may be null, for XS_PROFILE_HARDENED. `report` may be null. `*report` is written
// whatever is returned, except for null and misaligned pointers.
//
// Returns XS_STATUS_OK if the stream is valid and complete, XS_STATUS_INVALID if it is not, XS_STATUS_UNJUDGED if it
// cannot be judged;
// XS_STATUS_ERROR_INPUT or XS_STATUS_ERROR_DECOMPRESS if it cannot be read; XS_STATUS_ERROR_ARGUMENT if `fd` is
// negative or `format` is none; XS_STATUS_ERROR_UNINITIALISED if `policy` is none; XS_STATUS_ERROR_INTERNAL.
xs_status xs_verify_fd(int fd,
                       xs_format format,
                       const xs_policy *policy,
                       xs_report *report);

// Verifies a stream on its way from one descriptor to another, in constant memory. The reader of the output never
// receives the last byte of a record that breaks a rule, nor an END that closes an incomplete stream; it sees a
// stream that ends too early. If only a later record decides that a stream is invalid, as with some findings of
// XS_PROFILE_RESTORE and XS_PROFILE_SPEC but none of XS_PROFILE_HARDENED, the reader never receives the last byte
// of that record. Nothing after the end of the stream is consumed from the input.
//
// `input` and `output` stay open. After XS_STATUS_INVALID or XS_STATUS_UNJUDGED, close `output`, so that its
// reader sees the end. Both may be of any kind, blocking or not. SIGPIPE need not be ignored. `policy` and
// `report` are as for xs_verify_fd().
//
// Returns XS_STATUS_OK if the stream is valid and was passed on whole, XS_STATUS_INVALID if it is not,
// XS_STATUS_UNJUDGED if it cannot be judged;
// XS_STATUS_ERROR_INPUT if it cannot be read, XS_STATUS_ERROR_OUTPUT if it cannot be written,
// XS_STATUS_ERROR_CONSUMER_GONE if the reader of the output has gone; XS_STATUS_ERROR_ARGUMENT if a descriptor is
// negative or `format` is none; XS_STATUS_ERROR_UNINITIALISED if `policy` is none; XS_STATUS_ERROR_INTERNAL.
xs_status xs_relay_fd(int input,
                      int output,
                      xs_format format,
                      const xs_policy *policy,
                      xs_report *report);

// Returns the number of rules.
uint32_t xs_rule_count(void);

// Returns the name of a rule by number, from 0 to xs_rule_count() - 1, such as "libxc::padding"; null for any
// other number. Names stay the same in later versions; numbers may change.
const char *xs_rule_name(uint32_t number);

// Returns the name of a layer, such as "libxc"; null for an unknown number.
const char *xs_layer_name(int layer);

// Converts the stream in a file, pipe or socket to a new file of this name. The file appears when it is whole, and only
// if it verifies under the policy. With a null `path` nothing is written, and the changes are reported all the same.
//
// `fd` stays open. `policy`, `conversion` and `report` may be null. `report` describes the input; its `bytes_written`
// is the length of the output, and its `message` says what is in the way.
//
// Returns XS_STATUS_OK if the stream is converted, or would be, XS_STATUS_INVALID if not, XS_STATUS_UNJUDGED if the input
// cannot be judged; XS_STATUS_ERROR_OUTPUT if the file exists, is the input or cannot be written;
// XS_STATUS_ERROR_NAME if no loss has a name in `lossy`; otherwise what xs_verify_fd() returns.
xs_status xs_convert_fd(int fd,
                        const char *path,
                        xs_format format,
                        const xs_policy *policy,
                        const xs_conversion *conversion,
                        xs_report *report);

// Extracts the guest's memory from a file, pipe or socket to a new file of this name, as far as the image goes, be it
// valid or not. The file appears when it is whole.
//
// `first_pfn` and `last_pfn` bound the pages; 0 and UINT64_MAX stand for all. `checkpoint` counts from 1; 0 stands for
// the last complete one. `fd` stays open. `policy` and `report` may be null; `bytes_written` is the length of the output,
// 0 if no page was there.
//
// Returns what xs_verify_fd() returns for the image; XS_STATUS_ERROR_OUTPUT if the file exists, is the input or cannot
// be written; XS_STATUS_ERROR_INPUT if there is no such checkpoint; XS_STATUS_ERROR_ARGUMENT if the last pfn comes
// before the first, or `memory_format` is none; XS_STATUS_ERROR_NULL if `path` is null.
xs_status xs_extract_fd(int fd,
                        const char *path,
                        xs_memory_format memory_format,
                        uint64_t first_pfn,
                        uint64_t last_pfn,
                        uint64_t checkpoint,
                        const xs_policy *policy,
                        xs_report *report);

// Compares the streams in two files, pipes or sockets: configuration, registers, devices, memory by pfn, verdicts.
// Padding and the order of records do not count. If a stream has checkpoints, its last complete one is compared. A
// pipe, a socket or a compressed image is copied to an unnamed temporary file first.
//
// `*differences` is the number of differences, 0 if the streams are the same and after an error; each is passed to
// `on_difference`, which may be null. Kinds of records beyond the first 65,536 are not compared: they count as one
// more difference, whose place is `records`. `a` and `b` stay open. `policy` and `report` may be null. `report`
// describes the first stream, or the one that could not be read.
//
// Returns XS_STATUS_OK if the streams were compared, whatever their verdicts; XS_STATUS_ERROR_NULL if `differences` is
// null; otherwise the errors of xs_verify_fd().
xs_status xs_diff_fd(int a,
                     int b,
                     xs_format format,
                     const xs_policy *policy,
                     xs_on_difference on_difference,
                     void *context,
                     uint64_t *differences,
                     xs_report *report);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* XENSTREAM_H */
