//! The verdict on an image, and what was found.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::time::Duration;

use anstyle::Style;
use xenstream::{
    ByteSize, DerivedLimit, Findings, Hint, Profile, RecordRef, Report, Rule, Summary, Untrusted, Verdict,
    Violation,
};

use crate::releases;
use crate::style::{ASIDE, BAD, DOUBTFUL, GOOD, NAME};

/// Prints the verdict on an image and the findings.
///
/// # Errors
/// If the output cannot be written.
pub fn report(out: &mut impl Write, path: impl AsRef<OsStr>, report: &Report) -> io::Result<()> {
    let is_partly = is_partly_checked(report);
    let style = match report.verdict {
        Verdict::Valid if is_partly => DOUBTFUL,
        Verdict::Valid => GOOD,
        Verdict::Invalid(_) => BAD,
        Verdict::Unjudged(_) => DOUBTFUL,
    };
    let verdict = verdict(report);
    writeln!(out, "{}: {style}{verdict}{style:#}: {}", name(path), description(report))?;
    match &report.verdict {
        Verdict::Unjudged(violation) => {
            finding(out, DOUBTFUL, "unjudged", violation, None)?;
            writeln!(out, "    {ASIDE}{}{ASIDE:#}", verified(violation))?;
        }
        Verdict::Invalid(violation) if report.findings.is_empty() => {
            finding(out, BAD, "error", violation, None)?;
        }
        Verdict::Invalid(_) | Verdict::Valid => findings(out, BAD, "error", &report.findings, None)?,
    }
    if let Some(hint) = report.hint() {
        writeln!(out, "    {ASIDE}hint{ASIDE:#}: {}", advised(hint))?;
    }
    findings(out, DOUBTFUL, "warning", &report.warnings, Some(report.profile))?;
    if report.is_valid() {
        releases::accepting(out, report)?;
    }
    if is_partly {
        unchecked(out, report)?;
    }
    for derived in report.notable_limits() {
        writeln!(out, "  {ASIDE}note{ASIDE:#}: {}", lowered(derived))?;
    }
    Ok(())
}

/// Returns the verdict in a word, and how many rules a gate could not check.
#[must_use]
pub fn verdict(report: &Report) -> String {
    let unseen = report.unchecked.len() as u64;
    let verdict = report.verdict.name();
    if is_partly_checked(report) {
        format!("{verdict}, {unseen} {} unchecked", plural(unseen, "rule"))
    } else {
        verdict.to_owned()
    }
}

/// Returns whether a gate must say which rules it could not check.
fn is_partly_checked(report: &Report) -> bool {
    report.is_valid() && report.profile == Profile::Hardened && !report.unchecked.is_empty()
}

/// Says that the configuration lowered a limit.
#[must_use]
pub fn lowered(derived: &DerivedLimit) -> String {
    let DerivedLimit { limit, value, memory_kib, .. } = derived;
    match memory_kib {
        Some(kib) => {
            let memory = bytes(kib.saturating_mul(1024));
            format!("limit {limit} lowered to {value:#x}, from the {memory} of memory in the configuration")
        }
        None => format!("limit {limit} lowered to {value}, as the configuration says"),
    }
}

/// Prints which rules a valid stream could not be checked for.
///
/// # Errors
/// If the output cannot be written.
pub fn unchecked(out: &mut impl Write, report: &Report) -> io::Result<()> {
    match report.unchecked_note() {
        Some(note) => writeln!(out, "  {ASIDE}note{ASIDE:#}: {note}"),
        None => Ok(()),
    }
}

/// Formats a path for people. Bytes that are not UTF-8 and characters that would control a terminal are replaced.
#[must_use]
pub fn name(path: impl AsRef<OsStr>) -> String {
    Untrusted::from(path.as_ref()).to_string()
}

/// Formats a number of bytes in a suitable unit.
#[must_use]
pub fn bytes(n: u64) -> String {
    ByteSize(n).to_string()
}

