//! Which structures are declared, and which ones a body consists of.

use crate::violation::Layer;
use crate::wire::hvm::{self, cpu};
use crate::wire::layout::Layout;
use crate::wire::libxc::{types as libxc, vcpu};
use crate::wire::{headers, pv, records, types};

/// The structures that the body of a record, or of an entry of HVM_CONTEXT, consists of, one after the other; none
/// where nothing is declared. Only the last one may be longer or shorter than its [size](Layout::size).
#[must_use]
pub fn of_body(layer: Layer, kind: u64, body_length: u64) -> &'static [&'static Layout] {
    const BASIC: u64 = libxc::X86_PV_VCPU_BASIC as u64;
    const BASIC_32: u64 = vcpu::HEADER.saturating_add(vcpu::BASIC_32);
    match (layer, kind, body_length) {
        (Layer::Libxc, BASIC, BASIC_32) => &[&records::VCPU_HEADER, &pv::BASIC_32],
        (Layer::Hvm, ..) => {
            let entry = u16::try_from(kind).ok().and_then(hvm::entry);
            entry.map_or(&[], |entry| entry.body(body_length))
        }
        _ => types::get(layer, kind).map_or(&[], |known| known.body),
    }
}

/// Every declared structure: headers, then bodies in the order of layers and types. The header of VCPU records comes with each of them.
pub fn all() -> impl Iterator<Item = &'static Layout> {
    let known = [Layer::Libxl, Layer::Libxc, Layer::Hvm].into_iter();
    let known = known.flat_map(|layer| types::all(layer).map(move |known| (layer, known.number)));
    // Structures that depend on the length come with it.
    const LENGTHS: [u64; 3] =
        [u64::MAX, vcpu::HEADER.saturating_add(vcpu::BASIC_32), cpu::LENGTH_WITHOUT_TSC_AUX];
    let bodies = known.flat_map(|(layer, kind)| {
        LENGTHS.into_iter().flat_map(move |length| of_body(layer, kind, length).iter().copied())
    });
    headers::ALL.into_iter().chain(bodies)
}
