//! For every rule of the catalogue: the smallest stream that breaks it and no other, where it does so, and an accepted
//! neighbour that differs in the one field, or in the one record.
//!
//! Positions are computed from the builder and never from the verifier, so the two check each other.

use xenstream_core::wire::libxl::types::{END, LIBXC_CONTEXT};
use xenstream_core::{Checker, Checkpointing, Format, Level, Limit, Policy, Profile, RecordRef, Rule};

use crate::body::Field;
use crate::item::{Item, Part};
use crate::rules;
use crate::stream::Stream;

/// One way to break one rule.
#[derive(Clone, Debug)]
pub struct Case {
    /// The rule that is broken.
    pub rule: Rule,
    /// Tells the cases of a rule apart; empty for the first.
    pub variant: &'static str,
    /// The stream that breaks it.
    pub stream: Vec<u8>,
    /// A stream next to it that does not.
    pub neighbour: Vec<u8>,
    /// The format to verify it as.
    pub format: Format,
    /// Absolute offset at which the rule is broken.
    pub offset: u64,
    /// The record in which it is broken.
    pub record: Option<RecordRef>,
    /// What the caller says of the stream.
    pub checkpointing: Checkpointing,
    /// Limits under which the rule is broken.
    pub limits: Vec<(Limit, u64)>,
    /// Levels without which another rule is broken first.
    pub levels: Vec<(Rule, Level)>,
    /// The description of the host for which both streams are judged, in JSON; empty if there is none.
    pub host: &'static str,
    /// What each profile makes of it, in the order of the profiles.
    pub(crate) outcomes: [Outcome; 3],
    /// What is worth saying about it.
    pub note: &'static str,
    /// The neighbour breaks other rules at level warn under `spec`.
    pub neighbour_warnings: Vec<Rule>,
}

/// What a profile makes of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "tests build one to compare a verifier with a case")]
pub struct Outcome {
    /// The rule that refuses it, and the offset.
    pub refused: Option<(Rule, u64)>,
    /// Rules that warn, in stream order.
    pub warnings: Vec<Rule>,
}

impl Case {
    /// The rule's name without its layer, and the variant.
    #[must_use]
    pub fn name(&self) -> String {
        let (_, rule) = self.rule.name().split_once("::").unwrap_or(("", self.rule.name()));
        if self.variant.is_empty() { rule.to_owned() } else { format!("{rule}-{}", self.variant) }
    }

    /// The policy of a profile, with what the case asks for.
    ///
    /// # Panics
    /// The case lowers a structural rule.
    #[must_use]
    pub fn policy(&self, profile: Profile) -> Policy {
        let mut policy = Policy::new(profile).with_checkpointing(self.checkpointing);
        for (limit, value) in &self.limits {
            policy = policy.with_limit(*limit, *value);
        }
        for (rule, level) in &self.levels {
            policy = policy.with_level(*rule, *level).expect("a rule that is not structural");
        }
        policy
    }

    /// What a profile makes of the stream.
    #[must_use]
    pub fn outcome(&self, profile: Profile) -> &Outcome {
        &self.outcomes[profile as usize]
    }

    /// Returns whether the crate `xenstream` checks the rule, and not the core.
    #[must_use]
    pub fn is_for_std(&self) -> bool {
        self.rule.entry().by == Checker::Std
    }
}

/// Every case, by layer.
#[must_use]
pub fn all() -> Vec<Case> {
    rules::cases()
}

/// How the tables of this module are written: each function makes a case from a base and what is changed in it.
impl Case {
    pub(crate) fn of(rule: Rule, variant: &'static str, broken: &Stream, neighbour: &Stream) -> Case {
        Case {
            rule,
            variant,
            stream: broken.bytes(),
            neighbour: neighbour.bytes(),
            format: broken.format(),
            offset: 0,
            record: None,
            checkpointing: Checkpointing::Auto,
            limits: Vec::new(),
            levels: Vec::new(),
            host: "",
            outcomes: Default::default(),
            note: "",
            neighbour_warnings: Vec::new(),
        }
        .at(0)
    }

    /// Broken `at` bytes after the first one of an item.
    pub(crate) fn in_item(self, broken: &Stream, index: usize, at: u64) -> Case {
        let mut case = self.at(broken.offset(index) + at);
        case.record = broken.record(index);
        case
    }

    /// Broken this many bytes further on in the same record.
    pub(crate) fn in_record(self, at: u64) -> Case {
        let offset = self.offset + at;
        self.at(offset)
    }

    /// Broken at this offset, with what the profiles' grades of the rule make of that.
    pub(crate) fn at(mut self, offset: u64) -> Case {
        self.offset = offset;
        self.outcomes = [Profile::Spec, Profile::Restore, Profile::Hardened].map(|profile| {
            match self.rule.grade(profile).level() {
                Level::Deny => Outcome { refused: Some((self.rule, offset)), warnings: Vec::new() },
                Level::Warn => Outcome { refused: None, warnings: vec![self.rule] },
                Level::Allow => Outcome::default(),
            }
        });
        self
    }

    pub(crate) fn record(mut self, record: Option<RecordRef>) -> Case {
        self.record = record;
        self
    }

    pub(crate) fn variant(mut self, variant: &'static str) -> Case {
        self.variant = variant;
        self
    }

    pub(crate) fn reported(mut self, format: Format) -> Case {
        self.format = format;
        self
    }

