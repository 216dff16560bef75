//! Whole streams from file descriptors. Here memory is allocated, and what could panic is caught.

use core::ffi::{c_char, c_int};
use std::fmt::Write as _;
use std::io;
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use xenstream::{Error, Options, Report, relay, verify_fd};

use crate::choice::{self, xs_format};
use crate::pointer::Output;
use crate::policy::{self, xs_policy};
use crate::sigpipe;
use crate::status::{refusal, status_of, xs_status};
use crate::summary::xs_summary;
use crate::violation::{Line, xs_violation};

/// Size of xs_report.message in bytes.
pub const XS_MESSAGE_SIZE: usize = 512;

/// The result for a stream that was read from a descriptor.
#[repr(C)]
pub struct xs_report {
    /// What is wrong with the stream, or what cannot be judged, also where the status is that of something else that was
    /// made of it. Otherwise xs_violation.rule is null and the other fields are 0.
    pub violation: xs_violation,
    /// A summary of the stream's contents, unless an error is returned.
    pub summary: xs_summary,
    /// Number of bytes read from the input, not counting those that were skipped.
    pub bytes_read: u64,
    /// Number of bytes written to the output, whatever is returned.
    pub bytes_written: u64,
    /// The errno of an error from the system; otherwise 0.
    pub os_error: c_int,
    /// With XS_STATUS_OK, how many rules could not be checked: those on a PV guest's start info, GDT and p2m take a
    /// second walk, which a pipe, a socket or a compressed image does not allow. `message` names them.
    pub unchecked: u32,
    /// What is wrong with the stream, what failed, or what was not checked: one line, cut off if it is too long;
    /// otherwise empty.
    pub message: [c_char; XS_MESSAGE_SIZE],
}

impl xs_report {
    const EMPTY: xs_report = xs_report {
        violation: xs_violation::NONE,
        summary: xs_summary::EMPTY,
        bytes_read: 0,
        bytes_written: 0,
        os_error: 0,
        unchecked: 0,
        message: [0; XS_MESSAGE_SIZE],
    };
}

/// Verifies the stream in a file, pipe or socket from its current offset, from which offsets in the report count.
/// The offset of a regular file does not move, and its page contents are not read. From a pipe or socket, nothing
/// after the end of the stream is consumed. A library with the feature `decompress` decompresses compressed images on
/// the fly, and then reads the whole pipe; others judge them as they are, and they are in no known format. Waits for
/// bytes even if the descriptor is non-blocking.
///
/// `fd` stays open. `policy` may be null, for XS_PROFILE_HARDENED. `report` may be null. `*report` is written
/// whatever is returned, except for null and misaligned pointers.
///
/// Returns XS_STATUS_OK if the stream is valid and complete, XS_STATUS_INVALID if it is not, XS_STATUS_UNJUDGED if it
/// cannot be judged;
/// XS_STATUS_ERROR_INPUT or XS_STATUS_ERROR_DECOMPRESS if it cannot be read; XS_STATUS_ERROR_ARGUMENT if `fd` is
/// negative or `format` is none; XS_STATUS_ERROR_UNINITIALISED if `policy` is none; XS_STATUS_ERROR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_verify_fd(
    fd: c_int,
    format: xs_format,
    policy: *const xs_policy,
    report: *mut xs_report,
) -> xs_status {
    // SAFETY: the caller promises what the header asks of a policy and of a result.
    let call = unsafe { Call::new(format, policy, report) };
    status_of(call.and_then(|call| {
        call.run(|options| {
            // SAFETY: the caller keeps the descriptor open until we return.
            let fd = unsafe { descriptor(fd) }?;
            Ok(Outcome::new(verify_fd(fd, options), 0))
        })
    }))
}

/// Verifies a stream on its way from one descriptor to another, in constant memory. The reader of the output never
/// receives the last byte of a record that breaks a rule, nor an END that closes an incomplete stream; it sees a
/// stream that ends too early. If only a later record decides that a stream is invalid, as with some findings of
/// XS_PROFILE_RESTORE and XS_PROFILE_SPEC but none of XS_PROFILE_HARDENED, the reader never receives the last byte
/// of that record. Nothing after the end of the stream is consumed from the input.
///
/// `input` and `output` stay open. After XS_STATUS_INVALID or XS_STATUS_UNJUDGED, close `output`, so that its
/// reader sees the end. Both may be of any kind, blocking or not. SIGPIPE need not be ignored. `policy` and
/// `report` are as for xs_verify_fd().
///
/// Returns XS_STATUS_OK if the stream is valid and was passed on whole, XS_STATUS_INVALID if it is not,
/// XS_STATUS_UNJUDGED if it cannot be judged;
/// XS_STATUS_ERROR_INPUT if it cannot be read, XS_STATUS_ERROR_OUTPUT if it cannot be written,
/// XS_STATUS_ERROR_CONSUMER_GONE if the reader of the output has gone; XS_STATUS_ERROR_ARGUMENT if a descriptor is
/// negative or `format` is none; XS_STATUS_ERROR_UNINITIALISED if `policy` is none; XS_STATUS_ERROR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_relay_fd(
    input: c_int,
    output: c_int,
    format: xs_format,
    policy: *const xs_policy,
    report: *mut xs_report,
) -> xs_status {
    // SAFETY: the caller promises what the header asks of a policy and of a result.
    let call = unsafe { Call::new(format, policy, report) };
    status_of(call.and_then(|call| {
        call.run(|options| {
            // SAFETY: the caller keeps the descriptors open until we return.
            let (input, output) = unsafe { (descriptor(input)?, descriptor(output)?) };
            let _held = sigpipe::Held::back();
            let relayed = relay(input, output, options);
            Ok(Outcome::new(relayed.result, relayed.bytes))
        })
    }))
}

