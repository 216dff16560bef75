//! The list of frames that a PV guest keeps: it names pfns in the output, and nothing else changes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use xenstream::extract::{Extract, OutputFormat};
use xenstream::wire::libxc::types::X86_PV_P2M_FRAMES;
use xenstream::{Error, Input};
use xenstream_synth::valid::Machine;
use xenstream_synth::{Part, libxc, valid};

use super::common::{PAGE, extracted};

/// The page of the list in the smallest PV guests, and their highest pfn.
const LIST: usize = 4;
const LAST: u64 = 5;

/// Raw memory without the list made anew and with it, which comes out the same whatever the input is, and the pfns that
/// have contents.
fn both(bytes: &[u8]) -> ([Vec<u8>; 2], impl Fn(u64) -> bool + use<>) {
    let raw = |p2m| {
        let what = Extract::new(OutputFormat::Raw).with_p2m(p2m);
        let (extracted, slice) = extracted(Input::Slice(bytes), &what).unwrap();
        (extracted, slice.unwrap())
    };
    let what = Extract::new(OutputFormat::Raw).with_p2m(true);
    let (_, file) = extracted(Input::Positioned(&bytes.to_vec()), &what).unwrap();
    let [(extracted, before), (_, after)] = [false, true].map(raw);
    assert!(Some(&after) == file.as_ref());
    let pages = (after.len() / PAGE) as u64;
    let is_there = move |pfn| pfn < pages && extracted.missing.iter().all(|pfns| !pfns.contains(&pfn));
    ([before, after], is_there)
}

#[test]
fn list_names_pfns_and_nothing_else_changes() {
    for (stream, width) in [(valid::pv64(), 8), (valid::pv32(), 4)] {
        let ([before, after], is_there) = both(&stream.bytes());
        let list = &after[LIST * PAGE..][..PAGE];
        for pfn in 0..=LAST {
            let entry = if is_there(pfn) { pfn } else { u64::MAX };
            assert_eq!(list[pfn as usize * width..][..width], entry.to_le_bytes()[..width], "{pfn}");
        }
        assert!(is_there(1) && !is_there(0));
        let rest = (LAST as usize + 1) * width;
        assert!(list[rest..] == before[LIST * PAGE + rest..][..PAGE - rest], "no entries, no change");
        assert!(before[..LIST * PAGE] == after[..LIST * PAGE]);
        assert!(before[(LIST + 1) * PAGE..] == after[(LIST + 1) * PAGE..]);
    }
}

#[test]
fn list_of_a_real_image_names_pfns() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/real/pv64-1v.xl.xz");
    let mut bytes = Vec::new();
    liblzma::read::XzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    let ([before, after], is_there) = both(&bytes);
    let has_changed = |at: &usize| before[*at..*at + PAGE] != after[*at..*at + PAGE];
    let list: Vec<usize> = (0..before.len()).step_by(PAGE).filter(has_changed).collect();
    // Each page of the list is for 512 pfns.
    assert_eq!(list.len(), (after.len() / PAGE).div_ceil(512));
    let mut named = 0;
    for at in list {
        let entries: Vec<u64> =
            after[at..at + PAGE].as_chunks().0.iter().map(|entry| u64::from_le_bytes(*entry)).collect();
        let first = entries
            .iter()
            .zip(0..)
            .find(|(entry, _)| **entry != u64::MAX)
            .map(|(entry, n)| entry - n)
            .unwrap();
        assert_eq!(first % 512, 0);
        for (entry, pfn) in entries.iter().zip(first..) {
            assert_eq!(*entry == pfn, is_there(pfn), "pfn {pfn:#x}: {entry:#x}");
            named += u64::from(*entry == pfn);
        }
    }
    assert!(named > 20_000, "{named}");
}

#[test]
fn guests_without_a_list_are_refused() {
    let what = Extract::new(OutputFormat::Raw).with_p2m(true);
    let lacking = valid::pv64().without(Part::libxc(X86_PV_P2M_FRAMES));
    for stream in [Machine::Hvm.libxc(), lacking] {
        assert!(matches!(extracted(Input::Slice(&stream.bytes()), &what), Err(Error::NoP2m)));
    }
    // One that is too short for its own range changes what it reaches.
    let short = valid::pv64().replaced(Part::libxc(X86_PV_P2M_FRAMES), libxc::p2m_frames(0, 5, &[]));
    assert!(matches!(extracted(Input::Slice(&short.bytes()), &what), Err(Error::NoP2m)));
}
