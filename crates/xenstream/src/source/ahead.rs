//! Reading ahead of a walk through a file. Where records will begin is guessed from where the last ones did: full
//! batches of pages are all of a size. A wrong guess costs a read and nothing else, since bytes are used only where
//! they were read from the very place that is asked for.

use std::io;
use std::iter;
use std::thread::Scope;
use std::time::Duration;

use crate::Error;
use crate::clock::Stopwatch;
use crate::source::file::{ReadAt, WINDOW, overfull};
use crate::source::prefetch::{Prefetch, Window};

/// Records whose reading is announced to the system ahead.
const HINTS: u64 = 32;

/// Reads a file at the places where a walk comes by.
pub(crate) struct Reader<'scope, 'file> {
    file: &'file dyn ReadAt,
    scope: &'scope Scope<'scope, 'file>,
    window: Window,
    course: Course,
    pace: Pace,
    prefetch: Option<Prefetch>,
    bytes_read: u64,
}

impl<'scope, 'file> Reader<'scope, 'file> {
    pub(crate) fn new(scope: &'scope Scope<'scope, 'file>, file: &'file dyn ReadAt) -> Reader<'scope, 'file> {
        Reader {
            file,
            scope,
            window: Window::default(),
            course: Course::default(),
            pace: Pace::default(),
            prefetch: None,
            bytes_read: 0,
        }
    }

    /// Reads some bytes, none at the end of a file, which is `size` bytes long as far as is known. Reads of a whole
    /// window are those at records, ahead of which is read.
    pub(crate) fn read(&mut self, offset: u64, wanted: usize, size: u64) -> Result<&[u8], Error> {
        if wanted < WINDOW {
            return self.read_now(offset, wanted);
        }
        if !self.course.follow(offset)
            && let Some(prefetch) = &mut self.prefetch
        {
            prefetch.forget();
        }
        self.look_ahead(size);
        let fetched = self.prefetch.as_mut().and_then(|prefetch| prefetch.take(offset, &mut self.window));
        if let Some(bytes) = fetched {
            return Ok(&self.window.0[..bytes]);
        }
        let started = self.pace.asks_for_time().then(Stopwatch::start);
        let bytes = self.read_now(offset, wanted)?.len();
        if let Some(started) = started {
            self.pace.note(started.elapsed());
        }
        if self.pace.asks_for_threads() && self.prefetch.is_none() {
            self.prefetch = self.file.concurrent().and_then(|file| Prefetch::start(self.scope, file));
            self.course.guessed = offset;
        }
        Ok(&self.window.0[..bytes])
    }

    /// Bytes that were read so far, used or not.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read + self.prefetch.as_ref().map_or(0, Prefetch::bytes_read)
    }

    fn look_ahead(&mut self, size: u64) {
        if let Some(prefetch) = &mut self.prefetch {
            for guess in self.course.guesses(size) {
                if !prefetch.request(guess) {
                    break;
                }
                self.course.guessed = guess;
            }
        } else if self.pace.asks_for_hints() {
            let last = self.course.last.saturating_add(self.course.stride.saturating_mul(HINTS));
            for guess in self.course.guesses(size).take_while(|guess| *guess <= last) {
                self.file.hint(guess, WINDOW as u64);
                self.course.guessed = guess;
            }
        }
    }

    fn read_now(&mut self, offset: u64, wanted: usize) -> Result<&[u8], Error> {
        let bytes = read_at(self.file, &mut self.window.0[..wanted], offset)?;
        self.bytes_read += bytes.len() as u64;
        Ok(bytes)
    }
}

/// Reads some bytes, none at the file's end.
pub(crate) fn read_at<'b>(file: &dyn ReadAt, bytes: &'b mut [u8], offset: u64) -> Result<&'b [u8], Error> {
    loop {
        match file.read_at(bytes, offset) {
            Ok(n) => return bytes.get(..n).ok_or_else(|| Error::Read { offset, source: overfull() }),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::Read { offset, source }),
        }
    }
}

