//! The same stream whole, in pieces, and with what is skippable skipped: same verdict, same offset, same events.

use xenstream_core::{Observer, Verifier};

use crate::setup::Setup;
use crate::transcript::Transcript;

/// Verifies the bytes in several ways and asserts that they tell the same. The first bytes of `data` choose the
/// sizes of the pieces.
///
/// # Panics
/// If the ways differ.
pub fn splits(data: &[u8]) {
    let (setup, stream) = Setup::split(data);
    let mut sizes = stream.iter().rev().map(|byte| usize::from(*byte % 23) + 1);
    same_for_every_split(setup, stream, || sizes.next().unwrap_or(usize::MAX));
}

/// Asserts that a stream tells the same whole, byte by byte, in pieces of the sizes given, and with skipping.
///
/// # Panics
/// If it does not.
pub fn same_for_every_split(setup: Setup, stream: &[u8], sizes: impl FnMut() -> usize) {
    let whole = run(setup, stream, || usize::MAX, false);
    whole.assert_same(&run(setup, stream, || 1, false), "byte by byte");
    whole.assert_same(&run(setup, stream, sizes, false), "in pieces");
    whole.assert_same(&run(setup, stream, || 7, true), "with skipping, in pieces of 7");
    whole.assert_same(&run(setup, stream, || usize::MAX, true), "with skipping");
    // Another observer hears more, and changes nothing.
    let other = Setup { bodies: !setup.bodies, ..setup };
    whole.assert_same(&run(other, stream, || usize::MAX, false), "with another observer");
}

/// One verification, in pieces of these sizes, skipping what may be skipped or not.
fn run(setup: Setup, stream: &[u8], mut sizes: impl FnMut() -> usize, skip: bool) -> Transcript {
    let mut transcript = Transcript::new(setup.bodies);
    let mut verifier = Verifier::new(setup.format, setup.policy());
    let mut rest = stream;
    while !rest.is_empty() && !verifier.is_ended() {
        let skippable = usize::try_from(verifier.need().skippable).unwrap_or(usize::MAX);
        if skip && skippable > 0 {
            let (_, behind) = rest.split_at(skippable.min(rest.len()));
            verifier.skip((rest.len() - behind.len()) as u64).expect("skippable bytes can be skipped");
            rest = behind;
            continue;
        }
        let (piece, _) = rest.split_at(sizes().clamp(1, rest.len()));
        match push_certain(&mut verifier, piece, &mut transcript, skip) {
            Ok(consumed) => rest = &rest[consumed..],
            Err(()) => break,
        }
    }
    transcript.finish(&mut verifier);
    transcript
}

/// Pushes a piece; with `certain`, no more of it than surely belongs to the stream, so that skipping gets its chance.
fn push_certain<O: Observer>(
    verifier: &mut Verifier,
    piece: &[u8],
    observer: &mut O,
    certain: bool,
) -> Result<usize, ()> {
    // A step that cannot swallow skippable bytes whole: no field has more than 8.
    let piece = if certain { &piece[..piece.len().min(8)] } else { piece };
    let progress = verifier.push(piece, observer).map_err(drop)?;
    assert!(progress.ended || progress.consumed == piece.len());
    Ok(progress.consumed)
}
