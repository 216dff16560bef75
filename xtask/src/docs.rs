//! `cargo xtask docs`: generates documentation from the code. The rules come from the catalogue; the structures, the lines
//! of Xen's logs and the releases of Xen from their tables; JSON Schemas from the types that are printed; man pages and shell completions from the definition of the
//! command line; and the C header from the sources of the C library. It also checks links.

mod header;
mod links;
mod messages;
mod pages;
mod rules;
mod schema;
mod structures;
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::root;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing, and fail if a file is stale or a link is broken.
    #[arg(long)]
    check: bool,
}

/// Folders in which every file is generated, except those with this ending.
const FOLDERS: [(&str, &str); 3] = [("docs/man", ".8"), ("docs/completions", ""), ("docs/schema", "")];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut files = pages::files()?;
    files.extend(header::files()?);
    let mut text = String::new();
    rules::rules(&mut text).context("cannot format")?;
    files.insert("docs/rules.md".into(), text.into_bytes());
    let mut text = String::new();
    messages::messages(&mut text).context("cannot format")?;
    files.insert("docs/messages.md".into(), text.into_bytes());
    let mut text = String::new();
    targets::targets(&mut text).context("cannot format")?;
    files.insert("docs/targets.md".into(), text.into_bytes());
    let mut text = String::new();
    structures::structures(&mut text).context("cannot format")?;
    files.insert("docs/structures.md".into(), text.into_bytes());
    files.extend(schema::files()?);
    let left = left_behind(&files)?;
    if arguments.check {
        let is_stale =
            |(path, bytes): &(&PathBuf, &Vec<u8>)| fs::read(root().join(path)).ok().as_ref() != Some(bytes);
        let stale: Vec<&PathBuf> = files.iter().filter(is_stale).map(|(path, _)| path).chain(&left).collect();
        ensure!(stale.is_empty(), "run `cargo xtask docs`: these files are stale: {stale:?}");
        schema::check()?;
        return links::check();
    }
    for (path, bytes) in &files {
        let path = root().join(path);
        fs::create_dir_all(path.parent().context("a file lies in a directory")?)?;
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    left.iter()
        .try_for_each(|path| fs::remove_file(root().join(path)).with_context(|| path.display().to_string()))
}

/// Generated files that are no longer generated.
fn left_behind(files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    for (folder, kept) in FOLDERS {
        let folder = root().join(folder);
        for entry in walkdir::WalkDir::new(&folder).into_iter().filter(|_| folder.exists()) {
            let entry = entry.context("the documentation cannot be listed")?;
            let path: &Path = entry.path().strip_prefix(root())?;
            let is_kept = !kept.is_empty() && path.to_string_lossy().ends_with(kept);
            if entry.file_type().is_file() && !is_kept && !files.contains_key(path) {
                left.push(path.to_owned());
            }
        }
    }
    Ok(left)
}
