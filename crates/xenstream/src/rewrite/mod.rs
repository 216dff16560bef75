//! Converts a stream so that another release of Xen, another toolstack or a plain restorer takes it.
//!
//! A stream is read once, with the verifier, and taken apart into headers and records. Edits change some of them, each of
//! which is noted. What comes of it is judged as a whole, by a second verifier, before one byte is written: an output
//! verifies under the policy and target asked for, or there is none. What no edit touches stays as it is, byte for byte.
//!
//! ```
//! use xenstream::rewrite::{Convert, Output, convert};
//! use xenstream::{Input, Options};
//!
//! let mut out = Vec::new();
//! let plain = Convert::default().with_plain(true);
//! let refused = convert(Input::Slice(b"not an image"), Output::Writer(&mut out), &Options::default(), &plain);
//! assert!(refused.unwrap().bytes.is_none() && out.is_empty());
//! ```

mod compact;
mod container;
mod document;
mod image;
pub(crate) mod input;
mod judge;
mod log;
mod normalise;
pub(crate) mod open;
mod patches;
mod plain;
mod repair;
pub(crate) mod spool;
mod survey;
mod target;
pub(crate) mod write;

#[cfg(feature = "fs")]
use std::fs;
use std::io::Write;
#[cfg(feature = "fs")]
use std::os::fd::AsFd;
use std::path::Path;

use xenstream_core::{Checkpointing, Fact, Layer, Rule, Target, Violation};

pub use self::container::Container;
pub use self::log::{Change, Loss, Obstacle, UnknownLoss};

use self::document::{Document, Part};
use self::image::Image;
use self::log::Log;
use self::open::{Opened, open};
use self::survey::{Finding, Surveyed, survey};
use self::write::deliver;
use crate::source::file::ReadAt;
use crate::{Compression, Error, Input, Options, Report, Verdict, verify};

/// Where a rewritten stream goes.
#[non_exhaustive]
pub enum Output<'a> {
    /// A new file of this name. It appears when it is whole, and has holes where there are zeros. The input is never
    /// overwritten, another file only if that is asked for.
    #[cfg(feature = "fs")]
    Path {
        /// The name.
        path: &'a Path,
        /// Another file of this name may be replaced.
        overwrite: bool,
    },
    /// Anything that writes. What a scrubber writes goes out as it comes in, and so it has gone out when the stream
    /// turns out to be invalid after it; what a converter writes has been verified before.
    Writer(&'a mut dyn Write),
}

impl<'a> Output<'a> {
    /// The name of the file, if it is one.
    pub(crate) fn path(&self) -> Option<&'a Path> {
        match self {
            #[cfg(feature = "fs")]
            Output::Path { path, .. } => Some(path),
            Output::Writer(_) => None,
        }
    }
}

/// What to make of a stream. The release that it is to be restored on is the [target](xenstream_core::Policy::target) of
/// the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Convert {
    /// Make an ordinary stream of a checkpointed one.
    pub plain: bool,
    /// The checkpoint at which a checkpointed stream is to end, counting from 1; `None` for the last complete one.
    pub checkpoint: Option<u64>,
    /// Leave the last copy of each page, in ascending order. It takes an index of 8 bytes for each pfn of the guest's address
    /// space, and as much again for those that come out.
    pub compact: bool,
    /// Put the guest into this container.
    pub container: Option<Container>,
    /// The configuration that goes into the container, in its own language.
    pub config: Option<Vec<u8>>,
    /// Zero padding and reserved words, drop what readers pass over, and put records in the order of savers.
    pub normalise: bool,
    /// Repair what is certain: ends that are missing after everything else has come, padding, a length that its record
    /// proves wrong.
    pub repair: bool,
    /// Compress the output with zstd.
    #[cfg(feature = "decompress")]
    pub zstd: bool,
    /// What the conversion may cost the guest.
    pub lossy: Vec<Loss>,
    /// Nothing is written.
    pub dry_run: bool,
}

impl Convert {
    /// The same, making an ordinary stream of a checkpointed one or not.
    #[must_use]
    pub fn with_plain(mut self, plain: bool) -> Convert {
        self.plain = plain;
        self
    }

    /// The same, ending at this checkpoint, counting from 1.
    #[must_use]
    pub fn with_checkpoint(mut self, checkpoint: Option<u64>) -> Convert {
        self.checkpoint = checkpoint;
        self
    }

    /// The same, leaving the last copy of each page only or not.
    #[must_use]
    pub fn with_compact(mut self, compact: bool) -> Convert {
        self.compact = compact;
        self
    }

    /// The same, putting the guest into this container.
    #[must_use]
    pub fn with_container(mut self, container: Option<Container>) -> Convert {
        self.container = container;
        self
    }

    /// The same, with this configuration for the container.
    #[must_use]
    pub fn with_config(mut self, config: Option<Vec<u8>>) -> Convert {
        self.config = config;
        self
    }

    /// The same, normalising or not.
    #[must_use]
    pub fn with_normalise(mut self, normalise: bool) -> Convert {
        self.normalise = normalise;
        self
    }

