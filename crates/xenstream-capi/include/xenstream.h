/* xenstream: verifies Xen's saved domains and migration streams.
 *
 * A verifier takes a stream in pieces of any size and says of each whether it may be parsed:
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
 * - It returns XS_STATUS_OK (0) or another number from 0 up where it did what it was asked, and a number below 0
 *   where the call was wrong or the system failed. What is written to on failure is said there.
 * - A pointer must not be null, must be aligned for its type, and must point to as many bytes as its type or the
 *   length beside it has, unless the text says otherwise. Null and misaligned pointers, and verifiers and policies
 *   that were never initialised, are recognised and refused.
 * - What it is given stays the caller's. Nothing is kept past the return of a function, except the verifier's own
 *   memory, and the function and context that xs_verifier_on_warning() was given. Nothing has to be freed.
 * - The strings that it returns are static: valid until the library is unloaded, and nobody's to free or change.
 * - Different verifiers can be used by different threads at once. One verifier or policy is used by one thread at a
 *   time.
 * - It does not end the program, and no exception leaves it. It allocates nothing, but for xs_verify_fd() and
 *   xs_relay_fd(): for those Rust's rule holds that a program ends when there is no memory left.
 */


#ifndef XENSTREAM_H
#define XENSTREAM_H

/* Made by cbindgen from the sources of xenstream-capi: cargo xtask docs */

#include <stddef.h>
#include <stdint.h>

// Number of the binary interface that this header describes. It changes when a program has to be compiled again, and
// is the number at the end of the shared library's name.
#define XS_ABI 1

// Bytes that are enough for a verifier, in every library with this XS_ABI; xs_verifier_size() says how many it takes.
#define XS_VERIFIER_SIZE 4096

// The alignment that a verifier's memory needs, in every library with this XS_ABI.
#define XS_VERIFIER_ALIGNMENT 16

// In xs_violation.has: it was found inside a record, and the fields record_layer, record_index and record_offset say
// in which.
#define XS_HAS_RECORD 1

// In xs_violation.has: the record's type is known, and the field record_type says which.
#define XS_HAS_RECORD_TYPE 2

// In xs_violation.has: not every release of Xen refuses it. xs_violation_text() names those that do not.
#define XS_HAS_RELEASES 4

// Bytes of xs_report.message.
#define XS_MESSAGE_SIZE 512

// What a function returns: below 0 the call was wrong or the system failed, and no verdict was reached by it.
typedef enum {
  // It is done. Of a stream: nothing is wrong with it so far, or with all of it where the function says so.
  XS_STATUS_OK = 0,
  // Nothing is wrong with the stream, and its last byte has been taken.
  XS_STATUS_ENDED = 1,
  // The stream is refused. That is final; xs_verifier_violation() tells why.
  XS_STATUS_INVALID = 2,
  // The stream cannot be judged from some byte on: it is a legacy image, or holds state of a vGPU. Nothing is wrong up
  // to there, but the rest must not be trusted. That is final; xs_verifier_violation() tells from which byte on and
  // why.
  XS_STATUS_UNJUDGED = 3,
  // A pointer is null.
  XS_STATUS_ERROR_NULL = -1,
  // A pointer is not aligned for what it points to.
  XS_STATUS_ERROR_ALIGNMENT = -2,
  // A size or length is wrong: too little memory for a verifier, more bytes than an object can have.
  XS_STATUS_ERROR_SIZE = -3,
  // The verifier or policy was not initialised, or is something else.
  XS_STATUS_ERROR_UNINITIALISED = -4,
  // The verifier is in use: by the call that is calling back just now, or by another thread.
  XS_STATUS_ERROR_BUSY = -5,
  // A number is none of those that the parameter can have, or a descriptor is negative.
  XS_STATUS_ERROR_ARGUMENT = -6,
  // No rule, layer or limit has this name.
  XS_STATUS_ERROR_NAME = -7,
  // The rule is structural: past it nothing can be framed, so it cannot be lowered.
  XS_STATUS_ERROR_STRUCTURAL = -8,
  // More bytes were to be skipped than can be.
  XS_STATUS_ERROR_SKIP = -9,
  // Not at this point: the stream has not ended yet, the verification is finished, nothing is wrong.
  XS_STATUS_ERROR_STATE = -10,
  // The input cannot be read.
  XS_STATUS_ERROR_INPUT = -11,
  // The input is compressed and cannot be decompressed.
  XS_STATUS_ERROR_DECOMPRESS = -12,
  // The output cannot be written.
  XS_STATUS_ERROR_OUTPUT = -13,
  // Nobody reads the output any more.
  XS_STATUS_ERROR_CONSUMER_GONE = -14,
  // The library is at fault, and has left nothing half done.
  XS_STATUS_ERROR_INTERNAL = -15,
} xs_status;