/// What came of reading a stream.
pub(crate) struct Outcome {
    result: Result<Report, Error>,
    bytes_written: u64,
    /// If the stream was to be changed: whether it was, or why not. Does not depend on the verdict about the input.
    made: Option<Result<(), String>>,
}

impl Outcome {
    pub(crate) fn new(result: Result<Report, Error>, bytes_written: u64) -> Outcome {
        Outcome { result, bytes_written, made: None }
    }

    /// The same, of a stream that was changed or not.
    pub(crate) fn with_made(self, made: Result<(), String>) -> Outcome {
        Outcome { made: Some(made), ..self }
    }
}

/// What the calls have in common.
pub(crate) struct Call {
    options: Result<Options, xs_status>,
    report: Option<Output<xs_report>>,
}

impl Call {
    /// # Safety
    /// What the header asks of a policy and of a result.
    pub(crate) unsafe fn new(
        format: xs_format,
        policy: *const xs_policy,
        report: *mut xs_report,
    ) -> Result<Call, xs_status> {
        let report = Output::optional(report)?;
        if let Some(report) = &report {
            // SAFETY: as our caller promises.
            unsafe { report.write(xs_report::EMPTY) };
        }
        // SAFETY: as our caller promises.
        let policy = unsafe { policy::given(policy) };
        let options = policy.and_then(|policy| Ok(Options::new(policy).with_format(choice::format(format)?)));
        Ok(Call { options, report })
    }

    /// Reads a stream and reports what came of it, with how many bytes were written.
    pub(crate) fn run(
        self,
        read: impl FnOnce(&Options) -> Result<Outcome, xs_status>,
    ) -> Result<xs_status, xs_status> {
        let options = self.options?;
        // State that a panic leaves inconsistent is dropped with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| Ok(describe(&read(&options)?))));
        let (status, report) = outcome.map_err(|_| xs_status::ErrorInternal)??;
        if let Some(output) = self.report {
            // SAFETY: the caller promised it.
            unsafe { output.write(report) };
        }
        Ok(status)
    }
}

/// # Safety
/// The descriptor, if it is not negative, stays open as long as this lives.
pub(crate) unsafe fn descriptor<'fd>(fd: c_int) -> Result<BorrowedFd<'fd>, xs_status> {
    if fd < 0 {
        return Err(xs_status::ErrorArgument);
    }
    // SAFETY: not -1. One that is not open is a fault that the system tells at the first read.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

fn describe(outcome: &Outcome) -> (xs_status, xs_report) {
    let Outcome { result, bytes_written, made } = outcome;
    let mut reported = xs_report { bytes_written: *bytes_written, ..xs_report::EMPTY };
    let (mut status, mut message) = match result {
        Ok(report) => {
            reported.summary = xs_summary::new(&report.summary, report.summary.bytes);
            reported.bytes_read = report.bytes_read;
            match report.violation() {
                None => {
                    reported.unchecked = report.unchecked.len().try_into().unwrap_or(u32::MAX);
                    (xs_status::Ok, report.unchecked_note().unwrap_or_default())
                }
                Some(violation) => {
                    reported.violation = xs_violation::new(violation);
                    (refusal(violation), violation.to_string())
                }
            }
        }
        Err(error) => {
            reported.os_error = os_error(error);
            (failure(error), error.to_string())
        }
    };
    match made {
        Some(Ok(())) => status = xs_status::Ok,
        Some(Err(reason)) => {
            status = if status == xs_status::Unjudged { status } else { xs_status::Invalid };
            message.clone_from(reason);
        }
        None => {}
    }
    // SAFETY: the message lies in `told`, and the line is gone before that is used again.
    let mut line = unsafe { Line::new(reported.message.as_mut_ptr(), XS_MESSAGE_SIZE) };
    // A line takes everything that it is given.
    let _ = line.write_str(&message);
    (status, reported)
}

fn failure(error: &Error) -> xs_status {
    match error {
        Error::Decompress { .. } => xs_status::ErrorDecompress,
        Error::Write { .. } | Error::Create(_) | Error::Exists | Error::NotAFile | Error::SameFile => {
            xs_status::ErrorOutput
        }
        Error::TooSparse { .. } => xs_status::ErrorOutput,
        Error::ConsumerGone { .. } => xs_status::ErrorConsumerGone,
        _ => xs_status::ErrorInput,
    }
}

/// The system's number for the cause of an error.
fn os_error(error: &Error) -> c_int {
    error.io_error().and_then(io::Error::raw_os_error).unwrap_or(0)
}
