//! Images that a real Xen wrote: their memory against a reading of the stream that knows nothing of this crate.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use xenstream::extract::{Extract, OutputFormat, extract};
use xenstream::{Input, Options};

/// Where the contents of each page lie: the last copy up to the last checkpoint, or the stream's end.
fn pages(bytes: &[u8]) -> BTreeMap<u64, usize> {
    let marker = [&[0xFF; 8][..], b"XENF"].concat();
    let start = bytes.windows(marker.len()).position(|window| window == marker).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (mut state, mut buffered, mut checkpoints) = (BTreeMap::new(), BTreeMap::new(), 0);
    let mut compares = false;
    let mut at = start + 24 + 16;
    while at + 8 <= bytes.len() {
        let kind = u32_at(at);
        let body = at + 8;
        match kind {
            0 => break,
            1 => {
                let count = u32_at(body);
                let mut contents = body + 8 + 8 * count;
                for n in 0..count {
                    let entry = u64_at(body + 8 + 8 * n);
                    if !compares && !matches!(entry >> 60, 0xD..=0xF) {
                        buffered.insert(entry & ((1 << 52) - 1), contents);
                        contents += 4096;
                    }
                }
            }
            0x0D => compares = true,
            0x0E => {
                checkpoints += 1;
                state.append(&mut buffered);
                // libxl's own records of the checkpoint, up to CHECKPOINT_END.
                at = body;
                while u32_at(at) != 4 {
                    at += 8 + u32_at(at + 4).next_multiple_of(8);
                }
            }
            _ => {}
        }
        at += 8 + u32_at(at + 4).next_multiple_of(8);
    }
    if checkpoints == 0 {
        state = buffered;
    }
    state
}

#[test]
fn memory_of_real_images_is_extracted() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/real");
    let scratch = tempfile::tempdir().unwrap();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    let mut images = 0;
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "xz") {
            continue;
        }
        let mut bytes = Vec::new();
        liblzma::read::XzDecoder::new(File::open(&path).unwrap()).read_to_end(&mut bytes).unwrap();
        fs::write(&input, &bytes).unwrap();
        let expected = pages(&bytes);
        let what = Extract::new(OutputFormat::Elf).with_overwrite(true);
        let extracted = extract(Input::Path(&input), &out, &Options::default(), &what).unwrap();
        let name = path.display();
        assert!(extracted.report.is_valid() && extracted.lost.is_empty(), "{name}");
        assert!(!extracted.vcpus.is_empty(), "{name}");
        assert_eq!(extracted.pages, expected.len() as u64, "{name}");
        // Pages stand one after the other, in the order of their pfns.
        let core = fs::read(&out).unwrap();
        let contents = core.len() - 4096 * expected.len();
        for (page, (pfn, at)) in core[contents..].chunks(4096).zip(&expected) {
            assert!(page == &bytes[*at..at + 4096], "{name}, pfn {pfn:#x}");
        }
        images += 1;
    }
    assert!(images > 10);
}
