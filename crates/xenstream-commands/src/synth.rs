//! `xenstream synth`.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use xenstream::{Checkpointing, Error, NewFile, Rule};
use xenstream_synth::broken::Broken;
use xenstream_synth::image::{Container, Contents, Shape};
use xenstream_synth::valid::Machine;

use crate::args::{PathOrDash, parse_number, usage, values};
use crate::completions;
use crate::descriptor::{Stdout, is_unusable};
use crate::output::{bytes, complain, name, plural};
use crate::suggest::rules_like;
use crate::{output, status};

const HELP: &str = "\
Examples:
  xenstream synth guest.img                                         a small HVM guest
  xenstream synth --guest pv64 --memory 64G --sparse guest.img      large, but almost no disk space
  xenstream synth --guest pvh --live 3 --container libxl live.img   a live migration
  xenstream synth --break libxc::page-data-count broken.img         break one rule
  xenstream synth --memory 8M | xenstream verify -                  in a pipeline

Exit status:
  0  the stream was written
  2  usage or output error; OUT is not written";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Output file, which must not exist; - is standard output
    #[arg(value_name = "OUT|-", default_value = "-")]
    output: PathOrDash,

    /// Kind of guest
    #[arg(long, default_value = "hvm", value_parser = values(Machine::all(), Machine::name))]
    guest: Machine,

    /// Memory of the guest, such as 4G
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = parse_bytes)]
    memory: u64,

    /// Container around the libxc stream
    #[arg(long, default_value = "xl", value_parser = values(Container::all(), Container::name))]
    container: Container,

    /// Number of vcpus
    #[arg(long, value_name = "N", default_value_t = 1)]
    vcpus: u16,

    /// Send memory as a live migration does: all of it, then less in each of this many further passes
    #[arg(long, value_name = "PASSES", default_value_t = 0)]
    live: u32,

    /// Take this many checkpoints, as Remus does
    #[arg(long, value_name = "N", default_value_t = 0)]
    checkpoints: u32,

    /// Version of the libxc stream: 3, or 2 as before Xen 4.14
    #[arg(long, default_value_t = 3)]
    version: u32,

    /// Seed for page contents and names
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Leave pages empty, as holes in the file, instead of filling them with noise
    #[arg(long)]
    sparse: bool,

    /// Write a small stream that breaks this rule, and print where
    #[arg(
        long = "break",
        value_name = "RULE",
        conflicts_with_all = ["memory", "vcpus", "live", "sparse"],
        add = ArgValueCandidates::new(completions::rules)
    )]
    rule: Option<String>,

    /// Replace OUT if it exists
    #[arg(long)]
    force: bool,

    /// Print nothing if the stream is written
    #[arg(short, long)]
    quiet: bool,
}

impl Arguments {
    fn shape(&self) -> Shape {
        Shape {
            container: self.container,
            vcpus: self.vcpus,
            rounds: self.live,
            checkpoints: self.checkpoints,
            version: self.version,
            seed: self.seed,
            contents: if self.sparse { Contents::Sparse } else { Contents::Noise },
            ..Shape::new(self.guest, self.memory)
        }
    }
}

/// Generates one stream. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let shape = arguments.shape();
    if let Err(error) = shape.check() {
        complain(&error.to_string());
        return Ok(status::FAILED);
    }
    if arguments.output.is_dash() && is_unusable(&io::stdout()) {
        usage::<Arguments>("synth", "name a file, or redirect standard output to a file or a pipe");
    }
    let written = match &arguments.rule {
        None => whole(arguments, &shape),
        Some(rule) => match rule.parse::<Rule>() {
            Ok(rule) => broken(arguments, &shape, rule),
            Err(_) => {
                complain(&format!("unknown rule '{}'{}", name(rule), rules_like(rule)));
                return Ok(status::FAILED);
            }
        },
    };
    match written {
        Ok(message) => {
            if !arguments.quiet {
                let mut err = anstream::stderr().lock();
                write!(err, "{message}")?;
                err.flush()?;
            }
            Ok(status::VALID)
        }
        // Treated like any output whose reader has gone.
        Err(Error::ConsumerGone { .. }) => Err(io::ErrorKind::BrokenPipe.into()),
        Err(error) => {
            output::failure(arguments.output.name(), &error);
            Ok(status::FAILED)
        }
    }
}

