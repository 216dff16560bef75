//! Many images: on one core and on two.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use xenstream::batch::{Target, verify_all};
use xenstream::{Options, Policy};
use xenstream_benches::{Contents, GIB, Images, Scale, timed};

use crate::rounds::{Contender, interleave};

const IMAGES: usize = 64;

pub(crate) fn run(criterion: &mut Criterion, images: &Images) {
    let memory = Scale::chosen().memory(GIB, 4 * GIB);
    let targets: Vec<_> =
        images.set(IMAGES, memory, Contents::Sparse).into_iter().map(Target::File).collect();

    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Elements(IMAGES as u64));
    let contenders = vec![
        Contender::new("on two cores", || verified(&targets, 2)),
        Contender::new("on one core", || verified(&targets, 1)),
    ];
    interleave(&mut group, contenders);
    group.finish();
}

fn verified(targets: &[Target], threads: usize) -> Duration {
    timed(|| {
        verify_all(
            targets,
            &Options::new(Policy::spec()),
            NonZero::new(threads),
            |_| (),
            |outcome| {
                assert!(outcome.result.is_ok_and(|report| report.is_valid()));
                ControlFlow::Continue(())
            },
        );
    })
}