    /// The same, repairing or not.
    #[must_use]
    pub fn with_repair(mut self, repair: bool) -> Convert {
        self.repair = repair;
        self
    }

    /// The same, compressing the output or not.
    #[cfg(feature = "decompress")]
    #[must_use]
    pub fn with_zstd(mut self, zstd: bool) -> Convert {
        self.zstd = zstd;
        self
    }

    fn ends_at_checkpoint(&self) -> bool {
        self.plain || self.checkpoint.is_some()
    }

    /// The same, allowing these losses.
    #[must_use]
    pub fn with_lossy(mut self, lossy: &[Loss]) -> Convert {
        self.lossy = lossy.to_vec();
        self
    }

    /// The same, writing nothing or not.
    #[must_use]
    pub fn with_dry_run(mut self, dry_run: bool) -> Convert {
        self.dry_run = dry_run;
        self
    }
}

/// What came of a conversion.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Converted {
    /// What the input was found to be, under the policy and target asked for.
    pub report: Report,
    /// What was changed, or would have been.
    pub changes: Vec<Change>,
    /// Further changes, which are not listed.
    pub unlisted: u64,
    /// What kept it from being converted; empty where it was.
    pub obstacles: Vec<Obstacle>,
    /// What the output was found to be; `None` where it did not come so far.
    pub output: Option<Report>,
    /// Bytes of the output; `None` if there is none.
    pub bytes: Option<u64>,
}

/// Converts a stream. A compressed input comes out decompressed, and what follows the stream is left out.
///
/// # Errors
/// The input could not be read or decompressed, or the output not be written: it exists, it is the input, the disk is
/// full. There is no file then.
pub fn convert(
    input: Input<'_>,
    output: Output<'_>,
    options: &Options,
    what: &Convert,
) -> Result<Converted, Error> {
    let path = output.path();
    // It would be a pity to find out at the end.
    #[cfg(feature = "fs")]
    if let Output::Path { path, overwrite: false } = output
        && fs::symlink_metadata(path).is_ok()
    {
        return Err(Error::Exists);
    }
    open(input, path, options, |opened| match opened {
        Opened::At(file) => run(file, None, output, options, what),
        Opened::InOrder(bytes) => {
            let directory = path.and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
            let spooled = spool::spool(bytes, options, directory, what.repair)?;
            run(&spooled, bytes.compression(), output, options, what)
        }
    })
}

fn run(
    input: &dyn ReadAt,
    compression: Option<Compression>,
    output: Output<'_>,
    options: &Options,
    what: &Convert,
) -> Result<Converted, Error> {
    let mut log = Log { allowed: what.lossy.clone(), ..Log::default() };
    let listening = Options {
        policy: match what.normalise || what.repair {
            true => normalise::listening(options.policy.clone()),
            false => options.policy.clone(),
        },
        ..options.clone()
    };
    let mut surveyed = survey(input, &listening)?;
    surveyed.report.compression = compression;
    let wrong = surveyed.lost.filter(|_| what.repair);
    if let Some(patches) = wrong.and_then(|wrong| repair::length(&surveyed.document, &wrong, &mut log)) {
        let mut whole = Image::new(input);
        whole.copy(0..input.size().map_err(Error::Inspect)?, &patches);
        let again = survey(&whole, &listening)?;
        return finish(Surveyed { report: surveyed.report, ..again }, log, output, options, what);
    }
    finish(surveyed, log, output, options, what)
}

/// Edits what was read, has it judged, and writes it.
fn finish(
    surveyed: Surveyed<'_>,
    mut log: Log,
    output: Output<'_>,
    options: &Options,
    what: &Convert,
) -> Result<Converted, Error> {
    if let Some(reason) = unusable(&surveyed, what) {
        log.obstacle(surveyed.document.end, "stream", reason, None);
        return Ok(converted(surveyed.report, log, None, None));
    }
    let Surveyed { report, mut document, findings, .. } = surveyed;
    edit(&mut document, &findings, &report, options.policy.target(), what, &mut log)?;
    if !log.obstacles.is_empty() {
        return Ok(converted(report, log, None, None));
    }
    note_tail(&document, &mut log)?;
    let image = document.image();
    let judging = judging(options, what);
    let judged = verify(Input::Positioned(&image), &judging, &mut ())?;
    if !judged.is_valid() {
        refusals(&judged, &mut log);
        return Ok(converted(report, log, Some(judged), None));
    }
    let bytes = if what.dry_run { None } else { Some(write_out(&image, output, &judging, what)?) };
    Ok(converted(report, log, Some(judged), bytes))
}

fn converted(report: Report, log: Log, output: Option<Report>, bytes: Option<u64>) -> Converted {
    let Log { changes, unlisted, obstacles, .. } = log;
    Converted { report, changes, unlisted, obstacles, output, bytes }
}

