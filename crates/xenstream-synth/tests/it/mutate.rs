//! The mutator takes any bytes, keeps to its bounds, and keeps what it can.

use std::collections::BTreeSet;

use xenstream_core::{Format, Policy, Rule, Verifier};
use xenstream_synth::corpus::{corpus, valid_streams};
use xenstream_synth::mutate::{cross, mutate};
use xenstream_synth::{minimal, valid};

/// Streams, valid and broken, as they are, cut, and with a byte changed.
fn inputs() -> Vec<Vec<u8>> {
    let mut inputs: Vec<Vec<u8>> = corpus().into_iter().map(|file| file.bytes).collect();
    inputs.retain(|bytes| bytes.len() < 8192);
    let mut rng = fastrand::Rng::with_seed(12);
    for n in 0..inputs.len() {
        let mut bytes = inputs[n].clone();
        bytes.truncate(rng.usize(..=bytes.len()));
        if let Some(byte) = rng.choice(&mut bytes) {
            *byte = rng.u8(..);
        }
        inputs.push(bytes);
    }
    inputs.extend([vec![], vec![0], vec![0xFF; 100], b"LibxlFmt".to_vec()]);
    inputs
}

#[test]
fn any_input_gives_an_output_within_bounds() {
    let inputs = inputs();
    let mut rng = fastrand::Rng::with_seed(5);
    for (n, bytes) in inputs.iter().enumerate() {
        for most in [0, 1, 64, 4096, 1 << 20] {
            let seed = rng.u64(..);
            let mutant = mutate(bytes, most, seed);
            assert!(mutant.len() <= most, "input {n}");
            assert_eq!(mutant, mutate(bytes, most, seed), "input {n}");
            let other = &inputs[rng.usize(..inputs.len())];
            let child = cross(bytes, other, most, seed);
            assert!(child.len() <= most, "input {n}");
            assert_eq!(child, cross(bytes, other, most, seed), "input {n}");
        }
    }
}

#[test]
fn mutants_of_mutants_never_panic() {
    let mut bytes = valid::hvm().in_libxl().with_device_model().in_xl().bytes();
    let mut rng = fastrand::Rng::with_seed(9);
    for _ in 0..20_000 {
        bytes = mutate(&bytes, 4096, rng.u64(..));
    }
}

/// The rule that refuses a stream; `None` for a valid one.
fn refused(bytes: &[u8]) -> Option<Rule> {
    let mut verifier = Verifier::new(Format::Auto, &Policy::spec());
    verifier.push(bytes, &mut ()).and_then(|_| verifier.finish(&mut ())).err().map(|violation| violation.rule)
}

#[test]
fn mutants_reach_deep_rules() {
    let streams = [minimal::hvm().bytes(), minimal::pv64().in_libxl().bytes(), minimal::pv32().bytes()];
    let mut rules = BTreeSet::new();
    let mut valid = 0;
    for seed in 0..6_000 {
        let mutant = mutate(&streams[seed % streams.len()], 8192, seed as u64);
        match refused(&mutant) {
            Some(rule) => drop(rules.insert(rule)),
            None => valid += 1,
        }
    }
    // Bytes changed at random are valid next to never, and break few rules.
    assert!(valid > 600, "{valid} of 6000 valid");
    assert!(rules.len() > 70, "{} rules: {rules:?}", rules.len());
}

#[test]
fn children_are_streams_often() {
    let streams: Vec<Vec<u8>> = valid_streams().iter().map(|(_, stream)| stream.bytes()).collect();
    let whole = (0..2_000).filter(|seed| {
        let [a, b] = [seed * 7, seed * 13 + 1].map(|n| &streams[n % streams.len()]);
        refused(&cross(a, b, 1 << 20, *seed as u64)) != Some(Rule::StreamUnrecognised)
    });
    assert!(whole.count() > 1_500);
}