/// Returns the singular or plural of a noun.
#[must_use]
pub fn plural(n: u64, noun: &str) -> String {
    if n == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// Formats ranges of pfns: the number of pages, and the first few ranges.
#[must_use]
pub fn pfns(ranges: &[RangeInclusive<u64>]) -> String {
    /// The most ranges that a line lists.
    const LISTED: usize = 8;
    let pages = ranges.iter().map(|range| range.end() - range.start() + 1).sum::<u64>();
    let shown = ranges.iter().take(LISTED).map(|range| match (range.start(), range.end()) {
        (first, last) if first == last => format!("{first:#x}"),
        (first, last) => format!("{first:#x}-{last:#x}"),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = match ranges.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more {}", plural(more as u64, "range")),
    };
    format!("{pages} {}, pfn {shown}{more}", plural(pages, "page"))
}

fn findings(
    out: &mut impl Write,
    style: Style,
    what: &str,
    findings: &Findings,
    warned_by: Option<Profile>,
) -> io::Result<()> {
    for violation in findings.listed() {
        finding(out, style, what, violation, warned_by)?;
    }
    for (rule, more) in findings.unlisted() {
        let times = plural(more, "time");
        writeln!(out, "  {style}{what}{style:#}: {NAME}{rule}{NAME:#}: {more} more {times}")?;
    }
    Ok(())
}

/// Prints a finding. `warned_by` is the profile that only warns about it.
fn finding(
    out: &mut impl Write,
    style: Style,
    what: &str,
    violation: &Violation,
    warned_by: Option<Profile>,
) -> io::Result<()> {
    let rule = violation.rule;
    let message = message(violation, warned_by);
    writeln!(out, "  {style}{what}{style:#}: {NAME}{rule}{NAME:#}: {message}")?;
    writeln!(out, "    {ASIDE}{}{ASIDE:#}", place(violation.offset, violation.record.as_ref()))
}

/// Returns what a violation found. `warned_by` is the profile that only warns about it.
#[must_use]
pub fn message(violation: &Violation, warned_by: Option<Profile>) -> String {
    let message = violation.message();
    match warned_by.and_then(|profile| violation.rule.refused_beside(profile)) {
        Some(refuses) => format!("{message} ({refuses} refuses this)"),
        None => message.to_string(),
    }
}

/// Returns where something is: its offset, and the record that it is in.
#[must_use]
pub fn place(offset: u64, record: Option<&RecordRef>) -> String {
    let place = format!("at offset {offset} ({offset:#x})");
    record.map_or_else(|| place.clone(), |record| format!("{place}, in {record}"))
}

/// Returns up to where a stream was verified that cannot be judged for this reason.
#[must_use]
pub fn verified(violation: &Violation) -> String {
    let verified = violation.offset;
    format!("verified up to byte {verified} ({verified:#x})")
}

/// Returns a hint, with advice that the program can act on.
#[must_use]
pub fn advised(hint: Hint) -> String {
    match hint {
        Hint::Format(format) => format!("{hint}; try --format {format}"),
        _ => hint.to_string(),
    }
}

/// Summarises an image in a line. If the input is not an image, there is only the time that it took.
#[must_use]
pub fn description(report: &Report) -> String {
    if report.is_unrecognised() {
        return took(report).unwrap_or_default();
    }
    let Summary { xen, pages, checkpoints, bytes: length, .. } = &report.summary;
    let mut words = Vec::new();
    if report.format != xenstream::Format::Auto {
        let mut format = report.format.to_string();
        if let Some(compression) = report.compression {
            let _ = write!(format, " in {compression}");
        }
        words.push(format);
    }
    words.extend(report.guest.kind.map(|kind| kind.to_string()));
    words.extend(xen.map(|version| match version {
        // The converter of legacy streams stores its own version as the minor one.
        (0, converter) => format!("converted by version {converter}"),
        (major, minor) => format!("Xen {major}.{minor}"),
    }));
    if let Verdict::Invalid(_) = report.verdict {
        words.push(stopped(report));
    } else {
        let with_data = pages.with_data();
        words.push(format!("{with_data} {}", plural(with_data, "page")));
        if *checkpoints > 0 {
            words.push(format!("{checkpoints} {}", plural(*checkpoints, "checkpoint")));
        }
        words.push(bytes(*length));
    }
    words.extend(took(report));
    words.join(", ")
}

/// Returns how far an invalid image was read.
fn stopped(report: &Report) -> String {
    let read = report.summary.bytes;
    match report.size {
        _ if report.violation().is_some_and(|violation| violation.rule == Rule::StreamTruncated) => {
            match report.torn_memory() {
                Some((arrived, whole)) => format!(
                    "ends after {}, with {} of the guest's {} of memory",
                    bytes(read),
                    bytes(arrived),
                    bytes(whole)
                ),
                None => format!("ends after {}", bytes(read)),
            }
        }
        Some(size) if size > read => format!("stopped after {} of {}", bytes(read), bytes(size)),
        Some(_) => format!("read to the end, {}", bytes(read)),
        None => format!("stopped after {}", bytes(read)),
    }
}

/// Prints the line about the guest for `--verbose`.
///
/// # Errors
/// If the output cannot be written.
pub fn guest(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let guest = guest_line(report);
    if guest.is_empty() { Ok(()) } else { writeln!(out, "  guest: {guest}") }
}

/// Returns what is known of the guest, in a line.
#[must_use]
pub fn guest_line(report: &Report) -> String {
    let mut words = Vec::new();
    words.extend(report.guest.name.as_ref().map(|text| format!("name {}", name(text))));
    words.extend(report.guest.uuid.as_ref().map(|text| format!("uuid {}", name(text))));
    words.extend(report.guest.memory_kib.map(|kib| format!("{} of memory", bytes(kib.saturating_mul(1024)))));
    words.extend(report.guest.vcpus.map(|vcpus| format!("{vcpus} {}", plural(vcpus, "vcpu"))));
    if report.has_qemu_traditional() {
        words.push("qemu-traditional".to_owned());
    }
    words.extend(report.summary.libxc_version.map(|version| format!("libxc stream version {version}")));
    words.join(", ")
}

/// Returns how long the verification took, if there was a clock.
fn took(report: &Report) -> Option<String> {
    (!report.elapsed.is_zero()).then(|| duration(report.elapsed))
}

/// Formats a time in a suitable unit.
#[must_use]
pub fn duration(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_suitable_units() {
        for (n, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (1 << 36, "64.0 GiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(bytes(n), text);
        }
        for (micros, text) in
            [(0, "0 us"), (999, "999 us"), (1_234, "1.2 ms"), (999_999, "999.9 ms"), (61_234_567, "61.23 s")]
        {
            assert_eq!(duration(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn control_characters_in_names_are_replaced() {
        assert_eq!(name("a\x1b[31m\nb"), "a\u{FFFD}[31m\u{FFFD}b");
    }

    #[test]
    fn long_lists_of_ranges_are_truncated() {
        let many: Vec<_> = (0..20).map(|n| 3 * n..=3 * n).collect();
        assert_eq!(pfns(&many), "20 pages, pfn 0x0, 0x3, 0x6, 0x9, 0xc, 0xf, 0x12, 0x15 and 12 more ranges");
        assert_eq!(pfns(&[0xa0..=0xbf]), "32 pages, pfn 0xa0-0xbf");
    }
}
