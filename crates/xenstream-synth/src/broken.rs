//! Streams that break one rule: a [`Plan`] with one thing changed, and where a verifier should find it.
//!
//! [`breaks`] is the table of changes, one or more for every rule of the catalogue. Each finds what it needs in the
//! stream that the plan builds, changes it, and says from the builder's knowledge alone at which byte and in which
//! record the rule is broken. Under profile `spec` with that rule at deny it is what refuses the stream, whatever else
//! comes of the change after it.
//!
//! ```
//! use xenstream_core::{Profile, Rule, Verifier};
//! use xenstream_synth::broken::Broken;
//! use xenstream_synth::plan::Plan;
//!
//! let broken = Broken::of(&Plan::default(), Rule::LibxcPageDataType, 0).unwrap();
//! let mut verifier = Verifier::new(broken.format, &broken.policy(Profile::Spec));
//! let violation = verifier.push(&broken.bytes(), &mut ()).unwrap_err();
//! assert_eq!((violation.rule, violation.offset), (broken.rule, broken.offset));
//! ```

use std::cell::Cell;
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use xenstream_core::{
    Checker, Checkpointing, Format, Guest, Layer, Level, Limit, Policy, Profile, RecordRef, Rule,
};

use crate::body::Field;
use crate::item::{Item, Part};
use crate::plan::{Built, Exception, Expected, Plan};
use crate::rules;
use crate::stream::Stream;

/// A stream that breaks one rule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Broken {
    /// The rule.
    pub rule: Rule,
    /// The stream.
    pub stream: Stream,
    /// The format to verify it as.
    pub format: Format,
    /// The kind of stream to verify it as.
    pub checkpointing: Checkpointing,
    /// The limit under which the rule is broken.
    pub limit: Option<(Limit, u64)>,
    /// Absolute offset at which it is broken.
    pub offset: u64,
    /// The record in which it is broken.
    pub record: Option<RecordRef>,
}

/// What plans must have for several breaks.
pub(crate) mod needs {
    pub(crate) const ANY: &str = "anything";
    pub(crate) const PV: &str = "a PV guest";
    pub(crate) const PV64: &str = "a 64-bit PV guest";
    pub(crate) const HVM: &str = "an HVM guest";
    pub(crate) const V2: &str = "version 2";
    pub(crate) const V3: &str = "version 3";
}

/// One way to break one rule.
#[derive(Clone, Copy, Debug)]
pub struct Break {
    /// The rule.
    pub rule: Rule,
    /// What a plan must have for it.
    pub needs: &'static str,
    change: fn(&Draft<'_>) -> Option<Fault>,
}

/// Every way to break every rule: what the tables of the structures tell, and by layer what they do not.
pub fn breaks() -> &'static [Break] {
    static BREAKS: LazyLock<Vec<Break>> = LazyLock::new(|| rules::breaks().collect());
    &BREAKS
}

impl Broken {
    /// The stream of a plan with this rule broken; `choices` chooses the way and the place. `None` if the plan has
    /// nothing to break it with.
    #[must_use]
    pub fn of(plan: &Plan, rule: Rule, choices: u64) -> Option<Broken> {
        let ways: Vec<&Break> = breaks().iter().filter(|way| way.rule == rule).collect();
        let choices = Choices(Cell::new(choices));
        let first = choices.index(ways.len())?;
        let built = whole(plan);
        (0..ways.len()).find_map(|n| ways[(first + n) % ways.len()].apply(&built, choices.clone()))
    }

    /// The policy of a profile with what it takes to break the rule, and the rule at deny.
    #[must_use]
    pub fn policy(&self, profile: Profile) -> Policy {
        let policy = Policy::new(profile).with_checkpointing(self.checkpointing);
        let policy = match self.limit {
            Some((limit, value)) => policy.with_limit(limit, value),
            None => policy,
        };
        policy.with_level(self.rule, Level::Deny).expect("every rule can be at deny")
    }

    /// The stream's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.stream.bytes()
    }

    /// Returns whether the crate `xenstream` checks the rule, and not the core.
    #[must_use]
    pub fn is_for_std(&self) -> bool {
        self.rule.entry().by == Checker::Std
    }
}

