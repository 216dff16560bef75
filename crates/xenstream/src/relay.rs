//! Passes a stream on while it is verified, in constant memory.
//!
//! The promise: **the consumer never gets the last byte of a record that broke a rule**, nor an END that closes an
//! incomplete stream; where only a later header shows that a record is wrong, it never gets the last byte of that one. So it
//! is under `restore` with the state of a PV vcpu, which a later record may replace until END or CHECKPOINT comes.
//! Bytes are read, judged, and only then written. Contents of pages and other bytes at which no rule looks are moved
//! inside the kernel where it can do that, all but the last one: what a layer decides where they end, as that a chain
//! has no END, is decided before that one is written. What comes out is always the beginning of what went in. Nothing
//! after the stream's end is taken from the input, so that the next reader finds it.
//!
//! Of a stream in zstd frames the original bytes are passed on, and [what they decompress to](compressed) is judged.

mod compressed;
mod descriptors;

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use xenstream_core::Observer;

use crate::relay::descriptors::Descriptors;
use crate::session::{Session, Stop};
use crate::source::file::overfull;
use crate::source::stream::{HEAD, WINDOW, WORTH_SPLICING};
use crate::{Compression, Error, Options, Report};

/// What came of a relay.
#[derive(Debug)]
#[non_exhaustive]
pub struct Relayed {
    /// Bytes that were passed on.
    pub bytes: u64,
    /// The report, of a valid stream or of one that was refused; an input that ends inside the stream is refused with
    /// `stream::truncated`. An error says that the relay broke off: of the input ([`Error::Read`]), of the output
    /// ([`Error::Write`]), or because nobody reads it any more ([`Error::ConsumerGone`]).
    pub result: Result<Report, Error>,
}

/// Verifies a stream on its way from one descriptor to another, both of any kind, blocking or not.
///
/// The consumer of a stream that was refused learns of it by its end: pass an output by value, and it is closed when
/// this returns. A policy that [keeps going](crate::Policy::with_keep_going) stops at the first finding here.
///
/// ```no_run
/// use std::io::{stdin, stdout};
/// use xenstream::{Options, Policy, relay};
///
/// let relayed = relay(stdin(), stdout(), &Options::new(Policy::hardened()));
/// assert!(relayed.result.unwrap().is_valid());
/// ```
pub fn relay(input: impl AsFd, output: impl AsFd, options: &Options) -> Relayed {
    Relay::new(input.as_fd(), output.as_fd()).run(options, &mut ())
}

/// Verifies a stream on its way from a reader to a writer. The reader is not asked for bytes after the stream's end;
/// the writer is flushed.
///
/// ```
/// use xenstream::{Options, relay_with};
///
/// let mut passed = Vec::new();
/// let relayed = relay_with(&b"not an image"[..], &mut passed, &Options::default());
/// assert_eq!(relayed.result.unwrap().violation().unwrap().rule.name(), "stream::unrecognised");
/// assert!(passed.is_empty());
/// ```
pub fn relay_with(reader: impl Read, writer: impl Write, options: &Options) -> Relayed {
    run(&mut Copying { reader, writer }, options, None)
}

/// A relay between two descriptors that can be told to wait no longer.
#[derive(Clone, Copy, Debug)]
pub struct Relay<'fd> {
    input: BorrowedFd<'fd>,
    output: BorrowedFd<'fd>,
    stop_reading: Option<BorrowedFd<'fd>>,
    stop_writing: Option<BorrowedFd<'fd>>,
}

