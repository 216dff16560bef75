//! `xenstream diff`.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use xenstream::diff::{Compare, Diff, DiffError, Difference, Sample, diff};
use xenstream::{Error, json};

use crate::args::{Judging, PathOrDash, usage};
use crate::output::{ASIDE, NAME};
use crate::{output, status};

const HELP: &str = "\
Examples:
  xenstream diff guest.save saves/guest.save             print nothing if the guests are the same
  xenstream diff --pages guest.save saves/guest.save     show the bytes of pages that differ
  xenstream diff guest.save broken.save                  compare as far as both images go
  xenstream diff --json guest.save saves/guest.save      for programs

Exit status:
  0  the images hold the same guest
  1  they differ
  2  usage, input or output error, or an input that is not an image";

/// The images are the same.
const SAME: u8 = status::VALID;
/// They are not.
const DIFFERENT: u8 = status::INVALID;

/// The number of pages for which `--pages` shows bytes.
const SAMPLES: usize = 64;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// First image, compressed or not; - is standard input
    #[arg(value_name = "A|-")]
    a: PathOrDash,

    /// Second image; - is standard input
    #[arg(value_name = "B|-")]
    b: PathOrDash,

    /// Show where the first 64 differing pages differ, and the bytes there
    #[arg(long)]
    pages: bool,

    #[command(flatten)]
    judging: Judging,

    /// Print the differences as a JSON object
    #[arg(long)]
    json: bool,

    /// Print nothing, and return only the exit status
    #[arg(short, long, conflicts_with_all = ["json", "pages"])]
    quiet: bool,
}

/// Compares two images. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let Arguments { a, b, .. } = arguments;
    if a.is_dash() && b.is_dash() {
        usage::<Arguments>("diff", "standard input can be read only once");
    }
    if a.is_unusable_input() || b.is_unusable_input() {
        usage::<Arguments>("diff", "an input is -: redirect standard input from an image");
    }
    let what = Compare::default().with_samples(if arguments.pages { SAMPLES } else { 0 });
    let stdin = io::stdin();
    let options = arguments.judging.options(true);
    let diff = match diff([a.input(&stdin), b.input(&stdin)], &options, &what) {
        Ok(diff) => diff,
        Err(DiffError { input, error, .. }) => {
            let name = if input == 0 { a.name() } else { b.name() };
            output::failure(name, &error);
            return Ok(status::FAILED);
        }
    };
    let mut out = output::stdout();
    if arguments.json {
        print(&mut out, arguments, &diff)?;
    } else if !arguments.quiet {
        tell(&mut out, arguments, &diff)?;
    }
    out.flush()?;
    Ok(match &diff {
        diff if diff.reports.iter().any(xenstream::Report::is_unrecognised) => status::FAILED,
        diff if diff.is_empty() => SAME,
        _ => DIFFERENT,
    })
}

fn tell(out: &mut impl Write, arguments: &Arguments, diff: &Diff) -> io::Result<()> {
    let names = [&arguments.a, &arguments.b].map(PathOrDash::name);
    let releases = diff.reports.each_ref().map(|report| report.summary.releases.accepted_by().to_string());
    let as_valid = diff.reports.iter().all(xenstream::Report::is_valid);
    if !as_valid || releases[0] != releases[1] {
        for (path, report) in names.into_iter().zip(&diff.reports) {
            output::report(out, path, report)?;
        }
    }
    records(out, &diff.records)?;
    if diff.is_cut {
        writeln!(out, "{NAME}records{NAME:#}: too many to compare them all")?;
    }
    let pages = &diff.pages;
    let [only_a, only_b] = &pages.only;
    let lines = [
        (&pages.differing, "contents differ".to_owned()),
        (only_a, format!("only in {}", output::name(names[0]))),
        (only_b, format!("only in {}", output::name(names[1]))),
    ];
    if lines.iter().any(|(ranges, _)| !ranges.is_empty()) {
        writeln!(
            out,
            "{NAME}memory{NAME:#}: {} {} the same",
            pages.same,
            output::plural(pages.same, "page")
        )?;
    }
    for (ranges, what) in lines.iter().filter(|(ranges, _)| !ranges.is_empty()) {
        writeln!(out, "  {what}: {}", output::pfns(ranges))?;
    }
    for Sample { pfn, offset, bytes, length, .. } in &pages.samples {
        let [a, b] = bytes.map(|bytes| hex(&bytes[..*length]));
        writeln!(out, "  pfn {pfn:#x} from byte {offset:#x} on\n    {a}\n    {b}")?;
    }
    Ok(())
}

