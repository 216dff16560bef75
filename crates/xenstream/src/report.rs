//! What a verification found.

use std::collections::BTreeMap;
use std::time::Duration;

use xenstream_core::wire::PAGE_SIZE;
use xenstream_core::{Format, Guest, Limit, Profile, Rule, Summary, Target, Violation};

use crate::guest::GuestDescription;
use crate::hint::Hint;
use crate::source::compressed::Compression;

/// What a verification found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// What the policy makes of the stream.
    pub verdict: Verdict,
    /// The format; [`Format::Auto`] where it could not be told.
    pub format: Format,
    /// How the input was compressed. Offsets count in what was decompressed.
    pub compression: Option<Compression>,
    /// The profile that the policy started from.
    pub profile: Profile,
    /// The release that the stream is to be restored on, if the policy names one.
    pub target: Option<Target>,
    /// Broken rules at level warn.
    pub warnings: Findings,
    /// Broken rules at level deny, under a policy that keeps going; otherwise empty.
    pub findings: Findings,
    /// Limits that were taken from the image's own configuration.
    pub derived_limits: Vec<DerivedLimit>,
    /// What the image says of its guest.
    pub guest: GuestDescription,
    /// Bytes of the input, where that is known and it is not compressed.
    pub size: Option<u64>,
    /// Rules that could not be checked: those that take a second walk through a PV guest's image, where the input is no
    /// file or is compressed. Of these, those on page tables are checked in one pass unless there are too many tables.
    pub unchecked: Vec<Rule>,
    /// What the input seems to be, where it is not what was expected from its first bytes on.
    pub(crate) hint: Option<Hint>,
    /// What the stream held, as far as it was read.
    pub summary: Summary,
    /// Bytes that were read from the input, as it is stored; those passed over unread are not among them.
    pub bytes_read: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Report {
    /// The same report on a stream that begins `start` bytes into its file: offsets count from the file's start. What
    /// the summary counts is the stream's alone, and stays.
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

    /// Whether the stream is valid.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        matches!(self.verdict, Verdict::Valid)
    }

    /// Why the stream is not valid, if it is not.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        match &self.verdict {
            Verdict::Valid => None,
            Verdict::Invalid(violation) | Verdict::Unjudged(violation) => Some(violation),
        }
    }

    /// Bytes at the start of an unjudged stream that were verified; `None` for any other.
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

    /// How much of a torn stream's memory arrived, and how much the guest has, in bytes: by the largest pfn of a PV guest,
    /// or by the configuration. `None` where that is not known, or where as much arrived, as in the later passes of a
    /// live migration.
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

    /// What a valid stream was not checked for, in a sentence without an end: the [rules](Report::unchecked) that take an
    /// input that can be read at any place.
    #[must_use]
    pub fn unchecked_note(&self) -> Option<String> {
        if !self.is_valid() || self.unchecked.is_empty() {
            return None;
        }
        let names: Vec<&str> = self.unchecked.iter().map(|rule| rule.name()).collect();
        let (n, names) = (names.len(), names.join(", "));
        Some(format!("{n} rules take a file that is not compressed, and were not checked: {names}"))
    }

    /// The derived limits that a person should hear of. Nearly every configuration has a number of vcpus: that limit is
    /// among them only where it was passed.
    pub fn notable_limits(&self) -> impl Iterator<Item = &DerivedLimit> {
        let found = self.violation().into_iter().chain(self.findings.listed()).chain(self.warnings.listed());
        let has_excess = found
            .map(|violation| violation.rule)
            .any(|rule| matches!(rule, Rule::HvmInstance | Rule::LibxcVcpuId));
        self.derived_limits.iter().filter(move |derived| derived.limit != Limit::Vcpus || has_excess)
    }

    /// What the input seems to be, where it is not what was expected from its first bytes on.
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

/// What a policy makes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No rule at level deny was broken.
    Valid,
    /// This was the first.
    Invalid(Violation),
    /// No rule at level deny was broken up to here, and what follows is in a format that cannot be judged: state of a
    /// vGPU, or a legacy image that has to be converted first.
    Unjudged(Violation),
}

impl Verdict {
    /// The verdict in a word, as JSON has it.
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
    /// The verdict on a stream of which this is the first violation at deny.
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
    /// Its value.
    pub value: u64,
    /// The guest's memory in KiB, if that is what it follows from.
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

/// Broken rules, in stream order. Each rule is listed a few times and counted always, so that a hostile stream can
/// neither flood a report nor exhaust memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    listed: Vec<Violation>,
    counts: BTreeMap<Rule, u64>,
}

impl Findings {
    /// How often one rule is listed.
    pub const LISTED: u64 = 8;

    /// The first few of each rule, in stream order.
    #[must_use]
    pub fn listed(&self) -> &[Violation] {
        &self.listed
    }

    /// How often the rule was broken, listed or not.
    #[must_use]
    pub fn count(&self, rule: Rule) -> u64 {
        self.counts.get(&rule).copied().unwrap_or(0)
    }

    /// Rules that were broken more often than they are listed, with how often they are not.
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
