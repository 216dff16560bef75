//! `xenstream extract`.

use std::cell::Cell;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use xenstream::batch::Target;
use xenstream::extract::{Extract, Extracted, OutputFormat, Step, extract_with};
use xenstream::wire::PAGE_SIZE;
use xenstream::{Error, Profile, json};

use crate::args::{Judging, PathOrDash, parse_number, usage, values};
use crate::progress::{Meter, When};
use crate::{output, status};

const EXAMPLES: &str = "\
Examples:
  xenstream extract guest.save guest.core                  a core file for gdb, crash, Volatility
  xenstream extract broken.save guest.core                 all pages that a torn image holds
  xenstream extract -f lime guest.save guest.lime          for Volatility and others
  xenstream extract -f raw --pfn 0-0xff guest.save low     the first MiB only
  cat guest.save | xenstream extract --json - guest.core   list missing pages as JSON";

const EXIT_STATUS: &str = "\
Exit status:
  0  the image is valid, and its memory was extracted
  1  the image is invalid; the pages before the fault were extracted
  2  usage, input or output error, or the image has none of the requested pages; OUT is not written
  3  the image cannot be judged; the pages that could be read were extracted";

#[derive(Debug, Args)]
// Here --format is the format of OUT, which is what people want to set; --input-format is seldom needed.
#[command(
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}"),
    mut_arg("format", |arg| arg.short(None).long("input-format"))
)]
pub(crate) struct Arguments {
    /// Image, compressed or not; - is standard input
    #[arg(value_name = "IN|-")]
    input: PathOrDash,

    /// Output file, which must not exist
    #[arg(value_name = "OUT")]
    output: PathBuf,

    /// Format of OUT: an ELF core file with registers, a raw sparse file, or LiME
    #[arg(
        id = "output_format",
        short = 'f',
        long = "format",
        value_name = "FORMAT",
        default_value = "elf",
        value_parser = values(OutputFormat::all(), OutputFormat::name)
    )]
    output_format: OutputFormat,

    /// Extract only these pages; a raw OUT starts at the first of them
    #[arg(long, value_name = "FIRST-LAST", value_parser = parse_pfns)]
    pfn: Option<RangeInclusive<u64>>,

    /// Extract only this vcpu's registers; can be repeated
    #[arg(long, value_name = "N")]
    vcpu: Vec<u32>,

    /// Extract memory as of this checkpoint, counting from 1 [default: the last complete one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint: Option<u64>,

    /// Make a PV guest's own list of frames (p2m) name pfns, as all of OUT does, instead of the saving host's frames
    #[arg(long)]
    p2m: bool,

    /// Replace OUT if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    judging: Judging,

    /// Print the result as a JSON object on standard output
    #[arg(long)]
    json: bool,

    /// Print nothing if the image is valid
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,

    /// Show progress on standard error, after half a second [default: auto, on a terminal]
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    progress: Option<When>,
}

impl Arguments {
    fn progress(&self) -> When {
        match self.progress {
            Some(when) => when,
            None if self.quiet => When::Never,
            None => When::Auto,
        }
    }
}

/// Extracts one guest's memory. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    if arguments.input.is_unusable_input() {
        usage::<Arguments>("extract", "IN is -: redirect standard input from an image");
    }
    let what = Extract::new(arguments.output_format)
        .with_pfns(arguments.pfn.clone())
        .with_vcpus(arguments.vcpu.clone())
        .with_checkpoint(arguments.checkpoint)
        .with_p2m(arguments.p2m)
        .with_overwrite(arguments.force);
    let options = arguments.judging.options(true);
    let stdin = io::stdin();
    // How much there is to write is known once the input was read; so until then it counts as one of unknown length.
    let result = Meter::watch(arguments.progress(), false, &[Target::Stdin], |meter| {
        let writes = Cell::new(false);
        let step = |step| match step {
            Step::Written { done, of } => {
                if !writes.replace(true) {
                    meter.restart(of);
                }
                meter.reach(done);
            }
            Step::Read(offset) => meter.reach(offset),
            _ => {}
        };
        extract_with(arguments.input.input(&stdin), &arguments.output, &options, &what, &step)
    });
    if arguments.json {
        print(arguments, &result)?;
    } else {
        match &result {
            Ok(extracted) => tell(&mut anstream::stderr().lock(), arguments, extracted)?,
            Err(error) => output::failure(at_fault(arguments, error), error),
        }
    }
    Ok(match &result {
        // OUT was not written, whatever the verdict.
        Ok(Extracted { report, bytes: None, .. }) if report.is_valid() => status::FAILED,
        Ok(extracted) => status::of(&extracted.report),
        Err(_) => status::FAILED,
    })
}

