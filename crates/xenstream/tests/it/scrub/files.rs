//! Files: the output appears whole or not at all, in the place of nothing, and with holes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use xenstream::scrub::{Output, Scrub, Scrubbed, scrub};
use xenstream::{Compression, Error, Input, Level, Options, Policy, ReadAt, Rule};
use xenstream_synth::image::{Contents, Shape};
use xenstream_synth::valid::{self, Machine};

use super::common::{DAMAGED, scrubbed};

fn to_file(input: Input<'_>, path: &Path, overwrite: bool, what: Scrub) -> Result<Scrubbed, Error> {
    scrub(input, Output::Path { path, overwrite }, &Options::new(Policy::spec()), what)
}

fn image() -> Vec<u8> {
    valid::hvm().in_libxl().with_device_model().in_xl().bytes()
}

/// How many files there are, whatever they are called.
fn count(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn a_file_has_the_bytes_that_a_writer_gets() {
    let directory = tempfile::tempdir().unwrap();
    let [input, out] = ["in", "out"].map(|name| directory.path().join(name));
    let bytes = image();
    fs::write(&input, &bytes).unwrap();
    let (_, expected) = scrubbed(&bytes, &Options::new(Policy::spec()), Scrub::MEMORY);
    to_file(Input::Path(&input), &out, false, Scrub::MEMORY).unwrap();
    assert!(fs::read(&out).unwrap() == expected);
    // As any new file, it may be read by whom the system's mask lets.
    assert_eq!(fs::metadata(&out).unwrap().mode() & 0o777, fs::metadata(&input).unwrap().mode() & 0o777);

    // A pipe, and a compressed file.
    let compressed = zstd::encode_all(&bytes[..], 1).unwrap();
    for (bytes, compression) in [(&bytes, None), (&compressed, Some(Compression::Zstd))] {
        let (reader, mut writer) = io::pipe().unwrap();
        let bytes = bytes.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&bytes).unwrap());
            let input = Input::Descriptor(reader.as_fd());
            let scrubbed = to_file(input, &out, true, Scrub::MEMORY).unwrap();
            assert_eq!(scrubbed.report.compression, compression);
        });
        assert!(fs::read(&out).unwrap() == expected);
    }
    assert_eq!(count(directory.path()), 2);
}

#[test]
fn pages_in_a_pipe_are_passed_over() {
    // Enough of them to be spliced; page tables are read.
    for machine in [Machine::Pv64, Machine::Pvh] {
        let shape = Shape { contents: Contents::Noise, ..Shape::new(machine, 8 << 20) };
        let mut bytes = Vec::new();
        shape.write_to(&mut bytes).unwrap();
        let (_, expected) = scrubbed(&bytes, &Options::new(Policy::spec()), Scrub::MEMORY);
        let (reader, mut writer) = io::pipe().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&bytes).unwrap());
            let mut out = Vec::new();
            let input = Input::Descriptor(reader.as_fd());
            let scrubbed =
                scrub(input, Output::Writer(&mut out), &Options::new(Policy::spec()), Scrub::MEMORY).unwrap();
            assert!(out == expected);
            let read = scrubbed.report.bytes_read;
            assert!(read < expected.len() as u64, "{read}");
        });
    }
}

