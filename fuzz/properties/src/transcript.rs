//! All that a verification tells, in a form that can be compared.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use xenstream_core::{Header, Observer, PageBatch, Pfns, Record, Summary, Verifier, Violation};

/// One thing that the observer heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A stream or container header.
    Header(Header),
    /// A record header.
    Record(Record),
    /// All entries of a batch have passed.
    Batch(PageBatch),
    /// A rule at warn.
    Warning(Violation),
    /// A rule at deny, under a policy that keeps going.
    Finding(Violation),
}

/// All that a verification tells.
///
/// Bytes of bodies and PFN entries come in pieces that depend on the split; what they add up to does not, so they
/// are hashed with their offsets.
#[derive(Debug, Default)]
pub struct Transcript {
    /// What was heard, in order.
    pub events: Vec<Event>,
    /// The verdict.
    pub verdict: Option<Result<Summary, Violation>>,
    bodies: bool,
    body: DefaultHasher,
    body_at: Option<u64>,
    entries: DefaultHasher,
}

impl Transcript {
    /// An empty transcript of an observer that does or does not want bodies.
    #[must_use]
    pub fn new(bodies: bool) -> Transcript {
        Transcript { bodies, ..Transcript::default() }
    }

    /// Takes down the end of the input and the verdict.
    pub fn finish(&mut self, verifier: &mut Verifier) {
        let verdict = verifier.finish(self);
        self.verdict = Some(verdict);
    }

    /// Asserts that two transcripts tell the same.
    ///
    /// # Panics
    /// If they do not.
    pub fn assert_same(&self, other: &Transcript, how: &str) {
        assert_eq!(self.verdict, other.verdict, "verdict, {how}");
        assert_eq!(self.events, other.events, "events, {how}");
        assert_eq!(self.entries.finish(), other.entries.finish(), "PFN entries, {how}");
        if self.bodies == other.bodies {
            assert_eq!(self.body.finish(), other.body.finish(), "bodies, {how}");
        }
    }
}

impl Observer for Transcript {
    fn wants_body(&mut self, _: &Record) -> bool {
        self.body_at = None;
        self.bodies
    }
    fn on_header(&mut self, header: &Header) {
        self.events.push(Event::Header(*header));
    }
    fn on_record(&mut self, record: &Record) {
        self.events.push(Event::Record(*record));
    }
    fn on_body(&mut self, offset: u64, bytes: &[u8]) {
        // Pieces follow each other without gaps; the first one's offset counts, and each byte.
        match self.body_at {
            None => self.body.write_u64(offset),
            Some(at) => assert_eq!(at, offset, "a gap between the pieces of a body"),
        }
        for byte in bytes {
            self.body.write_u8(*byte);
        }
        self.body_at = Some(offset + bytes.len() as u64);
    }
    fn on_pfns(&mut self, entries: Pfns<'_>) {
        for (at, entry) in (entries.offset()..).step_by(8).zip(entries.iter()) {
            self.entries.write_u64(at);
            self.entries.write_u64(entry.bits());
        }
    }
    fn on_page_batch(&mut self, batch: &PageBatch) {
        self.events.push(Event::Batch(*batch));
    }
    fn on_warning(&mut self, warning: &Violation) {
        self.events.push(Event::Warning(*warning));
    }
    fn on_finding(&mut self, finding: &Violation) {
        self.events.push(Event::Finding(*finding));
    }
}
