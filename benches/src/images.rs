//! Images of guests of any size, as `xl save` writes them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::fs::Advice;
use tempfile::TempDir;
use xenstream_core::Format;
use xenstream_core::wire::PAGE_SIZE;
use xenstream_core::wire::libxc::{page, types};
use xenstream_synth::{Item, Page, Part, Stream, libxc, valid};

/// What the pages of a guest hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contents {
    /// Nothing, in a file of holes: whatever the guest's size, the file takes room for its record headers only.
    Sparse,
    /// Noise, which no layer below the file system makes smaller.
    Noise,
    /// Zeros, text and noise, as guests have them: compressors make about a third of it.
    Mixed,
}

/// Images in a directory that is removed with this. Each is made when it is first asked for.
#[derive(Debug)]
pub struct Images {
    directory: TempDir,
    made: RefCell<BTreeMap<(u64, Contents), PathBuf>>,
}

impl Images {
    /// No images yet, below a directory on a disk: `CARGO_TARGET_TMPDIR` is one.
    #[must_use]
    pub fn below(directory: &str) -> Images {
        let directory = tempfile::Builder::new().prefix("images-").tempdir_in(directory);
        Images { directory: directory.expect("a temporary directory"), made: RefCell::default() }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The image of a guest with so many octets of memory.
    #[must_use]
    pub fn get(&self, memory: u64, contents: Contents) -> PathBuf {
        let mut made = self.made.borrow_mut();
        let path = made.entry((memory, contents)).or_insert_with(|| {
            let path = self.directory().join(format!("{}-{memory}", format!("{contents:?}").to_lowercase()));
            write(&path, memory, contents).expect("an image in the temporary directory");
            path
        });
        path.clone()
    }

    /// The same, where nobody needs it any more afterwards: it makes room on the disk.
    pub fn discard(&self, memory: u64, contents: Contents) {
        if let Some(path) = self.made.borrow_mut().remove(&(memory, contents)) {
            fs::remove_file(path).expect("an image in the temporary directory");
        }
    }
}

/// Where the first record of the libxc stream lies in every image. From there on records follow one another, libxl's
/// behind libxc's.
#[must_use]
pub fn first_record() -> u64 {
    let frame = frame();
    frame.offset(frame.find(Part::Domain) + 1)
}

/// A guest with next to no memory.
fn frame() -> Stream {
    valid::hvm().in_libxl().with_device_model().in_xl()
}

/// Writes a guest's image, a few records at a time: it may be larger than memory.
fn write(path: &Path, memory: u64, contents: Contents) -> io::Result<()> {
    /// Pages that are built together.
    const TOGETHER: u64 = 16 * page::BATCH;
    let frame = frame();
    let (head, tail) = frame.items().split_at(frame.find(Part::libxc(types::PAGE_DATA)));
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut put = |items: Vec<Item>| {
        let stream = Stream::new(Format::Xl, items);
        match contents {
            Contents::Sparse => stream.write_sparse(&mut out),
            Contents::Noise | Contents::Mixed => stream.write_to(&mut out),
        }
    };
    let pages = memory / PAGE_SIZE;
    put(head.to_vec())?;
    for first in (0..pages).step_by(TOGETHER as usize) {
        let pfns = first..pages.min(first + TOGETHER);
        put(libxc::batches(pfns, |pfn| Page::normal(pfn).holding(page_of(contents, pfn))).collect())?;
    }
    put(tail.to_vec())?;
    out.flush()?;
    // What has not been written back is busy, and cannot be dropped from the cache.
    out.get_ref().sync_data()
}

fn page_of(contents: Contents, pfn: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(pfn);
    let mut octets = vec![0; PAGE_SIZE as usize];
    match contents {
        Contents::Sparse => octets.clear(),
        Contents::Noise => random.fill(&mut octets),
        Contents::Mixed => match pfn % 4 {
            0 => octets.clear(),
            1 => random.fill(&mut octets),
            _ => octets.fill_with(|| b"etaoin shrdlu"[random.usize(0..13)]),
        },
    }
    octets
}

/// Brings a file into the cache.
pub fn warm(path: &Path) {
    io::copy(&mut open(path), &mut io::sink()).expect("an image can be read");
}

/// Drops a file from the cache, as far as the system does it for the asking.
pub fn evict(path: &Path) {
    rustix::fs::fadvise(open(path), 0, None, Advice::DontNeed).expect("a file takes advice");
}

fn open(path: &Path) -> File {
    File::open(path).expect("an image can be opened")
}
