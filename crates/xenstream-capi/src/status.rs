//! What functions return.

use core::ffi::{c_char, c_int};

use xenstream_core::Violation;

/// The result of a function. Below 0, the call was wrong or the system failed, and there is no verdict.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum xs_status {
    /// Success. For a stream: nothing is wrong with it so far, or with all of it if the function says so.
    Ok = 0,
    /// Nothing is wrong with the stream, and its last byte has been consumed.
    Ended = 1,
    /// The stream is refused. This is final; xs_verifier_violation() returns the reason.
    Invalid = 2,
    /// The stream cannot be judged after some byte: it is a legacy image, or has vGPU state. Nothing is wrong before
    /// that byte, but the rest must not be trusted. This is final; xs_verifier_violation() returns the offset and the
    /// reason.
    Unjudged = 3,
    /// A pointer is null.
    ErrorNull = -1,
    /// A pointer is not aligned for its type.
    ErrorAlignment = -2,
    /// A size or length is wrong: too little memory for a verifier, or more bytes than an object can have.
    ErrorSize = -3,
    /// The verifier or policy was not initialised, or is something else.
    ErrorUninitialised = -4,
    /// The verifier is in use by the call that is running the callback, or by another thread.
    ErrorBusy = -5,
    /// A number is not a possible value of its parameter, or a descriptor is negative.
    ErrorArgument = -6,
    /// No rule, layer or limit has this name.
    ErrorName = -7,
    /// The rule is structural and cannot be lowered, because nothing after such a violation can be parsed.
    ErrorStructural = -8,
    /// The call asked to skip more bytes than possible.
    ErrorSkip = -9,
    /// The call is not possible in this state: the stream has not ended, the verification is finished, or nothing is
    /// wrong.
    ErrorState = -10,
    /// The input cannot be read.
    ErrorInput = -11,
    /// The compressed input cannot be decompressed.
    ErrorDecompress = -12,
    /// The output cannot be written.
    ErrorOutput = -13,
    /// The reader of the output has gone.
    ErrorConsumerGone = -14,
    /// A bug in the library. Nothing was left half done.
    ErrorInternal = -15,
}

/// Returns an English description of a status, such as "a pointer is null", or of an unknown one. Never null.
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
    (xs_status::ErrorConsumerGone, c"the reader of the output has gone"),
    (xs_status::ErrorInternal, c"internal error of the library"),
];

/// The status of a stream for which this is the verdict.
pub(crate) fn refusal(violation: &Violation) -> xs_status {
    if violation.is_unjudged() { xs_status::Unjudged } else { xs_status::Invalid }
}

/// The status that a function returns, whether it is a success or a failure.
pub(crate) fn status_of(result: Result<xs_status, xs_status>) -> xs_status {
    result.unwrap_or_else(|error| error)
}
