//! What the page shows of an image, in the program's words.

use std::io::Write;

use anstream::StripStream;
use serde::Serialize;
use xenstream::inspect::{Inspection, inspect};
use xenstream::{Compression, Input, Profile, ReadAt, Refusal, Report, Violation, verify};
use xenstream_report::{Collector, write_page};
use xenstream_text as text;

use crate::Choices;
use crate::rows::{Line, Rows};

/// An image, judged.
#[derive(Debug, Serialize)]
struct Answer {
    /// `valid`, `invalid`, `unjudged` or `error`.
    verdict: &'static str,
    /// The verdict as it is shown.
    word: String,
    description: String,
    guest: String,
    restores_on: Option<String>,
    refused: Vec<Reason>,
    hosts: Vec<String>,
    findings: Vec<Finding>,
    notes: Vec<String>,
    /// Lines of hex around the verdict's place, and below them arrows at the field.
    view: String,
    rows: Vec<Line>,
    row_count: u64,
    /// All of it as text for a ticket.
    text: String,
}

/// Why some releases refuse an image that others take.
#[derive(Debug, Serialize)]
struct Reason {
    releases: String,
    fact: &'static str,
    title: &'static str,
    place: String,
}

/// Something that was found.
#[derive(Debug, Serialize)]
struct Finding {
    /// `error`, `warning` or `unjudged`.
    level: &'static str,
    rule: &'static str,
    message: String,
    place: String,
    offset: u64,
}

impl Finding {
    fn new(level: &'static str, violation: &Violation, warned_by: Option<Profile>) -> Finding {
        Finding {
            level,
            rule: violation.rule.name(),
            message: text::message(violation, warned_by),
            place: text::place(violation.offset, violation.record.as_ref()),
            offset: violation.offset,
        }
    }

    fn all(report: &Report) -> Vec<Finding> {
        let verdict = report.violation().filter(|_| report.findings.is_empty());
        let level = if report.verified_bytes().is_some() { "unjudged" } else { "error" };
        let verdict = verdict.map(|violation| Finding::new(level, violation, None));
        let errors = report.findings.listed().iter().map(|violation| Finding::new("error", violation, None));
        let warnings = report.warnings.listed().iter();
        let warnings = warnings.map(|violation| Finding::new("warning", violation, Some(report.profile)));
        verdict.into_iter().chain(errors).chain(warnings).collect()
    }
}

/// Judges an image, and returns what the page shows of it as JSON. `compression` says how the file was compressed that the
/// image was taken from.
#[must_use]
pub fn judge(file: &dyn ReadAt, name: &str, choices: &Choices, compression: Option<Compression>) -> String {
    let mut rows = Rows::default();
    let answer = match inspect(Input::Positioned(file), &choices.options(), &mut rows) {
        Ok(Inspection { mut report, view, .. }) => {
            report.compression = compression;
            let view = view.zip(report.violation().copied());
            let view = view.map_or_else(String::new, |(view, violation)| {
                let is_one_of_many = report.findings.listed().len() > 1;
                plain(|out| text::hex::view(out, &view, &violation, is_one_of_many))
            });
            let (rows, row_count) = rows.finish();
            Answer::new(name, &report, view, rows, row_count)
        }
        Err(error) => Answer::failed(name, &error),
    };
    serde_json::to_string(&answer).unwrap_or_default()
}

impl Answer {
    fn new(name: &str, report: &Report, view: String, rows: Vec<Line>, row_count: u64) -> Answer {
        let releases = &report.summary.releases;
        let is_valid = report.is_valid();
        let refused = releases.refusals().filter(|_| is_valid && report.target.is_none());
        let mut text = plain(|out| {
            text::report(out, name, report)?;
            text::unchecked(out, report)?;
            text::guest(out, report)?;
            if is_valid { text::reasons(out, report) } else { Ok(()) }
        });
        text.push_str(&view);
        Answer {
            verdict: report.verdict.name(),
            word: text::verdict(report),
            description: text::description(report),
            guest: text::guest_line(report),
            restores_on: is_valid.then(|| text::restores_on(report)),
            refused: refused.map(|refusal| Reason::new(&refusal)).collect(),
            hosts: releases.depends_on_host().filter(|_| is_valid).map(text::host).collect(),
            findings: Finding::all(report),
            notes: notes(report),
            view,
            rows,
            row_count,
            text,
        }
    }

    fn failed(name: &str, error: &xenstream::Error) -> Answer {
        let message = error.to_string();
        Answer {
            verdict: "error",
            word: "error".to_owned(),
            text: format!("{}: error: {message}\n", text::name(name)),
            description: message,
            guest: String::new(),
            restores_on: None,
            refused: Vec::new(),
            hosts: Vec::new(),
            findings: Vec::new(),
            notes: Vec::new(),
            view: String::new(),
            rows: Vec::new(),
            row_count: 0,
        }
    }
}

