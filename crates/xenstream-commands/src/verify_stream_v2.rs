//! The program under the name of Xen's own verifier, `verify-stream-v2`, or as `xenstream verify-stream-v2`: that
//! tool's options in, its exit status out. What is said of a stream is ours.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, LineWriter, Write, stderr, stdout};
use std::os::fd::{AsFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process;

use clap::{Args, Parser, ValueEnum};
use rustix::fs::{SeekFrom, seek};
use xenstream::{Error, Format, Hint, Input, Options, Policy, Report, Violation, verify};

use crate::listing::Listing;
use crate::{descriptor, output};

/// The name, and what messages to the system's log begin with.
pub(crate) const NAME: &str = "verify-stream-v2";

/// The stream is valid.
const VALID: u8 = 0;
/// It is not, or cannot be read: Xen's tool does not tell the two apart, and neither do those who call it.
const STREAM_ERROR: u8 = 1;
/// Xen's tool uses 2 for errors of its own. Clap does for errors of usage, as that tool does too.
const HELP: &str = "\
Examples:
  xenstream verify-stream-v2 -f xl -i guest.save
  xenstream verify-stream-v2 -v -f xl < guest.save

Exit status:
  0  the stream is valid
  1  it is not, or it cannot be read
  2  usage error, or an error of this program";

/// Verifies a stream as Xen's verify-stream-v2 does, with its options and its exit status.
#[derive(Debug, Parser)]
#[command(name = NAME)]
pub(crate) struct Program {
    #[command(flatten)]
    pub(crate) arguments: Arguments,
}

#[derive(Debug, Args)]
#[command(after_help = HELP, infer_long_args = true, args_override_self = true, disable_version_flag = true)]
pub(crate) struct Arguments {
    /// The stream: the number of an open descriptor, or a file
    #[arg(
        short = 'i',
        long = "in",
        value_name = "FD or FILE",
        default_value = "0",
        allow_hyphen_values = true
    )]
    input: OsString,

    /// List the records
    #[arg(short, long)]
    verbose: bool,

    /// Say nothing at all
    #[arg(short, long)]
    quiet: bool,

    /// Format of the stream
    #[arg(short, long, value_enum, default_value_t)]
    format: StreamFormat,

    /// Talk to the system's log; errors go to standard error too
    #[arg(long)]
    syslog: bool,

    /// Xen's tool passes over arguments that are no options.
    #[arg(hide = true)]
    ignored: Vec<OsString>,
}

/// The formats that Xen's tool knows.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum StreamFormat {
    #[default]
    Libxc,
    Libxl,
    Xl,
}

/// Was the program called by the name of Xen's tool?
pub(crate) fn is_name(program: Option<&OsStr>) -> bool {
    program.and_then(|program| Path::new(program).file_name()).is_some_and(|name| name == NAME)
}

/// Verifies what the command line names. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let voice = Voice::of(arguments);
    let format = match arguments.format {
        StreamFormat::Libxc => Format::Libxc,
        StreamFormat::Libxl => Format::Libxl,
        StreamFormat::Xl => Format::Xl,
    };
    // The written specification, and no more: as Xen's tool does not decompress, neither does what calls it.
    let options = Options::new(Policy::spec()).with_format(format).with_decompression(false);
    let result = match arguments.input.to_str().and_then(|text| text.parse::<RawFd>().ok()) {
        // -1 is what Xen's tool takes for "no number".
        Some(number) if number != -1 => verify_descriptor(number, &options, &voice)?,
        _ => read(Input::Path(Path::new(&arguments.input)), &options, &voice)?,
    };
    Ok(match &result {
        Ok(report) => tell(report, &voice)?,
        Err(error) => {
            voice.error(&format!("{}: {}", output::name(&arguments.input), error.message()));
            STREAM_ERROR
        }
    })
}

/// Verifies what is in an open descriptor, and leaves its offset after the stream, as a reader does.
fn verify_descriptor(number: RawFd, options: &Options, voice: &Voice) -> io::Result<Result<Report, Error>> {
    let file = match descriptor::duplicate(number) {
        Ok(descriptor) => File::from(descriptor),
        Err(error) => return Ok(Err(Error::Open(error))),
    };
    let result = read(Input::Descriptor(file.as_fd()), options, voice)?;
    if let Ok(report) = &result
        && report.is_valid()
        && file.metadata().is_ok_and(|metadata| metadata.is_file())
        && let Ok(bytes) = i64::try_from(report.summary.bytes)
    {
        seek(&file, SeekFrom::Current(bytes))?;
    }
    Ok(result)
}

fn read(input: Input<'_>, options: &Options, voice: &Voice) -> io::Result<Result<Report, Error>> {
    let Some(out) = voice.details() else { return Ok(verify(input, options, &mut ())) };
    let mut listing = Listing::to(out);
    let result = verify(input, options, &mut listing);
    listing.finish()?;
    Ok(result)
}

/// Says what there is to say of a stream. Returns the exit status.
fn tell(report: &Report, voice: &Voice) -> io::Result<u8> {
    if let Some(mut out) = voice.details() {
        for warning in report.warnings.listed() {
            writeln!(out, "warning: {warning}")?;
        }
        for (rule, more) in report.warnings.unlisted() {
            writeln!(out, "warning: {rule}: {more} more")?;
        }
        out.flush()?;
    }
    Ok(match report.violation() {
        None => VALID,
        Some(violation) => {
            voice.error(&stream_error(violation));
            if let Some(hint) = report.hint() {
                voice.error(&format!("hint: {hint}{}", advice(hint)));
            }
            STREAM_ERROR
        }
    })
}

