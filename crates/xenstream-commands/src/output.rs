//! Text for people: verdicts and findings, in color on a terminal.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use rustix::termios::tcgetwinsize;
use xenstream::{
    ByteSize, Error, Findings, Hint, Profile, Report, Rule, Summary, Untrusted, Verdict, Violation,
};

use crate::releases;
use crate::wrapped::Wrapped;

const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const RULE: Style = NAME;
pub(crate) const NAME: Style = Style::new().bold();
pub(crate) const ASIDE: Style = Style::new().dimmed();

/// Standard output: with colors on a terminal, unless `NO_COLOR` or `CLICOLOR` say otherwise.
pub(crate) type Out = AutoStream<Box<dyn Write + Send>>;

/// Returns standard output.
pub(crate) fn stdout() -> Out {
    let stdout = io::stdout();
    let choice = AutoStream::choice(&stdout);
    // Stripping colors writes many small pieces, so the buffer comes after it.
    AutoStream::new(Box::new(BufWriter::new(stdout)), choice)
}

/// Returns standard output for text: on a terminal, long lines are wrapped.
pub(crate) fn text() -> Out {
    let Some(width) = terminal_width() else { return stdout() };
    let stdout = io::stdout();
    let choice = AutoStream::choice(&stdout);
    AutoStream::new(Box::new(Wrapped::new(BufWriter::new(stdout), width)), choice)
}

