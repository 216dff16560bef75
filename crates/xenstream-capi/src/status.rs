//! What functions return.

use core::ffi::{c_char, c_int};

use xenstream_core::Violation;

/// What a function returns: below 0 the call was wrong or the system failed, and no verdict was reached by it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum xs_status {
    /// It is done. Of a stream: nothing is wrong with it so far, or with all of it where the function says so.
    Ok = 0,
    /// Nothing is wrong with the stream, and its last byte has been taken.
    Ended = 1,
    /// The stream is refused. That is final; xs_verifier_violation() tells why.
    Invalid = 2,
    /// The stream cannot be judged from some byte on: it is a legacy image, or holds state of a vGPU. Nothing is wrong up
    /// to there, but the rest must not be trusted. That is final; xs_verifier_violation() tells from which byte on and
    /// why.
    Unjudged = 3,
    /// A pointer is null.
    ErrorNull = -1,
    /// A pointer is not aligned for what it points to.
    ErrorAlignment = -2,
    /// A size or length is wrong: too little memory for a verifier, more bytes than an object can have.
    ErrorSize = -3,
    /// The verifier or policy was not initialised, or is something else.
    ErrorUninitialised = -4,
    /// The verifier is in use: by the call that is calling back just now, or by another thread.
    ErrorBusy = -5,
    /// A number is none of those that the parameter can have, or a descriptor is negative.
    ErrorArgument = -6,
    /// No rule, layer or limit has this name.
    ErrorName = -7,
    /// The rule is structural: past it nothing can be framed, so it cannot be lowered.
    ErrorStructural = -8,
    /// More bytes were to be skipped than can be.
    ErrorSkip = -9,
    /// Not at this point: the stream has not ended yet, the verification is finished, nothing is wrong.
    ErrorState = -10,
    /// The input cannot be read.
    ErrorInput = -11,
    /// The input is compressed and cannot be decompressed.
    ErrorDecompress = -12,
    /// The output cannot be written.
    ErrorOutput = -13,
    /// Nobody reads the output any more.
    ErrorConsumerGone = -14,
    /// The library is at fault, and has left nothing half done.
    ErrorInternal = -15,
}

/// A sentence in English for a status, such as "a pointer is null"; for a number that is none, one that says so.
/// Never null.
#[unsafe(no_mangle)]
pub extern "C" fn xs_status_text(status: c_int) -> *const c_char {
    let text = TEXTS.iter().find(|(known, _)| *known as c_int == status).map(|(_, text)| *text);
    text.unwrap_or(c"this is no status").as_ptr()
}

const TEXTS: [(xs_status, &core::ffi::CStr); 19] = [
    (xs_status::Ok, c"no error"),
    (xs_status::Ended, c"the stream has ended"),
    (xs_status::Invalid, c"the stream is invalid"),
    (xs_status::Unjudged, c"the stream cannot be judged"),
    (xs_status::ErrorNull, c"a pointer is null"),
    (xs_status::ErrorAlignment, c"a pointer is not aligned"),
    (xs_status::ErrorSize, c"a size is too small or a length too large"),
    (xs_status::ErrorUninitialised, c"the object was not initialised"),
    (xs_status::ErrorBusy, c"the verifier is in use"),
    (xs_status::ErrorArgument, c"an argument is none of its possible values"),
    (xs_status::ErrorName, c"no rule, layer, limit or release has this name"),
    (xs_status::ErrorStructural, c"the rule is structural and cannot be lowered"),
    (xs_status::ErrorSkip, c"fewer bytes can be skipped"),
    (xs_status::ErrorState, c"the call makes no sense at this point"),
    (xs_status::ErrorInput, c"the input cannot be read"),
    (xs_status::ErrorDecompress, c"the input cannot be decompressed"),
    (xs_status::ErrorOutput, c"the output cannot be written"),
    (xs_status::ErrorConsumerGone, c"nobody reads the output"),
    (xs_status::ErrorInternal, c"internal error of the library"),
];

/// The status of a stream for which this is the verdict.
pub(crate) fn refusal(violation: &Violation) -> xs_status {
    if violation.is_unjudged() { xs_status::Unjudged } else { xs_status::Invalid }
}

/// The status that a function returns, be it told as success or as failure.
pub(crate) fn told(result: Result<xs_status, xs_status>) -> xs_status {
    result.unwrap_or_else(|error| error)
}