/// What is to be done about it.
fn advice(hint: Hint) -> &'static str {
    match hint {
        Hint::Format(Format::Xl) => "; use -f xl",
        Hint::Format(Format::Libxl) => "; use -f libxl",
        Hint::Format(Format::Libxc) => "; use -f libxc",
        Hint::Format(_) => ", which xenstream verify reads and Xen's tool does not",
        _ => "",
    }
}

fn stream_error(violation: &Violation) -> String {
    // The first line is that of Xen's tool, by which logs are searched.
    format!("Stream Error:\n{violation}")
}

/// Where the program talks to.
enum Voice {
    Nowhere,
    Terminal { verbose: bool },
    Syslog { verbose: bool, socket: PathBuf },
}

/// Severities, as syslog counts.
const ERROR: u8 = 3;
const INFORMATION: u8 = 6;

impl Voice {
    fn of(arguments: &Arguments) -> Voice {
        let verbose = arguments.verbose;
        match arguments {
            Arguments { quiet: true, .. } => Voice::Nowhere,
            Arguments { syslog: false, .. } => Voice::Terminal { verbose },
            Arguments { syslog: true, .. } => Voice::Syslog { verbose, socket: PathBuf::from("/dev/log") },
        }
    }

    /// Where details go, if they are wanted.
    fn details(&self) -> Option<LineWriter<Box<dyn Write + '_>>> {
        let out: Box<dyn Write + '_> = match self {
            Voice::Terminal { verbose: true } => Box::new(stdout()),
            Voice::Syslog { verbose: true, socket } => Box::new(Log { socket, severity: INFORMATION }),
            _ => return None,
        };
        Some(LineWriter::new(out))
    }

    /// Says what is wrong. There is nowhere to say that it could not be said.
    fn error(&self, message: &str) {
        if let Voice::Syslog { socket, .. } = self {
            let _ = writeln!(Log { socket, severity: ERROR }, "{message}");
        }
        if !matches!(self, Voice::Nowhere) {
            let _ = writeln!(stderr(), "{message}");
        }
    }
}

/// The system's log: each line that is written is a message. Where there is no log they are lost, as with syslog(3).
struct Log<'a> {
    socket: &'a Path,
    severity: u8,
}

impl Write for Log<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        const USER: u8 = 1;
        let priority = USER * 8 + self.severity;
        for line in String::from_utf8_lossy(bytes).lines() {
            let message = format!("<{priority}>{NAME}[{}]: {line}", process::id());
            let _ = UnixDatagram::unbound()?.send_to(message.as_bytes(), self.socket);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Result<Arguments, clap::Error> {
        let words = line.split(' ').filter(|word| !word.is_empty());
        Program::try_parse_from([NAME].into_iter().chain(words)).map(|program| program.arguments)
    }

    /// What optparse takes.
    #[test]
    fn options_are_those_of_xens_tool() {
        for line in [
            "",
            "-i 3 -f xl",
            "-i3 -fxl",
            "--in=3 --format=libxl",
            "--in 3 --format libxc",
            "--i 3 --verb --form xl --qui --sys",
            "-v -v -q -q -f xl -f libxc",
            "-vq",
            "-i -q",
            "some words -v more words",
        ] {
            assert!(arguments(line).is_ok(), "{line}");
        }
        for line in ["-x", "-f", "-f xls", "-f libvirt", "--version", "-i"] {
            assert_eq!(arguments(line).unwrap_err().exit_code(), 2, "{line}");
        }
        let help = arguments("-h").unwrap_err();
        assert_eq!(help.exit_code(), 0);
        assert!(help.to_string().contains("verify-stream-v2 [OPTIONS]\n"), "{help}");
        assert_eq!(arguments("-i -q").unwrap().input, "-q");
    }

    #[test]
    fn names() {
        for (name, is) in [
            ("verify-stream-v2", true),
            ("/usr/lib/xen/bin/verify-stream-v2", true),
            ("./verify-stream-v2", true),
            ("xenstream", false),
            ("verify-stream-v2/xenstream", false),
            ("", false),
        ] {
            assert_eq!(is_name(Some(OsStr::new(name))), is, "{name}");
        }
        assert!(!is_name(None));
    }

    #[test]
    fn the_log_gets_a_message_for_each_line() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("log");
        let log = UnixDatagram::bind(&socket).unwrap();
        let message = || {
            let mut bytes = [0; 256];
            let n = log.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..n].to_vec()).unwrap()
        };
        let voice = Voice::Syslog { verbose: true, socket };
        writeln!(voice.details().unwrap(), "a record").unwrap();
        voice.error("Stream Error:\nso and so");
        let name = format!("verify-stream-v2[{}]", process::id());
        assert_eq!(message(), format!("<14>{name}: a record"));
        assert_eq!(message(), format!("<11>{name}: Stream Error:"));
        assert_eq!(message(), format!("<11>{name}: so and so"));
    }

    #[test]
    fn a_log_that_is_not_there_stops_nobody() {
        let voice = Voice::Syslog { verbose: true, socket: PathBuf::from("/nonexistent") };
        writeln!(voice.details().unwrap(), "a record").unwrap();
        voice.error("so and so");
    }
}
