//! The result of a verification.

use std::collections::BTreeMap;
use std::time::Duration;

use xenstream_core::wire::PAGE_SIZE;
use xenstream_core::{Format, Guest, Limit, Profile, Rule, Summary, Target, Violation};

use crate::guest::GuestDescription;
use crate::hint::Hint;
use crate::source::compression::Compression;

/// The result of verifying one image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The verdict under the policy.
    pub verdict: Verdict,
    /// The format, or [`Format::Auto`] if it could not be detected.
    pub format: Format,
    /// The compression of the input. Offsets refer to the decompressed data.
    pub compression: Option<Compression>,
    /// The profile that the policy is based on.
    pub profile: Profile,
    /// The release on which the stream will be restored, if the policy names one.
    pub target: Option<Target>,
    /// Violations of rules at level warn.
    pub warnings: Findings,
    /// Violations of rules at level deny, under a policy that keeps going; otherwise empty.
    pub findings: Findings,
    /// Limits that were taken from the image's own configuration.
    pub derived_limits: Vec<DerivedLimit>,
    /// The guest, according to the image.
    pub guest: GuestDescription,
    /// Length of the input in bytes, if it is known and the input is not compressed.
    pub size: Option<u64>,
    /// Rules that could not be checked: those that need a second pass over a PV guest's image, if the input is compressed or
    /// not a file. The rules about page tables are still checked in one pass unless there are too many tables.
    pub unchecked: Vec<Rule>,
    /// What the input seems to be, if its first bytes are not what was expected.
    pub(crate) hint: Option<Hint>,
    /// A summary of the stream's contents, as far as it was read.
    pub summary: Summary,
    /// Number of bytes read from the stored input, not counting those that were skipped.
    pub bytes_read: u64,
    /// The time that the verification took.
    pub elapsed: Duration,
}

impl Report {
    /// Returns the report for a stream that begins `start` bytes into its file: offsets count from the start of the file. The
    /// counts in the summary are those of the stream, and stay the same.
    #[must_use]
    pub fn starting_at(mut self, start: u64) -> Report {
        let move_on = |violation: &mut Violation| {
            violation.offset = violation.offset.saturating_add(start);
            if let Some(record) = &mut violation.record {
                record.offset = record.offset.saturating_add(start);
            }
        };
        if let Verdict::Invalid(violation) | Verdict::Unjudged(violation) = &mut self.verdict {
            move_on(violation);
        }
        self.warnings.listed.iter_mut().chain(&mut self.findings.listed).for_each(move_on);
        self
    }

    /// Returns whether the stream is valid.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        matches!(self.verdict, Verdict::Valid)
    }

    /// Returns why the stream is not valid, if it is not.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        match &self.verdict {
            Verdict::Valid => None,
            Verdict::Invalid(violation) | Verdict::Unjudged(violation) => Some(violation),
        }
    }

    /// Returns the number of bytes at the start of an unjudged stream that were verified; `None` for any other stream.
    #[must_use]
    pub fn verified_bytes(&self) -> Option<u64> {
        match &self.verdict {
            Verdict::Valid | Verdict::Invalid(_) => None,
            Verdict::Unjudged(violation) => Some(violation.offset),
        }
    }

    /// Returns whether the guest's devices are those of qemu-traditional, which newer releases of Xen do not have.
    #[must_use]
    pub fn has_qemu_traditional(&self) -> bool {
        let rule = Rule::LibxlEmulatorTraditional;
        self.warnings.count(rule) > 0 || self.violation().is_some_and(|violation| violation.rule == rule)
    }

    /// Returns how much memory a torn stream contains, and how much the guest has, in bytes, according to the largest pfn of a
    /// PV guest or to the configuration. `None` if that is not known, or if the stream contains at least that much, as in the
    /// later passes of a live migration.
    #[must_use]
    pub fn torn_memory(&self) -> Option<(u64, u64)> {
        if self.violation()?.rule != Rule::StreamTruncated {
            return None;
        }
        let pages = self.summary.max_pfn.map(|largest| largest.saturating_add(1).saturating_mul(PAGE_SIZE));
        let configured = || self.guest.memory_kib.map(|kib| kib.saturating_mul(1024));
        let arrived = self.summary.pages.bytes();
        pages.or_else(configured).filter(|whole| arrived < *whole).map(|whole| (arrived, whole))
    }

    /// Returns a note about the [rules](Report::unchecked) for which a valid stream could not be checked, because they need
    /// an input that can be read at any offset.
    #[must_use]
    pub fn unchecked_note(&self) -> Option<String> {
        if !self.is_valid() || self.unchecked.is_empty() {
            return None;
        }
        let names: Vec<&str> = self.unchecked.iter().map(|rule| rule.name()).collect();
        let (n, names) = (names.len(), names.join(", "));
        Some(format!("{n} rules take a file that is not compressed, and were not checked: {names}"))
    }

    /// Returns the derived limits that are worth reporting to people. Nearly every configuration has a number of vcpus, so that
    /// limit is included only if it was exceeded.
    pub fn notable_limits(&self) -> impl Iterator<Item = &DerivedLimit> {
        let found = self.violation().into_iter().chain(self.findings.listed()).chain(self.warnings.listed());
        let has_excess = found
            .map(|violation| violation.rule)
            .any(|rule| matches!(rule, Rule::HvmInstance | Rule::LibxcVcpuId));
        self.derived_limits.iter().filter(move |derived| derived.limit != Limit::Vcpus || has_excess)
    }

    /// What the input seems to be, if its first bytes are not what was expected.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        self.hint
    }

    /// Returns whether the input is not an image at all, judging by its first bytes.
    #[must_use]
    pub fn is_unrecognised(&self) -> bool {
        self.violation().is_some_and(|violation| violation.rule == Rule::StreamUnrecognised)
    }
}

