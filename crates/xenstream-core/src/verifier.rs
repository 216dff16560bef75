//! The public face: owns the stack of layers and moves the stream through them.
//!
//! The stream is a sequence of steps, and each step is "pass over `gap` bytes at which no rule looks, then take
//! `field`". A field is a few bytes that are judged together, a run of words or bytes that are judged one by one as
//! they pass, or a marker without bytes at which a layer decides what comes next. The layers in [`crate::verify`]
//! say what the next step is; this file assembles torn fields and knows nothing of formats.

use crate::observer::{Observer, Record};
use crate::policy::{Level, Limit, Policy, Profile};
use crate::rule::Rule;
use crate::summary::{DomainType, Format, Summary};
use crate::targets::{Fact, HostDependency};
use crate::verify::detect::Follows;
use crate::verify::{self, Field, ShortCut, Size, Stop};
use crate::violation::{Layer, RecordRef, Violation};

/// Verifies one stream.
///
/// Bytes go in with [`push`](Verifier::push), in pieces of any size. The first broken rule at level deny is the
/// verdict; after it every call returns the same violation.
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
    /// Bytes that have been judged or passed over; those in `torn` are not among them yet.
    pub(crate) position: u64,
    pub(crate) gap: u64,
    pub(crate) field: Field,
    /// How `field` is taken, and a shorter way if it has one.
    size: Size,
    short_cut: ShortCut,
    /// Bytes of a field that the input so far ended in, `have` of them.
    torn: [u8; 8],
    have: u8,
    /// Up to this offset the bytes surely belong to the stream.
    pub(crate) sure: u64,
    /// The record being read, `None` inside a header of a stream or container.
    pub(crate) record: Option<RecordRef>,
    /// Absolute offset of the end of the record's body, without padding.
    pub(crate) body_end: u64,
    pub(crate) body_padding: u64,
    /// The observer asked for the bytes that pass.
    pub(crate) wanted: bool,
    pub(crate) records: u64,
    /// What the configuration says that the domain is.
    pub(crate) domain_type: Option<DomainType>,
    pub(crate) config: verify::config::State,
    /// The first finding at deny.
    first: Option<Violation>,
    /// That finding is the verdict; as long as it is not, the policy keeps going.
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
    pub(crate) vcpus: verify::vcpu::State,
}

/// What [`Verifier::push`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes taken from the chunk; fewer than it has only when the stream ended inside it.
    pub consumed: usize,
    /// The stream's last byte has been taken.
    pub ended: bool,
}

/// What the stream goes on with, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Further bytes that surely belong to this stream; 0 when it has ended or was refused. A caller who must not
    /// read past the stream's end reads no more than that.
    pub certain: u64,
    /// Of these, the next bytes that no rule will look at and that may be passed over with [`Verifier::skip`].
    pub skippable: u64,
}

/// [`Verifier::skip`] was asked to pass over bytes that a rule has to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot skip {asked} bytes, only {skippable} are skippable")]
pub struct SkipError {
    /// Bytes that were to be skipped.
    pub asked: u64,
    /// Bytes that could have been.
    pub skippable: u64,
}

impl Verifier {
    /// A verifier at the start of a stream in this format.
    #[must_use]
    pub fn new(format: Format, policy: &Policy) -> Verifier {
        let mut verifier = Verifier {
            policy: policy.clone(),
            summary: Summary::new(Format::Auto),
            position: 0,
            gap: 0,
            field: Field::Ended,
            size: Size::End,
            short_cut: ShortCut::None,
            torn: [0; 8],
            have: 0,
            sure: 0,
            record: None,
            body_end: 0,
            body_padding: 0,
            wanted: false,
            records: 0,
            domain_type: None,
            config: verify::config::State::default(),
            first: None,
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
            vcpus: verify::vcpu::State::default(),
        };
        verifier.start(format);
        verifier
    }

    /// Judges the next bytes of the stream.
    ///
    /// # Errors
    /// The first broken rule at level deny. It is final: every later call returns it again.
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

