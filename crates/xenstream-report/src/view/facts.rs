//! The head of the page: the verdict, and what kind of image it is.

use std::collections::BTreeSet;

use xenstream::{Format, Guest, Report, Summary, Untrusted, Verdict, Violation};

use super::Subject;
use crate::collect::Collector;
use crate::numbers::{bytes, counted, grouped};

/// The head of the page.
pub(crate) struct Facts {
    /// The verdict in a word.
    pub(crate) verdict: &'static str,
    /// The same as a heading.
    pub(crate) title: &'static str,
    /// The verdict in a sentence.
    pub(crate) sentence: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) notes: Vec<String>,
}

/// A thing that can be said of an image.
pub(crate) struct Fact {
    /// Its id in the page.
    pub(crate) id: &'static str,
    pub(crate) term: &'static str,
    pub(crate) text: String,
    /// The number in it, for programs.
    pub(crate) number: Option<u64>,
    pub(crate) aside: String,
}

impl Facts {
    pub(crate) fn new(subject: &Subject<'_>, report: &Report, collector: &Collector) -> Facts {
        Facts {
            verdict: report.verdict.name(),
            title: match report.verdict {
                Verdict::Valid => "Valid",
                Verdict::Invalid(_) => "Invalid",
                Verdict::Unjudged(_) => "Unjudged",
            },
            sentence: sentence(report),
            facts: facts(subject, report, collector),
            notes: notes(report),
        }
    }
}

fn sentence(report: &Report) -> String {
    let warnings = report.warnings.listed().len();
    match report.violation() {
        Some(violation) if violation.is_unjudged() => {
            format!(
                "Verified up to byte {}; the rest cannot be judged: {}.",
                grouped(violation.offset),
                violation.message()
            )
        }
        Some(Violation { rule, offset, .. }) if report.findings.listed().len() > 1 => {
            let profile = report.profile;
            let broken: BTreeSet<_> = report.findings.listed().iter().map(|finding| finding.rule).collect();
            let first = grouped(*offset);
            match broken.len() {
                1 => format!(
                    "{rule} is broken {}, first at offset {first}.",
                    counted(report.findings.count(*rule), "time")
                ),
                rules => format!(
                    "{} of profile {profile} are broken, the first at offset {first}.",
                    counted(rules as u64, "rule")
                ),
            }
        }
        Some(violation) => {
            let rule = violation.rule;
            format!("{rule}: {}, at offset {}.", violation.message(), grouped(violation.offset))
        }
        None if warnings > 0 => {
            format!("Profile {} finds no error, but there are warnings.", report.profile)
        }
        None => format!("Profile {} finds nothing wrong.", report.profile),
    }
}