/// The verdict on a stream under a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller must decide about each verdict: a new one is a breaking change"
)]
pub enum Verdict {
    /// No rule at level deny was broken.
    Valid,
    /// This is the first violation of a rule at level deny.
    Invalid(Violation),
    /// No rule at level deny was broken up to this place, and the rest is in a format that cannot be judged: vGPU state, or a
    /// legacy image that must be converted first.
    Unjudged(Violation),
}

impl Verdict {
    /// Returns the verdict in a word, as in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Invalid(_) => "invalid",
            Verdict::Unjudged(_) => "unjudged",
        }
    }
}

impl From<Violation> for Verdict {
    /// Returns the verdict on a stream whose first violation at level deny is this one.
    fn from(violation: Violation) -> Verdict {
        if violation.is_unjudged() { Verdict::Unjudged(violation) } else { Verdict::Invalid(violation) }
    }
}

/// A limit that was taken from the image's own configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DerivedLimit {
    /// The limit.
    pub limit: Limit,
    /// The value of the limit.
    pub value: u64,
    /// The guest's memory in KiB, if the limit is derived from it.
    pub memory_kib: Option<u64>,
}

impl DerivedLimit {
    /// Returns whether the limit applies to such a guest.
    pub(crate) fn applies_to(&self, guest: Option<Guest>) -> bool {
        match self.limit {
            Limit::HvmPfn => guest == Some(Guest::Hvm),
            Limit::P2mPfn => guest == Some(Guest::Pv),
            _ => true,
        }
    }
}

/// Violations, in stream order. Only the first few of each rule are listed, and all are counted, so a hostile stream can
/// neither flood a report nor exhaust memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    listed: Vec<Violation>,
    counts: BTreeMap<Rule, u64>,
}

impl Findings {
    /// The most violations of one rule that are listed.
    pub const LISTED: u64 = 8;

    /// Returns the first few violations of each rule, in stream order.
    #[must_use]
    pub fn listed(&self) -> &[Violation] {
        &self.listed
    }

    /// Returns how often the rule was broken, listed or not.
    #[must_use]
    pub fn count(&self, rule: Rule) -> u64 {
        self.counts.get(&rule).copied().unwrap_or(0)
    }

    /// Returns the rules with more violations than are listed, and the number that are not.
    pub fn unlisted(&self) -> impl Iterator<Item = (Rule, u64)> + '_ {
        self.counts.iter().filter_map(|(rule, count)| {
            let more = count.saturating_sub(Findings::LISTED);
            (more > 0).then_some((*rule, more))
        })
    }

    /// Returns whether there are no findings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(crate) fn note(&mut self, violation: &Violation) {
        let count = self.counts.entry(violation.rule).or_default();
        *count = count.saturating_add(1);
        if *count <= Findings::LISTED {
            self.listed.push(*violation);
        }
    }
}
