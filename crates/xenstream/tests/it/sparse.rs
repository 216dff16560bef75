//! A guest of 64 GiB in a sparse file: what is read is counted, since that is what the time goes by.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;

use xenstream::inspect::{Content, Fold, Row, inspect};
use xenstream::wire::libxc::{page, types};
use xenstream::wire::{PAGE_SIZE, RECORD_HEADER};
use xenstream::{Input, Options, Policy, verify_path};
use xenstream_synth::{Part, valid};

const RECORDS: u64 = 64 << 30 >> 22;

/// Bytes of a full PAGE_DATA record: its header and body.
const HEADERS: u64 = RECORD_HEADER + page::HEADER + page::BATCH * page::ENTRY;
const RECORD: u64 = HEADERS + page::BATCH * PAGE_SIZE;

/// Writes headers of PAGE_DATA records, and nothing where entries and contents are zero: every entry is a normal page of
/// pfn 0, which a stream may send as often as it likes.
fn write_image(mut file: &File) -> u64 {
    let stream = valid::hvm().in_libxl().with_device_model().in_xl();
    let memory = stream.find(Part::libxc(types::PAGE_DATA));
    let bytes = stream.bytes();
    let (start, end) = bytes.split_at(stream.offset(memory) as usize);
    file.write_all(start).unwrap();
    let mut at = start.len() as u64;
    for _ in 0..RECORDS {
        let mut header = Vec::new();
        header.extend_from_slice(&types::PAGE_DATA.to_le_bytes());
        header.extend_from_slice(&((RECORD - RECORD_HEADER) as u32).to_le_bytes());
        header.extend_from_slice(&(page::BATCH as u32).to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        file.write_all_at(&header, at).unwrap();
        at += RECORD;
    }
    file.write_all_at(end, at).unwrap();
    at + end.len() as u64
}

#[test]
fn of_64_gib_only_headers_are_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let size = write_image(file.as_file());
    assert!(size > 64 << 30);
    let options = Options::new(Policy::spec());
    let report = verify_path(file.path(), &options).unwrap();
    assert!(report.is_valid(), "{:?}", report.violation());
    assert_eq!(report.summary.bytes, size);
    assert_eq!(report.summary.pages.normal(), RECORDS * page::BATCH + 1);
    let necessary = RECORDS * HEADERS;
    let read = report.bytes_read;
    assert!(
        (necessary..necessary + (64 << 10)).contains(&read),
        "{read} bytes read, {necessary} are necessary"
    );

    // To see all that is in it takes little more than that.
    let (mut fold, mut rows) = (Fold::default(), Vec::new());
    let mut sink = |row: Row| rows.extend(fold.take(row));
    let inspection = inspect(Input::Path(file.path()), &options, &mut sink).unwrap();
    assert_eq!(inspection.report.verdict, report.verdict);
    let read = inspection.report.bytes_read;
    assert!((necessary..necessary + (64 << 10)).contains(&read), "{read} bytes read to inspect it");
    let runs = rows.iter().filter_map(|row| match &row.content {
        Content::PageData(batch) => Some((row.records(), batch.pages())),
        _ => None,
    });
    assert_eq!(runs.collect::<Vec<_>>(), [(RECORDS + 3, RECORDS * page::BATCH + 1)]);
}
