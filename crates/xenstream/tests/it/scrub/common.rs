//! Scrubs in memory, and tells what is in a stream.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use xenstream::scrub::{Output, Scrub, Scrubbed, scrub};
use xenstream::{Input, Layer, Observer, Options, Policy, Profile, Record, Report, verify};

/// What can be asked for, but for damaged streams.
pub(crate) const WISHES: [Scrub; 4] =
    [wish(false, false), wish(true, false), wish(false, true), wish(true, true)];

pub(crate) const DAMAGED: Scrub = wish(false, false).with_damaged(true);

const fn wish(registers: bool, names: bool) -> Scrub {
    Scrub::MEMORY.with_registers(registers).with_names(names)
}

pub(crate) fn options(profile: Profile) -> Options {
    Options::new(Policy::new(profile))
}

/// Scrubs bytes.
pub(crate) fn scrubbed(bytes: &[u8], options: &Options, what: Scrub) -> (Scrubbed, Vec<u8>) {
    let mut out = Vec::new();
    let scrubbed = scrub_into(&mut out, bytes, options, what);
    (scrubbed, out)
}

/// Scrubs bytes into memory that was used before: for a large image, getting memory takes longer than scrubbing.
pub(crate) fn scrub_into(out: &mut Vec<u8>, bytes: &[u8], options: &Options, what: Scrub) -> Scrubbed {
    out.clear();
    scrub(Input::Slice(bytes), Output::Writer(out), options, what).unwrap()
}

/// The report on a stream, and its records.
pub(crate) fn read(bytes: &[u8], options: &Options) -> (Report, Vec<Record>) {
    let mut records = Records::default();
    let report = verify(Input::Slice(bytes), options, &mut records).unwrap();
    (report, records.0)
}

#[derive(Default)]
struct Records(Vec<Record>);

impl Observer for Records {
    fn on_record(&mut self, record: &Record) {
        if record.layer != Layer::Hvm {
            self.0.push(*record);
        }
    }
}

/// The files below a folder of the corpus, with what is in them, decompressed. One at a time: the images of a real Xen
/// take more than a gigabyte.
pub(crate) fn corpus(folder: &str) -> impl Iterator<Item = (PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_some_and(|extension| extension == "bin" || extension == "xz") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty());
    files.into_iter().map(|path| {
        let file = fs::File::open(&path).unwrap();
        let mut bytes = Vec::new();
        if path.extension().is_some_and(|extension| extension == "xz") {
            liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        } else {
            (&file).read_to_end(&mut bytes).unwrap();
        }
        (path, bytes)
    })
}

/// An image of a real Xen, by the name of its file.
pub(crate) fn real(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/real").join(name);
    let mut bytes = Vec::new();
    liblzma::read::XzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}
