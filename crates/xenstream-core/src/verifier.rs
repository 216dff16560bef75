//! The verifier: owns the state of all layers and moves the stream through them.
//!
//! A stream is a sequence of steps, and each step is "skip `gap` bytes that no rule needs, then take `field`". A field is a
//! few bytes that are judged together, a run of words or bytes that are judged one by one as they arrive, or a marker without
//! bytes at which a layer decides what comes next. The layers in [`crate::verify`] choose the next step. This file assembles
//! fields that are split between pushes, and knows nothing about formats.

use crate::observer::{Observer, Record};
use crate::policy::{Level, Limit, Policy, Profile};
use crate::rule::Rule;
use crate::summary::{DomainType, Format, Summary};
use crate::targets::{Fact, HostDependency};
use crate::value::Value;
use crate::verify::detect::Follows;
use crate::verify::{self, Bytes, Field, Marker, Stop, Stretch, Words};
use crate::violation::{Layer, RecordRef, Violation};

/// Verifies one stream.
///
/// [`push`](Verifier::push) takes the bytes, in pieces of any size. The first violation of a rule at level deny is the
/// verdict, and every later call returns it again.
///
/// ```
/// use xenstream_core::{Format, Policy, Rule, Verifier};
///
/// let mut verifier = Verifier::new(Format::Libxc, &Policy::spec());
/// verifier.push(&[0xFF; 8], &mut ()).unwrap();
/// let violation = verifier.push(b"XENX", &mut ()).unwrap_err();
/// assert_eq!((violation.rule, violation.offset), (Rule::LibxcId, 8));
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    pub(crate) policy: Policy,
    pub(crate) summary: Summary,
    /// Bytes that have been judged or skipped, not counting those in `torn`.
    pub(crate) position: u64,
    pub(crate) gap: u64,
    pub(crate) field: Field,
    /// The first `have` bytes of a field that is split between pushes.
    torn: [u8; 8],
    pub(crate) have: u8,
    /// The offset up to which bytes are certain to belong to the stream.
    pub(crate) certain_until: u64,
    /// The record being read, or `None` inside a header of a stream or container.
    pub(crate) record: Option<RecordRef>,
    /// Absolute offset of the end of the record's body, without padding.
    pub(crate) body_end: u64,
    pub(crate) body_padding: u64,
    /// Whether the observer wants the bytes of the current body.
    pub(crate) body_is_wanted: bool,
    pub(crate) records: u64,
    /// The type of the domain according to the configuration.
    pub(crate) domain_type: Option<DomainType>,
    pub(crate) config: verify::config::State,
    /// The first finding at deny.
    first_violation: Option<Violation>,
    /// Whether that finding is final. It is not yet under a policy that keeps going.
    refused: bool,
    pub(crate) detect: verify::detect::State,
    pub(crate) xl: verify::xl::State,
    pub(crate) libvirt: verify::libvirt::State,
    pub(crate) xenopsd: verify::xenopsd::State,
    pub(crate) libxl: verify::libxl::State,
    pub(crate) xenstore: verify::xenstore::State,
    pub(crate) libxc: verify::libxc::State,
    pub(crate) pages: verify::pages::State,
    pub(crate) policies: verify::policies::State,
    pub(crate) params: verify::params::State,
    pub(crate) registers: verify::registers::State,
    pub(crate) flat: verify::flat::State,
    pub(crate) hvm: verify::hvm::State,
    pub(crate) pv: verify::pv::State,
    pub(crate) qemu: verify::qemu::State,
    pub(crate) vcpus: verify::vcpu::State,
}

/// The result of [`Verifier::push`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Number of bytes consumed from the chunk: all of them, unless the stream ended inside it.
    pub consumed: usize,
    /// Whether the last byte of the stream has been consumed.
    pub ended: bool,
}

/// What is known about the next bytes of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Need {
    /// Number of further bytes that are certain to belong to the stream; 0 if it has ended or was refused. A caller that
    /// must not read past the end of the stream reads at most this many.
    pub certain: u64,
    /// Number of these bytes, from the next one on, that no rule needs. [`Verifier::skip`] may skip them.
    pub skippable: u64,
}

/// The error if [`Verifier::skip`] is asked to skip bytes that a rule needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot skip {asked} bytes, only {skippable} are skippable")]
#[non_exhaustive]
pub struct SkipError {
    /// Number of bytes that the caller asked to skip.
    pub asked: u64,
    /// Number of bytes that may be skipped.
    pub skippable: u64,
}

