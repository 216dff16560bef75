//! The guest, according to an image.

use std::fmt;

use xenstream_core::wire::{hvm, libxl};
use xenstream_core::{Guest, Layer, Record, Summary};

use crate::config::Domain;

/// The guest, according to the image's configuration and the records of its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuestDescription {
    /// The kind of guest, if the stream has shown it.
    pub kind: Option<GuestKind>,
    /// The name in the configuration.
    pub name: Option<String>,
    /// The UUID in the configuration.
    pub uuid: Option<String>,
    /// The memory in the configuration, in KiB.
    pub memory_kib: Option<u64>,
    /// The most vcpus in the configuration.
    pub vcpus: Option<u64>,
}

/// A kind of guest, in operators' terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GuestKind {
    /// Hardware-virtualised, with devices.
    Hvm,
    /// Hardware-virtualised, without devices.
    Pvh,
    /// Paravirtualised, of unknown width.
    Pv,
    /// Paravirtualised, 32-bit.
    Pv32,
    /// Paravirtualised, 64-bit.
    Pv64,
}

impl GuestKind {
    /// Returns the kind in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            GuestKind::Hvm => "hvm",
            GuestKind::Pvh => "pvh",
            GuestKind::Pv => "pv",
            GuestKind::Pv32 => "pv32",
            GuestKind::Pv64 => "pv64",
        }
    }
}

impl fmt::Display for GuestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Collects the description from the records that pass.
#[derive(Debug, Default)]
pub(crate) struct Portrait {
    /// What the configuration says.
    pub(crate) domain: Option<Domain>,
    /// An HVM_CONTEXT has come to its end.
    has_chain: bool,
    /// It has an entry of a device that PVH guests lack, or there is a record of a device model.
    has_devices: bool,
}

impl Portrait {
    pub(crate) fn record(&mut self, record: &Record) {
        match record.layer {
            Layer::Hvm => {
                self.has_chain |= record.kind == u64::from(hvm::types::END);
                self.has_devices |= hvm::DEVICES.iter().any(|device| u64::from(*device) == record.kind);
            }
            Layer::Libxl => {
                let kind = record.kind;
                let emulator = [libxl::types::EMULATOR_XENSTORE_DATA, libxl::types::EMULATOR_CONTEXT];
                self.has_devices |= emulator.into_iter().any(|emulator| u64::from(emulator) == kind);
            }
            _ => {}
        }
    }

    /// The description of a guest of which the stream held this.
    pub(crate) fn describe(self, summary: &Summary) -> GuestDescription {
        let Portrait { domain, has_chain, has_devices } = self;
        let domain = domain.unwrap_or_default();
        let is_pvh = match domain.kind.as_deref() {
            Some("pvh") => true,
            Some("hvm") => false,
            _ => has_chain && !has_devices,
        };
        let kind = summary.guest.map(|guest| match (guest, summary.guest_width) {
            (Guest::Hvm, _) if is_pvh => GuestKind::Pvh,
            (Guest::Hvm, _) => GuestKind::Hvm,
            (Guest::Pv, Some(4)) => GuestKind::Pv32,
            (Guest::Pv, Some(8)) => GuestKind::Pv64,
            (Guest::Pv, _) => GuestKind::Pv,
        });
        let Domain { name, uuid, memory_kib, vcpus, .. } = domain;
        GuestDescription { kind, name, uuid, memory_kib, vcpus }
    }
}
