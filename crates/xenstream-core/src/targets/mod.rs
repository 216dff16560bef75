//! Which releases of Xen accept a stream.
//!
//! A [`Fact`] is a change between releases, and a [`Target`] is a release, which is a set of facts. While it reads a stream,
//! the verifier notes the facts that the stream depends on, and [`Releases`] says which targets accept it. Newer releases do
//! not accept everything that older ones accept, so the releases that accept a stream are a set, not a minimum version.

mod facts;
mod releases;
mod set;

use core::fmt;
use core::str::FromStr;

pub use facts::{Fact, FactEntry, FactSet, Polarity, UnknownFact};
pub use releases::{HostDependency, Refusal, Releases};
pub use set::{Stretch, TargetSet};

/// The known branches `4.minor`, each with its newest point release.
const BRANCHES: [(u8, u8); 10] =
    [(13, 5), (14, 6), (15, 7), (16, 7), (17, 7), (18, 6), (19, 6), (20, 4), (21, 2), (22, 0)];

/// A vendor's release: a release of Xen with some facts added and some removed.
struct VendorRelease {
    name: &'static str,
    label: &'static str,
    base: (u8, u8),
    plus: &'static [Fact],
    minus: &'static [Fact],
}

/// The vendors' releases.
static VENDORS: [VendorRelease; 3] = [
    VendorRelease {
        name: "xcp-ng-8.2",
        label: "XCP-ng 8.2",
        base: (13, 5),
        plus: &[Fact::Tsc64, Fact::L73],
        minus: &[],
    },
    VendorRelease {
        name: "xcp-ng-8.3-2024",
        label: "XCP-ng 8.3 of 2024",
        base: (17, 3),
        plus: &[Fact::Pkrs, Fact::Pks, Fact::L73],
        minus: &[Fact::L7Max],
    },
    VendorRelease {
        name: "xcp-ng-8.3",
        label: "XCP-ng 8.3",
        base: (17, 6),
        plus: &[Fact::Lapic32, Fact::Pkrs, Fact::Pks, Fact::Leaf, Fact::L73],
        minus: &[Fact::L7Max],
    },
];

/// The number of known releases of Xen itself.
const UPSTREAM: usize = {
    let (mut count, mut i) = (0, 0);
    while i < BRANCHES.len() {
        count += BRANCHES[i].1 as usize + 1;
        i += 1;
    }
    count
};

/// Branch and point release of each target. A vendor's release has those of its base.
static RELEASES: [(u8, u8); Target::COUNT] = {
    let mut releases = [(0, 0); Target::COUNT];
    let (mut n, mut i) = (0, 0);
    while i < BRANCHES.len() {
        let (minor, newest) = BRANCHES[i];
        let mut point = 0;
        while point <= newest {
            releases[n] = (minor, point);
            n += 1;
            point += 1;
        }
        i += 1;
    }
    let mut i = 0;
    while i < VENDORS.len() {
        releases[n + i] = VENDORS[i].base;
        i += 1;
    }
    releases
};

/// The facts of each target.
static FACTS: [FactSet; Target::COUNT] = {
    let mut sets = [FactSet::EMPTY; Target::COUNT];
    let mut n = 0;
    while n < sets.len() {
        let (minor, point) = RELEASES[n];
        let vendor = if n < UPSTREAM { None } else { Some(&VENDORS[n - UPSTREAM]) };
        let mut i = 0;
        while i < facts::ALL.len() {
            let fact = facts::ALL[i];
            let mut holds = fact.holds_in(minor, point);
            if let Some(vendor) = vendor {
                holds = (holds || lists(vendor.plus, fact)) && !lists(vendor.minus, fact);
            }
            if holds {
                sets[n] = sets[n].with(fact);
            }
            i += 1;
        }
        n += 1;
    }
    sets
};