/// Fills a buffer by reads that may fall short; returns how many bytes there were. Each read receives how many came
/// before.
#[cfg(any(feature = "decompress", feature = "rewrite"))]
pub(crate) fn fill<E>(
    bytes: &mut [u8],
    mut read: impl FnMut(&mut [u8], u64) -> Result<usize, E>,
) -> Result<usize, E> {
    let mut have = 0;
    while have < bytes.len() {
        match read(&mut bytes[have..], have as u64)? {
            0 => break,
            n => have += n,
        }
    }
    Ok(have)
}

/// Fills a buffer from a file; returns how many bytes there were.
#[cfg(any(feature = "decompress", feature = "rewrite"))]
pub(crate) fn fill_at(file: &dyn ReadAt, bytes: &mut [u8], offset: u64) -> Result<usize, Error> {
    fill(bytes, |bytes, done| Ok(read_at(file, bytes, offset.saturating_add(done))?.len()))
}

/// Where a walk goes.
#[derive(Debug, Default)]
struct Course {
    /// The place of the last record.
    last: u64,
    /// How far it lies after the one before, if that one lay so far after its own; otherwise 0.
    stride: u64,
    /// The last distance between records.
    distance: u64,
    /// Up to here the guesses have been used.
    guessed: u64,
}

impl Course {
    /// The walk comes by this place. False if that was not to be expected.
    fn follow(&mut self, offset: u64) -> bool {
        let distance = offset.saturating_sub(self.last);
        let expected = self.stride > 0 && distance == self.stride;
        self.last = offset;
        if !expected {
            // Records that are nearer to one another come in one window.
            let steady = distance == self.distance && distance >= WINDOW as u64;
            self.stride = if steady { distance } else { 0 };
            self.distance = distance;
            self.guessed = offset;
        }
        expected
    }

    /// The places where records will begin, those after the ones already used.
    fn guesses(&self, size: u64) -> impl Iterator<Item = u64> + use<> {
        let stride = self.stride;
        let first = (stride > 0).then(|| self.guessed.max(self.last).checked_add(stride)).flatten();
        iter::successors(first, move |guess| guess.checked_add(stride)).take_while(move |guess| *guess < size)
    }
}

/// How long reads take, and what should be done about it.
#[derive(Debug, Default)]
struct Pace {
    /// Counts reads, to time one in [`TIMED`](Pace::TIMED).
    reads: u32,
    /// Reads since the last one that was as fast as the system's cache.
    uncached: u32,
    /// Reads that are still to be made with hints ahead.
    hinted: u32,
    /// Slow reads since the last one that was not.
    slow: u32,
}

impl Pace {
    /// The cache gives a window in a few microseconds, a disk in some ten at best.
    const CACHED: Duration = Duration::from_micros(25);
    /// Hints have a local disk keep ahead. Where reads take this long all the same they do not help.
    const FAST: Duration = Duration::from_micros(250);
    /// That many in a row are no accident of scheduling.
    const PATIENCE: u32 = 4;
    const UNCACHED: u32 = 2;
    /// A hint costs about what a read from the cache does, and with hints a disk looks like the cache. So they are given
    /// for this number of reads, and again once reads have shown that they are needed.
    const HINTED: u32 = 256;
    /// To look at the clock costs a twentieth of a read from the cache: as long as reads are fast, one in this number
    /// is timed.
    const TIMED: u32 = 4;

    /// Returns whether to time the next read.
    fn asks_for_time(&mut self) -> bool {
        self.reads = self.reads.wrapping_add(1) % Pace::TIMED;
        self.reads == 1 || self.uncached > 0 || self.hinted > 0
    }

    fn note(&mut self, read: Duration) {
        self.uncached = if read > Pace::CACHED { self.uncached.saturating_add(1) } else { 0 };
        self.hinted = match self.uncached {
            0..Pace::UNCACHED => self.hinted.saturating_sub(1),
            _ => Pace::HINTED,
        };
        self.slow = if read > Pace::FAST { self.slow.saturating_add(1) } else { 0 };
    }

