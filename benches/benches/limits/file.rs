//! Files: warm, cold, and on storage where each read takes a millisecond.

use std::fs::File;
use std::io;
use std::thread;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use xenstream::{Input, Options, Policy, ReadAt, verify, verify_path};
use xenstream_benches::limits::{self, Positioned};
use xenstream_benches::{Contents, GIB, Images, Program, Scale, evict, first_record, timed, warm};

use crate::rounds::{Contender, interleave};

pub(crate) fn run(criterion: &mut Criterion, images: &Images) {
    whole_process(criterion, images);
    slow_storage(criterion, images);
    sparse(criterion, images);
}

/// Whole programs over a dense image, with all of it in the cache and with none.
fn whole_process(criterion: &mut Criterion, images: &Images) {
    let memory = Scale::chosen().memory(GIB, 4 * GIB);
    let image = &images.get(memory, Contents::Noise);
    let xenstream = &Program::xenstream(&["verify", "--quiet"]);
    let walk = &Program::new(env!("CARGO_BIN_EXE_limit"), &[&first_record().to_string()]);
    // Without `if=` it reads standard input, which is a file as good as any.
    let dd = || {
        let mut command = Program::new("dd", &["bs=1M", "of=/dev/null"]).command(&[]);
        command.stdin(File::open(image).expect("an image"));
        timed(|| assert!(command.status().is_ok_and(|status| status.success()), "dd fails"))
    };

    let xen = &Program::xen();
    // Each in the processor's caches as it left them itself, as when it runs again and again; and as the others, of
    // which two read all of the file, leave them.
    for (name, earlier_runs) in [("file warm", 4), ("file warm, others between", 0)] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(memory));
        warm(image);
        let after_those = |run: &dyn Fn() -> Duration| {
            for _ in 0..earlier_runs {
                run();
            }
            run()
        };
        let mut contenders = vec![
            Contender::new("xenstream", || after_those(&|| xenstream.time(image))),
            Contender::new("header walk", || after_those(&|| walk.time(image))),
            Contender::new("dd", || after_those(&dd)),
        ];
        if let Some(xen) = xen {
            contenders.push(Contender::new("Xen's verifier", || after_those(&|| xen.time(image))));
        }
        interleave(&mut group, contenders);
        group.finish();
    }

    let places = &limits::places(image, first_record()).expect("an image can be read");
    let mut group = criterion.benchmark_group("file cold");
    group.throughput(Throughput::Bytes(memory));
    let cold = |run: &dyn Fn() -> Duration| {
        evict(image);
        run()
    };
    let contenders = vec![
        Contender::new("xenstream", || cold(&|| xenstream.time(image))),
        Contender::new("header walk", || cold(&|| walk.time(image))),
        Contender::new("reads alone", || {
            cold(&|| timed(|| limits::read_places(image, places).expect("an image")))
        }),
        Contender::new("dd", || cold(&dd)),
    ];
    interleave(&mut group, contenders);
    group.finish();
    images.discard(memory, Contents::Noise);
}

/// A file on storage that takes its time for every read, however many are under way.
struct Slow(Positioned);

impl ReadAt for Slow {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        thread::sleep(Duration::from_millis(1));
        self.0.read_at(bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn concurrent(&self) -> Option<&(dyn ReadAt + Sync)> {
        Some(self)
    }
}

/// Reads under way at a time against one after another.
fn slow_storage(criterion: &mut Criterion, images: &Images) {
    let memory = Scale::chosen().memory(2 * GIB, 4 * GIB);
    let image = images.get(memory, Contents::Sparse);
    let slow = Slow(Positioned(File::open(&image).expect("an image")));
    let options = Options::new(Policy::spec());

    let mut group = criterion.benchmark_group("file slow");
    group.throughput(Throughput::Bytes(memory));
    let contenders = vec![
        Contender::new("xenstream", || {
            timed(|| {
                let report =
                    verify(Input::Positioned(&slow), &options, &mut ()).expect("an image can be read");
                assert!(report.is_valid());
            })
        }),
        Contender::new("one dependent read a record", || {
            timed(|| limits::walk(&slow, first_record()).expect("an image can be read"))
        }),
    ];
    interleave(&mut group, contenders);
    group.finish();
}

/// Guests of any size whose files are nearly all holes.
fn sparse(criterion: &mut Criterion, images: &Images) {
    let memory = Scale::chosen().memory(64 * GIB, 1024 * GIB);
    let image = images.get(memory, Contents::Sparse);
    let options = Options::new(Policy::spec());
    warm_records(&image, &options);

    let mut group = criterion.benchmark_group("file sparse");
    group.throughput(Throughput::Bytes(memory));
    let contenders = vec![
        Contender::new("xenstream", || {
            timed(|| verify_path(&image, &options).expect("an image can be read"))
        }),
        Contender::new("header walk", || {
            timed(|| limits::walk_path(&image, first_record()).expect("an image can be read"))
        }),
    ];
    interleave(&mut group, contenders);
    group.finish();
}

/// Brings what will be read into the cache; reading the holes too would take longer than all the rest.
fn warm_records(image: &std::path::Path, options: &Options) {
    assert!(verify_path(image, options).expect("an image can be read").is_valid());
}
