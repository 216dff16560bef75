//! The verifier in the caller's memory.

use core::ffi::{c_char, c_int, c_void};
use core::fmt::Write;

use xenstream_core::{Follows, Limit, Observer, Verifier, Violation};

use crate::choice::{self, xs_format};
use crate::pointer::{self, Output, aligned};
use crate::policy::{self, xs_policy};
use crate::status::{refusal, told, xs_status};
use crate::summary::xs_summary;
use crate::violation::{Line, xs_violation};

/// Bytes that are enough for a verifier, in every library with this XS_ABI; xs_verifier_size() says how many it takes.
pub const XS_VERIFIER_SIZE: usize = 4096;
/// The alignment that a verifier's memory needs, in every library with this XS_ABI.
pub const XS_VERIFIER_ALIGNMENT: usize = 16;

/// Verifies one stream, in memory that the caller provides. To be done with it is to use it no more: nothing has to be
/// freed. It may be moved or copied as it is, with memcpy() and to memory that is as large and aligned, while no
/// function is using it.
///
/// It checks every rule that the bytes of a stream decide as they come. The rules on the contents of a configuration or
/// of xenopsd's metadata (xl::config-json, xl::config-depth, xl::config-values, xl::config-number, xl::type-mismatch,
/// xl::memory-mismatch, xl::viridian-mismatch, xl::emulator-mismatch, libvirt::xml-syntax, xenopsd::metadata) and those
/// that look up the type of a page once all have come (pv::start-info-type, pv::store-range, pv::console-range,
/// pv::gdt-type, pv::cr3-type, pv::cr1-type, pv::p2m-type) are checked by xs_verify_fd() and xs_relay_fd() alone.
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

/// What a stream goes on with.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct xs_need {
    /// Further bytes that surely belong to the stream. Who must not read past its end reads no more than that. At
    /// least 1 while it goes on, 0 once it has ended or was refused.
    pub certain: u64,
    /// Of these, the next bytes that no rule will look at, such as the contents of pages. They may be passed over with
    /// xs_verifier_skip() instead of being pushed.
    pub skippable: u64,
}

/// Is told of a broken rule at level warn, from within the function that meets it. `context` is what
/// xs_verifier_on_warning() was given. `warning` is the library's and lives until the call returns, which it must:
/// by return, and not by longjmp() or an exception. On the verifier that calls, no function does anything but return
/// XS_STATUS_ERROR_BUSY.
pub type xs_warning = Option<unsafe extern "C" fn(context: *mut c_void, warning: *const xs_violation)>;

/// Bytes that a verifier takes, at most XS_VERIFIER_SIZE.
#[unsafe(no_mangle)]
pub extern "C" fn xs_verifier_size() -> usize {
    size_of::<xs_verifier>()
}

/// The alignment that a verifier's memory needs, a power of two that divides XS_VERIFIER_ALIGNMENT. What malloc()
/// returns has it.
#[unsafe(no_mangle)]
pub extern "C" fn xs_verifier_alignment() -> usize {
    align_of::<xs_verifier>()
}

