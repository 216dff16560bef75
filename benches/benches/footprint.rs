//! What is not a time: memory, bytes read from disks, time on processors, descriptors. One line a figure,
//! `name: value unit`.

#![forbid(unsafe_code)]

use std::fs;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::Path;

use xenstream::batch::{Target, verify_all};
use xenstream::{Header, Observer, Options, Policy};
use xenstream_benches::{Contents, Flow, GIB, Images, Program, Scale, Usage, evict, warm};

fn main() {
    let images = Images::below(env!("CARGO_TARGET_TMPDIR"));
    peak_memory(&images);
    from_disk(&images);
    processor(&images);
    descriptors(&images);
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{name}: {value:.3} {unit}");
}

fn peak_memory(images: &Images) {
    let xenstream = Program::xenstream(&["verify"]);
    let mut sizes = vec![("1 GiB", GIB), ("64 GiB", 64 * GIB)];
    match Scale::chosen() {
        Scale::Test => sizes.truncate(1),
        Scale::Default => {}
        Scale::Large => sizes.push(("1 TiB", 1024 * GIB)),
    }
    for (name, memory) in sizes {
        let image = images.get(memory, Contents::Sparse);
        // Where the system puts a program, and so which of its pages lie beside each other, changes from run to run.
        let usages = [(); 9].map(|()| xenstream.usage_of_verify(&image));
        let mebibytes = |of: fn(&Usage) -> u64| median(usages.iter().map(of)) as f64 / f64::from(1 << 20);
        print(&format!("peak memory for {name}, sparse"), mebibytes(|usage| usage.peak_memory), "MiB");
        print(&format!("memory of its own for {name}, sparse"), mebibytes(|usage| usage.own_memory), "MiB");
        images.discard(memory, Contents::Sparse);
    }
}

/// How much of an image that nothing of is cached comes from the disk.
fn from_disk(images: &Images) {
    let memory = Scale::chosen().memory(GIB, 4 * GIB);
    let image = images.get(memory, Contents::Noise);
    evict(&image);
    let usage = Program::xenstream(&["verify"]).usage_of_verify(&image);
    let length = fs::metadata(&image).expect("an image").len();
    print("read from disk of a cold file", 100.0 * usage.from_disk as f64 / length as f64, "%");
}

/// The relay's time on processors, in hundredths of that of `cat`.
fn processor(images: &Images) {
    const ROUNDS: usize = 9;
    let image = images.get(Scale::chosen().memory(GIB, 4 * GIB), Contents::Noise);
    warm(&image);
    let shorter = images.get(Scale::chosen().memory(GIB / 4, GIB), Contents::Noise);
    let programs = [Program::xenstream(&["relay"]), Program::new("cat", &[])];
    for (name, flow) in [("spliced", Flow::spliced(&image)), ("copying", Flow::copied(&shorter))] {
        let mut times: [Vec<_>; 2] = Default::default();
        for _ in 0..ROUNDS {
            for (program, times) in programs.iter().zip(&mut times) {
                times.push(flow.time_through(program).1.processor);
            }
        }
        let [relay, cat] = times.map(|times| median(times).as_secs_f64());
        print(&format!("processor time of the relay, {name} ends, of that of cat"), 100.0 * relay / cat, "%");
    }
}

fn median<T: Copy + Ord>(figures: impl IntoIterator<Item = T>) -> T {
    let mut figures: Vec<_> = figures.into_iter().collect();
    figures.sort_unstable();
    figures[figures.len() / 2]
}

/// Most descriptors that are open at a time while many images are verified.
fn descriptors(images: &Images) {
    let image = images.get(Scale::chosen().memory(GIB, GIB), Contents::Sparse);
    let targets: Vec<_> = (0..64).map(|_| Target::File(image.clone())).collect();
    let before = open_descriptors();
    let mut most = 0;
    let observer = |_: &Path| Counter::default();
    verify_all(&targets, &Options::new(Policy::spec()), NonZero::new(2), observer, |outcome| {
        most = outcome.observer.map_or(most, |counter| counter.most.max(most));
        ControlFlow::Continue(())
    });
    print("descriptors open at a time for 64 images", (most - before) as f64, "");
}

/// Counts descriptors whenever a header passes.
#[derive(Default)]
struct Counter {
    most: usize,
}

impl Observer for Counter {
    fn on_header(&mut self, _: &Header) {
        self.most = self.most.max(open_descriptors());
    }
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("the system lists open descriptors").count()
}
