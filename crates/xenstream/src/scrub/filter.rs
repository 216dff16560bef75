//! Takes a stream as it passes, with what a verifier said of it, and writes what may be kept.
//!
//! Headers are kept back until the verifier has accepted them, bodies are walked by [`Walk`], padding becomes zero.
//! Where the stream turns out to be damaged nothing more is known: from there on everything is zero.

use std::collections::VecDeque;
use std::io::{self, Read, Seek};

use tempfile::SpooledTempFile;
use xenstream_core::wire::libxc::page;
use xenstream_core::wire::{Order, libvirt, libxc, libxl, padding, xenopsd, xl};
use xenstream_core::{Header, Layer, Observer, Record, Rule, Violation};

use crate::scrub::Scrub;
use crate::scrub::body::{Context, Step, WRONG, Walk};
use crate::scrub::output::Sink;

/// What is kept back of a record is in memory up to this size, four times what a saver writes, and in an unnamed file
/// beyond it.
const SPOOL: usize = 32 << 10;

/// Types of records that are known or will be for a long time: larger numbers are no types.
const TYPES: u64 = 0x1000;

/// What the verifier said, with the offset from which it applies.
#[derive(Debug, Default)]
pub(super) struct Events(VecDeque<(u64, Event)>);

#[derive(Clone, Copy, Debug)]
enum Event {
    Xl {
        order: Order,
        length: u64,
        is_json: bool,
    },
    Libvirt {
        length: u64,
    },
    Libxl(Order),
    Image(Order),
    Header,
    Domain(xenstream_core::Guest),
    Record(Record),
    /// From here on nothing is known.
    Damage,
}

impl Observer for Events {
    fn header(&mut self, header: &Header) {
        let (end, event) = match *header {
            Header::Xl { offset, order, optional_data_len, mandatory_flags, .. } => {
                let is_json = mandatory_flags & xl::FLAG_JSON != 0;
                let length = u64::from(optional_data_len);
                (offset + xl::HEADER, Event::Xl { order, length, is_json })
            }
            Header::Libvirt { offset, xml_len, .. } => {
                (offset + libvirt::HEADER, Event::Libvirt { length: u64::from(xml_len) })
            }
            Header::Xenopsd { offset } => (offset + xenopsd::SIGNATURE.len() as u64, Event::Header),
            Header::Libxl { offset, order, .. } => (offset + libxl::HEADER, Event::Libxl(order)),
            Header::LibxcImage { offset, order, .. } => (offset + libxc::IMAGE_HEADER, Event::Image(order)),
            Header::LibxcDomain { offset, guest, .. } => {
                (offset + libxc::DOMAIN_HEADER, Event::Domain(guest))
            }
            _ => return,
        };
        self.0.push_back((end, event));
    }

    fn record(&mut self, record: &Record) {
        if record.layer != Layer::Hvm {
            self.0.push_back((record.body_offset, Event::Record(*record)));
        }
    }

    fn finding(&mut self, finding: &Violation) {
        if let Some(field) = frames(finding.rule) {
            self.0.push_back((finding.offset.saturating_add(field), Event::Damage));
        }
    }
}

/// Is it a rule on where something ends? Then nobody knows what is behind. The size of the field that says so.
fn frames(rule: Rule) -> Option<u64> {
    match rule {
        Rule::XenopsdLength => Some(8),
        // The count, with which the length does not agree, stands behind it.
        Rule::LibxcPageDataLength => Some(4 + page::HEADER),
        Rule::XlOptionalDataLength
        | Rule::XlConfigLength
        | Rule::LibvirtXmlLength
        | Rule::LibxlRecordLength
        | Rule::LibxlEndLength
        | Rule::LibxlLibxcContextLength
        | Rule::LibxlCheckpointEndLength
        | Rule::LibxlCheckpointStateLength
        | Rule::LibxlEmulatorHeader
        | Rule::LibxlEmulatorLength
        | Rule::LibxcRecordLength
        | Rule::LibxcEndLength
        | Rule::LibxcVerifyLength
        | Rule::LibxcCheckpointLength
        | Rule::LibxcStaticDataEndLength
        | Rule::LibxcPvInfoLength
        | Rule::LibxcP2mFramesLength
        | Rule::LibxcVcpuHeader
        | Rule::LibxcVcpuBasicLength
        | Rule::LibxcVcpuExtendedLength
        | Rule::LibxcVcpuXsaveLength
        | Rule::LibxcVcpuMsrsLength
        | Rule::LibxcSharedInfoLength
        | Rule::LibxcTscInfoLength
        | Rule::LibxcHvmParamsLength
        | Rule::LibxcHvmContextEmpty
        | Rule::LibxcCpuidPolicyLength
        | Rule::LibxcMsrPolicyLength => Some(4),
        _ => None,
    }
}

