//! Input that misbehaves: a verdict is the right one, or there is none.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;

use xenstream::{
    Error, Input, Options, Policy, ReadAt, Report, Rule, verify, verify_fd, verify_path, verify_reader,
};
use xenstream_synth::{Page, libxc, valid};

/// An `xl save` image with enough memory for something to be passed over.
fn image() -> Vec<u8> {
    let part = xenstream_synth::Part::libxc(xenstream::wire::libxc::types::X86_TSC_INFO);
    // After the pfns that such a guest has.
    let memory: Vec<_> = (21..85).map(Page::normal).collect();
    valid::hvm().before(part, libxc::page_data(&memory)).in_libxl().with_device_model().in_xl().bytes()
}

/// Offset among the page contents of [`image`], of which it is made up but for a few thousand bytes at either end.
fn among_contents(image: &[u8]) -> usize {
    image.len() / 2
}

fn truncated_at(report: &Report) -> Option<u64> {
    let violation = report.violation()?;
    (violation.rule == Rule::StreamTruncated).then_some(violation.offset)
}

/// Reads that go as they are told, one after another; then the rest as it comes.
struct Scripted<'s> {
    rest: &'s [u8],
    script: Vec<io::Result<usize>>,
}

impl Read for Scripted<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.script.is_empty() {
            return self.rest.read(bytes);
        }
        let wanted = self.script.remove(0)?.min(bytes.len());
        self.rest.read(&mut bytes[..wanted])
    }
}

#[test]
fn interrupted_and_short_reads_change_nothing() {
    let image = image();
    let interrupted = || Err(ErrorKind::Interrupted.into());
    let script =
        vec![interrupted(), Ok(1), interrupted(), interrupted(), Ok(3), Ok(44), interrupted(), Ok(9)];
    let report = verify_reader(Scripted { rest: &image, script }, &Options::new(Policy::spec())).unwrap();
    assert!(report.is_valid(), "{:?}", report.violation());
    assert_eq!(report.bytes_read, image.len() as u64);
}

#[test]
fn a_failing_reader_is_no_verdict() {
    let image = image();
    for kind in [ErrorKind::WouldBlock, ErrorKind::ConnectionReset] {
        for before in [0, 1, 5, 6, 8, 40] {
            // Nothing read at all would be the input's end.
            let first = (before > 0).then_some(Ok(before));
            let script = first.into_iter().chain([Err(kind.into())]).collect();
            let error =
                verify_reader(Scripted { rest: &image, script }, &Options::new(Policy::spec())).unwrap_err();
            let Error::Read { offset, source } = error else { panic!("{error}") };
            assert_eq!((offset, source.kind()), (before.min(8) as u64, kind));
        }
    }
}

/// Claims more than there was room for.
struct Liar;

impl Read for Liar {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(bytes.len() + 1)
    }
}

impl ReadAt for Liar {
    fn read_at(&self, bytes: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(bytes.len() + 1)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(1)
    }
}

#[test]
fn a_lying_reader_is_no_verdict() {
    let options = Options::new(Policy::spec());
    assert!(matches!(verify_reader(Liar, &options), Err(Error::Read { offset: 0, .. })));
    assert!(matches!(
        verify(Input::Positioned(&Liar), &options, &mut ()),
        Err(Error::Read { offset: 0, .. })
    ));
}

/// A file whose size changes after some reads.
struct Changing<'o> {
    bytes: &'o [u8],
    size: Cell<usize>,
    reads: Cell<usize>,
    change: (usize, usize),
}

impl Changing<'_> {
    fn of(bytes: &[u8], size: usize, change: (usize, usize)) -> Changing<'_> {
        Changing { bytes, size: Cell::new(size), reads: Cell::new(0), change }
    }
}

impl ReadAt for Changing<'_> {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let (after, size) = self.change;
        if self.reads.replace(self.reads.get() + 1) == after {
            self.size.set(size);
        }
        let mut rest = self.bytes[..self.size.get()].get(offset as usize..).unwrap_or(&[]);
        rest.read(bytes)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size.get() as u64)
    }
}

#[test]
fn file_that_ends_in_skipped_bytes_is_truncated() {
    let image = image();
    let cut = among_contents(&image);
    let from_the_start = Changing::of(&image, cut, (usize::MAX, 0));
    let report = verify(Input::Positioned(&from_the_start), &Options::new(Policy::spec()), &mut ()).unwrap();
    assert_eq!(truncated_at(&report), Some(cut as u64));
    assert_eq!(report.violation().unwrap().record.unwrap().type_name(), Some("PAGE_DATA"));
    // It shrank after the first read, and what was skipped was taken to be there: the record in hand is after it.
    let in_between = Changing::of(&image, image.len(), (1, cut));
    let report = verify(Input::Positioned(&in_between), &Options::new(Policy::spec()), &mut ()).unwrap();
    assert_eq!(truncated_at(&report), Some(cut as u64));
    assert_eq!(report.violation().unwrap().record, None);
}

#[test]
fn a_file_that_grows_is_read_to_its_new_end() {
    let image = image();
    let file = Changing::of(&image, among_contents(&image), (1, image.len()));
    let report = verify(Input::Positioned(&file), &Options::new(Policy::spec()), &mut ()).unwrap();
    assert!(report.is_valid(), "{:?}", report.violation());
}

