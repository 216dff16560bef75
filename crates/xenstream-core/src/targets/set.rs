//! Sets of releases, and how they are displayed.

use core::fmt;

use super::{BRANCHES, Target, UPSTREAM};

/// A set of releases. `Display` is the shortest list: `Xen 4.18.5+, 4.19.2+, 4.20.1+, 4.21+, XCP-ng 8.3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetSet(u128);

const _: () = assert!(Target::COUNT <= 128, "a target is a bit of a u128");

impl TargetSet {
    /// The empty set.
    pub const EMPTY: TargetSet = TargetSet(0);

    /// Returns the set with this release added.
    #[must_use]
    pub const fn with(self, target: Target) -> TargetSet {
        TargetSet(self.0 | 1 << target.0)
    }

    /// Returns whether the release is in the set.
    #[must_use]
    pub const fn contains(self, target: Target) -> bool {
        self.0 >> target.0 & 1 != 0
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns whether every known release is in the set.
    #[must_use]
    pub fn is_all(self) -> bool {
        Target::all().all(|target| self.contains(target))
    }

    /// Returns the known releases that are not in the set.
    #[must_use]
    pub fn complement(self) -> TargetSet {
        Target::all().filter(|target| !self.contains(*target)).collect()
    }

    /// Returns the releases in the set, in the order of [`Target::all`].
    pub fn iter(self) -> impl Iterator<Item = Target> + Clone {
        Target::all().filter(move |target| self.contains(*target))
    }

    /// Returns the items of the displayed list: ranges of releases.
    pub fn stretches(self) -> impl Iterator<Item = Stretch> + Clone {
        Stretches { set: self, branch: 0, point: 0, vendor: 0 }
    }

    fn has(self, minor: u8, point: u8) -> bool {
        upstream(minor, point).is_some_and(|target| self.contains(target))
    }

    /// Returns whether all known releases of a branch are in the set.
    fn has_branch(self, (minor, newest): (u8, u8)) -> bool {
        (0..=newest).all(|point| self.has(minor, point))
    }
}

fn upstream(minor: u8, point: u8) -> Option<Target> {
    (0..UPSTREAM as u8).map(Target).find(|target| target.release() == (minor, point))
}

impl FromIterator<Target> for TargetSet {
    fn from_iter<I: IntoIterator<Item = Target>>(targets: I) -> TargetSet {
        targets.into_iter().fold(TargetSet::EMPTY, TargetSet::with)
    }
}

/// A range of consecutive releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stretch {
    /// Whole branches of Xen: the first, and the last unless all later branches are included.
    Branches(u8, Option<u8>),
    /// Point releases of one branch of Xen: the branch, the first, and the last unless all later ones are included.
    Points(u8, u8, Option<u8>),
    /// A vendor's release.
    Vendor(Target),
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Stretch::Branches(first, None) => write!(f, "4.{first}+"),
            Stretch::Branches(first, Some(last)) if first == last => write!(f, "4.{first}"),
            Stretch::Branches(first, Some(last)) => write!(f, "4.{first} to 4.{last}"),
            Stretch::Points(minor, first, None) => write!(f, "4.{minor}.{first}+"),
            Stretch::Points(minor, first, Some(last)) if first == last => write!(f, "4.{minor}.{first}"),
            Stretch::Points(minor, first, Some(last)) => write!(f, "4.{minor}.{first} to 4.{minor}.{last}"),
            Stretch::Vendor(target) => f.write_str(target.vendor_label().unwrap_or_default()),
        }
    }
}

/// Walks the branches, then the vendors.
#[derive(Clone)]
struct Stretches {
    set: TargetSet,
    /// The next index into [`BRANCHES`], and the next point release there.
    branch: usize,
    point: u8,
    vendor: u8,
}

impl Iterator for Stretches {
    type Item = Stretch;

    fn next(&mut self) -> Option<Stretch> {
        while let Some((minor, newest)) = BRANCHES.get(self.branch).copied() {
            if self.point == 0 && self.set.has_branch((minor, newest)) {
                return Some(self.branches(minor));
            }
            let first = (self.point..=newest).find(|point| self.set.has(minor, *point));
            let Some(first) = first else {
                self.branch = self.branch.saturating_add(1);
                self.point = 0;
                continue;
            };
            let end = (first..=newest).find(|point| !self.set.has(minor, *point));
            match end {
                Some(end) => self.point = end,
                None => {
                    self.branch = self.branch.saturating_add(1);
                    self.point = 0;
                }
            }
            return Some(Stretch::Points(minor, first, end.map(|end| end.saturating_sub(1))));
        }
        while let Some(target) = u8::try_from(UPSTREAM).ok().and_then(|n| n.checked_add(self.vendor)) {
            if usize::from(target) >= Target::COUNT {
                break;
            }
            self.vendor = self.vendor.saturating_add(1);
            if self.set.contains(Target(target)) {
                return Some(Stretch::Vendor(Target(target)));
            }
        }
        None
    }
}

impl Stretches {
    /// Returns the range of whole branches that starts with this one.
    fn branches(&mut self, first: u8) -> Stretch {
        let mut last = first;
        while let Some(branch) = BRANCHES.get(self.branch).copied()
            && self.set.has_branch(branch)
        {
            (last, _) = branch;
            self.branch = self.branch.saturating_add(1);
        }
        let is_open = self.branch >= BRANCHES.len();
        Stretch::Branches(first, if is_open { None } else { Some(last) })
    }
}

impl fmt::Display for TargetSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no release");
        }
        if self.is_all() {
            let (oldest, _) = BRANCHES[0];
            return write!(f, "any release from 4.{oldest}");
        }
        // Everything from a branch on, vendors by the branch that they are based on.
        let from = self.iter().map(|target| target.release().0).min();
        if let Some(minor) = from
            && self.iter().any(|target| target.vendor_name().is_some())
            && Target::all().all(|target| self.contains(target) == (target.release().0 >= minor))
        {
            return write!(f, "any release from 4.{minor}");
        }
        for (n, stretch) in self.stretches().enumerate() {
            f.write_str(match (n, stretch) {
                (0, Stretch::Vendor(_)) => "",
                (0, _) => "Xen ",
                _ => ", ",
            })?;
            stretch.fmt(f)?;
        }
        Ok(())
    }
}
