//! `xenstream scrub`.

use std::io::{self, Write};

use clap::Args;
use xenstream::Report;
use xenstream::scrub::{Scrub, Scrubbed, remains, scrub};

use crate::args::{Judging, PathOrDash};
use crate::rewriting::Ends;
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

    /// Also blank names: xenstore values, strings in the configuration, metadata
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
    let ends = Ends {
        name: "scrub",
        input: &arguments.input,
        output: Some(&arguments.output),
        overwrite: arguments.force,
    };
    let options = arguments.judging.options(false);
    match ends.rewrite::<Arguments, _>(|input, output| scrub(input, output, &options, what)) {
        Ok(scrubbed) => {
            tell(&mut anstream::stderr().lock(), arguments, what, &scrubbed)?;
            let refused = scrubbed.output.filter(|_| scrubbed.bytes.is_none());
            Ok(status::of(&refused.unwrap_or(scrubbed.report)))
        }
        Err(error) => {
            ends.failure(&error);
            Ok(status::FAILED)
        }
    }
}

fn tell(out: &mut impl Write, arguments: &Arguments, what: Scrub, scrubbed: &Scrubbed) -> io::Result<()> {
    let report = &scrubbed.report;
    if report.is_valid() && scrubbed.bytes.is_some() && arguments.quiet {
        return Ok(());
    }
    output::report(out, arguments.input.name(), report)?;
    let Some(bytes) = scrubbed.bytes else {
        if let Some(violation) = scrubbed.output.as_ref().and_then(Report::violation) {
            writeln!(out, "not scrubbed: the output would be refused: {}", violation.message())?;
            return out.flush();
        }
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
