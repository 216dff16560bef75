//! Conversions, beside a plain copy of the file.

use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use xenstream_benches::{Contents, GIB, Images, Program, Scale, timed, warm};

use crate::rounds::{Contender, interleave};

pub(crate) fn run(criterion: &mut Criterion, images: &Images) {
    let dense = Scale::chosen().memory(GIB, 4 * GIB);
    let image = images.get(dense, Contents::Noise);
    warm(&image);
    beside_cp(criterion, "convert dense", dense, &image);
    // What is copied of it is in the cache once one of them has run.
    let sparse = Scale::chosen().memory(64 * GIB, 64 * GIB);
    beside_cp(criterion, "convert sparse", sparse, &images.get(sparse, Contents::Sparse));
}

fn beside_cp(criterion: &mut Criterion, name: &str, memory: u64, image: &Path) {
    let out = image.with_extension("converted");
    let convert = Program::xenstream(&["convert", "--quiet", "--force", "--container", "libxl"]);
    let cp = Program::new("cp", &["--reflink=never"]);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(memory));
    let contenders = vec![
        Contender::new("xenstream", || time(&convert, image, &out)),
        Contender::new("cp", || time(&cp, image, &out)),
    ];
    interleave(&mut group, contenders);
    group.finish();
    std::fs::remove_file(&out).expect("an output in the temporary directory");
}

/// Runs a program that makes one file of another.
fn time(program: &Program, from: &Path, to: &Path) -> Duration {
    let mut command = program.command(&[from.as_os_str(), to.as_os_str()]);
    let mut succeeded = false;
    let time = timed(|| succeeded = command.status().is_ok_and(|status| status.success()));
    assert!(succeeded, "{command:?} fails");
    time
}
