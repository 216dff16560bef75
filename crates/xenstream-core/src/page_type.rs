//! The types of pages in PAGE_DATA records.

use core::fmt;

use crate::wire::libxc::page;

/// The type of a page in a PAGE_DATA record, a number of 4 bits. `Display` writes the name that the specification gives it.
///
/// ```
/// use xenstream_core::PageType;
///
/// let pinned = PageType::from_bits(0xC);
/// assert_eq!((pinned.table_level(), pinned.is_pinned(), pinned.has_data()), (Some(4), true, true));
/// assert_eq!(PageType::XTAB.to_string(), "XTAB");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageType(u8);

impl PageType {
    /// A normal page, with data.
    pub const NOTAB: PageType = PageType::from_bits(page::NOTAB);
    /// A page that the host marked as broken, without data.
    pub const BROKEN: PageType = PageType::from_bits(page::BROKEN);
    /// A page that is allocated, without data.
    pub const XALLOC: PageType = PageType::from_bits(page::XALLOC);
    /// A page that is absent, without data.
    pub const XTAB: PageType = PageType::from_bits(page::XTAB);

    /// Creates a type from the low 4 bits of a number.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u64) -> PageType {
        PageType((bits & 0xF) as u8)
    }

    /// Returns the number of the type, from 0 to 15.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0 as u64
    }

    /// Returns every type in the order of the numbers, including the reserved ones.
    pub fn all() -> impl ExactSizeIterator<Item = PageType> + Clone {
        (0u8..16).map(PageType)
    }

    /// Returns the name that the specification gives the type; the reserved types share one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        page::name(self.bits())
    }

    /// Returns whether the record contains the data of a page of this type.
    #[inline]
    #[must_use]
    pub const fn has_data(self) -> bool {
        page::has_data(self.bits())
    }

    /// Returns the level of a page table, from 1 to 4; `None` for a page that is none.
    #[inline]
    #[must_use]
    pub const fn table_level(self) -> Option<u8> {
        if page::is_table(self.bits()) { Some(self.0 & 7) } else { None }
    }

    /// Returns whether the page is a pinned page table.
    #[inline]
    #[must_use]
    pub const fn is_pinned(self) -> bool {
        matches!(self.bits(), page::L1TAB_PINNED..=page::L4TAB_PINNED)
    }

    /// Returns whether the specification reserves the type.
    #[inline]
    #[must_use]
    pub const fn is_reserved(self) -> bool {
        page::is_reserved(self.bits())
    }
}

impl fmt::Display for PageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
