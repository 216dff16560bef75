//! Comparisons on a machine that is never quiet.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, SamplingMode};
use xenstream_benches::Scale;

/// One way of doing what a group is about.
pub(crate) struct Contender<'c> {
    name: &'static str,
    run: Box<dyn FnMut() -> Duration + 'c>,
}

impl<'c> Contender<'c> {
    /// Runs once and returns how long it took, without the preparation.
    pub(crate) fn new(name: &'static str, run: impl FnMut() -> Duration + 'c) -> Contender<'c> {
        Contender { name, run: Box::new(run) }
    }
}

/// Measures contenders in turn. Whenever one of them is measured all the others run too, so that each meets the same
/// caches and the same neighbours on the machine: of two medians of a group only the ratio means anything. Their order
/// changes from round to round, or one would always find the caches as the same other one leaves them.
pub(crate) fn interleave(group: &mut BenchmarkGroup<'_, WallTime>, mut contenders: Vec<Contender<'_>>) {
    group.sampling_mode(SamplingMode::Flat);
    if Scale::chosen() != Scale::Test {
        group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
    }
    let mut random = fastrand::Rng::with_seed(0);
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    for measured in 0..contenders.len() {
        let name = contenders[measured].name;
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut total = Duration::ZERO;
                for _ in 0..rounds {
                    random.shuffle(&mut order);
                    for index in &order {
                        let time = (contenders[*index].run)();
                        if *index == measured {
                            total += time;
                        }
                    }
                }
                total
            });
        });
    }
}
