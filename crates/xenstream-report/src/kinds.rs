//! What the records of each layer are, for people: a few words and a color.

use xenstream::Layer;
use xenstream::wire::{hvm, libxc, libxl, xenopsd};

/// What a record is about. Pictures have a color for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Header,
    Memory,
    Static,
    Registers,
    Devices,
    Control,
    Unknown,
    Mixed,
}

impl Group {
    /// In the order of the legend.
    pub(crate) const ALL: [Group; 8] = [
        Group::Header,
        Group::Static,
        Group::Memory,
        Group::Registers,
        Group::Devices,
        Group::Control,
        Group::Unknown,
        Group::Mixed,
    ];

    /// Its class in the style sheet.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Group::Header => "header",
            Group::Memory => "memory",
            Group::Static => "static",
            Group::Registers => "registers",
            Group::Devices => "devices",
            Group::Control => "control",
            Group::Unknown => "unknown",
            Group::Mixed => "mixed",
        }
    }

    /// What the legend says.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Group::Header => "headers and configuration",
            Group::Memory => "memory",
            Group::Static => "static data and layout",
            Group::Registers => "registers and hypervisor state",
            Group::Devices => "device model and firmware",
            Group::Control => "markers",
            Group::Unknown => "unknown types",
            Group::Mixed => "several small records",
        }
    }
}

/// A lane of the timeline: a layer of the format, or the containers, of which a stream has one at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Container,
    Libxl,
    Libxc,
    Hvm,
}

impl Lane {
    /// Outermost first.
    pub(crate) const ALL: [Lane; 4] = [Lane::Container, Lane::Libxl, Lane::Libxc, Lane::Hvm];

    /// The lane of a layer's records; those of the others are no records.
    pub(crate) const fn of(layer: Layer) -> Option<Lane> {
        match layer {
            Layer::Xl | Layer::Libvirt | Layer::Xenopsd => Some(Lane::Container),
            Layer::Libxl => Some(Lane::Libxl),
            Layer::Libxc => Some(Lane::Libxc),
            Layer::Hvm => Some(Lane::Hvm),
            Layer::Stream | Layer::Pv | Layer::Qemu => None,
        }
    }

    /// Its name in links and in the table of records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Lane::Container => "container",
            Lane::Libxl => "libxl",
            Lane::Libxc => "libxc",
            Lane::Hvm => "hvm",
        }
    }

    /// What stands over the lane.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Lane::Container => "container",
            Lane::Libxl => "libxl stream",
            Lane::Libxc => "libxc stream",
            Lane::Hvm => "inside HVM_CONTEXT",
        }
    }

    /// What its headers are, in a few words.
    pub(crate) const fn header_words(self) -> &'static str {
        match self {
            Lane::Container => "with the configuration",
            Lane::Libxl => "of the libxl stream",
            Lane::Libxc => "of image and domain",
            Lane::Hvm => "of the chain",
        }
    }

    /// The types that it knows.
    pub(crate) const fn kinds(self) -> &'static [Kind] {
        match self {
            Lane::Container => &XENOPSD,
            Lane::Libxl => &LIBXL,
            Lane::Libxc => &LIBXC,
            Lane::Hvm => &HVM,
        }
    }

    /// The type of this number, and its place among those that are known.
    pub(crate) fn kind(self, number: u64) -> Option<(usize, &'static Kind)> {
        self.kinds().iter().enumerate().find(|(_, kind)| kind.number == number)
    }

    /// The name of a type, as the specification spells it.
    pub(crate) fn type_name(self, number: u64) -> Option<&'static str> {
        match self {
            Lane::Container => xenopsd::name(number),
            Lane::Libxl => u32::try_from(number).ok().and_then(libxl::name),
            Lane::Libxc => u32::try_from(number).ok().and_then(libxc::name),
            Lane::Hvm => u16::try_from(number).ok().and_then(hvm::entry).map(|entry| entry.name),
        }
    }

    /// A type for people: its name, or its number in hex.
    pub(crate) fn label(self, number: u64) -> String {
        self.type_name(number).map_or_else(|| format!("{number:#x}"), str::to_owned)
    }
}

/// A record type.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) number: u64,
    pub(crate) group: Group,
    pub(crate) words: &'static str,
}

const fn kind(number: u64, group: Group, words: &'static str) -> Kind {
    Kind { number, group, words }
}

const fn record_kind(number: u32, group: Group, words: &'static str) -> Kind {
    kind(number as u64, group, words)
}

const fn hvm_kind(number: u64, words: &'static str) -> Kind {
    kind(number, Group::Registers, words)
}

