//! Passes a stream on while it is verified, in constant memory.
//!
//! The promise: **the consumer never receives the last byte of a record that breaks a rule**, nor an END that closes an
//! incomplete stream. The exceptions are findings that a later record decides: an emulator record before LIBXC_CONTEXT of a
//! PV guest (decided at the domain header), and under `restore` an unknown optional record between two checkpoints (at the
//! second CHECKPOINT) and the state of a PV vcpu, which may still be replaced (at END or CHECKPOINT). In these cases, the
//! consumer never receives the last byte of that later record. `hardened` has no exceptions.
//!
//! Bytes are read, judged, and only then written. Page contents and other bytes that no rule needs move inside the kernel if
//! possible, all but the last byte: a decision that a layer makes at their end comes before that byte is written. The output
//! is always a prefix of the input. Nothing after the end of the stream is consumed from the input.
//!
//! A stream in zstd frames is passed on unchanged, and its decompressed contents are judged.

#[cfg(feature = "decompress")]
mod compressed;
mod descriptors;

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use xenstream_core::Observer;

#[cfg(feature = "decompress")]
use crate::Compression;
use crate::relay::descriptors::Descriptors;
use crate::session::{Session, Stop};
use crate::source::file::overfull;
use crate::source::stream::{HEAD, WINDOW, WORTH_SPLICING};
use crate::{Error, Options, Report};

/// The result of a relay.
#[derive(Debug)]
#[non_exhaustive]
pub struct Relayed {
    /// Number of bytes that were passed on.
    pub bytes: u64,
    /// The report on a valid or a refused stream. An input that ends inside the stream is refused with `stream::truncated`. An
    /// error means that the relay was aborted: because of the input ([`Error::Read`]) or the output ([`Error::Write`]), or
    /// because the reader of the output has gone ([`Error::ConsumerGone`]).
    pub result: Result<Report, Error>,
}

/// Verifies a stream on its way from one descriptor to another. Both may be of any kind, blocking or not.
///
/// The consumer of a refused stream sees the stream end. Pass the output by value, so that it is closed when this function
/// returns. Even a policy that [keeps going](crate::Policy::with_keep_going) stops at the first finding.
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

/// Verifies a stream on its way from a reader to a writer. No byte after the end of the stream is read. The writer is flushed.
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

/// A relay between two descriptors that can be stopped while it waits.
#[derive(Clone, Copy, Debug)]
pub struct Relay<'fd> {
    input: BorrowedFd<'fd>,
    output: BorrowedFd<'fd>,
    stop_reading: Option<BorrowedFd<'fd>>,
    stop_writing: Option<BorrowedFd<'fd>>,
}

impl<'fd> Relay<'fd> {
    /// Creates a relay from one descriptor to another.
    #[must_use]
    pub const fn new(input: BorrowedFd<'fd>, output: BorrowedFd<'fd>) -> Relay<'fd> {
        Relay { input, output, stop_reading: None, stop_writing: None }
    }

    /// Returns the relay that stops waiting for input when this descriptor is readable or hung up. It passes on the input that
    /// has already arrived, and ends with [`Error::Interrupted`].
    #[must_use]
    pub const fn stop_reading_on(mut self, stop: BorrowedFd<'fd>) -> Relay<'fd> {
        self.stop_reading = Some(stop);
        self
    }

    /// Returns the relay that stops waiting for the consumer when this descriptor is readable or hung up. It ends with
    /// [`Error::Interrupted`] if the output is full. The output must be non-blocking.
    #[must_use]
    pub const fn stop_writing_on(mut self, stop: BorrowedFd<'fd>) -> Relay<'fd> {
        self.stop_writing = Some(stop);
        self
    }

    /// Verifies and passes on one stream, and passes events to an observer. If the observer wants the bodies of PAGE_DATA, they
    /// must be copied.
    pub fn run(self, options: &Options, observer: &mut dyn Observer) -> Relayed {
        match Descriptors::new(&self) {
            Ok(mut ends) => run(&mut ends, options, Some(observer)),
            Err(error) => Relayed { bytes: 0, result: Err(error) },
        }
    }
}

/// The two ends of a relay.
trait Ends {
    /// Waits for bytes and takes some; 0 at the end of the input.
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Fault>;

    /// Passes on some of these bytes, at least one.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Fault>;

    /// Writes out any buffered bytes.
    fn flush(&mut self) -> Result<(), Fault>;

    /// Returns whether bytes can pass without being copied.
    fn moves(&self) -> bool;

    /// Waits for bytes and passes on at most `bytes`. 0 means that nothing could be moved, and the next bytes must be read; it
    /// is not necessarily the end of the input.
    fn pass(&mut self, bytes: u64) -> Result<u64, Fault>;
}

/// The failure of one end of a relay.
#[derive(Debug)]
enum Fault {
    Read(io::Error),
    Write(io::Error),
    Interrupted,
}

impl Fault {
    /// Converts the failure after `read` and `passed` bytes into an error.
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

/// Passes on the stream, up to its end or the first violation.
fn drive(ends: &mut dyn Ends, session: &mut Session<'_>, passed: &mut u64) -> Result<(), Stop> {
    session.comes_in_order();
    let mut window = vec![0; WINDOW];
    #[cfg(feature = "decompress")]
    {
        let start = take_start(ends, &mut window[..compressed::FRAME_MIN], session, *passed)?;
        if let Some(Compression::Zstd) = session.recognise(start) {
            return compressed::drive(ends, session, start, passed);
        }
        session.bytes_read += start.len() as u64;
        judge(start, session)?;
        write(ends, start, passed).map_err(|fault| fault.at(session.position(), *passed))?;
    }
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

/// Waits for the first bytes of the input, enough to detect compression.
#[cfg(feature = "decompress")]
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

/// Judges bytes, and finishes the stream if they end it.
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

/// Any reader and any writer.
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
