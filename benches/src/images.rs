//! Images of guests of any size, as `xl save` writes them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::Advice;
use tempfile::TempDir;
use xenstream_core::wire::PAGE_SIZE;
use xenstream_core::wire::libxc::types;
use xenstream_synth::image::{Contents, Fill, Writer};
use xenstream_synth::{Part, Stream, valid};

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

    /// The image of a guest with this many bytes of memory.
    #[must_use]
    pub fn get(&self, memory: u64, contents: Contents) -> PathBuf {
        let mut made = self.made.borrow_mut();
        let path = made.entry((memory, contents)).or_insert_with(|| {
            let path = self.directory().join(format!("{}-{memory}", name(contents)));
            write(&path, memory, contents).expect("an image in the temporary directory");
            path
        });
        path.clone()
    }

    /// Images of this many such guests, each in a file of its own: two cores that read one file hold each other up.
    #[must_use]
    pub fn set(&self, count: usize, memory: u64, contents: Contents) -> Vec<PathBuf> {
        let path = |index| self.directory().join(format!("{}-{memory}-{index}", name(contents)));
        let paths: Vec<_> = (0..count).map(path).collect();
        for path in &paths {
            write(path, memory, contents).expect("an image in the temporary directory");
        }
        paths
    }

    /// Removes an image that nobody needs any more: it makes room on the disk.
    pub fn discard(&self, memory: u64, contents: Contents) {
        if let Some(path) = self.made.borrow_mut().remove(&(memory, contents)) {
            fs::remove_file(path).expect("an image in the temporary directory");
        }
    }
}

fn name(contents: Contents) -> String {
    format!("{contents:?}").to_lowercase()
}

/// Where the first record of the libxc stream lies in every image. From there on records follow one another, libxl's
/// after libxc's.
#[must_use]
pub fn first_record() -> u64 {
    let frame = frame();
    frame.offset(frame.find(Part::Domain) + 1)
}

/// A guest with next to no memory.
fn frame() -> Stream {
    // A guest without a device model: Xen's own verifier refuses all xenstore data.
    valid::pvh().in_libxl().in_xl()
}

/// Writes a guest's image, a record at a time: it may be larger than memory.
fn write(path: &Path, memory: u64, contents: Contents) -> io::Result<()> {
    let file = File::create(path)?;
    match contents {
        Contents::Sparse => write_to(Writer::sparse(&file), memory, contents)?,
        _ => write_to(Writer::plain(&file), memory, contents)?,
    }
    // What has not been written back is busy, and cannot be dropped from the cache.
    file.sync_data()
}

fn write_to(mut out: Writer<impl Write>, memory: u64, contents: Contents) -> io::Result<()> {
    let frame = frame();
    let (head, tail) = frame.items().split_at(frame.find(Part::libxc(types::PAGE_DATA)));
    out.items(head)?;
    // Pages of type NOTAB, whose entries are their pfns.
    let fill = |pfn: u64, page: &mut [u8]| contents.fill(0, pfn, page);
    let fill = (contents != Contents::Sparse).then_some(&fill as Fill<'_>);
    out.memory(0..memory / PAGE_SIZE, fill)?;
    out.items(tail)?;
    out.finish().map(|_| ())
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
