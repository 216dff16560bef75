//! `xenstream verify`.

use std::io::{self, Write};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use xenstream::batch::{Outcome, Target, verify_all};
use xenstream::{Error, Options, Profile, Report, json};

use crate::args::{Judging, PathOrDash, read_host, usage};
use crate::descriptor::is_unusable;
use crate::listing::listing;
use crate::output::Out;
use crate::progress::{Meter, When};
use crate::tally::{self, Tally};
use crate::watch::{self, Settings, Shard};
use crate::{elsewhere, files_from, output, status};

const EXAMPLES: &str = "\
Examples:
  xenstream verify guest.save                       will this image restore?
  xenstream verify --target 4.20 guest.save         will this release of Xen restore it?
  xenstream verify --profile hardened guest.save    is an image from a stranger safe to restore?
  xenstream verify -q saves                         report only the bad images in a directory
  cat guest.save | xenstream verify -               verify a stream from a pipe";

const MORE: &str = "  xenstream verify --keep-going --json guest.save   report all findings, for programs
  xenstream verify --limit hvm-pfn=16M --allow libxc::padding guest.save
  find saves -name '*.save' -print0 | xenstream verify -0 --files-from -
  xenstream verify --since-last state --nagios saves

Exit status:
  0  every image is valid
  1  an image is invalid
  2  usage, input or output error
  3  an image cannot be judged, and none is invalid: a legacy image, or vGPU state

An error (2) takes precedence over an invalid image (1), and that over an unjudged one (3).";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n{MORE}"))]
pub(crate) struct Arguments {
    /// Images or directories of images; - is standard input [default: -]
    #[arg(value_name = "FILE|DIR|-")]
    targets: Vec<PathOrDash>,

    #[command(flatten)]
    judging: Judging,

    /// Judge every file in a directory, even those that are not images
    #[arg(long)]
    all: bool,

    /// Verify the images and directories listed in this file, one per line; - is standard input
    #[arg(long, value_name = "FILE|-")]
    files_from: Option<PathOrDash>,

    /// Judge only shard I of N, from 1: the images whose path has this hash
    #[arg(long, value_name = "I/N", hide_short_help = true)]
    shard: Option<Shard>,

    /// Skip images that have not changed since they were verified, according to this file
    ///
    /// The file remembers size, times and inode of each image, and what came of it. It is replaced after each run. One that is
    /// damaged, or that another user may write, is not used: everything is verified again.
    #[arg(long, value_name = "STATE", hide_short_help = true)]
    since_last: Option<PathBuf>,

    /// Verify the directories in the table `watch` of this file, with its state, textfile and host
    #[arg(long, value_name = "FILE", value_parser = Settings::load, conflicts_with_all = ["targets", "files_from"], hide_short_help = true)]
    watched: Option<Settings>,

    /// Write the outcome for the textfile collector of Prometheus' node exporter
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    textfile: Option<PathBuf>,

    /// Print figures of the images: guests, rules, releases that take them
    #[arg(long, hide_short_help = true)]
    stats: bool,

    /// Print one line and exit as a plugin of Nagios: 0 OK, 1 warning, 2 critical, 3 unknown
    #[arg(long, conflicts_with_all = ["json", "quiet", "verbose", "stats"], hide_short_help = true)]
    nagios: bool,

    /// Names in --files-from end with a zero byte, as from find -print0
    #[arg(short = '0', long, requires = "files_from")]
    null: bool,

    /// Report every violation, not only the first
    #[arg(long)]
    keep_going: bool,

    /// Print one JSON object per image, each on its own line
    #[arg(long)]
    json: bool,

    /// Report only images that are invalid, unjudged or warned about; -qq: print nothing
    #[arg(short, long, action = ArgAction::Count, conflicts_with_all = ["verbose", "json"])]
    quiet: u8,

    /// List the records, and why releases of Xen refuse the image
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,

    /// Show progress on standard error, after half a second [default: auto, on a terminal]
    ///
    /// With auto and --verbose, progress is not shown on the terminal that lists the records.
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    progress: Option<When>,
}

impl Arguments {
    /// Returns the format and the policy that the command line asks for.
    pub(crate) fn options(&self) -> Options {
        self.judging.options(self.keep_going)
    }

    /// Returns the same, for the host that this file describes unless the command line names another.
    pub(crate) fn options_for(&self, host: Option<&Path>) -> Result<Options, String> {
        let read = |path: &Path| {
            read_host(&path.to_string_lossy()).map_err(|error| format!("{}: {error}", output::name(path)))
        };
        Ok(self.judging.options_for(host.map(read).transpose()?, self.keep_going))
    }

    /// Returns what is looked after: what the command line names takes precedence over the file.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = self.watched.clone().unwrap_or_default();
        settings.state = self.since_last.clone().or(settings.state);
        settings.textfile = self.textfile.clone().or(settings.textfile);
        settings
    }

    /// Returns whether more is asked for than the outcome of each image.
    fn is_watching(&self) -> bool {
        self.shard.is_some() || self.since_last.is_some() || self.watched.is_some() || self.is_reporting()
    }

    fn is_reporting(&self) -> bool {
        self.textfile.is_some() || self.stats || self.nagios
    }

    pub(crate) fn shard(&self) -> Option<Shard> {
        self.shard
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    pub(crate) fn is_nagios(&self) -> bool {
        self.nagios
    }

    pub(crate) fn has_stats(&self) -> bool {
        self.stats
    }

    pub(crate) fn quiet(&self) -> u8 {
        self.quiet
    }

    pub(crate) fn progress(&self) -> When {
        match self.progress {
            Some(when) => when,
            None if self.quiet > 0 || self.nagios => When::Never,
            None => When::Auto,
        }
    }
}

