//! The pages of PAGE_DATA records, counted.

#[cfg(feature = "json")]
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

#[cfg(feature = "json")]
use serde::{Serialize, Serializer};
use xenstream_core::{PageType, Pfns};

/// The pages of one or more PAGE_DATA records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Records.
    pub records: u64,
    types: [u64; 16],
    /// The lowest and the highest pfn among them.
    pub pfns: Option<(u64, u64)>,
}

impl Batch {
    pub(super) fn new() -> Batch {
        Batch { records: 1, types: [0; 16], pfns: None }
    }

    /// Entries.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.types.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Entries that are followed by a page.
    #[must_use]
    pub fn pages(&self) -> u64 {
        let pages = PageType::all().zip(self.types).filter(|(page_type, _)| page_type.has_data());
        pages.fold(0, |sum, (_, n)| sum.saturating_add(n))
    }

    /// Page types that occur, with how many entries have them.
    pub fn type_counts(&self) -> impl Iterator<Item = (PageType, u64)> + '_ {
        PageType::all().zip(self.types).filter(|(_, n)| *n > 0)
    }

    pub(super) fn note(&mut self, entries: Pfns<'_>) {
        let (mut low, mut high) = self.pfns.unwrap_or((u64::MAX, 0));
        // Neighbours are mostly of one type, and to count one after the other in the same place takes its time.
        let mut counts = [[0u32; 16]; 4];
        for (n, entry) in entries.iter().enumerate() {
            low = low.min(entry.pfn());
            high = high.max(entry.pfn());
            counts[n % 4][entry.page_type().bits() as usize % 16] += 1;
        }
        for (kind, sum) in self.types.iter_mut().enumerate() {
            *sum += counts.iter().map(|counts| u64::from(counts[kind])).sum::<u64>();
        }
        self.pfns = (low <= high).then_some((low, high));
    }

    pub(super) fn add(&mut self, more: &Batch) {
        self.records = self.records.saturating_add(more.records);
        for (sum, n) in self.types.iter_mut().zip(more.types) {
            *sum = sum.saturating_add(n);
        }
        self.pfns = match (self.pfns, more.pfns) {
            (Some((low, high)), Some((other_low, other_high))) => {
                Some((low.min(other_low), high.max(other_high)))
            }
            (one, other) => one.or(other),
        };
    }
}

impl Display for Batch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.records > 1 {
            write!(f, "{} records, ", self.records)?;
        }
        match self.entries() {
            1 => f.write_str("1 entry")?,
            n => write!(f, "{n} entries")?,
        }
        match self.pfns {
            Some((low, high)) if low == high => write!(f, ", pfn {low:#x}")?,
            Some((low, high)) => write!(f, ", pfn {low:#x}-{high:#x}")?,
            None => {}
        }
        let mut separator = ": ";
        for (page_type, n) in self.type_counts() {
            write!(f, "{separator}{n} {page_type}")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(feature = "json")]
impl Serialize for Batch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Object {
            records: u64,
            entries: u64,
            pages: u64,
            lowest_pfn: Option<u64>,
            highest_pfn: Option<u64>,
            types: BTreeMap<&'static str, u64>,
        }
        let mut types = BTreeMap::new();
        for (page_type, n) in self.type_counts() {
            // The reserved types share a name.
            *types.entry(page_type.name()).or_default() += n;
        }
        Object {
            records: self.records,
            entries: self.entries(),
            pages: self.pages(),
            lowest_pfn: self.pfns.map(|(low, _)| low),
            highest_pfn: self.pfns.map(|(_, high)| high),
            types,
        }
        .serialize(serializer)
    }
}
