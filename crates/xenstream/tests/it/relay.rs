//! The relay: what it passes on, what it leaves alone, and how it ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::fs::OFlags;
use rustix::net::SendFlags;
use xenstream::wire::libxc::types::{
    HVM_CONTEXT, X86_PV_VCPU_BASIC, X86_PV_VCPU_EXTENDED, X86_PV_VCPU_MSRS, X86_PV_VCPU_XSAVE,
};
use xenstream::wire::{Order, padding};
use xenstream::{
    Compression, Error, Format, Guest, Layer, Level, Observer, Options, Policy, Profile, Record, Relay,
    Relayed, Rule, Violation, relay, relay_with, verify_fd, verify_reader, verify_slice,
};
use xenstream_synth::cases::{self, Case};
use xenstream_synth::{Page, Part, libxc, minimal, valid};

/// What stands after a stream on its descriptor.
const BEHIND: &[u8] = b"xl's own handshake";

#[test]
fn valid_stream_passes_and_the_rest_is_not_consumed() {
    for machine in valid::Machine::all() {
        for stream in [machine.libxc(), machine.libxl(), machine.libxl().in_xl()] {
            for order in [Order::Little, Order::Big] {
                let bytes = stream.clone().with_order(order).bytes();
                let input = [&bytes, BEHIND].concat();
                for chunk in [1, 7, usize::MAX] {
                    let mut reader = Pieces::new(&input, chunk);
                    let mut passed = Vec::new();
                    let relayed = relay_with(
                        &mut reader,
                        &mut passed,
                        &Options::new(Policy::spec()).with_format(stream.format()),
                    );
                    assert!(relayed.result.unwrap().is_valid(), "{}", machine.name());
                    assert_eq!(relayed.bytes, bytes.len() as u64);
                    assert_eq!(passed, bytes);
                    assert_eq!(reader.bytes, BEHIND);
                }
            }
        }
    }
}

#[test]
fn the_last_byte_of_a_broken_record_is_withheld() {
    let mut refused = 0;
    for case in cases::all() {
        for profile in Profile::all() {
            let policy = case.policy(profile);
            let policy = policy.clone().with_level(case.rule, Level::Deny).unwrap_or(policy);
            for chunk in [1, 7, usize::MAX] {
                let in_pieces = |options: &Options| {
                    let mut passed = Vec::new();
                    (relay_with(Pieces::new(&case.stream, chunk), &mut passed, options), passed)
                };
                refused += usize::from(check_promise(&case, &policy, &format!("by {chunk}"), in_pieces));
            }
            // Where bytes are moved and not copied.
            let through_pipes = |options: &Options| relay_pipes(&case.stream, options);
            refused += usize::from(check_promise(&case, &policy, "through pipes", through_pipes));
        }
    }
    assert!(refused >= 4 * cases::all().len(), "{refused} streams were refused");
}

/// Relays bytes from one pipe to another.
fn relay_pipes(bytes: &[u8], options: &Options) -> (Relayed, Vec<u8>) {
    let (input, mut producer) = pipe().unwrap();
    let (mut consumer, output) = pipe().unwrap();
    thread::scope(|scope| {
        // Who writes may be left with what nobody takes.
        scope.spawn(move || producer.write_all(bytes));
        let passed = scope.spawn(move || {
            let mut passed = Vec::new();
            consumer.read_to_end(&mut passed).map(|_| passed)
        });
        let relayed = relay(input, output, options);
        (relayed, passed.join().unwrap().unwrap())
    })
}

