//! Writes a made-up stream to a file: a valid one, or one that breaks a rule.
//!
//! ```text
//! cargo run -p xenstream-synth --example write_stream -- SEED FILE [RULE]
//! ```
//!
//! The same seed gives the same stream. A bare libxc stream is what Xen's restore helper reads, so a loop over seeds
//! is a fuzzer for it; one that is guided by coverage calls [`Plan::arbitrary`] itself with the bytes it makes.

use std::fs::File;
use std::io::BufWriter;
use std::process::ExitCode;

use arbitrary::{Arbitrary, Unstructured};
use xenstream_core::{Profile, Rule};
use xenstream_synth::broken::Broken;
use xenstream_synth::plan::Plan;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [seed, file] => write(seed, file, None),
        [seed, file, rule] => write(seed, file, Some(rule)),
        _ => Err("usage: write_stream SEED FILE [RULE]".into()),
    };
    match outcome {
        Ok(what) => {
            println!("{what}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Writes the stream and tells what it is.
fn write(seed: &str, file: &str, rule: Option<&str>) -> Result<String, Box<dyn std::error::Error>> {
    let bytes = bytes(seed.parse()?);
    let plan = Plan::arbitrary(&mut Unstructured::new(&bytes))?;
    let (stream, what) = match rule {
        None => {
            let built = plan.build();
            let refusal = built.expected.outcome(Profile::Restore).refused;
            let verdict = refusal.map_or("valid".to_owned(), |(rule, offset)| format!("{rule} at {offset}"));
            (built.stream, verdict)
        }
        Some(name) => {
            let rule: Rule = name.parse()?;
            let broken = Broken::of(&plan, rule, u64::from(bytes[0]))
                .ok_or("this stream has nothing to break the rule with: try another seed")?;
            let what = format!("{} at {}", broken.rule, broken.offset);
            (broken.stream, what)
        }
    };
    stream.write_sparse(BufWriter::new(File::create(file)?))?;
    Ok(format!("{file}: {} of {} bytes, {what}", stream.format(), stream.size()))
}

/// What a plan is made from: as many bytes as a fuzzer's inputs have, the same for the same seed.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let splitmix = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    };
    std::iter::repeat_with(splitmix).take(64).flat_map(u64::to_le_bytes).collect()
}
