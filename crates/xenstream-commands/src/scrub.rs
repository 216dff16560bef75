//! `xenstream scrub`.

use std::io::{self, Write};

use clap::Args;
use xenstream::Error;
use xenstream::scrub::{Output, Scrub, Scrubbed, remains, scrub};

use crate::args::{Judging, PathOrDash, usage};
use crate::descriptor::{Stdout, is_unusable};
use crate::{output, status};

const HELP: &str = "\
Examples:
  xenstream scrub guest.save public.save                         blank the memory
  xenstream scrub --registers --names guest.save public.save     and registers and names
  xenstream scrub --damaged broken.save public.save              scrub a broken stream
  cat guest.save | xenstream scrub - - | gzip > public.save.gz   in a pipeline

Exit status:
  0  the stream is valid and was scrubbed
  1  the stream is invalid; it was scrubbed only if --damaged was given
  2  usage, input or output error; OUT is not written
  3  the stream cannot be judged; it was scrubbed only if --damaged was given";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Input stream, compressed or not; - is standard input
    #[arg(value_name = "IN|-")]
    input: PathOrDash,

    /// Output file, not compressed, which must not exist; - is standard output
    #[arg(value_name = "OUT|-")]
    output: PathOrDash,

    /// Also blank registers and devices: vcpu records, HVM_CONTEXT, the device model's state
    #[arg(long)]
    registers: bool,

    /// Also blank names: xenstore values, strings in the configuration, xenopsd's metadata
    #[arg(long)]
    names: bool,

    /// Scrub invalid streams too, and blank all that can be blanked; from where parsing fails, write zeros
    #[arg(long)]
    damaged: bool,

    /// Replace OUT if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    judging: Judging,

    /// Print nothing if the stream is valid
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
            Ok(status::of(&scrubbed.report))
        }
        Err(error) => {
            let at_fault = if output::is_of_output(&error) { &arguments.output } else { &arguments.input };
            output::failure(at_fault.name(), &error);
            Ok(status::FAILED)
        }
    }
}

fn scrubbed(arguments: &Arguments, what: Scrub) -> Result<Scrubbed, Error> {
    let Arguments { input, output, .. } = arguments;
    let options = arguments.judging.options(false);
    if input.is_unusable_input() {
        usage::<Arguments>("scrub", "IN is -: redirect standard input from a stream");
    }
    let stdin = io::stdin();
    match output {
        PathOrDash::Path(path) => {
            scrub(input.input(&stdin), Output::Path { path, overwrite: arguments.force }, &options, what)
        }
        PathOrDash::Dash => {
            if is_unusable(&io::stdout()) {
                usage::<Arguments>("scrub", "OUT is -: redirect standard output to a file or a pipe");
            }
            let mut stdout = Stdout::new().map_err(Error::Create)?;
            let written = stdout.file().metadata();
            if written.is_ok_and(|written| written.is_file() && input.is_same_file(&written)) {
                return Err(Error::SameFile);
            }
            scrub(input.input(&stdin), Output::Writer(&mut stdout), &options, what)
        }
    }
}

fn tell(out: &mut impl Write, arguments: &Arguments, what: Scrub, scrubbed: &Scrubbed) -> io::Result<()> {
    let report = &scrubbed.report;
    if report.is_valid() && arguments.quiet {
        return Ok(());
    }
    output::report(out, arguments.input.name(), report)?;
    let Some(bytes) = scrubbed.bytes else {
        let why = if arguments.damaged {
            "the input is in no known format"
        } else {
            "--damaged scrubs invalid and unjudged streams as far as they can be parsed"
        };
        writeln!(out, "not scrubbed: {why}")?;
        return out.flush();
    };
    writeln!(out, "{}: scrubbed: {}", output::name(arguments.output.name()), output::bytes(bytes))?;
    if let Some(offset) = scrubbed.zero_from {
        writeln!(out, "  everything from offset {offset} ({offset:#x}) on is zero")?;
    }
    writeln!(out, "  what still identifies the guest:")?;
    for part in remains(what, &report.summary) {
        writeln!(out, "    {}: {}", part.place, part.holds)?;
    }
    out.flush()
}
