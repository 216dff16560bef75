//! A guest's memory out of an image, as a file that debuggers and memory forensics read.
//!
//! [`extract`] takes every image as far as it goes, torn and invalid ones too, and says [what is missing](Extracted).
//! The last copy of each page counts; in a Remus or COLO stream, the last one up to a checkpoint. A page is named by
//! its pfn, as the stream names it: the physical address in an HVM guest, the pseudo-physical one in a PV guest.
//!
//! ```
//! use xenstream::extract::{Extract, OutputFormat, extract};
//! use xenstream::{Input, Options};
//!
//! # let directory = tempfile::tempdir().unwrap();
//! # let out = directory.path().join("memory");
//! # let image = xenstream_synth::valid::hvm().bytes();
//! let what = Extract::new(OutputFormat::Raw);
//! let extracted = extract(Input::Slice(&image), &out, &Options::default(), &what).unwrap();
//! assert_eq!((extracted.pages, extracted.bytes), (1, Some(4096)));
//! assert_eq!(std::fs::read(&out).unwrap(), [0; 4096]);
//! ```
//!
//! Memory is constant but for an index: about 40 bytes for each run of pages that follow one another in the input, and
//! for each vcpu its registers. An input that is read from a pipe, or decompressed, is copied to a file without a name
//! beside the output first.

pub(crate) mod collect;
pub(crate) mod contents;
mod elf;
pub(crate) mod extents;
mod lime;
mod p2m;
mod pages;
mod raw;
mod registers;
mod spool;
pub(crate) mod state;

use std::cell::RefCell;
use std::fs;
use std::ops::{Range, RangeInclusive};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use self::collect::{Collected, Collector, Place};
use self::contents::Contents;
use self::p2m::{Frames, Identity};
use self::pages::Pages;
use self::spool::Spool;
use self::state::State;
use crate::inspect::tap::Tap;
use crate::new_file::distinct;
use crate::session::{Session, Stop};
#[cfg(feature = "decompress")]
use crate::source::compressed;
use crate::source::file::{self, ReadAt};
use crate::{Error, Input, NewFile, Options, Report, verify};

/// What is to be extracted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extract {
    /// The format of the output.
    pub format: OutputFormat,
    /// Pages with these pfns only.
    pub pfns: Option<RangeInclusive<u64>>,
    /// Registers of these vcpus only; of all where none is named. Only [`OutputFormat::Elf`] has registers.
    pub vcpus: Vec<u32>,
    /// The state at this checkpoint, counting from 1; at the last complete one otherwise.
    pub checkpoint: Option<u64>,
    /// The list of frames (p2m) that a PV guest keeps in its memory names pfns in the output. In an image it names
    /// machine frames of the host where the guest was saved.
    pub p2m: bool,
    /// Another file of the output's name may be replaced.
    pub overwrite: bool,
}

impl Extract {
    /// All memory, in this format.
    #[must_use]
    pub const fn new(format: OutputFormat) -> Extract {
        Extract { format, pfns: None, vcpus: Vec::new(), checkpoint: None, p2m: false, overwrite: false }
    }

    /// The same, of pages with these pfns only.
    #[must_use]
    pub fn with_pfns(mut self, pfns: Option<RangeInclusive<u64>>) -> Extract {
        self.pfns = pfns;
        self
    }

    /// The same, with registers of these vcpus only, or of all where none is named.
    #[must_use]
    pub fn with_vcpus(mut self, vcpus: Vec<u32>) -> Extract {
        self.vcpus = vcpus;
        self
    }

    /// The same, as it was at this checkpoint.
    #[must_use]
    pub fn with_checkpoint(mut self, checkpoint: Option<u64>) -> Extract {
        self.checkpoint = checkpoint;
        self
    }

    /// The same, with the guest's list of frames as restorers write it, or as it was saved.
    #[must_use]
    pub fn with_p2m(mut self, p2m: bool) -> Extract {
        self.p2m = p2m;
        self
    }

    /// The same, replacing another file or not.
    #[must_use]
    pub fn with_overwrite(mut self, overwrite: bool) -> Extract {
        self.overwrite = overwrite;
        self
    }

    /// The pfns that are asked for.
    fn range(&self) -> Range<u64> {
        self.pfns.as_ref().map_or(0..u64::MAX, |pfns| *pfns.start()..pfns.end().saturating_add(1))
    }
}

