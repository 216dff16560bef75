//! `cargo xtask features`: checks each crate that has features with none of them, with each alone, and with all.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{MetadataCommand, Package};

use crate::root;

pub(crate) fn run() -> Result<()> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec()?;
    // What others build. A developers' task is always built with the same features.
    let published =
        |package: &&Package| package.publish.as_deref() != Some(&[]) && !package.features.is_empty();
    for package in metadata.packages.iter().filter(published) {
        let features = package.features.keys().filter(|feature| *feature != "default");
        check(package, &["--no-default-features"])?;
        for feature in features {
            check(package, &["--no-default-features", "--features", feature])?;
        }
        check(package, &["--all-features"])?;
    }
    Ok(())
}

/// Checks a crate without its tests. A warning is an error.
fn check(package: &Package, features: &[&str]) -> Result<()> {
    eprintln!("{}: {}", package.name, features.join(" "));
    // A crate that does without the standard library on request must not unwind then.
    let is_bare = package.features.contains_key("std") && features == ["--no-default-features"];
    let status = Command::new(env!("CARGO"))
        .args(["clippy", "--quiet", "--no-deps", "--package", &package.name])
        .args(features)
        .args(["--profile", if is_bare { "embedded" } else { "dev" }])
        .args(["--", "--deny", "warnings"])
        .current_dir(root())
        .status()
        .context("cargo does not start")?;
    ensure!(status.success(), "{} does not build with {}", package.name, features.join(" "));
    Ok(())
}
