//! Strings that a guest or its tools chose, bounded and harmless.

use std::fmt;

#[cfg(feature = "json")]
use serde::{Serialize, Serializer};

/// A string that a guest or its tools chose, as bytes, since it need not be one. Long ones are cut.
///
/// `Display` is ASCII, with everything else escaped, and shorter still; serialized it is a string in which what is not
/// UTF-8 is replaced. Both say how many bytes are left out, if some are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    bytes: Vec<u8>,
    length: u64,
}

impl Text {
    /// Bytes that are kept.
    pub const KEPT: usize = 1024;
    /// Bytes that `Display` shows.
    pub const SHOWN: usize = 64;

    pub(crate) fn new(bytes: &[u8]) -> Text {
        Text::cut(bytes, bytes.len() as u64)
    }

    /// The start of a string of this length.
    pub(crate) fn cut(start: &[u8], length: u64) -> Text {
        let kept = start.len().min(Text::KEPT);
        Text { bytes: start[..kept].to_vec(), length: length.max(kept as u64) }
    }

    /// The bytes that are kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that there are in all.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.bytes[..self.bytes.len().min(Text::SHOWN)];
        write!(f, "{}{}", shown.escape_ascii(), LeftOut(self.length - shown.len() as u64))
    }
}

#[cfg(feature = "json")]
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let left_out = LeftOut(self.length - self.bytes.len() as u64);
        serializer.collect_str(&format_args!("{}{left_out}", String::from_utf8_lossy(&self.bytes)))
    }
}

struct LeftOut(u64);

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            n => write!(f, "... ({n} more)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let text = Text::new(b"a\x1b[31m\"\n\xC2\x9B\x7F");
        assert_eq!(text.to_string(), r#"a\x1b[31m\"\n\xc2\x9b\x7f"#);
    }

    #[test]
    fn long_values_are_truncated() {
        let text = Text::new(&[b'x'; 3000]);
        assert_eq!(text.to_string(), format!("{}... (2936 more)", "x".repeat(64)));
        let json = serde_json::to_string(&text).unwrap();
        assert_eq!(json, format!("\"{}... (1976 more)\"", "x".repeat(1024)));
        assert_eq!(Text::new(&[b'x'; 64]).to_string(), "x".repeat(64));
        assert_eq!(serde_json::to_string(&Text::new(b"\xFFa")).unwrap(), "\"\u{FFFD}a\"");
    }
}
