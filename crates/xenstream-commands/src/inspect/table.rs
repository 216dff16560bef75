//! Prints rows as a table.

use std::io::{self, Write};

use textwrap::core::Word;
use textwrap::{WordSeparator, WordSplitter};
use xenstream::inspect::{Content, Datum, Head, Row};
use xenstream_text::hex::Dump;

use crate::inspect::choice::Rows;
use crate::output::{ASIDE, BAD, NAME, Out, terminal_width};

/// Widths of the columns before the content.
const OFFSET: usize = 11;
const INDEX: usize = 9;
const LAYER: usize = 8;
const TYPE: usize = 22;
const LENGTH: usize = 11;
/// The column where the content begins.
const CONTENT: usize = OFFSET + 2 + INDEX + 2 + LAYER + 1 + TYPE + 1 + LENGTH + 2;
/// The column where it begins if it has a line of its own.
const OWN_LINE: usize = OFFSET + 2 + INDEX + 2;
/// The least room for content beside the other columns; with less, it goes on a line of its own.
const ROOM: usize = 40;

/// Aligned rows. On a terminal, long rows are wrapped; elsewhere each row is one line.
pub(crate) struct Table {
    out: Out,
    /// Whether bytes are dumped.
    hex: bool,
    /// Whether every field is printed.
    fields: bool,
    /// Whether each row is flushed at once.
    prompt: bool,
    width: Option<usize>,
    titled: bool,
    dump: Dump,
}

impl Table {
    pub(crate) fn new(out: Out, hex: bool, fields: bool, prompt: bool) -> Table {
        Table { out, hex, fields, prompt, width: terminal_width(), titled: false, dump: Dump::default() }
    }

    /// Prints a remark in place of rows.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{ASIDE}{text}{ASIDE:#}")
    }

    /// Ends the table and returns the output.
    pub(crate) fn into_out(mut self) -> io::Result<Out> {
        self.dump.end(&mut self.out)?;
        if self.titled {
            writeln!(self.out)?;
        }
        Ok(self.out)
    }

    fn title(&mut self) -> io::Result<()> {
        if !self.titled {
            self.titled = true;
            let content = if self.hex { "" } else { "  content" };
            writeln!(
                self.out,
                "{ASIDE}{:>OFFSET$}  {:>INDEX$}  {:LAYER$} {:TYPE$} {:>LENGTH$}{content}{ASIDE:#}",
                "offset", "index", "layer", "type", "length"
            )?;
        }
        Ok(())
    }

    /// Prints the columns before the content.
    fn columns(&mut self, head: &Head, last_index: Option<u64>) -> io::Result<()> {
        self.title()?;
        let Head { offset, layer, depth, kind, body_length, .. } = head;
        let index = match (head.index, last_index) {
            (Some(first), Some(last)) => format!("{first}-{last}"),
            (Some(index), None) => index.to_string(),
            (None, _) => String::new(),
        };
        let layer = format!("{:indent$}{layer}", "", indent = usize::from(*depth));
        write!(
            self.out,
            "{offset:>OFFSET$}  {index:>INDEX$}  {layer:LAYER$} {NAME}{kind:TYPE$}{NAME:#} {body_length:>LENGTH$}"
        )
    }

    /// Prints the content, beside the columns or below them.
    fn content(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let Some(width) = self.width.filter(|width| CONTENT + text.len() > *width) else {
            return write!(self.out, "  {text}");
        };
        let beside = width >= CONTENT + ROOM;
        let start = if beside { CONTENT } else { OWN_LINE };
        let room = textwrap::Options::new(width.saturating_sub(start).max(ROOM))
            .word_separator(WordSeparator::Custom(items))
            .word_splitter(WordSplitter::NoHyphenation);
        let next = format!("\n{:start$}", "");
        let mut before = if beside { "  " } else { &next };
        for line in textwrap::wrap(text, room) {
            write!(self.out, "{before}{line}")?;
            before = &next;
        }
        Ok(())
    }

    /// Prints a line for each field and for each element of a list.
    fn every_field(&mut self, row: &Row) -> io::Result<()> {
        let Content::Values(values) = &row.content else { return Ok(()) };
        for value in &values.fields {
            let Datum::List { elements, .. } = &value.datum else {
                writeln!(self.out, "    {value}")?;
                continue;
            };
            for (n, element) in elements.iter().enumerate() {
                let element: Vec<_> = element.iter().map(ToString::to_string).collect();
                writeln!(self.out, "    {n}: {}", element.join(", "))?;
            }
        }
        Ok(())
    }

    fn torn(&mut self, row: &Row) -> io::Result<()> {
        if row.torn { write!(self.out, "  {BAD}torn{BAD:#}") } else { Ok(()) }
    }
}

/// Breaks lines between the items of a list.
fn items<'l>(line: &'l str) -> Box<dyn Iterator<Item = Word<'l>> + 'l> {
    Box::new(line.split_inclusive(", ").map(Word::from))
}

impl Rows for Table {
    fn begin(&mut self, head: &Head) -> io::Result<bool> {
        if self.hex {
            self.dump.end(&mut self.out)?;
            self.columns(head, None)?;
            writeln!(self.out)?;
        }
        Ok(self.hex)
    }

    fn bytes(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.dump.push(&mut self.out, offset, bytes)
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let text = row.content.to_string();
        if self.hex {
            self.dump.end(&mut self.out)?;
            if text.is_empty() && !row.torn && !self.fields {
                return Ok(());
            }
            write!(self.out, "    = {text}")?;
        } else {
            self.columns(&row.head, row.last_index)?;
            self.content(&text)?;
        }
        self.torn(row)?;
        writeln!(self.out)?;
        if self.fields {
            self.every_field(row)?;
        }
        if self.prompt { self.out.flush() } else { Ok(()) }
    }
}