/// Relays a case. Returns whether it was refused.
fn check_promise(
    case: &Case,
    policy: &Policy,
    way: &str,
    pass: impl Fn(&Options) -> (Relayed, Vec<u8>),
) -> bool {
    let name = format!("{} under {} {way}", case.name(), policy.profile());
    let options = crate::common::options(case, policy.clone());
    let (relayed, passed) = pass(&options);
    assert_eq!(relayed.bytes, passed.len() as u64, "{name}");
    assert!(case.stream.starts_with(&passed), "{name}: what comes out is not the beginning of what went in");
    let report = relayed.result.unwrap();
    // A pipe may go on after the stream, so trailing data is not what a relay can judge.
    let verified = verify_reader(&case.stream[..], &options).unwrap();
    assert_eq!(report.verdict, verified.verdict, "{name}");
    assert_eq!(report.warnings, verified.warnings, "{name}");
    let Some(violation) = report.violation() else { return false };

    // Nothing that was passed on breaks a rule.
    let of_prefix = verify_reader(&passed[..], &options).unwrap();
    let harmless = [Rule::StreamTruncated, Rule::StreamFailover, Rule::StreamUnrecognised];
    assert!(
        of_prefix.violation().is_none_or(|v| harmless.contains(&v.rule)),
        "{name}: {:?}",
        of_prefix.verdict
    );
    // At the end of its input a stream may be torn; what there is of it has then passed. That a PV guest should have no
    // device model is not known before the guest is; what tells it is withheld then.
    let is_told_later = violation.rule == Rule::LibxlEmulatorGuest && case.variant == "ahead";
    if !harmless.contains(&violation.rule)
        && !is_told_later
        && let Some(end) = end_of_what_tells(&case.stream, &options, violation)
    {
        assert!(relayed.bytes < end, "{name}: {} bytes, the record ends at {end}", relayed.bytes);
    }
    true
}

/// Records with the state of a vcpu of a PV guest.
const VCPU_RECORDS: [u64; 4] = [
    X86_PV_VCPU_BASIC as u64,
    X86_PV_VCPU_EXTENDED as u64,
    X86_PV_VCPU_XSAVE as u64,
    X86_PV_VCPU_MSRS as u64,
];

/// Where the record ends in which a violation was found. Under `restore` what is wrong with a vcpu of a PV guest is
/// held back, for a later record may replace it: the header of the END or CHECKPOINT tells that completes the domain.
fn end_of_what_tells(stream: &[u8], options: &Options, violation: &Violation) -> Option<u64> {
    struct Last(u64);
    impl Observer for Last {
        fn on_record(&mut self, record: &Record) {
            // Entries of HVM_CONTEXT lie inside a record.
            if record.layer != Layer::Hvm {
                let padding = if record.layer == Layer::Xenopsd { 0 } else { padding(record.body_length) };
                self.0 = record.body_offset + record.body_length + padding;
            }
        }
    }
    let mut last = Last(0);
    xenstream::verify(xenstream::Input::Reader(&mut &stream[..]), options, &mut last).unwrap();
    let record = violation.record?;
    // Of a record that was refused by its header nobody hears.
    let header = if record.layer == Layer::Xenopsd { 16 } else { 8 };
    let is_in_state = violation.layer() == Layer::Pv
        || matches!(violation.rule, Rule::LibxcVcpuExtendedId | Rule::LibxcVcpuMsrsReserved);
    let is_held = is_in_state && record.kind.is_some_and(|kind| VCPU_RECORDS.contains(&kind));
    if is_held && options.policy.profile() == Profile::Restore {
        return Some(last.0 + header);
    }
    Some(last.0.max(record.offset + header))
}

#[test]
fn a_producer_that_ends_inside_the_stream_is_refused() {
    let stream = valid::hvm().bytes();
    for end in (0..stream.len()).step_by(5) {
        let mut passed = Vec::new();
        let relayed = relay_with(&stream[..end], &mut passed, &libxc_options());
        let violation = *relayed.result.unwrap().violation().unwrap();
        assert_eq!((violation.rule, violation.offset), (Rule::StreamTruncated, end as u64));
        assert_eq!(passed, stream[..end]);
    }
}

#[test]
fn a_policy_that_keeps_going_stops_all_the_same() {
    let case = cases::all().into_iter().find(|case| case.rule == Rule::LibxcPageDataCount).unwrap();
    let policy = Policy::spec().with_keep_going(true);
    let mut passed = Vec::new();
    let relayed = relay_with(&case.stream[..], &mut passed, &Options::new(policy).with_format(case.format));
    assert_eq!(relayed.result.unwrap().violation().unwrap().rule, case.rule);
    assert!((passed.len() as u64) < case.offset + 4);
}

