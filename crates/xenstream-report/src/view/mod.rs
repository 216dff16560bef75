//! The page: what was collected, laid out. The templates hold the markup, these files the numbers in it.

mod facts;
mod findings;
mod map;
mod passes;
mod records;
mod registers;
mod sizes;
mod timeline;

use std::io::{self, Write};

use askama::Template;
use xenstream::Report;

use crate::collect::Collector;
use crate::kinds::{Group, Lane};

/// Bytes that a page has at most.
pub const PAGE_MAX: usize = 300 * 1024;

/// Writes the page about an image of this name: XHTML-compatible HTML 5 in UTF-8, with everything in it that it needs.
///
/// # Errors
/// It could not be written.
pub fn write_page(mut out: impl Write, name: &str, report: &Report, collector: &Collector) -> io::Result<()> {
    Page::new(name, report, collector).write_into(&mut out)?;
    // Askama takes the template's last newline for its own.
    writeln!(out)
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    name: String,
    facts: facts::Facts,
    findings: findings::Findings,
    timeline: timeline::Timeline,
    map: Option<map::Map>,
    passes: Option<passes::Passes>,
    sizes: sizes::Sizes,
    registers: Option<registers::Registers>,
    records: Vec<records::Row>,
    legend: Vec<Group>,
}

impl Page {
    fn new(name: &str, report: &Report, collector: &Collector) -> Page {
        let summary = &report.summary;
        let places = records::Places::new(collector, summary.bytes);
        let findings = findings::Findings::new(report, &places);
        let timeline = timeline::Timeline::new(collector, &places, &findings);
        let legend = Group::ALL.into_iter().filter(|group| places.has(*group)).collect();
        Page {
            name: legible(name),
            facts: facts::Facts::new(report, collector),
            timeline,
            map: map::Map::new(&collector.memory, report),
            passes: passes::Passes::new(&collector.rounds),
            sizes: sizes::Sizes::new(collector, summary.bytes),
            registers: registers::Registers::new(collector, summary.bytes, summary.checkpoints),
            records: places.rows(),
            findings,
            legend,
        }
    }
}

/// A name without what no page may hold.
fn legible(name: &str) -> String {
    let is_legible = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{FFFE}' | '\u{FFFF}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    name.chars().map(|c| if is_legible(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_neither_break_nor_turn_a_page() {
        assert_eq!(legible("a\0b\nc\u{FFFE}d\u{202E}e"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}e");
        assert_eq!(legible("Gäste <&>.save"), "Gäste <&>.save");
    }
}
