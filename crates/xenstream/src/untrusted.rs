//! Text that comes with an image, made safe to print.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter, Write};
use std::path::Path;

/// Text that an image, a path or a log brings, in the form in which a terminal, a log or a page may have it.
///
/// Displayed, each character that steers a terminal, breaks a line, or changes the order in which the others are shown
/// is replaced by U+FFFD, and so is what is not UTF-8. There is no other way to print such a text.
///
/// ```
/// use xenstream::Untrusted;
///
/// assert_eq!(Untrusted::from("vm\u{1b}[2J\n\u{202e}01").to_string(), "vm\u{fffd}[2J\u{fffd}\u{fffd}01");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted<'a>(Cow<'a, str>);

impl<'a> From<&'a str> for Untrusted<'a> {
    fn from(text: &'a str) -> Untrusted<'a> {
        Untrusted(text.into())
    }
}

impl<'a> From<&'a OsStr> for Untrusted<'a> {
    fn from(text: &'a OsStr) -> Untrusted<'a> {
        Untrusted(text.to_string_lossy())
    }
}

impl<'a> From<&'a Path> for Untrusted<'a> {
    fn from(path: &'a Path) -> Untrusted<'a> {
        path.as_os_str().into()
    }
}

impl Display for Untrusted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| f.write_char(if is_safe(c) { c } else { char::REPLACEMENT_CHARACTER }))
    }
}

/// Whether a character shows itself and does nothing else. Controls do not, nor what Unicode calls line and paragraph
/// separators, bidirectional controls (UAX #9) and invisible format characters, nor what is no character at all.
fn is_safe(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{AD}'
            | '\u{61C}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}'
    );
    // The last two code points of every plane are no characters.
    let is_none = u32::from(c) & 0xFFFE == 0xFFFE;
    !c.is_control() && !is_format && !is_none
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn text_neither_steers_nor_turns() {
        for c in [
            '\0', '\n', '\r', '\u{1B}', '\u{7F}', '\u{9B}', '\u{200E}', '\u{202E}', '\u{2066}', '\u{2028}',
            '\u{FFFE}',
        ] {
            assert_eq!(Untrusted::from(&*format!("a{c}b")).to_string(), "a\u{FFFD}b", "{c:?}");
        }
        assert_eq!(Untrusted::from("Gäste <&> \u{65E5}.save").to_string(), "Gäste <&> \u{65E5}.save");
        let path = Path::new(OsStr::from_bytes(b"a\xFFb\x1B"));
        assert_eq!(Untrusted::from(path).to_string(), "a\u{FFFD}b\u{FFFD}");
    }
}