const fn lists(facts: &[Fact], fact: Fact) -> bool {
    let mut i = 0;
    while i < facts.len() {
        if facts[i] as u8 == fact as u8 {
            return true;
        }
        i += 1;
    }
    false
}

/// A release on which a stream will be restored.
///
/// ```
/// use xenstream_core::{Fact, Target};
///
/// let target: Target = "4.20".parse().unwrap();
/// assert!(target.to_string().starts_with("4.20."));
/// assert!(target.has(Fact::Lapic32) && !"4.20.0".parse::<Target>().unwrap().has(Fact::Lapic32));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(u8);

impl Target {
    /// The number of known releases.
    pub const COUNT: usize = UPSTREAM + VENDORS.len();

    /// Returns every known release: Xen's own from oldest to newest, then the vendors'.
    pub fn all() -> impl DoubleEndedIterator<Item = Target> + Clone {
        (0..Target::COUNT as u8).map(Target)
    }

    /// Returns the name of a vendor's release, as on a command line: `xcp-ng-8.3`. `None` for a release of Xen itself, whose
    /// name is like `4.20.4`. `Display` prints either.
    #[must_use]
    pub fn vendor_name(self) -> Option<&'static str> {
        self.vendor().map(|vendor| vendor.name)
    }

    /// Returns the common name of a vendor's release; `None` for a release of Xen itself.
    #[must_use]
    pub fn vendor_label(self) -> Option<&'static str> {
        self.vendor().map(|vendor| vendor.label)
    }

    /// Returns the branch `4.minor` and the point release; for a vendor's release, those of its base.
    #[must_use]
    pub fn release(self) -> (u8, u8) {
        RELEASES.get(usize::from(self.0)).copied().unwrap_or((0, 0))
    }

    /// Returns the facts that hold in the release.
    #[must_use]
    pub fn facts(self) -> FactSet {
        FACTS.get(usize::from(self.0)).copied().unwrap_or(FactSet::EMPTY)
    }

    /// Returns the facts that a vendor's release has and its base does not; none for a release of Xen itself.
    pub fn added_facts(self) -> impl Iterator<Item = Fact> {
        self.vendor().map_or(&[][..], |vendor| vendor.plus).iter().copied()
    }

    /// Returns whether the fact holds in the release.
    #[must_use]
    pub fn has(self, fact: Fact) -> bool {
        self.facts().contains(fact)
    }

    /// Returns whether the release is certain to refuse a stream that depends on this fact.
    #[must_use]
    pub fn refuses(self, fact: Fact) -> bool {
        FactSet::EMPTY.with(fact).is_refused_with(self.facts())
    }

    /// Returns whether the release accepts a stream that depends on these facts, as far as facts decide.
    #[must_use]
    pub fn accepts(self, facts: FactSet) -> bool {
        !facts.is_refused_with(self.facts())
    }

    /// Finds a release by name: `4.20.1`, `4.20` for the newest known release of that branch, or a vendor's name. The prefix
    /// `xen-` is allowed.
    ///
    /// # Errors
    /// If no known release has this name.
    pub fn resolve(name: &str) -> Result<ResolvedTarget, UnknownTarget> {
        let bare = match name.split_at_checked(4) {
            Some((prefix, bare)) if prefix.eq_ignore_ascii_case("xen-") => bare,
            _ => name,
        };
        if let Some(target) = Target::all().find(|target| target.is_called(bare)) {
            return Ok(ResolvedTarget { target, is_exact: true });
        }
        let newest = minor_of(bare).and_then(Target::newest);
        newest
            .map(|target| ResolvedTarget { target, is_exact: false })
            .ok_or_else(|| UnknownTarget { nearest: nearest(bare) })
    }

    /// Returns the release `4.minor.point` of a running host, or the newest known release of its branch if that one is not
    /// known. `None` for an unknown branch.
    #[must_use]
    pub fn of_host(minor: u8, point: u8) -> Option<ResolvedTarget> {
        let exact = Target::upstream().find(|target| target.release() == (minor, point));
        let newest = || Target::newest(minor).map(|target| ResolvedTarget { target, is_exact: false });
        exact.map(|target| ResolvedTarget { target, is_exact: true }).or_else(newest)
    }

    fn upstream() -> impl DoubleEndedIterator<Item = Target> + Clone {
        (0..UPSTREAM as u8).map(Target)
    }

    /// Returns the newest known release of the branch `4.minor`.
    fn newest(minor: u8) -> Option<Target> {
        Target::upstream().rfind(|target| target.release().0 == minor)
    }

    fn vendor(self) -> Option<&'static VendorRelease> {
        usize::from(self.0).checked_sub(UPSTREAM).and_then(|n| VENDORS.get(n))
    }

    fn is_called(self, name: &str) -> bool {
        match self.vendor() {
            Some(vendor) => vendor.name.eq_ignore_ascii_case(name),
            None => self.common_prefix(name) == name.len() && self.name_length() == name.len(),
        }
    }

    /// Returns how many bytes of the release's name `name` begins with.
    fn common_prefix(self, name: &str) -> usize {
        let mut common = CommonPrefix { rest: name.as_bytes(), length: 0, is_over: false };
        // It never fails: what differs is passed over.
        let _ = fmt::write(&mut common, format_args!("{self}"));
        common.length
    }

    fn name_length(self) -> usize {
        let digits = |n: u8| if n < 10 { 1 } else { 2 };
        match self.vendor() {
            Some(vendor) => vendor.name.len(),
            None => {
                let (minor, point) = self.release();
                3usize.saturating_add(digits(minor)).saturating_add(digits(point))
            }
        }
    }
}

