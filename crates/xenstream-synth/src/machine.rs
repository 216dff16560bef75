//! Kinds of guests.

use arbitrary::Arbitrary;
use xenstream_core::Guest;

use crate::item::Item;
use crate::stream::Stream;
use crate::{libxc, valid};

/// A kind of guest, as people tell them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
#[non_exhaustive]
pub enum Machine {
    /// 64-bit PV.
    #[default]
    Pv64,
    /// 32-bit PV.
    Pv32,
    /// HVM with a device model.
    Hvm,
    /// PVH: HVM without one.
    Pvh,
}

impl Machine {
    /// Returns every kind.
    pub fn all() -> impl DoubleEndedIterator<Item = Machine> + ExactSizeIterator + Clone {
        [Machine::Pv64, Machine::Pv32, Machine::Hvm, Machine::Pvh].into_iter()
    }

    /// The kind in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Machine::Pv64 => "pv64",
            Machine::Pv32 => "pv32",
            Machine::Hvm => "hvm",
            Machine::Pvh => "pvh",
        }
    }

    /// The kind of guest that the domain header tells of.
    #[must_use]
    pub const fn guest(self) -> Guest {
        match self {
            Machine::Pv64 | Machine::Pv32 => Guest::Pv,
            Machine::Hvm | Machine::Pvh => Guest::Hvm,
        }
    }

    /// Bytes of a word of a PV guest.
    #[must_use]
    pub const fn width(self) -> Option<u8> {
        match self {
            Machine::Pv64 => Some(8),
            Machine::Pv32 => Some(4),
            Machine::Hvm | Machine::Pvh => None,
        }
    }

    /// X86_PV_INFO, which a PV guest has.
    pub(crate) fn info(self) -> Option<Item> {
        match self {
            Machine::Pv64 => Some(libxc::pv64_info()),
            Machine::Pv32 => Some(libxc::pv32_info()),
            Machine::Hvm | Machine::Pvh => None,
        }
    }

    /// A bare libxc stream of such a guest.
    #[must_use]
    pub fn libxc(self) -> Stream {
        match self {
            Machine::Pv64 => valid::pv64(),
            Machine::Pv32 => valid::pv32(),
            Machine::Hvm => valid::hvm(),
            Machine::Pvh => valid::pvh(),
        }
    }

    /// The same in a libxl stream, with the device model's records if it has one.
    #[must_use]
    pub fn libxl(self) -> Stream {
        self.of(self.libxc())
    }

    /// This libxc stream of such a guest in a libxl stream, with the device model's records if it has one.
    #[must_use]
    pub fn of(self, libxc: Stream) -> Stream {
        let stream = libxc.in_libxl();
        if self == Machine::Hvm { stream.with_device_model() } else { stream }
    }
}
