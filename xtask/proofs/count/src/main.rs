//! Streams to count the core's instructions on. `cargo xtask count` runs this under callgrind, which collects inside
//! [`measured`] only and writes one profile for each call of it.
//!
//! Each case is a stream's head, which is not measured, and a piece that is repeated. It is measured twice, over
//! `times` pieces and then over four times as many more: what a piece costs must not grow with the stream.
//! A line on stdout for each call: name, unit, how many units, how many octets were pushed.

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
    /// Units in a piece.
    units: u64,
    /// Most octets in one push.
    chunk: usize,
}

/// What a caller does with the next octets.
enum Step {
    Push(Vec<u8>),
    Skip(u64),
}

/// Octets that are pushed, about, before the case is measured for the second time.
const OCTETS: usize = 64 << 10;

fn main() {
    for case in cases::all().into_iter().chain(hostile::all()) {
        let mut verifier = Verifier::new(Format::Auto, black_box(&case.policy));
        let verdict = verifier.push(&case.head, &mut ());
        assert!(verdict.is_ok(), "{}, head: {verdict:?}", case.name);
        let octets = case.octets();
        let times = OCTETS.div_ceil(octets.max(1));
        for times in [times, 4 * times] {
            assert!(
                measured(&mut verifier, &case.piece, case.chunk, times),
                "{}: {:?}",
                case.name,
                verifier.record()
            );
            println!("{}\t{}\t{}\t{}", case.name, case.unit, case.units * times as u64, octets * times);
        }
    }
}

/// False where the stream was refused, or ended.
#[inline(never)]
fn measured(verifier: &mut Verifier, piece: &[Step], chunk: usize, times: usize) -> bool {
    for _ in 0..times {
        for step in piece {
            match step {
                Step::Push(octets) => {
                    for chunk in octets.chunks(chunk) {
                        match verifier.push(chunk, &mut ()) {
                            Ok(progress) if !progress.ended => {}
                            _ => return false,
                        }
                    }
                }
                Step::Skip(octets) => {
                    if verifier.need().skippable < *octets || verifier.skip(*octets).is_err() {
                        return false;
                    }
                }
            }
        }
    }
    true
}

impl Case {
    /// Octets of a piece that are pushed.
    fn octets(&self) -> usize {
        self.piece.iter().map(|step| if let Step::Push(octets) = step { octets.len() } else { 0 }).sum()
    }
}