// Verifies one stream, in memory that the caller provides. To be done with it is to use it no more: nothing has to be
// freed. It may be moved or copied as it is, with memcpy() and to memory that is as large and aligned, while no
// function is using it.
//
// It checks every rule that the bytes of a stream decide as they come. The rules on the contents of a configuration or
// of xenopsd's metadata (xl::config-json, xl::config-depth, xl::config-values, xl::config-number, xl::type-mismatch,
// xl::memory-mismatch, xl::viridian-mismatch, xl::emulator-mismatch, libvirt::xml-syntax, xenopsd::metadata) and those
// that look up the type of a page once all have come (pv::start-info-type, pv::store-range, pv::console-range,
// pv::gdt-type, pv::cr3-type, pv::cr1-type, pv::p2m-type) are checked by xs_verify_fd() and xs_relay_fd() alone.
typedef struct xs_verifier xs_verifier;

// How strict to be. It is the caller's, anywhere, and may be copied and thrown away; only the functions below know
// what is in it.
typedef struct {
  uint64_t opaque[64];
} xs_policy;

// A set of levels and limits with a purpose.
typedef int xs_profile;

// What happens when a rule is broken.
typedef int xs_level;

// What kind of stream the caller knows it to be. libxl tells its helper as STREAM_TYPE.
typedef int xs_checkpointing;

// The format of a stream.
typedef int xs_format;

// What a stream goes on with.
typedef struct {
  // Further bytes that surely belong to the stream. Who must not read past its end reads no more than that. At
  // least 1 while it goes on, 0 once it has ended or was refused.
  uint64_t certain;
  // Of these, the next bytes that no rule will look at, such as the contents of pages. They may be passed over with
  // xs_verifier_skip() instead of being pushed.
  uint64_t skippable;
} xs_need;

// A layer of the format; xs_layer_name() has its name.
typedef int xs_layer;

// One broken rule. Fields that it does not have are 0 or null.
typedef struct {
  // The rule's name, such as "libxc::padding". Static, never null.
  const char *rule;
  // Which of XS_HAS_RECORD, XS_HAS_RECORD_TYPE and XS_HAS_RELEASES apply. Other bits are the library's.
  uint32_t has;
  // The rule's number in this version of the library, see xs_rule_name().
  uint32_t rule_number;
  // Offset in bytes from the start of the stream.
  uint64_t offset;
  // What the rule asks for: a value, a bound or a limit; 0 where that makes no sense.
  uint64_t expected;
  // What was there.
  uint64_t found;
  // The layer of the rule.
  xs_layer layer;
  // The layer whose record it is.
  xs_layer record_layer;
  // The record's number in its layer, from 0.
  uint64_t record_index;
  // The number of the record's type.
  uint64_t record_type;
  // Offset of the record's first byte.
  uint64_t record_offset;
  // The name of the record's type, such as "PAGE_DATA". Static, null where it has none.
  const char *record_type_name;
} xs_violation;

// Is told of a broken rule at level warn, from within the function that meets it. `context` is what
// xs_verifier_on_warning() was given. `warning` is the library's and lives until the call returns, which it must:
// by return, and not by longjmp() or an exception. On the verifier that calls, no function does anything but return
// XS_STATUS_ERROR_BUSY.
typedef void (*xs_warning)(void *context, const xs_violation *warning);

