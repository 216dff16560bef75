//! Xen's own tools beside xenstream: what they say of a stream, live and on record, and where xenstream differs.
//!
//! Two tools are asked. The [`Verifier`] is Xen's `verify-stream-v2`, which profile `spec` is measured by. The
//! [`Restorer`] is Xen's restore code, `xc_domain_restore()`, which profile `restore` is measured by; it runs over a
//! stand-in for the hypervisor, see `xtask/restore-harness`. [`Recorded`] has what both said of several hundred
//! streams. [`Differences`] has the reasons for which xenstream judges otherwise.

#![forbid(unsafe_code)]

mod differences;
mod packages;
mod recorded;
mod restorer;
mod verifier;

use std::io;
use std::path::PathBuf;

use xenstream_core::{Follows, Format, Policy, Violation};

pub use differences::{Comparison, Differences, Disagreement};
pub use packages::{Packages, Release, archive};
pub use recorded::{Recorded, Row};
pub use restorer::{Domain, Harness, Restorer};
pub use verifier::Verifier;

/// What a tool did with a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// In a word.
    pub verdict: Verdict,
    /// Its own words; empty when it was content.
    pub message: String,
    /// The largest block of memory that the restorer asked for, in bytes, when it ran; 0 otherwise.
    pub largest_allocation: u64,
}

/// What a tool did with a stream, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It took it.
    Accept,
    /// It refused it in good order.
    Reject,
    /// It died of it.
    Crash,
    /// It was still busy after ten seconds, which depends on the machine.
    Timeout,
    /// It ran out of memory.
    Limit,
}

impl Verdict {
    /// Did the stream do harm? Then profile `hardened` must refuse it.
    #[must_use]
    pub fn is_harm(self) -> bool {
        matches!(self, Verdict::Crash | Verdict::Timeout | Verdict::Limit)
    }
}

/// Why a tool could not be asked, or a record not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something that the comparison needs cannot be had on this machine.
    #[error("{what} cannot be had: {why}")]
    Unavailable {
        /// What is missing.
        what: String,
        /// What was tried.
        why: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not have the form that it should have.
    #[error("{}: {why}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A tool broke off, or said something that it never should.
    #[error("{tool} failed: {why}")]
    Tool {
        /// The tool.
        tool: &'static str,
        /// How.
        why: String,
    },
}

impl Error {
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        |source| Error::File { path, source }
    }

    fn tool(tool: &'static str, why: impl std::fmt::Display) -> Error {
        Error::Tool { tool, why: format!("{why}") }
    }
}

/// What xenstream says of a stream that is a regular file: `None` if it is valid, else the first thing wrong.
#[must_use]
pub fn judge(bytes: &[u8], format: Format, policy: &Policy) -> Option<Violation> {
    let mut verifier = xenstream_core::Verifier::new(format, policy);
    let progress = match verifier.push(bytes, &mut ()) {
        Ok(progress) => progress,
        Err(violation) => return Some(violation),
    };
    if progress.consumed < bytes.len()
        && let Err(violation) = verifier.trailing_data(Follows::of(&bytes[progress.consumed..]), &mut ())
    {
        return Some(violation);
    }
    verifier.finish(&mut ()).err()
}
