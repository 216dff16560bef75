//! Counts the images that were verified, by outcome.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use xenstream::{Error, Report, Verdict};

use crate::output::{name, plural};
use crate::status::{FAILED, INVALID, UNJUDGED, VALID};

/// The number of images by outcome.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    valid: u64,
    invalid: u64,
    unjudged: u64,
    errors: u64,
    passed_over: Vec<(PathBuf, String)>,
}

impl Tally {
    /// Counts an image.
    pub(crate) fn count(&mut self, result: &Result<Report, Error>) {
        match result {
            Ok(report) => match report.verdict {
                Verdict::Valid => self.valid += 1,
                Verdict::Invalid(_) => self.invalid += 1,
                Verdict::Unjudged(_) => self.unjudged += 1,
            },
            Err(_) => self.errors += 1,
        }
    }

    /// Counts an image whose verdict is known from before, by its name.
    pub(crate) fn count_verdict(&mut self, verdict: &str) {
        match verdict {
            "valid" => self.valid += 1,
            "unjudged" => self.unjudged += 1,
            "invalid" => self.invalid += 1,
            _ => self.errors += 1,
        }
    }

    /// Records a file that is not an image. Returns why it was passed over.
    pub(crate) fn pass_over(&mut self, path: &Path, report: &Report) -> &str {
        let reason =
            report.hint().map_or_else(|| "it is in no known format".to_owned(), |hint| hint.to_string());
        self.passed_over.push((path.to_owned(), reason));
        self.passed_over.last().map_or("", |(_, reason)| reason)
    }

    /// Returns the exit status. An error takes precedence over an invalid image, and that over an unjudged one.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Tally { errors: 1.., .. } => FAILED,
            Tally { invalid: 1.., .. } => INVALID,
            Tally { unjudged: 1.., .. } => UNJUDGED,
            _ => VALID,
        }
    }

    /// Returns the JSON object with the totals.
    pub(crate) fn object(&self) -> impl Serialize {
        let passed_over = self.passed_over.iter();
        Object {
            totals: Totals {
                images: self.images(),
                valid: self.valid,
                invalid: self.invalid,
                unjudged: self.unjudged,
                errors: self.errors,
                passed_over: passed_over
                    .map(|(path, reason)| PassedOver {
                        path: path.to_string_lossy().into_owned(),
                        reason: reason.clone(),
                    })
                    .collect(),
            },
        }
    }

    fn images(&self) -> u64 {
        self.valid + self.invalid + self.unjudged + self.errors
    }
}

/// `4 images: 3 valid, 1 invalid; 2 files passed over`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let images = self.images();
        write!(f, "{images} {}", plural(images, "image"))?;
        let counts = [
            (self.valid, "valid"),
            (self.invalid, "invalid"),
            (self.unjudged, "unjudged"),
            (self.errors, "without a verdict"),
        ];
        let mut separator = ": ";
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {what}")?;
            separator = ", ";
        }
        let passed_over = self.passed_over.len() as u64;
        if passed_over > 0 {
            write!(f, "; {passed_over} {} passed over", plural(passed_over, "file"))?;
        }
        Ok(())
    }
}

/// Formats the line about a file that was passed over.
pub(crate) fn passed_over_line(path: &Path, reason: &str) -> String {
    format!("{}: passed over: {reason}", name(path))
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Object {
    totals: Totals,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Totals {
    images: u64,
    valid: u64,
    invalid: u64,
    unjudged: u64,
    errors: u64,
    passed_over: Vec<PassedOver>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct PassedOver {
    path: String,
    reason: String,
}
