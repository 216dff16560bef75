//! The verifier in the caller's memory.

use core::ffi::{c_char, c_int, c_void};
use core::fmt::Write;

use xenstream_core::{Follows, Limit, Observer, Verifier, Violation};

use crate::choice::{self, xs_format};
use crate::pointer::{self, Output, aligned};
use crate::policy::{self, xs_policy};
use crate::status::{refusal, status_of, xs_status};
use crate::summary::xs_summary;
use crate::violation::{Line, xs_violation};

/// Number of bytes that are enough for a verifier in every library with this XS_ABI. xs_verifier_size() returns the
/// exact size.
pub const XS_VERIFIER_SIZE: usize = 4096;
/// The alignment that a verifier's memory needs, in every library with this XS_ABI.
pub const XS_VERIFIER_ALIGNMENT: usize = 16;

/// Verifies one stream, in memory that the caller provides. When you are done with it, just stop using it: nothing
/// needs to be freed. While no function is using it, it may be moved or copied with memcpy(), to memory of the same
/// size and alignment.
///
/// It checks every rule that the bytes of a stream decide as they come. The rules on the contents of a configuration or
/// of xenopsd's metadata (xl::config-json, xl::config-depth, xl::config-values, xl::config-number, xl::type-mismatch,
/// xl::memory-mismatch, xl::viridian-mismatch, xl::emulator-mismatch, libvirt::xml-syntax, xenopsd::metadata) and those
/// that look up the type of a page once all have come (pv::start-info-type, pv::store-range, pv::console-range,
/// pv::gdt-type, pv::cr3-type, pv::cr1-type, pv::p2m-type) are checked by xs_verify_fd() and xs_relay_fd() alone.
/// No function of this library checks the rules host::*.
pub struct xs_verifier {
    /// Lies apart from the rest, for it is read while the rest is in use.
    magic: u64,
    state: State,
}

struct State {
    warnings: Warnings,
    violation: Option<Violation>,
    finished: bool,
    verifier: Verifier,
}

const READY: u64 = u64::from_le_bytes(*b"xs-ready");
const BUSY: u64 = u64::from_le_bytes(*b"xs-busy.");

const _: () = assert!(size_of::<xs_verifier>() <= XS_VERIFIER_SIZE);
const _: () = assert!(align_of::<xs_verifier>() <= XS_VERIFIER_ALIGNMENT);

/// What is known about the next bytes of a stream.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct xs_need {
    /// Number of further bytes that are certain to belong to the stream. A caller that must not read past the end of
    /// the stream reads at most this many. At least 1 until the stream ends or is refused, then 0.
    pub certain: u64,
    /// Number of these bytes, from the next one on, that no rule needs, such as page contents. xs_verifier_skip() may
    /// skip them.
    pub skippable: u64,
}

/// Called for each violation of a rule at level warn, from within the function that finds it. `context` is the one
/// that was passed to xs_verifier_on_warning(). `warning` belongs to the library and is valid until the callback
/// returns. The callback must return normally, not by longjmp() or an exception. During the callback, every
/// function returns XS_STATUS_ERROR_BUSY for this verifier.
pub type xs_warning = Option<unsafe extern "C" fn(context: *mut c_void, warning: *const xs_violation)>;

/// Returns the size of a verifier in bytes, at most XS_VERIFIER_SIZE.
#[unsafe(no_mangle)]
pub extern "C" fn xs_verifier_size() -> usize {
    size_of::<xs_verifier>()
}

/// Returns the alignment that a verifier's memory needs, a power of two that divides XS_VERIFIER_ALIGNMENT. Memory
/// from malloc() has it.
#[unsafe(no_mangle)]
pub extern "C" fn xs_verifier_alignment() -> usize {
    align_of::<xs_verifier>()
}

