//! Pipes: from a producer that splices its pages into the pipe, and from one that writes them.

use std::io::{self, PipeReader};

use criterion::{Criterion, Throughput};
use xenstream::{Options, Policy, verify_fd};
use xenstream_benches::{Contents, Flow, GIB, Images, Scale, limits, warm};

use crate::rounds::{Contender, interleave};

pub(crate) fn run(criterion: &mut Criterion, images: &Images) {
    let image = images.get(Scale::chosen().memory(GIB, 4 * GIB), Contents::Noise);
    warm(&image);
    let shorter = images.get(Scale::chosen().memory(GIB / 4, GIB), Contents::Noise);
    for (name, flow) in
        [("pipe spliced into", Flow::spliced(&image)), ("pipe written into", Flow::copied(&shorter))]
    {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(flow.length()));
        let contenders = vec![
            Contender::new("xenstream", || flow.time(verified)),
            Contender::new("splice drain", || flow.time(limits::drain_by_splice)),
            Contender::new("read drain", || flow.time(limits::drain_by_read)),
        ];
        interleave(&mut group, contenders);
        group.finish();
    }
}

fn verified(pipe: PipeReader) -> io::Result<u64> {
    let report = verify_fd(pipe, &Options::new(Policy::spec())).map_err(io::Error::other)?;
    assert!(report.is_valid(), "{:?}", report.violation());
    Ok(report.summary.bytes)
}