/// A consumer that decompresses by another method is not known of.
#[test]
fn compressed_input_is_refused_with_the_tool() {
    let stream = valid::hvm().bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&stream).unwrap();
    let gzip = gzip.finish().unwrap();
    let packed = zstd::encode_all(&stream[..], 1).unwrap();
    let any = Options::new(Policy::spec());
    for (packed, options, tool) in
        [(&gzip, any.clone(), "gzip -dc"), (&packed, any.with_decompression(false), "zstd -dc")]
    {
        let mut passed = Vec::new();
        let report = relay_with(&packed[..], &mut passed, &options).result.unwrap();
        assert_eq!(report.violation().unwrap().rule, Rule::StreamUnrecognised);
        assert!(report.hint().unwrap().to_string().contains(tool), "{:?}", report.hint());
        assert!(passed.is_empty());
        let options = options.with_decompression(false);
        let (mut producer, file) = Kind::File.open();
        producer.write_all(packed).unwrap();
        for other in
            [verify_slice(packed, &options), verify_reader(&packed[..], &options), verify_fd(&file, &options)]
        {
            let other = other.unwrap();
            assert_eq!((other.violation(), other.compression), (report.violation(), None));
        }
    }
}

/// The stream in frames of this size in bytes, each of blocks of that size.
fn frames(stream: &[u8], frame: usize, block: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for part in stream.chunks(frame) {
        let mut encoder = zstd::Encoder::new(&mut out, 1).unwrap();
        encoder.include_checksum(true).unwrap();
        for block in part.chunks(block) {
            encoder.write_all(block).unwrap();
            encoder.flush().unwrap();
        }
        encoder.finish().unwrap();
    }
    out
}

/// As many bytes as a consumer can decompress.
fn decompressed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // A frame that is cut is an error, and what came before it is there all the same.
    let _ = zstd::Decoder::new(bytes).and_then(|mut decoder| decoder.read_to_end(&mut out));
    out
}

#[test]
fn zstd_is_passed_on_as_it_is() {
    let stream = guest_of(300);
    for (frame, block) in [(stream.len(), stream.len()), (stream.len(), 1000), (50_000, 7_000)] {
        let packed = frames(&stream, frame, block);
        // What follows the last frame stays where it is.
        let input = [&packed[..], b"handshake"].concat();
        let mut rest = &input[..];
        let mut passed = Vec::new();
        let relayed = relay_with(&mut rest, &mut passed, &libxc_options());
        let report = relayed.result.unwrap();
        assert!(report.is_valid(), "{report:?}");
        assert_eq!((report.compression, report.bytes_read), (Some(Compression::Zstd), packed.len() as u64));
        assert_eq!(report.summary.bytes, stream.len() as u64);
        assert!(passed == packed && rest == b"handshake", "{frame} {block}");
        for cut in [packed.len() - 1, packed.len() - 4, packed.len() / 2, 20, 5] {
            let mut passed = Vec::new();
            let cut = relay_with(&packed[..cut], &mut passed, &libxc_options());
            assert!(!cut.result.is_ok_and(|report| report.is_valid()));
            assert!(packed.starts_with(&passed));
        }
    }
}

#[test]
fn last_byte_of_a_bad_record_is_not_decompressible() {
    for case in cases::all().into_iter().filter(|case| !case.is_for_std()) {
        let options = Options::new(case.policy(Profile::Hardened)).with_format(case.format);
        let plain = relay_with(Pieces::new(&case.stream, 1), Vec::new(), &options);
        let Some(violation) = plain.result.unwrap().violation().copied() else { continue };
        for block in [1, 13, 100_000] {
            let mut passed = Vec::new();
            let input = frames(&case.stream, case.stream.len().max(1), block);
            let relayed = relay_with(&input[..], &mut passed, &options);
            let name = format!("{} in blocks of {block}", case.name());
            let report = relayed.result.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(report.violation(), Some(&violation), "{name}");
            // The first word of a stream is waited for, and of a compressed one seven bytes may come out.
            assert!(decompressed(&passed).len() as u64 <= plain.bytes.max(7), "{name}");
        }
    }
}

#[test]
fn hardened_refuses_data_after_the_end_of_a_frame() {
    let stream = valid::hvm().bytes();
    let packed = zstd::encode_all(&[&stream[..], b"more"].concat()[..], 1).unwrap();
    let mut passed = Vec::new();
    let hardened = Options::new(Policy::hardened()).with_format(Format::Libxc);
    let report = relay_with(&packed[..], &mut passed, &hardened).result.unwrap();
    assert_eq!(report.violation().unwrap().rule, Rule::StreamTrailingData);
    assert!(passed.len() < packed.len());
}

