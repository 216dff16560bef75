//! The relay, as a program between two pipes, and `cat` in its place.

use criterion::{Criterion, Throughput};
use xenstream_benches::{Contents, Flow, GIB, Images, Program, Scale, warm};

use crate::rounds::{Contender, interleave};

pub(crate) fn run(criterion: &mut Criterion, images: &Images) {
    let image = images.get(Scale::chosen().memory(GIB, 4 * GIB), Contents::Noise);
    warm(&image);
    let shorter = images.get(Scale::chosen().memory(GIB / 4, GIB), Contents::Noise);
    let relay = Program::xenstream(&["relay"]);
    let cat = Program::new("cat", &[]);
    for (name, flow) in
        [("relay spliced ends", Flow::spliced(&image)), ("relay copying ends", Flow::copied(&shorter))]
    {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(flow.length()));
        let contenders = vec![
            Contender::new("xenstream", || flow.time_through(&relay).0),
            Contender::new("cat", || flow.time_through(&cat).0),
        ];
        interleave(&mut group, contenders);
        group.finish();
    }
}