// The kind of a guest.
typedef int xs_guest;

// What a stream held, as far as it was read. What is not known yet is 0.
typedef struct {
  // The format, XS_FORMAT_AUTO as long as it is not known.
  xs_format format;
  // The kind of guest.
  xs_guest guest;
  // Version of the Xen that wrote the libxc stream: its first number.
  uint32_t xen_major;
  // Its second number.
  uint32_t xen_minor;
  // Version of the libxc stream.
  uint32_t libxc_version;
  // Width of a PV guest in bytes, 4 or 8; 0 for others.
  uint32_t guest_width;
  // Bytes of the stream that were pushed or skipped.
  uint64_t bytes;
  // Records of libxl and libxc.
  uint64_t records;
  // Pages with contents; one that was sent twice counts twice.
  uint64_t pages;
  // Complete checkpoints.
  uint64_t checkpoints;
} xs_summary;

// What came of a stream that was read from a descriptor.
typedef struct {
  // With XS_STATUS_INVALID what is wrong, with XS_STATUS_UNJUDGED what cannot be judged; otherwise xs_violation.rule is
  // null and the rest 0.
  xs_violation violation;
  // What the stream held, unless an error is returned.
  xs_summary summary;
  // Bytes that were read from the input; those that were passed over unread are not among them.
  uint64_t bytes_read;
  // Bytes that were written to the output, whatever is returned.
  uint64_t bytes_written;
  // With an error that the system told: its errno. Otherwise 0.
  int os_error;
  // With XS_STATUS_OK, how many rules could not be checked: those on a PV guest's start info, GDT and p2m take a
  // second walk, which a pipe, a socket or a compressed image does not allow. `message` names them.
  uint32_t unchecked;
  // What is wrong with the stream, what failed, or what was not checked: one line, cut off if it is too long;
  // otherwise empty.
  char message[XS_MESSAGE_SIZE];
} xs_report;

// It is told by the magic at the stream's start.
#define XS_FORMAT_AUTO 0

// What `xl save` writes.
#define XS_FORMAT_XL 1

// What libvirt's driver for libxl writes.
#define XS_FORMAT_LIBVIRT 2

// A suspend image of xenopsd.
#define XS_FORMAT_XENOPSD 3

// A libxl stream.
#define XS_FORMAT_LIBXL 4

// A bare libxc stream, as a restore helper gets it.
#define XS_FORMAT_LIBXC 5

// The written specification.
#define XS_PROFILE_SPEC 0

// What the restore code of a released Xen takes.
#define XS_PROFILE_RESTORE 1

// A gate in front of restore code, for images from people you do not trust.
#define XS_PROFILE_HARDENED 2

// Nothing.
#define XS_LEVEL_ALLOW 0

// The warning is reported, and the stream goes on.
#define XS_LEVEL_WARN 1

// The stream is refused.
#define XS_LEVEL_DENY 2

// It is not known: inside libxl it is told by the stream, a bare libxc stream is taken for a plain one.
#define XS_CHECKPOINTING_AUTO 0

// No checkpoints.
#define XS_CHECKPOINTING_PLAIN 1

// Remus.
#define XS_CHECKPOINTING_REMUS 2

// COLO.
#define XS_CHECKPOINTING_COLO 3

// It is not known yet.
#define XS_GUEST_UNKNOWN 0

// Paravirtualised.
#define XS_GUEST_PV 1

// Hardware-virtualised, PVH included.
#define XS_GUEST_HVM 2

// The bytes themselves.
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

// The chain inside HVM_CONTEXT.
#define XS_LAYER_HVM 6

// Page tables and registers of a PV guest.
#define XS_LAYER_PV 7

// The state of the device model.
#define XS_LAYER_QEMU 8

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The library's version, such as "0.1.0".
const char *xs_version(void);

