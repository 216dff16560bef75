//! Verifies many images: on all cores, with as many open descriptors as threads, and with results in order.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use xenstream_core::Observer;

use crate::{Error, Input, Options, ReadAt, Report, verify, walk};

/// A target to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller that lists targets must handle each kind")]
pub enum Target {
    /// Standard input, called `-` in outcomes.
    Stdin,
    /// A file, which is reported whatever it contains.
    File(PathBuf),
    /// Every regular file below a directory. Files that are not images, are not named like one, and do not look like a damaged
    /// one are [passed over](Outcome::passed_over). If there is no image at all, that is an [error](Error::NoImage).
    Directory(PathBuf),
    /// Every regular file below a directory, whatever it contains.
    AllOf(PathBuf),
    /// Something that is no file, and is opened in its own way.
    Elsewhere(Elsewhere),
}

/// Something that is no file, such as an object in a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Elsewhere {
    /// The name in outcomes.
    pub path: PathBuf,
    /// The name by which it is opened.
    pub name: PathBuf,
    /// Opens it.
    pub open: fn(&Path) -> Result<Box<dyn ReadAt + Send + Sync>, Error>,
}

impl Elsewhere {
    /// Creates the target with this name, which is called `path` in outcomes, and how to open it.
    #[must_use]
    pub fn new(
        path: PathBuf,
        name: PathBuf,
        open: fn(&Path) -> Result<Box<dyn ReadAt + Send + Sync>, Error>,
    ) -> Elsewhere {
        Elsewhere { path, name, open }
    }
}

impl PartialEq for Elsewhere {
    fn eq(&self, other: &Elsewhere) -> bool {
        (&self.path, &self.name) == (&other.path, &other.name)
    }
}

impl Eq for Elsewhere {}

impl Target {
    /// Returns the target with this name; `-` is standard input.
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

/// The result of verifying one image.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<O> {
    /// The name of the image.
    pub path: PathBuf,
    /// The report.
    pub result: Result<Report, Error>,
    /// Whether this is a file in a directory that is not an image. Its verdict should be reported as "passed over", and does
    /// not count. The report's [hint](Report::hint) says what the file seems to be.
    pub passed_over: bool,
    /// The observer. Absent if no file was opened: for a directory that could not be listed or has no image.
    pub observer: Option<O>,
}

/// Verifies targets on `threads` threads, by default one per core, and passes on the outcomes in the order of the targets,
/// each as soon as those before it are known. `observer` creates an observer for each image. After [`ControlFlow::Break`],
/// no further image is started.
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
        let result = match &image.place {
            Place::Stdin => verify(Input::Descriptor(io::stdin().as_fd()), options, &mut observer),
            Place::File => verify(Input::Path(&image.path), options, &mut observer),
            Place::Elsewhere(Elsewhere { name, open, .. }) => {
                open(name).and_then(|file| verify(Input::Positioned(&*file), options, &mut observer))
            }
        };
        Outcome { path: image.path.clone(), result, passed_over: false, observer: Some(observer) }
    };
    // To count the cores is a dozen system calls, more than a small image takes.
    let cores = || if images.len() > 1 { std::thread::available_parallelism().ok() } else { None };
    let threads = threads.or_else(cores).map_or(1, NonZero::get).min(images.len());
    if threads <= 1 {
        // Without threads an observer may write at each event, and what it writes precedes the outcome.
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
    place: Place,
}

/// Where an image is.
enum Place {
    Stdin,
    /// At its path.
    File,
    Elsewhere(Elsewhere),
}

/// An item to pass on, in order.
enum Step {
    /// The outcome of the file with this index, which may be passed over if it is not an image.
    Image { index: usize, may_be_none: bool },
    /// Something that could not be listed.
    Unlisted { path: PathBuf, error: Error },
    /// What follows is in a directory.
    DirectoryStart,
    /// All of this directory has been handed on.
    DirectoryEnd { path: PathBuf },
}