/// Returns the width of the terminal that is standard output, in columns, or `None` if it is not a terminal.
pub(crate) fn terminal_width() -> Option<usize> {
    tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Prints an error on standard error.
pub(crate) fn complain(message: &str) {
    // If standard error cannot be written, there is nowhere to report that.
    let _ = writeln!(anstream::stderr(), "{BAD}xenstream{BAD:#}: {message}");
}

/// Prints a remark on standard error.
pub(crate) fn remark(message: &str) {
    let _ = writeln!(anstream::stderr(), "{NAME}xenstream{NAME:#}: {message}");
}

/// Reports that there is no verdict on an image, and why.
pub(crate) fn failure(path: &Path, error: &Error) {
    complain(&with_path(path, error));
}

/// Returns the message of an error about this path, which names the path once.
pub(crate) fn with_path(path: impl AsRef<OsStr>, error: &Error) -> String {
    match error.path() {
        Some(_) => error.to_string(),
        None => format!("{}: {error}", name(path)),
    }
}

/// Returns whether the output is at fault, and not the input.
pub(crate) fn is_of_output(error: &Error) -> bool {
    matches!(
        error,
        Error::Create(_)
            | Error::Exists
            | Error::NotAFile
            | Error::SameFile
            | Error::Write { .. }
            | Error::ConsumerGone { .. }
    )
}

/// Prints the verdict on an image and the findings.
pub(crate) fn report(out: &mut impl Write, path: &Path, report: &Report) -> io::Result<()> {
    // A gate must say which rules it could not check.
    let unseen = report.unchecked.len() as u64;
    let is_partly = report.is_valid() && report.profile == Profile::Hardened && unseen > 0;
    let style = match report.verdict {
        Verdict::Valid if is_partly => DOUBTFUL,
        Verdict::Valid => GOOD,
        Verdict::Invalid(_) => BAD,
        Verdict::Unjudged(_) => DOUBTFUL,
    };
    let mut verdict = report.verdict.name().to_owned();
    if is_partly {
        verdict += &format!(", {unseen} {} unchecked", plural(unseen, "rule"));
    }
    writeln!(out, "{}: {style}{verdict}{style:#}: {}", name(path), description(report))?;
    match &report.verdict {
        Verdict::Unjudged(violation) => {
            finding(out, DOUBTFUL, "unjudged", violation, None)?;
            let verified = violation.offset;
            writeln!(out, "    {ASIDE}verified up to byte {verified} ({verified:#x}){ASIDE:#}")?;
        }
        Verdict::Invalid(violation) if report.findings.is_empty() => {
            finding(out, BAD, "error", violation, None)?;
        }
        Verdict::Invalid(_) | Verdict::Valid => findings(out, BAD, "error", &report.findings, None)?,
    }
    if let Some(hint) = report.hint() {
        writeln!(out, "    {ASIDE}hint{ASIDE:#}: {hint}{}", advice(hint))?;
    }
    findings(out, DOUBTFUL, "warning", &report.warnings, Some(report.profile))?;
    if report.is_valid() {
        releases::accepting(out, report)?;
    }
    if is_partly {
        unchecked(out, report)?;
    }
    for derived in report.notable_limits() {
        let limit = derived.limit;
        match derived.memory_kib {
            Some(kib) => writeln!(
                out,
                "  {ASIDE}note{ASIDE:#}: limit {limit} lowered to {:#x}, from the {} of memory in the configuration",
                derived.value,
                bytes(kib.saturating_mul(1024))
            )?,
            None => writeln!(
                out,
                "  {ASIDE}note{ASIDE:#}: limit {limit} lowered to {}, as the configuration says",
                derived.value
            )?,
        }
    }
    Ok(())
}

/// Prints which rules a valid stream could not be checked for.
pub(crate) fn unchecked(out: &mut impl Write, report: &Report) -> io::Result<()> {
    match report.unchecked_note() {
        Some(note) => writeln!(out, "  {ASIDE}note{ASIDE:#}: {note}"),
        None => Ok(()),
    }
}

/// Formats a path for people. Bytes that are not UTF-8 and characters that would control a terminal are replaced.
pub(crate) fn name(path: impl AsRef<OsStr>) -> String {
    Untrusted::from(path.as_ref()).to_string()
}

/// Formats a number of bytes in a suitable unit.
pub(crate) fn bytes(n: u64) -> String {
    ByteSize(n).to_string()
}

/// Returns the singular or plural of a noun.
pub(crate) fn plural(n: u64, noun: &str) -> String {
    if n == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// Formats ranges of pfns: the number of pages, and the first few ranges.
pub(crate) fn pfns(ranges: &[RangeInclusive<u64>]) -> String {
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

/// Converts ranges of pfns for JSON.
pub(crate) fn pfn_pairs(ranges: &[RangeInclusive<u64>]) -> Vec<[u64; 2]> {
    ranges.iter().map(|range| [*range.start(), *range.end()]).collect()
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
        writeln!(out, "  {style}{what}{style:#}: {RULE}{rule}{RULE:#}: {more} more {times}")?;
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
    let Violation { rule, offset, record, .. } = violation;
    write!(out, "  {style}{what}{style:#}: {RULE}{rule}{RULE:#}: {}", violation.message())?;
    if let Some(refuses) = warned_by.and_then(|profile| rule.refused_beside(profile)) {
        write!(out, " ({refuses} refuses this)")?;
    }
    writeln!(out)?;
    write!(out, "    {ASIDE}at offset {offset} ({offset:#x})")?;
    if let Some(record) = record {
        write!(out, ", in {record}")?;
    }
    writeln!(out, "{ASIDE:#}")
}

/// Returns advice on a hint that the program can act on.
fn advice(hint: Hint) -> String {
    match hint {
        Hint::Format(format) => format!("; try --format {format}"),
        _ => String::new(),
    }
}

/// Summarises an image in a line. If the input is not an image, there is only the time that it took.
fn description(report: &Report) -> String {
    if report.is_unrecognised() {
        return duration(report.elapsed);
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
    words.push(duration(report.elapsed));
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
pub(crate) fn guest(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut words = Vec::new();
    words.extend(report.guest.name.as_ref().map(|text| format!("name {}", name(text))));
    words.extend(report.guest.uuid.as_ref().map(|text| format!("uuid {}", name(text))));
    words.extend(report.guest.memory_kib.map(|kib| format!("{} of memory", bytes(kib.saturating_mul(1024)))));
    words.extend(report.guest.vcpus.map(|vcpus| format!("{vcpus} {}", plural(vcpus, "vcpu"))));
    if report.has_qemu_traditional() {
        words.push("qemu-traditional".to_owned());
    }
    words.extend(report.summary.libxc_version.map(|version| format!("libxc stream version {version}")));
    if words.is_empty() { Ok(()) } else { writeln!(out, "  guest: {}", words.join(", ")) }
}

fn duration(time: Duration) -> String {
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