impl Verifier {
    /// Creates a verifier for a stream in this format.
    #[must_use]
    pub fn new(format: Format, policy: &Policy) -> Verifier {
        let mut verifier = Verifier {
            policy: policy.clone(),
            summary: Summary::new(Format::Auto),
            position: 0,
            gap: 0,
            field: Field::Ended,
            torn: [0; 8],
            have: 0,
            certain_until: 0,
            record: None,
            body_end: 0,
            body_padding: 0,
            body_is_wanted: false,
            records: 0,
            domain_type: None,
            config: verify::config::State::default(),
            first_violation: None,
            refused: false,
            detect: verify::detect::State::default(),
            xl: verify::xl::State::default(),
            libvirt: verify::libvirt::State::default(),
            xenopsd: verify::xenopsd::State::default(),
            libxl: verify::libxl::State::default(),
            xenstore: verify::xenstore::State::default(),
            libxc: verify::libxc::State::default(),
            pages: verify::pages::State::default(),
            policies: verify::policies::State::default(),
            params: verify::params::State::default(),
            registers: verify::registers::State::default(),
            flat: verify::flat::State::default(),
            hvm: verify::hvm::State::default(),
            pv: verify::pv::State::default(),
            qemu: verify::qemu::State::default(),
            vcpus: verify::vcpu::State::default(),
        };
        verifier.start(format);
        verifier
    }

    /// Judges the next bytes of the stream.
    ///
    /// # Errors
    /// Returns the first violation of a rule at level deny. It is final: every later call returns it again.
    #[inline]
    pub fn push<O: Observer + ?Sized>(
        &mut self,
        chunk: &[u8],
        observer: &mut O,
    ) -> Result<Progress, Violation> {
        if self.refused {
            self.outcome()?;
        }
        let rest = match self.run(chunk, observer) {
            Ok(rest) => rest,
            Err(Stop) => return self.outcome().map(|()| Progress { consumed: 0, ended: false }),
        };
        Ok(Progress {
            consumed: chunk.len().saturating_sub(rest.len()),
            ended: matches!(self.field, Field::Ended),
        })
    }

    /// Skips bytes that no rule needs, as if they had been pushed.
    ///
    /// # Errors
    /// If `bytes` exceeds [`need().skippable`](Verifier::need). Nothing is skipped then.
    pub fn skip(&mut self, bytes: u64) -> Result<(), SkipError> {
        let skippable = self.need().skippable;
        if bytes > skippable {
            return Err(SkipError { asked: bytes, skippable });
        }
        self.gap = self.gap.saturating_sub(bytes);
        self.position = self.position.saturating_add(bytes);
        Ok(())
    }

    /// Returns what is known about the next bytes of the stream. The README has the loop of a reader that goes by it.
    #[inline]
    #[must_use]
    pub fn need(&self) -> Need {
        if self.refused || matches!(self.field, Field::Ended) && self.gap == 0 {
            return Need { certain: 0, skippable: 0 };
        }
        Need {
            certain: self.certain_until.saturating_sub(self.position()),
            skippable: if self.body_is_wanted { 0 } else { self.gap },
        }
    }

    /// Ends the input. An observer gets the warnings that this causes (`stream::failover`).
    ///
    /// # Errors
    /// If the input ended inside the stream, or if a rule at level deny was broken.
    pub fn finish<O: Observer + ?Sized>(&mut self, observer: &mut O) -> Result<Summary, Violation> {
        if self.refused {
            self.outcome()?;
        }
        // Markers that are due after a skip.
        let mut verdict = self.run(&[], observer).map(|_| ());
        if verdict.is_ok() && !matches!(self.field, Field::Ended) {
            verdict = self.end_of_input(observer);
        }
        self.verdict(verdict)?;
        self.summary.bytes = self.position();
        self.refused = self.first_violation.is_some();
        match self.first_violation {
            Some(violation) => Err(violation),
            None => Ok(self.summary),
        }
    }

    /// Reports that more bytes follow the end of the stream, in a regular file where there should be none.
    ///
    /// # Errors
    /// If `stream::trailing-data` or `stream::trailing-zeros` is at level deny.
    pub fn trailing_data<O: Observer + ?Sized>(
        &mut self,
        follows: Follows,
        observer: &mut O,
    ) -> Result<(), Violation> {
        if self.refused {
            self.outcome()?;
        }
        self.record = None;
        let end = self.position;
        let (rule, found) = match follows {
            Follows::Zeros => (Rule::StreamTrailingZeros, Value::None),
            Follows::Image(format) => (Rule::StreamTrailingData, Value::Format(format)),
            Follows::Data => (Rule::StreamTrailingData, Value::None),
        };
        let verdict = self.flag(rule, end, found, Value::None, observer);
        self.verdict(verdict)
    }

