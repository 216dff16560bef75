//! Comparing: an image is the same as itself, and what differs is the same whichever comes first.

use xenstream::diff::{Compare, Diff, DiffError, diff as diff_inputs};
use xenstream::{Error, Input, Options};

use crate::setup::Setup;

/// Pages of which bytes are shown.
const SAMPLES: usize = 4;

/// Compares the bytes with themselves and with what a change makes of them, of which the last ones choose how.
///
/// # Panics
/// If something differs that is the same, or that depends on the order.
pub fn diff(data: &[u8]) {
    let (setup, rest) = Setup::split(data);
    let Some((stream, [at, high, flip, cut])) = rest.split_last_chunk::<4>() else { return };
    let options = Options::new(setup.policy().clone()).with_format(setup.format);
    let Some(same) = compared([stream, stream], &options) else { return };
    assert!(same.is_empty(), "{:?} {:?}", same.records, same.pages);
    let mut other = stream.to_vec();
    if let Some(byte) = other.get_mut(usize::from(u16::from_le_bytes([*at, *high]))) {
        *byte ^= flip;
    }
    other.truncate(other.len().saturating_sub(usize::from(*cut)));
    let pair = [compared([stream, &other], &options), compared([&other, stream], &options)];
    // What is compressed may be damaged by the change.
    let [Some(there), Some(back)] = pair else { return };
    mirrored(&there, &back);
    bounded(&there, stream);
}

fn compared(images: [&[u8]; 2], options: &Options) -> Option<Diff> {
    let what = Compare::default().with_samples(SAMPLES);
    match diff_inputs(images.map(Input::Slice), options, &what) {
        Ok(diff) => Some(diff),
        Err(DiffError { error: Error::Decompress { .. }, .. }) => None,
        Err(error) => panic!("{error:?} of bytes in memory"),
    }
}

/// Asserts that two comparisons are of the same images in the other order.
fn mirrored(there: &Diff, back: &Diff) {
    assert_eq!(there.is_empty(), back.is_empty());
    assert_eq!(there.is_cut, back.is_cut);
    let turned = |[a, b]: [Option<String>; 2]| [b, a];
    let mut records = back.records.clone();
    records.iter_mut().for_each(|record| record.values = turned(std::mem::take(&mut record.values)));
    assert_eq!(there.records, records);
    assert_eq!((there.pages.same, &there.pages.differing), (back.pages.same, &back.pages.differing));
    let [a, b] = &there.pages.only;
    assert_eq!([b, a], [&back.pages.only[0], &back.pages.only[1]]);
}

/// Asserts that what is told is no more than there is.
fn bounded(diff: &Diff, stream: &[u8]) {
    /// Characters of a value that are kept.
    const KEPT: usize = 1024;
    assert!(diff.pages.samples.len() <= SAMPLES);
    let values = diff.records.iter().flat_map(|record| record.values.iter().flatten());
    assert!(values.map(|value| value.chars().count()).all(|length| length <= KEPT));
    if xenstream::Compression::recognise(stream).is_none() {
        assert!(diff.pages.same <= stream.len() as u64 / 4096);
    }
}