/// Initialises a verifier for a stream.
///
/// `memory` is the verifier's memory: `size` bytes, at least xs_verifier_size(), aligned to
/// xs_verifier_alignment(), and used by nothing else while the verifier is in use. Its contents are overwritten.
/// `policy` is copied, and may be null for XS_PROFILE_HARDENED. `*verifier` is set to the verifier, which is at
/// `memory`, or to null on failure.
///
/// Returns XS_STATUS_OK; XS_STATUS_ERROR_SIZE if the memory is too small; XS_STATUS_ERROR_ALIGNMENT if it is not
/// aligned; XS_STATUS_ERROR_ARGUMENT if `format` is not a format; XS_STATUS_ERROR_UNINITIALISED if `policy` was not
/// initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_init(
    memory: *mut c_void,
    size: usize,
    format: xs_format,
    policy: *const xs_policy,
    verifier: *mut *mut xs_verifier,
) -> xs_status {
    status_of((|| {
        let output = Output::new(verifier)?;
        // SAFETY: the caller promises what the header asks of a result.
        unsafe { output.write(core::ptr::null_mut()) };
        let place = memory.cast::<xs_verifier>();
        aligned(place)?;
        if size < xs_verifier_size() {
            return Err(xs_status::ErrorSize);
        }
        // SAFETY: the caller promises what the header asks of a policy.
        let policy = unsafe { policy::given(policy) }?;
        let state = State {
            warnings: Warnings { function: None, context: core::ptr::null_mut() },
            violation: None,
            finished: false,
            verifier: Verifier::new(choice::format(format)?, &policy),
        };
        // SAFETY: not null, aligned, and large enough; nothing else uses it, as the caller promises.
        unsafe { place.write(xs_verifier { magic: READY, state }) };
        // SAFETY: as above.
        unsafe { output.write(place) };
        Ok(xs_status::Ok)
    })())
}

/// Judges the next `length` bytes of the stream. The verdict does not depend on how the stream is split. Accepted
/// bytes may be parsed up to the end of the last complete record; an incomplete record may still be refused.
///
/// `bytes` may be null if `length` is 0, and must not overlap the verifier. `consumed` may be null. `*consumed` is
/// set to the number of bytes that belong to the stream: all of them with XS_STATUS_OK, those up to its end with
/// XS_STATUS_ENDED, and 0 otherwise.
///
/// Returns XS_STATUS_OK; XS_STATUS_ENDED if the last byte of the stream is among them or came before;
/// XS_STATUS_INVALID or XS_STATUS_UNJUDGED if the stream is refused, now or before; XS_STATUS_ERROR_SIZE if no
/// object can be as long as `length`; XS_STATUS_ERROR_STATE after xs_verifier_finish(). With an error, nothing is
/// judged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_push(
    verifier: *mut xs_verifier,
    bytes: *const c_void,
    length: usize,
    consumed: *mut usize,
) -> xs_status {
    status_of((|| {
        let output = Output::optional(consumed)?;
        let answer = (|| {
            // SAFETY: the caller promises what the header asks of a verifier and of bytes.
            let (mut opened, bytes) = unsafe { (open(verifier)?, pointer::bytes(bytes, length)?) };
            opened.state().push(bytes)
        })();
        if let Some(output) = output {
            // SAFETY: the caller promises what the header asks of a result.
            unsafe { output.write(answer.map_or(0, |(_, consumed)| consumed)) };
        }
        answer.map(|(status, _)| status)
    })())
}

/// Skips bytes as if they had been pushed, at most xs_need.skippable.
///
/// Returns XS_STATUS_OK; XS_STATUS_ENDED if the stream's last byte is among them; XS_STATUS_INVALID or
/// XS_STATUS_UNJUDGED if the stream is refused; XS_STATUS_ERROR_SKIP if that is more than can be skipped, XS_STATUS_ERROR_STATE after
/// xs_verifier_finish(), and then nothing was skipped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_skip(verifier: *mut xs_verifier, bytes: u64) -> xs_status {
    // SAFETY: the caller promises what the header asks of a verifier.
    let opened = unsafe { open(verifier) };
    status_of((|| opened?.state().skip(bytes))())
}

/// Sets `*need` to what is known about the next bytes of the stream, or to zeros unless XS_STATUS_OK is returned.
///
/// Returns XS_STATUS_OK if the stream continues, XS_STATUS_ENDED if it has ended, XS_STATUS_INVALID or
/// XS_STATUS_UNJUDGED if it is refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_need(verifier: *mut xs_verifier, need: *mut xs_need) -> xs_status {
    status_of((|| {
        let output = Output::new(need)?;
        // SAFETY: the caller promises what the header asks of a verifier.
        let answer = unsafe { open(verifier) }.map(|mut opened| opened.state().need());
        // SAFETY: the caller promises what the header asks of a result.
        unsafe { output.write(answer.map_or_else(|_| xs_need::default(), |(_, need)| need)) };
        answer.map(|(status, _)| status)
    })())
}

/// Ends the input. Nothing can be pushed afterwards. A second call returns the same status.
///
/// Returns XS_STATUS_OK if the stream is valid and complete, XS_STATUS_INVALID if it is not, XS_STATUS_UNJUDGED if it
/// cannot be judged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_finish(verifier: *mut xs_verifier) -> xs_status {
    // SAFETY: the caller promises what the header asks of a verifier.
    let opened = unsafe { open(verifier) };
    status_of((|| Ok(opened?.state().finish()))())
}

