//! What a release did with an image, as a line of JSON.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// An answer, with all that was said.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Answer {
    pub(super) image: String,
    /// The release in full, as the hypervisor calls itself.
    pub(super) xen: String,
    /// Whether xenstream-save-helper stood in front of Xen's own helper.
    pub(super) helper: bool,
    pub(super) verdict: Verdict,
    /// State and time of the vcpu half a second after the guest was unpaused.
    pub(super) state: String,
    /// What xl and the helpers said.
    pub(super) log: String,
    /// What came to the hypervisor's console.
    pub(super) console: String,
    /// How long it took, in seconds.
    pub(super) seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// `xl restore` succeeded, and the host lived on when the guest was unpaused.
    Taken,
    /// `xl restore` failed.
    Refused,
    /// The host went down.
    HostCrash,
    /// No answer in time.
    Timeout,
}

impl Answer {
    pub(super) fn json(&self) -> Result<String> {
        serde_json::to_string(self).context("the answer cannot be written as JSON")
    }

    /// The last complaint of libxenguest or, without one, of libxl.
    pub(super) fn complaint(&self) -> Option<&str> {
        let of = |start: &str| self.log.lines().rfind(|line| line.starts_with(start));
        // The first of libxl's: those that follow are of the clearing up.
        let of_libxl = || self.log.lines().find(|line| line.starts_with("libxl: error: "));
        of("xc: error: ").or_else(of_libxl)
    }

    /// The last line of the hypervisor that is not of the usual ones.
    pub(super) fn last_words(&self) -> Option<&str> {
        let is_usual = |line: &&str| {
            let words: Vec<_> = line.split_whitespace().collect();
            // `(XEN) HVM1 restore: CPU 0` and, in newer releases, `(XEN) HVM restore d1: CPU 0`.
            words.len() <= 5 && words.contains(&"restore:")
                || words.get(2) == Some(&"restore") && words.len() <= 5
        };
        self.console.lines().filter(|line| line.starts_with("(XEN)")).rfind(|line| !is_usual(line))
    }
}

/// The answers that a file has.
pub(super) fn load(path: &Path) -> Result<Vec<Answer>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.with_context(|| path.display().to_string())?,
    };
    text.lines()
        .enumerate()
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("{}, line {}", path.display(), number + 1))
        })
        .collect()
}

/// Where answers are kept, so that a run can go on where another one ended.
pub(super) fn open(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| path.display().to_string())
}

/// Adds an answer to those kept.
pub(super) fn keep(file: &mut File, answer: &Answer) -> Result<()> {
    writeln!(file, "{}", answer.json()?).context("the answer cannot be kept")
}
