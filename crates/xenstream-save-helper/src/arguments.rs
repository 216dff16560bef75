//! What libxl asks of its helper.

use std::ffi::OsString;

use xenstream_guard::{Call, Operation};

const SAVE: &str = "--save-domain";
const RESTORE: &str = "--restore-domain";

/// What libxl asks of its helper.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// A stream to verify.
    Verify(Call),
    /// A stream that cannot be verified: libxl and its helper take turns on the descriptor, and only they know whose turn
    /// it is.
    Checkpointed(Call),
    /// A stream, but which one, and of what kind, is not understood.
    Unknown(Operation),
    /// No stream.
    Other,
}

/// How many words libxl puts after the operation. What stands in brackets has been dropped over the years:
///
/// ```text
/// --restore-domain STREAM_FD BACK_FD DOMID STORE_EVTCHN STORE_DOMID CONSOLE_EVTCHN CONSOLE_DOMID
///                  [HVM PAE [SUPERPAGES]] CALLBACKS STREAM_TYPE
/// --save-domain    STREAM_FD BACK_FD DOMID [MAX_ITERS MAX_FACTOR] FLAGS [HVM] CALLBACKS STREAM_TYPE
/// ```
///
/// Xen 4.6 has no BACK_FD, and to restore it has an event channel in DOMID's place with that; to save it has no
/// STREAM_TYPE either, and is not understood.
fn known_lengths(operation: Operation) -> &'static [usize] {
    match operation {
        Operation::Restore => &[9, 11, 12],
        Operation::Save => &[6, 7, 9],
    }
}

impl Task {
    /// Reads the arguments, without the program's name.
    ///
    /// In every version STREAM_FD is the first, DOMID the third and STREAM_TYPE the last. A stream of which the last
    /// word says that it is plain is verified whatever stands between: where that is not what the word means, a stream of
    /// another kind is refused. That a stream need not be verified is believed of known versions only.
    pub(crate) fn parse(arguments: &[OsString]) -> Task {
        let words: Vec<&str> = arguments.iter().map(|word| word.to_str().unwrap_or_default()).collect();
        let (operation, words) = match *words.as_slice() {
            [RESTORE, ref words @ ..] => (Operation::Restore, words),
            [SAVE, ref words @ ..] => (Operation::Save, words),
            _ => return Task::Other,
        };
        let [stream, _, domid, .., stream_type] = words else { return Task::Unknown(operation) };
        let numbers = (stream.parse(), domid.parse(), stream_type.parse::<u64>());
        let (Ok(stream @ 0..), Ok(domid), Ok(stream_type)) = numbers else { return Task::Unknown(operation) };
        let call = Call { operation, stream, domid };
        match stream_type {
            0 => Task::Verify(call),
            // Remus, COLO.
            1 | 2 if known_lengths(operation).contains(&words.len()) => Task::Checkpointed(call),
            _ => Task::Unknown(operation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Task {
        Task::parse(&line.split_terminator(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn plain_streams_are_verified_whatever_the_version() {
        for (line, operation) in [
            ("--restore-domain 11 -1 7 5 0 6 0 0 0", Operation::Restore),
            ("--restore-domain 11 -1 7 5 0 6 0 1 1 0 0", Operation::Restore),
            ("--restore-domain 11 -1 7 5 0 6 0 1 1 0 0 0", Operation::Restore),
            ("--restore-domain 11 -1 7 0", Operation::Restore),
            ("--restore-domain 11 -1 7 5 0 6 0 0 00", Operation::Restore),
            ("--restore-domain 011 -1 07 5 0 6 0 0 +0", Operation::Restore),
            ("--save-domain 11 -1 7 1 12 0", Operation::Save),
            ("--save-domain 11 -1 7 1 1 12 0", Operation::Save),
            ("--save-domain 11 -1 7 0 0 1 1 12 0", Operation::Save),
        ] {
            assert_eq!(parse(line), Task::Verify(Call { operation, stream: 11, domid: 7 }), "{line}");
        }
        let stream = 70000;
        let call = Call { operation: Operation::Restore, stream, domid: u32::MAX };
        assert_eq!(parse("--restore-domain 70000 -1 4294967295 5 0 6 0 0 0"), Task::Verify(call));
    }

    #[test]
    fn checkpointed_streams_are_known_of_known_versions() {
        for (line, operation) in [
            ("--restore-domain 11 12 7 5 0 6 0 0 1", Operation::Restore),
            ("--restore-domain 11 12 7 5 0 6 0 0 2", Operation::Restore),
            ("--restore-domain 11 12 7 5 0 6 0 1 1 0 1", Operation::Restore),
            ("--restore-domain 11 12 7 5 0 6 0 1 1 0 0 2", Operation::Restore),
            ("--save-domain 11 12 7 1 12 1", Operation::Save),
            ("--save-domain 11 12 7 1 1 12 2", Operation::Save),
            ("--save-domain 11 12 7 0 0 1 1 12 1", Operation::Save),
        ] {
            assert_eq!(parse(line), Task::Checkpointed(Call { operation, stream: 11, domid: 7 }), "{line}");
        }
    }

    #[test]
    fn possible_streams_are_always_verified() {
        for line in [
            "--restore-domain",
            "--restore-domain 0",
            "--restore-domain 11 -1 0",
            "--restore-domain 11 -1 7 5 0 6 0 0 3",
            "--restore-domain 11 -1 7 5 0 6 0 0 4294967296",
            "--restore-domain 11 -1 7 5 0 6 0 0 18446744073709551616",
            "--restore-domain 11 -1 7 5 0 6 0 0 -0",
            "--restore-domain 11 -1 7 5 0 6 0 0 0x",
            "--restore-domain 11 -1 7 5 0 6 0 0  ",
            "--restore-domain 11 -1 7 5 0 6 0 0 0 1",
            "--restore-domain 11 -1 7 5 0 6 0 0 1 0 0 0 1",
            "--restore-domain -1 -1 7 5 0 6 0 0 0",
            "--restore-domain 2147483648 -1 7 5 0 6 0 0 0",
            "--restore-domain 4294967307 -1 7 5 0 6 0 0 0",
            "--restore-domain 11 -1 x 5 0 6 0 0 0",
            "--restore-domain 11 -1 4294967296 5 0 6 0 0 0",
        ] {
            assert_eq!(parse(line), Task::Unknown(Operation::Restore), "{line}");
        }
        // Xen 4.6, which has neither BACK_FD nor STREAM_TYPE there.
        for line in ["--save-domain 11 7 0 0 1 1 12", "--save-domain 11 -1 7 1 12", "--save-domain 11 -1 7 1"]
        {
            assert_eq!(parse(line), Task::Unknown(Operation::Save), "{line}");
        }
        let bytes = std::os::unix::ffi::OsStringExt::from_vec(b"0\xFF".to_vec());
        let words = ["--restore-domain", "11", "-1", "7", "5"].map(OsString::from).into_iter().chain([bytes]);
        assert_eq!(Task::parse(&words.collect::<Vec<_>>()), Task::Unknown(Operation::Restore));
    }

    #[test]
    fn all_else_is_no_stream() {
        for line in ["", "--help", "--totally-fake", "0"] {
            assert_eq!(parse(line), Task::Other, "{line}");
        }
    }
}
