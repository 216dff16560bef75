//! Compressed images: every method, in one piece and several, cut short, damaged, and not to be read at all.

use std::io::{self, Read, Write};

use xenstream::{
    Compression, Error, Input, Level, Options, Policy, ReadAt, Report, Rule, verify, verify_fd, verify_path,
    verify_reader, verify_slice,
};
use xenstream_synth::valid;

const METHODS: [Compression; 4] = [Compression::Zstd, Compression::Gzip, Compression::Xz, Compression::Lz4];

fn pack(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Zstd => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        _ => {
            let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}

fn image() -> Vec<u8> {
    valid::hvm().in_libxl().with_device_model().in_xl().bytes()
}

/// The image in two pieces, one compressed after the other.
fn in_two(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let (a, b) = bytes.split_at(bytes.len() / 2);
    [pack(compression, a), pack(compression, b)].concat()
}

fn assert_valid(report: &Report, compression: Compression) {
    assert_eq!(report.compression, Some(compression));
    assert!(report.is_valid() && report.warnings.is_empty(), "{compression}: {:?}", report.violation());
}

#[test]
fn every_method_is_recognised_in_every_source() {
    let options = Options::new(Policy::spec());
    for method in METHODS {
        for packed in [pack(method, &image()), in_two(method, &image())] {
            assert_valid(&verify_slice(&packed, &options).unwrap(), method);
            assert_valid(&verify_reader(&packed[..], &options).unwrap(), method);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &packed).unwrap();
            let report = verify_path(file.path(), &options).unwrap();
            assert_valid(&report, method);
            assert_eq!(report.bytes_read, packed.len() as u64);
            assert_eq!(report.summary.bytes, image().len() as u64);
            let (to, mut from) = io::pipe().unwrap();
            std::thread::scope(|scope| {
                scope.spawn(move || from.write_all(&packed).unwrap());
                assert_valid(&verify_fd(&to, &options).unwrap(), method);
            });
        }
    }
}

#[test]
fn compressed_data_cut_anywhere_is_no_verdict() {
    for method in METHODS {
        let packed = pack(method, &image());
        // Of the first bytes no compressor can be told.
        for cut in 6..packed.len() {
            let error = verify_slice(&packed[..cut], &Options::new(Policy::spec())).unwrap_err();
            assert!(matches!(error, Error::Decompress { .. }), "{method}, {cut}: {error}");
            assert_eq!(error.kind(), "decompress");
        }
    }
}

#[test]
fn damaged_compressed_data_is_never_an_invalid_stream() {
    let expected = verify_slice(&image(), &Options::new(Policy::spec())).unwrap().summary;
    for method in METHODS {
        let packed = pack(method, &image());
        let mut noticed = 0;
        for at in 6..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x10;
            match verify_slice(&damaged, &Options::new(Policy::spec())) {
                Err(Error::Decompress { .. }) => noticed += 1,
                // There are bytes on which nothing hangs, such as a time stamp.
                Ok(report) if report.is_valid() => assert_eq!(report.summary, expected),
                other => panic!("{method}, {at}: {other:?}"),
            }
        }
        assert!(noticed > packed.len() * 9 / 10, "{method}: {noticed} of {}", packed.len());
    }
}

#[test]
fn invalid_stream_in_valid_compression_is_invalid() {
    for method in METHODS {
        let image = image();
        let cut = image.len() - 4;
        let report = verify_slice(&pack(method, &image[..cut]), &Options::new(Policy::spec())).unwrap();
        let violation = report.violation().unwrap();
        assert_eq!((violation.rule, violation.offset), (Rule::StreamTruncated, cut as u64));
    }
}

/// In a file; on a pipe a stream may go on, compressed or not.
#[test]
fn trailing_bytes_in_compressed_files_are_found() {
    let options = Options::new(Policy::hardened());
    for method in METHODS {
        let image = image();
        let packed = pack(method, &[&image[..], &[7; 100_000]].concat());
        let report = verify_slice(&packed, &Options::new(Policy::spec())).unwrap();
        let [warning] = report.warnings.listed() else { panic!("{:?}", report.warnings) };
        assert_eq!((warning.rule, warning.offset), (Rule::StreamTrailingData, image.len() as u64));
        assert_eq!(report.warnings.count(Rule::StreamTrailingData), 1);
        assert_eq!(report.bytes_read, packed.len() as u64);
        assert!(!verify_slice(&packed, &options).unwrap().is_valid());

        let report = verify_reader(&packed[..], &options).unwrap();
        assert!(report.is_valid() && report.warnings.is_empty(), "{:?}", report.violation());
        assert_eq!(report.bytes_read, packed.len() as u64);
    }
}

/// Compressed data that cannot be read to its end.
struct Failing<'o>(&'o [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.0.read(bytes)? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            n => Ok(n),
        }
    }
}

impl ReadAt for Failing<'_> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        Failing(&self.0[offset as usize..]).read(bytes)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

#[test]
fn read_errors_differ_from_decompression_errors() {
    for method in METHODS {
        let packed = pack(method, &image());
        let half = packed.len() / 2;
        let failing = Failing(&packed[..half]);
        let options = Options::new(Policy::spec());
        let positioned = verify(Input::Positioned(&failing), &options, &mut ());
        for result in [verify_reader(failing, &options), positioned] {
            let Err(Error::Read { offset, source }) = result else { panic!("{method}: {result:?}") };
            assert_eq!((offset, source.kind()), (half as u64, io::ErrorKind::ConnectionReset));
        }
    }
}

#[test]
fn memory_is_bounded() {
    // A frame that says it reaches back 256 MiB, and one that says 128 MiB.
    for (window_log, taken) in [(28, false), (27, true)] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&image()).unwrap();
        let packed = encoder.finish().unwrap();
        match verify_slice(&packed, &Options::new(Policy::spec())) {
            Ok(report) if taken => assert_valid(&report, Compression::Zstd),
            Err(Error::Decompress { .. }) if !taken => {}
            other => panic!("{window_log}: {other:?}"),
        }
    }
    for (dictionary, taken) in [(256 << 20, false), (128 << 20, true)] {
        let mut lzma = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
        lzma.dict_size(dictionary);
        let mut filters = liblzma::stream::Filters::new();
        filters.lzma2(&lzma);
        let stream =
            liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc64).unwrap();
        let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(&image()).unwrap();
        let packed = encoder.finish().unwrap();
        match verify_slice(&packed, &Options::new(Policy::spec())) {
            Ok(report) if taken => assert_valid(&report, Compression::Xz),
            Err(Error::Decompress { .. }) if !taken => {}
            other => panic!("{dictionary}: {other:?}"),
        }
    }
}

/// A gzip member of 1 MiB of zeros is about 1 KiB long; here are 300 of them.
#[test]
fn decompression_ends_in_proportion_after_the_verdict() {
    let member = pack(Compression::Gzip, &vec![0; 1 << 20]);
    let bomb = member.repeat(300);
    for (start, rule) in
        [(b"no image".to_vec(), Rule::StreamUnrecognised), (image(), Rule::StreamTrailingZeros)]
    {
        let packed = [pack(Compression::Gzip, &start), bomb.clone()].concat();
        let options = Options::new(Policy::restore().with_level(rule, Level::Deny).unwrap());
        let report = verify_slice(&packed, &options).unwrap();
        assert_eq!(report.violation().map(|violation| violation.rule), Some(rule));
        assert!(
            report.bytes_read < packed.len() as u64 / 2,
            "{rule}: {} of {}",
            report.bytes_read,
            packed.len()
        );
    }
}
