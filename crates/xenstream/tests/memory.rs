//! Memory does not grow with the input, whatever is in it and whichever way it comes in: every allocation is counted.

use std::io::{self, Read, sink};
use std::num::NonZero;
use std::ops::ControlFlow;

use xenstream::batch::{Target, verify_all};
use xenstream::extract::{Extract, OutputFormat, extract};
use xenstream::wire::libxc::{page, types};
use xenstream::wire::libxl;
use xenstream::{Input, Layer, Level, Options, Policy, ReadAt, relay_with, verify, verify_reader};
use xenstream_synth::{Body, Item, Page, Part, Stream, libxc as records, valid};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Bytes of a short input, and of a long one.
const SHORT: u64 = 512 << 10;
const LONG: u64 = 4 << 20;

/// A beginning, and a piece that is repeated: an input of any length that nobody holds in memory.
struct Repeated {
    head: Vec<u8>,
    piece: Vec<u8>,
    length: u64,
    at: u64,
}

impl Repeated {
    fn new(head: &[u8], piece: &[u8], length: u64) -> Repeated {
        Repeated { head: head.to_vec(), piece: piece.to_vec(), length, at: 0 }
    }
}

impl ReadAt for Repeated {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let head = self.head.len() as u64;
        let here = match offset.checked_sub(head) {
            None => &self.head[offset as usize..],
            Some(behind) => &self.piece[(behind % self.piece.len() as u64) as usize..],
        };
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = here.len().min(bytes.len()).min(left);
        bytes[..count].copy_from_slice(&here[..count]);
        Ok(count)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.length)
    }
}

