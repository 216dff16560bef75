//! What a target has besides its property: a dictionary, which `cargo fuzz run TARGET` passes none, and a mutator that keeps
//! the structure of streams.

#![forbid(unsafe_code)]

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use libfuzzer_sys::fuzzer_mutate;
use xenstream_synth::mutate;

/// Magics, record types, and records as short as they can be.
const DICTIONARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dictionaries/stream.dict");

/// Starts this program anew with the dictionary of streams, unless it was started with one.
///
/// libFuzzer takes a dictionary from its command line alone, and calls this before it reads that. Where the sources are
/// not, as on a machine that only runs targets, it is left to the caller.
pub fn use_dictionary() {
    let has_one = env::args_os().any(|argument| argument.as_encoded_bytes().starts_with(b"-dict="));
    if has_one || !Path::new(DICTIONARY).exists() {
        return;
    }
    let itself = env::current_exe().expect("a program has a path");
    let error = Command::new(itself).args(env::args_os().skip(1)).arg(format!("-dict={DICTIONARY}")).exec();
    panic!("cannot start with a dictionary: {error}");
}

/// A target for this property, whose inputs are a stream and so many bytes that choose what is done with it.
#[macro_export]
macro_rules! stream_target {
    ($property:ident, $choices:literal) => {
        libfuzzer_sys::fuzz_target!(init: $crate::use_dictionary(), |data: &[u8]| {
            xenstream_properties::$property(data)
        });
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate_input(data, size, max_size, seed, $choices)
        });
        libfuzzer_sys::fuzz_crossover!(|data1: &[u8], data2: &[u8], out: &mut [u8], seed: u32| {
            $crate::cross_inputs(data1, data2, out, seed, $choices)
        });
    };
}

/// Whether inputs are changed by their structure. `XENSTREAM_MUTATOR=bytes` leaves them to libFuzzer, to compare the two.
static BY_STRUCTURE: LazyLock<bool> =
    LazyLock::new(|| env::var_os("XENSTREAM_MUTATOR").is_none_or(|how| how != "bytes"));

/// Changes the first `size` bytes, of which the last are `choices`. Returns how many there are then.
///
/// libFuzzer makes every fourth change: it alone knows which values the program compares its input with. So it does with
/// what is no stream, and with the choices.
pub fn mutate_input(data: &mut [u8], size: usize, most: usize, seed: u32, choices: usize) -> usize {
    let start = size.saturating_sub(choices);
    if !*BY_STRUCTURE || seed % 4 == 0 || most <= choices || !mutate::is_stream(&data[..start]) && seed % 16 != 1 {
        return fuzzer_mutate(data, size, most);
    }
    let mut chosen = data[start..size].to_vec();
    if seed % 32 == 2 && !chosen.is_empty() {
        let length = chosen.len();
        fuzzer_mutate(&mut chosen, length, length);
    }
    let mut input = mutate::mutate(&data[..start], most - choices, seed.into());
    input.extend(chosen);
    data[..input.len()].copy_from_slice(&input);
    input.len()
}

/// Makes one input of two, with the choices of the first. Returns its size.
pub fn cross_inputs(first: &[u8], second: &[u8], out: &mut [u8], seed: u32, choices: usize) -> usize {
    let split = |data: &[u8]| data.len().saturating_sub(choices);
    if !*BY_STRUCTURE || out.len() <= choices {
        // None: libFuzzer tries something else.
        return 0;
    }
    let (stream, chosen) = first.split_at(split(first));
    let mut input = mutate::cross(stream, &second[..split(second)], out.len() - choices, seed.into());
    input.extend_from_slice(chosen);
    out[..input.len()].copy_from_slice(&input);
    input.len()
}
