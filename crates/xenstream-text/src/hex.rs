//! Hex dumps: offset, hex, ASCII.

use std::io::{self, Write};

use xenstream::inspect::View;
use xenstream::{Rule, Violation};

use crate::style::{ASIDE, BAD};

/// Bytes in a line.
const LINE: usize = 16;

/// The start of each line.
const INDENT: &str = "    ";

/// Prints bytes that arrive in pieces. Lines that repeat the previous one are replaced by an asterisk.
#[derive(Default)]
pub struct Dump {
    /// The incomplete line.
    line: Vec<u8>,
    offset: u64,
    /// The last line that was printed, or left out as a repetition.
    last: Option<[u8; LINE]>,
    repeats: bool,
}

impl Dump {
    /// Adds bytes at this offset. If it does not follow the previous bytes, a new line begins.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn push(&mut self, out: &mut impl Write, offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        if offset != self.offset + self.line.len() as u64 {
            self.end(out)?;
            self.offset = offset;
        }
        while !bytes.is_empty() {
            let (here, rest) = bytes.split_at(bytes.len().min(LINE - self.line.len()));
            self.line.extend_from_slice(here);
            bytes = rest;
            if let Ok(full) = <[u8; LINE]>::try_from(&self.line[..]) {
                self.full(out, full)?;
            }
        }
        Ok(())
    }

    /// Prints the rest. The next line is shown even if it repeats the last one.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        if let (true, Some(last)) = (self.repeats && self.line.is_empty(), self.last) {
            // The last line shows where the repetition ends.
            line(out, self.offset - LINE as u64, 0, &last)?;
        }
        if !self.line.is_empty() {
            line(out, self.offset, 0, &self.line)?;
            self.offset += self.line.len() as u64;
            self.line.clear();
        }
        self.last = None;
        self.repeats = false;
        Ok(())
    }

    fn full(&mut self, out: &mut impl Write, full: [u8; LINE]) -> io::Result<()> {
        if self.last == Some(full) {
            if !self.repeats {
                writeln!(out, "{INDENT}*")?;
            }
            self.repeats = true;
        } else {
            line(out, self.offset, 0, &full)?;
            self.last = Some(full);
            self.repeats = false;
        }
        self.offset += LINE as u64;
        self.line.clear();
        Ok(())
    }
}

/// Prints the bytes around a violation, with arrows at the field. With `named`, the rule stands beside the arrows.
///
/// # Errors
/// If the output cannot be written.
pub fn view(out: &mut impl Write, view: &View, violation: &Violation, named: bool) -> io::Result<()> {
    if let Some(field) = view.field {
        writeln!(out, "{INDENT}field: {field}")?;
    }
    writeln!(out)?;
    let at = violation.offset;
    let end = view.offset.saturating_add(view.bytes.len() as u64);
    // Missing bytes have no arrow, except the one at which the input ends.
    let wrong = at..at.saturating_add(view.width).min(end.max(at.saturating_add(1)));
    let remark = match violation.rule {
        Rule::StreamTruncated | Rule::StreamFailover => " the input ends here".to_owned(),
        rule if named => format!(" {rule}"),
        _ => String::new(),
    };
    let first = view.offset - view.offset % LINE as u64;
    // There is always a line above the arrows, even an empty one.
    for start in (first..=at.max(end.saturating_sub(1))).step_by(LINE) {
        let place = |offset: u64| (offset.clamp(view.offset, end) - view.offset) as usize;
        let next = start.saturating_add(LINE as u64);
        let bytes = &view.bytes[place(start)..place(next)];
        line(out, start, view.offset.saturating_sub(start) as usize, bytes)?;
        let here = wrong.start.max(start)..wrong.end.min(next);
        if !here.is_empty() {
            let mut arrows = [b' '; 3 * LINE + 1];
            for byte in here.clone() {
                arrows[column((byte - start) as usize)..][..2].copy_from_slice(b"^^");
            }
            let arrows = String::from_utf8_lossy(&arrows);
            let remark = if here.contains(&at) { &remark } else { "" };
            let before = " ".repeat(offset_width(start) + 2);
            writeln!(out, "{INDENT}{before}{BAD}{}{remark}{BAD:#}", arrows.trim_end())?;
        }
    }
    Ok(())
}

/// Returns the column of a byte in a line.
fn column(byte: usize) -> usize {
    3 * byte + usize::from(byte >= LINE / 2)
}

/// The number of digits in an offset.
fn offset_width(offset: u64) -> usize {
    format!("{offset:08x}").len()
}

/// Formats a line whose first `blank` bytes are missing.
fn line(out: &mut impl Write, offset: u64, blank: usize, bytes: &[u8]) -> io::Result<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [b' '; 3 * LINE + 1];
    let mut text = [b' '; LINE];
    let mut end = 0;
    for (place, byte) in (blank..LINE).zip(bytes) {
        let at = column(place);
        hex[at] = DIGITS[usize::from(byte >> 4)];
        hex[at + 1] = DIGITS[usize::from(byte & 15)];
        text[place] = if matches!(byte, b' '..=b'~') { *byte } else { b'.' };
        end = place + 1;
    }
    write!(out, "{INDENT}{ASIDE}{offset:08x}{ASIDE:#}  ")?;
    out.write_all(&hex)?;
    out.write_all(b" |")?;
    out.write_all(&text[..end])?;
    out.write_all(b"|\n")
}

#[cfg(test)]
mod tests {
    use xenstream::{Input, Options, Policy, inspect::inspect};

    use super::*;

    /// Returns the view of these bytes as text.
    fn shown(bytes: &[u8], options: &Options) -> String {
        let inspection = inspect(Input::Slice(bytes), options, &mut |_| {}).unwrap();
        let mut out = anstream::StripStream::new(Vec::new());
        let violation = inspection.report.violation().unwrap();
        view(&mut out, &inspection.view.unwrap(), violation, true).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    fn dumped(pieces: &[(u64, &[u8])]) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        let mut dump = Dump::default();
        for (offset, bytes) in pieces {
            dump.push(&mut out, *offset, bytes).unwrap();
        }
        dump.end(&mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn the_arrow_is_at_the_byte() {
        let options = Options::new(Policy::spec()).with_format(xenstream::Format::Libxl);
        let expected = "
    00000000  4c 69 62 78 6c 46 6d 74  00 00 00 07              |LibxlFmt....|
                                       ^^ ^^ ^^ ^^ libxl::version
";
        assert_eq!(shown(b"LibxlFmt\0\0\0\x07", &options), expected);
        let expected = "
    00000000  4c 69 62 78 6c 46 6d 74  00 00 00 02 00 00 00 00  |LibxlFmt........|
    00000010                                                    ||
              ^^ the input ends here
";
        assert_eq!(shown(b"LibxlFmt\0\0\0\x02\0\0\0\0", &options), expected);
    }

    #[test]
    fn repeated_lines_are_left_out() {
        let expected = "    00000005  61 62 63 64 61 62 63 64  61 62 63 64 61 62 63 64  |abcdabcdabcdabcd|
    *
    00000045  61 62 63                                          |abc|
    100000000  00 ff                                             |..|
";
        let text = b"abcd".repeat(17);
        let pieces = [(5, &text[..3]), (8, &text[3..40]), (45, &text[40..67]), (1 << 32, &[0, 255])];
        assert_eq!(dumped(&pieces), expected);
        let expected = "    00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
    *
    00000020  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
";
        assert_eq!(dumped(&[(0, &[0; 48])]), expected);
        assert_eq!(dumped(&[]), "");
    }
}