fn facts(subject: &Subject<'_>, report: &Report, collector: &Collector) -> Vec<Fact> {
    let summary = &report.summary;
    let mut facts = Vec::new();
    let mut add = |id, term, text: String, number, aside: String| {
        facts.push(Fact { id, term, text, number, aside });
    };
    if let Some(path) = subject.path {
        add("path", "File", Untrusted::from(path).to_string(), None, String::new());
    }
    if let Some(date) = subject.date {
        add("date", "Looked at", date.to_owned(), None, String::new());
    }
    if let Some(name) = &report.guest.name {
        let uuid =
            report.guest.uuid.as_deref().map(|uuid| Untrusted::from(uuid).to_string()).unwrap_or_default();
        add("name", "Name of the guest", Untrusted::from(name.as_str()).to_string(), None, uuid);
    }
    if let Some(kib) = report.guest.memory_kib {
        add(
            "memory",
            "Memory of the guest",
            bytes(kib.saturating_mul(1024)),
            None,
            "from its configuration".to_owned(),
        );
    }
    if report.has_qemu_traditional() {
        add("device-model", "Device model", "qemu-traditional".to_owned(), None, String::new());
    }
    if report.format != Format::Auto {
        let aside = report.compression.map(|method| format!("in {method}")).unwrap_or_default();
        add("format", "Format", report.format.to_string(), None, aside);
    }
    if report.is_valid() {
        let text = match report.target {
            Some(target) => format!("{target}, the target"),
            None => summary.releases.accepted_by().to_string(),
        };
        let reasons: Vec<String> = summary
            .releases
            .refusals()
            .map(|refusal| format!("{} at offset {}", refusal.fact, grouped(refusal.offset)))
            .collect();
        add("releases", "Restores on", text, None, reasons.join(", "));
    }
    if let Some(guest) = summary.guest {
        let text = match (guest, collector.vcpus.is_pvh()) {
            (Guest::Pv, _) => "PV",
            (Guest::Hvm, Some(true)) => "PVH",
            (Guest::Hvm, Some(false)) => "HVM",
            (Guest::Hvm, None) => "HVM or PVH",
        };
        let width = summary.guest_width.map(|width| format!("{}-bit", u32::from(width) * 8));
        let vcpus = collector.vcpus.number();
        let vcpus = (vcpus > 0).then(|| format!("{} online", counted(vcpus, "vcpu")));
        let aside: Vec<_> = width.into_iter().chain(vcpus).collect();
        add("guest", "Guest", text.to_owned(), None, aside.join(", "));
    }
    if let Some((major, minor)) = summary.xen {
        let aside =
            summary.libxc_version.map(|version| format!("stream version {version}")).unwrap_or_default();
        let text = match major {
            // The converter of legacy streams puts its own version into the minor one.
            0 => format!("legacy converter {minor}"),
            _ => format!("Xen {major}.{minor}"),
        };
        add("xen", "Written by", text, None, aside);
    }
    add("profile", "Profile", report.profile.to_string(), None, String::new());
    let size = format!("{} bytes", grouped(summary.bytes));
    add("bytes", "Stream", bytes(summary.bytes), Some(summary.bytes), size);
    let pages = summary.pages.with_data();
    add("pages", "Pages with data", grouped(pages), Some(pages), bytes(summary.pages.bytes()));
    let records = summary.records.total();
    add("records", "Records", grouped(records), Some(records), beside_records(summary));
    let read = format!("{} read", bytes(report.bytes_read));
    add("time", "Verified in", duration(report.elapsed.as_secs_f64()), None, read);
    facts
}

fn beside_records(summary: &Summary) -> String {
    match (summary.records.container(), summary.checkpoints, summary.restorable_to_checkpoint) {
        (0, 0, _) => String::new(),
        (0, n, None) => counted(n, "checkpoint"),
        (0, n, Some(last)) => {
            format!("{}, restorable to number {}", counted(n, "checkpoint"), grouped(last))
        }
        (headers, ..) => format!("and {} around them", counted(headers, "header")),
    }
}

fn notes(report: &Report) -> Vec<String> {
    let derived = report.notable_limits().map(|derived| match derived.memory_kib {
        Some(kib) => format!(
            "Limit {} was lowered to {:#x}, from the {} of memory in the configuration.",
            derived.limit,
            derived.value,
            bytes(kib.saturating_mul(1024))
        ),
        None => {
            format!("Limit {} was lowered to {}, as the configuration says.", derived.limit, derived.value)
        }
    });
    // Past a rule of this kind nothing can be framed.
    let last = report.findings.listed().last().or(report.violation());
    let stopped = last.is_some_and(|violation| violation.rule.is_structural()).then(|| {
        format!(
            "The pictures show the stream up to byte {}, where reading stopped.",
            grouped(report.summary.bytes)
        )
    });
    let unchecked = report.unchecked_note().map(|note| format!("{note}."));
    derived.chain(unchecked).chain(stopped).collect()
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..0.001 => format!("{:.0} µs", seconds * 1e6),
        ..1.0 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.1} s"),
    }
}
