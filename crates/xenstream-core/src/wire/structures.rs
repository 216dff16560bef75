//! Where the declared structures occur: which ones a body consists of.

use crate::violation::Layer;
use crate::wire::hvm::{self, cpu};
use crate::wire::layout::Layout;
use crate::wire::libxc::{types, vcpu};
use crate::wire::libxl::types as libxl;
use crate::wire::{pv, records};

/// The structures that the body of a record, or of an entry of HVM_CONTEXT, consists of, one after the other; none
/// where nothing is declared. Only the last one may be longer or shorter than its [size](Layout::size).
#[must_use]
pub fn of_body(layer: Layer, kind: u64, body_length: u64) -> &'static [&'static Layout] {
    match (layer, u32::try_from(kind)) {
        (Layer::Libxc, Ok(kind)) => of_libxc(kind, body_length),
        (Layer::Libxl, Ok(libxl::EMULATOR_XENSTORE_DATA | libxl::EMULATOR_CONTEXT)) => &[&records::EMULATOR],
        (Layer::Libxl, Ok(libxl::CHECKPOINT_STATE)) => &[&records::CHECKPOINT_STATE],
        (Layer::Hvm, Ok(kind)) => of_entry(kind, body_length),
        _ => &[],
    }
}

/// Every declared structure, in the order of layers and types. The header of VCPU records comes with each of them.
pub fn all() -> impl Iterator<Item = &'static Layout> {
    let kinds = [
        (Layer::Libxl, libxl::KNOWN),
        (Layer::Libxc, types::KNOWN),
        (Layer::Hvm, u32::from(hvm::types::KNOWN)),
    ];
    // Structures that depend on the length come with it.
    const LENGTHS: [u64; 3] =
        [u64::MAX, vcpu::HEADER.saturating_add(vcpu::BASIC_32), cpu::LENGTH_WITHOUT_TSC_AUX];
    kinds.into_iter().flat_map(|(layer, known)| {
        (0..known).flat_map(move |kind| {
            LENGTHS
                .into_iter()
                .flat_map(move |length| of_body(layer, u64::from(kind), length).iter().copied())
        })
    })
}

fn of_libxc(kind: u32, body_length: u64) -> &'static [&'static Layout] {
    match kind {
        types::X86_PV_INFO => &[&records::PV_INFO],
        types::X86_PV_P2M_FRAMES => &[&records::P2M_FRAMES],
        types::X86_PV_VCPU_BASIC => match body_length.checked_sub(vcpu::HEADER) {
            Some(vcpu::BASIC_32) => &[&records::VCPU_HEADER, &pv::BASIC_32],
            _ => &[&records::VCPU_HEADER, &pv::BASIC_64],
        },
        types::X86_PV_VCPU_EXTENDED => &[&records::VCPU_HEADER, &pv::EXTENDED],
        types::X86_PV_VCPU_XSAVE => &[&records::VCPU_HEADER, &pv::XSAVE],
        types::X86_PV_VCPU_MSRS => &[&records::VCPU_HEADER, &pv::MSRS],
        types::X86_TSC_INFO => &[&records::TSC_INFO],
        types::HVM_PARAMS => &[&records::HVM_PARAMS],
        types::X86_CPUID_POLICY => &[&records::CPUID_POLICY],
        types::X86_MSR_POLICY => &[&records::MSR_POLICY],
        _ => &[],
    }
}

/// The same of an entry of HVM_CONTEXT. CPU has a length for which Xen takes another structure.
fn of_entry(kind: u32, body_length: u64) -> &'static [&'static Layout] {
    const CPU: u16 = hvm::types::CPU;
    match u16::try_from(kind) {
        Ok(CPU) if body_length == cpu::LENGTH_WITHOUT_TSC_AUX => &[&cpu::CPU_WITHOUT_TSC_AUX],
        Ok(typecode) => hvm::entry(typecode).map_or(&[], |entry| core::slice::from_ref(&entry.layout)),
        Err(_) => &[],
    }
}
