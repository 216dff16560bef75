//! Extracting memory: whatever comes in, and whatever is asked for, the output has what it says, and no more than came in.

use std::fs::{self, File};
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use object::read::elf::ElfFile64;
use object::{Object, ObjectKind, ObjectSegment};
use xenstream::extract::{Extract, Extracted, OutputFormat, extract as extract_to};
use xenstream::wire::PAGE_SIZE;
use xenstream::{Compression, Error, Input, Options};

use crate::setup::Setup;

/// Disk that a file takes for what is not in it: headers, notes, an index of its extents.
const OVERHEAD: u64 = 1 << 20;

/// Extracts the memory in the bytes, of which the last ones choose how, and asserts what holds of every extraction.
///
/// # Panics
/// If it does not hold.
pub fn extract(data: &[u8]) {
    let (setup, rest) = Setup::split(data);
    let Some((stream, wish)) = rest.split_last_chunk::<3>() else { return };
    let what = wished(*wish);
    let options = Options::new(setup.policy().clone()).with_format(setup.format);
    let file = stream.to_vec();
    let directory = tempfile::tempdir().expect("a directory");
    let [one, other] = ["file", "stream"].map(|name| directory.path().join(name));
    let from_file = extract_to(Input::Positioned(&file), &one, &options, &what);
    let from_stream = extract_to(Input::Reader(&mut &*stream), &other, &options, &what);
    match (&from_file, &from_stream) {
        (Ok(file), Ok(stream)) => {
            // The verdict may differ: some rules need to read a file twice.
            assert_eq!((&file.missing, &file.lost), (&stream.missing, &stream.lost));
        }
        (Err(file), Err(stream)) => {
            assert_eq!(file.to_string(), stream.to_string());
            allowed(file, &what);
        }
        _ => panic!("{from_file:?} from a file, {from_stream:?} from a stream"),
    }
    for (extracted, path) in [(&from_file, &one), (&from_stream, &other)] {
        match extracted {
            Ok(Extracted { bytes: Some(bytes), pages, .. }) => written(path, *bytes, *pages, stream, &what),
            _ => assert!(!path.exists(), "an output without an extraction"),
        }
    }
    if from_file.is_ok_and(|file| file.bytes.is_some()) {
        assert!(is_same(&one, &other), "another memory from a stream than from a file");
    }
}

/// What the bytes ask for.
fn wished([format, pfns, state]: [u8; 3]) -> Extract {
    let format = OutputFormat::all().cycle().nth(usize::from(format)).unwrap_or(OutputFormat::Elf);
    let range: Option<RangeInclusive<u64>> = match pfns {
        0..0x80 => None,
        0x80..0xFF => Some(u64::from(pfns & 7)..=u64::from(pfns >> 3)),
        0xFF => Some(0..=u64::MAX),
    };
    let vcpus = if state & 0x40 == 0 { Vec::new() } else { vec![u32::from(state & 3)] };
    let checkpoint = (state & 0x80 != 0).then_some(u64::from(state >> 2 & 3));
    let p2m = state & 0x20 != 0;
    Extract::new(format).with_pfns(range).with_vcpus(vcpus).with_checkpoint(checkpoint).with_p2m(p2m)
}

/// Whether an error is one of what was asked for, or of what came in.
fn allowed(error: &Error, what: &Extract) {
    let is_allowed = match error {
        Error::Decompress { .. } | Error::NoCheckpoint { .. } | Error::NoVcpu { .. } => true,
        Error::NoP2m => what.p2m,
        Error::TooSparse { .. } => what.format == OutputFormat::Raw,
        // Longer than a file can be.
        Error::Write { .. } => what.format == OutputFormat::Raw && what.pfns.is_some(),
        _ => false,
    };
    assert!(is_allowed, "{error:?} of bytes in memory");
}

/// The output is as long as it was said, takes no more disk than came in, and is of its format.
fn written(path: &Path, bytes: u64, pages: u64, stream: &[u8], what: &Extract) {
    let metadata = fs::metadata(path).expect("the output");
    assert_eq!(metadata.len(), bytes);
    if Compression::recognise(stream).is_none() {
        assert!(pages * PAGE_SIZE <= stream.len() as u64, "{pages} pages of {} bytes", stream.len());
        assert!(metadata.blocks() * 512 <= stream.len() as u64 + OVERHEAD, "{} blocks", metadata.blocks());
    }
    match what.format {
        OutputFormat::Elf => core_file(&fs::read(path).expect("the output"), pages),
        OutputFormat::Lime => assert!(bytes >= pages * PAGE_SIZE + 32),
        _ => assert!(bytes >= pages * PAGE_SIZE),
    }
}

/// The file is a core file whose segments hold so many pages, apart and in order.
fn core_file(bytes: &[u8], pages: u64) {
    let file = ElfFile64::<object::Endianness>::parse(bytes).expect("an ELF file");
    assert_eq!(file.kind(), ObjectKind::Core);
    let mut end = 0;
    let mut held = 0;
    for segment in file.segments() {
        let data = segment.data().expect("the contents of a segment");
        assert!(segment.address() >= end, "segments overlap at {:#x}", segment.address());
        assert_eq!(data.len() as u64, segment.size());
        held += segment.size();
        end = segment.address() + segment.size();
    }
    assert_eq!(held, pages * PAGE_SIZE);
}

/// Whether two files are the same, of which the beginning may be enough: raw ones may be long and empty.
fn is_same(one: &Path, other: &Path) -> bool {
    use std::io::Read;
    let read = |path: &Path| {
        let mut bytes = Vec::new();
        let file = File::open(path).expect("an output");
        let length = file.metadata().expect("its length").len();
        file.take(16 << 20).read_to_end(&mut bytes).expect("its bytes");
        (length, bytes)
    };
    read(one) == read(other)
}