/// A format of guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputFormat {
    /// An ELF core file, with a segment for each run of pages and notes with the vcpus' registers.
    Elf,
    /// The format of LiME, with a header for each run of pages.
    Lime,
    /// The bytes of memory and nothing else: a page lies at its pfn times 4096, or counted from the first pfn that is
    /// asked for. What is missing is a hole.
    Raw,
}

impl OutputFormat {
    /// Returns every format.
    pub fn all() -> impl DoubleEndedIterator<Item = OutputFormat> + ExactSizeIterator + Clone {
        [OutputFormat::Elf, OutputFormat::Raw, OutputFormat::Lime].into_iter()
    }

    /// The format's name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OutputFormat::Elf => "elf",
            OutputFormat::Lime => "lime",
            OutputFormat::Raw => "raw",
        }
    }
}

/// How far an extraction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The input was read up to this offset.
    Read(u64),
    /// So many bytes of the pages' contents are in the output.
    Written {
        /// Bytes written.
        done: u64,
        /// Bytes that will be written.
        of: u64,
    },
}

/// The result of extracting.
#[derive(Debug)]
#[non_exhaustive]
pub struct Extracted {
    /// What the input was found to be.
    pub report: Report,
    /// Bytes of the output; `None` if there is none, for no page that was asked for has contents.
    pub bytes: Option<u64>,
    /// Pages with contents in the output.
    pub pages: u64,
    /// Vcpus whose registers came.
    pub vcpus: Vec<u32>,
    /// Pfns without contents in front of the highest one that has some, or among those that were asked for. Guests have
    /// some by nature, such as those of devices.
    pub missing: Vec<RangeInclusive<u64>>,
    /// Pfns of pages that the stream announced and whose last copy did not arrive. Where an earlier copy did, the
    /// output has that.
    pub lost: Vec<RangeInclusive<u64>>,
    /// Complete checkpoints in the input, as far as it was read.
    pub checkpoints: u64,
    /// Pages that came after the last complete checkpoint and were left out.
    pub uncounted: u64,
    /// Why the input could not be read to its end, or not be decompressed. What came before is in the output, and the
    /// report takes the input for one that ends there.
    pub failure: Option<Error>,
}

/// Extracts a guest's memory to a new file, which appears when it is whole. The input is never overwritten.
///
/// # Errors
/// The input could not be opened, or nothing of it be read; the output could not be written: it exists, it is the input,
/// the disk is full. There is no such checkpoint, vcpu or list of frames; the pages of a raw output lie too far
/// apart. There is no file then.
pub fn extract(
    input: Input<'_>,
    output: &Path,
    options: &Options,
    what: &Extract,
) -> Result<Extracted, Error> {
    extract_with(input, output, options, what, &|_| {})
}

/// [`extract`], with a function that is called at each step.
///
/// # Errors
/// The same.
pub fn extract_with(
    input: Input<'_>,
    output: &Path,
    options: &Options,
    what: &Extract,
    watch: &dyn Fn(Step),
) -> Result<Extracted, Error> {
    let wish = Wish { output, options, what, watch };
    match input {
        Input::Path(path) => {
            let file = fs::File::open(path).map_err(|source| Error::Open { path: path.into(), source })?;
            wish.extract_descriptor(file.as_fd(), true)
        }
        Input::Descriptor(fd) => wish.extract_descriptor(fd, false),
        Input::Positioned(file) => wish.extract_file(file),
        input @ (Input::Reader(_) | Input::Slice(_)) => wish.extract_stream(input),
    }
}

/// What is asked for, whatever the input.
#[derive(Clone, Copy)]
struct Wish<'w> {
    output: &'w Path,
    options: &'w Options,
    what: &'w Extract,
    watch: &'w dyn Fn(Step),
}