    /// Passes over bytes that no rule looks at, as if they had been pushed.
    ///
    /// # Errors
    /// `bytes` is more than [`need`](Verifier::need) calls skippable; nothing is skipped then.
    pub fn skip(&mut self, bytes: u64) -> Result<(), SkipError> {
        let skippable = self.need().skippable;
        if bytes > skippable {
            return Err(SkipError { asked: bytes, skippable });
        }
        self.gap = self.gap.saturating_sub(bytes);
        self.position = self.position.saturating_add(bytes);
        Ok(())
    }

    /// What the stream goes on with.
    #[inline]
    #[must_use]
    pub fn need(&self) -> Need {
        if self.refused || matches!(self.field, Field::Ended) && self.gap == 0 {
            return Need { certain: 0, skippable: 0 };
        }
        Need {
            certain: self.sure.saturating_sub(self.position()),
            skippable: if self.wanted { 0 } else { self.gap },
        }
    }

    /// Says that the input has ended.
    ///
    /// # Errors
    /// The input ended inside the stream, or a rule at level deny was broken.
    pub fn finish(&mut self) -> Result<Summary, Violation> {
        self.finish_with(&mut ())
    }

    /// Says that the input has ended, to an observer who hears the warnings that come of it (`stream::failover`).
    ///
    /// # Errors
    /// As for [`finish`](Verifier::finish).
    pub fn finish_with<O: Observer + ?Sized>(&mut self, observer: &mut O) -> Result<Summary, Violation> {
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
        self.refused = self.first.is_some();
        match self.first {
            Some(violation) => Err(violation),
            None => Ok(self.summary),
        }
    }

    /// Says that the input goes on after the stream's end, where it should not: in a regular file; and with what.
    ///
    /// # Errors
    /// `stream::trailing-data` or `stream::trailing-zeros`, where its level is deny.
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
            Follows::Zeros => (Rule::StreamTrailingZeros, 0),
            Follows::Image(format) => (Rule::StreamTrailingData, format as u64),
            Follows::Data => (Rule::StreamTrailingData, 0),
        };
        let verdict = self.find(rule, end, found, 0, observer);
        self.verdict(verdict)
    }

    /// Has the stream's last byte been taken?
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.field, Field::Ended) && self.gap == 0 && !self.refused
    }

    /// Bytes of the input so far: pushed and consumed, or skipped.
    #[inline]
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position.saturating_add(u64::from(self.have))
    }

    /// The format, [`Format::Auto`] as long as it is not known.
    #[must_use]
    pub fn format(&self) -> Format {
        self.summary.format
    }

    /// The policy that this stream is judged by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Changes a limit for what is still to come, such as the highest pfn once the configuration has told the
    /// guest's memory.
    pub fn set_limit(&mut self, limit: Limit, value: u64) {
        self.policy.set_limit(limit, value);
        self.pages.refresh(&self.policy, &self.summary);
    }

    /// Says what type the configuration gives the domain, once it is known: what the stream shows of it is compared
    /// with that from now on (`xl::type-mismatch`).
    pub fn set_domain_type(&mut self, domain_type: DomainType) {
        self.domain_type = Some(domain_type);
    }

    /// What the stream held so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The record being read, `None` inside a header of a stream or container.
    #[must_use]
    pub fn record(&self) -> Option<RecordRef> {
        self.record
    }
}

/// The engine.
impl Verifier {
    /// [`Stop`] says that the outcome is fixed; here it is told.
    #[inline]
    fn verdict(&self, verdict: Result<(), Stop>) -> Result<(), Violation> {
        match verdict {
            Ok(()) => Ok(()),
            Err(Stop) => self.outcome(),
        }
    }

    /// The verdict, which is fixed.
    #[cold]
    #[inline(never)]
    fn outcome(&self) -> Result<(), Violation> {
        self.first.map_or(Ok(()), Err)
    }

