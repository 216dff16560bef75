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
use xenstream::{Report, Untrusted};

use crate::collect::Collector;
use crate::kinds::{Group, Lane};

/// Bytes that a page has at most.
pub const PAGE_MAX: usize = 300 * 1024;

/// What a page is about.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "what the caller knows of the image, written as a literal")]
pub struct Subject<'a> {
    /// The image's name, the page's heading.
    pub name: &'a str,
    /// Where the image is.
    pub path: Option<&'a str>,
    /// When the page was made.
    pub date: Option<&'a str>,
}

impl<'a> From<&'a str> for Subject<'a> {
    fn from(name: &'a str) -> Subject<'a> {
        Subject { name, ..Subject::default() }
    }
}

/// Returns whether a file that begins like this, with 1 KiB at least, is a page that [`write_page`] wrote.
#[must_use]
pub fn is_page(start: &[u8]) -> bool {
    let generator = br#"<meta name="generator" content="xenstream "#;
    start.starts_with(b"<!DOCTYPE html>") && start.windows(generator.len()).any(|window| window == generator)
}

/// Writes the page about an image of this name: XHTML-compatible HTML 5 in UTF-8, with everything in it that it needs.
///
/// # Errors
/// It could not be written.
pub fn write_page<'a>(
    mut out: impl Write,
    subject: impl Into<Subject<'a>>,
    report: &Report,
    collector: &Collector,
) -> io::Result<()> {
    Page::new(&subject.into(), report, collector).write_into(&mut out)?;
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
    fn new(subject: &Subject<'_>, report: &Report, collector: &Collector) -> Page {
        let summary = &report.summary;
        let places = records::Places::new(collector, summary.bytes);
        let findings = findings::Findings::new(report, &places);
        let timeline = timeline::Timeline::new(collector, &places, &findings);
        let legend = Group::ALL.into_iter().filter(|group| places.has(*group)).collect();
        Page {
            name: Untrusted::from(subject.name).to_string(),
            facts: facts::Facts::new(subject, report, collector),
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
