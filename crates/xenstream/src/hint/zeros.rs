//! Zeros where an invalid image goes wrong.
//!
//! A record header of zeros is END in both layers. So where a block of a file or its tail was never written, the stream
//! seems to end, and the broken rule is that records are missing: the report has to mention the zeros.

use xenstream_core::Violation;

use super::{Hint, Until};
use crate::Error;
use crate::source::ahead::read_at;
use crate::source::file::ReadAt;

/// Fewest zeros that are worth a word: the smallest block of a disk. Two empty records are 16.
const LEAST: u64 = 512;

/// Bytes of one read.
const PIECE: usize = 64 << 10;

/// Most bytes that are read ahead of the place, and back from it. Holes of a sparse file are not read.
const AHEAD: u64 = 256 << 20;
const BACK: u64 = 16 << 20;

/// Looks for zeros where an image is invalid; `position` is how far it was verified.
pub(crate) fn lost(file: &dyn ReadAt, violation: &Violation, position: u64) -> Result<Option<Hint>, Error> {
    let record = violation.record.map(|record| record.offset);
    for place in record.into_iter().chain([violation.offset, position.saturating_sub(8)]) {
        if let Some(lost) = around(file, place)? {
            return Ok(Some(lost));
        }
    }
    Ok(None)
}

/// The run of zeros around this place, if it is long enough.
fn around(file: &dyn ReadAt, place: u64) -> Result<Option<Hint>, Error> {
    let (end, until) = ahead(file, place)?;
    if end - place < LEAST {
        return Ok(None);
    }
    let offset = back(file, place)?;
    Ok(Some(Hint::Lost { offset, bytes: end - offset, until }))
}

/// Where zeros from this place on end, and by what.
fn ahead(file: &dyn ReadAt, place: u64) -> Result<(u64, Until), Error> {
    let mut bytes = vec![0; PIECE];
    let (mut at, mut read) = (place, 0);
    // The first reads are small: mostly there are no zeros.
    let mut piece = LEAST as usize;
    while read < AHEAD {
        let data = file.next_data(at).max(at);
        if data > at {
            at = data;
            continue;
        }
        let found = read_at(file, &mut bytes[..piece], at)?;
        if found.is_empty() {
            return Ok((at, Until::End));
        }
        if let Some(n) = found.iter().position(|byte| *byte != 0) {
            return Ok((at + n as u64, Until::Data));
        }
        at += found.len() as u64;
        read += found.len() as u64;
        piece = PIECE;
    }
    Ok((at, Until::Unknown))
}

/// The first of the zeros before this place.
fn back(file: &dyn ReadAt, place: u64) -> Result<u64, Error> {
    let mut bytes = vec![0; PIECE];
    let mut first = place;
    while first > 0 && place - first < BACK {
        let start = first.saturating_sub(PIECE as u64);
        let wanted = &mut bytes[..(first - start) as usize];
        let found = read_at(file, wanted, start)?;
        if (found.len() as u64) < first - start {
            break;
        }
        match found.iter().rposition(|byte| *byte != 0) {
            Some(n) => return Ok(start + n as u64 + 1),
            None => first = start,
        }
    }
    Ok(first)
}
