//! Which streams pass.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use xenstream::{Error as StreamError, Level, Relay, Relayed, Report, Rule, Violation, verify_fd};

use crate::answer::Types;
use crate::arguments::{Call, Operation};
use crate::child::End;
use crate::error::Error;
use crate::report::{self, Action, Entry};
use crate::settings::{Mode, Settings};
use crate::{child, descriptor, handover, stream};

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
    pass_on(stream, handover::child(real, arguments), call, settings, &path).map(Passage::Closed)
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
        Err(error) if settings.mode == Mode::Warn => Action::Unverified(error.message()),
        Err(error) => Action::Failed(error.message()),
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

fn tell_unverified(operation: Operation, domid: Option<u32>, settings: &Settings, path: &Path, reason: &str) {
    let action = Action::Unverified(reason.to_owned());
    report::tell(&Entry { operation, domid, settings, path, action, result: None, bytes_relayed: None });
}

/// Runs the real helper with a pipe in place of the stream, and a relay between the two. Returns the exit status.
fn pass_on(
    stream: OwnedFd,
    command: Command,
    call: &Call,
    settings: &Settings,
    path: &Path,
) -> Result<u8, Error> {
    let options = match settings.mode {
        Mode::Enforce => settings.options(call.operation),
        Mode::Warn => settings.lenient_options(call.operation),
    };
    let (ours, command) = connect(command, call).map_err(Error::Beside)?;
    let operation = call.operation;
    let (status, end) = child::run(command, operation, move |stop| {
        let relay = match operation {
            // With the helper gone nobody counts who still holds its end.
            Operation::Restore => {
                Relay::new(stream.as_fd(), ours.as_fd()).stop_reading_on(stop).stop_writing_on(stop)
            }
            // What the helper has written is passed on all the same, however long that takes.
            Operation::Save => Relay::new(ours.as_fd(), stream.as_fd()).stop_reading_on(stop),
        };
        // When this is over, our end of the pipe is closed. The helper then reads the end of a torn stream, or its next
        // write fails.
        relay.run(&options, &mut ())
    })?;
    let (action, result, bytes_relayed) = match &end {
        End::Relayed(relayed) => {
            let Relayed { result, bytes, .. } = &**relayed;
            (action(result, call, settings), Some(result), Some(*bytes))
        }
        End::Stopped(signal) => {
            let reason = format!("the helper was stopped by signal {signal} before all of it was passed on");
            (Action::Left(reason), None, None)
        }
    };
    let otherwise = action.exit_status();
    let domid = Some(call.domid);
    report::tell(&Entry { operation, domid, settings, path, action, result, bytes_relayed });
    Ok(child::end_as(status, &end, otherwise))
}

/// The command with a pipe in place of the stream, and our end of that pipe. The pipe takes the stream's own number: so
/// the arguments stay as they are, and the stream is not inherited.
fn connect(mut command: Command, call: &Call) -> io::Result<(OwnedFd, Command)> {
    let (read_end, write_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let (theirs, ours) = match call.operation {
        Operation::Restore => {
            // The relay can wait for a full pipe no longer than the helper lives only if it does so of its own accord.
            let flags = rustix::fs::fcntl_getfl(&write_end)?;
            rustix::fs::fcntl_setfl(&write_end, flags | OFlags::NONBLOCK)?;
            (read_end, write_end)
        }
        Operation::Save => (write_end, read_end),
    };
    let place = FdMapping { parent_fd: theirs, child_fd: call.stream };
    command.fd_mappings(vec![place]).map_err(io::Error::other)?;
    Ok((ours, command))
}

/// What became of a stream that was relayed.
fn action<'r>(result: &'r Result<Report, StreamError>, call: &Call, settings: &Settings) -> Action<'r> {
    let report = match result {
        Ok(report) => report,
        Err(error) => return broken_off(error, call.operation),
    };
    if let Some(violation) = report.violation() {
        return match call.operation {
            // What it could not finish it gives up, and tells libxl why. A failure of ours would hide that.
            Operation::Save if violation.rule == Rule::StreamTruncated => {
                Action::Left(format!("the helper ended inside its stream: {violation}"))
            }
            _ => Action::Refused(violation),
        };
    }
    // What was let pass and would not have been.
    let strict = settings.options(call.operation).policy;
    let mut warnings = report.warnings.listed().iter();
    let is_refused = |warning: &&Violation| {
        let by_target = |fact| strict.target().is_some_and(|target| target.refuses(fact));
        strict.level(warning.rule) == Level::Deny || warning.fact.is_some_and(by_target)
    };
    match warnings.find(is_refused) {
        Some(warning) => Action::Warned(warning),
        None => Action::Passed,
    }
}

/// What became of a stream that the relay did not come to the end of.
fn broken_off<'r>(error: &StreamError, operation: Operation) -> Action<'r> {
    let message = error.message();
    match (error, operation) {
        (StreamError::ConsumerGone { .. } | StreamError::Interrupted { .. }, Operation::Restore) => {
            Action::Left(format!("the helper did not take all of it: {message}"))
        }
        // It has ended; that the pipe has not, is due to a process that inherited it.
        (StreamError::Interrupted { .. }, Operation::Save) => {
            Action::Left(format!("the helper ended inside its stream: {message}"))
        }
        _ => Action::Failed(message),
    }
}