#[test]
fn a_file_is_cut_at_every_byte_of_its_headers() {
    let image = xenstream_synth::minimal::hvm().in_libxl().in_xl().bytes();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&image).unwrap();
    file.rewind().unwrap();
    for cut in (0..image.len()).rev() {
        file.set_len(cut as u64).unwrap();
        let report = verify_fd(&file, &Options::new(Policy::spec())).unwrap();
        let violation = report.violation().unwrap();
        // Without its whole magic it is no image of any kind.
        let expected =
            if cut < 32 { (Rule::StreamUnrecognised, 0) } else { (Rule::StreamTruncated, cut as u64) };
        assert_eq!((violation.rule, violation.offset), expected);
    }
}

#[test]
fn descriptor_is_verified_from_its_unmoved_offset() {
    let image = image();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"in front").unwrap();
    file.write_all(&image).unwrap();
    file.seek(SeekFrom::Start(8)).unwrap();
    let report = verify_fd(&file, &Options::new(Policy::spec())).unwrap();
    assert!(report.is_valid(), "{:?}", report.violation());
    assert_eq!(report.summary.bytes, image.len() as u64);
    assert!(report.bytes_read < image.len() as u64 / 2);
    assert_eq!(file.stream_position().unwrap(), 8);

    file.write_all(b"Y").unwrap();
    file.seek(SeekFrom::Start(8)).unwrap();
    let report = verify_fd(&file, &Options::new(Policy::spec())).unwrap();
    assert_eq!(report.violation().map(|violation| violation.offset), Some(0));
}

#[test]
fn trailing_bytes_matter_in_files_only() {
    let mut image = image();
    let end = image.len() as u64;
    image.extend_from_slice(b"behind");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &image).unwrap();
    let options = Options::new(Policy::spec());
    for report in [verify_path(file.path(), &options), xenstream::verify_slice(&image, &options)] {
        let report = report.unwrap();
        assert!(report.is_valid());
        let [warning] = report.warnings.listed() else { panic!("{:?}", report.warnings) };
        assert_eq!((warning.rule, warning.offset), (Rule::StreamTrailingData, end));
    }
    let mut rest = &image[..];
    let report = verify_reader(&mut rest, &options).unwrap();
    assert!(report.is_valid() && report.warnings.is_empty());
    assert_eq!(rest, b"behind");
}

/// Writes the image and what follows it into one end, and verifies at the other, which has to find what follows.
fn verify_live(mut from: impl Write + Send, mut to: impl Read + std::os::fd::AsFd, bytes_a_write: usize) {
    let image = image();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for bytes in image.chunks(bytes_a_write).chain([&b"behind"[..]]) {
                from.write_all(bytes).unwrap();
            }
        });
        let report = verify_fd(&to, &Options::new(Policy::spec())).unwrap();
        assert!(report.is_valid(), "{:?}", report.violation());
        assert!(report.warnings.is_empty());
        let mut rest = String::new();
        to.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "behind");
    });
}

#[test]
fn a_pipe_is_read_to_the_stream_s_end_and_not_beyond() {
    for bytes in [1, 4097, usize::MAX] {
        let (to, from) = io::pipe().unwrap();
        verify_live(from, to, bytes);
    }
}

#[test]
fn a_pipe_that_would_not_block_is_waited_for() {
    let (to, from) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&to, true).unwrap();
    let image = image();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut from = from;
            for bytes in image.chunks(50_000) {
                from.write_all(bytes).unwrap();
            }
        });
        let report = verify_fd(&to, &Options::new(Policy::spec())).unwrap();
        assert!(report.is_valid(), "{:?}", report.violation());
        assert!(report.bytes_read < image.len() as u64 / 2, "contents are spliced");
    });
}

#[test]
fn socket_is_not_read_past_the_end() {
    let (from, to) = UnixStream::pair().unwrap();
    verify_live(from, to, 10_000);
}

#[test]
fn pipe_that_closes_in_spliced_bytes_is_truncated() {
    let image = image();
    let cut = among_contents(&image);
    let (to, mut from) = io::pipe().unwrap();
    std::thread::scope(|scope| {
        let image = &image;
        scope.spawn(move || from.write_all(&image[..cut]).unwrap());
        let report = verify_fd(&to, &Options::new(Policy::spec())).unwrap();
        assert_eq!(truncated_at(&report), Some(cut as u64));
    });
}

#[test]
fn open_and_read_errors_are_not_verdicts() {
    let options = Options::new(Policy::spec());
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(verify_path(directory.path().join("absent"), &options), Err(Error::Open { .. })));
    assert!(matches!(verify_path(directory.path(), &options), Err(Error::Read { offset: 0, .. })));
    // Nothing is mapped at address 0.
    assert!(matches!(verify_path("/proc/self/mem", &options), Err(Error::Read { offset: 0, .. })));
    let file = File::create(directory.path().join("file")).unwrap();
    (&file).write_all(&image()).unwrap();
    (&file).rewind().unwrap();
    let error = verify_fd(&file, &options).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "opened for writing only: {error}");
    assert_eq!(error.kind(), "io");
    assert!(
        error.to_string().contains(&io::Error::from(rustix::io::Errno::BADF).to_string()),
        "{}",
        error.to_string()
    );
}

#[test]
fn a_file_without_a_size_is_read_through() {
    let report = verify_path("/proc/self/status", &Options::new(Policy::spec())).unwrap();
    assert!(report.is_unrecognised());
    let report =
        verify_path("/proc/self/status", &Options::new(Policy::spec()).with_format(xenstream::Format::Libxl))
            .unwrap();
    assert_eq!(report.violation().map(|violation| violation.rule), Some(Rule::LibxlIdent));
    let report = verify_path("/dev/null", &Options::new(Policy::spec())).unwrap();
    assert!(report.is_unrecognised());
}
