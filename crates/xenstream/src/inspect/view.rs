//! The octets around what is wrong.

use std::ops::Range;

use crate::Input;
use crate::inspect::tap::Tap;
use crate::source::ahead::read_at;

/// Octets in a line of a view.
const LINE: u64 = 16;
/// Lines before the one with the fault, and behind it.
const BEFORE: u64 = 3;
const BEHIND: u64 = 2;

/// The octets around what is wrong, as many as could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// Absolute offset of the first octet.
    pub offset: u64,
    /// The octets.
    pub octets: Vec<u8>,
}

impl View {
    /// The octets around this offset: read again where the input can be, else what is left of those that passed.
    pub(super) fn around(offset: u64, input: Option<&Input<'_>>, tap: &Tap) -> Option<View> {
        let line = offset - offset % LINE;
        let start = line.saturating_sub(BEFORE * LINE);
        let range = start..line.saturating_add((1 + BEHIND) * LINE);
        let view = match input {
            Some(Input::Positioned(file)) => {
                let mut octets = [0; ((BEFORE + 1 + BEHIND) * LINE) as usize];
                let octets = &mut octets[..(range.end - range.start) as usize];
                // That it cannot be read once more is no reason to say nothing.
                let read = read_at(*file, octets, start).unwrap_or_default();
                View { offset: start, octets: read.to_vec() }
            }
            Some(Input::Slice(octets)) => View { offset: start, octets: part(octets, &range).to_vec() },
            _ => {
                let (offset, octets) = tap.kept(range);
                View { offset, octets: octets.to_vec() }
            }
        };
        (!view.octets.is_empty() && view.offset <= offset).then_some(view)
    }
}

fn part<'a>(octets: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(octets.len());
    &octets[place(range.start)..place(range.end)]
}
