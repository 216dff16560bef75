//! `xenstream inspect`.

mod choice;
pub(crate) mod objects;
mod table;

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use clap::Args;
use xenstream::inspect::{Inspection, Sink, inspect};
use xenstream::{Error, Options};
use xenstream_text::hex;

use crate::args::{Judging, PathOrDash, usage};
use crate::{output, status};

use choice::{Choice, Chosen};
use objects::Objects;
use table::Table;

const EXAMPLES: &str = "\
Examples:
  xenstream inspect guest.save                       list every record with its contents
  xenstream inspect broken.save                      up to the fault, and the bytes around it
  xenstream inspect --type HVM_CONTEXT guest.save    only records of this type
  xenstream inspect --type CPU --fields guest.save   every register by name
  xenstream inspect --record 3 --hex guest.save      the bytes of one record
  xenstream inspect --json guest.save | wc -l        for programs";

const EXIT_STATUS: &str = "\
Exit status:
  0  the image is valid
  1  the image is invalid; everything up to the fault is shown
  2  usage, input or output error
  3  the image cannot be judged; everything that can be read is shown";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}"))]
pub(crate) struct Arguments {
    /// Image; - is standard input
    #[arg(value_name = "FILE|-")]
    target: PathOrDash,

    #[command(flatten)]
    judging: Judging,

    /// Continue after a violation, as long as the framing is intact
    #[arg(long)]
    keep_going: bool,

    /// Print each PAGE_DATA record on a line of its own
    #[arg(long)]
    pages: bool,

    /// Print every field on a line of its own; --json always includes them
    #[arg(long)]
    fields: bool,

    /// Dump the bytes of each record shown
    #[arg(long, conflicts_with = "json")]
    hex: bool,

    /// Print one JSON object per record and one for the verdict, each on its own line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    choice: Choice,
}

/// Shows the contents of an image. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    if arguments.target.is_unusable_input() {
        usage::<Arguments>("inspect", "FILE is -: redirect standard input from an image");
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
            table.note("no record matches")?;
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

/// Returns whether each row is flushed at once: the input may be slow, or a person is watching.
fn is_slow(path: &Path) -> bool {
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    !is_file || io::stdout().is_terminal()
}

fn tell(mut out: impl Write, path: &Path, result: &Result<Inspection, Error>) -> io::Result<()> {
    match result {
        Ok(Inspection { report, view, .. }) => {
            output::report(&mut out, path, report)?;
            if let (Some(view), Some(violation)) = (view, report.violation()) {
                // If there are several findings, the view says which one it shows.
                hex::view(&mut out, view, violation, report.findings.listed().len() > 1)?;
            }
        }
        Err(error) => {
            // The rows come first, whichever of the two streams is read first.
            out.flush()?;
            output::failure(path, error);
        }
    }
    out.flush()
}
