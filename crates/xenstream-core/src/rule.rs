//! Rules: named checks, like lints. What each is and how strict the profiles are stands in the
//! [catalogue](crate::catalogue); this file is how the rest of the crate asks it.

use core::fmt;
use core::str::FromStr;

pub use crate::catalogue::Rule;
use crate::policy::{Level, Profile};
use crate::violation::Layer;

/// What the catalogue says of one rule.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// `layer::kebab-case`.
    pub name: &'static str,
    /// The layer that the name starts with.
    pub layer: Layer,
    /// Strictness under [`Profile::Spec`], [`Profile::Restore`] and [`Profile::Hardened`].
    pub grades: [Grade; 3],
    /// The field at a violation's offset.
    pub field: Width,
    /// What is known of the bytes after that field.
    pub framing: Framing,
    /// The crate that checks it.
    pub by: Checker,
    /// A few words: what is wrong.
    pub title: &'static str,
    /// What the rule refuses, in a sentence.
    pub refuses: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// Where it comes from: a section of a specification, or what the restorer does.
    pub source: &'static str,
    /// The sentence for one finding: `{found}` and `{expected}` stand for its numbers in decimal,
    /// `{found:x}` and `{expected:x}` in hex, `{found:libxc}` and `{found:libxl}` for a record type by name;
    /// `{reading}` says what was cut off, `{torn}` whether a record was, `{missing}` which pfns lie between the two
    /// numbers and how much memory they stand for, `{lack}` how much of a record is missing.
    pub message: &'static str,
}

/// How strict a profile is about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grade {
    /// Always fatal, in every profile: past it nothing can be framed.
    Structural,
    /// As structural, but nothing is wrong: the bytes that follow are in a format that cannot be judged.
    Unjudged,
    /// Refused, unless the user lowers it.
    Deny,
    /// Reported.
    Warn,
    /// Passed over.
    Allow,
}

impl Grade {
    /// The grade's name in lists of rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Grade::Structural => "structural",
            Grade::Unjudged => "unjudged",
            Grade::Deny => "deny",
            Grade::Warn => "warn",
            Grade::Allow => "allow",
        }
    }

    /// The level that the policy starts from.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Grade::Structural | Grade::Unjudged | Grade::Deny => Level::Deny,
            Grade::Warn => Level::Warn,
            Grade::Allow => Level::Allow,
        }
    }
}

/// How wide the field at a violation's offset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// A fixed number of bytes, 0 where something is missing rather than wrong.
    Bytes(u8),
    /// As wide as a register of the guest.
    Word,
}

impl Width {
    /// The width in bytes. `word` is the width of a guest's registers in bytes.
    #[must_use]
    pub const fn bytes(self, word: u8) -> u8 {
        match self {
            Width::Bytes(bytes) => bytes,
            Width::Word => word,
        }
    }
}

/// What is known of the bytes after a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Every later field is still where it should be.
    Kept,
    /// Some field contradicts another, so nothing is known of the bytes from `after` bytes past the violation's
    /// offset on.
    Lost {
        /// Bytes from the violation's offset to the end of the last field that is known.
        after: u8,
        /// What a scrubber may leave of the field.
        leave: Leave,
    },
    /// The stream is not read any further.
    Ends {
        /// What a scrubber may leave of the field.
        leave: Leave,
    },
}

/// What a scrubber may leave of a field that broke a rule: enough to break the rule again, and no byte of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leave {
    /// Zeros.
    Zeros,
    /// All bits set.
    Ones,
    /// A number that fits into 16 bits stays; any other gets all bits set.
    Small,
    /// A length that fits into 16 bits stays; any other becomes one that no record has.
    Length,
    /// A type that may be a record's stays, without a length; any other becomes one that no record has.
    Type,
}

/// The crate that checks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checker {
    /// `xenstream-core`.
    Core,
    /// `xenstream`, with what the standard library and parsers offer.
    Std,
}

