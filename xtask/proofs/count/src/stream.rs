//! Bytes of streams.

use xenstream_core::wire::libxc::{page, types};

/// A libxc record, little-endian.
pub(crate) fn record(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a body is short");
    let mut record = record_header(kind, length);
    record.extend_from_slice(body);
    record.resize(record.len().next_multiple_of(8), 0);
    record
}

/// The header of a record whose body follows in pieces.
pub(crate) fn record_header(kind: u32, length: u32) -> Vec<u8> {
    words32(&[kind, length])
}

/// PAGE_DATA without its pages.
pub(crate) fn page_data(entries: &[u64]) -> Vec<u8> {
    let pages = entries.iter().filter(|entry| has_data(**entry)).count();
    let length = 8 + 8 * entries.len() + 4096 * pages;
    let mut record = record_header(types::PAGE_DATA, u32::try_from(length).expect("a batch is short"));
    record.extend(words32(&[u32::try_from(entries.len()).expect("a batch is short"), 0]));
    record.extend(words(entries));
    record
}

/// Moves the pfns of a full PAGE_DATA record on by `n` batches.
pub(crate) fn name_later(record: &mut [u8], n: u64) {
    let (words, _) = record.as_chunks_mut::<8>();
    for word in words.iter_mut().skip(2) {
        *word = (u64::from_le_bytes(*word) + n * page::BATCH).to_le_bytes();
    }
}

/// An entry of PAGE_DATA.
pub(crate) fn entry(kind: u64, pfn: u64) -> u64 {
    kind << 60 | pfn
}

pub(crate) fn has_data(entry: u64) -> bool {
    entry >> 60 < 0xD
}

/// Headers of a bare libxc stream of version 3 for an HVM guest, and STATIC_DATA_END.
pub(crate) fn hvm() -> Vec<u8> {
    let mut stream = headers(2);
    stream.extend(record(types::STATIC_DATA_END, &[]));
    stream
}

/// The same for a PV guest, with a p2m of `pfns`, a multiple of 512.
pub(crate) fn pv(pfns: u32) -> Vec<u8> {
    let mut stream = headers(1);
    stream.extend(record(types::X86_PV_INFO, &[8, 4, 0, 0, 0, 0, 0, 0]));
    stream.extend(record(types::STATIC_DATA_END, &[]));
    let mut body = words32(&[0, pfns - 1]);
    body.extend(words(&vec![0; pfns as usize / 512]));
    stream.extend(record(types::X86_PV_P2M_FRAMES, &body));
    stream
}

/// The libxl stream header and LIBXC_CONTEXT, up to where the libxc stream begins.
pub(crate) fn libxl() -> Vec<u8> {
    let mut stream = b"LibxlFmt\0\0\0\x02\0\0\0\0".to_vec();
    stream.extend(record_header(1, 0));
    stream
}

/// A libxl stream with an HVM guest, up to where its libxl records go on.
pub(crate) fn libxl_after_libxc() -> Vec<u8> {
    let mut stream = libxl();
    stream.extend(hvm());
    stream.extend(page_data(&[entry(0xF, 0)]));
    stream.extend(hvm_context());
    stream.extend(record(types::END, &[]));
    stream
}

/// The shortest chain: HEADER and END.
pub(crate) fn hvm_context() -> Vec<u8> {
    let mut chain = chain_header();
    chain.extend([0; 8]);
    record(types::HVM_CONTEXT, &chain)
}

/// A chain's HEADER.
pub(crate) fn chain_header() -> Vec<u8> {
    let mut entry = chain_entry(1, 0, 24);
    entry.extend(words32(&[0x5438_1286, 1, 0, 0, 0, 0]));
    entry
}

/// The header of a chain's entry.
pub(crate) fn chain_entry(typecode: u16, instance: u16, length: u32) -> Vec<u8> {
    let mut entry = typecode.to_le_bytes().to_vec();
    entry.extend(instance.to_le_bytes());
    entry.extend(length.to_le_bytes());
    entry
}

pub(crate) fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub(crate) fn words32(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn headers(guest: u32) -> Vec<u8> {
    let mut stream = vec![0xFF; 8];
    stream.extend(b"XENF\0\0\0\x03\0\0\0\0\0\0\0\0");
    stream.extend(words32(&[guest, 12, 4, 17]));
    stream
}