// The library's XS_ABI. A program that loads the library by itself compares it with the header's, and uses nothing
// else if they differ.
uint32_t xs_abi(void);

// A sentence in English for a status, such as "a pointer is null"; for a number that is none, one that says so.
// Never null.
const char *xs_status_text(int status);

// Makes `policy` the policy of a profile.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_ARGUMENT if `profile` is none.
xs_status xs_policy_init(xs_policy *policy, xs_profile profile);

// Sets the level of a rule by name ("libxc::padding"), or of every rule of a layer ("libxl::*"). With a layer,
// structural rules stay as they are.
//
// Returns XS_STATUS_OK; XS_STATUS_ERROR_NAME if no rule or layer has this name; XS_STATUS_ERROR_STRUCTURAL if it is
// a structural rule, which cannot be lowered; XS_STATUS_ERROR_ARGUMENT if `level` is none. On failure the policy stays
// as it was.
xs_status xs_policy_set_level(xs_policy *policy,
                              const char *rule,
                              xs_level level);

// Sets a limit by name: "libxl-record", "libxc-record", "optional-data", "xml", "emulator-context", "xenopsd-blob",
// "checkpoint-size" and "xenstore-bytes" are bytes, "hvm-pfn" and "p2m-pfn" the first page frame number that a guest
// may not have, "vcpus" the first vcpu id, "config-number" the first number that an array of a configuration may not
// hold, "config-depth" the levels of nesting in one; "records", "checkpoints", "p2m-holes" (frames of a p2m that are
// the same as the one before), "xenstore-pairs" and "config-values" are numbers of those. UINT64_MAX sets no limit.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_NAME if no limit has this name.
xs_status xs_policy_set_limit(xs_policy *policy,
                              const char *limit,
                              uint64_t value);

// Says what kind of stream it is.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_ARGUMENT if `checkpointing` is none.
xs_status xs_policy_set_checkpointing(xs_policy *policy, xs_checkpointing checkpointing);

// Names the release of Xen that the stream is to be restored on, such as "4.17.5", "4.20", which stands for the newest
// known release of that branch, or "xcp-ng-8.3". What this release does not take is refused. Null stands for any
// release, as at the start: then what no release takes is refused.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_NAME if no known release has this name. On failure the policy stays as it
// was.
xs_status xs_policy_set_target(xs_policy *policy,
                               const char *release);

// Bytes that a verifier takes, at most XS_VERIFIER_SIZE.
size_t xs_verifier_size(void);

// The alignment that a verifier's memory needs, a power of two that divides XS_VERIFIER_ALIGNMENT. What malloc()
// returns has it.
size_t xs_verifier_alignment(void);

// Makes a verifier at the start of a stream.
//
// `memory` is where it lives: `size` bytes, at least xs_verifier_size(), aligned to xs_verifier_alignment(), used by
// nothing else for as long as the verifier is in use. What was in it is lost. `policy` may be null, which stands for
// XS_PROFILE_HARDENED; it is copied. `*verifier` becomes the verifier, which lies at `memory`, or null on failure.
//
// Returns XS_STATUS_OK; XS_STATUS_ERROR_SIZE if the memory is too small; XS_STATUS_ERROR_ALIGNMENT if it is not
// aligned; XS_STATUS_ERROR_ARGUMENT if `format` is none; XS_STATUS_ERROR_UNINITIALISED if `policy` is none.
xs_status xs_verifier_init(void *memory,
                           size_t size,
                           xs_format format,
                           const xs_policy *policy,
                           xs_verifier **verifier);

