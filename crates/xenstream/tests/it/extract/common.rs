//! Streams with memory that can be told apart, and what is extracted from them.

use std::collections::BTreeMap;
use std::fs;

use xenstream::extract::{Extract, Extracted, OutputFormat, extract};
use xenstream::wire::libxc::types::{PAGE_DATA, X86_TSC_INFO};
use xenstream::{Error, Input, Options};
use xenstream_synth::{Page, Part, Stream, libxc, valid};

/// Memory, by pfn: what stands at the start of each page.
pub(super) type Memory = BTreeMap<u64, Vec<u8>>;

pub(super) const PAGE: usize = 4096;

/// A page that says which one it is and which copy.
pub(super) fn page(pfn: u64, copy: u8) -> Page {
    Page::normal(pfn).holding(text(pfn, copy))
}

/// What stands at the start of that page.
pub(super) fn text(pfn: u64, copy: u8) -> Vec<u8> {
    format!("page {pfn:#x}, copy {copy}").into_bytes()
}

/// An HVM guest whose first page is zero, with more PAGE_DATA records of these pages.
pub(super) fn guest(records: &[&[Page]]) -> Stream {
    let first = valid::hvm();
    records
        .iter()
        .fold(first, |guest, pages| guest.before(Part::libxc(X86_TSC_INFO), libxc::page_data(pages)))
}

/// The same as `xl save` writes it, with three batches: pages that come once, that come again, that are taken away.
pub(super) fn image() -> Stream {
    let passes: [&[Page]; 3] = [
        &[page(21, 1), page(22, 1), Page::absent(23), page(24, 1)],
        &[page(22, 2), page(21, 2)],
        &[Page::absent(24), page(25, 3), page(22, 3)],
    ];
    guest(&passes).in_libxl().with_device_model().in_xl()
}

/// The memory of [`image`].
pub(super) fn memory() -> Memory {
    [(0, vec![0]), (21, text(21, 2)), (22, text(22, 3)), (24, text(24, 1)), (25, text(25, 3))].into()
}

/// Where the contents of the n-th page in the n-th PAGE_DATA record begin.
pub(super) fn contents(stream: &Stream, record: usize, entries: u64, page: u64) -> u64 {
    stream.offset(stream.nth(Part::libxc(PAGE_DATA), record)) + 8 + 8 + 8 * entries + PAGE as u64 * page
}

/// Extracts what an input holds, to bytes; none if there is no output.
pub(super) fn extracted(input: Input<'_>, what: &Extract) -> Result<(Extracted, Option<Vec<u8>>), Error> {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let result = extract(input, &out, &Options::default(), what);
    let bytes = fs::read(&out).ok();
    let written = result.as_ref().ok().and_then(|extracted| extracted.bytes);
    assert_eq!(written, bytes.as_ref().map(|bytes| bytes.len() as u64));
    let files = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(files, usize::from(bytes.is_some()), "nothing else is left");
    result.map(|extracted| (extracted, bytes))
}

/// The memory in a raw output. It has to be what is missing that is missing.
pub(super) fn of_raw(extracted: &Extracted, bytes: &[u8]) -> Memory {
    let pages = (0u64..).zip(bytes.chunks(PAGE));
    let missing = |pfn: u64| extracted.missing.iter().any(|pfns| pfns.contains(&pfn));
    let mut memory = Memory::new();
    for (pfn, page) in pages {
        assert_eq!(page.len(), PAGE);
        if missing(pfn) {
            assert!(page.iter().all(|byte| *byte == 0), "pfn {pfn:#x}");
        } else {
            memory.insert(pfn, start(page));
        }
    }
    assert_eq!(extracted.pages, memory.len() as u64);
    memory
}

/// A page without the zeros at its end, of which one stays.
pub(super) fn start(page: &[u8]) -> Vec<u8> {
    let end = page.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    page[..end].to_vec()
}

/// Extracts the memory of a stream in memory.
pub(super) fn raw(bytes: &[u8]) -> (Extracted, Memory) {
    let (extracted, bytes) = extracted(Input::Slice(bytes), &Extract::new(OutputFormat::Raw)).unwrap();
    let memory = of_raw(&extracted, &bytes.unwrap_or_default());
    (extracted, memory)
}