/// Reports bytes after the end of the stream, in a file where there should be none. Do not call it for a pipe or
/// socket, where the following bytes belong to the caller. Call it at most once per stream.
///
/// `bytes` are the bytes that follow, or the first `length` of them. They distinguish harmless zeros from another
/// image and from anything else. If all of them are zeros, the rest is assumed to be zeros too, so pass the bytes
/// after a long run of zeros, if there are any. `bytes` may be null if `length` is 0, for unknown bytes.
///
/// Returns XS_STATUS_OK; XS_STATUS_INVALID if the policy refuses them; the earlier status, if the stream was
/// refused before; XS_STATUS_ERROR_SIZE if no object can be as long as `length`; XS_STATUS_ERROR_STATE if the
/// stream has not ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_trailing_data(
    verifier: *mut xs_verifier,
    bytes: *const c_void,
    length: usize,
) -> xs_status {
    status_of((|| {
        // SAFETY: the caller promises what the header asks of a verifier and of bytes.
        let (mut opened, bytes) = unsafe { (open(verifier)?, pointer::bytes(bytes, length)?) };
        opened.state().trailing_data(bytes)
    })())
}

/// Changes a limit for the rest of the stream, such as "hvm-pfn" once the size of the guest's memory is known. See
/// xs_policy_set_limit() for the names.
///
/// Returns XS_STATUS_OK, or XS_STATUS_ERROR_NAME if no limit has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_set_limit(
    verifier: *mut xs_verifier,
    limit: *const c_char,
    value: u64,
) -> xs_status {
    // SAFETY: the caller promises what the header asks of a verifier and of a string.
    let (opened, limit) = unsafe { (open(verifier), pointer::name(limit)) };
    status_of((|| {
        let limit: Limit = limit?.parse().map_err(|_| xs_status::ErrorName)?;
        opened?.state().verifier.set_limit(limit, value);
        Ok(xs_status::Ok)
    })())
}

/// Sets the function to call for each violation at level warn, in stream order. Null, the default, means none.
/// `context` is passed to it, and may be anything, even null.
///
/// Returns XS_STATUS_OK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_on_warning(
    verifier: *mut xs_verifier,
    function: xs_warning,
    context: *mut c_void,
) -> xs_status {
    // SAFETY: the caller promises what the header asks of a verifier.
    let opened = unsafe { open(verifier) };
    status_of((|| {
        opened?.state().warnings = Warnings { function, context };
        Ok(xs_status::Ok)
    })())
}

/// Sets `*violation` to the reason why the stream is refused. On failure, it is not changed.
///
/// Returns XS_STATUS_OK, or XS_STATUS_ERROR_STATE if the stream is not refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_violation(
    verifier: *mut xs_verifier,
    violation: *mut xs_violation,
) -> xs_status {
    status_of((|| {
        let output = Output::new(violation)?;
        // SAFETY: the caller promises what the header asks of a verifier.
        let violation = unsafe { open(verifier) }?.state().violation.ok_or(xs_status::ErrorState)?;
        // SAFETY: the caller promises what the header asks of a result.
        unsafe { output.write(xs_violation::new(&violation)) };
        Ok(xs_status::Ok)
    })())
}

/// Sets `*summary` to a summary of the stream so far, refused or not. On failure, it is not changed.
///
/// Returns XS_STATUS_OK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_summary(
    verifier: *mut xs_verifier,
    summary: *mut xs_summary,
) -> xs_status {
    status_of((|| {
        let output = Output::new(summary)?;
        // SAFETY: the caller promises what the header asks of a verifier.
        let mut opened = unsafe { open(verifier) }?;
        let verifier = &opened.state().verifier;
        // SAFETY: the caller promises what the header asks of a result.
        unsafe { output.write(xs_summary::new(verifier.summary(), verifier.position())) };
        Ok(xs_status::Ok)
    })())
}

/// Writes which releases of Xen accept the stream, as far as it was read, such as "Xen 4.18.5+, 4.19.2+, 4.20.1+,
/// 4.21+, XCP-ng 8.3". Like snprintf(), it writes at most `size` bytes, ends them with NUL, and truncates the rest.
/// The text is meaningless for a refused stream.
///
/// `buffer` may be null if `size` is 0.
///
/// Returns the length of the whole text without its NUL, so the text was truncated if that is at least `size`; or
/// an error below 0, and then nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_accepting_releases(
    verifier: *mut xs_verifier,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    let written = || -> Result<c_int, xs_status> {
        // SAFETY: the caller promises what the header asks of a verifier.
        let mut opened = unsafe { open(verifier) }?;
        if buffer.is_null() && size > 0 {
            return Err(xs_status::ErrorNull);
        }
        let releases = opened.state().verifier.summary().releases.accepted_by();
        // SAFETY: the caller's buffer has `size` bytes.
        let mut line = unsafe { Line::new(buffer, size) };
        // A line takes everything that it is given.
        let _ = write!(line, "{releases}");
        Ok(line.length())
    };
    written().unwrap_or_else(|error| error as c_int)
}

