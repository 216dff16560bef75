//! One verification under way: the verifier, who listens to it, and what is counted for the report.

use std::cell::RefCell;

use xenstream_core::wire::xl;
use xenstream_core::{Follows, Guest, Level, Need, Observer, Rule, Summary, Verifier, Violation};

use crate::clock::Stopwatch;
use crate::config::Settings;
use crate::hint::{self, Hint};
use crate::inspect::tap::{self, Tap};
use crate::listener::Listener;
use crate::pv_walk::{self, roots};
use crate::report::{DerivedLimit, Report, Verdict};
use crate::source::compression::Compression;
use crate::{Error, Options};

/// Why a source stops before the end of its input.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The stream is invalid.
    Invalid(Violation),
    /// No verdict can be reached.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

/// Bytes of the longest magic, that of xl.
const FIRST: usize = xl::MAGIC.len();

/// One verification under way. Sources feed it.
pub(crate) struct Session<'o> {
    verifier: Verifier,
    listener: Listener<'o>,
    options: Options,
    /// Receives the bytes that pass.
    tap: Option<&'o RefCell<Tap>>,
    derived_limits: Vec<DerivedLimit>,
    started: Stopwatch,
    /// The first bytes, as many as the longest magic has.
    first: [u8; FIRST],
    first_length: usize,
    hint: Option<Hint>,
    /// The input's end was reached.
    is_finished: bool,
    /// The rules that take a second walk were checked.
    is_walked: bool,
    /// How the input turned out to be compressed.
    pub(crate) compression: Option<Compression>,
    /// Bytes that were read from the input, as it is stored.
    pub(crate) bytes_read: u64,
    /// Bytes of the input, if that is known.
    pub(crate) size: Option<u64>,
}

