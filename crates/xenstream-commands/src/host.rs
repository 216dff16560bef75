//! `xenstream host`: describes a host as JSON.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use xenstream::host::{Sources, collect};

use crate::{output, status};

const HELP: &str = "\
Examples:
  xenstream host                                   what is known of this host?
  xenstream host --disks saves > host.json         list disks too, to judge elsewhere
  xenstream host > h && xenstream verify --host h guest.save   will the image restore here?

Exit status:
  0  the host was described
  2  usage, input or output error";

const MORE: &str = "\
What cannot be read is null, and is not judged. `sources` in the output says what was read.

Record the sources of a host without xenstream, for --recorded outputs:
  xl info > outputs/xl-info
  /usr/lib/xen/bin/xen-cpuid -p > outputs/xen-cpuid";

#[derive(Debug, Args)]
#[command(after_help = HELP, after_long_help = format!("{HELP}\n\n{MORE}"))]
pub(crate) struct Arguments {
    /// List the files and devices in this directory, so that missing disks are found on other hosts
    #[arg(long, value_name = "DIR")]
    disks: Vec<PathBuf>,

    /// Describe the host whose sources are in this directory: xl-info, xen-cpuid, proc, sys
    #[arg(long, value_name = "DIR")]
    recorded: Option<PathBuf>,
}

/// Describes the host. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let sources = match &arguments.recorded {
        Some(directory) => Sources::recorded_in(directory),
        None => Sources::default(),
    };
    match collect(&sources.with_disks(arguments.disks.clone())) {
        Ok(host) => {
            let mut out = output::stdout();
            serde_json::to_writer_pretty(&mut out, &host)?;
            writeln!(out)?;
            out.flush()?;
            Ok(status::VALID)
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            output::complain(&format!("{error}: {source}"));
            Ok(status::FAILED)
        }
    }
}
