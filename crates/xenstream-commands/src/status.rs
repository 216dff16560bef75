//! Exit statuses.

use xenstream::{Report, Verdict};

/// Every image is valid.
pub(crate) const VALID: u8 = 0;
/// An image is invalid.
pub(crate) const INVALID: u8 = 1;
/// Usage, input or output error.
pub(crate) const FAILED: u8 = 2;
/// An image cannot be judged.
pub(crate) const UNJUDGED: u8 = 3;

/// Returns the exit status for one image, or for the error that kept it from being read.
pub(crate) fn of_result<E>(result: Result<&Report, E>) -> u8 {
    result.map_or(FAILED, of)
}

/// Returns the exit status for one image.
pub(crate) fn of(report: &Report) -> u8 {
    match report.verdict {
        Verdict::Valid => VALID,
        Verdict::Invalid(_) => INVALID,
        Verdict::Unjudged(_) => UNJUDGED,
    }
}