impl<'a> Arbitrary<'a> for Broken {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Broken> {
        let (which, choices) = (u16::arbitrary(u)?, u64::arbitrary(u)?);
        let built = whole(&Plan::arbitrary(u)?);
        let all: Vec<&Break> = breaks().iter().collect();
        let start = usize::from(which) % all.len();
        let mut ways = all[start..].iter().chain(&all[..start]);
        // Any stream can be torn, so there is one.
        ways.find_map(|way| way.apply(&built, Choices(Cell::new(choices))))
            .ok_or(arbitrary::Error::IncorrectFormat)
    }
}

/// The stream of a plan without the death of its primary, which would hide what comes after it.
fn whole(plan: &Plan) -> Built {
    let mut plan = plan.clone();
    if let Some(checkpoints) = &mut plan.checkpoints {
        checkpoints.fails_over = None;
    }
    plan.build()
}

/// Where a changed stream is broken.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) stream: Stream,
    pub(crate) offset: u64,
    pub(crate) record: Option<RecordRef>,
    pub(crate) format: Option<Format>,
    pub(crate) checkpointing: Option<Checkpointing>,
    pub(crate) limit: Option<(Limit, u64)>,
}

impl Break {
    pub(crate) const fn new(
        rule: Rule,
        needs: &'static str,
        change: fn(&Draft<'_>) -> Option<Fault>,
    ) -> Break {
        Break { rule, needs, change }
    }

    /// The stream of a plan, broken in this way; `choices` chooses the place. `None` if the plan has not what it
    /// [needs](Break::needs).
    #[must_use]
    pub fn on(&self, plan: &Plan, choices: u64) -> Option<Broken> {
        self.apply(&whole(plan), Choices(Cell::new(choices)))
    }

    pub(crate) fn apply(&self, built: &Built, choices: Choices) -> Option<Broken> {
        let expected = &built.expected;
        let fault = match expected.exceptions.iter().find(|exception| exception.rule == self.rule) {
            // The plan breaks the rule already.
            Some(Exception { offset, record, .. }) => Fault::at(built.stream.clone(), *offset, *record),
            None => (self.change)(&Draft { rule: self.rule, stream: &built.stream, expected, choices })?,
        };
        Some(Broken {
            rule: self.rule,
            format: fault.format.unwrap_or(expected.format),
            checkpointing: fault.checkpointing.unwrap_or(expected.checkpointing),
            limit: fault.limit,
            offset: fault.offset,
            record: fault.record,
            stream: fault.stream,
        })
    }
}

impl Fault {
    pub(crate) fn at(stream: Stream, offset: u64, record: Option<RecordRef>) -> Fault {
        Fault { stream, offset, record, format: None, checkpointing: None, limit: None }
    }

    /// In an item of the stream, `at` bytes from its first.
    pub(crate) fn in_item(stream: Stream, index: usize, at: u64) -> Fault {
        let (offset, record) = (stream.offset(index) + at, stream.record(index));
        Fault::at(stream, offset, record)
    }

    pub(crate) fn reported(self, format: Format) -> Fault {
        Fault { format: Some(format), ..self }
    }

    pub(crate) fn checkpointing(self, checkpointing: Checkpointing) -> Fault {
        Fault { checkpointing: Some(checkpointing), ..self }
    }

    pub(crate) fn limit(self, limit: Limit, value: u64) -> Fault {
        Fault { limit: Some((limit, value)), ..self }
    }

    /// The rule is found at another byte of the same record.
    pub(crate) fn found_at(self, offset: u64) -> Fault {
        Fault { offset, ..self }
    }
}

/// A number that is spent choice by choice.
#[derive(Clone, Debug)]
pub(crate) struct Choices(Cell<u64>);

impl Choices {
    /// Chooses an index below `n`; `None` if `n` is 0.
    pub(crate) fn index(&self, n: usize) -> Option<usize> {
        Some(self.below(n as u64)? as usize)
    }