#[test]
fn every_kind_of_descriptor_at_either_end() {
    let stream = guest_of(3000);
    for input in [Kind::Pipe, Kind::Socket, Kind::File] {
        for output in [Kind::Pipe, Kind::Socket, Kind::File, Kind::AppendedFile] {
            for blocking in [true, false] {
                let name = format!("{input:?} to {output:?}, blocking: {blocking}");
                let passed = through(&stream, input, output, blocking);
                // Not assert_eq, which would print megabytes.
                assert!(passed == stream, "{name}: {} of {} bytes", passed.len(), stream.len());
            }
        }
    }
}

/// Relays a stream with bytes after it that must stay in the input. Returns the output.
fn through(stream: &[u8], input: Kind, output: Kind, blocking: bool) -> Vec<u8> {
    let (mut producer, source) = input.open();
    let (sink, mut consumer) = output.open();
    for fd in [&source, &sink] {
        let flags = rustix::fs::fcntl_getfl(fd).unwrap();
        rustix::fs::fcntl_setfl(fd, if blocking { flags } else { flags | OFlags::NONBLOCK }).unwrap();
    }
    let feed = |producer: &mut File| {
        producer.write_all(stream).unwrap();
        producer.write_all(BEHIND).unwrap();
    };
    let drain = |consumer: &mut File| {
        let mut passed = Vec::new();
        consumer.read_to_end(&mut passed).unwrap();
        passed
    };
    let run = |sink: File| {
        let relayed = relay(&source, sink, &libxc_options());
        assert_eq!(relayed.bytes, stream.len() as u64);
        assert!(relayed.result.unwrap().is_valid());
    };
    let passed = thread::scope(|scope| {
        // A file has to be there before it is relayed and can be looked at only afterwards.
        let feeding = match input {
            Kind::Pipe | Kind::Socket => Some(scope.spawn(|| feed(&mut producer))),
            Kind::File | Kind::AppendedFile => {
                feed(&mut producer);
                None
            }
        };
        let passed = match output {
            Kind::Pipe | Kind::Socket => {
                let draining = scope.spawn(|| drain(&mut consumer));
                run(sink);
                draining.join().unwrap()
            }
            Kind::File | Kind::AppendedFile => {
                run(sink);
                drain(&mut consumer)
            }
        };
        if let Some(feeding) = feeding {
            feeding.join().unwrap();
        }
        passed
    });
    let mut behind = [0; BEHIND.len()];
    (&source).read_exact(&mut behind).unwrap();
    assert_eq!(behind, BEHIND);
    passed
}

#[test]
fn broken_stream_on_pipes_ends_for_the_consumer() {
    // END without an HVM_CONTEXT before it, after megabytes of pages.
    let mut records: Vec<_> = vec![libxc::static_data_end()];
    records.extend(libxc::batches(0..3000, Page::normal));
    records.push(libxc::end());
    let stream = libxc::stream(Guest::Hvm, records).bytes();
    let (mut producer, source) = Kind::Pipe.open();
    let (sink, mut consumer) = Kind::Pipe.open();
    thread::scope(|scope| {
        scope.spawn(|| producer.write_all(&stream).unwrap());
        let draining = scope.spawn(|| {
            let mut passed = Vec::new();
            consumer.read_to_end(&mut passed).unwrap();
            passed
        });
        let options = Options::new(Policy::hardened()).with_format(Format::Libxc);
        let relayed = relay(&source, sink, &options);
        let violation = *relayed.result.unwrap().violation().unwrap();
        assert_eq!(
            (violation.rule, violation.offset),
            (Rule::LibxcHvmContextMissing, stream.len() as u64 - 8)
        );
        // The last byte of the pages is judged, and withheld, together with what is after it.
        assert!(draining.join().unwrap() == stream[..stream.len() - 9]);
    });
}