/// Makes a verifier at the start of a stream.
///
/// `memory` is where it lives: `size` bytes, at least xs_verifier_size(), aligned to xs_verifier_alignment(), used by
/// nothing else for as long as the verifier is in use. What was in it is lost. `policy` may be null, which stands for
/// XS_PROFILE_HARDENED; it is copied. `*verifier` becomes the verifier, which lies at `memory`, or null on failure.
///
/// Returns XS_STATUS_OK; XS_STATUS_ERROR_SIZE if the memory is too small; XS_STATUS_ERROR_ALIGNMENT if it is not
/// aligned; XS_STATUS_ERROR_ARGUMENT if `format` is none; XS_STATUS_ERROR_UNINITIALISED if `policy` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_init(
    memory: *mut c_void,
    size: usize,
    format: xs_format,
    policy: *const xs_policy,
    verifier: *mut *mut xs_verifier,
) -> xs_status {
    told((|| {
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

/// Judges the next `length` bytes of the stream. Any split of a stream gets the same verdict. What was accepted may be
/// parsed up to the end of the last whole record in it: a record of which bytes are still to come can yet be refused.
///
/// `bytes` may be null if `length` is 0, and must not overlap the verifier. `consumed` may be null; `*consumed` becomes
/// how many bytes belong to the stream: all of them with XS_STATUS_OK, those up to its end with XS_STATUS_ENDED, and 0
/// otherwise.
///
/// Returns XS_STATUS_OK; XS_STATUS_ENDED if the stream's last byte is among them or was taken before;
/// XS_STATUS_INVALID or XS_STATUS_UNJUDGED if the stream is refused or was before; XS_STATUS_ERROR_SIZE if no object can be as long
/// as `length`; XS_STATUS_ERROR_STATE after xs_verifier_finish(). With an error nothing was judged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_push(
    verifier: *mut xs_verifier,
    bytes: *const c_void,
    length: usize,
    consumed: *mut usize,
) -> xs_status {
    told((|| {
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

/// Passes over bytes as if they had been pushed: at most xs_need.skippable.
///
/// Returns XS_STATUS_OK; XS_STATUS_ENDED if the stream's last byte is among them; XS_STATUS_INVALID or
/// XS_STATUS_UNJUDGED if the stream is refused; XS_STATUS_ERROR_SKIP if that is more than can be skipped, XS_STATUS_ERROR_STATE after
/// xs_verifier_finish(), and then nothing was skipped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_skip(verifier: *mut xs_verifier, bytes: u64) -> xs_status {
    // SAFETY: the caller promises what the header asks of a verifier.
    let opened = unsafe { open(verifier) };
    told((|| opened?.state().skip(bytes))())
}

/// Tells what the stream goes on with. `*need` becomes that, and zeros unless XS_STATUS_OK is returned.
///
/// Returns XS_STATUS_OK while it goes on, XS_STATUS_ENDED if it has ended, XS_STATUS_INVALID or
/// XS_STATUS_UNJUDGED if it is refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_need(verifier: *mut xs_verifier, need: *mut xs_need) -> xs_status {
    told((|| {
        let output = Output::new(need)?;
        // SAFETY: the caller promises what the header asks of a verifier.
        let answer = unsafe { open(verifier) }.map(|mut opened| opened.state().need());
        // SAFETY: the caller promises what the header asks of a result.
        unsafe { output.write(answer.map_or_else(|_| xs_need::default(), |(_, need)| need)) };
        answer.map(|(status, _)| status)
    })())
}

/// Says that the input has ended. Nothing can be pushed afterwards; asked again, it returns the same.
///
/// Returns XS_STATUS_OK if the stream is valid and complete, XS_STATUS_INVALID if it is not, XS_STATUS_UNJUDGED if it
/// cannot be judged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_finish(verifier: *mut xs_verifier) -> xs_status {
    // SAFETY: the caller promises what the header asks of a verifier.
    let opened = unsafe { open(verifier) };
    told((|| Ok(opened?.state().finish()))())
}

/// Says that the input goes on after the stream's end, where it should not: in a file. On a pipe or socket what follows
/// is the caller's business, and this is not called. At most once for a stream.
///
/// `bytes` are what follows, or the first `length` bytes of it. They tell zeros, which do no harm, from another image and
/// from anything else: zeros are taken for zeros to the end, so of a long tail give what was found after them, if
/// anything was. `bytes` may be null if `length` is 0: then something follows of which nothing is known.
///
/// Returns XS_STATUS_OK; XS_STATUS_INVALID if the policy refuses that; what refused the stream before, if that did;
/// XS_STATUS_ERROR_SIZE if no object can be as long as `length`; XS_STATUS_ERROR_STATE if the stream has not ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_trailing_data(
    verifier: *mut xs_verifier,
    bytes: *const c_void,
    length: usize,
) -> xs_status {
    told((|| {
        // SAFETY: the caller promises what the header asks of a verifier and of bytes.
        let (mut opened, bytes) = unsafe { (open(verifier)?, pointer::bytes(bytes, length)?) };
        opened.state().trailing_data(bytes)
    })())
}

/// Changes a limit for what is still to come, such as "hvm-pfn" once the guest's memory is known. See
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
    told((|| {
        let limit: Limit = limit?.parse().map_err(|_| xs_status::ErrorName)?;
        opened?.state().verifier.set_limit(limit, value);
        Ok(xs_status::Ok)
    })())
}

/// Has `function` told of broken rules at level warn, in the order of the stream. It may be null, and then nobody is
/// told, as at first. `context` is handed to it, may be anything, and null too.
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
    told((|| {
        opened?.state().warnings = Warnings { function, context };
        Ok(xs_status::Ok)
    })())
}

/// Tells why the stream is refused. `*violation` becomes that, and stays as it was on failure.
///
/// Returns XS_STATUS_OK, or XS_STATUS_ERROR_STATE if the stream is not refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_violation(
    verifier: *mut xs_verifier,
    violation: *mut xs_violation,
) -> xs_status {
    told((|| {
        let output = Output::new(violation)?;
        // SAFETY: the caller promises what the header asks of a verifier.
        let violation = unsafe { open(verifier) }?.state().violation.ok_or(xs_status::ErrorState)?;
        // SAFETY: the caller promises what the header asks of a result.
        unsafe { output.write(xs_violation::new(&violation)) };
        Ok(xs_status::Ok)
    })())
}

/// Tells what the stream held so far, be it refused or not. `*summary` becomes that, and stays as it was on failure.
///
/// Returns XS_STATUS_OK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_summary(
    verifier: *mut xs_verifier,
    summary: *mut xs_summary,
) -> xs_status {
    told((|| {
        let output = Output::new(summary)?;
        // SAFETY: the caller promises what the header asks of a verifier.
        let mut opened = unsafe { open(verifier) }?;
        let verifier = &opened.state().verifier;
        // SAFETY: the caller promises what the header asks of a result.
        unsafe { output.write(xs_summary::new(verifier.summary(), verifier.position())) };
        Ok(xs_status::Ok)
    })())
}

/// Writes which releases of Xen take the stream, as far as it was read and as far as it tells, such as "Xen 4.18.5+,
/// 4.19.2+, 4.20.1+, 4.21+, XCP-ng 8.3". As snprintf() does: at most `size` bytes are written, the last of them always
/// NUL, and what does not fit is cut off. Of a stream that was refused it says nothing useful.
///
/// `buffer` may be null if `size` is 0.
///
/// Returns how many bytes the whole text has without its NUL, so it was cut off if that is `size` or more; or an error
/// below 0, and then nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verifier_takers(
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
        let takers = opened.state().verifier.summary().releases.taken_by();
        // SAFETY: the caller's buffer has `size` bytes.
        let mut line = unsafe { Line::new(buffer, size) };
        // A line takes everything that it is given.
        let _ = write!(line, "{takers}");
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
            && let Err(violation) = self.verifier.finish_with(&mut self.warnings)
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

/// Who is told of warnings.
struct Warnings {
    function: xs_warning,
    context: *mut c_void,
}

impl Observer for Warnings {
    fn warning(&mut self, warning: &Violation) {
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
