//! `xenstream report`.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use clap::Args;
use xenstream::batch::Target;
use xenstream::{Error, Format, Input, NewFile, Options, Profile, Report, verify};
use xenstream_report::{Collector, write_page};

use crate::args::{Changes, format_parser, profile_parser, usage};
use crate::progress::{Meter, When};
use crate::{FAILED, INVALID, VALID, output};

const HELP: &str = "\
Examples:
  xenstream report guest.save -o report.html
  xenstream report --profile hardened guest.save > report.html

Exit status:
  0  the image is valid
  1  it is invalid; the page says what is wrong
  2  usage, input or output error";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The image, or - for standard input
    #[arg(value_name = "FILE|-")]
    image: PathBuf,

    /// Where to put the page; - or nothing is standard output
    #[arg(short, long, value_name = "FILE|-", default_value = "-", hide_default_value = true)]
    output: PathBuf,

    /// Format of the image; auto goes by its first bytes
    #[arg(short, long, default_value = "auto", value_parser = format_parser())]
    format: Format,

    /// How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from
    /// people you do not trust
    #[arg(long, default_value = "spec", value_parser = profile_parser())]
    profile: Profile,

    #[command(flatten)]
    changes: Changes,

    /// Show on standard error how far the work is, once it has taken half a second; auto: on a terminal
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    progress: Option<When>,
}

/// Makes a page about an image, invalid ones included. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let Arguments { image, output, .. } = arguments;
    let to_stdout = is_dash(output);
    if to_stdout && io::stdout().is_terminal() {
        usage(
            "report",
            "a page is for a browser: name a file for it, as in -o report.html, or redirect standard output",
        );
    }
    if is_dash(image) && io::stdin().is_terminal() {
        usage("report", "name an image, or redirect standard input from one");
    }
    if !to_stdout && is_same_file(image, output) {
        usage("report", "the page would take the image's place");
    }
    let (report, collector) = match read(arguments) {
        Ok(read) => read,
        Err(error) => {
            output::failure(image, &error);
            return Ok(FAILED);
        }
    };
    let name = match image.file_name() {
        _ if is_dash(image) => "standard input".to_owned(),
        name => output::name(name.unwrap_or(image.as_os_str())),
    };
    let page = |out: &mut dyn Write| write_page(out, &name, &report, &collector);
    if to_stdout {
        let mut out = BufWriter::new(io::stdout().lock());
        page(&mut out)?;
        out.flush()?;
    } else {
        if let Err(error) = write_file(output, page) {
            output::failure(output, &error);
            return Ok(FAILED);
        }
        let mut out = output::stdout();
        output::report(&mut out, image, &report)?;
        out.flush()?;
    }
    Ok(if report.is_valid() { VALID } else { INVALID })
}

/// Verifies the image, and collects what the page is made of.
fn read(arguments: &Arguments) -> Result<(Report, Collector), Error> {
    let Arguments { image, format, profile, changes, progress, .. } = arguments;
    let options = Options::new(changes.policy(*profile).with_keep_going(true)).with_format(*format);
    let target = if is_dash(image) { Target::Stdin } else { Target::File(image.clone()) };
    Meter::watch(progress.unwrap_or(When::Auto), false, &[target], |meter| {
        let mut observer = meter.observer(Collector::new());
        let stdin = io::stdin();
        let input = if is_dash(image) { Input::Descriptor(stdin.as_fd()) } else { Input::Path(image) };
        let report = verify(input, &options, &mut observer)?;
        let collector = observer.into_inner(report.summary.bytes);
        Ok((report, collector))
    })
}

/// Writes a file all at once: whoever looks sees what was there before, or all of the page.
fn write_file(path: &Path, page: impl Fn(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let into = |file: &File| {
        let mut out = BufWriter::new(file);
        page(&mut out).and_then(|()| out.flush()).map_err(|error| Error::of_output(0, error))
    };
    let there = fs::metadata(path).ok();
    if there.as_ref().is_some_and(is_written_through) {
        return into(&File::options().write(true).open(path).map_err(Error::Create)?);
    }
    // Of a symbolic link it is the target that is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let new = NewFile::create(&path, true)?;
    into(new.file())?;
    if let Some(there) = there {
        new.file().set_permissions(there.permissions()).map_err(Error::Create)?;
    }
    new.publish()
}

/// Is this something that cannot be replaced, such as a pipe or a device?
fn is_written_through(there: &Metadata) -> bool {
    let kind = there.file_type();
    kind.is_fifo() || kind.is_char_device() || kind.is_block_device() || kind.is_socket()
}

/// Do both names, or standard input, mean one file?
fn is_same_file(image: &Path, output: &Path) -> bool {
    let identity = |there: Metadata| (there.dev(), there.ino());
    let image = if is_dash(image) { Path::new("/dev/stdin") } else { image };
    match (fs::metadata(image), fs::metadata(output)) {
        (Ok(image), Ok(output)) => identity(image) == identity(output),
        _ => false,
    }
}

fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}