    pub(crate) fn below(&self, n: u64) -> Option<u64> {
        let rest = self.0.get();
        self.0.set(rest.checked_div(n)?);
        Some(rest % n)
    }
}

/// A stream that is about to be changed.
pub(crate) struct Draft<'a> {
    pub(crate) rule: Rule,
    pub(crate) stream: &'a Stream,
    pub(crate) expected: &'a Expected,
    pub(crate) choices: Choices,
}

impl Draft<'_> {
    /// A number from this one up, with this many to choose from.
    pub(crate) fn number(&self, first: u64, n: u64) -> u64 {
        first + self.choices.below(n).unwrap_or(0)
    }

    /// Any of these.
    pub(crate) fn one_of<T: Copy>(&self, choices: &[T]) -> Option<T> {
        let index = self.choices.index(choices.len())?;
        Some(choices[index])
    }

    pub(crate) fn guest(&self, guest: Guest) -> Option<()> {
        (self.expected.guest == guest).then_some(())
    }

    pub(crate) fn version(&self, version: u32) -> Option<()> {
        (self.expected.libxc_version == version).then_some(())
    }

    pub(crate) fn libxl(&self) -> Option<()> {
        self.stream.has(Part::Libxl).then_some(())
    }

    /// The first or only item of this kind.
    pub(crate) fn first(&self, part: Part) -> Option<usize> {
        self.stream.items().iter().position(|item| item.part() == part)
    }

    pub(crate) fn last(&self, part: Part) -> Option<usize> {
        self.stream.items().iter().rposition(|item| item.part() == part)
    }

    /// Any item for which this holds.
    pub(crate) fn any(&self, wanted: impl Fn(usize, &Item) -> bool) -> Option<usize> {
        let items = self.stream.items().iter().enumerate();
        let all: Vec<usize> =
            items.filter(|(index, item)| wanted(*index, item)).map(|(index, _)| index).collect();
        self.one_of(&all)
    }

    /// Any item of this kind.
    pub(crate) fn any_of(&self, part: Part) -> Option<usize> {
        self.any(|_, item| item.part() == part)
    }

    /// Any record of this layer.
    pub(crate) fn any_in(&self, layer: Layer) -> Option<usize> {
        self.any(|_, item| item.part().record().is_some_and(|(other, _)| other == layer))
    }

    pub(crate) fn item(&self, index: usize) -> &Item {
        &self.stream.items()[index]
    }

    /// The bytes of an item.
    pub(crate) fn bytes(&self, index: usize) -> Vec<u8> {
        let item = self.item(index);
        item.bytes(self.stream.order(item.part()))
    }

    /// A field of an item as it is.
    pub(crate) fn read32(&self, index: usize, at: u64) -> u32 {
        let bytes = self.bytes(index);
        let field = bytes[at as usize..].first_chunk().expect("a field inside the item");
        self.stream.order(self.item(index).part()).u32(*field)
    }

    /// The stream with a field overwritten, and broken there.
    pub(crate) fn field(&self, index: usize, at: u64, field: Field) -> Option<Fault> {
        self.other(index, self.item(index).clone().edited(at, field), at)
    }

    /// The stream with another item in this place, broken `at` bytes from its first.
    pub(crate) fn other(&self, index: usize, item: Item, at: u64) -> Option<Fault> {
        Some(Fault::in_item(self.stream.clone().with_item(index, item), index, at))
    }

    /// The stream with an item more in this place, broken `at` bytes from its first.
    pub(crate) fn extra(&self, index: usize, item: Item, at: u64) -> Option<Fault> {
        Some(Fault::in_item(self.stream.clone().inserted(index, item), index, at))
    }

    /// The stream without the items for which this holds, broken at the first one for which that does.
    pub(crate) fn without(
        &self,
        gone: impl Fn(usize) -> bool,
        shown: impl Fn(Part) -> bool,
    ) -> Option<Fault> {
        let items = self.stream.items().iter().enumerate().filter(|(index, _)| !gone(*index));
        let stream = self.stream.clone().of_items(items.map(|(_, item)| item.clone()));
        let index = stream.items().iter().position(|item| shown(item.part()))?;
        Some(Fault::in_item(stream, index, 0))
    }
}