/// Why a stream cannot be taken apart, if it cannot.
fn unusable(surveyed: &Surveyed<'_>, what: &Convert) -> Option<String> {
    let Surveyed { report, document, findings, lost, overflows } = surveyed;
    if *overflows {
        return Some("it has more records, or more is wrong with it, than is worth keeping in memory".into());
    }
    if let Some(violation) = lost {
        return Some(format!("{violation}; nothing after that can be parsed"));
    }
    if let Verdict::Unjudged(violation) = &report.verdict {
        return Some(violation.to_string());
    }
    if document.pieces.iter().filter(|piece| piece.part == Part::Header(Layer::Libxc)).count() > 1 {
        return Some(
            "it holds more than one libxc stream, and nothing says which of them is the guest".into(),
        );
    }
    let is_structural = |violation: &Violation| violation.rule.is_structural();
    let denied = findings.iter().filter(|finding| finding.is_denied).map(|finding| finding.violation);
    let fatal = denied.chain(report.violation().copied()).find(is_structural).filter(|_| !document.ended)?;
    // What an end is missing of may be repaired, or end earlier; whether that is enough, the verifier says.
    let is_cut = fatal.rule == Rule::StreamTruncated && (what.repair || what.ends_at_checkpoint());
    (!is_cut).then(|| fatal.to_string())
}

/// Makes the changes that were asked for.
fn edit(
    document: &mut Document<'_>,
    findings: &[Finding],
    report: &Report,
    to: Option<Target>,
    what: &Convert,
    log: &mut Log,
) -> Result<(), Error> {
    if what.repair || what.normalise {
        normalise::padding(document, findings, log);
    }
    if what.ends_at_checkpoint() {
        plain::plain(document, what.checkpoint, log);
    }
    if what.repair {
        repair::ends(document, report.guest.kind, log)?;
    }
    // In place first: a record that gets another body gets it from what is there by then.
    if what.normalise {
        normalise::reserved(document, findings, log)?;
    }
    if let Some(to) = to {
        target::patch(document, findings, log)?;
        target::cure(document, findings, to, log)?;
    }
    if what.normalise {
        normalise::records(document, log)?;
    }
    if what.compact {
        compact::compact(document, log)?;
    }
    match what.container {
        Some(container) => container::contain(document, container, what.config.as_deref(), log),
        None => Ok(()),
    }
}

/// Says what of the input comes after the stream.
fn note_tail(document: &Document<'_>, log: &mut Log) -> Result<(), Error> {
    let stray = &document.stray;
    if !document.ended && !stray.is_empty() {
        log.change(
            stray.start,
            "after the last record",
            "bytes of a header",
            stray.end - stray.start,
            "absent",
        );
    }
    let size = document.input.size().map_err(Error::Inspect)?;
    if document.ended && size > document.end && document.input.ends_with_stream() {
        let bytes = size - document.end;
        log.change(document.end, "after the end", "bytes", bytes, "absent");
    }
    Ok(())
}

/// How the output is judged: as the input, and all that is wrong with it is listed.
fn judging(options: &Options, what: &Convert) -> Options {
    let mut policy = options.policy.clone().with_keep_going(true);
    if what.ends_at_checkpoint() {
        policy = policy.with_checkpointing(Checkpointing::Auto);
    }
    let format = what.container.map_or(options.format, Container::format);
    Options { policy, format, decompress: false, ..options.clone() }
}

/// Says why the verifier refuses what would come out.
fn refusals(report: &Report, log: &mut Log) {
    let first = report.violation().filter(|_| report.findings.is_empty());
    for violation in report.findings.listed().iter().chain(first) {
        let place = violation.record.and_then(|record| record.type_name()).unwrap_or("stream");
        let mut reason = format!("{}: {}", violation.rule, violation.message());
        if let Some(fact) = fact_of(violation, report.target) {
            reason = format!("{reason}. {}", fact.entry().advice);
        }
        log.obstacle(violation.offset, place, reason, None);
    }
}

/// The change between releases for which the target refuses.
fn fact_of(violation: &Violation, target: Option<Target>) -> Option<Fact> {
    violation.fact.filter(|fact| target.is_some_and(|target| target.refuses(*fact)))
}

/// Writes what was judged, and for a file that is not compressed judges it once more as it was written.
fn write_out(
    image: &Image<'_>,
    output: Output<'_>,
    #[cfg_attr(not(feature = "fs"), expect(unused_variables, reason = "only a file is read again"))] judging: &Options,
    #[cfg_attr(not(feature = "decompress"), expect(unused_variables, reason = "only zstd is asked for"))]
    what: &Convert,
) -> Result<u64, Error> {
    deliver(output, |out| {
        #[cfg(feature = "decompress")]
        if what.zstd {
            return Ok((out.compressed(image)?, true));
        }
        let bytes = out.image(image)?;
        #[cfg(feature = "fs")]
        if let Some(file) = out.as_file()
            && !verify(Input::Descriptor(file.as_fd()), judging, &mut ())?.is_valid()
        {
            return Err(Error::Changed);
        }
        Ok((bytes, true))
    })
}
