//! The answer to libxl when a file is refused, in the real helper's place.
//!
//! The real helper talks to libxl over standard output, and reads replies from standard input. Without its last words
//! libxl can only log that the helper died. So this program says them: a line for the log, results that are none, and
//! that the restore failed.
//!
//! Source: `libxl_save_msgs_gen.pl` and `libxl_save_helper.c` of Xen.

use std::io::{self, Read, Write};

use rustix::io::Errno;

/// Types of messages, which libxl numbers in the order of its table. These depend on the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Types {
    restore_results: u16,
    complete: u16,
}

impl Types {
    /// Returns the types that the calling libxl knows, judged by how many words it puts after the operation. Xen 4.14
    /// dropped two of them, and added `static_data_done` before these messages.
    pub(crate) fn of(words: usize) -> Option<Types> {
        match words {
            9 => Some(Types { restore_results: 9, complete: 10 }),
            11 | 12 => Some(Types { restore_results: 8, complete: 9 }),
            _ => None,
        }
    }

    /// Reports that the restore failed, and waits for libxl's reply.
    ///
    /// # Errors
    /// libxl does not listen, or does not reply.
    pub(crate) fn fail(self, why: &str, errno: Errno) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        for message in self.messages(why, errno) {
            stdout.write_all(&message)?;
        }
        stdout.flush()?;
        io::stdin().lock().read_exact(&mut [0; REPLY])
    }

    fn messages(self, why: &str, errno: Errno) -> [Vec<u8>; 3] {
        const LOG: u16 = 1;
        // `XTL_ERROR`.
        const ERROR: u32 = 8;
        // What libxl's log appends no error text for.
        let no_errno = u32::MAX;
        let log =
            [&ERROR.to_ne_bytes()[..], &no_errno.to_ne_bytes(), &string("xenstream"), &string(why)].concat();
        // The pages of xenstore and the console.
        let results = [0; 2 * size_of::<u64>()];
        let failed = [(-1_i32).to_ne_bytes(), errno.raw_os_error().to_ne_bytes()].concat();
        [message(LOG, &log), message(self.restore_results, &results), message(self.complete, &failed)]
    }
}

/// Bytes of libxl's reply to `complete`.
const REPLY: usize = size_of::<i32>();

/// Bytes of text in a log message, at most: a whole message has less than 64 KiB.
const TEXT_MAX: usize = 4096;

fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(size_of::<u16>() + body.len()).expect("the text is bounded");
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), body].concat()
}

/// A string with its length, the NUL at its end included.
fn string(text: &str) -> Vec<u8> {
    let end = (0..=text.len().min(TEXT_MAX)).rev().find(|end| text.is_char_boundary(*end));
    let text = end.and_then(|end| text.get(..end)).unwrap_or_default();
    let length = u32::try_from(text.len() + 1).expect("the text is bounded");
    [&length.to_ne_bytes()[..], text.as_bytes(), b"\0"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_release() {
        for (words, results, complete) in [(9, 9, 10), (11, 8, 9), (12, 8, 9)] {
            let [log, sent, failed] = Types::of(words).unwrap().messages("no", Errno::INVAL);
            let log_body = b"\x08\0\0\0\xFF\xFF\xFF\xFF\x0a\0\0\0xenstream\0\x03\0\0\0no\0";
            assert_eq!(log, [&b"\x1f\0\x01\0"[..], log_body].concat());
            assert_eq!(sent, [&[18, 0, results, 0][..], &[0; 16]].concat());
            assert_eq!(failed, [10, 0, complete, 0, 0xFF, 0xFF, 0xFF, 0xFF, 22, 0, 0, 0]);
        }
        assert_eq!(Types::of(10), None);
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let [log, ..] = Types::of(9).unwrap().messages(&"\u{e9}".repeat(40_000), Errno::INVAL);
        assert_eq!(usize::from(u16::from_ne_bytes([log[0], log[1]])), log.len() - 2);
        let (text, nul) = log[30..].split_at(log.len() - 31);
        assert_eq!((std::str::from_utf8(text).unwrap().len(), nul), (4096, &b"\0"[..]));
    }
}
