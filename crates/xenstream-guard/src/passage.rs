//! A stream that passes through a relay, between the toolstack's descriptor and the real program.

use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::path::Path;
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use xenstream::{Error as StreamError, Level, Options, Relay, Relayed, Report, Rule, Violation};

use crate::child::{self, End};
use crate::report::{self, Action, Entry};
use crate::{Error, Mode, Settings};

/// Which way a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// From the toolstack's descriptor to the real program.
    Restore,
    /// From the real program to the toolstack's descriptor.
    Save,
}

impl Operation {
    /// Its name in a report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::Restore => "restore",
            Operation::Save => "save",
        }
    }
}

/// A stream that is to be restored or saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which way it goes.
    pub operation: Operation,
    /// Number of the descriptor with the stream.
    pub stream: RawFd,
    /// The domain's number.
    pub domid: u32,
}

/// Runs the real program with a pipe in place of the stream, and a relay between the two. Returns the exit status.
///
/// # Errors
/// The real program or the relay cannot be started.
pub fn pass_on(
    stream: OwnedFd,
    command: Command,
    call: &Call,
    settings: &Settings,
    path: &Path,
) -> Result<u8, Error> {
    let options = relay_options(settings, call.operation);
    let (ours, command) = connect(command, call).map_err(Error::Beside)?;
    let operation = call.operation;
    let (status, end) = child::run(command, operation, move |_, stop| {
        let relay = match operation {
            // Once the real program has gone, other processes that still hold its end do not matter.
            Operation::Restore => {
                Relay::new(stream.as_fd(), ours.as_fd()).stop_reading_on(stop).stop_writing_on(stop)
            }
            // What it has written is passed on all the same, however long that takes.
            Operation::Save => Relay::new(ours.as_fd(), stream.as_fd()).stop_reading_on(stop),
        };
        // When this is over, our end of the pipe is closed. It then reads the end of a torn stream, or its next
        // write fails.
        Box::new(relay.run(&options, &mut ()))
    })?;
    let (action, result, bytes_relayed) = match &end {
        End::Done(relayed) => {
            let Relayed { result, bytes, .. } = &**relayed;
            (action(result, operation, settings), Some(result), Some(*bytes))
        }
        End::Stopped(signal) => {
            let reason = format!(
                "{} was stopped by signal {signal} before all of it was passed on",
                settings.program.real
            );
            (Action::Left(reason), None, None)
        }
    };
    let otherwise = action.exit_status();
    let domid = Some(call.domid);
    report::tell(&Entry { operation, domid, settings, path, action, result, bytes_relayed });
    Ok(child::end_as(status, &end, otherwise))
}

/// A pipe for a stream to be restored: the real program's end, and ours.
///
/// # Errors
/// The system has no more descriptors.
pub fn restore_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read_end, write_end) = pipe_with(PipeFlags::CLOEXEC)?;
    // The relay can wait for a full pipe no longer than the real program lives only if it does so of its own accord.
    let flags = rustix::fs::fcntl_getfl(&write_end)?;
    rustix::fs::fcntl_setfl(&write_end, flags | OFlags::NONBLOCK)?;
    Ok((read_end, write_end))
}

/// The command with a pipe in place of the stream, and our end of that pipe. The pipe takes the stream's own number: so
/// the arguments stay as they are, and the stream is not inherited.
fn connect(mut command: Command, call: &Call) -> io::Result<(OwnedFd, Command)> {
    let (theirs, ours) = match call.operation {
        Operation::Restore => restore_pipe()?,
        Operation::Save => {
            let (read_end, write_end) = pipe_with(PipeFlags::CLOEXEC)?;
            (write_end, read_end)
        }
    };
    let place = FdMapping { parent_fd: theirs, child_fd: call.stream };
    command.fd_mappings(vec![place]).map_err(io::Error::other)?;
    Ok((ours, command))
}

/// What a stream is relayed under.
#[must_use]
pub fn relay_options(settings: &Settings, operation: Operation) -> Options {
    match settings.mode {
        Mode::Enforce => settings.options(operation),
        Mode::Warn => settings.lenient_options(operation),
    }
}

/// What became of a stream that was relayed.
#[must_use]
pub fn action<'r>(
    result: &'r Result<Report, StreamError>,
    operation: Operation,
    settings: &Settings,
) -> Action<'r> {
    let report = match result {
        Ok(report) => report,
        Err(error) => return broken_off(error, operation, settings.program.real),
    };
    if let Some(violation) = report.violation() {
        return match operation {
            // What it could not finish it gives up, and tells the toolstack why. A failure of ours would hide that.
            Operation::Save if violation.rule == Rule::StreamTruncated => {
                Action::Left(format!("{} ended inside its stream: {violation}", settings.program.real))
            }
            _ => Action::Refused(violation),
        };
    }
    // What was let pass and would not have been.
    let strict = settings.options(operation).policy;
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
fn broken_off<'r>(error: &StreamError, operation: Operation, real: &str) -> Action<'r> {
    let message = error.to_string();
    match (error, operation) {
        (StreamError::ConsumerGone { .. } | StreamError::Interrupted { .. }, Operation::Restore) => {
            Action::Left(format!("{real} did not take all of it: {message}"))
        }
        // It has ended; that the pipe has not, is due to a process that inherited it.
        (StreamError::Interrupted { .. }, Operation::Save) => {
            Action::Left(format!("{real} ended inside its stream: {message}"))
        }
        _ => Action::Failed(message),
    }
}

/// Says that a stream is not verified, for this reason, and passes all the same.
pub fn tell_unverified(
    operation: Operation,
    domid: Option<u32>,
    settings: &Settings,
    path: &Path,
    reason: &str,
) {
    let action = Action::Unverified(reason.to_owned());
    report::tell(&Entry { operation, domid, settings, path, action, result: None, bytes_relayed: None });
}