    /// Takes steps until the input is used up or the stream ends; gives back what is left of it.
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
            input = match self.size {
                Size::Bytes(width) => {
                    let Some((value, rest)) = self.take(width, input) else { return Ok(&[]) };
                    self.judge(width, value, o)?;
                    rest
                }
                Size::Words | Size::Stretch if input.is_empty() => return Ok(input),
                Size::Words => self.run_words(input, o)?,
                Size::Stretch => self.run_stretch(input, o)?,
                Size::Marker => {
                    self.marker(o)?;
                    input
                }
                Size::End => return Ok(input),
            };
        }
    }

    /// Takes a step of which most streams are full, where its bytes lie in one piece and break no rule: the long way
    /// round costs more than the rules do. None of them has a gap before it. Gives back what is left of the input.
    #[inline]
    fn short_cut<'a, O: Observer + ?Sized>(
        &mut self,
        input: &'a [u8],
        o: &mut O,
    ) -> Result<Option<&'a [u8]>, Stop> {
        let Some((bytes, rest)) = input.split_first_chunk::<8>() else { return Ok(None) };
        if self.have > 0 {
            return Ok(None);
        }
        let taken = match self.short_cut {
            ShortCut::LibxcRecord => {
                let at = self.position;
                self.advance(8);
                self.libxc_record(at, *bytes, o)?;
                true
            }
            ShortCut::PagesHeader => self.pages_header(*bytes),
            ShortCut::PagesEntry => self.pages_single(*bytes, o)?,
            ShortCut::None => false,
        };
        Ok(taken.then_some(rest))
    }

    /// Passes over bytes of the gap.
    fn pass<'a, O: Observer + ?Sized>(&mut self, input: &'a [u8], o: &mut O) -> &'a [u8] {
        let here = usize::try_from(self.gap).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at(here);
        if self.wanted {
            o.body(self.position, bytes);
        }
        self.advance(here);
        self.gap = self.gap.saturating_sub(here as u64);
        rest
    }

    #[inline(never)]
    fn judge<O: Observer + ?Sized>(&mut self, width: u8, value: [u8; 8], o: &mut O) -> Result<(), Stop> {
        let at = self.position;
        self.advance(usize::from(width));
        if self.wanted {
            let (bytes, _) = value.split_at(usize::from(width.min(8)));
            o.body(at, bytes);
        }
        self.field(at, value, o)
    }

    /// `width` bytes (at most 8), and what is after them; `None` once the whole input is in the torn field.
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

    /// The same where the bytes come in several pieces.
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

    /// Whole words in the input, and the torn ones at its edges.
    #[inline]
    fn run_words<'a, O: Observer + ?Sized>(&mut self, input: &'a [u8], o: &mut O) -> Result<&'a [u8], Stop> {
        let (words, _) = input.as_chunks::<8>();
        if self.have > 0 || words.is_empty() {
            let Some((word, rest)) = self.gather(8, input) else { return Ok(&[]) };
            self.take_words(&[word], &word, o)?;
            return Ok(rest);
        }
        let here = usize::try_from(self.words_left()).unwrap_or(usize::MAX).min(words.len());
        let (words, _) = words.split_at(here);
        let (bytes, rest) = input.split_at_checked(words.len().saturating_mul(8)).unwrap_or((input, &[]));
        self.take_words(words, bytes, o)?;
        Ok(rest)
    }

    #[inline(never)]
    fn take_words<O: Observer + ?Sized>(
        &mut self,
        words: &[[u8; 8]],
        bytes: &[u8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let at = self.position;
        let verdict = self.words(words, bytes, o);
        self.tell_body(at, bytes, o);
        verdict
    }

    /// Bytes that are judged one by one.
    #[inline(never)]
    fn run_stretch<'a, O: Observer + ?Sized>(
        &mut self,
        input: &'a [u8],
        o: &mut O,
    ) -> Result<&'a [u8], Stop> {
        let here = usize::try_from(self.stretch_left()).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at(here);
        let at = self.position;
        let verdict = self.stretch(bytes, o);
        self.tell_body(at, bytes, o);
        verdict?;
        Ok(rest)
    }

    /// The observer hears what was judged before a rule was broken, whatever piece it came in.
    fn tell_body<O: Observer + ?Sized>(&self, at: u64, bytes: &[u8], o: &mut O) {
        if self.wanted {
            let judged = usize::try_from(self.position.saturating_sub(at)).unwrap_or(usize::MAX);
            let (bytes, _) = bytes.split_at(judged.min(bytes.len()));
            o.body(at, bytes);
        }
    }

    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.position = self.position.saturating_add(bytes as u64);
    }
}