impl<'fd> Relay<'fd> {
    /// A relay from one descriptor to another.
    #[must_use]
    pub const fn new(input: BorrowedFd<'fd>, output: BorrowedFd<'fd>) -> Relay<'fd> {
        Relay { input, output, stop_reading: None, stop_writing: None }
    }

    /// The same, but once this descriptor can be read or is hung up, no further input is waited for: what is there is
    /// passed on, then the relay ends with [`Error::Interrupted`].
    #[must_use]
    pub const fn stop_reading_on(mut self, stop: BorrowedFd<'fd>) -> Relay<'fd> {
        self.stop_reading = Some(stop);
        self
    }

    /// The same, but once this descriptor can be read or is hung up, the consumer is not waited for: the relay ends
    /// with [`Error::Interrupted`] when the output is full. The output has to be non-blocking.
    #[must_use]
    pub const fn stop_writing_on(mut self, stop: BorrowedFd<'fd>) -> Relay<'fd> {
        self.stop_writing = Some(stop);
        self
    }

    /// Verifies and passes on one stream, and tells an observer what is in it. An observer that wants the bodies of
    /// PAGE_DATA makes them be copied.
    pub fn run(self, options: &Options, observer: &mut dyn Observer) -> Relayed {
        match Descriptors::new(&self) {
            Ok(mut ends) => run(&mut ends, options, Some(observer)),
            Err(error) => Relayed { bytes: 0, result: Err(error) },
        }
    }
}

/// The two ends of a relay.
trait Ends {
    /// Waits for bytes and takes some; none at the input's end.
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Fault>;

    /// Passes on some of these bytes, at least one.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Fault>;

    /// Nothing may be left behind in a buffer.
    fn flush(&mut self) -> Result<(), Fault>;

    /// Returns whether bytes can pass without being copied.
    fn moves(&self) -> bool;

    /// Waits for bytes and passes some on, at most `bytes`. 0: for some reason nothing was moved, and what comes next
    /// has to be read. It need not be the input's end.
    fn pass(&mut self, bytes: u64) -> Result<u64, Fault>;
}

/// Why an end of a relay fails.
#[derive(Debug)]
enum Fault {
    Read(io::Error),
    Write(io::Error),
    Interrupted,
}

impl Fault {
    /// The error that this is to a caller, of the bytes that lie after `read` and `passed` others.
    fn at(self, read: u64, passed: u64) -> Error {
        match self {
            Fault::Read(source) => Error::Read { offset: read, source },
            Fault::Write(source) => Error::of_output(passed, source),
            Fault::Interrupted => Error::Interrupted { offset: passed },
        }
    }
}

fn run(ends: &mut dyn Ends, options: &Options, observer: Option<&mut dyn Observer>) -> Relayed {
    // A finding that is not the verdict at once would be passed on.
    let policy = options.policy.clone().with_keep_going(false);
    let options = Options { policy, ..options.clone() };
    let mut session = Session::new(&options, observer);
    let mut passed = 0;
    let mut outcome = drive(ends, &mut session, &mut passed);
    if let Err(fault) = ends.flush()
        && outcome.is_ok()
    {
        outcome = Err(fault.at(session.position(), passed).into());
    }
    Relayed { bytes: passed, result: session.into_report(outcome) }
}

/// Passes on the stream, up to its end or the first thing wrong with it.
fn drive(ends: &mut dyn Ends, session: &mut Session<'_>, passed: &mut u64) -> Result<(), Stop> {
    session.comes_in_order();
    let mut window = vec![0; WINDOW];
    let start = take_start(ends, &mut window[..compressed::FRAME_MIN], session, *passed)?;
    if let Some(Compression::Zstd) = session.recognise(start) {
        return compressed::drive(ends, session, start, passed);
    }
    session.bytes_read += start.len() as u64;
    judge(start, session)?;
    write(ends, start, passed).map_err(|fault| fault.at(session.position(), *passed))?;
    while !session.is_ended() {
        let need = session.need();
        if need.skippable >= WORTH_SPLICING && ends.moves() {
            let moved =
                ends.pass(need.skippable - 1).map_err(|fault| fault.at(session.position(), *passed))?;
            if moved > 0 {
                *passed += moved;
                session.skip(moved)?;
                continue;
            }
            // Only a read knows whether the input has ended: the system may refuse to move bytes that it can read, as
            // at the urgent byte of a TCP stream. Each round moves bytes, or waits for a read: none is idle.
        }
        // The last byte that was not moved, and what follows it.
        let room = if ends.moves() { 1 + HEAD } else { WINDOW };
        let certain = usize::try_from(need.certain).unwrap_or(usize::MAX);
        let bytes = &mut window[..room.min(certain)];
        let n = ends.read(bytes).map_err(|fault| fault.at(session.position(), *passed))?;
        let bytes = bytes.get(..n).ok_or_else(|| Fault::Read(overfull()).at(session.position(), *passed))?;
        if bytes.is_empty() {
            break;
        }
        session.bytes_read += n as u64;
        judge(bytes, session)?;
        write(ends, bytes, passed).map_err(|fault| fault.at(session.position(), *passed))?;
    }
    session.finish()
}

/// Waits for the first bytes of the input, as many as tell whether it is compressed.
fn take_start<'w>(
    ends: &mut dyn Ends,
    window: &'w mut [u8],
    session: &Session<'_>,
    passed: u64,
) -> Result<&'w [u8], Stop> {
    let certain = usize::try_from(session.need().certain).unwrap_or(usize::MAX);
    let most = window.len().min(certain);
    let mut have = 0;
    while have < most {
        let room = &mut window[have..most];
        let n = ends.read(room).map_err(|fault| fault.at(have as u64, passed))?;
        if n > room.len() {
            return Err(Fault::Read(overfull()).at(have as u64, passed).into());
        }
        if n == 0 {
            break;
        }
        have += n;
    }
    Ok(&window[..have])
}

/// Judges bytes, and the whole stream where they end it.
fn judge(bytes: &[u8], session: &mut Session<'_>) -> Result<(), Stop> {
    session.push(bytes)?;
    if session.is_ended() { session.finish() } else { Ok(()) }
}

fn write(ends: &mut dyn Ends, mut bytes: &[u8], passed: &mut u64) -> Result<(), Fault> {
    while !bytes.is_empty() {
        let n = ends.write(bytes)?;
        bytes = bytes.get(n..).ok_or_else(|| Fault::Write(overfull()))?;
        *passed += n as u64;
    }
    Ok(())
}

/// Anything that reads, anything that writes.
struct Copying<R, W> {
    reader: R,
    writer: W,
}

impl<R: Read, W: Write> Ends for Copying<R, W> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Fault> {
        retry(|| self.reader.read(bytes)).map_err(Fault::Read)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        match retry(|| self.writer.write(bytes)) {
            Ok(0) => Err(Fault::Write(io::ErrorKind::WriteZero.into())),
            result => result.map_err(Fault::Write),
        }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        retry(|| self.writer.flush()).map_err(Fault::Write)
    }

    fn moves(&self) -> bool {
        false
    }

    fn pass(&mut self, _: u64) -> Result<u64, Fault> {
        Ok(0)
    }
}

/// Repeats a call that a signal interrupts.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
