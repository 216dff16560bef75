//! Fuzzes another parser of Xen's streams. Put it in place of `parse`.
//!
//! ```text
//! cargo run -p xenstream-synth --example fuzz_parser -- SECONDS
//! ```

use std::time::{Duration, Instant};

use xenstream_synth::mutate;
use xenstream_synth::valid::Machine;

fn parse(stream: &[u8]) {
    std::hint::black_box(stream);
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let (end, mut runs) = (Instant::now() + Duration::from_secs(seconds), 0);
    let streams: Vec<Vec<u8>> = Machine::all().map(|machine| machine.libxc().bytes()).collect();
    while Instant::now() < end {
        for stream in &streams {
            parse(&mutate::mutate(stream, 1 << 20, runs));
            runs += 1;
        }
    }
    println!("{runs} streams");
}
