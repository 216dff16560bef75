//! Which streams pass.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use xenstream::verify_fd;
use xenstream_guard::handover::Sigpipe;
use xenstream_guard::passage::{pass_on, tell_unverified};
use xenstream_guard::report::{self, Action, Entry};
use xenstream_guard::{Call, Error, Mode, Operation, Settings, descriptor, handover, stream};

use crate::PROGRAM;
use crate::answer::Types;

/// How it goes on.
pub(crate) enum Passage {
    /// The real helper may have the stream as it is.
    Free,
    /// It is over, with this exit status.
    Closed(u8),
}

/// Verifies the stream: where it is, if it is a file to restore from, else on its way to or from the real helper.
pub(crate) fn open(
    call: &Call,
    settings: &Settings,
    real: &Path,
    arguments: &[OsString],
) -> Result<Passage, Error> {
    let unusable = |source| Error::Descriptor { number: call.stream, source };
    let stream = descriptor::duplicate(call.stream).map_err(unusable)?;
    let path = stream::name(&stream);
    if call.operation == Operation::Restore && stream::is_file(&stream).map_err(unusable)? {
        let file = stream::reopen(stream).map_err(unusable)?;
        return Ok(inspect(&file, call, settings, &path, Types::of(arguments.len().saturating_sub(1))));
    }
    let sigpipe = match call.operation {
        Operation::Restore => Sigpipe::Default,
        Operation::Save => Sigpipe::Ignored,
    };
    let command = handover::child(real, arguments, &PROGRAM, sigpipe);
    pass_on(stream, command, call, settings, &path).map(Passage::Closed)
}

/// Verifies a file that the real helper is to read itself. Where it may not, libxl is answered in its place.
fn inspect(file: &OwnedFd, call: &Call, settings: &Settings, path: &Path, answer: Option<Types>) -> Passage {
    // Offsets count from the file's start, as those of `xenstream verify` do; libxl has read its own headers before.
    let start = rustix::fs::tell(file).unwrap_or_default();
    let result = verify_fd(file, &settings.options(call.operation)).map(|report| report.starting_at(start));
    let action = match &result {
        Ok(report) => match report.violation() {
            None => Action::Passed,
            Some(violation) if settings.mode == Mode::Warn => Action::Warned(violation),
            Some(violation) => Action::Refused(violation),
        },
        Err(error) if settings.mode == Mode::Warn => Action::Unverified(error.to_string()),
        Err(error) => Action::Failed(error.to_string()),
    };
    let (operation, domid) = (call.operation, Some(call.domid));
    let result = Some(&result);
    let entry = Entry { operation, domid, settings, path, action, result, bytes_relayed: None };
    report::tell(&entry);
    let errno = match entry.action {
        Action::Passed | Action::Warned(_) | Action::Unverified(_) | Action::Left(_) => return Passage::Free,
        Action::Refused(_) => Errno::INVAL,
        Action::Failed(_) => Errno::IO,
    };
    // The real helper, too, ends with status 0 once libxl knows of the failure.
    match answer.map(|types| types.fail(&entry.message(), errno)) {
        Some(Ok(())) => Passage::Closed(0),
        Some(Err(_)) | None => Passage::Closed(entry.action.exit_status()),
    }
}

/// Says that a checkpointed stream is not verified.
pub(crate) fn leave_open(call: &Call, settings: &Settings) {
    let path = descriptor::duplicate(call.stream).map(|stream| stream::name(&stream)).unwrap_or_default();
    let reason = "checkpointed streams (Remus, COLO) cannot be verified";
    tell_unverified(call.operation, Some(call.domid), settings, &path, reason);
}

/// Says that a call is not understood, and its stream not verified.
pub(crate) fn leave_unknown(operation: Operation, settings: &Settings) {
    let reason = "the arguments are those of no known version of libxl";
    tell_unverified(operation, None, settings, Path::new(""), reason);
}
