//! Rounds in which memory was sent.

use super::condensed::{Condensed, Span};

/// The number of rounds that are kept apart.
const LIMIT: usize = 48;

/// Memory, sent once through. Savers send pages by ascending pfn; a record that begins at or below the highest pfn of
/// the one before it begins another round. So does memory after VERIFY and CHECKPOINT.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    /// Number of the first round, counted from 1, and how many are merged.
    pub(crate) number: u64,
    pub(crate) rounds: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) records: u64,
    pub(crate) entries: u64,
    /// Pages with data.
    pub(crate) pages: u64,
    /// Those of them that had been sent before.
    pub(crate) again: u64,
    /// Bytes of its PAGE_DATA records.
    pub(crate) bytes: u64,
    /// It is there for comparison.
    pub(crate) verifies: bool,
    /// Checkpoints that end it, or some of it.
    pub(crate) checkpoints: u64,
}

impl Span for Round {
    fn start(&self) -> u64 {
        self.start
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn merge(&mut self, next: &Round) {
        self.rounds = self.rounds.saturating_add(next.rounds);
        self.end = self.end.max(next.end);
        self.records = self.records.saturating_add(next.records);
        self.entries = self.entries.saturating_add(next.entries);
        self.pages = self.pages.saturating_add(next.pages);
        self.again = self.again.saturating_add(next.again);
        self.bytes = self.bytes.saturating_add(next.bytes);
        self.verifies |= next.verifies;
        self.checkpoints = self.checkpoints.saturating_add(next.checkpoints);
    }
}

/// All rounds.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    list: Condensed<Round>,
    begun: u64,
    /// Highest pfn of the last record in this round; none where a new round is due.
    highest: Option<u64>,
    /// The record that is passing.
    record: Option<Passing>,
    verifies: bool,
}

/// A PAGE_DATA record whose entries pass.
#[derive(Clone, Copy, Debug)]
struct Passing {
    start: u64,
    bytes: u64,
    highest: Option<u64>,
}

impl Rounds {
    pub(crate) fn new() -> Rounds {
        Rounds { list: Condensed::new(LIMIT), begun: 0, highest: None, record: None, verifies: false }
    }

    /// A PAGE_DATA record begins.
    pub(crate) fn record(&mut self, start: u64, bytes: u64) {
        self.close_record();
        self.record = Some(Passing { start, bytes, highest: None });
    }

    /// An entry of that record has this pfn. Returns the number of its round.
    #[inline]
    pub(crate) fn entry(&mut self, pfn: u64) -> u64 {
        if let Some(record) = &mut self.record {
            let is_first = record.highest.is_none();
            record.highest = record.highest.max(Some(pfn));
            if is_first {
                self.enter(pfn);
            }
        }
        self.begun
    }

    /// Counts entries of the round, pages with data among them, and those that had been sent before.
    pub(crate) fn count(&mut self, entries: u64, pages: u64, again: u64) {
        if let Some(round) = self.list.last_mut() {
            round.entries = round.entries.saturating_add(entries);
            round.pages = round.pages.saturating_add(pages);
            round.again = round.again.saturating_add(again);
        }
    }

    /// What follows is there for comparison.
    pub(crate) fn verify(&mut self) {
        self.end_round();
        self.verifies = true;
    }

    /// A checkpoint ends.
    pub(crate) fn checkpoint(&mut self) {
        self.end_round();
        if let Some(round) = self.list.last_mut() {
            round.checkpoints = round.checkpoints.saturating_add(1);
        }
    }

    /// The rounds, in stream order.
    pub(crate) fn list(&self) -> &[Round] {
        self.list.items()
    }

    /// How many there are, told apart or not.
    pub(crate) fn number(&self) -> u64 {
        self.begun
    }

    /// The first entry of a record decides to which round it belongs.
    fn enter(&mut self, pfn: u64) {
        let Some(Passing { start, bytes, .. }) = self.record else { return };
        if self.highest.is_none_or(|highest| pfn <= highest) {
            self.begun += 1;
            self.list.push(Round {
                number: self.begun,
                rounds: 1,
                start,
                end: start,
                records: 0,
                entries: 0,
                pages: 0,
                again: 0,
                bytes: 0,
                verifies: self.verifies,
                checkpoints: 0,
            });
        }
        if let Some(round) = self.list.last_mut() {
            round.records = round.records.saturating_add(1);
            round.bytes = round.bytes.saturating_add(bytes);
            round.end = start.saturating_add(bytes);
        }
    }

    fn close_record(&mut self) {
        if let Some(Passing { highest: Some(highest), .. }) = self.record.take() {
            self.highest = Some(highest);
        }
    }

    fn end_round(&mut self) {
        self.record = None;
        self.highest = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records, each with the pfns of its entries.
    fn rounds(records: &[&[u64]]) -> Rounds {
        let mut rounds = Rounds::new();
        for (index, pfns) in records.iter().enumerate() {
            rounds.record(100 * index as u64, 100);
            for pfn in *pfns {
                rounds.entry(*pfn);
            }
            rounds.count(pfns.len() as u64, 0, 0);
        }
        rounds
    }

    fn records(rounds: &Rounds) -> Vec<u64> {
        rounds.list().iter().map(|round| round.records).collect()
    }

    #[test]
    fn a_round_begins_where_pfns_begin_again() {
        let rounds = rounds(&[&[0, 1], &[2, 3], &[5, 9], &[1, 2], &[9], &[9], &[0]]);
        assert_eq!(records(&rounds), [3, 2, 1, 1]);
        assert_eq!(rounds.list()[1].start, 300);
        assert_eq!(rounds.list()[1].end, 500);
        assert_eq!(rounds.number(), 4);
    }

    #[test]
    fn markers_begin_rounds() {
        let mut rounds = rounds(&[&[0], &[1]]);
        rounds.checkpoint();
        rounds.record(200, 10);
        assert_eq!(rounds.entry(2), 2);
        rounds.verify();
        rounds.record(210, 10);
        assert_eq!(rounds.entry(3), 3);
        let reported: Vec<_> =
            rounds.list().iter().map(|round| (round.checkpoints, round.verifies)).collect();
        assert_eq!(reported, [(1, false), (0, false), (0, true)]);
    }

    #[test]
    fn any_number_of_rounds_fits() {
        let rounds = rounds(&[&[0][..]; 5000]);
        assert!(rounds.list().len() <= LIMIT);
        assert_eq!(rounds.number(), 5000);
        assert_eq!(rounds.list().iter().map(|round| round.rounds).sum::<u64>(), 5000);
        assert_eq!(rounds.list().iter().map(|round| round.entries).sum::<u64>(), 5000);
    }

    #[test]
    fn nothing_is_no_round() {
        let mut rounds = Rounds::new();
        rounds.checkpoint();
        rounds.verify();
        rounds.record(0, 16);
        rounds.record(16, 16);
        assert_eq!(rounds.entry(0), 1);
        assert_eq!(rounds.list().len(), 1);
    }
}