    /// Returns whether the last byte of the stream has been consumed.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.field, Field::Ended) && self.gap == 0 && !self.refused
    }

    /// Returns the number of bytes so far that were consumed or skipped.
    #[inline]
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position.saturating_add(u64::from(self.have))
    }

    /// Returns the format, or [`Format::Auto`] if it is not known yet.
    #[must_use]
    pub fn format(&self) -> Format {
        self.summary.format
    }

    /// Returns the policy by which the stream is judged.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Changes a limit for the rest of the stream, such as the highest pfn once the configuration has been read.
    pub fn set_limit(&mut self, limit: Limit, value: u64) {
        self.policy.set_limit(limit, value);
        self.pages.refresh(&self.policy, &self.summary);
    }

    /// Sets the domain's type according to its configuration. The rest of the stream is compared with it
    /// (`xl::type-mismatch`).
    pub fn set_domain_type(&mut self, domain_type: DomainType) {
        self.domain_type = Some(domain_type);
    }

    /// Returns a summary of the stream so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The record being read, or `None` inside a header of a stream or container.
    #[must_use]
    pub fn record(&self) -> Option<RecordRef> {
        self.record
    }
}

/// The engine.
impl Verifier {
    /// Turns a [`Stop`], which says that the verdict is final, into that verdict.
    #[inline]
    fn verdict(&self, verdict: Result<(), Stop>) -> Result<(), Violation> {
        match verdict {
            Ok(()) => Ok(()),
            Err(Stop) => self.outcome(),
        }
    }

    /// Returns the final verdict.
    #[cold]
    #[inline(never)]
    fn outcome(&self) -> Result<(), Violation> {
        self.first_violation.map_or(Ok(()), Err)
    }

