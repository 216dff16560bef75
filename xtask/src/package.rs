//! `cargo xtask package`: packages each crate for the registry, and builds and tests it from its own archive.
//!
//! The archives are unpacked into a workspace of their own, in which crates that are not published yet stand for each other.
//! Nothing of the repository is near, so a package that reaches outside itself does not build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{MetadataCommand, Package};

use crate::root;

/// Crates whose tests are run, and not only built: what others build upon, with examples in their documentation.
const TESTED: [&str; 3] = ["xenstream-core", "xenstream-synth", "xenstream"];

pub(crate) fn run() -> Result<()> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec()?;
    let published = metadata.packages.iter().filter(|package| package.publish.as_deref() != Some(&[]));
    let packages: Vec<&Package> = published.collect();
    for package in &packages {
        check_manifest(package)?;
    }

    let selection = || packages.iter().flat_map(|package| ["--package", package.name.as_str()]);
    // What is built is what is in the archives, whatever is committed.
    cargo(root(), ["package", "--no-verify", "--allow-dirty", "--quiet"].into_iter().chain(selection()))?;

    let scratch = tempfile::tempdir()?;
    let mut members = Vec::new();
    for package in &packages {
        let name = format!("{}-{}", package.name, package.version);
        let archive = metadata.target_directory.join("package").join(format!("{name}.crate"));
        let unpacked =
            Command::new("tar").args(["-xzf", archive.as_str()]).current_dir(scratch.path()).status();
        ensure!(unpacked.context("tar does not start")?.success(), "{archive} cannot be unpacked");
        members.push((package.name.as_str(), scratch.path().join(name)));
    }
    fs::write(scratch.path().join("Cargo.toml"), workspace(&members)?)?;
    fs::copy(root().join("Cargo.lock"), scratch.path().join("Cargo.lock"))?;

    // The dependencies are those that the repository itself has built.
    let target = metadata.target_directory.as_str();
    cargo(scratch.path(), ["check", "--workspace", "--all-targets", "--target-dir", target])?;
    let tested = TESTED.iter().flat_map(|name| ["--package", name]);
    cargo(scratch.path(), ["test", "--quiet", "--target-dir", target].into_iter().chain(tested))
}

/// What a registry and docs.rs show of a crate.
fn check_manifest(package: &Package) -> Result<()> {
    let name = &package.name;
    ensure!(package.description.is_some(), "{name} has no description");
    ensure!(package.license.is_some() && package.repository.is_some(), "{name} has no license or repository");
    ensure!(package.readme.is_some(), "{name} has no README");
    ensure!((1..=5).contains(&package.categories.len()), "{name} has no categories, or more than five");
    ensure!((1..=5).contains(&package.keywords.len()), "{name} has no keywords, or more than five");
    ensure!(package.metadata.pointer("/docs/rs").is_some(), "{name} has no metadata for docs.rs");
    Ok(())
}

/// The manifest of a workspace of these packages, with the repository's profiles.
fn workspace(members: &[(&str, PathBuf)]) -> Result<String> {
    let repository: toml::Table = fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
    let mut manifest = toml::Table::new();
    let paths = members.iter().map(|(_, path)| path.to_string_lossy().into_owned().into());
    let mut workspace = toml::Table::new();
    workspace.insert("resolver".to_owned(), "3".into());
    workspace.insert("members".to_owned(), toml::Value::Array(paths.collect()));
    manifest.insert("workspace".to_owned(), workspace.into());
    let patches = members.iter().map(|(name, path)| {
        let place = toml::Table::from_iter([("path".to_owned(), path.to_string_lossy().into_owned().into())]);
        ((*name).to_owned(), place.into())
    });
    let patch = toml::Table::from_iter([("crates-io".to_owned(), toml::Table::from_iter(patches).into())]);
    manifest.insert("patch".to_owned(), patch.into());
    if let Some(dev) = repository.get("profile").and_then(|profiles| profiles.get("dev")) {
        let mut dev = dev.clone();
        // The crates named here that are not packaged are no part of this workspace.
        if let Some(packages) = dev.get_mut("package").and_then(toml::Value::as_table_mut) {
            packages.retain(|name, _| !name.starts_with("xenstream") && name != "xtask");
        }
        manifest.insert("profile".to_owned(), toml::Table::from_iter([("dev".to_owned(), dev)]).into());
    }
    Ok(toml::to_string(&manifest)?)
}

fn cargo<'a>(directory: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let arguments: Vec<&str> = arguments.into_iter().collect();
    let status = Command::new(env!("CARGO")).args(&arguments).current_dir(directory).status()?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}
