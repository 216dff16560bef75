//! `cargo xtask prove`: what is shown of the core by machine, once for all inputs.
//!
//! The proofs are programs in a workspace of their own, `xtask/proofs`; each links only if the core has a property.
//! Each has a control, which lacks the property and has to be found out: a proof that cannot fail proves nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

use crate::{root, scratch};

/// Parts of the names of what panics, unwinds or allocates, in a program's symbols.
const FORBIDDEN: &[&str] = &["panic", "unwind", "alloc", "eh_personality"];

/// The program that links only if no panic is reachable: profile, control, and the functions in which a panic is to
/// be found.
const NO_PANIC: &[(&str, Option<&str>, &[&str])] = &[
    ("release", None, &[]),
    ("checked", None, &[]),
    ("release", Some("control-index"), &["control_index"]),
    ("release", Some("control-overflow"), &[]),
    ("checked", Some("control-overflow"), &["control_overflow"]),
];

pub(crate) fn run() -> Result<()> {
    for (profile, control, expected) in NO_PANIC {
        no_panic(profile, *control, expected)?;
    }
    if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        freestanding()
    } else {
        println!("freestanding: skipped, the program is for Linux on x86-64");
        Ok(())
    }
}

/// Links the program, and compares where a panic is found with where one is expected.
fn no_panic(profile: &str, control: Option<&str>, expected: &[&str]) -> Result<()> {
    let name = format!("no-panic, {profile}{}", control.map(|name| format!(", {name}")).unwrap_or_default());
    let output = build("no-panic-proof", profile, control)?;
    let said = String::from_utf8_lossy(&output.stderr);
    let mut found: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_once("detected panic in function `")?.1.split('`').next())
        .collect();
    found.sort_unstable();
    found.dedup();
    ensure!(output.status.success() || !found.is_empty(), "{name}: the program does not build\n{said}");
    match (found == expected, expected) {
        (true, []) => println!("{name}: no panic is reachable"),
        (true, _) => println!("{name}: the panic was found, as it should be"),
        (false, []) => bail!("{name}: a panic is reachable from {found:?}"),
        (false, _) => bail!("{name}: panics were found in {found:?}, and not just in {expected:?}"),
    }
    Ok(())
}

/// Links the program without std or C library, looks for what it should not hold, and has it verify a stream.
fn freestanding() -> Result<()> {
    let output = build("freestanding-proof", "freestanding", None)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "freestanding: the program does not link\n{said}");
    let program = program("freestanding-proof", "freestanding");
    let found = forbidden(&program)?;
    ensure!(found.is_empty(), "freestanding: the program holds {found:?}");
    let std = forbidden(&self::program("no-panic-proof", "release"))?;
    ensure!(!std.is_empty(), "freestanding: nm shows nothing, not even in a program with std");

    let status = Command::new(&program).status().with_context(|| program.display().to_string())?;
    ensure!(status.success(), "freestanding: the program's verdicts are wrong ({status})");
    println!("freestanding: links, holds nothing that panics, unwinds or allocates, and verifies its stream");
    Ok(())
}

/// Symbols of a program that no freestanding one should hold.
fn forbidden(program: &Path) -> Result<Vec<String>> {
    let output = Command::new("nm").arg(program).output().context("nm does not start")?;
    ensure!(output.status.success(), "nm fails on {} ({})", program.display(), output.status);
    let symbols = String::from_utf8_lossy(&output.stdout);
    let names = symbols.lines().filter_map(|line| line.split_whitespace().last());
    Ok(names.filter(|name| FORBIDDEN.iter().any(|part| name.contains(part))).map(str::to_owned).collect())
}

pub(crate) fn build(package: &str, profile: &str, feature: Option<&str>) -> Result<Output> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root().join("xtask/proofs")).args([
        "build",
        "--package",
        package,
        "--profile",
        profile,
    ]);
    cargo.arg("--target-dir").arg(scratch("proofs")).args(feature.map(|name| format!("--features={name}")));
    cargo.output().context("cargo does not start")
}

/// Where [`build`] puts it.
pub(crate) fn program(package: &str, profile: &str) -> PathBuf {
    scratch("proofs").join(profile).join(package)
}
