//! JSON Schemas of what the program prints with `--json`, and the check that it prints what they say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{fs, str};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use walkdir::WalkDir;

use crate::root;

/// Returns the schemas, by file.
pub(super) fn files() -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for (command, schema) in xenstream_commands::schemas() {
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        files.insert(format!("docs/schema/{command}.json").into(), text.into_bytes());
    }
    Ok(files)
}

/// Fails if the program prints a line that its schema does not describe, for any stream of the corpus.
pub(super) fn check() -> Result<()> {
    let images: Vec<String> = WalkDir::new(root().join("corpus/rules"))
        .into_iter()
        .chain(WalkDir::new(root().join("corpus/valid")))
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "bin"))
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .collect();
    ensure!(images.len() > 100, "the corpus is missing");
    let scratch = tempfile::tempdir()?;
    let core = scratch.path().join("core").to_string_lossy().into_owned();
    let all: Vec<&str> = images.iter().map(String::as_str).collect();
    let valid: Vec<&str> = all.iter().copied().filter(|image| image.contains("corpus/valid")).collect();
    let few = || valid.iter().step_by(4).chain(all.iter().step_by(97)).copied();

    validate("verify", &[&["--keep-going", "--stats"], &all[..]].concat(), None)?;
    validate("rules", &[], None)?;
    validate("targets", &[], None)?;
    for image in few() {
        validate("inspect", &[image], None)?;
        validate("extract", &["--force", image, &core], None)?;
        validate("convert", &["--dry-run", "--target", "4.14", image], None)?;
        validate("relay", &["--report", "/dev/stderr"], Some(image))?;
        validate("diff", &[image, valid[0]], None)?;
    }
    Ok(())
}

/// Validates each line of what a subcommand prints. Its exit status is what it says of the image.
fn validate(command: &str, arguments: &[&str], input: Option<&str>) -> Result<()> {
    let schema: Value =
        serde_json::from_slice(&fs::read(root().join(format!("docs/schema/{command}.json")))?)?;
    let validator = jsonschema::validator_for(&schema)?;
    let stdin = match input {
        Some(path) => fs::File::open(path)?.into(),
        None => Stdio::null(),
    };
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "xenstream-cli", "--", command, "--json"])
        .args(arguments)
        .stdin(stdin)
        .output()
        .context("cargo does not start")?;
    let printed = if command == "relay" { &output.stderr } else { &output.stdout };
    let printed = str::from_utf8(printed)?;
    ensure!(!printed.is_empty(), "{command} {arguments:?} prints nothing");
    for line in printed.lines() {
        let object: Value = serde_json::from_str(line).with_context(|| format!("{command}: {line}"))?;
        if let Err(error) = validator.validate(&object) {
            anyhow::bail!("{command} {arguments:?}: {error} at {}: {line}", error.instance_path);
        }
    }
    Ok(())
}
