//! `xenstream convert`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use xenstream::rewrite::{Change, Container, Convert, Converted, Loss, Obstacle, convert};
use xenstream::{Error, Verdict, json};

use crate::args::{Judging, PathOrDash, usage, values};
use crate::output::{self, ASIDE, NAME};
use crate::rewriting::Ends;
use crate::status;

const EXAMPLES: &str = "\
Examples:
  xenstream convert --target 4.17 guest.save old.save           change what Xen 4.17 refuses
  xenstream convert --dry-run --target 4.14 guest.save          list the changes, write nothing
  xenstream convert --plain guest.save plain.save               restore a Remus stream with xl
  xenstream convert --container libxl guest.save guest.libxl    move to another toolstack
  xenstream convert --repair guest.save whole.save              list repairs; --write makes them
  cat guest.save | xenstream convert --compact - small.save     drop superseded pages
  xenstream convert --json --dry-run --target 4.14 guest.save   list the changes as JSON";

const EXIT_STATUS: &str = "\
Exit status:
  0  OUT was written, and verifies; with --dry-run, it would be
  1  the stream was not converted: it is invalid, or has something that cannot be converted
  2  usage, input or output error
  3  the stream cannot be judged

With any status but 0, OUT is not written.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}"))]
pub(crate) struct Arguments {
    /// Input stream, compressed or not; - is standard input
    #[arg(value_name = "IN|-")]
    input: PathOrDash,

    /// Output file, which must not exist; - is standard output
    #[arg(value_name = "OUT|-", required_unless_present_any = ["dry_run", "repair"])]
    output: Option<PathOrDash>,

    /// Turn a Remus or COLO stream into an ordinary one, at its last complete checkpoint
    #[arg(long)]
    plain: bool,

    /// Like --plain, but at this checkpoint; the first is 1
    #[arg(long, value_name = "N")]
    checkpoint: Option<u64>,

    /// Move the guest into another toolstack's container
    #[arg(long, value_parser = values(Container::all(), Container::name))]
    container: Option<Container>,

    /// Configuration for --container: JSON or xl.cfg for xl, XML for libvirt, an s-expression for xenopsd
    #[arg(long, value_name = "FILE", requires = "container")]
    config: Option<PathBuf>,

    /// Keep only the last copy of each page, in pfn order; uses 16 bytes of memory per pfn
    #[arg(long)]
    compact: bool,

    /// Zero padding and reserved fields, drop records that readers skip, sort records as savers do
    #[arg(long)]
    normalise: bool,

    /// List the repairs that are certain to be right; --write makes them
    #[arg(long)]
    repair: bool,

    /// Make the repairs that --repair lists, and write OUT
    #[arg(long, requires = "repair", requires = "output")]
    write: bool,

    /// Compress OUT
    #[arg(long, value_name = "METHOD", value_parser = ["zstd"])]
    compress: Option<String>,

    /// Allow changes that cost the guest something
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = values(Loss::all(), Loss::name))]
    lossy: Vec<Loss>,

    /// List the changes, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Replace OUT if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    judging: Judging,

    /// Print a JSON object on standard output
    #[arg(long)]
    json: bool,

    /// Print nothing if the stream is converted
    #[arg(short, long)]
    quiet: bool,
}

impl Arguments {
    /// Returns whether no output is to be written.
    fn is_dry(&self) -> bool {
        self.dry_run || self.repair && !self.write
    }
}

/// Converts one stream. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let ends = Ends {
        name: "convert",
        input: &arguments.input,
        output: arguments.output.as_ref().filter(|_| !arguments.is_dry()),
        overwrite: arguments.force,
    };
    if arguments.json && matches!(ends.output, Some(PathOrDash::Dash)) {
        usage::<Arguments>("convert", "standard output takes the stream or the JSON object, not both");
    }
    let result = converted(arguments, &ends);
    if arguments.json {
        print(arguments, &result)?;
    } else {
        match &result {
            Ok(converted) => tell(&mut anstream::stderr().lock(), arguments, converted)?,
            Err(error) => ends.failure(error),
        }
    }
    Ok(match &result {
        Ok(converted) if converted.obstacles.is_empty() => status::VALID,
        Ok(Converted { report, .. }) if matches!(report.verdict, Verdict::Unjudged(_)) => status::UNJUDGED,
        Ok(_) => status::INVALID,
        Err(_) => status::FAILED,
    })
}

/// The object of `xenstream verify --json`, with what was changed.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Object<'a> {
    #[serde(flatten)]
    line: json::Line<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    converted: Option<Conversion<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Conversion<'a> {
    /// Null where there is no OUT.
    bytes: Option<u64>,
    changes: Vec<ChangeObject<'a>>,
    /// Further changes.
    unlisted: u64,
    obstacles: Vec<ObstacleObject<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct ChangeObject<'a> {
    offset: u64,
    place: &'a str,
    field: &'a str,
    before: &'a str,
    after: &'a str,
    loss: Option<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct ObstacleObject<'a> {
    offset: u64,
    place: &'a str,
    reason: &'a str,
    lossy: Option<&'static str>,
}

