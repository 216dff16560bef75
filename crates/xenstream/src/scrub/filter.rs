//! Takes a stream as it passes, with what a verifier said of it, and writes what may be kept.
//!
//! Headers are kept back until the verifier has accepted them, bodies are walked by [`Walk`], padding loses what is in it.
//! Where the stream turns out to be damaged nothing more is known: from there on everything is zero.

use std::collections::VecDeque;
use std::io::{self, Read, Seek};

use xenstream_core::wire::libxc::{self, Place, page};
use xenstream_core::wire::xl;
use xenstream_core::{Framing, Header, Layer, Leave, Record, Rule};

use crate::rewrite::write::Sink;
use crate::scrub::Scrub;
use crate::scrub::body::flat::blank;
use crate::scrub::body::{Context, Step, Walk, count_only};
use crate::scrub::events::{Event, Events};
use crate::scrub::header::{self, WRONG};

/// What is kept back of a record is in memory up to this size, four times what a saver writes, and in an unnamed file
/// beyond it.
const SPOOL: usize = 32 << 10;

/// What is kept back of a record at most, where it all stays in memory.
#[cfg(not(feature = "fs"))]
const SPOOL_MAX: usize = 16 << 20;

/// The stream on its way.
pub(super) struct Filter {
    what: Scrub,
    context: Context,
    events: VecDeque<(u64, Event)>,
    position: u64,
    at: At,
    /// Padding after the body.
    padding: u64,
    /// Bytes of a header, or of a unit of a body, that are not complete.
    held: Vec<u8>,
    spool: Spool,
    spooled: u64,
    records: u64,
    damaged_from: Option<u64>,
    scratch: Vec<u8>,
}

#[derive(Debug)]
enum At {
    Header,
    Body(Walk),
    Padding(u64),
    /// Nothing is known of what is here.
    Damage,
}

impl Filter {
    pub(super) fn new(what: Scrub) -> Filter {
        Filter {
            what,
            context: Context::default(),
            events: VecDeque::new(),
            position: 0,
            at: At::Header,
            padding: 0,
            held: Vec::new(),
            spool: Spool::new(),
            spooled: 0,
            records: 0,
            damaged_from: None,
            scratch: Vec::new(),
        }
    }

    /// How many of the next bytes become zero whatever they are.
    pub(super) fn blank_ahead(&self) -> u64 {
        match &self.at {
            At::Header | At::Padding(_) => 0,
            At::Damage => u64::MAX,
            At::Body(walk) => match walk.step() {
                Step::Zero(n) => n,
                _ => 0,
            },
        }
    }

    /// Bytes that have passed the verifier, and what it said of them.
    pub(super) fn pass(&mut self, said: &mut Events, mut bytes: &[u8], out: &mut Sink<'_>) -> io::Result<()> {
        self.events.append(&mut said.queue);
        loop {
            self.settle(out)?;
            if bytes.is_empty() {
                return Ok(());
            }
            let room = self.events.front().map_or(u64::MAX, |(at, _)| at - self.position);
            let piece = head(bytes, room);
            let taken = self.take(piece, out)?;
            self.position += taken as u64;
            bytes = &bytes[taken..];
        }
    }

    /// Bytes that were passed over, and what the verifier said after them.
    pub(super) fn skip(&mut self, said: &mut Events, mut bytes: u64, out: &mut Sink<'_>) -> io::Result<()> {
        // Nothing is said inside of what is passed over.
        while bytes > 0 {
            self.settle(out)?;
            let n = bytes.min(self.blank_ahead());
            if n == 0 {
                return Err(io::Error::other("bytes that were to be kept were passed over"));
            }
            self.blank(n, out)?;
            bytes -= n;
        }
        self.pass(said, &[], out)
    }

    /// The stream, or the input, has ended, or the verifier refused what comes next for a broken rule: nothing more is
    /// known.
    pub(super) fn end(&mut self, refused: Option<Rule>, out: &mut Sink<'_>) -> io::Result<()> {
        // What ends because there is no more of it is right up to there.
        let refused = refused.filter(|rule| rule.entry().framing != Framing::Ends { leave: Leave::All });
        match refused {
            Some(rule) if matches!(self.at, At::Header) => {
                header::refused(rule, self.context.order(rule.layer()), self.what, &mut self.held);
            }
            // The torn header of a record may be bytes of anything.
            None if self.records > 0 && matches!(self.at, At::Header) => self.held.fill(0),
            _ => {}
        }
        if refused.is_some() && !matches!(self.at, At::Damage) {
            self.damaged_from = Some(self.position);
        }
        self.damage(Fate::Torn, out)
    }

    /// Where it was not known any more what is what.
    pub(super) fn damaged_from(&self) -> Option<u64> {
        self.damaged_from
    }

