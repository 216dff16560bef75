//! Runs of records of one type, one after the other in their layer.

use xenstream::{Layer, Record};

use super::condensed::{Condensed, Span};
use crate::kinds::{Group, Lane};

/// The number of runs of each lane that are kept apart: about what is visible, and what keeps the page small.
const LIMITS: [usize; 4] = [16, 48, 160, 48];

/// Slots of a lane's types: those that are known, then headers, then unknown types.
pub(crate) const SLOTS: usize = 32;
const HEADERS: usize = SLOTS - 2;
const UNKNOWN: usize = SLOTS - 1;

/// What a run consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A header outside any record: its layer, and its name there.
    Header(Layer, &'static str),
    /// Records of the type of this number.
    Kind(u64),
    /// Several things, each of them small.
    Mixed,
}

/// Records of one type, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) lane: Lane,
    pub(crate) what: What,
    /// Number of the first record in its layer.
    pub(crate) first: u64,
    pub(crate) records: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Bytes of the records themselves; what lies between them is not theirs.
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    pub(crate) pages: u64,
    /// A bit for each slot that occurs.
    slots: u32,
}

impl Run {
    /// A header. It is no record.
    pub(crate) fn header(lane: Lane, what: What, offset: u64, bytes: u64) -> Run {
        Run { records: 0, ..Run::new(lane, what, HEADERS, 0, offset, bytes) }
    }

    fn record(lane: Lane, record: &Record) -> Run {
        let slot = lane.known(record.kind).map_or(UNKNOWN, |(index, _)| index);
        Run::new(
            lane,
            What::Kind(record.kind),
            slot,
            record.index,
            record.offset,
            record.end().saturating_sub(record.offset),
        )
    }

    fn new(lane: Lane, what: What, slot: usize, first: u64, start: u64, bytes: u64) -> Run {
        let end = start.saturating_add(bytes);
        Run { lane, what, first, records: 1, start, end, bytes, entries: 0, pages: 0, slots: 1 << slot }
    }

    pub(crate) fn group(&self) -> Group {
        match self.what {
            What::Header(..) => Group::Header,
            What::Kind(number) => {
                self.lane.known(number).map_or(Group::Unknown, |(_, known)| Group::of(known))
            }
            What::Mixed => Group::Mixed,
        }
    }

    /// What is in it, for people.
    pub(crate) fn label(&self) -> String {
        match self.what {
            // There are two in a libxc stream, which have names of their own.
            What::Header(Layer::Libxc, name) => name.to_owned(),
            What::Header(layer, name) => format!("{layer} {name}"),
            What::Kind(number) => self.lane.label(number),
            What::Mixed => self.names(),
        }
    }

    /// The first few of the types that occur.
    fn names(&self) -> String {
        const NAMED: usize = 3;
        let slots = (0..SLOTS).filter(|slot| self.slots >> slot & 1 == 1);
        let mut names: Vec<_> = slots.map(|slot| slot_label(self.lane, slot)).collect();
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        let named = names.join(", ");
        if more > 0 { format!("{named} and {more} more") } else { named }
    }
}

/// What is in a slot, for people.
pub(crate) fn slot_label(lane: Lane, slot: usize) -> String {
    match lane.types().nth(slot) {
        Some(known) => known.name.to_owned(),
        None if slot == HEADERS => "header".to_owned(),
        None => "unknown types".to_owned(),
    }
}

/// What is in a slot, in a few words, and its color.
pub(crate) fn slot_words(lane: Lane, slot: usize) -> (&'static str, Group) {
    match lane.types().nth(slot) {
        Some(known) => (known.meaning, Group::of(known)),
        None if slot == HEADERS => (lane.header_words(), Group::Header),
        None => ("types that no specification names", Group::Unknown),
    }
}

impl Span for Run {
    fn start(&self) -> u64 {
        self.start
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn merge(&mut self, next: &Run) {
        if self.what != next.what {
            self.what = What::Mixed;
        }
        // A header in front of records has no number.
        if self.records == 0 {
            self.first = next.first;
        }
        self.records = self.records.saturating_add(next.records);
        self.end = self.end.max(next.end);
        self.bytes = self.bytes.saturating_add(next.bytes);
        self.entries = self.entries.saturating_add(next.entries);
        self.pages = self.pages.saturating_add(next.pages);
        self.slots |= next.slots;
    }
}

/// Records and bytes of one slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// The runs of every lane, and sums by type.
#[derive(Clone, Debug)]
pub(crate) struct Runs {
    lanes: [Condensed<Run>; 4],
    sums: [[Sum; SLOTS]; 4],
    /// Slot and end of each lane's last record.
    last: [Option<(usize, u64)>; 4],
}

impl Runs {
    pub(crate) fn new() -> Runs {
        Runs { lanes: LIMITS.map(Condensed::new), sums: [[Sum::default(); SLOTS]; 4], last: [None; 4] }
    }

    pub(crate) fn header(&mut self, run: Run) {
        self.add(run);
    }

    pub(crate) fn record(&mut self, lane: Lane, record: &Record) {
        self.add(Run::record(lane, record));
    }

    /// Entries and pages of the PAGE_DATA record that passed last.
    pub(crate) fn batch(&mut self, entries: u64, pages: u64) {
        if let Some(run) = self.lanes[Lane::Libxc as usize].last_mut() {
            run.entries = run.entries.saturating_add(entries);
            run.pages = run.pages.saturating_add(pages);
        }
    }

    /// The runs of a lane, in stream order.
    pub(crate) fn lane(&self, lane: Lane) -> &[Run] {
        self.lanes[lane as usize].items()
    }

    /// Records and bytes by slot, of a stream of which this many bytes were read.
    pub(crate) fn sums(&self, lane: Lane, bytes: u64) -> [Sum; SLOTS] {
        let mut sums = self.sums[lane as usize];
        if let Some((slot, end)) = self.last[lane as usize] {
            // The last record may have announced more than there was.
            let sum = &mut sums[slot].bytes;
            *sum = sum.saturating_sub(end.saturating_sub(bytes));
        }
        sums
    }

    fn add(&mut self, run: Run) {
        let lane = run.lane as usize;
        let slot = run.slots.trailing_zeros() as usize;
        let sum = &mut self.sums[lane][slot];
        sum.records = sum.records.saturating_add(1);
        sum.bytes = sum.bytes.saturating_add(run.bytes);
        self.last[lane] = Some((slot, run.end));
        match self.lanes[lane].last_mut() {
            Some(last) if last.what == run.what && last.end == run.start => last.merge(&run),
            _ => self.lanes[lane].push(run),
        }
    }
}
