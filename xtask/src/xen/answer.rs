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
    /// No answer, and dom0 does nothing any more.
    HostHang,
    /// No answer in time.
    Timeout,
}

impl Answer {
    pub(super) fn json(&self) -> Result<String> {
        serde_json::to_string(self).context("the answer cannot be written as JSON")
    }

    /// The last complaint of libxenguest, of the device model or, without one, the first of libxl: those that follow are
    /// of the clearing up.
    pub(super) fn complaint(&self) -> Option<String> {
        let complaints = || self.log.lines().filter(|line| line.starts_with("xc: error: "));
        // What libxenguest says at last, and of whatever went wrong.
        let is_specific = |line: &&str| !line.starts_with("xc: error: Restore failed");
        complaints()
            .rfind(is_specific)
            .or_else(|| complaints().next_back())
            .or_else(|| self.log.lines().rfind(|line| line.contains("qemu-system-i386: ")))
            .or_else(|| self.log.lines().find(|line| line.starts_with("libxl: error: ")))
            .map(without_domain)
    }

    /// The last line of the hypervisor that does not just name the entry that it restores.
    pub(super) fn last_words(&self) -> Option<String> {
        let mut lines = self.console.lines().filter(|line| line.starts_with("(XEN) ")).map(without_domain);
        lines.rfind(|line| !is_progress(line))
    }
}

/// Whether a line of the hypervisor's is `(XEN) HVM restore: CPU 0`, which it writes for every entry.
fn is_progress(line: &str) -> bool {
    let words: Vec<_> = line.split(' ').collect();
    matches!(words[..], ["(XEN)", "HVM", "restore:", _, instance] if instance.parse::<u32>().is_ok())
}

/// The same without numbers of domains, which differ from run to run.
fn without_domain(line: &str) -> String {
    let starts_number = |word: &str, start: &str| {
        word.strip_prefix(start).is_some_and(|rest| {
            let number = rest.strip_suffix(':').unwrap_or(rest);
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let mut words: Vec<&str> = Vec::new();
    for word in line.split(' ') {
        if starts_number(word, "HVM") {
            words.push("HVM");
        } else if starts_number(word, "d") && words.last() == Some(&"restore") {
            words.pop();
            words.push("restore:");
        } else if !(starts_number(word, "") && words.last().is_some_and(|last| *last == "Domain")) {
            words.push(word);
        }
    }
    words.join(" ")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(log: &str, console: &str) -> Answer {
        Answer {
            image: "hvm".into(),
            xen: "4.20.4".into(),
            helper: false,
            verdict: Verdict::Refused,
            state: String::new(),
            log: log.into(),
            console: console.into(),
            seconds: 1.0,
        }
    }

    #[test]
    fn what_went_wrong_is_told_from_what_followed() {
        let answer = answer(
            "xc: info: Restoring domain\n\
             xc: error: Unable to restore HVM context (22 = Invalid argument): Internal error\n\
             xc: error: Restore failed (22 = Invalid argument): Internal error\n\
             libxl: error: libxl_stream_read.c:850:libxl__xc_domain_restore_done: restoring domain\n",
            "(XEN) HVM restore d12: HEADER 0\n(XEN) HVM restore d12: failed to load CPU:0 rc -22\n",
        );
        let complaint = "xc: error: Unable to restore HVM context (22 = Invalid argument): Internal error";
        assert_eq!(answer.complaint().as_deref(), Some(complaint));
        assert_eq!(answer.last_words().as_deref(), Some("(XEN) HVM restore: failed to load CPU:0 rc -22"));
    }

    #[test]
    fn progress_is_no_complaint() {
        let older = answer("", "(XEN) HVM4 restore: CPU 0\n");
        let newer = answer("", "(XEN) HVM restore d4: CPU 0\n");
        assert_eq!((older.last_words(), newer.last_words()), (None, None));
    }
}
