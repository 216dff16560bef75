//! Streams to count the core's instructions on. `cargo xtask count` runs this under callgrind, which collects inside
//! [`measured`] only and writes one profile for each call of it.
//!
//! Each case is a stream's head, which is not measured, and a piece that is repeated. It is measured twice, over
//! `times` pieces and then over four times as many more: what a piece costs must not grow with the stream.
//! A line on stdout for each call: name, unit, how many units, how many bytes were pushed.

#![forbid(unsafe_code)]

mod cases;
mod hostile;
mod stream;

use std::hint::black_box;

use xenstream_core::{Format, Policy, Verifier};

/// One kind of stream.
struct Case {
    name: &'static str,
    /// What the figure is for one of.
    unit: &'static str,
    policy: Policy,
    head: Vec<u8>,
    piece: Vec<Step>,
    /// Each PAGE_DATA record of a piece names the pfns after those of the one before, as in a saver's first pass. The
    /// head names none.
    first_pass: bool,
    /// Units in a piece.
    units: u64,
    /// Most bytes in one push.
    chunk: usize,
}

/// What a caller does with the next bytes.
#[derive(Clone)]
enum Step {
    Push(Vec<u8>),
    Skip(u64),
}

/// Bytes that are pushed, about, before the case is measured for the second time.
const BYTES: usize = 64 << 10;

fn main() {
    for case in cases::all().into_iter().chain(hostile::all()) {
        let mut verifier = Verifier::new(Format::Auto, black_box(&case.policy));
        let verdict = verifier.push(&case.head, &mut ());
        assert!(verdict.is_ok(), "{}, head: {verdict:?}", case.name);
        let bytes = case.bytes();
        let times = BYTES.div_ceil(bytes.max(1));
        let mut numbers = 0u64..;
        for times in [times, 4 * times] {
            let pieces: Vec<Vec<Step>> = numbers.by_ref().take(times).map(|n| case.nth(n)).collect();
            assert!(measured(&mut verifier, &pieces, case.chunk), "{}: {:?}", case.name, verifier.record());
            println!("{}\t{}\t{}\t{}", case.name, case.unit, case.units * times as u64, bytes * times);
        }
    }
}

/// False where the stream was refused, or ended.
#[inline(never)]
fn measured(verifier: &mut Verifier, pieces: &[Vec<Step>], chunk: usize) -> bool {
    for piece in pieces {
        for step in piece {
            match step {
                Step::Push(bytes) => {
                    for chunk in bytes.chunks(chunk) {
                        match verifier.push(chunk, &mut ()) {
                            Ok(progress) if !progress.ended => {}
                            _ => return false,
                        }
                    }
                }
                Step::Skip(bytes) => {
                    if verifier.need().skippable < *bytes || verifier.skip(*bytes).is_err() {
                        return false;
                    }
                }
            }
        }
    }
    true
}

impl Case {
    /// The piece in this place, counted from 0.
    fn nth(&self, n: u64) -> Vec<Step> {
        let mut piece = self.piece.clone();
        if self.first_pass
            && let Some(Step::Push(record)) = piece.first_mut()
        {
            stream::name_later(record, n);
        }
        piece
    }

    /// Bytes of a piece that are pushed.
    fn bytes(&self) -> usize {
        self.piece.iter().map(|step| if let Step::Push(bytes) = step { bytes.len() } else { 0 }).sum()
    }
}