impl Rule {
    /// What the catalogue says of this rule.
    #[must_use]
    pub const fn entry(self) -> &'static Entry {
        &crate::catalogue::ENTRIES[self as usize]
    }

    /// The rule's name, `layer::kebab-case`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// Whether the rule is always fatal, in every profile.
    #[must_use]
    pub const fn is_structural(self) -> bool {
        matches!(self.entry().grades[0], Grade::Structural | Grade::Unjudged)
    }

    /// Whether breaking the rule leaves a stream unjudged rather than invalid.
    #[must_use]
    pub const fn is_unjudged(self) -> bool {
        matches!(self.entry().grades[0], Grade::Unjudged)
    }

    /// How strict a profile is about it.
    #[must_use]
    pub const fn grade(self, profile: Profile) -> Grade {
        self.entry().grades[profile as usize]
    }

    /// Another profile than this one that refuses a stream which breaks the rule: the one by what Xen restores, if it
    /// does, otherwise the strict one, otherwise the written specification.
    #[must_use]
    pub fn refused_beside(self, profile: Profile) -> Option<Profile> {
        let profiles = [Profile::Restore, Profile::Hardened, Profile::Spec];
        profiles.into_iter().find(|other| *other != profile && self.grade(*other).level() == Level::Deny)
    }

    /// The layer that the rule's name starts with.
    #[must_use]
    pub const fn layer(self) -> Layer {
        self.entry().layer
    }

    /// Every rule, in the catalogue's order.
    pub fn all() -> impl ExactSizeIterator<Item = Rule> + Clone {
        crate::catalogue::ALL.iter().copied()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No rule has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rule has this name")]
pub struct UnknownRule;

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Rule, UnknownRule> {
        Rule::all().find(|rule| rule.name() == name).ok_or(UnknownRule)
    }
}

/// The layer whose name a rule's name starts with. Runs at compile time: a name without a layer does not build.
pub(crate) const fn layer_of(rule: &str) -> Layer {
    let rule = rule.as_bytes();
    let mut i = 0;
    while i < Layer::ALL.len() {
        let layer = Layer::ALL[i].name().as_bytes();
        let mut same = 0;
        while same < layer.len() && same < rule.len() && layer[same] == rule[same] {
            same += 1;
        }
        if same == layer.len() && same < rule.len() && rule[same] == b':' {
            return Layer::ALL[i];
        }
        i += 1;
    }
    panic!("a rule's name starts with its layer")
}

/// Builds the `Rule` enum and its tables from the catalogue's rows.
macro_rules! catalogue {
    ([] $(
        $variant:ident $name:literal $spec:ident $restore:ident $hardened:ident
        field: $field:tt, framing: $framing:ident $(($($lost:tt)*))?, by: $by:ident
        title: $title:literal
        refuses: $refuses:literal
        why: $why:literal
        source: $source:literal
        message: $message:literal
    )*) => {
        /// A named check.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = concat!("`", $name, "`: ", $refuses)] $variant,)*
        }

        impl Rule {
            /// How many rules there are.
            pub const COUNT: usize = ALL.len();
        }

        /// Every rule, in the catalogue's order.
        pub(crate) const ALL: &[Rule] = &[$(Rule::$variant,)*];

        /// What is said of each, in the same order.
        pub(crate) static ENTRIES: [Entry; ALL.len()] = [$(Entry {
            name: $name,
            layer: crate::rule::layer_of($name),
            grades: [catalogue!(@grade $spec), catalogue!(@grade $restore), catalogue!(@grade $hardened)],
            field: catalogue!(@width $field),
            framing: catalogue!(@framing $framing $(($($lost)*))?),
            by: catalogue!(@by $by),
            title: $title,
            refuses: $refuses,
            why: $why,
            source: $source,
            message: $message,
        },)*];
    };
    (@grade S) => { Grade::Structural };
    (@grade U) => { Grade::Unjudged };
    (@grade D) => { Grade::Deny };
    (@grade W) => { Grade::Warn };
    (@grade A) => { Grade::Allow };
    (@width word) => { Width::Word };
    (@width $bytes:literal) => { Width::Bytes($bytes) };
    (@framing kept) => { Framing::Kept };
    (@framing lost($after:literal, $leave:ident)) => {
        Framing::Lost { after: $after, leave: catalogue!(@leave $leave) }
    };
    (@framing ends($leave:ident)) => { Framing::Ends { leave: catalogue!(@leave $leave) } };
    (@leave zeros) => { Leave::Zeros };
    (@leave ones) => { Leave::Ones };
    (@leave small) => { Leave::Small };
    (@leave length) => { Leave::Length };
    (@leave type) => { Leave::Type };
    (@by core) => { Checker::Core };
    (@by std) => { Checker::Std };
}
pub(crate) use catalogue;
