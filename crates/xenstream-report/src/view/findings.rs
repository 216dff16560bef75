//! What was found, each thing linked to its place.

use xenstream::{Report, Violation};

use super::records::Places;
use crate::numbers::{counted, grouped};

/// How many findings are shown one by one, warnings included.
const SHOWN: usize = 32;

/// What was found.
pub(crate) struct Findings {
    pub(crate) list: Vec<Finding>,
    /// Sums of what the list leaves out.
    pub(crate) more: Vec<String>,
}

/// A broken rule.
pub(crate) struct Finding {
    /// Its number on this page.
    pub(crate) number: usize,
    pub(crate) is_error: bool,
    level: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) message: String,
    pub(crate) why: &'static str,
    pub(crate) offset: u64,
    pub(crate) hex: String,
    pub(crate) decimal: String,
    /// The record in which it was found, in words.
    pub(crate) record: String,
    /// Id of its row in the table of records.
    pub(crate) row: Option<String>,
}

impl Finding {
    pub(crate) fn level(&self) -> &'static str {
        self.level
    }

    fn new(number: usize, is_error: bool, violation: &Violation, places: &Places<'_>) -> Finding {
        let offset = violation.offset;
        let level = match is_error {
            true if violation.is_unjudged() => "unjudged",
            true => "error",
            false => "warning",
        };
        let layer = violation.record.map(|record| record.layer);
        Finding {
            number,
            is_error: level == "error",
            level,
            rule: violation.rule.name(),
            message: violation.message().to_string(),
            why: violation.rule.entry().why,
            offset,
            hex: format!("{offset:#x}"),
            decimal: grouped(offset),
            record: violation.record.map(|record| record.to_string()).unwrap_or_default(),
            row: places.find(offset, layer).map(|place| place.id.clone()),
        }
    }
}

impl Findings {
    pub(crate) fn new(report: &Report, places: &Places<'_>) -> Findings {
        let verdict = report.violation().filter(|_| report.findings.is_empty());
        let errors = report.findings.listed().iter().chain(verdict).map(|violation| (true, violation));
        let warnings = report.warnings.listed().iter().map(|violation| (false, violation));
        let all = errors.chain(warnings);
        let total = all.clone().count();
        let mut shown: Vec<_> = all.take(SHOWN).collect();
        shown.sort_by_key(|(_, violation)| violation.offset);
        let list = shown.into_iter().zip(1..);
        let list =
            list.map(|((is_error, violation), number)| Finding::new(number, is_error, violation, places));
        let more_of = |what, findings: &xenstream::Findings| -> Vec<String> {
            let times = |(rule, n)| format!("{what}: {rule}: {}", counted(n, "more time"));
            findings.unlisted().map(times).collect()
        };
        let mut more = more_of("error", &report.findings);
        more.extend(more_of("warning", &report.warnings));
        if total > SHOWN {
            more.push(format!(
                "{} not listed, for lack of room",
                counted((total - SHOWN) as u64, "more finding")
            ));
        }
        Findings { list: list.collect(), more }
    }
}