// Judges the next `length` bytes of the stream. Any split of a stream gets the same verdict. What was accepted may be
// parsed up to the end of the last whole record in it: a record of which bytes are still to come can yet be refused.
//
// `bytes` may be null if `length` is 0, and must not overlap the verifier. `consumed` may be null; `*consumed` becomes
// how many bytes belong to the stream: all of them with XS_STATUS_OK, those up to its end with XS_STATUS_ENDED, and 0
// otherwise.
//
// Returns XS_STATUS_OK; XS_STATUS_ENDED if the stream's last byte is among them or was taken before;
// XS_STATUS_INVALID or XS_STATUS_UNJUDGED if the stream is refused or was before; XS_STATUS_ERROR_SIZE if no object can be as long
// as `length`; XS_STATUS_ERROR_STATE after xs_verifier_finish(). With an error nothing was judged.
xs_status xs_verifier_push(xs_verifier *verifier,
                           const void *bytes,
                           size_t length,
                           size_t *consumed);

// Passes over bytes as if they had been pushed: at most xs_need.skippable.
//
// Returns XS_STATUS_OK; XS_STATUS_ENDED if the stream's last byte is among them; XS_STATUS_INVALID or
// XS_STATUS_UNJUDGED if the stream is refused; XS_STATUS_ERROR_SKIP if that is more than can be skipped, XS_STATUS_ERROR_STATE after
// xs_verifier_finish(), and then nothing was skipped.
xs_status xs_verifier_skip(xs_verifier *verifier,
                           uint64_t bytes);

// Tells what the stream goes on with. `*need` becomes that, and zeros unless XS_STATUS_OK is returned.
//
// Returns XS_STATUS_OK while it goes on, XS_STATUS_ENDED if it has ended, XS_STATUS_INVALID or
// XS_STATUS_UNJUDGED if it is refused.
xs_status xs_verifier_need(xs_verifier *verifier,
                           xs_need *need);

// Says that the input has ended. Nothing can be pushed afterwards; asked again, it returns the same.
//
// Returns XS_STATUS_OK if the stream is valid and complete, XS_STATUS_INVALID if it is not, XS_STATUS_UNJUDGED if it
// cannot be judged.
xs_status xs_verifier_finish(xs_verifier *verifier);

// Says that the input goes on after the stream's end, where it should not: in a file. On a pipe or socket what follows
// is the caller's business, and this is not called. At most once for a stream.
//
// `bytes` are what follows, or the first `length` bytes of it. They tell zeros, which do no harm, from another image and
// from anything else: zeros are taken for zeros to the end, so of a long tail give what was found after them, if
// anything was. `bytes` may be null if `length` is 0: then something follows of which nothing is known.
//
// Returns XS_STATUS_OK; XS_STATUS_INVALID if the policy refuses that; what refused the stream before, if that did;
// XS_STATUS_ERROR_SIZE if no object can be as long as `length`; XS_STATUS_ERROR_STATE if the stream has not ended.
xs_status xs_verifier_trailing_data(xs_verifier *verifier,
                                    const void *bytes,
                                    size_t length);

// Changes a limit for what is still to come, such as "hvm-pfn" once the guest's memory is known. See
// xs_policy_set_limit() for the names.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_NAME if no limit has this name.
xs_status xs_verifier_set_limit(xs_verifier *verifier,
                                const char *limit,
                                uint64_t value);

// Has `function` told of broken rules at level warn, in the order of the stream. It may be null, and then nobody is
// told, as at first. `context` is handed to it, may be anything, and null too.
//
// Returns XS_STATUS_OK.
xs_status xs_verifier_on_warning(xs_verifier *verifier,
                                 xs_warning function,
                                 void *context);

// Tells why the stream is refused. `*violation` becomes that, and stays as it was on failure.
//
// Returns XS_STATUS_OK, or XS_STATUS_ERROR_STATE if the stream is not refused.
xs_status xs_verifier_violation(xs_verifier *verifier, xs_violation *violation);

// Tells what the stream held so far, be it refused or not. `*summary` becomes that, and stays as it was on failure.
//
// Returns XS_STATUS_OK.
xs_status xs_verifier_summary(xs_verifier *verifier,
                              xs_summary *summary);