/// At the mark of an urgent byte a splice moves nothing, or refuses although there are bytes to be read.
#[test]
fn an_urgent_byte_does_not_end_a_tcp_stream() {
    let stream = guest_of(100);
    for blocking in [true, false] {
        let (mut producer, source) = tcp(blocking);
        let (sink, mut consumer) = Kind::Pipe.open();
        let passed = thread::scope(|scope| {
            scope.spawn(|| send_with_urgent_byte(&mut producer, &stream));
            let draining = scope.spawn(|| {
                let mut passed = Vec::new();
                consumer.read_to_end(&mut passed).unwrap();
                passed
            });
            let relayed = relay(&source, sink, &libxc_options());
            assert!(relayed.result.unwrap().is_valid(), "blocking: {blocking}");
            draining.join().unwrap()
        });
        assert!(passed == stream, "blocking: {blocking}");

        let (mut producer, source) = tcp(blocking);
        thread::scope(|scope| {
            scope.spawn(|| send_with_urgent_byte(&mut producer, &stream));
            let report = verify_fd(&source, &libxc_options()).unwrap();
            assert!(report.is_valid(), "blocking: {blocking}");
        });
    }
}

/// Two ends of a connection, the second of which is to be read.
fn tcp(blocking: bool) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let producer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (source, _) = listener.accept().unwrap();
    source.set_nonblocking(!blocking).unwrap();
    (producer, source)
}

/// Sends a stream, and an urgent byte that is no part of it among the contents of pages.
fn send_with_urgent_byte(producer: &mut TcpStream, stream: &[u8]) {
    let (one, other) = stream.split_at(stream.len() / 2);
    producer.write_all(one).unwrap();
    rustix::net::send(&producer, b"!", SendFlags::OOB).unwrap();
    producer.write_all(other).unwrap();
}

#[test]
fn an_observer_that_wants_page_contents_gets_them() {
    struct Contents(u64);
    impl Observer for Contents {
        fn wants_body(&mut self, _: &Record) -> bool {
            true
        }
        fn on_body(&mut self, _: u64, bytes: &[u8]) {
            self.0 += bytes.len() as u64;
        }
    }
    let stream = guest_of(100);
    let (mut producer, source) = Kind::File.open();
    let (sink, _consumer) = Kind::Pipe.open();
    producer.write_all(&stream).unwrap();
    let mut contents = Contents(0);
    let relayed = thread::scope(|scope| {
        let mut consumer = File::from(_consumer.as_fd().try_clone_to_owned().unwrap());
        scope.spawn(move || io::copy(&mut consumer, &mut io::sink()).unwrap());
        let relayed = Relay::new(source.as_fd(), sink.as_fd()).run(&libxc_options(), &mut contents);
        drop(sink);
        relayed
    });
    assert!(relayed.result.unwrap().is_valid());
    assert!(contents.0 > 100 * 4096, "{} bytes", contents.0);
}

#[test]
fn lost_consumer_differs_from_a_broken_stream() {
    // At once, whether or not the producer has anything more to say.
    let headers = &guest_of(1)[..40];
    let (mut producer, source) = Kind::Pipe.open();
    let (sink, mut consumer) = Kind::Pipe.open();
    thread::scope(|scope| {
        let relaying = scope.spawn(|| relay(&source, &sink, &libxc_options()));
        producer.write_all(headers).unwrap();
        let mut passed = [0; 40];
        consumer.read_exact(&mut passed).unwrap();
        assert_eq!(passed, headers);
        drop(consumer);
        let relayed = relaying.join().unwrap();
        assert!(matches!(relayed.result, Err(Error::ConsumerGone { offset: 40, .. })), "{relayed:?}");
        assert_eq!(relayed.bytes, 40);
    });
    // And while it is written to.
    for kind in [Kind::Pipe, Kind::Socket] {
        let (mut producer, source) = Kind::File.open();
        producer.write_all(&guest_of(3000)).unwrap();
        let (sink, consumer) = kind.open();
        drop(consumer);
        let relayed = relay(&source, &sink, &libxc_options());
        assert!(matches!(relayed.result, Err(Error::ConsumerGone { .. })), "{kind:?}: {relayed:?}");
    }
}