impl<'o> Session<'o> {
    pub(crate) fn new(options: &Options, observer: Option<&'o mut dyn Observer>) -> Session<'o> {
        Session {
            verifier: Verifier::new(options.format, &options.policy),
            listener: Listener::new(options, observer),
            options: options.clone(),
            tap: None,
            derived_limits: Vec::new(),
            started: Stopwatch::start(),
            first: [0; FIRST],
            first_length: 0,
            hint: None,
            is_finished: false,
            is_walked: false,
            compression: None,
            bytes_read: 0,
            size: None,
        }
    }

    /// The same, with the bytes that pass for an inspector.
    pub(crate) fn with_tap(mut self, tap: &'o RefCell<Tap>) -> Session<'o> {
        self.tap = Some(tap);
        self
    }

    pub(crate) fn position(&self) -> u64 {
        self.verifier.position()
    }

    pub(crate) fn need(&self) -> Need {
        self.verifier.need()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.verifier.is_ended()
    }

    /// Bytes up to the next page of guest memory, if page contents come next.
    pub(crate) fn left_in_page(&self) -> Option<u64> {
        self.listener.left_in_page(self.position())
    }

    /// Returns the compression of the input, detected from its first bytes, if it is to be decompressed.
    #[cfg(feature = "decompress")]
    pub(crate) fn recognise(&self, start: &[u8]) -> Option<Compression> {
        if self.options.decompress { Compression::recognise(start) } else { None }
    }

    /// Judges the next bytes. Returns how many were taken: fewer than there are only when the stream ended.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<usize, Stop> {
        if self.first_length < FIRST {
            self.note_first(chunk);
        }
        let mut taken = 0;
        while taken < chunk.len() && !self.is_ended() {
            let mut piece = &chunk[taken..];
            // What the configuration says takes effect at its last byte, however the input is cut: until it has
            // passed, nothing is pushed together with what may lie after it.
            if !self.listener.config.is_settled() {
                let certain = usize::try_from(self.verifier.need().certain).unwrap_or(usize::MAX);
                piece = &piece[..piece.len().min(certain)];
            }
            if let Some(tap) = self.tap {
                piece = self.note(piece, &mut tap.borrow_mut())?;
            }
            taken += self.push_piece(piece)?;
        }
        Ok(taken)
    }

    /// Tells the tap of the next bytes; gives back those that it takes at a time.
    fn note<'c>(&self, piece: &'c [u8], tap: &mut Tap) -> Result<&'c [u8], Stop> {
        let offset = self.position();
        if tap.abandoned {
            let source = std::io::ErrorKind::BrokenPipe.into();
            return Err(Error::ConsumerGone { offset, source }.into());
        }
        let piece = &piece[..piece.len().min(tap::PIECE)];
        tap.note(offset, piece);
        Ok(piece)
    }

    #[cold]
    fn note_first(&mut self, chunk: &[u8]) {
        for (to, from) in self.first[self.first_length..].iter_mut().zip(chunk) {
            *to = *from;
            self.first_length += 1;
        }
    }

    /// The first bytes that were pushed.
    pub(crate) fn first_bytes(&self) -> &[u8] {
        &self.first[..self.first_length]
    }

    /// Returns whether the outcome is that the first bytes are not what was expected, so that more of them may tell
    /// what the input is.
    pub(crate) fn asks_for_start(&self, outcome: &Result<(), Stop>) -> bool {
        matches!(outcome, Err(Stop::Invalid(violation)) if hint::is_of_the_start(violation))
    }

    /// Looks at the first bytes of an input that is not what was expected; `is_whole` tells that there are no more.
    pub(crate) fn show_start(&mut self, head: &[u8], is_whole: bool) {
        self.hint = hint::look(head, is_whole).map(|hint| match hint {
            Hint::Compressed { method, tool, .. } => {
                Hint::Compressed { method, tool, twice: self.compression.is_some() }
            }
            hint => hint,
        });
    }

    /// Notes zeros in place of a part of the stream.
    pub(crate) fn show_lost(&mut self, lost: Option<Hint>) {
        self.hint = lost;
    }

    /// The verdict, where it is that the stream is invalid. Under a policy that keeps going it is the first finding, be it
    /// the core's or this crate's.
    pub(crate) fn first_violation(&self, outcome: &Result<(), Stop>) -> Option<Violation> {
        match (self.listener.findings.listed().first(), outcome) {
            (_, Err(Stop::Failed(_))) | (None, Ok(())) => None,
            (Some(violation), _) | (None, Err(Stop::Invalid(violation))) => Some(*violation),
        }
    }

    /// Passes over bytes that are [skippable](Need::skippable).
    pub(crate) fn skip(&mut self, bytes: u64) -> Result<(), Stop> {
        self.verifier.skip(bytes).expect("the source asks what is skippable before it skips");
        // The layers decide what comes next where no bytes are needed for it.
        self.push_piece(&[]).map(|_| ())
    }

    /// The input ends here.
    pub(crate) fn finish(&mut self) -> Result<(), Stop> {
        self.is_finished = true;
        match self.verifier.finish(&mut self.listener) {
            Ok(_) => Ok(()),
            Err(violation) => Err(Stop::Invalid(violation)),
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn summary(&self) -> &Summary {
        self.verifier.summary()
    }

    /// A rule of this crate's own was broken.
    pub(crate) fn found(&mut self, violation: &Violation) -> Result<(), Stop> {
        match self.listener.policy.level(violation.rule) {
            Level::Allow => {}
            Level::Warn => self.listener.on_warning(violation),
            Level::Deny if self.listener.policy.keeps_going() => self.listener.on_finding(violation),
            Level::Deny => return Err(Stop::Invalid(*violation)),
        }
        Ok(())
    }

    /// The input comes in order, so that no second walk will take place.
    pub(crate) fn comes_in_order(&mut self) {
        self.listener.roots.switch_on(&self.options.policy);
    }

    /// The second walk has taken place.
    pub(crate) fn walked(&mut self) {
        self.is_walked = true;
    }

    /// The input goes on after the stream's end, and it is a file.
    pub(crate) fn trailing_data(&mut self, follows: Follows) -> Result<(), Stop> {
        self.verifier.trailing_data(follows, &mut self.listener).map_err(Stop::Invalid)
    }

    /// The report on what a source came to.
    pub(crate) fn into_report(mut self, outcome: Result<(), Stop>) -> Result<Report, Error> {
        let verdict = match (self.first_violation(&outcome), outcome) {
            (_, Err(Stop::Failed(error))) => return Err(error),
            (Some(violation), _) => violation.into(),
            (None, _) => Verdict::Valid,
        };
        let policy = &self.options.policy;
        let mut unchecked = if self.is_walked || self.verifier.summary().guest != Some(Guest::Pv) {
            Vec::new()
        } else {
            let done = |rule: &Rule| self.listener.roots.is_done() && roots::RULES.contains(rule);
            let unchecked = pv_walk::RULES.into_iter().filter(|rule| !done(rule));
            unchecked.collect()
        };
        unchecked.extend(self.listener.config.unchecked());
        unchecked.retain(|rule| policy.level(*rule) != Level::Allow);
        let hint = match &verdict {
            Verdict::Invalid(violation) | Verdict::Unjudged(violation)
                if hint::is_of_the_start(violation) =>
            {
                self.hint.or_else(|| hint::look(self.first_bytes(), self.is_finished))
            }
            Verdict::Invalid(_) => self.hint,
            Verdict::Unjudged(_) | Verdict::Valid => None,
        };
        let mut summary = *self.verifier.summary();
        summary.bytes = self.verifier.position();
        // Each kind of guest has one of its own, and the other's says nothing.
        self.derived_limits.retain(|derived| derived.applies_to(summary.guest));
        Ok(Report {
            verdict,
            format: self.verifier.format(),
            compression: self.compression,
            profile: self.options.policy.profile(),
            target: self.options.policy.target(),
            warnings: self.listener.warnings,
            findings: self.listener.findings,
            derived_limits: self.derived_limits,
            guest: self.listener.portrait.describe(&summary),
            size: self.size,
            unchecked,
            hint,
            summary,
            bytes_read: self.bytes_read,
            elapsed: self.started.elapsed(),
        })
    }

    fn push_piece(&mut self, piece: &[u8]) -> Result<usize, Stop> {
        let progress = self.verifier.push(piece, &mut self.listener);
        // A finding of the configuration lies in front of whatever else this piece broke.
        if let Some(violation) = self.listener.denied {
            return Err(Stop::Invalid(violation));
        }
        if let Some(domain_type) = self.listener.domain_type.take() {
            self.verifier.set_domain_type(domain_type);
        }
        let Settings { viridian, emulator, memory } = std::mem::take(&mut self.listener.hvm);
        if let Some(features) = viridian {
            self.verifier.set_viridian(features);
        }
        if let Some(emulator_id) = emulator {
            self.verifier.set_emulator(emulator_id);
        }
        if let Some(pages) = memory {
            self.verifier.set_memory(pages);
        }
        for derived in self.listener.limits.drain(..) {
            if derived.value < self.verifier.policy().limit(derived.limit) {
                self.verifier.set_limit(derived.limit, derived.value);
                self.derived_limits.push(derived);
            }
        }
        progress.map(|progress| progress.consumed).map_err(Stop::Invalid)
    }
}
