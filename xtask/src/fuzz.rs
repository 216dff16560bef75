//! `cargo xtask fuzz`: runs the fuzz targets.

mod corpus;
mod run;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::{root, scratch};
use run::Run;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Targets; all of them if none is named.
    #[arg(value_name = "TARGET", value_parser = target)]
    targets: Vec<String>,
    /// How long to run each.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the targets are built with.
    #[arg(long, default_value = "address")]
    sanitizer: Sanitizer,
    /// How many run side by side.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// The longest input, in bytes.
    #[arg(long, default_value_t = 4096)]
    max_len: usize,
    /// Writes the counts into the table of this file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Runs nothing, but makes the checked-in corpus of what has been found so far.
    #[arg(long, conflicts_with_all = ["report", "jobs"])]
    minimise: bool,
}

/// What the targets are built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sanitizer {
    Address,
    None,
}

impl Sanitizer {
    fn name(self) -> &'static str {
        match self {
            Sanitizer::Address => "address",
            Sanitizer::None => "none",
        }
    }
}

/// Every target: a file of its own.
fn all_targets() -> Result<Vec<String>> {
    let folder = directory().join("fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut targets = Vec::new();
    for file in files {
        let path = file?.path();
        targets.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

fn target(name: &str) -> Result<String> {
    let targets = all_targets()?;
    ensure!(targets.iter().any(|target| target == name), "the targets are {}", targets.join(", "));
    Ok(name.to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Some(cargo) = cargo_fuzz()? else { return Ok(()) };
    let binaries = build(cargo, arguments.sanitizer)?;
    if arguments.minimise {
        return corpus::minimise(&all_targets()?, &binaries, arguments.max_len);
    }
    let targets = match arguments.targets.as_slice() {
        [] => all_targets()?,
        some => some.to_vec(),
    };
    let waiting = Mutex::new(targets.into_iter());
    let runs = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let worker = || -> Result<()> {
            loop {
                let next = waiting.lock().expect("no worker panics").next();
                let Some(target) = next else { return Ok(()) };
                let run = Run::of(&target, &binaries, arguments.seconds, arguments.max_len)?;
                println!("{run}");
                runs.lock().expect("no worker panics").push(run);
            }
        };
        let workers: Vec<_> = (0..arguments.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    let runs = runs.into_inner().expect("no worker panics");

    if let Some(file) = &arguments.report {
        table::refresh(file, &runs, arguments.sanitizer.name(), arguments.seconds)?;
    }
    let found: Vec<String> = runs.iter().filter_map(Run::finding).collect();
    ensure!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
    Ok(())
}

/// The words that call cargo-fuzz on a compiler with sanitizers; `None` where it cannot be had.
fn cargo_fuzz() -> Result<Option<&'static [&'static str]>> {
    /// The stable compiler has sanitizers too, if it is told that it may, as the build script does.
    const CALLS: [&[&str]; 2] = [&["rustup", "run", "nightly", "cargo", "fuzz"], &["cargo", "fuzz"]];
    let found = || CALLS.into_iter().find(|call| succeeds(command(call).arg("--version")));
    if let Some(call) = found() {
        return Ok(Some(call));
    }
    eprintln!("cargo-fuzz is not there: installing it");
    let installed = Command::new(env!("CARGO")).args(["install", "--locked", "cargo-fuzz"]).status();
    match found() {
        Some(call) => Ok(Some(call)),
        // A machine that tests every change must not pass without.
        None if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            bail!("cargo-fuzz cannot be had: {installed:?}")
        }
        None => {
            println!("fuzz: skipped, cargo-fuzz cannot be had");
            Ok(None)
        }
    }
}

/// Builds every target as OSS-Fuzz does, and returns the directory that they are in.
fn build(call: &[&str], sanitizer: Sanitizer) -> Result<PathBuf> {
    // One directory for each sanitizer: in a common one, each would rebuild what the other has built.
    let directory = scratch(&format!("fuzz-{}", sanitizer.name()));
    let programs = directory.join("out");
    let status = command(&["bash", "fuzz/oss-fuzz/build.sh"])
        .env("OUT", &programs)
        .env("SANITIZER", sanitizer.name())
        .env("CARGO_FUZZ", call.join(" "))
        .env("FUZZ_TARGET_DIR", &directory)
        .current_dir(root())
        .status()
        .context("fuzz/oss-fuzz/build.sh does not start")?;
    ensure!(status.success(), "the fuzz targets do not build ({status})");
    Ok(programs)
}

fn command(call: &[&str]) -> Command {
    let mut command = Command::new(call[0]);
    // What the task was started with says nothing about the compiler that is wanted here.
    command.args(&call[1..]).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    command
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Where the targets' inputs are collected, and where `cargo fuzz run` looks for them.
fn inputs(target: &str) -> PathBuf {
    directory().join("corpus").join(target)
}

fn directory() -> &'static Path {
    static DIRECTORY: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    DIRECTORY.get_or_init(|| root().join("fuzz"))
}