fn plan(targets: &[Target]) -> (Vec<Image>, Vec<Step>) {
    let mut images = Vec::new();
    let mut steps = Vec::new();
    for target in targets {
        let mut add = |path: &Path, place, may_be_none| {
            let image = Step::Image { index: images.len(), may_be_none };
            images.push(Image { path: path.to_owned(), place });
            image
        };
        match target {
            Target::Stdin => steps.push(add(Path::new("-"), Place::Stdin, false)),
            Target::File(path) => steps.push(add(path, Place::File, false)),
            Target::Elsewhere(elsewhere) => {
                steps.push(add(&elsewhere.path, Place::Elsewhere(elsewhere.clone()), false));
            }
            Target::Directory(directory) | Target::AllOf(directory) => {
                let may_be_none = matches!(target, Target::Directory(_));
                steps.push(Step::DirectoryStart);
                steps.extend(walk::files(directory).map(|found| match found {
                    Ok(path) => add(&path, Place::File, may_be_none),
                    Err((path, error)) => Step::Unlisted { path, error },
                }));
                steps.push(Step::DirectoryEnd { path: directory.clone() });
            }
        }
    }
    (images, steps)
}

/// Takes the next image that no thread has taken.
fn claim<'i>(next: &AtomicUsize, images: &'i [Image]) -> Option<(usize, &'i Image)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    images.get(index).map(|image| (index, image))
}

/// Passes on the outcomes. `outcome` is called once for each image, in order; `None` ends everything.
fn take_steps<O>(
    steps: Vec<Step>,
    mut outcome: impl FnMut(usize) -> Option<Outcome<O>>,
    mut each: impl FnMut(Outcome<O>) -> ControlFlow<()>,
) {
    // Whether there was an image in the directory that is being handed on.
    let mut any = false;
    for step in steps {
        let outcome = match step {
            Step::Image { index, may_be_none } => {
                let Some(mut outcome) = outcome(index) else { return };
                let is_no_image =
                    outcome.result.as_ref().is_ok_and(|report| is_no_image(&outcome.path, report));
                outcome.passed_over = may_be_none && is_no_image;
                any |= !outcome.passed_over;
                outcome
            }
            Step::Unlisted { path, error } => {
                any = true;
                Outcome { path, result: Err(error), passed_over: false, observer: None }
            }
            Step::DirectoryEnd { path } => {
                if any {
                    continue;
                }
                Outcome { path, result: Err(Error::NoImage), passed_over: false, observer: None }
            }
            Step::DirectoryStart => {
                any = false;
                continue;
            }
        };
        if each(outcome).is_break() {
            return;
        }
    }
}

/// Returns the regular files below a directory in the order of their names, and what could not be listed.
pub fn files(directory: &Path) -> impl Iterator<Item = Result<PathBuf, (PathBuf, Error)>> {
    walk::files(directory)
}

/// Returns whether a file in a directory is neither an image, nor a damaged one, nor named like one.
#[must_use]
pub fn is_no_image(path: &Path, report: &Report) -> bool {
    report.is_unrecognised()
        && !report.hint().is_some_and(|hint| hint.is_of_an_image())
        && !is_named_like_an_image(path)
}

/// Returns whether images usually have such names. A suffix for the compression may follow.
fn is_named_like_an_image(path: &Path) -> bool {
    const IMAGES: [&str; 4] = ["save", "chk", "img", "xl"];
    const COMPRESSED: [&str; 5] = ["zst", "gz", "xz", "lz4", "bz2"];
    let ends_in = |path: &Path, endings: &[&str]| {
        path.extension()
            .is_some_and(|extension| endings.iter().any(|ending| extension.eq_ignore_ascii_case(ending)))
    };
    ends_in(path, &IMAGES)
        || ends_in(path, &COMPRESSED)
            && path.file_stem().is_some_and(|stem| ends_in(Path::new(stem), &IMAGES))
}
