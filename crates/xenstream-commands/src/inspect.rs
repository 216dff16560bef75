//! `xenstream inspect`.

mod choice;
mod hex;
mod objects;
mod table;

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use clap::Args;
use xenstream::inspect::{Inspection, Sink, inspect};
use xenstream::{Error, Options};

use crate::args::{Judging, PathOrDash, usage};
use crate::{output, status};

use choice::{Choice, Chosen};
use objects::Objects;
use table::Table;

const HELP: &str = "\
Examples:
  xenstream inspect guest.save                       every record, with what is in it
  xenstream inspect broken.save                      up to what is wrong, and the bytes there
  xenstream inspect --type HVM_CONTEXT guest.save    records of a type
  xenstream inspect --type CPU --fields guest.save   every register by name
  xenstream inspect --record 3 --hex guest.save      the bytes of one
  xenstream inspect --json guest.save | wc -l        for programs

Exit status:
  0  the image is valid
  1  the image is invalid; what was found up to there is shown
  2  usage, input or output error
  3  the image cannot be judged; what was found up to there is shown";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Image, or - for standard input
    #[arg(value_name = "FILE|-")]
    target: PathOrDash,

    #[command(flatten)]
    judging: Judging,

    /// Go on after what is wrong, where the framing is intact
    #[arg(long)]
    keep_going: bool,

    /// Print a line for each PAGE_DATA record, and not one for a run of them
    #[arg(long)]
    pages: bool,

    /// Print every field of what is shown, each on a line of its own; --json prints them always
    #[arg(long)]
    fields: bool,

    /// Dump the bytes of each record that is shown
    #[arg(long, conflicts_with = "json")]
    hex: bool,

    /// Print a JSON object for each record, on a line of its own, and one for the verdict at the end
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    choice: Choice,
}

/// Shows what is in the image that the command line names. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    if arguments.target.is_unusable_input() {
        usage::<Arguments>("inspect", "redirect standard input from an image");
    }
    let options = arguments.judging.options(arguments.keep_going);
    let out = output::stdout();
    let path = arguments.target.name();
    let folds = !arguments.pages && !arguments.hex;
    if arguments.json {
        let mut rows = Chosen::new(&arguments.choice, folds, Objects::new(out, is_slow(path)));
        let result = inspect_target(&arguments.target, &options, &mut rows);
        rows.finish()?.verdict(path, &result, arguments.judging.profile)?;
        Ok(status::of_result(result.as_ref().map(|inspection| &inspection.report)))
    } else {
        let table = Table::new(out, arguments.hex, arguments.fields, is_slow(path));
        let mut rows = Chosen::new(&arguments.choice, folds, table);
        let result = inspect_target(&arguments.target, &options, &mut rows);
        let shown = rows.shown();
        let mut table = rows.finish()?;
        if shown == 0 && !arguments.choice.is_everything() {
            table.note("no record is of this kind or in this place")?;
        }
        let out = table.into_out()?;
        tell(out, path, &result)?;
        Ok(status::of_result(result.as_ref().map(|inspection| &inspection.report)))
    }
}

fn inspect_target<S: Sink>(
    target: &PathOrDash,
    options: &Options,
    sink: &mut S,
) -> Result<Inspection, Error> {
    inspect(target.input(&io::stdin()), options, sink)
}

/// Whether rows go out at once because they may be long in coming or a person waits for them.
fn is_slow(path: &Path) -> bool {
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    !is_file || io::stdout().is_terminal()
}

fn tell(mut out: impl Write, path: &Path, result: &Result<Inspection, Error>) -> io::Result<()> {
    match result {
        Ok(Inspection { report, view, .. }) => {
            output::report(&mut out, path, report)?;
            if let (Some(view), Some(violation)) = (view, report.violation()) {
                // Beside others it is to be told which one is shown.
                hex::view(&mut out, view, violation, report.findings.listed().len() > 1)?;
            }
        }
        Err(error) => {
            // After the rows, whatever order the two are read in.
            out.flush()?;
            output::failure(path, error);
        }
    }
    out.flush()
}