    /// Performs the actions that are due before the next byte.
    fn settle(&mut self, out: &mut Sink<'_>) -> io::Result<()> {
        loop {
            if let At::Body(walk) = &mut self.at {
                if let Some(stays) = walk.release() {
                    self.release(if stays { Fate::Stays } else { Fate::Disagrees }, out)?;
                    continue;
                }
                if walk.step() == Step::Done {
                    self.at = At::Padding(self.padding);
                }
            }
            if matches!(self.at, At::Padding(0)) {
                self.at = At::Header;
            }
            match self.events.front() {
                Some((at, _)) if *at <= self.position => {}
                _ => return Ok(()),
            }
            if let Some((at, event)) = self.events.pop_front() {
                // The event of an image header comes once the header after it has begun.
                let is_image = matches!(event, Event::Header(Header::LibxcImage { .. }));
                let begun = if is_image { self.position - at } else { 0 };
                let whole = self.held.len().saturating_sub(usize::try_from(begun).unwrap_or(0));
                let after = self.held.split_off(whole);
                self.apply(event, out)?;
                self.held = after;
            }
        }
    }

    fn apply(&mut self, event: Event, out: &mut Sink<'_>) -> io::Result<()> {
        if matches!(self.at, At::Damage) {
            return Ok(());
        }
        match event {
            Event::Damage(rule, leave) => {
                if matches!(self.at, At::Header) {
                    let order = self.context.order(rule.layer());
                    header::wrong_length(rule, leave, order, self.what, &mut self.held);
                }
                self.damaged_from = Some(self.position);
                return self.damage(Fate::Disagrees, out);
            }
            Event::Record(record) => self.accepted(&record),
            Event::Header(header) => self.header(&header),
        }
        out.write(&self.held)?;
        self.held.clear();
        Ok(())
    }

    fn begin(&mut self, walk: Walk, padding: u64) {
        self.at = At::Body(walk);
        self.padding = padding;
    }

    /// A header outside of any record was accepted.
    fn header(&mut self, header: &Header) {
        let order = match *header {
            Header::Xl { order, .. } | Header::Libvirt { order, .. } => order,
            _ => self.context.libxc,
        };
        blank(header.layouts(), order, &mut self.held, self.what);
        match *header {
            Header::Xl { optional_data_len, mandatory_flags, .. } => {
                let is_json = mandatory_flags & xl::FLAG_JSON != 0;
                self.begin(Walk::optional_data(self.what, optional_data_len.into(), order, is_json), 0);
            }
            Header::Libvirt { xml_len, .. } => self.begin(Walk::xml(self.what, xml_len.into()), 0),
            Header::Libxl { order, .. } => self.context.libxl = order,
            Header::LibxcImage { order, .. } => {
                self.context = Context { libxl: self.context.libxl, libxc: order, ..Context::default() };
            }
            Header::LibxcDomain { guest, .. } => self.context.guest = Some(guest),
            // A signature announces nothing.
            _ => {}
        }
    }

    /// A record's header was accepted: its body begins.
    fn accepted(&mut self, record: &Record) {
        self.records += 1;
        if self.what.damaged {
            header::likely(record.layer, self.context.order(record.layer), self.what, &mut self.held);
        }
        self.begin(Walk::record(self.what, record, &self.context), record.padding());
        let known = u32::try_from(record.kind).ok().filter(|_| record.layer == Layer::Libxc);
        self.context.static_data_ended |= known.is_some_and(|kind| {
            let is_memory = libxc::record(kind).is_some_and(|known| known.place == Place::Memory);
            is_memory || kind == libxc::types::STATIC_DATA_END
        });
    }

    /// Takes some bytes, one at least.
    fn take(&mut self, bytes: &[u8], out: &mut Sink<'_>) -> io::Result<usize> {
        let walk = match &mut self.at {
            At::Header => {
                self.held.extend_from_slice(bytes);
                return Ok(bytes.len());
            }
            At::Padding(n) => {
                let piece = head(bytes, *n);
                *n -= piece.len() as u64;
                for byte in piece {
                    out.write(&[if *byte == 0 { 0 } else { WRONG }])?;
                }
                return Ok(piece.len());
            }
            At::Damage => {
                out.zeros(bytes.len() as u64)?;
                return Ok(bytes.len());
            }
            At::Body(walk) => walk,
        };
        match walk.step() {
            Step::Keep(n) => {
                let piece = head(bytes, n);
                walk.passed(piece.len() as u64);
                out.write(piece)?;
                Ok(piece.len())
            }
            Step::Zero(n) => {
                let piece = head(bytes, n);
                walk.passed(piece.len() as u64);
                out.zeros(piece.len() as u64)?;
                Ok(piece.len())
            }
            Step::Mask(n) => {
                let piece = head(bytes, n);
                self.scratch.clear();
                self.scratch.extend_from_slice(piece);
                walk.mask(&mut self.scratch);
                out.write(&self.scratch)?;
                Ok(piece.len())
            }
            Step::Unit(n) => {
                let piece = head(bytes, n - self.held.len() as u64);
                self.held.extend_from_slice(piece);
                if self.held.len() as u64 == n {
                    let hold = walk.unit(&mut self.held, &mut self.context);
                    if hold {
                        self.spool.write(&self.held)?;
                        self.spooled += n;
                    } else {
                        out.write(&self.held)?;
                    }
                    self.held.clear();
                }
                Ok(piece.len())
            }
            Step::Hold(n) => {
                let piece = head(bytes, n);
                walk.hold(piece);
                self.spool.write(piece)?;
                self.spooled += piece.len() as u64;
                Ok(piece.len())
            }
            // Settled before.
            Step::Done => Err(io::Error::other("bytes after a body's end")),
        }
    }