// Writes which releases of Xen take the stream, as far as it was read and as far as it tells, such as "Xen 4.18.5+,
// 4.19.2+, 4.20.1+, 4.21+, XCP-ng 8.3". As snprintf() does: at most `size` bytes are written, the last of them always
// NUL, and what does not fit is cut off. Of a stream that was refused it says nothing useful.
//
// `buffer` may be null if `size` is 0.
//
// Returns how many bytes the whole text has without its NUL, so it was cut off if that is `size` or more; or an error
// below 0, and then nothing is written.
int xs_verifier_takers(xs_verifier *verifier,
                       char *buffer,
                       size_t size);

// Writes a violation as one line for an operator: the rule, the place, and a sentence. As snprintf() does: at most
// `size` bytes are written, the last of them always NUL, and what does not fit is cut off.
//
// `buffer` may be null if `size` is 0.
//
// Returns how many bytes the whole line has without its NUL, so it was cut off if that is `size` or more; or an
// error below 0: XS_STATUS_ERROR_NULL, XS_STATUS_ERROR_ALIGNMENT, or XS_STATUS_ERROR_ARGUMENT if `violation` is none,
// and then nothing is written.
int xs_violation_text(const xs_violation *violation,
                      char *buffer,
                      size_t size);

// Verifies the stream in a file, pipe or socket, from its current offset on; offsets in the report count from there.
// The offset of a regular file stays where it is, and of its guest's memory nothing is read. From a pipe or socket the
// stream's own bytes are taken, and none after them. Compressed images are decompressed on the fly; of those the
// whole pipe is read. Waits for bytes even if the descriptor is non-blocking.
//
// `fd` stays open. `policy` may be null, which stands for XS_PROFILE_HARDENED. `report` may be null; `*report` is
// written whatever is returned, but for null and misaligned pointers.
//
// Returns XS_STATUS_OK if the stream is valid and complete, XS_STATUS_INVALID if it is not, XS_STATUS_UNJUDGED if it
// cannot be judged;
// XS_STATUS_ERROR_INPUT or XS_STATUS_ERROR_DECOMPRESS if it cannot be read; XS_STATUS_ERROR_ARGUMENT if `fd` is
// negative or `format` is none; XS_STATUS_ERROR_UNINITIALISED if `policy` is none; XS_STATUS_ERROR_INTERNAL.
xs_status xs_verify_fd(int fd,
                       xs_format format,
                       const xs_policy *policy,
                       xs_report *report);

// Verifies a stream on its way from one descriptor to another, in constant memory. A reader of the output never gets
// the last byte of a record that broke a rule, nor an END that closes an incomplete stream, nor the END or CHECKPOINT
// that shows under `restore` that the state of a PV vcpu is wrong: they see a stream that ends too early. Nothing after the stream's end is taken from the input.
//
// `input` and `output` stay open; after XS_STATUS_INVALID or XS_STATUS_UNJUDGED close `output`, so that its reader learns of the end. Both
// may be of any kind, blocking or not. SIGPIPE need not be ignored. `policy` and `report` are as for xs_verify_fd().
//
// Returns XS_STATUS_OK if the stream is valid and was passed on whole, XS_STATUS_INVALID if it is not,
// XS_STATUS_UNJUDGED if it cannot be judged;
// XS_STATUS_ERROR_INPUT if it cannot be read, XS_STATUS_ERROR_OUTPUT if it cannot be written,
// XS_STATUS_ERROR_CONSUMER_GONE if nobody reads the output any more; XS_STATUS_ERROR_ARGUMENT if a descriptor is
// negative or `format` is none; XS_STATUS_ERROR_UNINITIALISED if `policy` is none; XS_STATUS_ERROR_INTERNAL.
xs_status xs_relay_fd(int input,
                      int output,
                      xs_format format,
                      const xs_policy *policy,
                      xs_report *report);

// How many rules there are.
uint32_t xs_rule_count(void);

// The name of a rule by number, from 0 to below xs_rule_count(), such as "libxc::padding"; null for another number.
// Names stay the same from version to version, numbers do not.
const char *xs_rule_name(uint32_t number);

// The name of a layer, such as "libxc"; null for a number that is none.
const char *xs_layer_name(int layer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* XENSTREAM_H */
