//! `cargo xtask count`: what the core costs, in instructions.
//!
//! Time on a shared machine is noise; instructions repeat to the last one. The program `xtask/proofs/count` has the
//! streams, callgrind counts, and `xtask/counts.toml` holds what was counted last: a figure that grows by more than
//! a twentieth fails, unless it was changed on purpose.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{prove, root, scratch};

/// How far a figure may lie above the stored one.
const TOLERANCE: f64 = 1.05;

/// What no stream may exceed in instructions a byte, whatever its pieces: the bound on what a hostile sender can
/// make a verifier do. The dearest is a CPU entry without a body: Xen extends it with zeros, so the eight bytes of its
/// header have every checked field of the structure judged, and most of them found wrong.
const MOST_A_BYTE: f64 = 500.0;

/// How much dearer the second and longer run over a stream may be, a unit, than the first. Not equal, since the
/// harness itself is in both.
const GROWTH: f64 = 1.01;

/// What the whole program may take for an entry of a file, with its share of reading. It takes 3.4: were the entries' pass
/// no vector code any more, as where the linked package is compiled for size, it would be 7.
const MOST_AN_ENTRY: f64 = 6.0;

/// The function that callgrind collects in; a profile is written each time it returns.
const MEASURED: &str = "count::measured";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Stores what was counted.
    #[arg(long)]
    update: bool,
}

/// A run over a stream.
struct Run {
    name: String,
    unit: String,
    units: f64,
    bytes: f64,
    instructions: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        println!("count: skipped, the stored figures are for x86-64");
        return Ok(());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("count: skipped, there is no valgrind");
        return Ok(());
    }
    let runs = count()?;
    let counted = judge(&runs)?;
    judge_program()?;
    let path = root().join("xtask/counts.toml");
    if arguments.update {
        return fs::write(&path, text(&counted, &runs)).with_context(|| path.display().to_string());
    }
    let stored = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    compare(&counted, &toml::from_str(&stored).with_context(|| path.display().to_string())?)
}

/// Bounds what the program as it is linked takes for an entry: the difference between guests of 5 GiB and of 6. Below 4
/// GiB all have the same entries.
fn judge_program() -> Result<()> {
    let directory = scratch("proofs").join("program");
    fs::create_dir_all(&directory)?;
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--package", "xenstream-cli"])
        .current_dir(root())
        .status()
        .context("cargo does not start")?;
    ensure!(build.success(), "the program does not build");
    let program = scratch("release").join("xenstream");
    let instructions = |memory: &str| -> Result<f64> {
        let image = directory.join(memory);
        let synth = Command::new(&program)
            .args(["synth", "--quiet", "--force", "--sparse", "--memory", memory])
            .arg(&image)
            .status()?;
        ensure!(synth.success(), "no image of {memory}");
        let profile = directory.join("profile");
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", &format!("--callgrind-out-file={}", profile.display())])
            .arg(&program)
            .args(["verify", "--quiet"])
            .arg(&image)
            .output()
            .context("valgrind does not start")?;
        ensure!(output.status.success(), "the count fails\n{}", String::from_utf8_lossy(&output.stderr));
        totals(&profile)
    };
    let entries = f64::from(1 << 18);
    let figure = (instructions("6G")? - instructions("5G")?) / entries;
    println!("{:<28} {figure:>9.2} entry", "the program, of a file");
    ensure!(figure <= MOST_AN_ENTRY, "the program takes {figure:.2} for an entry, over {MOST_AN_ENTRY}");
    Ok(())
}

/// Counts, two runs for each stream.
fn count() -> Result<Vec<Run>> {
    let built = prove::build("count", "release", None)?;
    ensure!(built.status.success(), "the program does not build\n{}", String::from_utf8_lossy(&built.stderr));
    let profiles = scratch("proofs").join("callgrind");
    if profiles.exists() {
        fs::remove_dir_all(&profiles)?;
    }
    fs::create_dir_all(&profiles)?;
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", profiles.join("profile").display()))
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--dump-after={MEASURED}"))
        .arg(prove::program("count", "release"))
        .output()
        .context("valgrind does not start")?;
    ensure!(output.status.success(), "the count fails\n{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout)?;
    (1..)
        .zip(listed.lines())
        .map(|(number, line)| parse(line, &profiles.join(format!("profile.{number}"))))
        .collect()
}

/// A line of the program's, and the profile that goes with it.
fn parse(line: &str, profile: &Path) -> Result<Run> {
    let [name, unit, units, bytes] = line.split('\t').collect::<Vec<_>>()[..] else {
        bail!("the program says {line:?}");
    };
    Ok(Run {
        name: name.to_owned(),
        unit: unit.to_owned(),
        units: units.parse()?,
        bytes: bytes.parse()?,
        instructions: totals(profile)?,
    })
}

/// Instructions in a profile.
fn totals(profile: &Path) -> Result<f64> {
    let text = fs::read_to_string(profile).with_context(|| profile.display().to_string())?;
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(totals.context("a profile without totals")?.parse()?)
}

/// Prints the figures and checks their bounds; gives them by name, an instruction count for a unit.
fn judge(runs: &[Run]) -> Result<BTreeMap<String, f64>> {
    let mut counted = BTreeMap::new();
    let mut refused = Vec::new();
    for pair in runs.chunks_exact(2) {
        let [first, second] = pair else { continue };
        let figure = second.instructions / second.units;
        let a_byte = second.instructions / second.bytes;
        println!("{:<28} {figure:>9.2} {:<8} {a_byte:>7.2} byte", second.name, second.unit);
        if a_byte > MOST_A_BYTE {
            refused.push(format!("{} costs {a_byte:.2} a byte, over {MOST_A_BYTE}", second.name));
        }
        if figure > GROWTH * first.instructions / first.units {
            refused.push(format!("{} grows dearer as the stream goes on", second.name));
        }
        counted.insert(second.name.clone(), figure);
    }
    ensure!(!counted.is_empty(), "nothing was counted");
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    Ok(counted)
}

fn compare(counted: &BTreeMap<String, f64>, stored: &BTreeMap<String, f64>) -> Result<()> {
    let mut refused = Vec::new();
    for (name, figure) in counted {
        match stored.get(name) {
            None => refused.push(format!("{name} is not stored")),
            Some(stored) if *figure > TOLERANCE * stored => {
                refused.push(format!("{name} has grown from {stored:.2} to {figure:.2}"));
            }
            Some(stored) if *stored > TOLERANCE * figure => {
                println!("{name} has fallen from {stored:.2} to {figure:.2}: store it, so that it stays");
            }
            Some(_) => {}
        }
    }
    for name in stored.keys().filter(|name| !counted.contains_key(*name)) {
        refused.push(format!("{name} is stored and was not counted"));
    }
    if !refused.is_empty() {
        bail!("{}\nif that is meant: `cargo xtask count --update`", refused.join("\n"));
    }
    Ok(())
}

/// The file: the figures in the order of the runs.
fn text(counted: &BTreeMap<String, f64>, runs: &[Run]) -> String {
    let mut text =
        "# Instructions of the core on baseline x86-64, as `cargo xtask count --update` counted them.\n\
                    # `cargo xtask count` fails when one has grown by more than a twentieth.\n\n"
            .to_owned();
    for run in runs.iter().step_by(2) {
        let figure = counted[&run.name];
        writeln!(text, "{} = {figure:.2} # {}", run.name, run.unit).expect("a String takes everything");
    }
    text
}