/// The stream on its way.
pub(super) struct Filter {
    what: Scrub,
    context: Context,
    events: Events,
    position: u64,
    at: At,
    /// Padding behind the body.
    padding: u64,
    /// Octets of a header, or of a unit of a body, that are not complete.
    held: Vec<u8>,
    spool: SpooledTempFile,
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
            context: Context { wide: true, ..Context::default() },
            events: Events::default(),
            position: 0,
            at: At::Header,
            padding: 0,
            held: Vec::new(),
            spool: SpooledTempFile::new(SPOOL),
            spooled: 0,
            records: 0,
            damaged_from: None,
            scratch: Vec::new(),
        }
    }

    /// How many of the next octets become zero whatever they are.
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

    /// Octets that have passed the verifier, and what it said of them.
    pub(super) fn pass(
        &mut self,
        said: &mut Events,
        mut octets: &[u8],
        out: &mut dyn Sink,
    ) -> io::Result<()> {
        self.events.0.append(&mut said.0);
        loop {
            self.settle(out)?;
            if octets.is_empty() {
                return Ok(());
            }
            let room = self.events.0.front().map_or(u64::MAX, |(at, _)| at - self.position);
            let piece = head(octets, room);
            let taken = self.take(piece, out)?;
            self.position += taken as u64;
            octets = &octets[taken..];
        }
    }

    /// Octets that were passed over, and what the verifier said after them.
    pub(super) fn skip(&mut self, said: &mut Events, mut octets: u64, out: &mut dyn Sink) -> io::Result<()> {
        // Nothing is said inside of what is passed over.
        while octets > 0 {
            self.settle(out)?;
            let n = octets.min(self.blank_ahead());
            if n == 0 {
                return Err(io::Error::other("octets that were to be kept were passed over"));
            }
            self.blank(n, out)?;
            octets -= n;
        }
        self.pass(said, &[], out)
    }

    /// The stream, or the input, has ended, or the verifier refused what comes next for a broken rule: nothing more is
    /// known.
    pub(super) fn end(&mut self, refused: Option<Rule>, out: &mut dyn Sink) -> io::Result<()> {
        if matches!(self.at, At::Header) {
            self.torn_header(refused);
        }
        if !matches!(self.at, At::Damage) && refused.is_some_and(|rule| rule != Rule::StreamTruncated) {
            self.damaged_from = Some(self.position);
        }
        self.damage(out)
    }

    /// Where it was not known any more what is what.
    pub(super) fn damaged_from(&self) -> Option<u64> {
        self.damaged_from
    }

    /// Does what is due in front of the next octet.
    fn settle(&mut self, out: &mut dyn Sink) -> io::Result<()> {
        loop {
            if let At::Body(walk) = &mut self.at {
                if let Some(stays) = walk.release() {
                    self.release(stays, out)?;
                    continue;
                }
                if walk.step() == Step::Done {
                    self.at = At::Padding(self.padding);
                }
            }
            if matches!(self.at, At::Padding(0)) {
                self.at = At::Header;
            }
            match self.events.0.front() {
                Some((at, _)) if *at <= self.position => {}
                _ => return Ok(()),
            }
            if let Some((_, event)) = self.events.0.pop_front() {
                self.apply(event, out)?;
            }
        }
    }

    fn apply(&mut self, event: Event, out: &mut dyn Sink) -> io::Result<()> {
        if matches!(self.at, At::Damage) {
            return Ok(());
        }
        match event {
            Event::Damage => {
                self.damaged_from = Some(self.position);
                return self.damage(out);
            }
            Event::Record(record) => self.accepted(&record),
            Event::Libxl(order) => self.context.libxl = order,
            Event::Image(order) => {
                self.context =
                    Context { libxl: self.context.libxl, libxc: order, wide: true, ..Context::default() }
            }
            Event::Domain(guest) => self.context.guest = Some(guest),
            Event::Header => {}
            Event::Xl { order, length, is_json } => {
                self.begin(Walk::optional_data(self.what, length, order, is_json), 0);
            }
            Event::Libvirt { length } => self.begin(Walk::xml(self.what, length), 0),
        }
        out.write(&self.held)?;
        self.held.clear();
        Ok(())
    }

    fn begin(&mut self, walk: Walk, padding: u64) {
        self.at = At::Body(walk);
        self.padding = padding;
    }

    /// A record's header was accepted: its body begins.
    fn accepted(&mut self, record: &Record) {
        use libxc::types::{PAGE_DATA, STATIC_DATA_END, X86_PV_P2M_FRAMES};
        self.records += 1;
        let optional = u64::from(libxc::types::OPTIONAL);
        if self.what.damaged && record.layer != Layer::Xenopsd && record.kind >= optional + TYPES {
            let order = self.order(record.layer);
            self.held[..4].copy_from_slice(&order.put_u32(libxc::types::OPTIONAL));
        }
        let walk = Walk::record(self.what, record, &self.context);
        let pads = record.layer != Layer::Xenopsd;
        self.begin(walk, if pads { padding(record.body_length) } else { 0 });
        let ends_static =
            [PAGE_DATA, STATIC_DATA_END, X86_PV_P2M_FRAMES].map(u64::from).contains(&record.kind);
        self.context.static_data_ended |= record.layer == Layer::Libxc && ends_static;
    }

    fn order(&self, layer: Layer) -> Order {
        match layer {
            Layer::Libxl => self.context.libxl,
            Layer::Libxc => self.context.libxc,
            _ => Order::Little,
        }
    }

    /// What is held is a header that was refused, or a part of one. It may be octets of anything where an earlier
    /// length lied: what is kept of it says why it was refused, and no more.
    fn torn_header(&mut self, refused: Option<Rule>) {
        /// No record has this type.
        const NONE: u32 = 0x7FFF_FFFF;
        let held = &mut self.held;
        let Some(rule) = refused.filter(|rule| *rule != Rule::StreamTruncated) else {
            if self.records > 0 {
                held.fill(0);
            }
            return;
        };
        match rule {
            Rule::LibxlRecordType | Rule::LibxcRecordType if held.len() >= 8 => {
                let order =
                    if rule == Rule::LibxlRecordType { self.context.libxl } else { self.context.libxc };
                let start = held.len() - 8;
                let kind = order.u32([held[start], held[start + 1], held[start + 2], held[start + 3]]);
                let kind = if u64::from(kind) < TYPES { kind } else { NONE };
                held[start..start + 4].copy_from_slice(&order.put_u32(kind));
                held[start + 4..].fill(0);
            }
            Rule::XenopsdHeaderType if held.len() >= 16 => {
                let start = held.len() - 16;
                held[start..].fill(0);
                held[start..start + 4].copy_from_slice(&NONE.to_le_bytes());
            }
            Rule::XenopsdLengthNegative if held.len() >= 16 => {
                let length = held.len() - 8;
                held[length..].copy_from_slice(&i64::MIN.to_le_bytes());
            }
            Rule::LibxlIdent | Rule::LibxcMarker if held.len() >= 8 => {
                let start = held.len() - 8;
                held[start..].fill(0);
            }
            Rule::LibxcId if held.len() >= 4 => {
                let start = held.len() - 4;
                held[start..].fill(0);
            }
            _ => {}
        }
    }

    /// Takes some octets, one at least.
    fn take(&mut self, octets: &[u8], out: &mut dyn Sink) -> io::Result<usize> {
        let walk = match &mut self.at {
            At::Header => {
                self.held.extend_from_slice(octets);
                return Ok(octets.len());
            }
            At::Padding(n) => {
                let piece = head(octets, *n);
                *n -= piece.len() as u64;
                for octet in piece {
                    out.write(&[if *octet == 0 { 0 } else { WRONG }])?;
                }
                return Ok(piece.len());
            }
            At::Damage => {
                out.zeros(octets.len() as u64)?;
                return Ok(octets.len());
            }
            At::Body(walk) => walk,
        };
        match walk.step() {
            Step::Keep(n) => {
                let piece = head(octets, n);
                walk.passed(piece.len() as u64);
                out.write(piece)?;
                Ok(piece.len())
            }
            Step::Zero(n) => {
                let piece = head(octets, n);
                walk.passed(piece.len() as u64);
                out.zeros(piece.len() as u64)?;
                Ok(piece.len())
            }
            Step::Mask(n) => {
                let piece = head(octets, n);
                self.scratch.clear();
                self.scratch.extend_from_slice(piece);
                walk.mask(&mut self.scratch);
                out.write(&self.scratch)?;
                Ok(piece.len())
            }
            Step::Unit(n) => {
                let piece = head(octets, n - self.held.len() as u64);
                self.held.extend_from_slice(piece);
                if self.held.len() as u64 == n {
                    let hold = walk.unit(&mut self.held);
                    if hold {
                        io::Write::write_all(&mut self.spool, &self.held)?;
                        self.spooled += n;
                    } else {
                        out.write(&self.held)?;
                    }
                    self.held.clear();
                }
                Ok(piece.len())
            }
            Step::Hold(n) => {
                let piece = head(octets, n);
                walk.hold(piece);
                io::Write::write_all(&mut self.spool, piece)?;
                self.spooled += piece.len() as u64;
                Ok(piece.len())
            }
            // Settled before.
            Step::Done => Err(io::Error::other("octets behind a body's end")),
        }
    }

    /// Octets that become zero unread.
    fn blank(&mut self, n: u64, out: &mut dyn Sink) -> io::Result<()> {
        match &mut self.at {
            At::Body(walk) => walk.passed(n),
            At::Header | At::Padding(_) | At::Damage => {}
        }
        self.position += n;
        out.zeros(n)
    }

    /// What was kept back may stay, or only the count that it begins with.
    fn release(&mut self, stays: bool, out: &mut dyn Sink) -> io::Result<()> {
        let spooled = std::mem::take(&mut self.spooled);
        let kept = if stays { spooled } else { spooled.min(page::HEADER) };
        self.spool.rewind()?;
        self.scratch.resize(SPOOL, 0);
        let mut rest = kept;
        while rest > 0 {
            let n = usize::try_from(rest).unwrap_or(SPOOL).min(SPOOL);
            self.spool.read_exact(&mut self.scratch[..n])?;
            out.write(&self.scratch[..n])?;
            rest -= n as u64;
        }
        self.spool.rewind()?;
        out.zeros(spooled - kept)
    }

    /// Nothing is known from here on; what of a body was not yet known to be structure is not.
    fn damage(&mut self, out: &mut dyn Sink) -> io::Result<()> {
        self.release(false, out)?;
        if matches!(self.at, At::Header) {
            out.write(&self.held)?;
        } else {
            out.zeros(self.held.len() as u64)?;
        }
        self.held.clear();
        self.at = At::Damage;
        Ok(())
    }
}

/// The first `n` octets, or as many as there are.
fn head(octets: &[u8], n: u64) -> &[u8] {
    &octets[..usize::try_from(n).unwrap_or(usize::MAX).min(octets.len())]
}
