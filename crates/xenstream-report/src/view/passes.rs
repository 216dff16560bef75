//! The rounds in which memory was sent.

use crate::collect::{Round, Rounds};
use crate::numbers::{bytes, counted, grouped, percent, share};

/// The rounds.
pub(crate) struct Passes {
    pub(crate) rows: Vec<Row>,
    /// What they come to, in a sentence.
    pub(crate) sentence: String,
}

/// A round, or several merged ones.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) label: String,
    /// What ends it.
    pub(crate) mark: String,
    pub(crate) offset: String,
    pub(crate) records: String,
    pub(crate) pages: String,
    /// The pages, for programs.
    pub(crate) number: u64,
    pub(crate) again: String,
    pub(crate) again_share: String,
    pub(crate) bytes: String,
    /// Lengths of its bar.
    pub(crate) new_width: f64,
    pub(crate) again_width: f64,
    /// The bar is longer than can be shown, and cut short.
    pub(crate) is_cut: bool,
}

impl Passes {
    pub(crate) fn new(rounds: &Rounds) -> Option<Passes> {
        let list = rounds.list();
        let full = full_length(list)?;
        let (pages, again) = list
            .iter()
            .fold((0u64, 0u64), |(pages, again), round| (pages + round.pages, again + round.again));
        let sentence = match (rounds.number(), again) {
            (1, _) => "Memory was sent in one round, as for a guest that is not saved live.".to_owned(),
            (n, 0) => format!("Memory was sent in {}, and no page twice.", counted(n, "round")),
            (n, again) => format!(
                "Memory was sent in {}: {} with data, {} ({}) of them again.",
                counted(n, "round"),
                counted(pages, "page"),
                grouped(again),
                percent(again, pages)
            ),
        };
        Some(Passes { rows: list.iter().map(|round| row(round, full)).collect(), sentence })
    }

    /// Whether any bar is shortened.
    pub(crate) fn is_any_cut(&self) -> bool {
        self.rows.iter().any(|row| row.is_cut)
    }
}

/// What a round is called.
pub(crate) fn label(round: &Round) -> String {
    match (round.rounds, round.verifies) {
        (1, true) => "comparison".to_owned(),
        (1, false) => format!("round {}", grouped(round.number)),
        (n, _) => format!("rounds {}–{}", grouped(round.number), grouped(round.number + n - 1)),
    }
}

/// How many pages a full bar stands for. One round that dwarfs the others, as the first does, would leave nothing of
/// them to see: its bar is cut short.
fn full_length(list: &[Round]) -> Option<u64> {
    let mut lengths: Vec<u64> = list.iter().map(|round| round.pages).collect();
    lengths.sort_unstable();
    let longest = lengths.pop()?;
    match lengths.pop() {
        Some(second) if second > 0 && longest / second >= 4 => Some(second.saturating_mul(2)),
        _ => Some(longest),
    }
}

fn row(round: &Round, full: u64) -> Row {
    let new = round.pages.saturating_sub(round.again);
    let new_width = share(new, full);
    let mark = match (round.checkpoints, round.verifies) {
        (0, true) => "after VERIFY".to_owned(),
        (0, false) => String::new(),
        (1, _) => "checkpoint".to_owned(),
        (n, _) => counted(n, "checkpoint"),
    };
    Row {
        id: format!("round-{}", round.number),
        label: label(round),
        mark,
        offset: grouped(round.start),
        records: grouped(round.records),
        pages: grouped(round.pages),
        number: round.pages,
        again: grouped(round.again),
        again_share: percent(round.again, round.pages),
        bytes: bytes(round.bytes),
        new_width,
        again_width: share(round.again, full).min(100.0 - new_width),
        is_cut: round.pages > full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of this many pages each, all but those of the first sent before.
    fn passes(pages: &[u64]) -> Passes {
        let mut rounds = Rounds::new();
        for (n, pages) in pages.iter().enumerate() {
            rounds.record(100 * n as u64, 100);
            rounds.entry(0);
            rounds.count(*pages, *pages, if n == 0 { 0 } else { *pages });
        }
        Passes::new(&rounds).unwrap()
    }

    fn widths(passes: &Passes) -> Vec<(f64, f64, bool)> {
        passes.rows.iter().map(|row| (row.new_width, row.again_width, row.is_cut)).collect()
    }

    #[test]
    fn a_bar_that_dwarfs_the_others_is_cut() {
        let far = passes(&[1000, 50, 25]);
        assert_eq!(widths(&far), [(100.0, 0.0, true), (0.0, 50.0, false), (0.0, 25.0, false)]);
        assert!(far.is_any_cut());
        let near = passes(&[100, 50]);
        assert_eq!(widths(&near), [(100.0, 0.0, false), (0.0, 50.0, false)]);
        assert_eq!(widths(&passes(&[0])), [(0.0, 0.0, false)]);
    }

    #[test]
    fn sentences() {
        assert!(passes(&[7]).sentence.starts_with("Memory was sent in one round"));
        let sentence = passes(&[7, 3]).sentence;
        assert_eq!(sentence, "Memory was sent in 2 rounds: 10 pages with data, 3 (30.0 %) of them again.");
    }
}