/// Prints the differences in headers and records, grouped by record.
fn records(out: &mut impl Write, records: &[Difference]) -> io::Result<()> {
    for group in records.chunk_by(|one, other| one.layer == other.layer && one.place == other.place) {
        let Some(Difference { layer, place, .. }) = group.first() else { continue };
        writeln!(out, "{NAME}{}{NAME:#} {ASIDE}({layer}){ASIDE:#}", output::name(place))?;
        for Difference { field, values, bytes, .. } in group {
            let [a, b] = values.each_ref().map(|value| match value {
                Some(value) if value.is_empty() => "(empty)".to_owned(),
                Some(value) => shown(value),
                None => "(none)".to_owned(),
            });
            match (field, bytes) {
                (None, _) => match &values[0] {
                    Some(_) => writeln!(out, "  only in the first: {a}")?,
                    None => writeln!(out, "  only in the second: {b}")?,
                },
                (Some(field), None) => writeln!(out, "  {}: {a} -> {b}", output::name(field))?,
                (Some(field), Some((count, at))) => {
                    let noun = if *count == 1 { "byte differs" } else { "bytes differ" };
                    writeln!(
                        out,
                        "  {}: {count} {noun}, from {at:#x} on\n    {a}\n    {b}",
                        output::name(field)
                    )?;
                }
            }
        }
    }
    Ok(())
}

/// Shortens a value so that it fits a line.
fn shown(value: &str) -> String {
    /// The most characters of a value that a line shows.
    const SHOWN: usize = 160;
    let value = output::name(value);
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Object<'a> {
    same: bool,
    a: json::Line<'a>,
    b: json::Line<'a>,
    records: Vec<RecordObject<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    records_cut: bool,
    pages: PagesObject,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct RecordObject<'a> {
    layer: &'static str,
    place: &'a str,
    field: Option<&'a str>,
    a: Option<&'a str>,
    b: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct PagesObject {
    same: u64,
    differing: Vec<[u64; 2]>,
    only_a: Vec<[u64; 2]>,
    only_b: Vec<[u64; 2]>,
    samples: Vec<SampleObject>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct SampleObject {
    pfn: u64,
    offset: u64,
    a: String,
    b: String,
}

fn print(out: &mut impl Write, arguments: &Arguments, diff: &Diff) -> io::Result<()> {
    let profile = arguments.judging.profile;
    let [a, b] = &diff.reports;
    let object = Object {
        same: diff.is_empty(),
        a: json::Line::of(arguments.a.name(), Ok::<_, &Error>(a), profile),
        b: json::Line::of(arguments.b.name(), Ok::<_, &Error>(b), profile),
        records: diff
            .records
            .iter()
            .map(|difference| RecordObject {
                layer: difference.layer.name(),
                place: &difference.place,
                field: difference.field.as_deref(),
                a: difference.values[0].as_deref(),
                b: difference.values[1].as_deref(),
                bytes: difference.bytes.map(|(count, _)| count),
                offset: difference.bytes.map(|(_, at)| at),
            })
            .collect(),
        records_cut: diff.is_cut,
        pages: PagesObject {
            same: diff.pages.same,
            differing: output::pfn_pairs(&diff.pages.differing),
            only_a: output::pfn_pairs(&diff.pages.only[0]),
            only_b: output::pfn_pairs(&diff.pages.only[1]),
            samples: diff.pages.samples.iter().map(sample).collect(),
        },
    };
    json::write_line(out, &object)
}

fn sample(sample: &Sample) -> SampleObject {
    let [a, b] = sample.bytes.map(|bytes| hex(&bytes[..sample.length]));
    SampleObject { pfn: sample.pfn, offset: sample.offset, a, b }
}
