//! xenstream and what nothing can beat, side by side.

#![forbid(unsafe_code)]

mod batch;
mod compressed;
mod convert;
mod file;
mod memory;
mod pipe;
mod relay;
mod rounds;

use criterion::Criterion;
use xenstream_benches::Images;

fn main() {
    let images = Images::below(env!("CARGO_TARGET_TMPDIR"));
    // What is measured here takes a while: few samples.
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    memory::run(&mut criterion);
    file::run(&mut criterion, &images);
    batch::run(&mut criterion, &images);
    pipe::run(&mut criterion, &images);
    relay::run(&mut criterion, &images);
    compressed::run(&mut criterion, &images);
    convert::run(&mut criterion, &images);
    criterion.final_summary();
}
