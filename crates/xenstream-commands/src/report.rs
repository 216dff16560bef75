//! `xenstream report`.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use clap::Args;
use xenstream::{Error, NewFile, Report, verify};
use xenstream_report::{Collector, Subject, is_page, write_page};

use crate::args::{Judging, PathOrDash, usage};
use crate::descriptor::is_unusable;
use crate::progress::{Meter, When};
use crate::{date, output, status};

const HELP: &str = "\
Examples:
  xenstream report guest.save -o report.html                     write a page
  xenstream report --profile hardened guest.save > report.html   judge more strictly

Exit status:
  0  the image is valid
  1  the image is invalid; the page shows what is wrong
  2  usage, input or output error
  3  the image cannot be judged; the page shows the part that can be";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Image; - is standard input
    #[arg(value_name = "FILE|-")]
    image: PathOrDash,

    /// File to write [default: standard output]
    #[arg(short, long, value_name = "FILE|-", default_value = "-", hide_default_value = true)]
    output: PathOrDash,

    /// Replace the output file even if it is not an earlier report
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    judging: Judging,

    /// Show progress on standard error, after half a second [default: auto, on a terminal]
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    progress: Option<When>,
}

/// Writes a page about an image, valid or not. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let Arguments { image, output, .. } = arguments;
    if output.is_dash() && is_unusable(&io::stdout()) {
        usage::<Arguments>(
            "report",
            "the report is an HTML page: name a file with -o report.html, or redirect standard output",
        );
    }
    if image.is_unusable_input() {
        usage::<Arguments>("report", "name an image, or redirect standard input from one");
    }
    if let PathOrDash::Path(output) = output
        && fs::metadata(output).is_ok_and(|output| image.is_same_file(&output))
    {
        usage::<Arguments>("report", "the page would take the image's place");
    }
    if let PathOrDash::Path(output) = output
        && !arguments.force
        && !may_replace(output)
    {
        output::failure(output, &Error::Exists);
        return Ok(status::FAILED);
    }
    let (report, collector) = match read(arguments) {
        Ok(read) => read,
        Err(error) => {
            output::failure(image.name(), &error);
            return Ok(status::FAILED);
        }
    };
    let name = match image {
        PathOrDash::Dash => "standard input".to_owned(),
        PathOrDash::Path(path) => output::name(path.file_name().unwrap_or(path.as_os_str())),
        PathOrDash::Elsewhere(image) => output::name(image.shown().file_name().unwrap_or_default()),
    };
    let path = match image {
        PathOrDash::Dash => None,
        PathOrDash::Path(path) => Some(output::name(fs::canonicalize(path).as_ref().unwrap_or(path))),
        PathOrDash::Elsewhere(image) => Some(output::name(image.shown())),
    };
    let date = date::now();
    let subject = Subject { name: &name, path: path.as_deref(), date: Some(&date) };
    let page = |out: &mut dyn Write| write_page(out, subject, &report, &collector);
    match output {
        PathOrDash::Dash => {
            let mut out = BufWriter::new(io::stdout().lock());
            page(&mut out)?;
            out.flush()?;
        }
        PathOrDash::Elsewhere(image) => {
            output::failure(image.shown(), &Error::NotAFile);
            return Ok(status::FAILED);
        }
        PathOrDash::Path(output) => {
            if let Err(error) = write_file(output, page) {
                output::failure(output, &error);
                return Ok(status::FAILED);
            }
            let mut out = output::stdout();
            output::report(&mut out, image.name(), &report)?;
            out.flush()?;
        }
    }
    Ok(status::of(&report))
}

/// Verifies the image and collects the data for the page.
fn read(arguments: &Arguments) -> Result<(Report, Collector), Error> {
    let Arguments { image, judging, progress, .. } = arguments;
    let options = judging.options(true);
    Meter::watch(progress.unwrap_or(When::Auto), false, &[image.file()], |meter| {
        let mut observer = meter.observer(Collector::new());
        let report = verify(image.input(&io::stdin()), &options, &mut observer)?;
        let collector = observer.into_inner(report.summary.bytes);
        Ok((report, collector))
    })
}

/// Writes a file atomically: a reader sees either the old contents or the whole page.
fn write_file(path: &Path, page: impl Fn(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let into = |file: &File| {
        let mut out = BufWriter::new(file);
        page(&mut out).and_then(|()| out.flush()).map_err(|error| Error::of_output(0, error))
    };
    let there = fs::metadata(path).ok();
    if there.as_ref().is_some_and(is_written_through) {
        return into(&File::options().write(true).open(path).map_err(Error::Create)?);
    }
    // If the path is a symbolic link, its target is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let new = NewFile::create(&path, true)?;
    into(new.file())?;
    if let Some(there) = there {
        new.file().set_permissions(there.permissions()).map_err(Error::Create)?;
    }
    new.publish()
}

/// Returns whether a page may be written to this path: there is nothing, an earlier page, or a pipe or device.
fn may_replace(path: &Path) -> bool {
    let Ok(there) = fs::metadata(path) else { return true };
    if !there.is_file() {
        return true;
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(START).read_to_end(&mut start));
    read.is_ok() && is_page(&start)
}

/// The number of bytes at the start of a page that identify it.
const START: u64 = 4096;

/// Returns whether this is written to rather than replaced: a pipe, a device or a socket.
fn is_written_through(there: &Metadata) -> bool {
    let kind = there.file_type();
    kind.is_fifo() || kind.is_char_device() || kind.is_block_device() || kind.is_socket()
}