    /// Takes steps until the input is used up or the stream ends. Returns the rest of the input.
    #[inline]
    fn run<'a, O: Observer + ?Sized>(&mut self, mut input: &'a [u8], o: &mut O) -> Result<&'a [u8], Stop> {
        loop {
            if let Some(rest) = self.short_cut(input, o)? {
                input = rest;
                continue;
            }
            if self.gap > 0 {
                if input.is_empty() {
                    return Ok(input);
                }
                input = self.pass(input, o);
                continue;
            }
            input = match self.field {
                Field::Bytes(field) => {
                    let width = self.width(field);
                    let Some((value, rest)) = self.take(width, input) else { return Ok(&[]) };
                    self.judge(field, width, value, o)?;
                    rest
                }
                Field::Words(_) | Field::Stretch(_) if input.is_empty() => return Ok(input),
                Field::Words(run) => self.run_words(run, input, o)?,
                Field::Stretch(stretch) => self.run_stretch(stretch, input, o)?,
                Field::Marker(marker) => {
                    self.marker(marker, o)?;
                    input
                }
                Field::Ended => return Ok(input),
            };
        }
    }

    /// Skips bytes of the gap.
    fn pass<'a, O: Observer + ?Sized>(&mut self, input: &'a [u8], o: &mut O) -> &'a [u8] {
        let here = usize::try_from(self.gap).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at(here);
        if self.body_is_wanted {
            o.on_body(self.position, bytes);
        }
        self.advance(here);
        self.gap = self.gap.saturating_sub(here as u64);
        rest
    }

    #[inline(never)]
    fn judge<O: Observer + ?Sized>(
        &mut self,
        field: Bytes,
        width: u8,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let at = self.position;
        self.advance(usize::from(width));
        if self.body_is_wanted {
            let (bytes, _) = value.split_at(usize::from(width.min(8)));
            o.on_body(at, bytes);
        }
        self.field(field, at, value, o)
    }

    /// Returns `width` bytes (at most 8) and the rest of the input, or `None` if the field is still incomplete.
    #[inline]
    fn take<'a>(&mut self, width: u8, input: &'a [u8]) -> Option<([u8; 8], &'a [u8])> {
        if self.have == 0 {
            if width == 8
                && let Some((bytes, rest)) = input.split_first_chunk::<8>()
            {
                return Some((*bytes, rest));
            }
            if width == 4
                && let Some(([a, b, c, d], rest)) = input.split_first_chunk::<4>()
            {
                return Some(([*a, *b, *c, *d, 0, 0, 0, 0], rest));
            }
        }
        self.gather(width, input)
    }

    /// The same for bytes that arrive in several pieces.
    fn gather<'a>(&mut self, width: u8, mut input: &'a [u8]) -> Option<([u8; 8], &'a [u8])> {
        while let Some((byte, rest)) = input.split_first() {
            input = rest;
            if let Some(slot) = self.torn.get_mut(usize::from(self.have)) {
                *slot = *byte;
            }
            self.have = self.have.wrapping_add(1);
            if self.have >= width {
                self.have = 0;
                return Some((core::mem::take(&mut self.torn), input));
            }
        }
        None
    }

    /// Takes the complete words in the input, and those split at its edges.
    #[inline]
    fn run_words<'a, O: Observer + ?Sized>(
        &mut self,
        run: Words,
        input: &'a [u8],
        o: &mut O,
    ) -> Result<&'a [u8], Stop> {
        let (words, _) = input.as_chunks::<8>();
        if self.have > 0 || words.is_empty() {
            let Some((word, rest)) = self.gather(8, input) else { return Ok(&[]) };
            self.take_words(run, &[word], &word, o)?;
            return Ok(rest);
        }
        let here = usize::try_from(self.words_left(run)).unwrap_or(usize::MAX).min(words.len());
        let (words, _) = words.split_at(here);
        let (bytes, rest) = input.split_at_checked(words.len().saturating_mul(8)).unwrap_or((input, &[]));
        self.take_words(run, words, bytes, o)?;
        Ok(rest)
    }

    #[inline(never)]
    fn take_words<O: Observer + ?Sized>(
        &mut self,
        run: Words,
        words: &[[u8; 8]],
        bytes: &[u8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let at = self.position;
        let verdict = self.words(run, words, bytes, o);
        self.tell_body(at, bytes, o);
        verdict
    }

    /// Takes bytes that are judged one by one.
    #[inline(never)]
    fn run_stretch<'a, O: Observer + ?Sized>(
        &mut self,
        stretch: Stretch,
        input: &'a [u8],
        o: &mut O,
    ) -> Result<&'a [u8], Stop> {
        let here = usize::try_from(self.stretch_left(stretch)).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at(here);
        let at = self.position;
        let verdict = self.stretch(stretch, bytes, o);
        self.tell_body(at, bytes, o);
        verdict?;
        Ok(rest)
    }

    /// Passes the observer the bytes that were judged before a rule was broken, so that it does not depend on the split.
    fn tell_body<O: Observer + ?Sized>(&self, at: u64, bytes: &[u8], o: &mut O) {
        if self.body_is_wanted {
            let judged = usize::try_from(self.position.saturating_sub(at)).unwrap_or(usize::MAX);
            let (bytes, _) = bytes.split_at(judged.min(bytes.len()));
            o.on_body(at, bytes);
        }
    }

    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.position = self.position.saturating_add(bytes as u64);
    }
}

/// Functions that the layers share.
impl Verifier {
    /// Sets the next step: skip `gap` bytes, then take `field`.
    #[inline]
    pub(crate) fn set_next(&mut self, gap: u64, field: Field) {
        self.gap = gap;
        self.field = field;
    }

    /// Sets the next step: a record's header.
    #[inline]
    pub(crate) fn await_record(&mut self, layer: Layer, index: u64, field: Field) {
        self.record = Some(RecordRef { layer, index, kind: None, offset: self.position });
        self.set_next(0, field);
    }

    /// Begins the body of a record. At least `tail` bytes follow the record.
    #[inline]
    pub(crate) fn begin_body<O: Observer + ?Sized>(&mut self, record: &Record, tail: u64, o: &mut O) {
        self.body_end = record.body_offset.saturating_add(record.body_length);
        self.body_padding = record.padding();
        self.certain_until = self.body_end.saturating_add(self.body_padding).saturating_add(tail);
        o.on_record(record);
        self.body_is_wanted = o.wants_body(record);
    }

    /// Skips the rest of the body.
    #[inline]
    pub(crate) fn rest_of_body(&mut self) {
        self.set_next(self.left_in_body(), Field::Marker(Marker::BodyEnd));
    }

    /// Returns the number of bytes left in the body.
    #[inline]
    pub(crate) fn left_in_body(&self) -> u64 {
        self.body_end.saturating_sub(self.position)
    }