impl Wish<'_> {
    fn extract_descriptor(&self, fd: BorrowedFd<'_>, is_ours: bool) -> Result<Extracted, Error> {
        distinct(fd, self.output)?;
        let Some(file) = file::Descriptor::new(fd)? else {
            return self.extract_stream(Input::Descriptor(fd));
        };
        if is_ours {
            file.advise();
        }
        self.extract_file(&file)
    }

    /// Extracts from a file whose page contents are read once it is known which ones count.
    fn extract_file(&self, file: &dyn ReadAt) -> Result<Extracted, Error> {
        #[cfg(feature = "decompress")]
        if self.options.decompress && compressed::compression(file, &[])?.is_some() {
            return self.extract_stream(Input::Positioned(file));
        }
        let new = NewFile::create(self.output, self.what.overwrite)?;
        let size = file.size().map_err(Error::Inspect)?;
        let place = Place::Input { size };
        let tap = RefCell::default();
        let (collected, outcome) = self.collect(Input::Positioned(file), place, &tap)?;
        self.write(collected, Contents::of(file), new, outcome)
    }

    /// Extracts from what passes once, by way of a copy.
    fn extract_stream(&self, input: Input<'_>) -> Result<Extracted, Error> {
        let new = NewFile::create(self.output, self.what.overwrite)?;
        let mut spool = Spool::new(new.directory())?;
        let tap = RefCell::default();
        let place = Place::Copy { spool: &mut spool, tap: &tap };
        let (collected, outcome) = self.collect(input, place, &tap)?;
        let copy = spool.into_file()?;
        self.write(collected, Contents::of_copy(&copy), new, outcome)
    }

    /// Walks through an input.
    fn collect(
        &self,
        mut input: Input<'_>,
        place: Place<'_>,
        tap: &RefCell<Tap>,
    ) -> Result<(Collected, Outcome), Error> {
        let Wish { options, what, watch, .. } = *self;
        let watches = matches!(place, Place::Copy { .. });
        let options = Options { policy: options.policy.clone().with_keep_going(true), ..options.clone() };
        let mut collector = Collector::new(place, what.checkpoint).with_p2m(what.p2m).with_watch(watch);
        let mut session = Session::new(&options, Some(&mut collector));
        if watches {
            session = session.with_tap(tap);
        }
        let mut outcome = verify::drive(&mut input, &mut session);
        let mut failure = None;
        if session.position() > 0
            && let Err(Stop::Failed(error)) = outcome
        {
            // What came before the damage is worth having.
            outcome = session.finish();
            failure = Some(error);
        }
        let report = session.into_report(outcome);
        let mut collected = collector.finish();
        match collected.failed.take() {
            Some(error) => Err(error),
            None => Ok((collected, Outcome { report: report?, failure })),
        }
    }

    /// Writes what was found.
    fn write(
        &self,
        collected: Collected,
        contents: Contents<'_>,
        new: NewFile,
        Outcome { report, failure }: Outcome,
    ) -> Result<Extracted, Error> {
        let what = self.what;
        let Collected { state, uncounted, checkpoints, p2m, order, .. } = collected;
        if let Some(wanted) = what.checkpoint
            && checkpoints < wanted
        {
            return Err(Error::NoCheckpoint { wanted, complete: checkpoints });
        }
        let pfns = what.range();
        let State { pages, lost, vcpus } = &state;
        if let Some(missing) = what.vcpus.iter().find(|vcpu| !vcpus.contains_key(vcpu)) {
            return Err(Error::NoVcpu { wanted: *missing });
        }
        let width = report.summary.guest_width.unwrap_or(8);
        let frames = Frames::of_body(&p2m, width, order).unwrap_or_default();
        if what.p2m && frames.is_empty() {
            return Err(Error::NoP2m);
        }
        let p2m = what.p2m.then_some(Identity { frames: &frames, width, pages });
        let count = pages.pages(pfns.clone());
        let mut contents = Pages::new(contents, count, self.watch).with_p2m(p2m);
        let bytes = if count == 0 {
            None
        } else {
            let bytes = match what.format {
                OutputFormat::Elf => {
                    let chosen = |vcpu: &u32| what.vcpus.is_empty() || what.vcpus.contains(vcpu);
                    let vcpus = vcpus.iter().filter(|(vcpu, _)| chosen(vcpu));
                    let description = elf::Description {
                        guest: report.summary.guest,
                        xen: report.summary.xen,
                        vcpus: vcpus.map(|(vcpu, saved)| (*vcpu, saved.registers())).collect(),
                    };
                    elf::write(new.file(), &state, &pfns, &mut contents, &description)?
                }
                OutputFormat::Lime => lime::write(new.file(), pages, &pfns, &mut contents)?,
                OutputFormat::Raw => {
                    if what.pfns.is_none() {
                        raw::refuse_sparse(pages)?;
                    }
                    raw::write(new.file(), pages, &pfns, &mut contents)?
                }
            };
            new.publish()?;
            Some(bytes)
        };
        let end = match what.pfns {
            Some(_) => pfns.end,
            None => pages.end().max(lost.end()),
        };
        Ok(Extracted {
            report,
            bytes,
            pages: count,
            vcpus: vcpus.keys().copied().collect(),
            missing: pages.gaps(pfns.start..end.max(pfns.start)),
            lost: lost.runs(pfns),
            checkpoints,
            uncounted,
            failure,
        })
    }
}

/// What came of walking through an input.
struct Outcome {
    report: Report,
    failure: Option<Error>,
}
