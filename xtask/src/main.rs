//! What the developers of xenstream run: `cargo xtask …`.

#![forbid(unsafe_code)]

mod bench;
mod ci;
mod corpus;
mod count;
#[cfg(feature = "full")]
mod dist;
#[cfg(feature = "full")]
mod docs;
mod dropin;
#[cfg(feature = "full")]
mod features;
mod fuzz;
mod helper;
#[cfg(feature = "full")]
mod package;
mod peer;
mod prove;
#[cfg(test)]
mod repository;
mod verdicts;
#[cfg(feature = "full")]
mod web;
mod xen;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs the benchmarks, and writes docs/benchmarks.md from what they measured.
    Bench(bench::Arguments),
    /// Runs every check that CI runs, in order, and stops at the first that fails.
    Ci,
    /// Writes the corpus that the generator makes.
    Corpus(corpus::Arguments),
    /// Counts the instructions that the core takes, and compares them with what is stored.
    Count(count::Arguments),
    /// Makes a Debian package, and uses what is in it from a scratch directory.
    #[cfg(feature = "full")]
    Dist(dist::Arguments),
    /// Writes the documentation that is made from the code.
    #[cfg(feature = "full")]
    Docs(docs::Arguments),
    /// Compares xenstream under the name verify-stream-v2 with Xen's tool of that name.
    Dropin,
    /// Checks each crate that has features with none of them, with each alone, and with all.
    #[cfg(feature = "full")]
    Features,
    /// Runs the fuzz targets.
    Fuzz(fuzz::Arguments),
    /// Puts xenstream-save-helper and xenstream-xenguest in front of Xen's own helper.
    HelperTest(helper::Arguments),
    /// Packages each crate for the registry, and builds and tests it from its own archive.
    #[cfg(feature = "full")]
    Package,
    /// Compares xenstream with Xen's own verifier and restorer.
    Peer(peer::Arguments),
    /// Proves of the core what can be proved by linking: no panic, nothing but `core`.
    Prove,
    /// Writes what the program says of every stream of the corpus, or compares it with another program.
    Verdicts(verdicts::Arguments),
    /// Builds the page that judges images in a browser, as a folder to host and as one file.
    #[cfg(feature = "full")]
    Web(web::Arguments),
    /// Boots a real Xen under emulation, and lets it restore images.
    Xen(xen::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Ci => ci::run(),
        Task::Corpus(arguments) => corpus::run(&arguments),
        Task::Count(arguments) => count::run(&arguments),
        #[cfg(feature = "full")]
        Task::Dist(arguments) => dist::run(&arguments),
        #[cfg(feature = "full")]
        Task::Docs(arguments) => docs::run(&arguments),
        Task::Dropin => dropin::run(),
        #[cfg(feature = "full")]
        Task::Features => features::run(),
        #[cfg(feature = "full")]
        Task::Package => package::run(),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::HelperTest(arguments) => helper::run(&arguments),
        Task::Peer(arguments) => peer::run(&arguments),
        Task::Prove => prove::run(),
        Task::Verdicts(arguments) => verdicts::run(&arguments),
        #[cfg(feature = "full")]
        Task::Web(arguments) => web::run(&arguments),
        Task::Xen(arguments) => xen::run(&arguments),
    }
}

/// The repository's top directory.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
}

/// A directory of this name where cargo builds.
fn scratch(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    // Relative to where cargo was called, as cargo takes it; others are told this path from elsewhere.
    std::path::absolute(&target).unwrap_or(target).join(name)
}
