//! Many images at once: on all cores, with as many open descriptors as threads, and with results in order.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use xenstream_core::Observer;

use crate::{Error, Input, Options, Report, verify, walk};

/// What to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard input, which reports call `-`.
    Stdin,
    /// A file. Whatever it holds is reported on.
    File(PathBuf),
    /// Every regular file below a directory. Those that are not images at all are passed over; if none is one, that is
    /// an [error](Error::NoImage).
    Directory(PathBuf),
}

impl Target {
    /// The target of this name: `-` is standard input.
    #[must_use]
    pub fn from_path(path: &Path) -> Target {
        if path == Path::new("-") {
            Target::Stdin
        } else if path.is_dir() {
            Target::Directory(path.to_owned())
        } else {
            Target::File(path.to_owned())
        }
    }
}

/// What came of one image.
#[derive(Debug)]
pub struct Outcome<O> {
    /// Its name.
    pub path: PathBuf,
    /// The report.
    pub result: Result<Report, Error>,
    /// Who observed it. Absent where nothing was opened: for a directory that could not be listed or has no image.
    pub observer: Option<O>,
}

/// Verifies targets on `threads` threads (one for each core, if that is not said) and hands on the outcomes one by one,
/// in the order of the targets, each as soon as those before it are known. `observer` makes one for each image. With
/// [`ControlFlow::Break`] no further image is begun.
///
/// ```
/// use std::ops::ControlFlow;
/// use xenstream::batch::{Target, verify_all};
///
/// let targets = [Target::File("no such file".into())];
/// verify_all(&targets, &xenstream::Options::default(), None, |_| (), |outcome| {
///     assert_eq!(outcome.result.unwrap_err().kind(), "io");
///     ControlFlow::Continue(())
/// });
/// ```
pub fn verify_all<O: Observer + Send>(
    targets: &[Target],
    options: &Options,
    threads: Option<NonZero<usize>>,
    observer: impl Fn(&Path) -> O + Sync,
    each: impl FnMut(Outcome<O>) -> ControlFlow<()>,
) {
    let (images, steps) = plan(targets);
    let work = |image: &Image| {
        let mut observer = observer(&image.path);
        let stdin;
        let input = if image.is_stdin {
            stdin = io::stdin();
            Input::Descriptor(stdin.as_fd())
        } else {
            Input::Path(&image.path)
        };
        let result = verify(input, options, &mut observer);
        Outcome { path: image.path.clone(), result, observer: Some(observer) }
    };
    // To count the cores is a dozen system calls, more than a small image takes.
    let cores = || if images.len() > 1 { std::thread::available_parallelism().ok() } else { None };
    let threads = threads.or_else(cores).map_or(1, NonZero::get).min(images.len());
    if threads <= 1 {
        // Without threads an observer may write as it hears, and what it writes stands in front of the outcome.
        take_steps(steps, |image| Some(work(&images[image])), each);
        return;
    }
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (done, arrivals) = mpsc::channel();
        for _ in 0..threads {
            let (next, images, work, done) = (&next, &images, &work, done.clone());
            scope.spawn(move || {
                while let Some((index, image)) = claim(next, images) {
                    if done.send((index, work(image))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        // Outcomes that arrived before their turn.
        let mut early = BTreeMap::new();
        let in_turn = |index: usize| loop {
            if let Some(outcome) = early.remove(&index) {
                return Some(outcome);
            }
            let (arrived, outcome) = arrivals.recv().ok()?;
            early.insert(arrived, outcome);
        };
        take_steps(steps, in_turn, each);
        // Where the steps broke off, nothing more is begun.
        next.store(images.len(), Ordering::Relaxed);
    });
}

/// One image to verify.
struct Image {
    path: PathBuf,
    is_stdin: bool,
}

/// What is handed on, in order.
enum Step {
    /// The outcome of the image of this index.
    Image { index: usize, in_directory: bool },
    /// Something that could not be listed.
    Unlisted { path: PathBuf, error: Error },
    /// All of this directory has been handed on.
    DirectoryEnd { path: PathBuf },
}

fn plan(targets: &[Target]) -> (Vec<Image>, Vec<Step>) {
    let mut images = Vec::new();
    let mut steps = Vec::new();
    for target in targets {
        let mut add = |path: &Path, is_stdin, in_directory| {
            let image = Step::Image { index: images.len(), in_directory };
            images.push(Image { path: path.to_owned(), is_stdin });
            image
        };
        match target {
            Target::Stdin => steps.push(add(Path::new("-"), true, false)),
            Target::File(path) => steps.push(add(path, false, false)),
            Target::Directory(directory) => {
                steps.extend(walk::files(directory).map(|found| match found {
                    Ok(path) => add(&path, false, true),
                    Err((path, error)) => Step::Unlisted { path, error },
                }));
                steps.push(Step::DirectoryEnd { path: directory.clone() });
            }
        }
    }
    (images, steps)
}

/// Takes the next image that nobody has taken.
fn claim<'i>(next: &AtomicUsize, images: &'i [Image]) -> Option<(usize, &'i Image)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    images.get(index).map(|image| (index, image))
}

/// Hands on the outcomes. `outcome` is asked for each image once, in order; `None` ends it all.
fn take_steps<O>(
    steps: Vec<Step>,
    mut outcome: impl FnMut(usize) -> Option<Outcome<O>>,
    mut each: impl FnMut(Outcome<O>) -> ControlFlow<()>,
) {
    // Was there anything in the directory that is being handed on?
    let mut any = false;
    for step in steps {
        let outcome = match step {
            Step::Image { index, in_directory } => {
                let Some(outcome) = outcome(index) else { return };
                if in_directory && outcome.result.as_ref().is_ok_and(Report::is_unrecognised) {
                    continue;
                }
                any |= in_directory;
                outcome
            }
            Step::Unlisted { path, error } => {
                any = true;
                Outcome { path, result: Err(error), observer: None }
            }
            Step::DirectoryEnd { path } => {
                if std::mem::take(&mut any) {
                    continue;
                }
                Outcome { path, result: Err(Error::NoImage), observer: None }
            }
        };
        if each(outcome).is_break() {
            return;
        }
    }
}