static XENOPSD: [Kind; 11] = {
    use xenopsd::types::{
        DEMU, END_OF_IMAGE, LIBXC, LIBXC_LEGACY, LIBXL, QEMU_TRAD, QEMU_XEN, SWTPM, SWTPM0, VARSTORED, XENOPS,
    };
    [
        kind(XENOPS, Group::Header, "the machine's metadata"),
        kind(LIBXC, Group::Control, "a libxc stream follows"),
        kind(LIBXL, Group::Control, "a libxl stream follows"),
        kind(LIBXC_LEGACY, Group::Control, "a legacy stream follows"),
        kind(QEMU_TRAD, Group::Devices, "state of the device model"),
        kind(QEMU_XEN, Group::Devices, "state of the device model"),
        kind(DEMU, Group::Devices, "state of a virtual GPU"),
        kind(VARSTORED, Group::Devices, "UEFI variables"),
        kind(SWTPM0, Group::Devices, "state of a virtual TPM"),
        kind(SWTPM, Group::Devices, "state of a virtual TPM"),
        kind(END_OF_IMAGE, Group::Control, "the end"),
    ]
};

static LIBXL: [Kind; 6] = {
    use libxl::types::{
        CHECKPOINT_END, CHECKPOINT_STATE, EMULATOR_CONTEXT, EMULATOR_XENSTORE_DATA, END, LIBXC_CONTEXT,
    };
    [
        record_kind(END, Group::Control, "the end"),
        record_kind(LIBXC_CONTEXT, Group::Control, "a libxc stream follows"),
        record_kind(EMULATOR_XENSTORE_DATA, Group::Devices, "its xenstore keys"),
        record_kind(EMULATOR_CONTEXT, Group::Devices, "state of the device model"),
        record_kind(CHECKPOINT_END, Group::Control, "a checkpoint is complete"),
        record_kind(CHECKPOINT_STATE, Group::Control, "how two COLO hosts keep in step"),
    ]
};

static LIBXC: [Kind; 19] = {
    use libxc::types as t;
    [
        record_kind(t::END, Group::Control, "the end"),
        record_kind(t::PAGE_DATA, Group::Memory, "pages of guest memory"),
        record_kind(t::X86_PV_INFO, Group::Static, "word size and page-table depth"),
        record_kind(t::X86_PV_P2M_FRAMES, Group::Static, "where its map of memory lies"),
        record_kind(t::X86_PV_VCPU_BASIC, Group::Registers, "registers of a vcpu"),
        record_kind(t::X86_PV_VCPU_EXTENDED, Group::Registers, "extended state of a vcpu"),
        record_kind(t::X86_PV_VCPU_XSAVE, Group::Registers, "FPU and vectors of a vcpu"),
        record_kind(t::SHARED_INFO, Group::Registers, "page shared with the hypervisor"),
        record_kind(t::X86_TSC_INFO, Group::Registers, "time-stamp counter"),
        record_kind(t::HVM_CONTEXT, Group::Registers, "vcpus and emulated platform"),
        record_kind(t::HVM_PARAMS, Group::Registers, "HVM parameters"),
        record_kind(t::TOOLSTACK, Group::Unknown, "deprecated"),
        record_kind(t::X86_PV_VCPU_MSRS, Group::Registers, "MSRs of a vcpu"),
        record_kind(t::VERIFY, Group::Control, "memory is repeated for comparison"),
        record_kind(t::CHECKPOINT, Group::Control, "end of a checkpoint"),
        record_kind(t::CHECKPOINT_DIRTY_PFN_LIST, Group::Unknown, "has no place in an image"),
        record_kind(t::STATIC_DATA_END, Group::Control, "end of the static data"),
        record_kind(t::X86_CPUID_POLICY, Group::Static, "what CPUID shows the guest"),
        record_kind(t::X86_MSR_POLICY, Group::Static, "what MSRs show the guest"),
    ]
};

static HVM: [Kind; 21] = [
    kind(hvm::types::END as u64, Group::Control, "the end"),
    kind(hvm::types::HEADER as u64, Group::Header, "which hypervisor wrote it"),
    hvm_kind(2, "registers of a vcpu"),
    hvm_kind(3, "legacy interrupt controller"),
    hvm_kind(4, "I/O interrupt controller"),
    hvm_kind(5, "local interrupt controller"),
    hvm_kind(6, "registers of the LAPIC"),
    hvm_kind(7, "PCI interrupt lines"),
    hvm_kind(8, "ISA interrupt lines"),
    hvm_kind(9, "how PCI lines are routed"),
    hvm_kind(10, "interval timer"),
    hvm_kind(11, "real-time clock"),
    hvm_kind(12, "high-precision timer"),
    hvm_kind(13, "power-management timer"),
    hvm_kind(14, "memory types of a vcpu"),
    hvm_kind(15, "Hyper-V interface, domain"),
    hvm_kind(16, "FPU and vectors of a vcpu"),
    hvm_kind(17, "Hyper-V interface, vcpu"),
    hvm_kind(18, "machine checks of a vcpu"),
    hvm_kind(19, "offset of a vcpu's time-stamp counter"),
    hvm_kind(20, "MSRs of a vcpu"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_with_a_name_has_words() {
        for lane in Lane::ALL {
            let named = (0..=0xFFFF).filter(|number| lane.type_name(*number).is_some());
            let mut known: Vec<_> = lane.kinds().iter().map(|kind| kind.number).collect();
            known.sort_unstable();
            assert!(named.eq(known.iter().copied()), "{lane:?}: {known:?}");
        }
    }
}