/// Verifies what the command line names. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let targets = match targets(arguments) {
        // As for a directory without images: no image is no valid image.
        Ok(targets) if targets.is_empty() && arguments.watched.is_none() => {
            return Ok(fail_with_list(arguments, "no name in this list"));
        }
        Ok(targets) => targets,
        Err(error) => {
            return Ok(fail_with_list(arguments, &format!("cannot read the list of names: {error}")));
        }
    };
    if arguments.is_watching() {
        return watch::run(arguments, &targets);
    }
    let counts = arguments.files_from.is_some()
        || targets.iter().any(|target| matches!(target, Target::Directory(_) | Target::AllOf(_)));
    let options = arguments.options();
    // A listing comes before its image's verdict, so images are verified one at a time.
    let threads = if arguments.verbose { NonZero::new(1) } else { None };
    Meter::watch(arguments.progress(), arguments.verbose, &targets, |meter| {
        let mut out = if arguments.json { output::stdout() } else { output::text() };
        let mut tally = Tally::default();
        let mut written = Ok(());
        let observer =
            |path: &Path| meter.observer(arguments.verbose.then(|| listing(output::text(), Some(path))));
        verify_all(
            &targets,
            &options,
            threads,
            observer,
            |Outcome { path, result, passed_over, observer, .. }| {
                let bytes = result.as_ref().map_or(0, |report| report.summary.bytes);
                let listing = observer.and_then(|watched| watched.into_inner(bytes));
                written = meter.print(|| {
                    listing.map_or(Ok(()), |listing| listing.finish(bytes).finish())?;
                    match &result {
                        Ok(report) if passed_over => {
                            let reason = tally.pass_over(&path, report);
                            if arguments.verbose {
                                writeln!(out, "{}", tally::passed_over_line(&path, reason))?;
                            }
                        }
                        _ => {
                            tally.count(&result);
                            print(&mut out, arguments, &path, &result)?;
                        }
                    }
                    out.flush()
                });
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
        );
        written?;
        if counts {
            meter.print(|| finish(&mut out, arguments, &tally))?;
        }
        Ok(tally.status())
    })
}

/// Says what is wrong with the list of names. Returns the exit status.
fn fail_with_list(arguments: &Arguments, what: &str) -> u8 {
    let list = arguments.files_from.as_ref().map_or(Path::new("-"), PathOrDash::name);
    output::complain(&format!("{}: {what}", output::name(list)));
    status::FAILED
}

/// Prints the result for one image.
pub(crate) fn print(
    out: &mut Out,
    arguments: &Arguments,
    path: &Path,
    result: &Result<Report, Error>,
) -> io::Result<()> {
    match (arguments.quiet, result) {
        _ if arguments.nagios => Ok(()),
        _ if arguments.json => {
            json::write_line(out, &json::Line::new(path, result, arguments.judging.profile))
        }
        (2.., _) => Ok(()),
        (1, Ok(report)) if report.is_valid() && report.warnings.is_empty() => Ok(()),
        (_, Ok(report)) => {
            output::report(out, path, report)?;
            if arguments.verbose {
                if report.profile != Profile::Hardened {
                    output::unchecked(out, report)?;
                }
                output::guest(out, report)?;
            }
            if arguments.verbose && report.is_valid() { xenstream_text::reasons(out, report) } else { Ok(()) }
        }
        (_, Err(error)) => {
            output::failure(path, error);
            Ok(())
        }
    }
}

/// Prints the totals.
pub(crate) fn finish(out: &mut Out, arguments: &Arguments, tally: &Tally) -> io::Result<()> {
    if arguments.json {
        json::write_line(out, &tally.object())?;
        return out.flush();
    }
    if arguments.quiet == 0 {
        writeln!(io::stderr(), "{tally}")?;
    }
    Ok(())
}

/// Returns the images and directories that the command line names, directly or in a list.
fn targets(arguments: &Arguments) -> io::Result<Vec<Target>> {
    let Arguments { targets: names, files_from, null, .. } = arguments;
    if arguments.watched.is_some() {
        return Ok(Vec::new());
    }
    if names.is_empty() && files_from.is_none() {
        if is_unusable(&io::stdin()) {
            usage::<Arguments>(
                "verify",
                "name an image or a directory of images, or redirect standard input from an image",
            );
        }
        return Ok(vec![Target::Stdin]);
    }
    if names.iter().chain(files_from).filter(|name| name.is_dash()).count() > 1 {
        usage::<Arguments>("verify", "standard input can be read only once");
    }
    if names.iter().chain(files_from).any(PathOrDash::is_unusable_input) {
        usage::<Arguments>(
            "verify",
            "an input is -: redirect standard input from an image or a list of names",
        );
    }
    let listed = match files_from {
        Some(list) => files_from::read(list, *null)?,
        None => Vec::new(),
    };
    let targets = names.iter().map(PathOrDash::target);
    // In a list, - is the name of a file.
    let targets = targets.chain(listed.iter().map(|path| match elsewhere::find(path) {
        Some(image) => image.target(),
        None => match Target::from_path(path) {
            Target::Stdin => Target::File(path.clone()),
            target => target,
        },
    }));
    Ok(targets
        .map(|target| match target {
            Target::Directory(path) if arguments.all => Target::AllOf(path),
            target => target,
        })
        .collect())
}
