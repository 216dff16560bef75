//! Where text for people goes: in color on a terminal. The text itself is `xenstream_text`.

use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::Path;

use anstream::AutoStream;
use rustix::termios::tcgetwinsize;
use xenstream::Error;

use crate::wrapped::Wrapped;

pub(crate) use xenstream_text::style::{ASIDE, BAD, DOUBTFUL, NAME, NAME as RULE};
pub(crate) use xenstream_text::{bytes, guest, name, pfns, plural, report, unchecked};

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

/// Converts ranges of pfns for JSON.
pub(crate) fn pfn_pairs(ranges: &[RangeInclusive<u64>]) -> Vec<[u64; 2]> {
    ranges.iter().map(|range| [*range.start(), *range.end()]).collect()
}
