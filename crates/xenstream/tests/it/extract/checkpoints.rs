//! Streams with checkpoints: what came up to a complete one counts.

use xenstream::extract::{Extract, OutputFormat};
use xenstream::wire::libxc::types::{CHECKPOINT, PAGE_DATA, X86_TSC_INFO};
use xenstream::{Error, Input};
use xenstream_synth::minimal::Kind;
use xenstream_synth::valid::{Machine, checkpointed};
use xenstream_synth::{Part, Stream, libxc};

use super::common::{Memory, extracted, of_raw, page, raw, text};

/// Two checkpoints, and a part of a third: each has a copy of pfn 21 and a page of its own.
fn remus(kind: Kind) -> Stream {
    let mut stream = checkpointed(Machine::Hvm, kind, 2);
    for round in (0..3).rev() {
        // Each round has three records of pages.
        let after = stream.nth(Part::libxc(PAGE_DATA), 3 * round + 2);
        let copy = round as u8 + 1;
        let pages = libxc::page_data(&[page(21, copy), page(22 + round as u64, copy)]);
        stream = stream.inserted(after + 1, pages);
    }
    stream
}

fn at(bytes: &[u8], checkpoint: Option<u64>) -> Memory {
    let what = Extract::new(OutputFormat::Raw).with_checkpoint(checkpoint);
    let slice = extracted(Input::Slice(bytes), &what).unwrap();
    let file = extracted(Input::Positioned(&bytes.to_vec()), &what).unwrap();
    assert!(slice.1 == file.1);
    of_raw(&slice.0, &slice.1.unwrap())
}

#[test]
fn memory_is_that_of_a_complete_checkpoint() {
    for kind in [Kind::Remus, Kind::Colo] {
        let bytes = remus(kind).bytes();
        let first = Memory::from([(0, vec![0]), (21, text(21, 1)), (22, text(22, 1))]);
        let mut second = first.clone();
        second.extend([(21, text(21, 2)), (23, text(23, 2))]);
        assert_eq!(at(&bytes, Some(1)), first);
        assert_eq!(at(&bytes, Some(2)), second);
        let (last, memory) = raw(&bytes);
        assert!(last.report.is_valid(), "{:?}", last.report.violation());
        assert_eq!((memory, last.checkpoints), (second, 2));
        // Pfn 0, which every round has, and the two of the last round.
        assert_eq!(last.uncounted, 3);
    }
}

#[test]
fn torn_stream_has_its_last_whole_checkpoint() {
    let stream = remus(Kind::Remus);
    let second = stream.offset(stream.nth(Part::libxc(CHECKPOINT), 1));
    let bytes = stream.bytes();
    let (torn, memory) = raw(&bytes[..second as usize - 4]);
    assert_eq!((memory, torn.checkpoints), (at(&bytes, Some(1)), 1));
    assert_eq!(&torn.lost[..], []);
    let what = Extract::new(OutputFormat::Raw).with_checkpoint(Some(3));
    let error = extracted(Input::Slice(&bytes), &what).unwrap_err();
    assert!(matches!(error, Error::NoCheckpoint { wanted: 3, complete: 2 }), "{error}");
}

#[test]
fn memory_that_is_compared_is_not_taken() {
    let again = libxc::page_data(&[page(21, 9)]);
    let stream = super::common::image();
    let tsc = Part::libxc(X86_TSC_INFO);
    let stream = stream.before(tsc, libxc::verify()).before(tsc, again);
    let (extracted, memory) = raw(&stream.bytes());
    assert_eq!(memory, super::common::memory());
    assert_eq!(extracted.vcpus, [0], "registers come after it");
}
