//! corpus/hypervisor/answers.jsonl: what each release did with each image, in a line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use xenstream_peer::Release;

use super::answer::{self, Answer, Verdict};
use super::images;
use crate::root;

/// A row of the table. Paths and numbers of domains, which differ from run to run, are not in it.
#[derive(Deserialize, Serialize)]
struct Row {
    image: String,
    xen: String,
    verdict: Verdict,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    state: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    log: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    console: String,
}

impl Row {
    fn of(answer: &Answer) -> Row {
        let is_taken = answer.verdict == Verdict::Taken;
        Row {
            image: answer.image.clone(),
            xen: answer.xen.clone(),
            verdict: answer.verdict,
            state: if is_taken { answer.state.clone() } else { String::new() },
            log: if answer.verdict == Verdict::Refused {
                answer.complaint().unwrap_or_default()
            } else {
                String::new()
            },
            console: if is_taken { String::new() } else { answer.last_words().unwrap_or_default() },
        }
    }

    fn key(&self) -> (String, String) {
        (self.xen.clone(), self.image.clone())
    }
}

fn path() -> PathBuf {
    root().join("corpus/hypervisor/answers.jsonl")
}

/// The rows of the table, none if there is no table yet.
fn load(path: &Path) -> Result<Vec<Row>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let context = || path.display().to_string();
    let text = fs::read_to_string(path).with_context(context)?;
    text.lines().map(|line| serde_json::from_str(line).with_context(context)).collect()
}

/// The images that the table has an answer to, of any build of this release.
pub(super) fn images_of(release: Release) -> Result<Vec<String>> {
    let builds = format!("{release}.");
    let rows = load(&path())?.into_iter().filter(|row| row.xen.starts_with(&builds));
    Ok(rows.map(|row| row.image).collect())
}

/// Puts the answers of earlier runs into the table, over those that it has to the same questions.
pub(super) fn record(directory: &Path) -> Result<()> {
    let path = path();
    let mut rows: BTreeMap<_, _> = load(&path)?.into_iter().map(|row| (row.key(), row)).collect();
    let known: BTreeSet<_> = images::of_the_repository()?.into_iter().map(|image| image.name).collect();
    let mut recorded = 0;
    for release in Release::ALL {
        let kept = super::answers_of(&directory.join(release.to_string()));
        for answer in answer::load(&kept)? {
            // A restore that takes too long says something of the machine, not of the image.
            if answer.helper || answer.verdict == Verdict::Timeout || !known.contains(&answer.image) {
                continue;
            }
            let row = Row::of(&answer);
            rows.insert(row.key(), row);
            recorded += 1;
        }
    }
    ensure!(recorded > 0, "no answers in {}: run `cargo xtask xen` first", directory.display());
    let mut text = String::new();
    for row in rows.values() {
        text += &serde_json::to_string(row).context("a row cannot be written as JSON")?;
        text.push('\n');
    }
    fs::write(&path, text).with_context(|| path.display().to_string())?;
    println!("xen: {recorded} answers recorded, {} are in {}", rows.len(), path.display());
    Ok(())
}
