//! A summary of a stream's contents.

use core::fmt;
use core::str::FromStr;

use crate::page_type::PageType;
use crate::targets::Releases;
use crate::violation::Layer;
use crate::wire::{Order, libxc, libxl, types};

/// The format of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "code that handles formats must handle a new one: the compiler shows each place"
)]
pub enum Format {
    /// Detected from the magic at the start of the input.
    #[default]
    Auto,
    /// What `xl save` writes.
    Xl,
    /// What libvirt's libxl driver writes.
    Libvirt,
    /// A suspend image of xenopsd.
    Xenopsd,
    /// A libxl stream.
    Libxl,
    /// A bare libxc stream.
    Libxc,
}

impl Format {
    pub(crate) const ALL: &'static [Format] =
        &[Format::Auto, Format::Xl, Format::Libvirt, Format::Xenopsd, Format::Libxl, Format::Libxc];

    /// Returns every format, [`Auto`](Format::Auto) first.
    pub fn all() -> impl DoubleEndedIterator<Item = Format> + ExactSizeIterator + Clone {
        Format::ALL.iter().copied()
    }

    /// Returns the format's name, as on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Format::Auto => "auto",
            Format::Xl => "xl",
            Format::Libvirt => "libvirt",
            Format::Xenopsd => "xenopsd",
            Format::Libxl => "libxl",
            Format::Libxc => "libxc",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error for a name that is not a format's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no format has this name")]
#[non_exhaustive]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Format, UnknownFormat> {
        Format::all().find(|format| format.name() == name).ok_or(UnknownFormat)
    }
}

/// The kind of guest in the libxc domain header. PVH guests count as HVM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "code that handles guests must handle a new kind: the compiler shows each place"
)]
pub enum Guest {
    /// Paravirtualised.
    Pv,
    /// Hardware-virtualised.
    Hvm,
}

impl Guest {
    /// Returns the kind in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Guest::Pv => "pv",
            Guest::Hvm => "hvm",
        }
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The type of a domain in its configuration (`libxl_domain_type`). A stream does not distinguish PVH from HVM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "code that handles domains must handle a new type: the compiler shows each place"
)]
pub enum DomainType {
    /// Paravirtualised.
    Pv,
    /// Hardware-virtualised without a device model.
    Pvh,
    /// Hardware-virtualised with a device model.
    Hvm,
}

impl DomainType {
    pub(crate) const ALL: &'static [DomainType] = &[DomainType::Pv, DomainType::Pvh, DomainType::Hvm];

    /// Returns every type.
    pub fn all() -> impl DoubleEndedIterator<Item = DomainType> + ExactSizeIterator + Clone {
        DomainType::ALL.iter().copied()
    }

    /// Returns the type as xl's configuration spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DomainType::Pv => "pv",
            DomainType::Pvh => "pvh",
            DomainType::Hvm => "hvm",
        }
    }

    /// Returns the kind of guest in the stream of such a domain.
    #[must_use]
    pub const fn guest(self) -> Guest {
        match self {
            DomainType::Pv => Guest::Pv,
            DomainType::Pvh | DomainType::Hvm => Guest::Hvm,
        }
    }
}

impl fmt::Display for DomainType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A summary of a stream's contents, as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The format, or [`Format::Auto`] if it is not known yet.
    pub format: Format,
    /// The kind of guest, if the domain header has been read.
    pub guest: Option<Guest>,
    /// Version of the Xen that wrote the libxc stream, major and minor.
    pub xen: Option<(u32, u32)>,
    /// Version of the libxc stream.
    pub libxc_version: Option<u32>,
    /// Byte order of the libxc records.
    pub order: Order,
    /// Width of a PV guest in bytes, 4 or 8, if X86_PV_INFO has been read.
    pub guest_width: Option<u8>,
    /// Largest pfn of a PV guest's p2m.
    pub max_pfn: Option<u64>,
    /// Records by type.
    pub records: RecordCounts,
    /// Entries of PAGE_DATA records by page type. A page that was sent twice counts twice.
    pub pages: Pages,
    /// Number of complete checkpoints.
    pub checkpoints: u64,
    /// The checkpoint to which the stream can be restored although it stops after it (`stream::failover`).
    pub restorable_to_checkpoint: Option<u64>,
    /// Length of the stream in bytes.
    pub bytes: u64,
    /// What the stream depends on, which decides which releases of Xen accept it.
    pub releases: Releases,
}

impl Summary {
    pub(crate) const fn new(format: Format) -> Summary {
        Summary {
            format,
            guest: None,
            xen: None,
            libxc_version: None,
            order: Order::Little,
            guest_width: None,
            max_pfn: None,
            records: RecordCounts { container: 0, libxl: [0; LIBXL], libxc: [0; LIBXC], optional: 0 },
            pages: Pages { by_type: [0; 16], torn: 0 },
            checkpoints: 0,
            restorable_to_checkpoint: None,
            bytes: 0,
            releases: Releases::new(),
        }
    }
}

const LIBXL: usize = libxl::types::KNOWN as usize;
const LIBXC: usize = libxc::types::KNOWN as usize;

