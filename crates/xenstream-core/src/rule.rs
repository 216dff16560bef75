//! Rules: named checks, like lints. The [catalogue](crate::catalogue) describes each rule and its levels; this file is the
//! interface to it.

use core::fmt;
use core::str::FromStr;

pub use crate::catalogue::Rule;
use crate::policy::{Level, Profile};
use crate::violation::Layer;

/// A rule's entry in the catalogue.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The name, `layer::kebab-case`.
    pub name: &'static str,
    /// The layer that the name starts with.
    pub layer: Layer,
    /// Strictness under [`Profile::Spec`], [`Profile::Restore`] and [`Profile::Hardened`]; see [`Rule::grade`].
    pub(crate) grades: [Grade; 3],
    /// The field at a violation's offset.
    pub field: Width,
    /// What is known about the bytes after that field.
    pub framing: Framing,
    /// The crate that checks the rule.
    pub by: Checker,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// What the rule refuses, in one or two sentences.
    pub refuses: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// Where the rule comes from: a section of a specification, or the behaviour of the restorer.
    pub source: &'static str,
    /// The sentence for one finding. `{found}` and `{expected}` stand for its [values](crate::Value), with numbers in
    /// decimal, and `{found:x}` and `{expected:x}` for the same with numbers in hex. `{reading}` says what was cut off,
    /// `{torn}` whether a record was, `{missing}` which pfns are between the two numbers and how much memory that is, and
    /// `{lack}` how much of a record is missing.
    pub message: &'static str,
}

/// The strictness of a profile about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every list of rules must show a new grade: the compiler shows each place"
)]
pub enum Grade {
    /// Always an error, in every profile: nothing after it can be parsed.
    Structural,
    /// Like structural, but not an error: the bytes that follow are in a format that cannot be judged.
    Unjudged,
    /// An error, unless the user lowers it.
    Deny,
    /// A warning.
    Warn,
    /// Ignored.
    Allow,
}

impl Grade {
    /// Returns the name of the grade in lists of rules.
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

    /// Returns the level that a policy starts with.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Grade::Structural | Grade::Unjudged | Grade::Deny => Level::Deny,
            Grade::Warn => Level::Warn,
            Grade::Allow => Level::Allow,
        }
    }
}

/// The width of the field at a violation's offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "closed: a field has a fixed width or that of a register")]
pub enum Width {
    /// A fixed number of bytes, or 0 if something is missing rather than wrong.
    Bytes(u8),
    /// The width of a register of the guest.
    Word,
}

impl Width {
    /// Returns the width in bytes. `word` is the width of the guest's registers in bytes.
    #[must_use]
    pub const fn bytes(self, word: u8) -> u8 {
        match self {
            Width::Bytes(bytes) => bytes,
            Width::Word => word,
        }
    }
}

/// What is known about the bytes after a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller that forgot one would read bytes it knows nothing about"
)]
pub enum Framing {
    /// Every later field is in its place.
    Kept,
    /// Fields contradict each other, so nothing is known about the bytes that begin `after` bytes past the violation's
    /// offset.
    Lost {
        /// Bytes from the violation's offset to the end of the last field that is known.
        after: u8,
        /// What a scrubber may keep of the field.
        leave: Leave,
    },
    /// The stream is read no further.
    Ends {
        /// What a scrubber may keep of the field.
        leave: Leave,
    },
}

/// What a scrubber may keep of a field that broke a rule: enough to break the rule again, and no data of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a scrubber that forgot one would leave data of the guest")]
pub enum Leave {
    /// Nothing, and no output at all: not one byte of the input is known.
    Nothing,
    /// All of it: what has come of it is right.
    All,
    /// Zeros.
    Zeros,
    /// All bits set.
    Ones,
    /// A number that fits 16 bits is kept; in any other, all bits are set.
    Small,
    /// A length that fits 16 bits is kept; any other becomes one that no record has.
    Length,
    /// A possible record type is kept, without a length; any other becomes one that no record has.
    Type,
}

/// The crate that checks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "one variant for each crate that checks rules")]
pub enum Checker {
    /// `xenstream-core`.
    Core,
    /// `xenstream`, which uses the standard library and parsers.
    Std,
}

impl Entry {
    pub(crate) const fn is_structural(&self) -> bool {
        matches!(self.grades[0], Grade::Structural | Grade::Unjudged)
    }
}

impl Rule {
    /// Returns the rule's entry in the catalogue.
    #[must_use]
    pub const fn entry(self) -> &'static Entry {
        &crate::catalogue::ENTRIES[self as usize]
    }

    /// Returns the rule's name, `layer::kebab-case`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// Returns whether the rule is an error in every profile.
    #[must_use]
    pub const fn is_structural(self) -> bool {
        self.entry().is_structural()
    }

    /// Returns whether breaking the rule makes a stream unjudged rather than invalid.
    #[must_use]
    pub const fn is_unjudged(self) -> bool {
        matches!(self.entry().grades[0], Grade::Unjudged)
    }

    /// Returns how strict a profile is about the rule.
    #[must_use]
    pub const fn grade(self, profile: Profile) -> Grade {
        self.entry().grades[profile as usize]
    }

    /// Returns another profile that refuses a stream which breaks the rule: `restore` if it does, otherwise `hardened`,
    /// otherwise `spec`.
    #[must_use]
    pub fn refused_beside(self, profile: Profile) -> Option<Profile> {
        let profiles = [Profile::Restore, Profile::Hardened, Profile::Spec];
        profiles.into_iter().find(|other| *other != profile && self.grade(*other).level() == Level::Deny)
    }

    /// Returns the layer with which the rule's name starts.
    #[must_use]
    pub const fn layer(self) -> Layer {
        self.entry().layer
    }

    /// Returns every rule, in the order of the catalogue.
    pub fn all() -> impl ExactSizeIterator<Item = Rule> + Clone {
        crate::catalogue::ALL.iter().copied()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error for a name that is not a rule's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rule has this name")]
#[non_exhaustive]
pub struct UnknownRule;

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Rule, UnknownRule> {
        Rule::all().find(|rule| rule.name() == name).ok_or(UnknownRule)
    }
}

/// Returns the layer with which a rule's name starts. Runs at compile time, so a name without a layer does not compile.
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
        #[repr(u16)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = concat!("`", $name, "`: ", $refuses)] $variant,)*
        }

        impl Rule {
            /// The number of rules.
            pub const COUNT: usize = ALL.len();
        }

        /// Every rule, in the order of the catalogue.
        pub(crate) const ALL: &[Rule] = &[$(Rule::$variant,)*];

        /// The entry of each rule, in the same order.
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
    (@leave nothing) => { Leave::Nothing };
    (@leave all) => { Leave::All };
    (@leave zeros) => { Leave::Zeros };
    (@leave ones) => { Leave::Ones };
    (@leave small) => { Leave::Small };
    (@leave length) => { Leave::Length };
    (@leave type) => { Leave::Type };
    (@by core) => { Checker::Core };
    (@by std) => { Checker::Std };
}
pub(crate) use catalogue;