#[test]
fn neither_the_input_nor_another_file_is_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let bytes = image();
    fs::write(path("in"), &bytes).unwrap();
    fs::hard_link(path("in"), path("hard")).unwrap();
    symlink("in", path("soft")).unwrap();
    symlink("nowhere", path("dangling")).unwrap();
    fs::write(path("other"), "mine").unwrap();
    fs::create_dir(path("directory")).unwrap();
    let before = count(directory.path());
    for overwrite in [false, true] {
        for name in ["in", "hard", "soft", "./in"] {
            let result = to_file(Input::Path(&path("in")), &path(name), overwrite, Scrub::MEMORY);
            assert!(matches!(result, Err(Error::SameFile)), "{name}: {result:?}");
            let file = File::open(path("in")).unwrap();
            let result = to_file(Input::Descriptor(file.as_fd()), &path(name), overwrite, Scrub::MEMORY);
            assert!(matches!(result, Err(Error::SameFile)), "{name}: {result:?}");
        }
    }
    for name in ["other", "dangling", "directory"] {
        let result = to_file(Input::Path(&path("in")), &path(name), false, Scrub::MEMORY);
        assert!(matches!(result, Err(Error::Exists)), "{name}: {result:?}");
    }
    let result = to_file(Input::Path(&path("in")), &path("directory"), true, Scrub::MEMORY);
    assert!(matches!(result, Err(Error::NotAFile)), "{result:?}");
    let result = to_file(Input::Path(&path("in")), &path("absent/out"), false, Scrub::MEMORY);
    assert!(matches!(result, Err(Error::Create(_))), "{result:?}");
    assert!(fs::read(path("in")).unwrap() == bytes && fs::read(path("other")).unwrap() == b"mine");
    assert_eq!(count(directory.path()), before);

    // On demand, and then the link and not what it leads to.
    symlink("other", path("link")).unwrap();
    for name in ["other", "dangling", "link"] {
        fs::write(path("other"), "mine").unwrap();
        to_file(Input::Path(&path("in")), &path(name), true, Scrub::MEMORY).unwrap();
        assert_eq!(fs::symlink_metadata(path(name)).unwrap().len(), bytes.len() as u64, "{name}");
        assert_eq!(fs::read(path("other")).unwrap() == b"mine", name != "other", "{name}");
    }
    assert_eq!(count(directory.path()), before + 1);
}

#[test]
fn failure_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let bytes = image();
    let nothing = |what: &str| {
        assert_eq!(count(directory.path()), 0, "{what}");
    };

    // A stream that is refused: at once, and at its end.
    for cut in [0, 100, bytes.len() - 1] {
        let scrubbed = to_file(Input::Slice(&bytes[..cut]), &out, false, Scrub::MEMORY).unwrap();
        assert_eq!(scrubbed.bytes, None);
        nothing("refused");
    }
    // Compressed data that is damaged where it is of no interest any more.
    let mut compressed = zstd::encode_all(&bytes[..], 1).unwrap();
    compressed.pop();
    // The same of a stream that is invalid: that may come of the damage.
    let mut invalid = bytes.clone();
    invalid[37] = 0xFF;
    let mut invalid = zstd::encode_all(&invalid[..], 1).unwrap();
    let refused = to_file(Input::Slice(&invalid), &out, false, Scrub::MEMORY).unwrap();
    assert_eq!(refused.bytes, None);
    invalid.pop();
    for what in [Scrub::MEMORY, DAMAGED] {
        for compressed in [&compressed, &invalid] {
            let result = to_file(Input::Slice(compressed), &out, false, what);
            assert!(matches!(result, Err(Error::Decompress { .. })), "{result:?}");
            nothing("compressed");
        }
        // An input that cannot be read from some byte on.
        for from in [0, 1, 1000, bytes.len()] {
            let mut reader = bytes[..from].chain(Failing);
            let result = to_file(Input::Reader(&mut reader), &out, false, what);
            // The bytes after a stream are left to others.
            assert_eq!(result.is_err(), from < bytes.len());
            if let Err(error) = result {
                assert!(matches!(error, Error::Read { offset, .. } if offset == from as u64), "{error:?}");
                nothing("input");
            }
        }
        fs::remove_file(&out).unwrap();
        let failing = FailingAt(&bytes, 5000);
        let result = to_file(Input::Positioned(&failing), &out, false, what);
        assert!(matches!(result, Err(Error::Read { .. })), "{result:?}");
        nothing("positioned");
    }
}

/// Cannot be read.
struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("as it should"))
    }
}

/// Cannot be read from some byte on.
struct FailingAt<'a>(&'a [u8], u64);

impl ReadAt for FailingAt<'_> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let end = self.1.min(offset + bytes.len() as u64);
        let piece = self.0.get(offset as usize..end as usize).unwrap_or_default();
        if piece.is_empty() {
            return Err(io::Error::other("as it should"));
        }
        bytes[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}

