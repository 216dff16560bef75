//! The bytes around what is wrong.

use std::ops::Range;

use crate::inspect::tap::Tap;
use crate::source::ahead::read_at;
use crate::{Input, Report};

/// Bytes in a line of a view.
const LINE: u64 = 16;
/// Lines before the one with the fault, and behind it.
const BEFORE: u64 = 3;
const BEHIND: u64 = 2;

/// The bytes around what is wrong, as many as could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Bytes of the field that is wrong, from the violation's offset on.
    pub width: u64,
}

impl View {
    /// The bytes around what is wrong: read again where the input can be, else what is left of those that passed.
    pub(super) fn of(report: &Report, input: &Input<'_>, tap: &Tap) -> Option<View> {
        let violation = report.violation()?;
        let offset = violation.offset;
        let word = report.summary.guest_width.unwrap_or(8);
        let width = u64::from(violation.rule.entry().field.bytes(word));
        let line = offset - offset % LINE;
        let start = line.saturating_sub(BEFORE * LINE);
        let range = start..line.saturating_add((1 + BEHIND) * LINE);
        let (start, bytes) = match input {
            // What was read again would be compressed.
            _ if report.compression.is_some() => kept(range, tap),
            Input::Positioned(file) => {
                let mut bytes = [0; ((BEFORE + 1 + BEHIND) * LINE) as usize];
                let bytes = &mut bytes[..(range.end - range.start) as usize];
                // That it cannot be read once more is no reason to say nothing.
                (start, read_at(*file, bytes, start).unwrap_or_default().to_vec())
            }
            Input::Slice(bytes) => (start, part(bytes, &range).to_vec()),
            _ => kept(range, tap),
        };
        (!bytes.is_empty() && start <= offset).then_some(View { offset: start, bytes, width })
    }
}

fn kept(range: Range<u64>, tap: &Tap) -> (u64, Vec<u8>) {
    let (start, bytes) = tap.kept(range);
    (start, bytes.to_vec())
}

fn part<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[place(range.start)..place(range.end)]
}
