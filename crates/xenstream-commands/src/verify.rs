//! `xenstream verify`.

use std::io::{self, IsTerminal, Write};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use xenstream::batch::{Outcome, Target, verify_all};
use xenstream::{Error, Options, Report, json};

use crate::args::{VerifyArguments, usage};
use crate::listing::Listing;
use crate::output::Out;
use crate::progress::Meter;
use crate::{FAILED, INVALID, VALID, output};

/// Verifies what the command line names. Returns the exit status.
pub(crate) fn run(arguments: &VerifyArguments) -> io::Result<u8> {
    let targets = targets(&arguments.targets);
    let options = Options::new(arguments.policy()).with_format(arguments.format);
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
    arguments: &VerifyArguments,
    path: &Path,
    result: &Result<Report, Error>,
) -> io::Result<()> {
    match result {
        _ if arguments.json => {
            serde_json::to_writer(&mut *out, &json::Line::new(path, result, arguments.profile))?;
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

fn targets(paths: &[PathBuf]) -> Vec<Target> {
    if paths.is_empty() {
        if io::stdin().is_terminal() {
            usage("verify", "name an image, or a directory of images, or redirect standard input from one");
        }
        return vec![Target::Stdin];
    }
    let targets: Vec<_> = paths.iter().map(|path| Target::from_path(path)).collect();
    if targets.iter().filter(|target| **target == Target::Stdin).count() > 1 {
        usage("verify", "standard input can be read once");
    }
    targets
}