impl State {
    fn push(&mut self, bytes: &[u8]) -> Result<(xs_status, usize), xs_status> {
        if let Some(violation) = &self.violation {
            return Ok((refusal(violation), 0));
        }
        if self.finished {
            return Err(xs_status::ErrorState);
        }
        match self.verifier.push(bytes, &mut self.warnings) {
            Ok(progress) if progress.ended => Ok((xs_status::Ended, progress.consumed)),
            Ok(progress) => Ok((xs_status::Ok, progress.consumed)),
            Err(violation) => Ok((self.refuse(violation), 0)),
        }
    }

    fn skip(&mut self, bytes: u64) -> Result<xs_status, xs_status> {
        if let Some(violation) = &self.violation {
            return Ok(refusal(violation));
        }
        if self.finished {
            return Err(xs_status::ErrorState);
        }
        self.verifier.skip(bytes).map_err(|_| xs_status::ErrorSkip)?;
        // What comes next may be decided by no byte at all.
        self.push(&[]).map(|(status, _)| status)
    }

    fn need(&self) -> (xs_status, xs_need) {
        if let Some(violation) = &self.violation {
            (refusal(violation), xs_need::default())
        } else if self.finished || self.verifier.is_ended() {
            (xs_status::Ended, xs_need::default())
        } else {
            let need = self.verifier.need();
            (xs_status::Ok, xs_need { certain: need.certain, skippable: need.skippable })
        }
    }

    fn finish(&mut self) -> xs_status {
        if self.violation.is_none()
            && !self.finished
            && let Err(violation) = self.verifier.finish(&mut self.warnings)
        {
            self.violation = Some(violation);
        }
        self.finished = true;
        self.violation.as_ref().map_or(xs_status::Ok, refusal)
    }

    fn trailing_data(&mut self, bytes: &[u8]) -> Result<xs_status, xs_status> {
        if let Some(violation) = &self.violation {
            return Ok(refusal(violation));
        }
        if !self.verifier.is_ended() {
            return Err(xs_status::ErrorState);
        }
        let follows = if bytes.is_empty() { Follows::Data } else { Follows::of(bytes) };
        Ok(match self.verifier.trailing_data(follows, &mut self.warnings) {
            Ok(()) => xs_status::Ok,
            Err(violation) => self.refuse(violation),
        })
    }

    fn refuse(&mut self, violation: Violation) -> xs_status {
        self.violation = Some(violation);
        refusal(&violation)
    }
}

/// The function that is called for warnings.
struct Warnings {
    function: xs_warning,
    context: *mut c_void,
}

impl Observer for Warnings {
    fn on_warning(&mut self, warning: &Violation) {
        if let Some(function) = self.function {
            let warning = xs_violation::new(warning);
            // SAFETY: the caller gave us a function of this type, and promised that it can be called until it is
            // replaced or the verifier is no longer used.
            unsafe { function(self.context, &raw const warning) };
        }
    }
}

/// A verifier in use. The magic word says so until this is dropped.
struct Opened(*mut xs_verifier);

impl Opened {
    fn state(&mut self) -> &mut State {
        // SAFETY: `open` saw that the verifier was initialised and free, and marked it as busy; a caller that comes upon it
        // now reads the magic word, which is no part of the state, and turns away.
        unsafe { &mut (*self.0).state }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: as in `state`.
        unsafe { (&raw mut (*self.0).magic).write(READY) };
    }
}

/// The verifier in the caller's memory, marked as busy.
///
/// # Safety
/// The pointer is null or misaligned, or as many bytes as a verifier has are there that no other thread uses.
unsafe fn open(verifier: *mut xs_verifier) -> Result<Opened, xs_status> {
    aligned(verifier)?;
    // SAFETY: not null and aligned, and any number can be a magic word.
    let magic = unsafe { &raw mut (*verifier).magic };
    // SAFETY: as above.
    match unsafe { magic.read() } {
        READY => {
            // SAFETY: as above.
            unsafe { magic.write(BUSY) };
            Ok(Opened(verifier))
        }
        BUSY => Err(xs_status::ErrorBusy),
        _ => Err(xs_status::ErrorUninitialised),
    }
}
