//! Memory: what the verifier itself costs, without any input or output.

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use xenstream::{Guest, Options, Policy, verify_slice};
use xenstream_core::wire::libxc::page;
use xenstream_synth::{Item, Page, hvm::Chain, libxc};

/// Records of a stream: enough that its headers do not count.
const RECORDS: u64 = 4096;

pub(crate) fn run(criterion: &mut Criterion) {
    batches(criterion);
    smallest(criterion);
}

/// PAGE_DATA records as full as savers make them.
fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("memory entries");
    // Enough entries to fill a cache of the first level a few times, and not the last one.
    let entries = 16 * page::BATCH;
    let stream = stream(libxc::batches(0..entries, Page::absent));
    group.throughput(Throughput::Bytes(entries * page::ENTRY));
    verify(&mut group, "xenstream", &stream);
    group.bench_function("entries or-ed", |bencher| {
        bencher.iter(|| {
            let (words, _) = black_box(&stream[..]).as_chunks::<8>();
            words.iter().fold(0, |sum, word| sum | u64::from_le_bytes(*word))
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("memory image");
    let image = self::stream(libxc::batches(0..entries, Page::normal));
    group.throughput(Throughput::Bytes(image.len() as u64));
    verify(&mut group, "xenstream", &image);
    group.finish();
}

/// The smallest legal records.
fn smallest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("memory records");
    group.throughput(Throughput::Elements(RECORDS));
    let page_data = libxc::page_data(&[Page::absent(0)]);
    for (name, record) in [("VERIFY", libxc::verify()), ("PAGE_DATA of one XTAB", page_data)] {
        let records = (0..RECORDS).map(|_| record.clone());
        verify(&mut group, name, &stream(records));
    }
    group.finish();
}

/// A guest with these records of memory.
fn stream(memory: impl Iterator<Item = Item>) -> Vec<u8> {
    let head = [libxc::static_data_end(), libxc::page_data(&[Page::absent(0)])];
    let tail = [libxc::hvm_params(&[(1, 0xF_EFFC)]), libxc::hvm_context(&Chain::minimal()), libxc::end()];
    libxc::stream(Guest::Hvm, head.into_iter().chain(memory).chain(tail)).bytes()
}

fn verify(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, stream: &[u8]) {
    let options = Options::new(Policy::spec());
    group.sample_size(50);
    let report = verify_slice(stream, &options).expect("memory can be read");
    assert!(report.is_valid(), "{:?}", report.violation());
    group.bench_function(name, |bencher| bencher.iter(|| verify_slice(black_box(stream), &options)));
}