    /// Counts a record against the limit.
    #[inline]
    pub(crate) fn count_record<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        self.records = self.records.saturating_add(1);
        let limit = self.policy.limit(Limit::Records);
        if self.records > limit {
            self.flag(Rule::StreamRecords, at, self.records, limit, o)?;
        }
        Ok(())
    }

    /// Reports a violation in the record being read.
    #[inline]
    pub(crate) fn flag<O: Observer + ?Sized>(
        &mut self,
        rule: Rule,
        offset: u64,
        found: impl Into<Value>,
        expected: impl Into<Value>,
        o: &mut O,
    ) -> Result<(), Stop> {
        self.flag_in(rule, offset, found, expected, self.record, o)
    }

    /// Reports a violation in this record.
    #[inline]
    pub(crate) fn flag_in<O: Observer + ?Sized>(
        &mut self,
        rule: Rule,
        offset: u64,
        found: impl Into<Value>,
        expected: impl Into<Value>,
        record: Option<RecordRef>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let violation = Violation::new(rule, offset, record).found(found).expected(expected);
        self.flag_at(self.policy.level(rule), violation, o)
    }

    /// Reports something that some releases of Xen refuse, in the record being read.
    ///
    /// It is a finding of the fact's rule if the target refuses it, if the profile says so without a target, or if no release
    /// remains that accepts the stream.
    #[inline]
    pub(crate) fn flag_fact<O: Observer + ?Sized>(
        &mut self,
        fact: Fact,
        offset: u64,
        found: impl Into<Value>,
        expected: impl Into<Value>,
        o: &mut O,
    ) -> Result<(), Stop> {
        self.flag_fact_in(fact, offset, found.into(), expected.into(), self.record, o)
    }

    /// The same, in this record.
    #[cold]
    #[inline(never)]
    pub(crate) fn flag_fact_in<O: Observer + ?Sized>(
        &mut self,
        fact: Fact,
        offset: u64,
        found: Value,
        expected: Value,
        record: Option<RecordRef>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let is_first = !self.summary.releases.facts().contains(fact);
        let was_taken = is_first && !self.summary.releases.is_refused_by_all();
        self.summary.releases.note(fact, offset, record);
        if fact.depends_on_host() {
            return Ok(());
        }
        let Some(rule) = fact.rule_in(record.map(|record| record.layer)) else { return Ok(()) };
        let profile = self.policy.profile();
        let is_combination = was_taken && self.summary.releases.is_refused_by_all();
        let level = match self.policy.target() {
            Some(target) if target.refuses(fact) => self.policy.level_or(rule, Level::Deny),
            // What the profile refuses is a danger to any release; of what other releases refuse there is no need to warn.
            Some(_) if fact.level(profile) == Level::Deny => self.policy.level_or(rule, Level::Deny),
            Some(_) => Level::Allow,
            None if is_combination && profile == Profile::Spec => self.policy.level_or(rule, Level::Warn),
            None if is_combination => self.policy.level_or(rule, Level::Deny),
            // Set by hand, the rule's level is about what it refuses on its own account, if there is such a thing.
            None if fact.level(profile) == Level::Allow && rule.grade(profile).level() != Level::Allow => {
                Level::Allow
            }
            None => self.policy.level_or(rule, fact.level(profile)),
        };
        let mut violation = Violation::new(rule, offset, record).found(found).expected(expected);
        (violation.fact, violation.is_combination) = (Some(fact), is_combination);
        self.flag_at(level, violation, o)
    }

    /// Records that the restore also depends on the host in this respect.
    #[inline]
    pub(crate) fn depends_on(&mut self, host: HostDependency) {
        self.summary.releases.depend(host);
    }

    /// Reports a violation whose level the profile treats specially.
    #[cold]
    #[inline(never)]
    pub(crate) fn flag_at<O: Observer + ?Sized>(
        &mut self,
        level: Level,
        violation: Violation,
        o: &mut O,
    ) -> Result<(), Stop> {
        match level {
            Level::Allow => Ok(()),
            Level::Warn => {
                o.on_warning(&violation);
                Ok(())
            }
            Level::Deny => {
                self.first_violation = self.first_violation.or(Some(violation));
                self.refused = !self.policy.keeps_going() || violation.rule.is_structural();
                if self.policy.keeps_going() {
                    o.on_finding(&violation);
                }
                if self.refused { Err(Stop) } else { Ok(()) }
            }
        }
    }
}
