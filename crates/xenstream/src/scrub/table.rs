//! What is blanked when, and what of a guest is still told.

use xenstream_core::wire::{libxc, libxl};
use xenstream_core::{Format, Layer, Summary};

use crate::scrub::Scrub;

/// When a part of a stream is blanked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blanked {
    /// Whatever was asked for.
    Always,
    /// If [registers](Scrub::registers) are.
    Registers,
    /// If [names](Scrub::names) are.
    Names,
    /// Never: it is structure, or the output would not verify.
    Never,
}

/// A part of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub place: &'static str,
    /// What is in it.
    pub holds: &'static str,
    /// When it is blanked.
    pub blanked: Blanked,
    found: Found,
}

/// In which streams a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Everywhere,
    Format(Format),
    /// There is a configuration.
    Configured,
    Record(Layer, u32),
}

const fn part(place: &'static str, holds: &'static str, blanked: Blanked, found: Found) -> Part {
    Part { place, holds, blanked, found }
}

const fn libxc(place: &'static str, holds: &'static str, blanked: Blanked, kind: u32) -> Part {
    part(place, holds, blanked, Found::Record(Layer::Libxc, kind))
}

const fn libxl(place: &'static str, holds: &'static str, blanked: Blanked, kind: u32) -> Part {
    part(place, holds, blanked, Found::Record(Layer::Libxl, kind))
}

/// Every part of a stream that tells something of a guest.
pub const TABLE: &[Part] = {
    use Blanked::{Always, Names, Never, Registers};
    use Found::{Configured, Everywhere, Format as In};
    use libxc::types as xc;
    use libxl::types as xl;
    &[
        libxc("PAGE_DATA, the pages", "the guest's memory, page tables included", Always, xc::PAGE_DATA),
        libxc(
            "SHARED_INFO",
            "a page that the guest shares with Xen: its clock, its event channels",
            Always,
            xc::SHARED_INFO,
        ),
        part("Varstored, Swtpm", "UEFI variables, keys of a TPM", Always, In(Format::Xenopsd)),
        part("records of unknown types", "unknown", Always, Everywhere),
        part("padding, bytes after the stream", "nothing, or unknown", Always, Everywhere),
        libxc(
            "X86_PV_VCPU_BASIC, _EXTENDED, _XSAVE",
            "registers, except the vcpu's number, its flags, the frames that it names, and the XSAVE masks",
            Registers,
            xc::X86_PV_VCPU_BASIC,
        ),
        libxc("X86_PV_VCPU_MSRS", "values of MSRs, but not their indices", Registers, xc::X86_PV_VCPU_MSRS),
        libxc(
            "HVM_CONTEXT",
            "contents of registers and devices, but not which ones exist",
            Registers,
            xc::HVM_CONTEXT,
        ),
        libxl(
            "EMULATOR_CONTEXT",
            "the device model's state, except its magic",
            Registers,
            xl::EMULATOR_CONTEXT,
        ),
        part("Qemu_trad", "the device model's state", Registers, In(Format::Xenopsd)),
        libxl("EMULATOR_XENSTORE_DATA", "values; keys stay", Names, xl::EMULATOR_XENSTORE_DATA),
        part(
            "xl configuration",
            "name, uuid, disks, addresses, command line; keys and numbers stay",
            Names,
            In(Format::Xl),
        ),
        part("libvirt XML", "the same; elements, memory and vcpus stay", Names, In(Format::Libvirt)),
        part("Xenops", "xenopsd's metadata; parentheses stay", Names, In(Format::Xenopsd)),
        libxc("PAGE_DATA, the entries", "which pages there are, and of which types", Never, xc::PAGE_DATA),
        libxc(
            "X86_PV_INFO, X86_PV_P2M_FRAMES",
            "width of the guest, size and frames of its p2m",
            Never,
            xc::X86_PV_P2M_FRAMES,
        ),
        libxc(
            "X86_TSC_INFO",
            "clock rate and age of the guest, how often it was restored",
            Never,
            xc::X86_TSC_INFO,
        ),
        libxc("HVM_PARAMS", "addresses of rings and tables, event channels", Never, xc::HVM_PARAMS),
        libxc(
            "X86_CPUID_POLICY, X86_MSR_POLICY",
            "the processor that the guest sees",
            Never,
            xc::X86_CPUID_POLICY,
        ),
        part(
            "configuration",
            "keys or elements, and numbers: memory, vcpus, sizes, ports",
            Never,
            Configured,
        ),
        part(
            "headers",
            "kind of guest, version of Xen, types, order and lengths of all records",
            Never,
            Everywhere,
        ),
    ]
};

/// What still tells one guest from another once this was blanked, in a stream that holds what the summary says.
pub fn remains(what: Scrub, summary: &Summary) -> impl Iterator<Item = &'static Part> + '_ {
    let what = what.settled();
    TABLE.iter().filter(move |part| {
        let stays = match part.blanked {
            Blanked::Always => false,
            Blanked::Registers => !what.registers,
            Blanked::Names => !what.names,
            Blanked::Never => true,
        };
        stays
            && match part.found {
                Found::Everywhere => true,
                Found::Format(format) => summary.format == format,
                Found::Configured => matches!(summary.format, Format::Xl | Format::Libvirt),
                Found::Record(layer, kind) => summary.records.get(layer, kind) > 0,
            }
    })
}
