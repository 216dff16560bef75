//! Wraps the lines of text that goes to a terminal.

use std::io::{self, Write};

use textwrap::{Options, WordSeparator, WordSplitter};

/// A writer that wraps lines at a width. The continuation of a line is indented by two columns more than the line.
///
/// A word that is longer than a line stays whole, so that names and paths can be copied. Escape sequences take no columns.
pub(crate) struct Wrapped<W: Write> {
    out: W,
    width: usize,
    line: Vec<u8>,
}

impl<W: Write> Wrapped<W> {
    /// Creates a writer that wraps at this many columns.
    pub(crate) fn new(out: W, width: usize) -> Wrapped<W> {
        Wrapped { out, width, line: Vec::new() }
    }

    /// Writes the line without its end, wrapped.
    fn wrap(&mut self) -> io::Result<()> {
        let line = String::from_utf8_lossy(&self.line);
        let indent = line.len() - line.trim_start_matches(' ').len() + 2;
        let indent = " ".repeat(indent.min(self.width / 2));
        let options = Options::new(self.width)
            .subsequent_indent(&indent)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation)
            .break_words(false);
        self.out.write_all(textwrap::wrap(&line, options).join("\n").as_bytes())?;
        self.line.clear();
        Ok(())
    }
}

impl<W: Write> Write for Wrapped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.line.extend_from_slice(end);
                    self.wrap()?;
                    self.out.write_all(b"\n")?;
                }
                None => self.line.extend_from_slice(piece),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.wrap()?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_and_indented() {
        let mut out = Vec::new();
        let mut wrapped = Wrapped::new(&mut out, 20);
        wrapped.write_all(b"  one two th").unwrap();
        wrapped.write_all(b"ree four five\nshort\n\x1b[1ma name\x1b[0m-that-is-longer-than-a-line").unwrap();
        wrapped.flush().unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "  one two three four\n    five\nshort\n\x1b[1ma\n  name\x1b[0m-that-is-longer-than-a-line"
        );
    }
}
