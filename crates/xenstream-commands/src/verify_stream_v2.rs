//! `xenstream verify-stream-v2`, or the program under that name: the options and the exit status of Xen's own verifier.
//! The messages are xenstream's.

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

use crate::listing::listing;
use crate::{descriptor, output};

/// The name of Xen's tool, which also begins each message to the system log.
pub(crate) const NAME: &str = "verify-stream-v2";

/// The stream is valid.
const VALID: u8 = 0;
/// The stream is invalid or cannot be read. Xen's tool and its callers do not distinguish the two.
const STREAM_ERROR: u8 = 1;

// Xen's tool uses status 2 for its own errors and for usage errors; clap uses it for usage errors.
const HELP: &str = "\
Examples:
  xenstream verify-stream-v2 -f xl -i guest.save     verify a file
  xenstream verify-stream-v2 -v -f xl < guest.save   list the records

Exit status:
  0  the stream is valid
  1  the stream is invalid or cannot be read
  2  usage or output error";

/// Verify a stream with the options and the exit status of Xen's verify-stream-v2
#[derive(Debug, Parser)]
#[command(name = NAME)]
pub(crate) struct Program {
    #[command(flatten)]
    pub(crate) arguments: Arguments,
}

#[derive(Debug, Args)]
#[command(after_help = HELP, infer_long_args = true, args_override_self = true, disable_version_flag = true)]
pub(crate) struct Arguments {
    /// Stream: a file, or the number of an open descriptor
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

    /// Print nothing
    #[arg(short, long)]
    quiet: bool,

    /// Format of the stream
    #[arg(short, long, value_enum, default_value_t)]
    format: StreamFormat,

    /// Log to syslog; errors also go to standard error
    #[arg(long)]
    syslog: bool,

    /// Arguments that are not options, which Xen's tool ignores.
    #[arg(hide = true)]
    ignored: Vec<OsString>,
}

/// The formats that Xen's tool supports.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum StreamFormat {
    #[default]
    Libxc,
    Libxl,
    Xl,
}

/// Returns whether the program was called by the name of Xen's tool.
pub(crate) fn is_name(program: Option<&OsStr>) -> bool {
    program.and_then(|program| Path::new(program).file_name()).is_some_and(|name| name == NAME)
}

/// Verifies the stream. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let voice = Voice::of(arguments);
    let format = match arguments.format {
        StreamFormat::Libxc => Format::Libxc,
        StreamFormat::Libxl => Format::Libxl,
        StreamFormat::Xl => Format::Xl,
    };
    // The written specification only. Callers of Xen's tool do not expect decompression.
    let options = Options::new(Policy::spec()).with_format(format).with_decompression(false);
    let result = match arguments.input.to_str().and_then(|text| text.parse::<RawFd>().ok()) {
        // Xen's tool uses -1 for "not a number".
        Some(number) if number != -1 => verify_descriptor(number, &options, &voice)?,
        _ => read(Input::Path(Path::new(&arguments.input)), &options, &voice)?,
    };
    Ok(match &result {
        Ok(report) => tell(report, &voice)?,
        Err(error) => {
            voice.error(&output::with_path(&arguments.input, error));
            STREAM_ERROR
        }
    })
}

/// Verifies the stream in an open descriptor, and leaves its offset after the stream, as a reader would.
fn verify_descriptor(number: RawFd, options: &Options, voice: &Voice) -> io::Result<Result<Report, Error>> {
    let file = match descriptor::duplicate(number) {
        Ok(descriptor) => File::from(descriptor),
        Err(error) => return Ok(Err(Error::Inspect(error))),
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
    let mut listing = listing(out, None);
    let result = verify(input, options, &mut listing);
    let bytes = result.as_ref().map_or(0, |report| report.summary.bytes);
    listing.finish(bytes).finish()?;
    Ok(result)
}

/// Prints the result. Returns the exit status.
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

/// Returns advice on a hint.
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

/// The destination of messages.
enum Voice {
    Nowhere,
    Terminal { verbose: bool },
    Syslog { verbose: bool, socket: PathBuf },
}

/// Severities of syslog.
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

    /// Returns the destination of details, if they are wanted.
    fn details(&self) -> Option<LineWriter<Box<dyn Write + '_>>> {
        let out: Box<dyn Write + '_> = match self {
            Voice::Terminal { verbose: true } => Box::new(stdout()),
            Voice::Syslog { verbose: true, socket } => Box::new(Log { socket, severity: INFORMATION }),
            _ => return None,
        };
        Some(LineWriter::new(out))
    }

    /// Reports an error. If that fails, there is nowhere to report it.
    fn error(&self, message: &str) {
        if let Voice::Syslog { socket, .. } = self {
            let _ = writeln!(Log { socket, severity: ERROR }, "{message}");
        }
        if !matches!(self, Voice::Nowhere) {
            let _ = writeln!(stderr(), "{message}");
        }
    }
}

/// The system log. Each line is a message. Without a log, messages are lost, as with syslog(3).
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

    /// The options that Python's optparse accepts.
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
    fn program_name_selects_the_mode() {
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
    fn each_line_is_a_syslog_message() {
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
    fn missing_syslog_socket_is_ignored() {
        let voice = Voice::Syslog { verbose: true, socket: PathBuf::from("/nonexistent") };
        writeln!(voice.details().unwrap(), "a record").unwrap();
        voice.error("so and so");
    }
}