    /// Bytes that become zero unread.
    fn blank(&mut self, n: u64, out: &mut Sink<'_>) -> io::Result<()> {
        match &mut self.at {
            At::Body(walk) => walk.passed(n),
            At::Header | At::Padding(_) | At::Damage => {}
        }
        self.position += n;
        out.zeros(n)
    }

    /// What was kept back stays, or goes but for the count that it begins with.
    fn release(&mut self, fate: Fate, out: &mut Sink<'_>) -> io::Result<()> {
        let mut rest = std::mem::take(&mut self.spooled);
        if rest == 0 {
            return Ok(());
        }
        self.spool.rewind()?;
        if fate != Fate::Stays {
            let mut header = [0; page::HEADER as usize];
            self.spool.read_exact(&mut header)?;
            if fate == Fate::Disagrees {
                // Without its entries a smaller count might agree with the length.
                header[..4].fill(0xFF);
            }
            count_only(self.context.libxc, &mut header);
            out.write(&header)?;
            out.zeros(rest - page::HEADER)?;
            return self.spool.rewind();
        }
        self.scratch.resize(SPOOL, 0);
        // A piece is whole entries, and in front of the first the count.
        let mut entries = page::HEADER as usize;
        while rest > 0 {
            let n = usize::try_from(rest).unwrap_or(SPOOL).min(SPOOL);
            self.spool.read_exact(&mut self.scratch[..n])?;
            if self.what.damaged {
                header::likely_entries(self.context.libxc, &mut self.scratch[entries..n]);
            }
            entries = 0;
            out.write(&self.scratch[..n])?;
            rest -= n as u64;
        }
        self.spool.rewind()
    }

    /// Nothing is known from here on; what of a body was not yet known to be structure is not.
    fn damage(&mut self, fate: Fate, out: &mut Sink<'_>) -> io::Result<()> {
        self.release(fate, out)?;
        let held = self.held.len();
        match &mut self.at {
            At::Header => out.write(&self.held)?,
            // Fields in front of the one in which the stream ends have been judged: what of them is structure stays.
            At::Body(walk) if fate == Fate::Torn && held > 0 => {
                if let Step::Unit(n) = walk.step() {
                    self.held.resize(held.max(usize::try_from(n).unwrap_or(held)), 0);
                    walk.unit(&mut self.held, &mut self.context);
                    out.write(&self.held[..held])?;
                } else {
                    out.zeros(held as u64)?;
                }
            }
            At::Body(_) | At::Padding(_) | At::Damage => out.zeros(held as u64)?,
        }
        self.held.clear();
        self.at = At::Damage;
        Ok(())
    }
}

/// What becomes of the entries of PAGE_DATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    /// The number of pages after them is not the one that they announce.
    Disagrees,
    /// The stream ends among them.
    Torn,
}

/// The first `n` bytes, or as many as there are.
fn head(bytes: &[u8], n: u64) -> &[u8] {
    &bytes[..usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len())]
}

/// What is kept back of a record.
#[cfg(feature = "fs")]
struct Spool(tempfile::SpooledTempFile);
#[cfg(not(feature = "fs"))]
struct Spool(io::Cursor<Vec<u8>>);

impl Spool {
    #[cfg(feature = "fs")]
    fn new() -> Spool {
        Spool(tempfile::SpooledTempFile::new(SPOOL))
    }

    #[cfg(not(feature = "fs"))]
    fn new() -> Spool {
        Spool(io::Cursor::default())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(not(feature = "fs"))]
        if (self.0.position() as usize).saturating_add(bytes.len()) > SPOOL_MAX {
            return Err(io::Error::other("a record is too long to be kept in memory"));
        }
        io::Write::write_all(&mut self.0, bytes)
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.0.rewind()
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(bytes)
    }
}
