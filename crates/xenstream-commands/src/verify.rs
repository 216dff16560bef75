//! `xenstream verify`.

use std::io::{self, IsTerminal, Write};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::Path;

use clap::Args;
use xenstream::batch::{Outcome, Target, verify_all};
use xenstream::{Error, Options, Report, json};

use crate::args::{Judging, PathOrDash, usage};
use crate::listing::Listing;
use crate::output::Out;
use crate::progress::{Meter, When};
use crate::{FAILED, INVALID, VALID, output};

const HELP: &str = "\
Examples:
  xenstream verify guest.save                       one image
  xenstream verify -q saves                         all below a directory, silent if they are valid
  xenstream verify --profile restore guest.save     would Xen restore it?
  xenstream verify --keep-going --json guest.save   everything there is to say, for a program
  cat guest.save | xenstream verify -               a stream on its way
  xenstream verify --limit hvm-pfn=16M --allow libxc::padding guest.save

Exit status:
  0  every image is valid
  1  an image is invalid
  2  usage, input or output error, whatever the images are";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Images, directories of images, or - for standard input, which is also read when nothing is named
    #[arg(value_name = "FILE|DIR|-")]
    targets: Vec<PathOrDash>,

    #[command(flatten)]
    judging: Judging,

    /// Report everything that is wrong with an image, not only the first thing
    #[arg(long)]
    keep_going: bool,

    /// Print a JSON object for each image, on a line of its own
    #[arg(long)]
    json: bool,

    /// Say nothing of valid images
    #[arg(short, long, conflicts_with_all = ["verbose", "json"])]
    quiet: bool,

    /// List the records of each image
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,

    /// Show on standard error how far the work is, once it has taken half a second; auto: on a terminal, unless that is
    /// where records are listed
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    progress: Option<When>,
}

impl Arguments {
    /// What the command line says of how to judge.
    pub(crate) fn options(&self) -> Options {
        self.judging.options(self.keep_going)
    }

    fn progress(&self) -> When {
        match self.progress {
            Some(when) => when,
            None if self.quiet => When::Never,
            None => When::Auto,
        }
    }
}

/// Verifies what the command line names. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let targets = targets(&arguments.targets);
    let options = arguments.options();
    // The listing of one image at a time, in front of its verdict.
    let threads = if arguments.verbose { NonZero::new(1) } else { None };
    Meter::watch(arguments.progress(), arguments.verbose, &targets, |meter| {
        let mut out = output::stdout();
        let mut status = VALID;
        let mut written = Ok(());
        let observer = |path: &Path| meter.observer(arguments.verbose.then(|| Listing::new(path)));
        verify_all(&targets, &options, threads, observer, |Outcome { path, result, observer }| {
            status = status.max(match &result {
                Ok(report) if report.is_valid() => VALID,
                Ok(_) => INVALID,
                Err(_) => FAILED,
            });
            let bytes = result.as_ref().map_or(0, |report| report.summary.bytes);
            let listing = observer.and_then(|watched| watched.into_inner(bytes));
            written = meter.print(|| {
                listing.map_or(Ok(()), Listing::finish)?;
                print(&mut out, arguments, &path, &result)?;
                out.flush()
            });
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        written.map(|()| status)
    })
}

/// Prints what came of an image.
fn print(
    out: &mut Out,
    arguments: &Arguments,
    path: &Path,
    result: &Result<Report, Error>,
) -> io::Result<()> {
    match result {
        _ if arguments.json => {
            serde_json::to_writer(&mut *out, &json::Line::new(path, result, arguments.judging.profile))?;
            writeln!(out)
        }
        Ok(report) if report.is_valid() && arguments.quiet => Ok(()),
        Ok(report) => output::report(out, path, report),
        Err(error) => {
            output::failure(path, error);
            Ok(())
        }
    }
}

fn targets(names: &[PathOrDash]) -> Vec<Target> {
    if names.is_empty() {
        if io::stdin().is_terminal() {
            usage::<Arguments>(
                "verify",
                "name an image, or a directory of images, or redirect standard input from one",
            );
        }
        return vec![Target::Stdin];
    }
    if names.iter().filter(|name| name.is_dash()).count() > 1 {
        usage::<Arguments>("verify", "standard input can be read once");
    }
    names.iter().map(|name| Target::from_path(name.name())).collect()
}
