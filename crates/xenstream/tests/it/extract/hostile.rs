//! Streams that mean harm: neither time nor memory nor disk out of proportion.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use xenstream::diff::{Compare, diff};
use xenstream::extract::{Extract, OutputFormat};
use xenstream::wire::libxc::types::X86_TSC_INFO;
use xenstream::{Error, Input, Options};
use xenstream_synth::{Page, Part, libxc};

use super::common::{extracted, guest, of_raw, page, raw};

#[test]
fn pages_far_apart_make_no_huge_file() {
    let bytes = guest(&[&[page((1 << 34) - 1, 1)]]).bytes();
    let raw = Extract::new(OutputFormat::Raw);
    let error = extracted(Input::Slice(&bytes), &raw).unwrap_err();
    assert!(matches!(error, Error::TooSparse { pages: 2, .. }), "{error}");
    for format in [OutputFormat::Elf, OutputFormat::Lime] {
        let (far, out) = extracted(Input::Slice(&bytes), &Extract::new(format)).unwrap();
        assert_eq!(far.pages, 2);
        assert!(out.unwrap().len() < 5 * 4096, "{}", format.name());
    }
    // Asked for by name it may be as far away as it likes.
    let named = raw.with_pfns(Some((1 << 34) - 2..=(1 << 34) - 1));
    let (_, out) = extracted(Input::Slice(&bytes), &named).unwrap();
    assert!(out.unwrap()[4096..].starts_with(b"page 0x3ffffffff, copy 1"));
}

#[test]
fn scattered_pages_take_linear_time() {
    // Every other page, then those between them from the last to the first, then all of them again.
    let part = Part::libxc(X86_TSC_INFO);
    let pages =
        |pfns: &mut dyn Iterator<Item = u64>| libxc::page_data(&pfns.map(Page::normal).collect::<Vec<_>>());
    let stream = guest(&[])
        .before(part, pages(&mut (32..4_096).step_by(2)))
        .before(part, pages(&mut (32..4_096).rev().filter(|pfn| pfn % 2 == 1)))
        .before(part, pages(&mut (32..4_096).rev()));
    let bytes = stream.bytes();
    let started = Instant::now();
    let (extracted, memory) = raw(&bytes);
    assert_eq!((extracted.pages, memory.len()), (4_065, 4_065));
    assert!(started.elapsed().as_secs() < 60);
}

#[test]
fn entries_without_room_for_their_pages_are_not_kept() {
    // A record of entries alone, each of which announces a page.
    let entries: Vec<_> = (0..4096).map(Page::normal).collect();
    let length = 8 + 8 * entries.len() as u64;
    let record = libxc::page_data(&entries).claiming(length);
    let bytes = guest(&[]).before(Part::libxc(X86_TSC_INFO), record).bytes();
    let what = Extract::new(OutputFormat::Raw);
    let (found, out) = extracted(Input::Slice(&bytes), &what).unwrap();
    assert!(!found.report.is_valid());
    assert_eq!(of_raw(&found, &out.unwrap()).len(), 1);
    // As many as there would be room for.
    assert_eq!(found.lost, [0..=7]);
}

/// Every small stream that there is: valid ones, ones that break a rule, and what once crashed something.
fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus");
    let mut files = Vec::new();
    for directory in ["valid", "rules", "crashes"] {
        for entry in walkdir::WalkDir::new(root.join(directory)) {
            let path = entry.unwrap().into_path();
            if path.extension().is_some_and(|extension| extension == "bin") {
                files.push((path.clone(), fs::read(path).unwrap()));
            }
        }
    }
    assert!(files.len() > 300);
    files
}

#[test]
fn corpus_extracts_alike_from_file_and_stream() {
    for (path, bytes) in corpus() {
        let what = Extract::new(OutputFormat::Elf);
        let from_file = extracted(Input::Positioned(&bytes), &what);
        let from_stream = extracted(Input::Reader(&mut &bytes[..]), &what);
        match (from_file, from_stream) {
            (Ok((file, one)), Ok((stream, other))) => {
                assert!(one == other, "{}", path.display());
                assert_eq!((file.lost, file.vcpus), (stream.lost, stream.vcpus), "{}", path.display());
            }
            (file, stream) => assert_eq!(
                file.map(|_| ()).map_err(|error| error.to_string()),
                stream.map(|_| ()).map_err(|error| error.to_string()),
                "{}",
                path.display()
            ),
        }
    }
}

#[test]
fn whole_corpus_is_the_same_as_itself() {
    for (path, bytes) in corpus() {
        let inputs = [Input::Slice(&bytes), Input::Slice(&bytes)];
        let same = diff(inputs, &Options::default(), &Compare::default()).unwrap();
        assert!(same.is_empty(), "{}: {:?}", path.display(), same.records);
    }
}