impl Reason {
    fn new(refusal: &Refusal) -> Reason {
        Reason {
            releases: refusal.releases.to_string(),
            fact: refusal.fact.name(),
            title: refusal.fact.entry().title,
            place: text::place(refusal.offset, refusal.record.as_ref()),
        }
    }
}

/// What else is worth a line.
fn notes(report: &Report) -> Vec<String> {
    let verified = report.violation().filter(|_| report.verified_bytes().is_some()).map(text::verified);
    let unlisted = report.findings.unlisted().chain(report.warnings.unlisted());
    let unlisted = unlisted.map(|(rule, more)| format!("{rule}: {more} more {}", text::plural(more, "time")));
    let hint = report.hint().map(text::advised);
    let lowered = report.notable_limits().map(text::lowered);
    verified.into_iter().chain(hint).chain(unlisted).chain(report.unchecked_note()).chain(lowered).collect()
}

/// Returns the pictures of an image: a page in HTML that needs nothing else; or the reason why there is none.
///
/// # Errors
/// If the image cannot be read.
pub fn pictures(file: &dyn ReadAt, name: &str, choices: &Choices) -> Result<String, String> {
    let mut collector = Collector::new();
    let report = verify(Input::Positioned(file), &choices.options(), &mut collector);
    let report = report.map_err(|error| error.to_string())?;
    let mut page = Vec::new();
    write_page(&mut page, name, &report, &collector).map_err(|error| error.to_string())?;
    String::from_utf8(page).map_err(|error| error.to_string())
}

/// Returns what a rule, a fact or a line of a log means, or nothing if it is not known. Paragraphs are not wrapped.
#[must_use]
pub fn explained(subject: &str) -> String {
    plain(|out| text::explain(out, subject, usize::MAX).map(|_| ()))
}

/// Returns text without the escape sequences of a terminal.
pub(crate) fn plain(write: impl FnOnce(&mut StripStream<Vec<u8>>) -> std::io::Result<()>) -> String {
    let mut out = StripStream::new(Vec::new());
    // Memory takes whatever is written.
    let _ = write(&mut out).and_then(|()| out.flush());
    String::from_utf8_lossy(&out.into_inner()).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use xenstream_synth::{Field, Part, valid};

    use super::*;

    fn answer(bytes: &[u8], choices: &Choices) -> Value {
        serde_json::from_str(&judge(&bytes, "guest.save", choices, None)).unwrap()
    }

    #[test]
    fn valid_image_names_releases_and_records() {
        let answer =
            answer(&valid::hvm().in_libxl().with_device_model().in_xl().bytes(), &Choices::default());
        assert_eq!(answer["verdict"], "valid");
        assert!(answer["restores_on"].as_str().unwrap().contains("XCP-ng"), "{answer}");
        assert!(answer["rows"].as_array().unwrap().iter().any(|row| row["type"] == "PAGE_DATA"));
        assert!(answer["text"].as_str().unwrap().starts_with("guest.save: valid: xl, hvm"), "{answer}");
        assert!(!answer.to_string().contains('\u{1b}'));
    }

    #[test]
    fn invalid_image_shows_the_field() {
        use xenstream::wire::libxc::types::PAGE_DATA;
        let bytes = valid::hvm().edited(Part::libxc(PAGE_DATA), 12, Field::U32(7)).bytes();
        let choices = Choices { profile: "spec".to_owned(), ..Choices::default() };
        let answer = answer(&bytes, &choices);
        assert_eq!(answer["verdict"], "invalid");
        assert_eq!(answer["findings"][0]["rule"], "libxc::page-data-reserved");
        assert!(answer["view"].as_str().unwrap().contains("^^ ^^ ^^ ^^"), "{answer}");
    }

    #[test]
    fn names_from_outside_are_made_harmless() {
        let answer = judge(&&b"x"[..], "a\u{1b}[2J\u{202e}b", &Choices::default(), None);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["text"].as_str().unwrap().starts_with("a\u{fffd}[2J\u{fffd}b: invalid"), "{answer}");
    }

    #[test]
    fn pictures_are_a_page() {
        let page = pictures(&valid::hvm().bytes(), "guest.save", &Choices::default()).unwrap();
        assert!(page.contains("<svg") && page.contains("guest.save"));
    }

    #[test]
    fn every_rule_is_explained() {
        for rule in xenstream::Rule::all() {
            assert!(explained(rule.name()).contains(rule.entry().refuses), "{rule}");
        }
        assert_eq!(explained("no such thing"), "");
    }
}
