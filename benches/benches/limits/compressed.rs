//! Compressed images, and the decompressors alone.

use std::fs::File;

use criterion::{Criterion, Throughput};
use xenstream_benches::{Contents, GIB, Images, Program, Scale, limits, timed};

use crate::rounds::{Contender, interleave};

pub(crate) fn run(criterion: &mut Criterion, images: &Images) {
    let image = images.get(Scale::chosen().memory(GIB / 4, GIB), Contents::Mixed);
    let compressed = image.with_extension("zst");
    let bytes = File::open(&image).expect("an image");
    let length = bytes.metadata().expect("a file has a length").len();
    zstd::stream::copy_encode(bytes, File::create(&compressed).expect("a new file"), 1)
        .expect("it compresses");

    let xenstream = Program::xenstream(&["verify", "--quiet"]);
    let zstd = Program::new("zstd", &["--decompress", "--quiet", "--force", "-o", "/dev/null"]);
    let mut group = criterion.benchmark_group("zstd");
    group.throughput(Throughput::Bytes(length));
    let contenders = vec![
        Contender::new("xenstream", || xenstream.time(&compressed)),
        Contender::new("zstd -d", || zstd.time(&compressed)),
        Contender::new("zstd library", || {
            timed(|| {
                let file = File::open(&compressed).expect("the file just made");
                let decoder = zstd::stream::read::Decoder::new(file).expect("a decoder");
                assert_eq!(limits::drain(decoder).expect("it decompresses"), length);
            })
        }),
    ];
    interleave(&mut group, contenders);
    group.finish();
}
