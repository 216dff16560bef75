//! `cargo xtask corpus`: the streams that the generator makes.

use anyhow::{Context, Result, bail};

use crate::root;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Writes nothing and fails if a file is not what the generator makes.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let corpus = root().join("corpus");
    if !arguments.check {
        let written =
            xenstream_synth::corpus::write_corpus(&corpus).context("the corpus cannot be written")?;
        println!("{written} files");
        return Ok(());
    }
    let stale = xenstream_synth::corpus::check_corpus(&corpus).context("the corpus cannot be read")?;
    for file in &stale {
        eprintln!("{file}");
    }
    if !stale.is_empty() {
        bail!("{} files of the corpus are not what `cargo xtask corpus` writes", stale.len());
    }
    Ok(())
}
