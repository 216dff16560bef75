//! What libxl asks of its helper.

use std::ffi::OsString;
use std::os::fd::RawFd;

/// Words behind `--restore-domain`: STREAM_FD BACK_FD DOMID STORE_EVTCHN STORE_DOMID CONSOLE_EVTCHN CONSOLE_DOMID
/// CALLBACKS STREAM_TYPE.
const RESTORE: usize = 9;
/// Words behind `--save-domain`: STREAM_FD BACK_FD DOMID FLAGS CALLBACKS STREAM_TYPE.
const SAVE: usize = 6;

/// What libxl asks of its helper.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// A stream to verify.
    Verify(Call),
    /// Nothing that could be verified; where it might have been expected, why not.
    PassOn { warning: Option<&'static str> },
}

/// A stream to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// Number of the descriptor with the stream.
    pub(crate) stream: RawFd,
    pub(crate) domid: u32,
}

/// Which way the stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Restore,
    Save,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Restore => "restore",
            Operation::Save => "save",
        }
    }
}

impl Task {
    /// Reads the arguments, without the program's name.
    pub(crate) fn parse(arguments: &[OsString]) -> Task {
        let words: Vec<&str> = arguments.iter().map(|word| word.to_str().unwrap_or_default()).collect();
        let (operation, words) = match *words.as_slice() {
            ["--restore-domain", ref words @ ..] => (Operation::Restore, words),
            ["--save-domain", ref words @ ..] => (Operation::Save, words),
            _ => return Task::PassOn { warning: None },
        };
        let expected = match operation {
            Operation::Restore => RESTORE,
            Operation::Save => SAVE,
        };
        let numbers =
            (words.first().and_then(|word| word.parse::<u16>().ok()), words.get(2).map(|word| word.parse()));
        let (Some(stream), Some(Ok(domid)), true) = (numbers.0, numbers.1, words.len() == expected) else {
            return Task::PassOn {
                warning: Some("not verified: these arguments are of no known version of libxl"),
            };
        };
        match words.last() {
            Some(&"0") => Task::Verify(Call { operation, stream: stream.into(), domid }),
            // libxl and its helper take turns on the descriptor, and only they know whose turn it is.
            _ => Task::PassOn { warning: Some("not verified: checkpointed streams (Remus, COLO) cannot be") },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Task {
        Task::parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn plain_streams_are_verified() {
        for (line, operation) in [
            ("--restore-domain 11 -1 7 5 0 6 0 0 0", Operation::Restore),
            ("--save-domain 11 -1 7 1 12 0", Operation::Save),
        ] {
            assert_eq!(parse(line), Task::Verify(Call { operation, stream: 11, domid: 7 }), "{line}");
        }
    }

    #[test]
    fn all_else_is_passed_on_and_said_where_it_matters() {
        for (line, warns) in [
            ("", false),
            ("--help", false),
            ("--totally-fake", false),
            ("--restore-domain", true),
            ("--restore-domain 11 -1 7 5 0 6 0 0 1", true),
            ("--restore-domain 11 -1 7 5 0 6 0 0 2", true),
            ("--restore-domain 11 -1 7 5 0 6 0 0 0 0", true),
            ("--restore-domain -1 -1 7 5 0 6 0 0 0", true),
            ("--restore-domain 11 -1 x 5 0 6 0 0 0", true),
            ("--save-domain 11 -1 7 1 12 1", true),
            ("--save-domain 11 -1 7 1 12", true),
        ] {
            let Task::PassOn { warning } = parse(line) else { panic!("{line} is verified") };
            assert_eq!(warning.is_some(), warns, "{line}");
        }
    }
}
