//! `xenstream scrub`.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use xenstream::scrub::{Output, Scrub, Scrubbed, remains, scrub};
use xenstream::{Checkpointing, Error, Format, Input, Options, Policy, Profile};

use crate::args::{checkpointing_parser, format_parser, profile_parser, usage};
use crate::descriptor::Stdout;
use crate::{FAILED, INVALID, VALID, output};

const HELP: &str = "\
Examples:
  xenstream scrub guest.save public.save                       no memory of the guest is left
  xenstream scrub --registers --names guest.save public.save   nor registers and names
  xenstream scrub --damaged broken.save public.save            of what is broken, what can be told
  cat guest.save | xenstream scrub - - | gzip > public.save.gz

Exit status:
  0  the stream is valid and was scrubbed
  1  it is invalid; it was scrubbed only if --damaged was given
  2  usage, input or output error; there is no OUT";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The stream, compressed or not, or - for standard input
    #[arg(value_name = "IN|-")]
    input: PathBuf,

    /// A new file for the scrubbed stream, which is not compressed, or - for standard output
    #[arg(value_name = "OUT|-")]
    output: PathBuf,

    /// Blank registers and devices too: vcpu records, HVM_CONTEXT, the device model's state
    #[arg(long)]
    registers: bool,

    /// Blank names too: values in xenstore, strings of the configuration, xenopsd's metadata
    #[arg(long)]
    names: bool,

    /// Scrub an invalid stream too, and everything that can be blanked; where it is not known any more what is what,
    /// and behind that, everything becomes zero
    #[arg(long)]
    damaged: bool,

    /// Replace OUT if it exists
    #[arg(long)]
    force: bool,

    /// Format of the stream; auto goes by its first bytes
    #[arg(short, long, default_value = "auto", value_parser = format_parser())]
    format: Format,

    /// What makes a stream invalid: the written specification, what Xen refuses to restore, or more
    #[arg(long, default_value = "spec", value_parser = profile_parser())]
    profile: Profile,

    /// What kind of stream it is, where that cannot be told from it
    #[arg(long, default_value = "auto", value_parser = checkpointing_parser())]
    checkpointing: Checkpointing,

    /// Say nothing of a valid stream
    #[arg(short, long)]
    quiet: bool,
}

/// Scrubs one stream. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let what = Scrub::MEMORY
        .with_registers(arguments.registers)
        .with_names(arguments.names)
        .with_damaged(arguments.damaged);
    match scrubbed(arguments, what) {
        Ok(scrubbed) => {
            tell(&mut anstream::stderr().lock(), arguments, what, &scrubbed)?;
            Ok(if scrubbed.report.is_valid() { VALID } else { INVALID })
        }
        Err(error) => {
            output::failure(if is_of_output(&error) { &arguments.output } else { &arguments.input }, &error);
            Ok(FAILED)
        }
    }
}

fn scrubbed(arguments: &Arguments, what: Scrub) -> Result<Scrubbed, Error> {
    let policy = Policy::new(arguments.profile).with_checkpointing(arguments.checkpointing);
    let options = Options::new(policy).with_format(arguments.format);
    let stdin = io::stdin();
    let input = if is_standard(&arguments.input) {
        if stdin.is_terminal() {
            usage("scrub", "redirect standard input from a stream");
        }
        Input::Descriptor(stdin.as_fd())
    } else {
        Input::Path(&arguments.input)
    };
    if !is_standard(&arguments.output) {
        return scrub(
            input,
            Output::Path { path: &arguments.output, overwrite: arguments.force },
            &options,
            what,
        );
    }
    if io::stdout().is_terminal() {
        usage("scrub", "redirect standard output to who is to get the stream");
    }
    let mut stdout = Stdout::new().map_err(Error::Create)?;
    if is_same_file(&arguments.input, stdout.file()) {
        return Err(Error::SameFile);
    }
    scrub(input, Output::Writer(&mut stdout), &options, what)
}

/// Is standard output a file, and the one that is read?
fn is_same_file(input: &Path, stdout: &File) -> bool {
    let input = if is_standard(input) { fs::metadata("/dev/stdin") } else { fs::metadata(input) };
    match (input, stdout.metadata()) {
        (Ok(input), Ok(output)) => {
            output.is_file() && (input.dev(), input.ino()) == (output.dev(), output.ino())
        }
        _ => false,
    }
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

fn is_of_output(error: &Error) -> bool {
    matches!(
        error,
        Error::Create(_)
            | Error::Exists
            | Error::NoFile
            | Error::SameFile
            | Error::Write { .. }
            | Error::ConsumerGone { .. }
    )
}

fn tell(out: &mut impl Write, arguments: &Arguments, what: Scrub, scrubbed: &Scrubbed) -> io::Result<()> {
    let report = &scrubbed.report;
    if report.is_valid() && arguments.quiet {
        return Ok(());
    }
    output::report(out, &arguments.input, report)?;
    let Some(bytes) = scrubbed.bytes else {
        let why = if arguments.damaged {
            "nothing is known of what is in no known format"
        } else {
            "--damaged scrubs invalid streams as far as it can be told what is what"
        };
        writeln!(out, "not scrubbed: {why}")?;
        return out.flush();
    };
    writeln!(out, "{}: scrubbed: {}", output::name(&arguments.output), output::bytes(bytes))?;
    if let Some(offset) = scrubbed.zero_from {
        writeln!(out, "  everything from offset {offset} ({offset:#x}) on is zero")?;
    }
    writeln!(out, "  what still identifies the guest:")?;
    for part in remains(what, &report.summary) {
        writeln!(out, "    {}: {}", part.place, part.holds)?;
    }
    out.flush()
}
