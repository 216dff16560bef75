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
  xenstream scrub guest.save public.save                       no memory of the guest is left
  xenstream scrub --registers --names guest.save public.save   nor registers and names
  xenstream scrub --damaged broken.save public.save            of what is broken, what can be told
  cat guest.save | xenstream scrub - - | gzip > public.save.gz

Exit status:
  0  the stream is valid and was scrubbed
  1  it is invalid; it was scrubbed only if --damaged was given
  2  usage, input or output error; there is no OUT
  3  it cannot be judged; it was scrubbed only if --damaged was given";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The stream, compressed or not, or - for standard input
    #[arg(value_name = "IN|-")]
    input: PathOrDash,

    /// A new file for the scrubbed stream, which is not compressed, or - for standard output
    #[arg(value_name = "OUT|-")]
    output: PathOrDash,

    /// Blank registers and devices too: vcpu records, HVM_CONTEXT, the device model's state
    #[arg(long)]
    registers: bool,

    /// Blank names too: values in xenstore, strings of the configuration, xenopsd's metadata
    #[arg(long)]
    names: bool,

    /// Scrub an invalid stream too, and everything that can be blanked; where it is not known any more what is what,
    /// and after that, everything becomes zero
    #[arg(long)]
    damaged: bool,

    /// Replace OUT if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    judging: Judging,

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
        usage::<Arguments>("scrub", "redirect standard input from a stream");
    }
    let stdin = io::stdin();
    match output {
        PathOrDash::Path(path) => {
            scrub(input.input(&stdin), Output::Path { path, overwrite: arguments.force }, &options, what)
        }
        PathOrDash::Dash => {
            if is_unusable(&io::stdout()) {
                usage::<Arguments>("scrub", "redirect standard output to the reader of the stream");
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
            "nothing is known of what is in no known format"
        } else {
            "--damaged scrubs invalid and unjudged streams as far as it can be told what is what"
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
