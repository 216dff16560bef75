//! `xenstream verify --progress`: how far the work is, on standard error.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use xenstream::batch::Target;
use xenstream::{Compression, Header, Observer, PageBatch, Pfns, Record, Violation};

/// Work that takes no longer is not worth a word.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often a terminal is drawn anew, and a line is written elsewhere.
const DRAWN: Duration = Duration::from_millis(100);
const WRITTEN: Duration = Duration::from_secs(1);

/// Bytes that pass before anybody is told: between threads that costs more than to verify a small record.
const STEP: u64 = 1 << 20;

const MEASURED: &str = "{bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
const UNMEASURED: &str = "{spinner} {binary_bytes}, {binary_bytes_per_sec}";

/// When to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless that is where records are listed.
    Auto,
    /// Always; line by line where it is no terminal.
    Always,
    /// Never.
    Never,
}

/// How many bytes have been verified, of all images together.
pub(crate) struct Meter {
    passed: AtomicU64,
    bar: Option<ProgressBar>,
    /// What was written last where it is written line by line: the bytes at that time. A state is written once, and none
    /// after the verdict that it leads to. Held while something is written, so that lines do not mix.
    written: Option<Mutex<Option<u64>>>,
}

impl Meter {
    /// Verifies these targets by `work`, and shows how far it is. `lists` tells that records are listed as they pass.
    pub(crate) fn watch<T>(when: When, lists: bool, targets: &[Target], work: impl FnOnce(&Meter) -> T) -> T {
        let is_terminal = io::stderr().is_terminal();
        let shows = match when {
            When::Auto => is_terminal && !(lists && io::stdout().is_terminal()),
            When::Always => true,
            When::Never => false,
        };
        let passed = AtomicU64::new(0);
        if !shows {
            return work(&Meter { passed, bar: None, written: None });
        }
        let (template, length) = match length(targets) {
            Some(length) => (MEASURED, Some(length)),
            None => (UNMEASURED, None),
        };
        let bar =
            ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden()).with_style(style(template));
        let written = (!is_terminal).then(Mutex::default);
        let meter = Meter { passed, bar: Some(bar.clone()), written };
        thread::scope(|scope| {
            let (working, done) = mpsc::channel();
            let meter = &meter;
            scope.spawn(move || meter.show(&bar, is_terminal, &done));
            let outcome = work(meter);
            drop(working);
            outcome
        })
    }

    /// An observer that tells of what another one observes.
    pub(crate) fn observer<O>(&self, inner: O) -> Watched<'_, O> {
        Watched { meter: self, told: 0, inner }
    }

    /// Prints something, out of the progress bar's way.
    pub(crate) fn print<T>(&self, print: impl FnOnce() -> T) -> T {
        match (&self.bar, &self.written) {
            (_, Some(written)) => {
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                let printed = print();
                *written = Some(self.passed.load(Ordering::Relaxed));
                printed
            }
            (Some(bar), None) => bar.suspend(print),
            (None, None) => print(),
        }
    }

    /// Shows it until the work is done.
    fn show(&self, bar: &ProgressBar, is_terminal: bool, done: &Receiver<()>) {
        if done.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        let interval = if is_terminal { DRAWN } else { WRITTEN };
        bar.set_draw_target(if is_terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::term_like(Box::new(Lines))
        });
        loop {
            self.draw(bar);
            if done.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        bar.finish_and_clear();
    }

    fn draw(&self, bar: &ProgressBar) {
        let mut written = self.written.as_ref().map(|it| it.lock().unwrap_or_else(PoisonError::into_inner));
        let passed = self.passed.load(Ordering::Relaxed);
        if let Some(written) = &mut written
            && written.replace(passed) == Some(passed)
        {
            return;
        }
        bar.set_position(passed);
        bar.tick();
    }
}

/// An observer, and how far its image has been told of.
pub(crate) struct Watched<'m, O> {
    meter: &'m Meter,
    told: u64,
    inner: O,
}