impl Read for Repeated {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.read_at(bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// What is repeated, and what stands in front of it.
struct Family {
    name: &'static str,
    head: Vec<u8>,
    piece: Vec<u8>,
}

fn bytes(item: Item) -> Vec<u8> {
    Stream::new(xenstream::Format::Libxc, [item]).bytes()
}

fn families() -> Vec<Family> {
    let hvm = || valid::hvm().until(Part::libxc(types::X86_TSC_INFO)).bytes();
    let inside = |guest: Stream| guest.in_libxl().with_device_model();
    let entries = |entry: u64| {
        let count = page::BATCH;
        let mut record = types::PAGE_DATA.to_le_bytes().to_vec();
        record.extend(((page::HEADER + count * page::ENTRY) as u32).to_le_bytes());
        record.extend((count as u32).to_le_bytes());
        record.extend([0; 4]);
        record.extend((0..count).flat_map(|_| entry.to_le_bytes()));
        record
    };
    // An xenstore record as long as one may be.
    let mut xenstore = inside(valid::hvm()).until(Part::libxl(libxl::types::EMULATOR_XENSTORE_DATA)).bytes();
    xenstore.extend(libxl::types::EMULATOR_XENSTORE_DATA.to_le_bytes());
    xenstore.extend(u32::MAX.to_le_bytes());
    xenstore.extend([2, 0, 0, 0, 0, 0, 0, 0]);
    vec![
        Family { name: "records", head: hvm(), piece: bytes(records::verify()) },
        Family {
            name: "unknown records",
            head: hvm(),
            piece: bytes(records::record(types::OPTIONAL, Body::default())),
        },
        Family { name: "entries", head: hvm(), piece: entries(page::XTAB << 60 | 5) },
        Family { name: "wrong entries", head: hvm(), piece: entries(page::XTAB << 60 | 1 << 52 | 5) },
        Family { name: "xenstore", head: xenstore.clone(), piece: b"key\0value\0".to_vec() },
        Family { name: "xenstore without end", head: xenstore.clone(), piece: b"k".to_vec() },
        Family { name: "wrong xenstore", head: xenstore, piece: vec![1] },
        Family {
            name: "other headers",
            head: b"XenSavedDomv2-\n".to_vec(),
            piece: [0xF13u64, 0].iter().flat_map(|word| word.to_le_bytes()).collect(),
        },
    ]
}

/// Whatever is not fatal goes on, so that what is found comes in floods: as warnings, or as findings.
fn options(level: Level) -> Options {
    let mut policy = Policy::spec().with_keep_going(true);
    for layer in Layer::all().filter(|layer| *layer != Layer::Qemu) {
        policy = policy.with_level(layer, level).unwrap();
    }
    Options::new(policy)
}

/// The most bytes that are allocated at any time while this runs.
fn peak(work: impl FnOnce()) -> usize {
    let profiler = dhat::Profiler::builder().testing().build();
    work();
    let peak = dhat::HeapStats::get().max_bytes;
    drop(profiler);
    peak
}

/// Runs the same on a short input and on a long one.
fn assert_constant(name: &str, work: impl Fn(u64)) {
    // What is set up once and kept.
    work(SHORT);
    let [short, long] = [SHORT, LONG].map(|length| peak(|| work(length)));
    assert!(long <= short, "{name}: {short} bytes of memory for a short input, {long} for a long one");
    assert!(short < 4 << 20, "{name}: {short} bytes of memory");
}

// One test: what is counted is what the whole process allocates.
#[test]
fn memory_does_not_grow_with_the_input() {
    // What was allocated is seen.
    assert!(peak(|| drop(std::hint::black_box(vec![0; 1 << 20]))) >= 1 << 20);
    for Family { name, head, piece } in families() {
        for level in [Level::Warn, Level::Deny] {
            let options = options(level);
            let input = |length| Repeated::new(&head, &piece, length);
            let named = |way: &str| format!("{name} at {level:?}, {way}");
            assert_constant(&named("read"), |length| {
                let report = verify_reader(input(length), &options).unwrap();
                assert!(!report.is_valid() && report.summary.bytes == length, "{:?}", report.violation());
            });
            assert_constant(&named("read at any place"), |length| {
                let report = verify(Input::Positioned(&input(length)), &options, &mut ()).unwrap();
                assert!(!report.is_valid() && report.summary.bytes == length, "{:?}", report.violation());
            });
        }
        let options = options(Level::Warn);
        assert_constant(&format!("{name}, relayed"), |length| {
            let relayed = relay_with(Repeated::new(&head, &piece, length), sink(), &options);
            assert!(relayed.result.unwrap().violation().is_some());
            assert!(relayed.bytes > length / 2);
        });
    }
    compressed();
    extracted();
    directories();
}

/// However well a stream was compressed.
fn compressed() {
    let Family { head, piece, .. } = families().remove(0);
    let pack = |length| zstd::encode_all(Repeated::new(&head, &piece, length), 1).unwrap();
    let packed = [SHORT, LONG].map(|length| (length, pack(length)));
    let options = options(Level::Warn);
    // zstd's own memory is not Rust's, and bounded by the window that is accepted.
    assert_constant("compressed", |length| {
        let (_, packed) = packed.iter().find(|(of, _)| *of == length).unwrap();
        let report = verify_reader(&packed[..], &options).unwrap();
        assert!(report.compression.is_some() && report.summary.bytes == length);
    });
}

/// Memory that is extracted: what is kept is bounded by the pages that there are, not by how often they come.
fn extracted() {
    let head = valid::hvm().until(Part::libxc(types::X86_TSC_INFO)).bytes();
    let pages: Vec<_> = (0..8).map(|pfn| Page::normal(pfn).holding("contents")).collect();
    let mut families = families();
    families.push(Family { name: "pages", head, piece: bytes(records::page_data(&pages)) });
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let what = Extract::new(OutputFormat::Elf).with_overwrite(true);
    let options = options(Level::Warn);
    for Family { name, head, piece } in families {
        let input = |length| Repeated::new(&head, &piece, length);
        assert_constant(&format!("{name}, extracted in order"), |length| {
            extract(Input::Reader(&mut input(length)), &out, &options, &what).unwrap();
        });
        assert_constant(&format!("{name}, extracted"), |length| {
            extract(Input::Positioned(&input(length)), &out, &options, &what).unwrap();
        });
    }
}

/// Many images at once: what is kept of one is its report.
fn directories() {
    let directory = tempfile::tempdir().unwrap();
    let Family { head, piece, .. } = families().remove(0);
    let targets: Vec<Target> = (0..64)
        .map(|number| {
            let path = directory.path().join(number.to_string());
            io::copy(&mut Repeated::new(&head, &piece, SHORT), &mut std::fs::File::create(&path).unwrap())
                .unwrap();
            Target::File(path)
        })
        .collect();
    let options = options(Level::Warn);
    let of = |count: usize| {
        peak(|| {
            verify_all(
                &targets[..count],
                &options,
                NonZero::new(1),
                |_| (),
                |outcome| {
                    assert!(!outcome.result.unwrap().is_valid());
                    ControlFlow::Continue(())
                },
            );
        })
    };
    of(1);
    let (few, many) = (of(8), of(64));
    assert!(many < few + 56 * 1024, "{few} bytes of memory for 8 images, {many} for 64");
}