    pub(crate) fn checkpointing(mut self, checkpointing: Checkpointing) -> Case {
        self.checkpointing = checkpointing;
        self
    }

    pub(crate) fn limit(mut self, limit: Limit, value: u64) -> Case {
        self.limits.push((limit, value));
        self
    }

    pub(crate) fn allowing(mut self, rule: Rule) -> Case {
        self.levels.push((rule, Level::Allow));
        self
    }

    /// Judged for this host.
    pub(crate) fn host(mut self, host: &'static str) -> Case {
        self.host = host;
        self
    }

    /// Refused under every profile, though the rule's grades do not say so.
    pub(crate) fn denied(mut self) -> Case {
        self.outcomes =
            [(); 3].map(|()| Outcome { refused: Some((self.rule, self.offset)), warnings: Vec::new() });
        self
    }

    /// Under this profile another rule refuses the stream.
    pub(crate) fn refused_by(mut self, profile: Profile, rule: Rule, offset: u64) -> Case {
        self.outcomes[profile as usize].refused = Some((rule, offset));
        self
    }

    /// Under this profile the rule says nothing of the stream, or is not reached.
    pub(crate) fn silent(mut self, profile: Profile) -> Case {
        self.outcomes[profile as usize] = Outcome::default();
        self
    }

    /// Under this profile the rule does no more than warn.
    pub(crate) fn warned(mut self, profile: Profile) -> Case {
        self.outcomes[profile as usize] = Outcome { refused: None, warnings: vec![self.rule] };
        self
    }

    /// Under this profile these rules warn, in this order.
    pub(crate) fn warnings(mut self, profile: Profile, rules: &[Rule]) -> Case {
        self.outcomes[profile as usize].warnings = rules.to_vec();
        self
    }

    /// With another neighbour.
    pub(crate) fn beside(mut self, neighbour: &Stream) -> Case {
        self.neighbour = neighbour.bytes();
        self
    }

    pub(crate) fn neighbour_warns(mut self, rules: &[Rule]) -> Case {
        self.neighbour_warnings = rules.to_vec();
        self
    }

    pub(crate) fn note(mut self, note: &'static str) -> Case {
        self.note = note;
        self
    }
}

/// One field overwritten, `at` bytes from the first one of an item.
#[track_caller]
pub(crate) fn field(
    rule: Rule,
    variant: &'static str,
    base: &Stream,
    part: Part,
    at: u64,
    value: Field,
) -> Case {
    let broken = base.clone().edited(part, at, value);
    Case::of(rule, variant, &broken, base).in_item(&broken, broken.find(part), at)
}

/// One item more, before the first one of a kind.
#[track_caller]
pub(crate) fn extra(rule: Rule, variant: &'static str, base: &Stream, before: Part, item: Item) -> Case {
    let index = base.find(before);
    let broken = base.clone().inserted(index, item);
    Case::of(rule, variant, &broken, base).in_item(&broken, index, 0)
}

/// One item less, which shows at the first one of a kind.
#[track_caller]
pub(crate) fn missing(rule: Rule, variant: &'static str, base: &Stream, part: Part, shown: Part) -> Case {
    let broken = base.clone().without(part);
    Case::of(rule, variant, &broken, base).in_item(&broken, broken.find(shown), 0)
}

/// Another item in place of the first one of a kind, broken `at` bytes from its first one.
#[track_caller]
pub(crate) fn other(
    rule: Rule,
    variant: &'static str,
    base: &Stream,
    part: Part,
    item: Item,
    at: u64,
) -> Case {
    let index = base.find(part);
    let broken = base.clone().replaced(part, item);
    Case::of(rule, variant, &broken, base).in_item(&broken, index, at)
}

/// Two items of the same kind in place of one: the broken one, and one as it should be.
#[track_caller]
pub(crate) fn either(
    rule: Rule,
    variant: &'static str,
    base: &Stream,
    before: Part,
    [broken, fine]: [Item; 2],
    at: u64,
) -> Case {
    let index = base.find(before);
    let broken = base.clone().inserted(index, broken);
    let neighbour = base.clone().inserted(index, fine);
    Case::of(rule, variant, &broken, &neighbour).in_item(&broken, index, at)
}

/// A libxl stream with one libxc stream more, which restorers read as if it were the only one.
#[track_caller]
pub(crate) fn with_second(libxl: &Stream, libxc: &Stream) -> Stream {
    let end = libxl.find(Part::libxl(END));
    let mut items = libxl.items().to_vec();
    let second = [crate::libxl::libxc_context()].into_iter().chain(libxc.items().iter().cloned());
    items.splice(end..end, second);
    Stream::new(Format::Libxl, items)
}

/// Where the second libxc stream of these begins.
#[track_caller]
pub(crate) fn second_context(stream: &Stream) -> u64 {
    stream.offset(stream.nth(Part::libxl(LIBXC_CONTEXT), 1))
}

impl Case {
    /// In a second libxc stream, which is a warning of its own, and under hardened a refusal.
    pub(crate) fn after_second_context(self, context: u64) -> Case {
        let repeated = Rule::LibxlLibxcContextRepeated;
        let mut case = self.neighbour_warns(&[repeated]);
        for profile in [Profile::Spec, Profile::Restore] {
            case.outcomes[profile as usize].warnings.insert(0, repeated);
        }
        case.outcomes[Profile::Hardened as usize] =
            Outcome { refused: Some((repeated, context)), warnings: Vec::new() };
        case
    }
}
