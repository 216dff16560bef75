//! What a stream depends on, and which releases accept it.

use super::{Fact, FactSet, Target, TargetSet};
use crate::rule::Rule;
use crate::violation::{Layer, RecordRef};

/// Something that a restore depends on and that is not in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum HostDependency {
    /// Free memory for the guest.
    Memory,
    /// The host's processor must have the features that the guest uses.
    Features,
    /// The vendor of the host's processor.
    Vendor,
    /// The highest CPUID leaf of the host's processor.
    MaxLeaf,
    /// The size of the host's XSAVE area.
    XsaveSize,
    /// The machine-check capabilities of the host's processor.
    McaCaps,
    /// Hardware-assisted paging on the host, or shadow paging.
    Hap,
    /// Nested virtualisation in the guest's configuration.
    NestedVirt,
    /// Support for Viridian in the host's build of Xen.
    Viridian,
}

impl HostDependency {
    pub(crate) const ALL: &'static [HostDependency] = &[
        HostDependency::Memory,
        HostDependency::Features,
        HostDependency::Vendor,
        HostDependency::MaxLeaf,
        HostDependency::XsaveSize,
        HostDependency::McaCaps,
        HostDependency::Hap,
        HostDependency::NestedVirt,
        HostDependency::Viridian,
    ];

    /// Returns every dependency.
    pub fn all() -> impl DoubleEndedIterator<Item = HostDependency> + ExactSizeIterator + Clone {
        HostDependency::ALL.iter().copied()
    }

    /// Returns the dependency's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            HostDependency::Memory => "memory",
            HostDependency::Features => "processor-features",
            HostDependency::Vendor => "processor-vendor",
            HostDependency::MaxLeaf => "cpuid-leaves",
            HostDependency::XsaveSize => "xsave-size",
            HostDependency::McaCaps => "mca-capabilities",
            HostDependency::Hap => "hap",
            HostDependency::NestedVirt => "nested-virtualisation",
            HostDependency::Viridian => "viridian",
        }
    }

    /// Returns a description of a few words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            HostDependency::Memory => "free memory for the guest",
            HostDependency::Features => "processor features that the guest uses",
            HostDependency::Vendor => "the vendor of the processor",
            HostDependency::MaxLeaf => "the highest CPUID leaf of the processor",
            HostDependency::XsaveSize => "the size of the XSAVE area",
            HostDependency::McaCaps => "the machine-check capabilities of the processor",
            HostDependency::Hap => "hardware-assisted or shadow paging",
            HostDependency::NestedVirt => "nested virtualisation in the guest's configuration",
            HostDependency::Viridian => "Viridian support in the build of Xen",
        }
    }

    /// Returns the fact that decides on which releases the dependency matters, or `None` if it matters on all.
    #[must_use]
    pub fn fact(self) -> Option<Fact> {
        Fact::all().find(|fact| fact.entry().host == Some(self))
    }

    /// Returns the releases on which the dependency matters.
    #[must_use]
    pub fn releases(self) -> TargetSet {
        let fact = self.fact();
        let matters = |target: &Target| match fact {
            None => true,
            Some(fact) => target.has(fact) == (fact.entry().polarity == super::Polarity::Refuses),
        };
        Target::all().filter(matters).collect()
    }
}

/// The place where a stream first showed a fact, in 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    offset: u64,
    /// The record: 3 bits for the layer, 5 for the type, 24 for the distance to its first byte, 32 for the index. All ones
    /// if there is no record, or it does not fit.
    record: u64,
}

impl Place {
    fn new(offset: u64, record: Option<RecordRef>) -> Place {
        Place { offset, record: record.and_then(|record| pack(offset, &record)).unwrap_or(u64::MAX) }
    }

    fn record(&self) -> Option<RecordRef> {
        if self.record == u64::MAX {
            return None;
        }
        let index = self.record & u64::from(u32::MAX);
        let back = self.record >> 32 & ((1 << 24) - 1);
        let kind = self.record >> 56 & 0x1F;
        let layer = Layer::ALL.get(usize::try_from(self.record >> 61).ok()?).copied()?;
        Some(RecordRef { layer, index, kind: Some(kind), offset: self.offset.checked_sub(back)? })
    }
}

fn pack(offset: u64, record: &RecordRef) -> Option<u64> {
    let kind = record.kind.filter(|kind| *kind < 1 << 5)?;
    let back = offset.checked_sub(record.offset).filter(|back| *back < 1 << 24)?;
    let index = u32::try_from(record.index).ok()?;
    Some((record.layer as u64) << 61 | kind << 56 | back << 32 | u64::from(index))
}

/// What a stream depends on, as far as it was read: the facts that it shows, the place of each fact's first symptom, and
/// what depends on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Releases {
    facts: FactSet,
    places: [Place; Fact::COUNT],
    host: u16,
}

impl Releases {
    pub(crate) const fn new() -> Releases {
        Releases { facts: FactSet::EMPTY, places: [Place { offset: 0, record: 0 }; Fact::COUNT], host: 0 }
    }

    /// Records a symptom of a fact.
    pub(crate) fn note(&mut self, fact: Fact, offset: u64, record: Option<RecordRef>) {
        if let Some(host) = fact.entry().host {
            self.depend(host);
        }
        if self.facts.contains(fact) {
            return;
        }
        self.facts = self.facts.with(fact);
        if let Some(place) = self.places.get_mut(fact as usize) {
            *place = Place::new(offset, record);
        }
    }

    pub(crate) fn depend(&mut self, host: HostDependency) {
        self.host |= 1 << host as u8;
    }

    /// Returns the facts that the stream shows.
    #[must_use]
    pub fn facts(&self) -> FactSet {
        self.facts
    }

    /// Returns whether no release accepts the stream.
    #[must_use]
    pub fn is_refused_by_all(&self) -> bool {
        !Target::all().any(|target| target.accepts(self.facts))
    }

    /// Returns the releases that accept the stream, as far as the stream alone can tell. See also
    /// [`depends_on_host`](Releases::depends_on_host).
    #[must_use]
    pub fn accepted_by(&self) -> TargetSet {
        Target::all().filter(|target| target.accepts(self.facts)).collect()
    }

    /// Returns each fact that makes releases refuse the stream, with these releases and the place.
    pub fn refusals(&self) -> impl Iterator<Item = Refusal> + '_ {
        self.facts.iter().filter_map(|fact| {
            let releases: TargetSet = Target::all().filter(|target| target.refuses(fact)).collect();
            let place = self.places.get(fact as usize).copied().unwrap_or_default();
            let record = place.record();
            let rule = fact.rule_in(record.map(|record| record.layer))?;
            (!releases.is_empty()).then_some(Refusal { fact, releases, rule, offset: place.offset, record })
        })
    }

    /// Returns what the restore depends on besides the stream and the release.
    pub fn depends_on_host(&self) -> impl Iterator<Item = HostDependency> + '_ {
        HostDependency::all().filter(|host| self.host >> *host as u8 & 1 != 0)
    }
}

/// The reason why some releases refuse a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The fact that decides.
    pub fact: Fact,
    /// The releases that refuse the stream.
    pub releases: TargetSet,
    /// The rule that the stream breaks with such a target.
    pub rule: Rule,
    /// Absolute offset of the first symptom, in bytes from the start of the input.
    pub offset: u64,
    /// The record of the first symptom.
    pub record: Option<RecordRef>,
}