    fn asks_for_hints(&self) -> bool {
        self.hinted > 0
    }

    fn asks_for_threads(&self) -> bool {
        self.slow >= Pace::PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread::{self, ThreadId};

    use xenstream_core::wire::libxc::types;
    use xenstream_synth::{Page, Part, Stream, libxc, valid};

    use super::*;
    use crate::session::Session;
    use crate::source::file::drive_with;
    use crate::{Format, Options, Policy, Report};

    /// A file in memory. Reads on other threads than the one that made it fare as `fate` says, which receives how many
    /// there were before.
    struct Memory<'o> {
        bytes: &'o [u8],
        home: ThreadId,
        elsewhere: AtomicU64,
        fate: fn(u64) -> io::Result<usize>,
    }

    impl Memory<'_> {
        fn new(bytes: &[u8], fate: fn(u64) -> io::Result<usize>) -> Memory<'_> {
            Memory { bytes, home: thread::current().id(), elsewhere: AtomicU64::new(0), fate }
        }
    }

    impl ReadAt for Memory<'_> {
        fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
            let room = if thread::current().id() == self.home {
                bytes.len()
            } else {
                (self.fate)(self.elsewhere.fetch_add(1, Ordering::Relaxed))?
            };
            let rest = self.bytes.get(offset as usize..).unwrap_or_default();
            let n = room.min(rest.len()).min(bytes.len());
            bytes[..n].copy_from_slice(&rest[..n]);
            Ok(if room > bytes.len() { room } else { n })
        }

        fn size(&self) -> io::Result<u64> {
            Ok(self.bytes.len() as u64)
        }

        fn concurrent(&self) -> Option<&(dyn ReadAt + Sync)> {
            Some(self)
        }
    }

    /// A guest of batches that are all of a size, but for one in their middle.
    fn image() -> Stream {
        let batch = |first: u64| libxc::page_data(&[0, 1, 2, 3].map(|n| Page::normal(first + n)));
        let batches = |firsts: std::ops::Range<u64>| firsts.map(move |first| batch(8 * first));
        let frame = valid::hvm();
        let (head, tail) = frame.items().split_at(frame.find(Part::libxc(types::PAGE_DATA)));
        let odd = libxc::page_data(&[1, 2, 3].map(Page::normal));
        let items = batches(0..50).chain([odd]).chain(batches(50..100));
        Stream::new(Format::Libxc, head.iter().cloned().chain(items).chain(tail.iter().cloned()))
    }

    /// The report on a file that is read on threads from the start.
    fn on_threads(file: &Memory<'_>) -> Report {
        let mut observer = ();
        let mut session = Session::new(&Options::new(Policy::spec()), Some(&mut observer));
        let outcome = thread::scope(|scope| {
            let mut reader = Reader::new(scope, file);
            reader.prefetch = Prefetch::start(scope, file);
            assert!(reader.prefetch.is_some());
            drive_with(&mut reader, file, &mut session)
        });
        session.into_report(outcome).unwrap()
    }

    #[test]
    fn prefetching_changes_no_verdict() {
        let whole = |_| Ok(WINDOW);
        let short = |n| Ok(1 + n as usize % WINDOW);
        let empty = |n| Ok(if n % 3 == 0 { 0 } else { WINDOW });
        let failing = |n| if n % 2 == 0 { Err(io::ErrorKind::Other.into()) } else { Ok(WINDOW) };
        let interrupted = |_| Err(io::ErrorKind::Interrupted.into());
        let lying = |_| Ok(WINDOW + 1);
        let stream = image();
        let broken = stream.clone().edited(libxc::CLOCK, 28, xenstream_synth::Field::U32(1));
        let bytes = [stream.bytes(), broken.bytes()];
        let cut = bytes[0].len() - bytes[0].len() / 3;
        for (bytes, valid) in [(&bytes[0][..], true), (&bytes[1], false), (&bytes[0][..cut], false)] {
            let expected = crate::verify_slice(bytes, &Options::new(Policy::spec())).unwrap();
            assert_eq!(expected.is_valid(), valid);
            for fate in [whole, short, empty, failing, interrupted, lying] {
                let file = Memory::new(bytes, fate);
                let report = on_threads(&file);
                assert_eq!(report.violation(), expected.violation());
                assert_eq!(report.summary, expected.summary);
                let asked = file.elsewhere.into_inner();
                assert!(asked > 50, "only {asked} reads on threads");
            }
        }
    }

    #[test]
    fn panicking_reader_thread_does_not_block() {
        let bytes = image().bytes();
        let file = Memory::new(&bytes, |n| if n == 7 { panic!("as it should") } else { Ok(WINDOW) });
        assert!(on_threads(&file).is_valid());
    }

    #[test]
    fn places_are_guessed_from_equal_distances() {
        const STRIDE: u64 = WINDOW as u64;
        let mut course = Course::default();
        let mut guesses = |offset, size| {
            let expected = course.follow(offset);
            (expected, course.guesses(size).take(3).collect::<Vec<_>>())
        };
        assert_eq!(guesses(0, u64::MAX), (false, vec![]));
        assert_eq!(guesses(100, u64::MAX), (false, vec![]));
        assert_eq!(guesses(100 + STRIDE, u64::MAX), (false, vec![]));
        // Two equal distances.
        let third = 100 + 2 * STRIDE;
        assert_eq!(guesses(third, third + 2 * STRIDE), (false, vec![third + STRIDE]));
        assert_eq!(guesses(third + STRIDE, u64::MAX).1.len(), 3);
        // One byte off, and all guesses are void.
        assert_eq!(guesses(third + 2 * STRIDE + 1, u64::MAX), (false, vec![]));
        // Nothing lies after the last offset there is.
        assert_eq!(guesses(u64::MAX - STRIDE, u64::MAX), (false, vec![]));
        assert_eq!(guesses(u64::MAX, u64::MAX), (false, vec![]));
    }

    #[test]
    fn hints_are_for_reads_that_are_not_cached() {
        let (fast, disk) = (Duration::from_micros(4), Duration::from_micros(100));
        let mut pace = Pace::default();
        // Now and then a read is held up.
        for read in [fast, disk, fast, disk, fast] {
            pace.note(read);
            assert!(!pace.asks_for_hints());
        }
        pace.note(disk);
        pace.note(disk);
        // What is hinted at is fast; whether it would be without can be seen only without.
        for _ in 0..Pace::HINTED {
            assert!(pace.asks_for_hints());
            pace.note(fast);
        }
        assert!(!pace.asks_for_hints());
        pace.note(disk);
        assert!(!pace.asks_for_hints());
        pace.note(disk);
        assert!(pace.asks_for_hints());
    }

    #[test]
    fn fast_reads_are_rarely_timed() {
        let timed_of_eight = |read: Duration| {
            let mut pace = Pace::default();
            let timed = (0..8).filter(|_| {
                let asks = pace.asks_for_time();
                if asks {
                    pace.note(read);
                }
                asks
            });
            timed.count()
        };
        assert_eq!(timed_of_eight(Duration::from_micros(4)), 2);
        // From the first slow one on, which is the very first, each is.
        assert_eq!(timed_of_eight(Duration::from_micros(100)), 8);
    }

    #[test]
    fn threads_are_for_reads_that_stay_slow() {
        let (disk, slow) = (Duration::from_micros(100), Duration::from_micros(300));
        let mut pace = Pace::default();
        for read in [slow, slow, slow, disk, slow, slow, slow] {
            pace.note(read);
            assert!(!pace.asks_for_threads());
        }
        pace.note(slow);
        assert!(pace.asks_for_threads() && pace.asks_for_hints());
    }
}
