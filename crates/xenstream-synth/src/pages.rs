//! Pages of PAGE_DATA records.

use xenstream_core::wire::libxc::page;

/// One entry of a PAGE_DATA record, and the page that follows for it if its type has data.
///
/// ```
/// use xenstream_synth::{Page, libxc};
///
/// let record = libxc::page_data(&[
///     Page::normal(0),
///     Page::normal(1).holding(*b"not quite a page"),
///     Page::table(1, 2, &[(0, 0x1001), (511, 0x2001)]),
///     Page::absent(3),
/// ]);
/// assert_eq!(record.length(), 8 + 4 * 8 + 3 * 4096);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    entry: u64,
    contents: Vec<u8>,
}

impl Page {
    /// A page of any type, zero where the type has data.
    #[must_use]
    pub fn of(kind: u64, pfn: u64) -> Page {
        Page { entry: kind << page::TYPE_SHIFT | pfn, contents: Vec::new() }
    }

    /// A normal page of zeros.
    #[must_use]
    pub fn normal(pfn: u64) -> Page {
        Page::of(page::NOTAB, pfn)
    }

    /// A page that is not there.
    #[must_use]
    pub fn absent(pfn: u64) -> Page {
        Page::of(page::XTAB, pfn)
    }

    /// A page that the restorer allocates and leaves empty.
    #[must_use]
    pub fn allocated(pfn: u64) -> Page {
        Page::of(page::XALLOC, pfn)
    }

    /// A page with a hardware error.
    #[must_use]
    pub fn broken(pfn: u64) -> Page {
        Page::of(page::BROKEN, pfn)
    }

    /// A page table of this level, 1 to 4, with the entries given by their index and zero elsewhere.
    #[must_use]
    pub fn table(level: u64, pfn: u64, entries: &[(usize, u64)]) -> Page {
        Page::of(page::NOTAB + level, pfn).holding(table(entries))
    }

    /// A pinned page table.
    #[must_use]
    pub fn pinned(level: u64, pfn: u64, entries: &[(usize, u64)]) -> Page {
        Page::of(page::L1TAB_PINNED - 1 + level, pfn).holding(table(entries))
    }

    /// With these contents, zero after them.
    #[must_use]
    pub fn holding(mut self, contents: impl Into<Vec<u8>>) -> Page {
        self.contents = contents.into();
        self
    }

    /// With these bits set in the entry, reserved ones too.
    #[must_use]
    pub fn with_bits(mut self, bits: u64) -> Page {
        self.entry |= bits;
        self
    }

    /// The entry.
    #[must_use]
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// The page frame number.
    #[must_use]
    pub fn pfn(&self) -> u64 {
        self.entry & page::PFN
    }

    /// What the page holds, zeros at its end left out; `None` if its type has no data.
    #[must_use]
    pub fn contents(&self) -> Option<&[u8]> {
        page::has_data(page::kind(self.entry)).then_some(self.contents.as_slice())
    }
}

/// A page-table entry that is present and names this frame.
#[must_use]
pub const fn pte(pfn: u64) -> u64 {
    pfn << 12 | 1
}

/// Page tables are the guest's memory: little-endian whatever the stream's order.
fn table(entries: &[(usize, u64)]) -> Vec<u8> {
    let mut words = [0; 512];
    for (index, entry) in entries {
        words[*index] = *entry;
    }
    words.iter().flat_map(|word: &u64| word.to_le_bytes()).collect()
}
