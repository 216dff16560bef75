//! Input that comes in order: pipes, sockets, terminals, anything that reads. Not one byte is taken that may belong to
//! another reader: a live stream shares its descriptor with what follows it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::SpliceFlags;
use xenstream_core::Follows;

use crate::Error;
use crate::session::{Session, Stop};
use crate::source::compressed::{self, Compression};
use crate::source::file::overfull;

/// Bytes of one read. Larger buffers fall out of the processor's cache and are slower.
pub(crate) const WINDOW: usize = 64 << 10;

/// Bytes of one read where contents can be discarded: enough for a record's header and its page frame numbers, so
/// that few bytes are copied only to be passed over.
pub(crate) const HEAD: usize = 8 + 8 + 8 * 1024;

/// Most bytes of one splice, and the size of pipe that is asked for.
pub(crate) const SPLICE: usize = 1 << 20;

/// Fewer bytes than this are read sooner than spliced by a call of their own.
pub(crate) const WORTH_SPLICING: u64 = 16 << 10;

/// How long bytes are waited for that only say what an input is which is no stream.
const SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Input that comes in order.
pub(crate) trait Stream {
    /// Waits for bytes and takes some; none at the input's end.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize>;

    /// Returns whether bytes can be skipped without being copied.
    fn discards(&self) -> bool;

    /// Passes over some bytes, at most `bytes`. 0: for some reason there were none to be passed over, and what comes
    /// next has to be read. It need not be the input's end.
    fn discard(&mut self, bytes: u64) -> io::Result<u64>;

    /// Returns whether bytes after the end of the stream belong to nothing else.
    fn ends_with_stream(&self) -> bool;

    /// Takes bytes of what is no stream, where they are there or come soon; none at the input's end. `None`: there is
    /// nothing to be had without waiting.
    fn read_at_hand(&mut self, bytes: &mut [u8]) -> Option<usize>;
}

/// Reads a stream up to its end and not beyond.
pub(crate) fn drive(stream: &mut dyn Stream, session: &mut Session<'_>) -> Result<(), Stop> {
    session.comes_in_order();
    let mut window = vec![0; WINDOW];
    let start = take_magic(stream, &mut window, session)?;
    if let Some(compression) = session.recognise(start) {
        session.bytes_read = 0;
        let ends_with_stream = stream.ends_with_stream();
        let whole = start.chain(Compressed(stream));
        return compressed::drive(compression, whole, ends_with_stream, session);
    }
    let outcome = judge(stream, start.len(), &mut window, session);
    if session.asks_for_start(&outcome) {
        show_start(stream, &mut window, session);
    }
    outcome
}

/// Judges a stream of which the first `start` bytes are in the window.
fn judge(
    stream: &mut dyn Stream,
    start: usize,
    window: &mut [u8],
    session: &mut Session<'_>,
) -> Result<(), Stop> {
    session.push(&window[..start])?;
    while !session.is_ended() {
        let need = session.need();
        if need.skippable >= WORTH_SPLICING && stream.discards() {
            let passed =
                stream.discard(need.skippable).map_err(|error| read_error(session.position(), error))?;
            if passed > 0 {
                session.skip(passed)?;
                continue;
            }
            // Only a read knows whether the input has ended. Each round passes over bytes or waits for a read.
        }
        let window = if stream.discards() { &mut window[..HEAD] } else { &mut *window };
        let bytes = read(stream, window, need.certain, session.position())?;
        if bytes.is_empty() {
            break;
        }
        session.bytes_read += bytes.len() as u64;
        session.push(bytes)?;
    }
    if session.is_ended() && stream.ends_with_stream() {
        let mut follows: Option<Follows> = None;
        // Once it is more than zeros, the rest of it makes no difference.
        while matches!(follows, None | Some(Follows::Zeros)) {
            let bytes = read(stream, window, u64::MAX, session.position())?;
            if bytes.is_empty() {
                break;
            }
            follows = Some(follows.map_or_else(|| Follows::of(bytes), |before| before.and(bytes)));
        }
        if let Some(follows) = follows {
            session.trailing_data(follows)?;
        }
    }
    session.finish()
}

/// Shows the session what else is at hand of an input that is no stream.
fn show_start(stream: &mut dyn Stream, window: &mut [u8], session: &mut Session<'_>) {
    let mut have = session.first_bytes().len();
    window[..have].copy_from_slice(session.first_bytes());
    let mut is_whole = false;
    while have < window.len() {
        match stream.read_at_hand(&mut window[have..]) {
            Some(0) => {
                is_whole = true;
                break;
            }
            Some(more) => have += more,
            None => break,
        }
    }
    session.show_start(&window[..have], is_whole);
}

