//! One memory, whatever way the bytes come; and files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use xenstream::extract::{Extract, OutputFormat, extract};
use xenstream::{Error, Input, Options};

use super::common::{extracted, image, memory, of_raw, raw};

#[test]
fn last_copy_of_a_page_wins() {
    let (extracted, found) = raw(&image().bytes());
    assert!(extracted.report.is_valid(), "{:?}", extracted.report.violation());
    assert_eq!(found, memory());
    assert_eq!(extracted.missing, [1..=20, 23..=23]);
    assert_eq!((&extracted.lost[..], extracted.uncounted, &extracted.vcpus[..]), (&[][..], 0, &[0][..]));
}

#[test]
fn every_source_gives_the_same_output() {
    let bytes = image().bytes();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("in");
    fs::write(&path, &bytes).unwrap();
    for format in OutputFormat::all() {
        let what = Extract::new(format);
        let (_, expected) = extracted(Input::Slice(&bytes), &what).unwrap();
        let check = |input: Input<'_>, name: &str| {
            let (_, found) = extracted(input, &what).unwrap();
            assert!(found == expected, "{}, {name}", format.name());
        };
        check(Input::Path(&path), "path");
        check(Input::Positioned(&bytes), "positioned");
        check(Input::Reader(&mut &bytes[..]), "reader");
        let compressed = zstd::encode_all(&bytes[..], 1).unwrap();
        check(Input::Slice(&compressed), "compressed slice");
        check(Input::Positioned(&compressed), "compressed file");

        // From the middle of a file on, where its offset is.
        let mut shifted = tempfile::tempfile().unwrap();
        shifted.write_all(&[&[7; 100][..], &bytes].concat()).unwrap();
        shifted.seek(SeekFrom::Start(100)).unwrap();
        check(Input::Descriptor(shifted.as_fd()), "descriptor");
        assert_eq!(shifted.stream_position().unwrap(), 100);

        let (reader, mut writer) = io::pipe().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| writer.write_all(&bytes).unwrap());
            check(Input::Descriptor(reader.as_fd()), "pipe");
        });
    }
}

#[test]
fn holes_stay_holes() {
    // 64 MiB of zeros, as a file that has holes, and as bytes.
    let zeros: Vec<_> = (21..16_405).map(xenstream_synth::Page::normal).collect();
    let stream = super::common::guest(&[&zeros, &[super::common::page(21, 2)]]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("in");
    stream.write_sparse(File::create(&path).unwrap()).unwrap();
    for format in OutputFormat::all() {
        for input in [Input::Path(&path), Input::Slice(&stream.bytes())] {
            let out = directory.path().join("out");
            let what = Extract::new(format).with_overwrite(true);
            extract(input, &out, &Options::default(), &what).unwrap();
            let blocks = fs::metadata(&out).unwrap().blocks() * 512;
            assert!(blocks < 1 << 20, "{}: {blocks} bytes on disk", format.name());
        }
    }
}

#[test]
fn chosen_pages_begin_a_raw_file() {
    let bytes = image().bytes();
    let what = |pfns| Extract::new(OutputFormat::Raw).with_pfns(Some(pfns));
    let (some, out) = extracted(Input::Slice(&bytes), &what(22..=24)).unwrap();
    assert_eq!((some.pages, &some.missing[..]), (2, &[23..=23][..]));
    assert!(out.unwrap().starts_with(b"page 0x16, copy 3\0"));
    // What was asked for and is not there is told, and makes no file longer.
    let (some, out) = extracted(Input::Slice(&bytes), &what(25..=u64::MAX - 1)).unwrap();
    assert_eq!((some.bytes, &some.missing[..]), (Some(4096), &[26..=u64::MAX - 1][..]));
    assert_eq!(out.unwrap().len(), 4096);
    let (none, out) = extracted(Input::Slice(&bytes), &what(1..=20)).unwrap();
    assert_eq!((none.bytes, none.pages, out), (None, 0, None));
    assert_eq!(none.missing, [1..=20]);
}

#[test]
fn other_files_are_replaced_only_if_asked() {
    let directory = tempfile::tempdir().unwrap();
    let [input, out] = ["in", "out"].map(|name| directory.path().join(name));
    let bytes = image().bytes();
    fs::write(&input, &bytes).unwrap();
    fs::write(&out, b"mine").unwrap();
    let to = |out: &Path, overwrite| {
        let what = Extract::new(OutputFormat::Raw).with_overwrite(overwrite);
        extract(Input::Path(&input), out, &Options::default(), &what)
    };
    assert!(matches!(to(&out, false), Err(Error::Exists)));
    assert_eq!(fs::read(&out).unwrap(), b"mine");
    assert!(matches!(to(&input, true), Err(Error::SameFile)));
    assert!(fs::read(&input).unwrap() == bytes);
    assert_eq!(of_raw(&to(&out, true).unwrap(), &fs::read(&out).unwrap()), memory());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}