#[test]
fn write_errors_differ_from_read_errors() {
    let bytes = image();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let result = scrub(
        Input::Slice(&bytes),
        Output::Writer(&mut full()),
        &Options::new(Policy::spec()),
        Scrub::MEMORY,
    );
    assert!(matches!(result, Err(Error::Write { .. })), "{result:?}");
    let (reader, mut writer) = io::pipe().unwrap();
    drop(reader);
    let result = scrub(
        Input::Slice(&bytes),
        Output::Writer(&mut writer),
        &Options::new(Policy::spec()),
        Scrub::MEMORY,
    );
    assert!(matches!(result, Err(Error::ConsumerGone { .. })), "{result:?}");
}

#[test]
fn trailing_bytes_are_blank_in_files_only() {
    let bytes = image();
    let longer = [&bytes[..], &[7; 10_000]].concat();
    let (scrubbed, out) = scrubbed(&longer, &Options::new(Policy::spec()), Scrub::MEMORY);
    assert!(scrubbed.report.is_valid() && scrubbed.report.warnings.listed().len() == 1);
    assert_eq!(out.len(), longer.len());
    assert!(out[bytes.len()..].iter().all(|byte| *byte == 0));

    // Of a stream that breaks a rule and comes to its end all the same, too.
    let mut odd = longer.clone();
    odd[bytes.len() - 8 - 1] ^= 1;
    for (longer, what) in [(&longer, Scrub::MEMORY), (&longer, DAMAGED), (&odd, DAMAGED)] {
        let mut reader = &longer[..];
        let mut out = Vec::new();
        let result =
            scrub(Input::Reader(&mut reader), Output::Writer(&mut out), &Options::new(Policy::spec()), what);
        assert_eq!(result.unwrap().zero_from, None);
        assert_eq!((out.len(), reader.len()), (bytes.len(), 10_000));
    }
}

/// Bytes after the stream become zeros, which have a rule of their own.
#[test]
fn an_output_that_is_refused_is_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let longer = [&image()[..], &[7; 100]].concat();
    let policy = Policy::spec().with_level(Rule::StreamTrailingZeros, Level::Deny).unwrap();
    let output = Output::Path { path: &path, overwrite: false };
    let scrubbed =
        scrub(Input::Slice(&longer), output, &Options::new(policy.clone()), Scrub::MEMORY).unwrap();
    assert!(scrubbed.report.is_valid());
    let refused = scrubbed.output.as_ref().and_then(|output| output.violation());
    assert_eq!(refused.map(|violation| violation.rule), Some(Rule::StreamTrailingZeros));
    assert_eq!((scrubbed.bytes, count(directory.path())), (None, 0));

    // In a pipe they are left alone.
    let mut reader = &longer[..];
    let output = Output::Writer(&mut io::sink());
    let scrubbed = scrub(Input::Reader(&mut reader), output, &Options::new(policy), Scrub::MEMORY).unwrap();
    assert!(scrubbed.output.is_some_and(|output| output.is_valid()) && scrubbed.bytes.is_some());
}

#[test]
fn of_64_gib_only_headers_are_read_and_written() {
    let directory = tempfile::tempdir().unwrap();
    let [input, out] = ["in", "out"].map(|name| directory.path().join(name));
    let shape = Shape::new(Machine::Pvh, 64 << 30);
    shape.write_sparse(File::create(&input).unwrap()).unwrap();
    let scrubbed = to_file(Input::Path(&input), &out, false, Scrub::MEMORY).unwrap();
    assert!(scrubbed.report.is_valid());
    let entries = 8 * scrubbed.report.summary.pages.entries();
    let read = scrubbed.report.bytes_read;
    assert!((entries..entries + (1 << 20)).contains(&read), "{read} bytes read, {entries} of entries");
    let [before, after] = [&input, &out].map(|path| fs::metadata(path).unwrap());
    assert_eq!(before.len(), after.len());
    // Blocks of 512 bytes; in each record a hole of 4 MiB begins and ends somewhere in a block of the file system.
    let room = entries + 16384 * 2 * 4096;
    assert!(after.blocks() * 512 <= room + (1 << 20), "{} of {room} bytes", after.blocks() * 512);
}
