//! Octets as people read them: offset, hex, ASCII.

use std::io::{self, Write};

use xenstream::inspect::View;
use xenstream::{Rule, Violation};

use crate::output::{ASIDE, BAD};

/// Octets in a line.
const LINE: usize = 16;

/// What a line begins with.
const INDENT: &str = "    ";

/// Octets that come in pieces, line by line. Lines that repeat the one before are left out, with an asterisk in their
/// place.
#[derive(Default)]
pub(crate) struct Dump {
    /// The line that is not full yet.
    line: Vec<u8>,
    offset: u64,
    /// The last line that was printed, or would have been.
    last: Option<[u8; LINE]>,
    repeats: bool,
}

impl Dump {
    /// Octets come at this offset; where it is not behind the last ones, a new line begins.
    pub(crate) fn push(&mut self, out: &mut impl Write, offset: u64, mut octets: &[u8]) -> io::Result<()> {
        if offset != self.offset + self.line.len() as u64 {
            self.end(out)?;
            self.offset = offset;
        }
        while !octets.is_empty() {
            let (here, rest) = octets.split_at(octets.len().min(LINE - self.line.len()));
            self.line.extend_from_slice(here);
            octets = rest;
            if let Ok(full) = <[u8; LINE]>::try_from(&self.line[..]) {
                self.full(out, full)?;
            }
        }
        Ok(())
    }

    /// Nothing more comes: prints what is left. What comes next is shown, whatever it repeats.
    pub(crate) fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        if let (true, Some(last)) = (self.repeats && self.line.is_empty(), self.last) {
            // The last line shows where the repetition ends.
            line(out, self.offset - LINE as u64, &last)?;
        }
        if !self.line.is_empty() {
            line(out, self.offset, &self.line)?;
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
            line(out, self.offset, &full)?;
            self.last = Some(full);
            self.repeats = false;
        }
        self.offset += LINE as u64;
        self.line.clear();
        Ok(())
    }
}

/// The octets around what is wrong, with an arrow at the first of them.
pub(crate) fn view(out: &mut impl Write, view: &View, violation: &Violation) -> io::Result<()> {
    writeln!(out)?;
    let at = violation.offset;
    let fault = at - at % LINE as u64;
    let end = view.offset.saturating_add(view.octets.len() as u64);
    let mut start = view.offset;
    while start < end || start <= fault {
        let next = start - start % LINE as u64 + LINE as u64;
        let place = |offset: u64| (offset.min(end) - view.offset) as usize;
        if start < end || start == fault {
            line(out, start, &view.octets[place(start.min(end))..place(next)])?;
        }
        if (start..next).contains(&at) {
            let column = " ".repeat(column((at - start) as usize));
            let remark = match violation.rule {
                Rule::StreamTruncated | Rule::StreamFailover => " the input ends here",
                _ => "",
            };
            writeln!(out, "{INDENT}{column}{BAD}^^{remark}{BAD:#}")?;
        }
        start = next;
    }
    Ok(())
}

/// Where an octet of a line stands.
fn column(octet: usize) -> usize {
    // The offset, two spaces, three columns for each octet before, and one more space in the middle.
    10 + 3 * octet + usize::from(octet >= LINE / 2)
}

fn line(out: &mut impl Write, offset: u64, octets: &[u8]) -> io::Result<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [b' '; 3 * LINE + 1];
    let mut text = [b' '; LINE];
    for (place, octet) in octets.iter().enumerate().take(LINE) {
        let at = column(place) - column(0);
        hex[at] = DIGITS[usize::from(octet >> 4)];
        hex[at + 1] = DIGITS[usize::from(octet & 15)];
        text[place] = if matches!(octet, b' '..=b'~') { *octet } else { b'.' };
    }
    write!(out, "{INDENT}{ASIDE}{offset:08x}{ASIDE:#}  ")?;
    out.write_all(&hex)?;
    out.write_all(b" |")?;
    out.write_all(&text[..octets.len().min(LINE)])?;
    out.write_all(b"|\n")
}