impl ChangeObject<'_> {
    fn of(change: &Change) -> ChangeObject<'_> {
        let Change { offset, place, field, before, after, loss, .. } = change;
        ChangeObject { offset: *offset, place, field, before, after, loss: loss.map(Loss::name) }
    }
}

impl ObstacleObject<'_> {
    fn of(obstacle: &Obstacle) -> ObstacleObject<'_> {
        let Obstacle { offset, place, reason, loss, .. } = obstacle;
        ObstacleObject { offset: *offset, place, reason, lossy: loss.map(Loss::name) }
    }
}

fn print(arguments: &Arguments, result: &Result<Converted, Error>) -> io::Result<()> {
    let report = result.as_ref().map(|converted| &converted.report);
    let object = Object {
        line: json::Line::of(arguments.input.name(), report, arguments.judging.profile),
        converted: result.as_ref().ok().map(|converted| Conversion {
            bytes: converted.bytes,
            changes: converted.changes.iter().map(ChangeObject::of).collect(),
            unlisted: converted.unlisted,
            obstacles: converted.obstacles.iter().map(ObstacleObject::of).collect(),
        }),
    };
    let mut out = output::stdout();
    json::write_line(&mut out, &object)?;
    out.flush()
}

fn converted(arguments: &Arguments, ends: &Ends<'_>) -> Result<Converted, Error> {
    let options = arguments.judging.options(false);
    let what = Convert::default()
        .with_plain(arguments.plain)
        .with_checkpoint(arguments.checkpoint)
        .with_lossy(&arguments.lossy)
        .with_container(arguments.container)
        .with_config(config(arguments)?)
        .with_compact(arguments.compact)
        .with_normalise(arguments.normalise)
        .with_repair(arguments.repair)
        .with_zstd(arguments.compress.is_some())
        .with_dry_run(arguments.is_dry());
    ends.rewrite::<Arguments, _>(|input, output| convert(input, output, &options, &what))
}

/// Reads the configuration for the container.
fn config(arguments: &Arguments) -> Result<Option<Vec<u8>>, Error> {
    /// One byte more than any container allows.
    const MOST: u64 = (16 << 20) + 1;
    let Some(path) = &arguments.config else { return Ok(None) };
    let mut config = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut config));
    if let Err(error) = read {
        usage::<Arguments>("convert", &format!("cannot read {}: {error}", path.display()));
    }
    Ok(Some(config))
}

fn tell(out: &mut impl Write, arguments: &Arguments, converted: &Converted) -> io::Result<()> {
    let is_converted = converted.obstacles.is_empty();
    if is_converted && arguments.quiet {
        return Ok(());
    }
    output::report(out, arguments.input.name(), &converted.report)?;
    if !is_converted {
        writeln!(out, "not converted:")?;
        for obstacle in &converted.obstacles {
            tell_obstacle(out, obstacle)?;
        }
        return out.flush();
    }
    match (&arguments.output, converted.bytes) {
        (Some(path), Some(bytes)) => {
            writeln!(out, "{}: converted: {}", output::name(path.name()), output::bytes(bytes))?;
        }
        _ => writeln!(out, "would be converted:")?,
    }
    if converted.changes.is_empty() {
        writeln!(out, "  no change was needed")?;
    }
    for change in &converted.changes {
        tell_change(out, change)?;
    }
    if converted.unlisted > 0 {
        writeln!(out, "  {} more changes", converted.unlisted)?;
    }
    out.flush()
}

fn tell_change(out: &mut impl Write, change: &Change) -> io::Result<()> {
    let Change { offset, place, field, before, after, loss, .. } = change;
    writeln!(
        out,
        "  {NAME}{place}{NAME:#}: {field}: {before} -> {after} {ASIDE}(offset {offset}, {offset:#x}){ASIDE:#}"
    )?;
    if let Some(loss) = loss {
        writeln!(out, "    lost ({loss}): {}", loss.sentence())?;
    }
    Ok(())
}

fn tell_obstacle(out: &mut impl Write, obstacle: &Obstacle) -> io::Result<()> {
    let Obstacle { offset, place, reason, loss, .. } = obstacle;
    writeln!(out, "  {NAME}{place}{NAME:#}: {reason} {ASIDE}(offset {offset}, {offset:#x}){ASIDE:#}")?;
    match loss {
        Some(loss) => writeln!(out, "    allowed by --lossy {loss}: {}", loss.sentence()),
        None => Ok(()),
    }
}