/// Records by layer and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordCounts {
    container: u64,
    libxl: [u64; LIBXL],
    libxc: [u64; LIBXC],
    optional: u64,
}

impl RecordCounts {
    /// Returns the number of records of one type in a layer, libxl or libxc.
    #[must_use]
    pub fn get(&self, layer: Layer, kind: u32) -> u64 {
        let counts: &[u64] = match layer {
            Layer::Libxl => &self.libxl,
            Layer::Libxc => &self.libxc,
            _ => &[],
        };
        counts.get(kind as usize).copied().unwrap_or(0)
    }

    /// Returns the number of records of unknown optional types in libxl and libxc together.
    #[must_use]
    pub fn optional(&self) -> u64 {
        self.optional
    }

    /// Returns the number of records of the container: the typed headers of a xenopsd image.
    #[must_use]
    pub fn container(&self) -> u64 {
        self.container
    }

    /// Returns the number of records of libxl and libxc.
    #[must_use]
    pub fn total(&self) -> u64 {
        let known = self.libxl.iter().chain(&self.libxc).fold(0u64, |sum, n| sum.saturating_add(*n));
        known.saturating_add(self.optional)
    }

    /// Returns the layer, name and count of every known type that occurs, in the order of the types.
    pub fn iter(&self) -> impl Iterator<Item = (Layer, &'static str, u64)> + '_ {
        named(Layer::Libxl, &self.libxl).chain(named(Layer::Libxc, &self.libxc)).filter(|(_, _, n)| *n > 0)
    }

    pub(crate) fn count_container(&mut self) {
        self.container = self.container.saturating_add(1);
    }

    #[inline]
    pub(crate) fn count_libxl(&mut self, kind: u32) {
        let slot = self.libxl.get_mut(kind as usize).unwrap_or(&mut self.optional);
        *slot = slot.saturating_add(1);
    }

    #[inline]
    pub(crate) fn count_libxc(&mut self, kind: u32) {
        let slot = self.libxc.get_mut(kind as usize).unwrap_or(&mut self.optional);
        // Each takes eight bytes of a stream: it cannot wrap.
        *slot = slot.wrapping_add(1);
    }
}

/// Counts of the types of a layer, which are numbered without gaps.
fn named(layer: Layer, counts: &[u64]) -> impl Iterator<Item = (Layer, &'static str, u64)> + '_ {
    types::all(layer).zip(counts).map(move |(known, n)| (layer, known.name, *n))
}

/// Entries of PAGE_DATA records by page type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pages {
    pub(crate) by_type: [u64; 16],
    /// Entries with data whose pages are missing because the input ended before them.
    pub torn: u64,
}

impl Pages {
    /// Returns the number of entries of a type.
    #[must_use]
    pub fn count(&self, page_type: PageType) -> u64 {
        self.by_type.get(page_type.bits() as usize).copied().unwrap_or(0)
    }

    /// Returns each type with the number of its entries, in the order of the types.
    pub fn iter(&self) -> impl Iterator<Item = (PageType, u64)> + '_ {
        PageType::all().zip(self.by_type)
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.sum(|_| true)
    }

    /// Returns the number of normal pages, with data.
    #[must_use]
    pub fn normal(&self) -> u64 {
        self.count(PageType::NOTAB)
    }

    /// Returns the number of page tables, pinned or not, with data.
    #[must_use]
    pub fn tables(&self) -> u64 {
        self.sum(|page_type| page_type.table_level().is_some())
    }

    /// Returns the number of broken pages, without data.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.count(PageType::BROKEN)
    }

    /// Returns the number of pages that are allocated but come without data.
    #[must_use]
    pub fn allocated(&self) -> u64 {
        self.count(PageType::XALLOC)
    }

    /// Returns the number of absent pages.
    #[must_use]
    pub fn absent(&self) -> u64 {
        self.count(PageType::XTAB)
    }

    /// Returns the number of pages whose data arrived.
    #[must_use]
    pub fn with_data(&self) -> u64 {
        self.sum(PageType::has_data).saturating_sub(self.torn)
    }

    /// Returns the number of bytes of page contents.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.with_data().saturating_mul(crate::wire::PAGE_SIZE)
    }

    fn sum(&self, is_counted: impl Fn(PageType) -> bool) -> u64 {
        self.iter()
            .filter(|(page_type, _)| is_counted(*page_type))
            .fold(0, |sum, (_, n)| sum.saturating_add(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each type as often as its number says, and one more time.
    #[test]
    fn pages_are_counted_by_type() {
        let pages = Pages { by_type: core::array::from_fn(|n| n as u64 + 1), torn: 0 };
        let tables = 2 + 3 + 4 + 5 + 10 + 11 + 12 + 13;
        assert_eq!((pages.normal(), pages.tables(), pages.entries()), (1, tables, 136));
        assert_eq!((pages.broken(), pages.allocated(), pages.absent()), (14, 15, 16));
        assert_eq!((pages.with_data(), pages.bytes()), (1 + tables, 4096 * (1 + tables)));
        assert!(pages.iter().all(|(page_type, n)| n == page_type.bits() + 1 && n == pages.count(page_type)));
    }
}