/// The first few bytes, by which a compressor is told. They surely belong to the stream: every header is longer.
fn take_magic<'w>(
    stream: &mut dyn Stream,
    window: &'w mut [u8],
    session: &mut Session<'_>,
) -> Result<&'w [u8], Error> {
    let certain = session.need().certain;
    let mut have = 0;
    while have < Compression::MAGIC_MAX {
        let bytes = read(stream, &mut window[have..], certain - have as u64, have as u64)?.len();
        if bytes == 0 {
            break;
        }
        have += bytes;
    }
    session.bytes_read = have as u64;
    Ok(&window[..have])
}

/// Reads at most `certain` bytes.
fn read<'w>(
    stream: &mut dyn Stream,
    window: &'w mut [u8],
    certain: u64,
    offset: u64,
) -> Result<&'w [u8], Error> {
    let wanted = window.len().min(usize::try_from(certain).unwrap_or(usize::MAX));
    let bytes = stream.read(&mut window[..wanted]).map_err(|error| read_error(offset, error))?;
    window[..wanted].get(..bytes).ok_or_else(|| read_error(offset, overfull()))
}

fn read_error(offset: u64, source: io::Error) -> Error {
    Error::Read { offset, source }
}

/// A stream as a decompressor reads it.
struct Compressed<'s>(&'s mut dyn Stream);

impl Read for Compressed<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

/// Anything that reads.
pub(crate) struct Reader<'r>(pub(crate) &'r mut dyn Read);

impl Stream for Reader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn discards(&self) -> bool {
        false
    }

    fn discard(&mut self, _: u64) -> io::Result<u64> {
        Ok(0)
    }

    fn ends_with_stream(&self) -> bool {
        false
    }

    fn read_at_hand(&mut self, _: &mut [u8]) -> Option<usize> {
        None
    }
}

/// A pipe, socket or terminal.
pub(crate) struct Descriptor<'fd> {
    fd: BorrowedFd<'fd>,
    /// Where page contents are spliced to; only a pipe can be spliced.
    null: Option<File>,
    /// It is a file after all, though one that does not tell its size.
    is_file: bool,
}

impl<'fd> Descriptor<'fd> {
    pub(crate) fn new(fd: BorrowedFd<'fd>) -> Result<Descriptor<'fd>, Error> {
        let stat = rustix::fs::fstat(fd).map_err(|error| Error::Inspect(error.into()))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let null = (kind == FileType::Fifo).then(null_device).flatten();
        if null.is_some() {
            // A larger pipe is worth a lot, and nothing is lost where the system has none to give.
            let _ = rustix::pipe::fcntl_setpipe_size(fd, SPLICE);
        }
        Ok(Descriptor { fd, null, is_file: kind == FileType::RegularFile })
    }

    /// Repeats a call that a signal interrupts, and waits where the descriptor would not.
    fn retry<T>(&self, mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
        let mut pace = Pace::default();
        loop {
            match call() {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    pace.rest();
                    let mut fds = [PollFd::from_borrowed_fd(self.fd, PollFlags::IN)];
                    match rustix::event::poll(&mut fds, None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error),
                    }
                }
                result => return result,
            }
        }
    }
}

impl Stream for Descriptor<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(self.retry(|| rustix::io::read(self.fd, &mut *bytes))?)
    }

    fn discards(&self) -> bool {
        self.null.is_some()
    }

    fn discard(&mut self, bytes: u64) -> io::Result<u64> {
        let Some(null) = &self.null else { return Ok(0) };
        let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(SPLICE);
        match rustix::pipe::splice(self.fd, None, null, None, length, SpliceFlags::MOVE) {
            Ok(n) => Ok(n as u64),
            // A read waits.
            Err(Errno::INTR | Errno::AGAIN) => Ok(0),
            // Some systems and sandboxes refuse to splice.
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => {
                self.null = None;
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn ends_with_stream(&self) -> bool {
        self.is_file
    }

    fn read_at_hand(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let mut fds = [PollFd::from_borrowed_fd(self.fd, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&SOON)) {
            Ok(1..) => rustix::io::read(self.fd, bytes).ok(),
            _ => None,
        }
    }
}

/// Keeps a loop from spinning over a descriptor that is said to be ready and never is.
///
/// A call that would wait is followed by a poll and tried again. That it then would wait again can happen once, where
/// another reader was quicker; from the second time on the next try is put off.
#[derive(Default)]
pub(crate) struct Pace {
    refused: u32,
}

impl Pace {
    /// The longest rest is 2 to this power of milliseconds.
    const LONGEST: u32 = 5;

    pub(crate) fn rest(&mut self) {
        if self.refused > 1 {
            thread::sleep(Duration::from_millis(1 << self.refused.min(Pace::LONGEST)));
        }
        self.refused += 1;
    }
}

/// The null device. What stands under its name may be something else, such as a file that would fill up with guest
/// memory.
fn null_device() -> Option<File> {
    let null = OpenOptions::new().write(true).open("/dev/null").ok()?;
    let stat = rustix::fs::fstat(&null).ok()?;
    let is_null = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) == (1, 3);
    is_null.then_some(null)
}
