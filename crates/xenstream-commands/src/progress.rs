//! `--progress`: shows progress on standard error.

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

/// How long the work must take before progress is shown.
const PATIENCE: Duration = Duration::from_millis(500);

/// The intervals at which a terminal is redrawn, and a line is written elsewhere.
const DRAWN: Duration = Duration::from_millis(100);
const WRITTEN: Duration = Duration::from_secs(1);

/// Bytes between two updates. Updating a counter shared by threads costs more than verifying a small record.
const STEP: u64 = 1 << 20;

const MEASURED: &str = "{bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
const UNMEASURED: &str = "{spinner} {binary_bytes}, {binary_bytes_per_sec}";

/// When to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless it shows the list of records.
    Auto,
    /// Always; as separate lines if standard error is not a terminal.
    Always,
    /// Never.
    Never,
}

/// Counts the bytes verified, over all images.
pub(crate) struct Meter {
    passed: AtomicU64,
    bar: Option<ProgressBar>,
    /// The number of bytes in the line written last, if progress is written as lines. The same number is not written twice,
    /// nor after the verdict that it leads to. Locked while anything is written, so that lines do not mix.
    written: Option<Mutex<Option<u64>>>,
}

impl Meter {
    /// Runs `work`, which verifies these targets, and shows its progress. `lists` says that it lists records.
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

    /// Wraps an observer to count the bytes that it observes.
    pub(crate) fn observer<O>(&self, inner: O) -> Watched<'_, O> {
        Watched { meter: self, reported: 0, inner }
    }

    /// Counts anew, towards another number of bytes.
    pub(crate) fn restart(&self, length: u64) {
        self.passed.store(0, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_style(style(MEASURED));
            bar.set_length(length);
            bar.set_position(0);
            bar.reset_eta();
        }
    }

    /// Sets the number of bytes passed.
    pub(crate) fn reach(&self, bytes: u64) {
        self.passed.store(bytes, Ordering::Relaxed);
    }

    /// Prints something without disturbing the progress bar.
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

    /// Shows progress until the work is done.
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

/// An observer, and the number of bytes of its image that the meter has counted.
pub(crate) struct Watched<'m, O> {
    meter: &'m Meter,
    reported: u64,
    inner: O,
}

impl<O> Watched<'_, O> {
    /// Counts the rest of the image, which has this many bytes, and returns the inner observer.
    pub(crate) fn into_inner(mut self, bytes: u64) -> O {
        self.tell(bytes);
        self.inner
    }

    fn pass(&mut self, offset: u64) {
        if offset.saturating_sub(self.reported) >= STEP {
            self.tell(offset);
        }
    }

    fn tell(&mut self, offset: u64) {
        self.meter.passed.fetch_add(offset.saturating_sub(self.reported), Ordering::Relaxed);
        self.reported = offset;
    }
}

impl<O: Observer> Observer for Watched<'_, O> {
    fn wants_body(&mut self, record: &Record) -> bool {
        self.inner.wants_body(record)
    }

    fn on_header(&mut self, header: &Header) {
        self.inner.on_header(header);
    }

    fn on_record(&mut self, record: &Record) {
        self.pass(record.offset);
        self.inner.on_record(record);
    }

    fn on_body(&mut self, offset: u64, bytes: &[u8]) {
        self.inner.on_body(offset, bytes);
    }

    fn on_pfns(&mut self, entries: Pfns<'_>) {
        self.inner.on_pfns(entries);
    }

    fn on_page_batch(&mut self, batch: &PageBatch) {
        self.inner.on_page_batch(batch);
    }

    fn on_warning(&mut self, warning: &Violation) {
        self.inner.on_warning(warning);
    }

    fn on_finding(&mut self, finding: &Violation) {
        self.inner.on_finding(finding);
    }
}

/// Returns the number of bytes to verify, if all targets are files of known length.
fn length(targets: &[Target]) -> Option<u64> {
    targets.iter().try_fold(0u64, |sum, target| match target {
        Target::File(path) => sum.checked_add(file_length(path)?),
        Target::Stdin | Target::Directory(_) | Target::AllOf(_) | Target::Elsewhere(_) => None,
    })
}

fn file_length(path: &Path) -> Option<u64> {
    // Opening a FIFO would unblock its writer.
    let length = path.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    let mut start = Vec::new();
    File::open(path).ok()?.take(Compression::MAGIC_MAX as u64).read_to_end(&mut start).ok()?;
    Compression::recognise(&start).is_none().then_some(length)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Standard error that is not a terminal: each state of the bar is a line, and nothing is moved or cleared.
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
        // Blank writes only overwrite the previous line.
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
    fn templates_are_valid() {
        for template in [MEASURED, UNMEASURED] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }

    #[test]
    fn length_is_known_for_plain_files_only() {
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
    fn every_byte_is_counted_once() {
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