/// What the layers share.
impl Verifier {
    /// The next step: pass over `gap` bytes, then take `field`.
    #[inline]
    pub(crate) fn next(&mut self, gap: u64, field: Field) {
        self.gap = gap;
        self.field = field;
        self.size = field.size();
        self.short_cut = field.short_cut();
    }

    /// The record's header comes next.
    #[inline]
    pub(crate) fn await_record(&mut self, layer: Layer, index: u64, field: Field) {
        self.record = Some(RecordRef { layer, index, kind: None, offset: self.position });
        self.next(0, field);
    }

    /// A record's header has passed and its body begins. `tail` bytes surely follow the record.
    #[inline]
    pub(crate) fn begin_body<O: Observer + ?Sized>(&mut self, record: &Record, tail: u64, o: &mut O) {
        self.body_end = record.body_offset.saturating_add(record.body_length);
        self.body_padding = record.padding();
        self.sure = self.body_end.saturating_add(self.body_padding).saturating_add(tail);
        o.record(record);
        self.wanted = o.wants_body(record);
    }

    /// Nothing more in this body is looked at.
    #[inline]
    pub(crate) fn rest_of_body(&mut self) {
        self.next(self.left_in_body(), Field::BodyEnd);
    }

    /// Bytes of the body that are still to come.
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
            self.find(Rule::StreamRecords, at, self.records, limit, o)?;
        }
        Ok(())
    }

    /// A rule was broken, in the record being read.
    #[cold]
    #[inline(never)]
    pub(crate) fn find<O: Observer + ?Sized>(
        &mut self,
        rule: Rule,
        offset: u64,
        found: u64,
        expected: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let record = self.record;
        self.find_in(rule, offset, found, expected, record, o)
    }

    /// A rule was broken, in this record.
    #[cold]
    #[inline(never)]
    pub(crate) fn find_in<O: Observer + ?Sized>(
        &mut self,
        rule: Rule,
        offset: u64,
        found: u64,
        expected: u64,
        record: Option<RecordRef>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let level = self.policy.level(rule);
        let violation =
            Violation { rule, offset, record, expected, found, fact: None, is_combination: false };
        self.find_at(level, violation, o)
    }

    /// The stream shows something that some releases of Xen refuse, in the record being read.
    ///
    /// Under a target that refuses it, it is a finding of the fact's rule; so it is without a target where the profile
    /// says so, or where it leaves no release that takes the stream.
    #[cold]
    #[inline(never)]
    pub(crate) fn fact<O: Observer + ?Sized>(
        &mut self,
        fact: Fact,
        offset: u64,
        found: u64,
        expected: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let record = self.record;
        self.fact_in(fact, offset, found, expected, record, o)
    }

    /// The same in this record.
    #[cold]
    #[inline(never)]
    pub(crate) fn fact_in<O: Observer + ?Sized>(
        &mut self,
        fact: Fact,
        offset: u64,
        found: u64,
        expected: u64,
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
        let fact = Some(fact);
        let violation = Violation { rule, offset, record, expected, found, fact, is_combination };
        self.find_at(level, violation, o)
    }

    /// The restore depends on the host in this respect, beside what the stream tells.
    #[inline]
    pub(crate) fn depends_on(&mut self, host: HostDependency) {
        self.summary.releases.depend(host);
    }

    /// A rule was broken, and a profile has its own mind about how bad that is.
    #[cold]
    #[inline(never)]
    pub(crate) fn find_at<O: Observer + ?Sized>(
        &mut self,
        level: Level,
        violation: Violation,
        o: &mut O,
    ) -> Result<(), Stop> {
        match level {
            Level::Allow => Ok(()),
            Level::Warn => {
                o.warning(&violation);
                Ok(())
            }
            Level::Deny => {
                self.first = self.first.or(Some(violation));
                self.refused = !self.policy.keeps_going() || violation.rule.is_structural();
                if self.policy.keeps_going() {
                    o.finding(&violation);
                }
                if self.refused { Err(Stop) } else { Ok(()) }
            }
        }
    }
}
