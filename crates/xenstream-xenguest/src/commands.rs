//! Commands on the control socket, and the answers to them: JSON objects, one after the other.
//!
//! A command is `{"execute": NAME, "arguments": {…}}`. The answer is `{"return": {}}` or `{"error": TEXT}`. In between,
//! and at any time, there may be events: `{"event": "MIGRATION", "data": {…}}`.
//!
//! Source: `emp.h` of emu-manager, `xg_emu.c` of xenguest.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// What a command means to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Brings the descriptor of the stream.
    Init,
    /// Restores from that descriptor.
    Restore,
    /// Saves to that descriptor.
    Save,
    /// Does not touch the stream.
    Plain,
    /// Not known.
    Unknown,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Return,
    Error,
    /// No answer: an event.
    Event,
}

/// The beginning of what has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    /// The length of an object in bytes, and the object.
    Object(usize, T),
    /// More has to arrive.
    Incomplete,
    /// No JSON object, or one that is too long.
    Garbage,
}

/// Bytes of a message, at most. emu-manager's have at most 1 KiB.
const MESSAGE_MAX: usize = 64 << 10;

/// The command that stands for another descriptor of the same stream.
pub(crate) const INIT: &[u8] = b"{ \"execute\" : \"migrate_init\"}";

#[derive(Deserialize)]
struct Called {
    execute: Option<String>,
}

#[derive(Deserialize)]
struct Answered {
    #[serde(rename = "return")]
    value: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

/// Reads a command at the beginning of these bytes.
pub(crate) fn command(bytes: &[u8]) -> Next<Command> {
    object(bytes, |Called { execute }: Called| match execute.as_deref() {
        Some("migrate_init") => Command::Init,
        Some("restore") => Command::Restore,
        Some("migrate_live" | "migrate_nonlive") => Command::Save,
        Some(
            "track_dirty" | "migrate_abort" | "migrate_pause" | "migrate_paused" | "migrate_progress"
            | "set_args" | "quit",
        ) => Command::Plain,
        _ => Command::Unknown,
    })
}

/// Reads an answer at the beginning of these bytes.
pub(crate) fn answer(bytes: &[u8]) -> Next<Answer> {
    object(bytes, |Answered { value, error }: Answered| match (value, error) {
        (_, Some(_)) => Answer::Error,
        (Some(_), None) => Answer::Return,
        (None, None) => Answer::Event,
    })
}

/// Words an error for emu-manager, which logs it.
pub(crate) fn error(text: &str) -> Vec<u8> {
    // Its buffer has 1 KiB, and a character takes up to twelve bytes as an escape sequence; few do.
    let mut text: Vec<char> = text.chars().take(800).collect();
    loop {
        let object = serde_json::json!({ "error": text.iter().collect::<String>() });
        let bytes = format!("{object}\n").into_bytes();
        if bytes.len() <= 900 {
            return bytes;
        }
        text.truncate(text.len() / 2);
    }
}

fn object<T: for<'de> Deserialize<'de>, U>(bytes: &[u8], read: impl FnOnce(T) -> U) -> Next<U> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        // A struct may be read from an array, too.
        Some(b'{') => {}
        Some(_) => return Next::Garbage,
        None => return if bytes.len() < MESSAGE_MAX { Next::Incomplete } else { Next::Garbage },
    }
    let mut objects = serde_json::Deserializer::from_slice(bytes).into_iter();
    match objects.next() {
        Some(Ok(object)) => Next::Object(objects.byte_offset(), read(object)),
        Some(Err(error)) if error.is_eof() && bytes.len() < MESSAGE_MAX => Next::Incomplete,
        _ => Next::Garbage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_known_by_name() {
        for (text, expected) in [
            ("{\"execute\":\"migrate_init\"}", Command::Init),
            (" { \"execute\" : \"restore\" }", Command::Restore),
            ("{\"arguments\": {\"a\": [1, {}]}, \"execute\": \"rest\\u006fre\"}", Command::Restore),
            ("{\"execute\":\"migrate_nonlive\"}", Command::Save),
            ("{ \"execute\" : \"set_args\", \"arguments\" : { \"store_port\":\"3\" } }", Command::Plain),
            ("{\"execute\":\"migrate_postcopy\"}", Command::Unknown),
            ("{}", Command::Unknown),
        ] {
            let more = format!("{text}{{\"execute\":\"quit\"}}");
            assert_eq!(command(more.as_bytes()), Next::Object(text.len(), expected), "{text}");
            assert_eq!(command(&text.as_bytes()[..text.len() - 1]), Next::Incomplete, "{text}");
        }
    }

    #[test]
    fn garbage_is_noticed() {
        for text in [
            "[\"restore\"]",
            "restore",
            "{]",
            "{\"execute\":\"set_args\",\"execute\":\"restore\"}",
            "\0",
            "{'a':1}",
        ] {
            assert_eq!(command(text.as_bytes()), Next::Garbage, "{text}");
        }
        assert_eq!(command(b""), Next::Incomplete);
        assert_eq!(command(&[b' '; MESSAGE_MAX]), Next::Garbage);
        assert_eq!(command(&[b"{\"a\":\"", &[b'x'; MESSAGE_MAX][..]].concat()), Next::Garbage);
    }

    #[test]
    fn answers_differ_from_events() {
        for (text, expected) in [
            ("{ \"return\" : {} }", Answer::Return),
            ("{\"error\":\"no\"}", Answer::Error),
            ("{\"event\":\"MIGRATION\",\"data\":{\"sent\":1}}", Answer::Event),
        ] {
            assert_eq!(answer(text.as_bytes()), Next::Object(text.len(), expected));
        }
    }

    #[test]
    fn errors_fit_into_emu_managers_buffer() {
        assert_eq!(error("no \"way\""), b"{\"error\":\"no \\\"way\\\"\"}\n");
        for text in ["\u{1}".repeat(5000), "x".repeat(5000), "\u{10ffff}".repeat(900)] {
            let bytes = error(&text);
            assert!(bytes.len() <= 900 && bytes.len() > 300, "{}", bytes.len());
            assert_eq!(answer(&bytes), Next::Object(bytes.len() - 1, Answer::Error));
        }
    }
}
