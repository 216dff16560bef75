//! Torn and invalid images: what arrived is extracted, and what is missing is said.

use std::io::{self, Read};

use xenstream::extract::{Extract, OutputFormat};
use xenstream::wire::libxc::types::{PAGE_DATA, X86_TSC_INFO};
use xenstream::{Error, Input, Rule};
use xenstream_synth::{Field, Page, Part, libxc};

use super::common::{PAGE, contents, extracted, guest, image, memory, of_raw, page, raw, text};

#[test]
fn torn_image_yields_the_pages_that_arrived() {
    let stream = image();
    let bytes = stream.bytes();
    // In the third pass, which has two pages: pfn 25, and a copy of pfn 22.
    let third = contents(&stream, 5, 3, 0) as usize;
    for (cut, lost, copy) in [
        (third + 2 * PAGE, vec![], 3),
        (third + 2 * PAGE - 1, vec![22..=22], 2),
        (third + PAGE, vec![22..=22], 2),
        (third + PAGE - 1, vec![22..=22, 25..=25], 2),
        (third, vec![22..=22, 25..=25], 2),
        // The entries are not there whole.
        (third - 8, vec![25..=25], 2),
        (third - 24, vec![], 2),
    ] {
        let has_25 = !lost.contains(&(25..=25)) && cut >= third;
        let mut expected = memory();
        expected.insert(22, text(22, copy));
        if !has_25 {
            expected.remove(&25);
        }
        let (torn, found) = raw(&bytes[..cut]);
        assert_eq!(torn.report.violation().unwrap().rule, Rule::StreamTruncated);
        assert_eq!((torn.lost, found), (lost.clone(), expected.clone()), "cut at {cut}");
        let file = bytes[..cut].to_vec();
        let what = Extract::new(OutputFormat::Raw);
        let (torn, out) = extracted(Input::Positioned(&file), &what).unwrap();
        assert_eq!((&torn.lost, of_raw(&torn, &out.unwrap())), (&lost, expected), "file cut at {cut}");
    }
}

#[test]
fn cuts_extract_alike_from_file_and_stream() {
    let bytes = image().bytes();
    let what = Extract::new(OutputFormat::Elf);
    for cut in (0..bytes.len()).step_by(211) {
        let file = bytes[..cut].to_vec();
        let (from_file, file_out) = extracted(Input::Positioned(&file), &what).unwrap();
        let (from_stream, stream_out) = extracted(Input::Reader(&mut &file[..]), &what).unwrap();
        assert!(file_out == stream_out, "cut at {cut}");
        assert_eq!(from_file.lost, from_stream.lost, "cut at {cut}");
        assert_eq!(from_file.report.verdict, from_stream.report.verdict, "cut at {cut}");
    }
}

#[test]
fn images_that_hold_no_memory_give_no_file() {
    for bytes in [&b""[..], b"not an image", &image().bytes()[..600]] {
        let (none, memory) = raw(bytes);
        assert_eq!((none.bytes, none.pages), (None, 0));
        assert!(memory.is_empty() && !none.report.is_valid());
    }
}

#[test]
fn pages_after_a_violation_are_extracted_too() {
    let stream = image().edited(Part::libxc(X86_TSC_INFO), 8, Field::U32(9));
    let stream = stream.after(Part::libxc(X86_TSC_INFO), libxc::page_data(&[page(26, 1)]));
    let (extracted, found) = raw(&stream.bytes());
    assert!(!extracted.report.is_valid());
    assert_eq!(found.get(&26), Some(&text(26, 1)));
}

#[test]
fn pages_of_a_record_with_a_wrong_length_are_lost() {
    // The last record of pages claims less than its entries announce.
    let pages = [page(21, 1), page(22, 1)];
    let stream = guest(&[&pages]);
    let last = stream.nth(Part::libxc(PAGE_DATA), 3);
    let record = libxc::page_data(&pages).edited(4, Field::U32(8 + 16 + 2 * 4096 - 8));
    let stream = stream.with_item(last, record);
    let (extracted, found) = raw(&stream.bytes());
    assert_eq!(extracted.lost, [21..=22]);
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [0]);
}

#[test]
fn pages_out_of_range_are_left_out() {
    let stream = guest(&[&[page(21, 1), page(1 << 40, 1), page(22, 1)]]);
    let (extracted, found) = raw(&stream.bytes());
    assert_eq!(extracted.report.violation().unwrap().rule, Rule::LibxcPageDataPfnLimit);
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [0, 21, 22]);
}

#[test]
fn pages_before_compression_damage_are_extracted() {
    // Nothing that can be compressed.
    let mut seed = 1u64;
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    let pages: Vec<_> = (21..200)
        .map(|pfn| Page::normal(pfn).holding((0..PAGE).map(|_| noise()).collect::<Vec<_>>()))
        .collect();
    let bytes = guest(&[&pages]).bytes();
    let compressed = zstd::encode_all(&bytes[..], 1).unwrap();
    let torn = compressed[..compressed.len() - 20].to_vec();
    let what = Extract::new(OutputFormat::Raw);
    let (found, out) = extracted(Input::Positioned(&torn), &what).unwrap();
    assert!(matches!(found.failure, Some(Error::Decompress { .. })), "{:?}", found.failure);
    assert_eq!(found.report.violation().unwrap().rule, Rule::StreamTruncated);
    assert!(found.pages > 0 && out.is_some());
    let error = extracted(Input::Slice(&compressed[..8]), &what).unwrap_err();
    assert!(matches!(error, Error::Decompress { .. }), "{error}");
}

/// Fails where the stream has this many bytes left.
struct Failing<'b>(&'b [u8], usize);

impl Read for Failing<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.0.len() <= self.1 {
            return Err(io::Error::other("the disk is on fire"));
        }
        let most = bytes.len().min(self.0.len() - self.1);
        self.0.read(&mut bytes[..most])
    }
}

#[test]
fn pages_before_a_read_error_are_extracted() {
    let bytes = guest(&[&[page(21, 1), page(22, 1), Page::allocated(23)]]).bytes();
    let left = bytes.len() - (contents(&guest(&[&[]]), 3, 3, 1) as usize);
    let what = Extract::new(OutputFormat::Raw);
    let (found, _) = extracted(Input::Reader(&mut Failing(&bytes, left)), &what).unwrap();
    assert!(matches!(found.failure, Some(Error::Read { .. })));
    assert_eq!((found.pages, &found.lost[..]), (2, &[22..=22][..]));
}