#[test]
fn errors_of_either_end_are_no_verdict() {
    // A directory cannot be read.
    let directory = tempfile::tempdir().unwrap();
    let source = File::open(directory.path()).unwrap();
    let (sink, _consumer) = Kind::Pipe.open();
    let relayed = relay(&source, &sink, &libxc_options());
    assert!(matches!(relayed.result, Err(Error::Read { offset: 0, .. })), "{relayed:?}");

    let (mut producer, source) = Kind::File.open();
    producer.write_all(&guest_of(10)).unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let relayed = relay(&source, &full, &libxc_options());
    let Err(Error::Write { offset: 0, source }) = relayed.result else { panic!("{relayed:?}") };
    assert_eq!(source.kind(), io::ErrorKind::StorageFull);

    // Neither do a reader's and a writer's own errors make one.
    let stream = minimal::hvm().bytes();
    let relayed = relay_with(Failing, Vec::new(), &libxc_options());
    assert!(matches!(relayed.result, Err(Error::Read { offset: 0, .. })), "{relayed:?}");
    let relayed = relay_with(&stream[..], Failing, &libxc_options());
    assert!(matches!(relayed.result, Err(Error::Write { offset: 0, .. })), "{relayed:?}");
    let relayed = relay_with(&stream[..], &mut [0; 50][..], &libxc_options());
    assert!(matches!(relayed.result, Err(Error::Write { offset: 50, .. })), "{relayed:?}");
}

#[test]
fn stopped_relay_passes_what_has_arrived() {
    let stream = guest_of(1);
    let torn = &stream[..stream.len() - 3];
    let (mut producer, source) = Kind::Pipe.open();
    producer.write_all(torn).unwrap();
    let (sink, _consumer) = Kind::Pipe.open();
    let (stop, mut stopper) = pipe().unwrap();
    stopper.write_all(b"!").unwrap();
    let run = || Relay::new(source.as_fd(), sink.as_fd()).stop_reading_on(stop.as_fd());
    let relayed = run().run(&libxc_options(), &mut ());
    assert!(matches!(relayed.result, Err(Error::Interrupted { .. })), "{relayed:?}");
    assert_eq!(relayed.bytes, torn.len() as u64);
}

#[test]
fn stopped_relay_does_not_wait_for_the_consumer() {
    let (mut producer, source) = Kind::File.open();
    let stream = guest_of(3000);
    producer.write_all(&stream).unwrap();
    let (sink, _consumer) = Kind::Pipe.open();
    rustix::fs::fcntl_setfl(&sink, OFlags::NONBLOCK).unwrap();
    let (stop, stopper) = pipe().unwrap();
    // Hanging up says it as well.
    drop(stopper);
    let relay = Relay::new(source.as_fd(), sink.as_fd()).stop_writing_on(stop.as_fd());
    let Relayed { bytes, result, .. } = relay.run(&libxc_options(), &mut ());
    assert!(matches!(result, Err(Error::Interrupted { .. })), "{result:?}");
    assert!(bytes > 0 && bytes < stream.len() as u64);
}

fn libxc_options() -> Options {
    Options::new(Policy::spec()).with_format(Format::Libxc)
}

/// A guest with this many pages, each of them different.
fn guest_of(pages: u64) -> Vec<u8> {
    let page = |pfn: u64| Page::normal(pfn).holding([pfn.to_le_bytes(); 512].concat());
    let batches = libxc::batches(0..pages, page);
    batches.fold(minimal::hvm(), |stream, batch| stream.before(Part::libxc(HVM_CONTEXT), batch)).bytes()
}

/// A kind of descriptor.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Pipe,
    Socket,
    File,
    AppendedFile,
}

impl Kind {
    /// The end that is written and the end that is read, for whichever of them is the relay's.
    fn open(self) -> (File, File) {
        match self {
            Kind::Pipe => {
                let (reader, writer) = pipe().unwrap();
                (File::from(OwnedFd::from(writer)), File::from(OwnedFd::from(reader)))
            }
            Kind::Socket => {
                let (one, other) = UnixStream::pair().unwrap();
                (File::from(OwnedFd::from(one)), File::from(OwnedFd::from(other)))
            }
            Kind::File | Kind::AppendedFile => {
                let file = tempfile::NamedTempFile::new().unwrap();
                let append = matches!(self, Kind::AppendedFile);
                let writer = OpenOptions::new().write(true).append(append).open(file.path()).unwrap();
                (writer, File::open(file.path()).unwrap())
            }
        }
    }
}

/// A reader that gives a few bytes at a time, and is interrupted before each piece.
struct Pieces<'a> {
    bytes: &'a [u8],
    most: usize,
    interrupted: bool,
}

impl<'a> Pieces<'a> {
    fn new(bytes: &'a [u8], most: usize) -> Pieces<'a> {
        Pieces { bytes, most, interrupted: false }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = bytes.len().min(self.most);
        self.bytes.read(&mut bytes[..most])
    }
}

/// A reader and writer that never works.
struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Other.into())
    }
}

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Other.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