impl<O> Watched<'_, O> {
    /// The other observer, once its image, of this many bytes, has been verified.
    pub(crate) fn into_inner(mut self, bytes: u64) -> O {
        self.tell(bytes);
        self.inner
    }

    fn pass(&mut self, offset: u64) {
        if offset.saturating_sub(self.told) >= STEP {
            self.tell(offset);
        }
    }

    fn tell(&mut self, offset: u64) {
        self.meter.passed.fetch_add(offset.saturating_sub(self.told), Ordering::Relaxed);
        self.told = offset;
    }
}

impl<O: Observer> Observer for Watched<'_, O> {
    fn wants_body(&mut self, record: &Record) -> bool {
        self.inner.wants_body(record)
    }

    fn header(&mut self, header: &Header) {
        self.inner.header(header);
    }

    fn record(&mut self, record: &Record) {
        self.pass(record.offset);
        self.inner.record(record);
    }

    fn body(&mut self, offset: u64, bytes: &[u8]) {
        self.inner.body(offset, bytes);
    }

    fn pfns(&mut self, entries: Pfns<'_>) {
        self.inner.pfns(entries);
    }

    fn page_batch(&mut self, batch: &PageBatch) {
        self.inner.page_batch(batch);
    }

    fn warning(&mut self, warning: &Violation) {
        self.inner.warning(warning);
    }

    fn finding(&mut self, finding: &Violation) {
        self.inner.finding(finding);
    }
}

/// Bytes to verify, where all of it are files of which that can be told.
fn length(targets: &[Target]) -> Option<u64> {
    targets.iter().try_fold(0u64, |sum, target| match target {
        Target::File(path) => sum.checked_add(file_length(path)?),
        Target::Stdin | Target::Directory(_) | Target::AllOf(_) => None,
    })
}

fn file_length(path: &Path) -> Option<u64> {
    // To open a FIFO would take its writer by surprise.
    let length = path.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    let mut start = Vec::new();
    File::open(path).ok()?.take(Compression::MAGIC_MAX as u64).read_to_end(&mut start).ok()?;
    Compression::recognise(&start).is_none().then_some(length)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Standard error where it is no terminal: a bar is written line by line, and nothing is moved or cleared.
#[derive(Debug)]
struct Lines;

impl TermLike for Lines {
    fn width(&self) -> u16 {
        100
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        // What else comes is there to overwrite the line before.
        match text.trim() {
            "" => Ok(()),
            text => writeln!(io::stderr(), "{text}"),
        }
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_sound() {
        for template in [MEASURED, UNMEASURED] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }

    #[test]
    fn the_length_is_told_where_it_is_known() {
        let plain = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(plain.path(), [7; 100]).unwrap();
        let zstd = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(zstd.path(), zstd::encode_all(&[7; 100][..], 1).unwrap()).unwrap();
        let [plain, zstd] = [plain.path(), zstd.path()].map(|path| Target::File(path.to_owned()));
        assert_eq!(length(&[plain.clone(), plain.clone()]), Some(200));
        for other in [zstd, Target::Stdin, Target::Directory("/".into()), Target::File("/dev/null".into())] {
            assert_eq!(length(&[plain.clone(), other.clone()]), None, "{other:?}");
        }
    }

    #[test]
    fn every_byte_is_told_once() {
        let meter = Meter { passed: AtomicU64::new(0), bar: None, written: None };
        let mut observers = [meter.observer(()), meter.observer(())];
        for observer in &mut observers {
            for offset in [10, STEP - 1, STEP, 3 * STEP + 5] {
                observer.pass(offset);
            }
        }
        assert_eq!(meter.passed.load(Ordering::Relaxed), 2 * (3 * STEP + 5));
        for observer in observers {
            observer.into_inner(4 * STEP);
        }
        assert_eq!(meter.passed.load(Ordering::Relaxed), 8 * STEP);
    }
}
