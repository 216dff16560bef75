//! Conversions from and to files: holes stay, nothing is left of what fails, and the input is never touched.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use xenstream::rewrite::{Container, Convert, Converted, Output, convert};
use xenstream::wire::libxc::types::PAGE_DATA;
use xenstream::{Error, Input, Options, Policy, ReadAt};
use xenstream_synth::valid::Machine;
use xenstream_synth::{Page, Part, Stream, libxc};

/// A guest of 64 MiB without contents, and one page with some, in xl's container.
fn sparse() -> Stream {
    let memory = libxc::batches(21..16 << 10, |pfn| {
        let page = Page::normal(pfn);
        if pfn == 0x1234 { page.holding(vec![7; 4096]) } else { page }
    });
    let stream = Machine::Pvh.libxl().in_xl();
    let at = stream.nth(Part::libxc(PAGE_DATA), 2) + 1;
    memory.collect::<Vec<_>>().into_iter().rev().fold(stream, |stream, item| stream.inserted(at, item))
}

fn to_libxl() -> Convert {
    Convert::default().with_container(Some(Container::Libxl))
}

fn run(input: Input<'_>, path: &Path, what: &Convert) -> Result<Converted, Error> {
    let output = Output::Path { path, overwrite: false };
    convert(input, output, &Options::new(Policy::restore()), what)
}

#[test]
fn files_keep_their_holes() {
    let directory = tempfile::tempdir().unwrap();
    let [input, output, piped] = ["in", "out", "piped"].map(|name| directory.path().join(name));
    sparse().write_sparse(File::create_new(&input).unwrap()).unwrap();
    let before = fs::read(&input).unwrap();
    let converted = run(Input::Path(&input), &output, &to_libxl()).unwrap();
    assert_eq!(converted.obstacles, []);
    let out = fs::read(&output).unwrap();
    assert!(out.len() > 62 << 20 && before.ends_with(&out));
    let blocks = |path: &Path| fs::metadata(path).unwrap().blocks();
    assert!(blocks(&output) * 512 < 4 << 20, "{} blocks of {}", blocks(&output), blocks(&input));
    // The same from what comes in order, and from memory.
    let mut reader = &before[..];
    run(Input::Reader(&mut reader), &piped, &to_libxl()).unwrap();
    assert!(fs::read(&piped).unwrap() == out);
    assert!(blocks(&piped) * 512 < 4 << 20, "{} blocks", blocks(&piped));
    let compact = directory.path().join("compact");
    run(Input::Path(&input), &compact, &to_libxl().with_compact(true)).unwrap();
    assert!(blocks(&compact) * 512 < 4 << 20 && fs::metadata(&compact).unwrap().len() > 60 << 20);
    assert!(fs::read(&input).unwrap() == before);
}

#[test]
fn readers_keep_what_follows_the_stream() {
    let bytes = [&Machine::Hvm.libxl().in_xl().bytes()[..], b"behind"].concat();
    let mut reader = &bytes[..];
    let mut out = Vec::new();
    let options = Options::new(Policy::restore());
    convert(Input::Reader(&mut reader), Output::Writer(&mut out), &options, &Convert::default()).unwrap();
    assert_eq!(reader, b"behind");
    assert!(bytes.starts_with(&out) && out.len() == bytes.len() - 6);
}

/// A file that holds one stream when it is first read, and another when it is copied.
struct Changing {
    bytes: Vec<u8>,
    reads: std::cell::Cell<u32>,
    after: u32,
}

impl ReadAt for Changing {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.reads.set(self.reads.get() + 1);
        let n = self.bytes.read_at(bytes, offset)?;
        if self.reads.get() > self.after {
            bytes[..n].fill(0xFF);
        }
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }
}

#[test]
fn an_input_that_changes_leaves_no_output() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    let bytes = Machine::Hvm.libxl().in_xl().bytes();
    let changing = |after| Changing { bytes: bytes.clone(), reads: 0.into(), after };
    let whole = changing(u32::MAX);
    run(Input::Positioned(&whole), &output, &Convert::default()).unwrap();
    let reads = whole.reads.get();
    fs::remove_file(&output).unwrap();
    for after in 0..reads {
        let changed = changing(after);
        match run(Input::Positioned(&changed), &output, &Convert::default()) {
            Err(Error::Changed) => {}
            Ok(converted) => assert!(converted.bytes.is_none(), "changed after {after} reads"),
            Err(error) => panic!("{error}"),
        }
        assert!(!output.exists());
    }
}

#[test]
fn unreadable_inputs_and_full_outputs_are_errors() {
    let bytes = Machine::Hvm.libxl().in_xl().bytes();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let options = Options::new(Policy::restore());
    let error = convert(Input::Slice(&bytes), Output::Writer(&mut &full), &options, &Convert::default());
    assert!(matches!(error, Err(Error::Write { .. })), "{error:?}");
    let mut failing = Failing(&bytes[..100]);
    let mut out = Vec::new();
    let error = convert(Input::Reader(&mut failing), Output::Writer(&mut out), &options, &Convert::default());
    assert!(matches!(error, Err(Error::Read { offset: 100, .. })), "{error:?}");
    assert!(out.is_empty());
}

/// A reader that fails after its bytes.
struct Failing<'b>(&'b [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.0.read(bytes)? {
            0 => Err(io::ErrorKind::ConnectionAborted.into()),
            n => Ok(n),
        }
    }
}