/// Returns the file that an error is about.
fn at_fault<'a>(arguments: &'a Arguments, error: &Error) -> &'a Path {
    match error {
        Error::Create(_)
        | Error::Exists
        | Error::NotAFile
        | Error::SameFile
        | Error::TooSparse { .. }
        | Error::Write { .. }
        | Error::ConsumerGone { .. } => &arguments.output,
        _ => arguments.input.name(),
    }
}

fn tell(out: &mut impl Write, arguments: &Arguments, extracted: &Extracted) -> io::Result<()> {
    let Extracted { report, bytes, pages, vcpus, missing, lost, checkpoints, uncounted, failure, .. } =
        extracted;
    if arguments.quiet && report.is_valid() && bytes.is_some() {
        return Ok(());
    }
    output::report(out, arguments.input.name(), report)?;
    if let Some(error) = failure {
        writeln!(out, "  stopped: {error}; the pages before that were extracted")?;
    }
    if bytes.is_none() {
        let place = if arguments.pfn.is_some() { " with these pfns" } else { "" };
        writeln!(out, "not extracted: the image has no page contents{place}")?;
        return out.flush();
    }
    let memory = pages.saturating_mul(PAGE_SIZE);
    let noun = output::plural(*pages, "page");
    write!(out, "{}: extracted: {pages} {noun}, {}", output::name(&arguments.output), output::bytes(memory))?;
    if arguments.output_format == OutputFormat::Elf {
        let count = if arguments.vcpu.is_empty() { vcpus.len() } else { arguments.vcpu.len() } as u64;
        write!(out, ", registers of {count} {}", output::plural(count, "vcpu"))?;
    }
    writeln!(out)?;
    if !lost.is_empty() {
        writeln!(out, "  lost: {}: announced, but the contents are incomplete", output::pfns(lost))?;
    }
    if let Some(configured) = report.guest.memory_kib
        && !report.is_valid()
        && arguments.pfn.is_none()
        && memory / 1024 < configured
    {
        let configured = output::bytes(configured.saturating_mul(1024));
        writeln!(out, "  incomplete: {} of the {configured} in the configuration", output::bytes(memory))?;
    }
    if *uncounted > 0 {
        let noun = output::plural(*uncounted, "page");
        writeln!(
            out,
            "  left out: {uncounted} {noun} after checkpoint {checkpoints}, the last complete one"
        )?;
    }
    if !missing.is_empty() {
        writeln!(out, "  without contents: {}", output::pfns(missing))?;
    }
    out.flush()
}

/// The object of `xenstream verify --json`, plus what was extracted.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Object<'a> {
    #[serde(flatten)]
    line: json::Line<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extracted: Option<Memory<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Memory<'a> {
    output_format: &'static str,
    /// Null if OUT was not written.
    bytes: Option<u64>,
    pages: u64,
    vcpus: &'a [u32],
    missing: Vec<[u64; 2]>,
    lost: Vec<[u64; 2]>,
    checkpoints: u64,
    left_out: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

fn print(arguments: &Arguments, result: &Result<Extracted, Error>) -> io::Result<()> {
    let profile: Profile = arguments.judging.profile;
    let report = result.as_ref().map(|extracted| &extracted.report);
    let object = Object {
        line: json::Line::of(arguments.input.name(), report, profile),
        extracted: result.as_ref().ok().map(|extracted| Memory {
            output_format: arguments.output_format.name(),
            bytes: extracted.bytes,
            pages: extracted.pages,
            vcpus: &extracted.vcpus,
            missing: output::pfn_pairs(&extracted.missing),
            lost: output::pfn_pairs(&extracted.lost),
            checkpoints: extracted.checkpoints,
            left_out: extracted.uncounted,
            failure: extracted.failure.as_ref().map(Error::to_string),
        }),
    };
    let mut out = output::stdout();
    json::write_line(&mut out, &object)?;
    out.flush()
}

/// Parses a pfn, or the first and the last pfn of a range.
fn parse_pfns(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| {
        parse_number(text)
            .ok_or_else(|| format!("'{text}' is not a number: use 4096, 0x1000 or 4K (also M, G, T)"))
    };
    let pfns = number(first)?..=number(last)?;
    if pfns.is_empty() {
        return Err("the last pfn is below the first".to_owned());
    }
    Ok(pfns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pfns_are_one_or_a_range() {
        for (text, pfns) in [
            ("7", Some(7..=7)),
            ("0x10-0x1f", Some(16..=31)),
            ("1K-2K", Some(1024..=2048)),
            ("5-4", None),
            ("-4", None),
            ("4-", None),
            ("", None),
        ] {
            assert_eq!(parse_pfns(text).ok(), pfns, "{text}");
        }
    }
}