/// `20` of `4.20`.
fn minor_of(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("4.")?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Returns the releases whose names share the longest prefix with this one.
fn nearest(name: &str) -> TargetSet {
    let longest = Target::all().map(|target| target.common_prefix(name)).max().unwrap_or(0);
    // Two bytes are what `4.` and a vendor's initials have in common with anything.
    if longest < 3 {
        return TargetSet::EMPTY;
    }
    let near = Target::all().rev().filter(|target| target.common_prefix(name) == longest);
    near.take(3).fold(TargetSet::EMPTY, TargetSet::with)
}

/// Compares what is written with the start of a text.
struct CommonPrefix<'a> {
    rest: &'a [u8],
    length: usize,
    is_over: bool,
}

impl fmt::Write for CommonPrefix<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match self.rest.split_first() {
                Some((first, rest)) if !self.is_over && first.eq_ignore_ascii_case(&byte) => {
                    self.rest = rest;
                    self.length = self.length.saturating_add(1);
                }
                _ => self.is_over = true,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vendor() {
            Some(vendor) => f.pad(vendor.name),
            None => {
                let (minor, point) = self.release();
                write!(f, "4.{minor}.{point}")
            }
        }
    }
}

impl FromStr for Target {
    type Err = UnknownTarget;

    /// Finds a release by its name; see [`Target::resolve`].
    fn from_str(name: &str) -> Result<Target, UnknownTarget> {
        Target::resolve(name).map(|resolved| resolved.target)
    }
}

/// A target, and how its name was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolvedTarget {
    /// The release.
    pub target: Target,
    /// Whether the name was the release's full name. If not, the target is the newest known release of the named branch.
    pub is_exact: bool,
}

/// The error for a name that is not a known release's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTarget {
    nearest: TargetSet,
}

impl UnknownTarget {
    /// At most three known releases with the most similar names; none if no name is similar.
    pub fn nearest(&self) -> impl Iterator<Item = Target> {
        self.nearest.iter()
    }
}

impl core::error::Error for UnknownTarget {}

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no known release has this name")?;
        for (n, target) in self.nearest.iter().enumerate() {
            write!(f, "{} {target}", if n == 0 { "; the nearest are" } else { "," })?;
        }
        Ok(())
    }
}