/// Writes a valid stream. Returns the message that describes it.
fn whole(arguments: &Arguments, shape: &Shape) -> Result<String, Error> {
    let size = match out(arguments)? {
        Out::File(new) => {
            let size = shape.write_sparse(new.file()).map_err(failure)?;
            new.publish()?;
            size
        }
        Out::Standard(stdout) => shape.write_to(stdout).map_err(failure)?,
    };
    let Shape { machine, memory, container, vcpus, rounds, checkpoints, .. } = shape;
    let mut message = format!(
        "{}: written: {}, {}, {} of memory, {vcpus} {}",
        name(arguments.output.name()),
        container.name(),
        machine.name(),
        bytes(*memory),
        plural(u64::from(*vcpus), "vcpu"),
    );
    for (n, one, more) in
        [(*rounds, "further pass", "further passes"), (*checkpoints, "checkpoint", "checkpoints")]
    {
        if n > 0 {
            let _ = write!(message, ", {n} {}", if n == 1 { one } else { more });
        }
    }
    let _ = writeln!(message, ", {}", bytes(size));
    Ok(message)
}

/// Writes a broken stream. Returns the message that says where it is broken.
fn broken(arguments: &Arguments, shape: &Shape, rule: Rule) -> Result<String, Error> {
    let Some((actual, broken)) = shape.broken(rule) else {
        // A test walks the catalogue: only rules on the host are left.
        let reason = format!("whether a stream breaks {rule} is for the host to say");
        return Err(Error::Create(io::Error::other(reason)));
    };
    match out(arguments)? {
        Out::File(new) => {
            broken.stream.write_to(new.file()).map_err(failure)?;
            new.publish()?;
        }
        Out::Standard(mut stdout) => stdout.write_all(&broken.bytes()).map_err(failure)?,
    }
    Ok(description(arguments, shape, &actual, &broken))
}

fn description(arguments: &Arguments, asked: &Shape, actual: &Shape, broken: &Broken) -> String {
    let path = name(arguments.output.name());
    let Broken { rule, offset, record, format, checkpointing, limit, .. } = broken;
    let mut message = format!("{path}: written: breaks {rule}\n  at offset {offset} ({offset:#x})");
    if let Some(record) = record {
        let _ = write!(message, ", in {record}");
    }
    message.push('\n');
    if (asked.machine, asked.container, asked.version) != (actual.machine, actual.container, actual.version)
        || (asked.checkpoints > 0) != (actual.checkpoints > 0)
    {
        let guest = actual.machine.name();
        let checkpoints = if actual.checkpoints > 0 { " with checkpoints" } else { "" };
        let _ = writeln!(
            message,
            "  the requested shape cannot break this rule, so this is a {guest} guest in {}, version {}{checkpoints}",
            actual.container.name(),
            actual.version
        );
    }
    let _ = write!(message, "  reported by: xenstream verify -f {format} --profile spec --deny {rule}");
    let kind = match checkpointing {
        Checkpointing::Auto => None,
        Checkpointing::Plain => Some("plain"),
        Checkpointing::Remus => Some("remus"),
        Checkpointing::Colo => Some("colo"),
    };
    if let Some(kind) = kind {
        let _ = write!(message, " --checkpointing {kind}");
    }
    if let Some((limit, value)) = limit {
        let _ = write!(message, " --limit {limit}={value}");
    }
    let _ = writeln!(message, " {path}");
    message
}

/// The destination of a stream.
enum Out {
    File(NewFile),
    Standard(Stdout),
}

fn out(arguments: &Arguments) -> Result<Out, Error> {
    match &arguments.output {
        PathOrDash::Dash => Stdout::new().map(Out::Standard).map_err(Error::Create),
        PathOrDash::Path(path) => NewFile::create(path, arguments.force).map(Out::File),
        PathOrDash::Elsewhere(_) => Err(Error::NotAFile),
    }
}

/// Converts an error of writing. How far writing had come does not matter.
fn failure(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe { Error::of_output(0, error) } else { Error::Create(error) }
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    parse_number(text)
        .ok_or_else(|| format!("'{text}' is not a size: use a number such as 4G (also K, M, T)"))
}
