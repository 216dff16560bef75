//! What is said of a stream: a line to standard error, which the toolstack's log gets, and a report where one is wanted.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use serde::Serialize;
use xenstream::json::{Line, write_line};
use xenstream::{Error as StreamError, Report, Untrusted, Violation};

use crate::{Destination, FAILED, Mode, Operation, Program, REFUSED, Settings};

/// Says something on standard error.
pub fn complain(program: &Program, message: &str) {
    // There is nowhere to say that standard error cannot be written.
    let _ = io::stderr().write_all(format!("{}: {}\n", program.name, Untrusted::from(message)).as_bytes());
}

/// What became of a stream.
#[derive(Debug)]
pub enum Action<'r> {
    /// It is valid.
    Passed,
    /// It breaks this rule or cannot be judged, and was passed on because it was to be.
    Warned(&'r Violation),
    /// No verdict was reached, for this reason, and it was passed on all the same.
    Unverified(String),
    /// It breaks this rule or cannot be judged, and the real program did not get all of it.
    Refused(&'r Violation),
    /// The real helper went away before all of it was passed on, of which this tells more.
    Left(String),
    /// No verdict was reached, for this reason, and the real program did not get all of it.
    Failed(String),
}

impl Action<'_> {
    /// This program's exit status, where the real program's does not tell of a failure. What went wrong in the real
    /// helper it tells itself.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Action::Passed | Action::Warned(_) | Action::Unverified(_) | Action::Left(_) => 0,
            Action::Refused(_) => REFUSED,
            Action::Failed(_) => FAILED,
        }
    }

    /// Its name in a report.
    fn name(&self) -> &'static str {
        match self {
            Action::Passed => "passed",
            Action::Warned(_) => "warned",
            Action::Unverified(_) => "unverified",
            Action::Refused(_) => "refused",
            Action::Left(_) => "left",
            Action::Failed(_) => "failed",
        }
    }

    /// What there is to say in a line.
    fn sentence(&self) -> String {
        match self {
            Action::Passed => "valid".to_owned(),
            Action::Warned(violation) if violation.is_unjudged() => {
                format!("passed, though it cannot be judged: {violation}")
            }
            Action::Refused(violation) if violation.is_unjudged() => {
                format!("not passed, unjudged: {violation}")
            }
            Action::Warned(violation) => format!("passed, though it breaks a rule: {violation}"),
            Action::Unverified(reason) => format!("passed without a verdict: {reason}"),
            Action::Refused(violation) => format!("refused: {violation}"),
            Action::Left(reason) => reason.clone(),
            Action::Failed(reason) => format!("cut off without a verdict: {reason}"),
        }
    }

    /// As syslog counts: 3 error, 4 warning, 6 information.
    fn severity(&self) -> u8 {
        match self {
            Action::Passed => 6,
            Action::Warned(_) | Action::Unverified(_) | Action::Left(_) => 4,
            Action::Refused(_) | Action::Failed(_) => 3,
        }
    }
}

/// What there is to say of a stream.
#[derive(Debug)]
pub struct Entry<'r> {
    /// Which way the stream goes.
    pub operation: Operation,
    /// The domain's number; none if the call was not understood.
    pub domid: Option<u32>,
    /// The settings, which say where reports go.
    pub settings: &'r Settings,
    /// What the stream's descriptor leads to.
    pub path: &'r Path,
    /// What became of it.
    pub action: Action<'r>,
    /// What came of verifying it; none if that was not tried.
    pub result: Option<&'r Result<Report, StreamError>>,
    /// Bytes that were passed on, if not the real program reads them itself.
    pub bytes_relayed: Option<u64>,
}

impl Entry<'_> {
    /// What there is to say, in a line without anything that a terminal or a log would obey.
    #[must_use]
    pub fn message(&self) -> String {
        let whose = self.domid.map_or_else(|| "a domain".to_owned(), |domid| format!("domain {domid}"));
        let unchecked = self.result.and_then(|result| result.as_ref().ok()).and_then(Report::unchecked_note);
        let aside = unchecked.map_or_else(String::new, |note| format!("; {note}"));
        let message = format!("{} of {whose}: {}{aside}", self.operation.name(), self.action.sentence());
        Untrusted::from(message.as_str()).to_string()
    }
}

/// Says it on standard error, unless all is well, and where a report is wanted. That the report cannot be written does
/// not decide about the stream.
pub fn tell(entry: &Entry<'_>) {
    let message = entry.message();
    if !matches!(entry.action, Action::Passed) {
        complain(entry.settings.program, &message);
    }
    let written = match &entry.settings.report {
        None => Ok(()),
        Some(Destination::File(path)) => append(path, entry),
        Some(Destination::Syslog(socket)) => {
            log(entry.settings.program, socket, entry.action.severity(), &message)
        }
    };
    if let Err(error) = written {
        complain(entry.settings.program, &format!("cannot write the report: {error}"));
    }
}

/// A line of a report file: that of `xenstream verify --json`, and what this program adds to it.
#[derive(Serialize)]
struct JsonLine<'a> {
    /// Seconds since 1970.
    time: u64,
    operation: &'static str,
    domid: Option<u32>,
    mode: &'static str,
    action: &'static str,
    bytes_relayed: Option<u64>,
    #[serde(flatten)]
    body: Body<'a>,
}

/// What came of verifying a stream, if that was tried.
#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Verified(Box<Line<'a>>),
    Unverified { path: Cow<'a, str>, verdict: (), profile: &'static str, reason: String },
}

fn append(path: &Path, entry: &Entry<'_>) -> io::Result<()> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let profile = entry.settings.profile;
    let body = match entry.result {
        Some(result) => Body::Verified(Box::new(Line::new(entry.path, result, profile))),
        None => Body::Unverified {
            path: entry.path.to_string_lossy(),
            verdict: (),
            profile: profile.name(),
            reason: entry.action.sentence(),
        },
    };
    let line = JsonLine {
        time,
        operation: entry.operation.name(),
        domid: entry.domid,
        mode: match entry.settings.mode {
            Mode::Enforce => "enforce",
            Mode::Warn => "warn",
        },
        action: entry.action.name(),
        bytes_relayed: entry.bytes_relayed,
        body,
    };
    let mut text = Vec::new();
    write_line(&mut text, &line)?;
    // A pipe without a reader, or with a slow one, must not keep the stream waiting.
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let mut file =
        OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(nonblock).open(path)?;
    // In one piece, so that the lines of helpers side by side do not mix.
    file.write_all(&text)
}

/// Sends a message to the system's log, as facility daemon. The log itself knows the time and the host.
fn log(program: &Program, socket: &Path, severity: u8, message: &str) -> io::Result<()> {
    const DAEMON: u8 = 3;
    let priority = DAEMON * 8 + severity;
    let text = format!("<{priority}>{}[{}]: {message}", program.name, std::process::id());
    let sender = UnixDatagram::unbound()?;
    // Nor must a log that does not keep up.
    sender.set_nonblocking(true)?;
    sender.send_to(text.as_bytes(), socket).map(|_| ())
}
