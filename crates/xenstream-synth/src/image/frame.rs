//! Everything of an image but its memory.

use xenstream_core::wire::hvm::types::CPU_XSAVE;
use xenstream_core::wire::libxl::types as libxl_types;
use xenstream_core::wire::xenopsd::types::{END_OF_IMAGE, LIBXC, QEMU_TRAD, XENOPS};
use xenstream_core::{Format, Guest};

use super::memory::{GDT, Memory, ROOT, START_INFO};
use super::{Container, Shape, config};
use crate::body::Body;
use crate::container::{XL_FLAGS, xenopsd_record, xenopsd_signature};
use crate::hvm::{Chain, Entry};
use crate::item::{Item, Part};
use crate::places::NO_SUBLEAF;
use crate::stream::Stream;
use crate::valid::{EXTENDED, MSRS, Machine, XSAVE};
use crate::vcpu::{Basic, extended_state};
use crate::{libxc, libxl};

/// Bytes of QEMU's state for a guest without much of a device model.
const DEVICE_MODEL: u64 = 6141;

/// The stream of a shape without PAGE_DATA, which belongs before the guest's clock.
pub(super) fn of(shape: &Shape, memory: &Memory) -> Stream {
    let libxc = libxc(shape, memory);
    let libxc = if shape.version == 2 { libxc.as_version_2() } else { libxc };
    match shape.container {
        Container::Libxc => libxc,
        Container::Libxl => in_libxl(shape, libxc),
        Container::Xl => {
            let config = config::xl(shape) + "\0";
            in_libxl(shape, libxc).in_xl_with(XL_FLAGS, config.as_bytes())
        }
        Container::Libvirt => {
            in_libxl(shape, libxc).in_libvirt_with((config::libvirt(shape) + "\0").as_bytes())
        }
        Container::Xenopsd => {
            let before = [
                xenopsd_signature(),
                xenopsd_record(XENOPS, Body::new().raw(config::xenopsd(shape))),
                xenopsd_record(LIBXC, Body::new()),
            ];
            let state = (shape.machine == Machine::Hvm)
                .then(|| xenopsd_record(QEMU_TRAD, libxl::qemu_state(DEVICE_MODEL)));
            let after = state.into_iter().chain([xenopsd_record(END_OF_IMAGE, Body::new())]);
            libxc.wrapped(Format::Xenopsd, before, after)
        }
    }
}

/// The records of QEMU in libxl.
pub(super) fn device_model() -> Vec<Item> {
    let physmap = [("physmap/f0000000/start_addr", "f0000000"), ("physmap/f0000000/size", "0x1000000")];
    vec![libxl::xenstore(&physmap), libxl::emulator_context(DEVICE_MODEL)]
}

fn in_libxl(shape: &Shape, libxc: Stream) -> Stream {
    let end = Part::libxl(libxl_types::END);
    shape.device_model().into_iter().fold(libxc.in_libxl(), |stream, record| stream.before(end, record))
}

fn libxc(shape: &Shape, memory: &Memory) -> Stream {
    let mut records = Vec::new();
    let guest = shape.machine.guest();
    records.extend(shape.machine.info());
    records.extend([libxc::cpuid_policy(&leaves(guest)), libxc::msr_policy(&MSRS), libxc::static_data_end()]);
    if guest == Guest::Pv {
        let (last, frames) = memory.p2m();
        // A shape has no more memory than has pfns of 32 bits.
        records.push(libxc::p2m_frames(0, last as u32, &frames));
    }
    records.push(libxc::clock());
    match guest {
        Guest::Pv => {
            records.push(libxc::shared_info());
            records.extend((0..shape.vcpus).flat_map(|vcpu| pv_vcpu(shape.machine, u32::from(vcpu))));
        }
        Guest::Hvm => {
            records.push(libxc::hvm_context(&chain(shape)));
            records.push(libxc::hvm_params(params(shape.machine)));
        }
    }
    records.push(libxc::end());
    libxc::stream(guest, records)
}

fn pv_vcpu(machine: Machine, vcpu: u32) -> [Item; 3] {
    let registers = match machine {
        Machine::Pv32 => Basic::pv32(),
        _ => Basic::pv64().cr1(ROOT),
    };
    let registers = registers.start_info(START_INFO).gdt_entries(512).gdt_frame(0, GDT).cr3(ROOT);
    [
        libxc::vcpu_basic(vcpu, &registers),
        libxc::vcpu_extended(vcpu, extended_state(vcpu, EXTENDED)),
        libxc::vcpu_xsave(vcpu, XSAVE),
    ]
}

/// HVM_CONTEXT: entries of zeros in the order in which Xen 4.17 writes them, each type for all vcpus in turn.
fn chain(shape: &Shape) -> Chain {
    const PIC: u16 = 3;
    const LAPIC: u16 = 5;
    const HVM: &[u16] = &[2, PIC, 4, LAPIC, 6, 7, 8, 9, 10, 11, 12, 13, 14, CPU_XSAVE, 18, 19];
    const PVH: &[u16] = &[2, LAPIC, 6, 7, 8, 9, 14, CPU_XSAVE, 18, 19];
    let typecodes = if shape.machine == Machine::Hvm { HVM } else { PVH };
    Chain::around(typecodes.iter().flat_map(|typecode| {
        let instances = match *typecode {
            PIC => 2,
            4 | 7..=13 => 1,
            _ => shape.vcpus,
        };
        (0..instances).map(move |instance| match *typecode {
            // What Xen writes of these is shorter than what it takes, or longer than it needs.
            LAPIC => Entry::filled(LAPIC, instance, 24, 0),
            CPU_XSAVE => Entry::filled(CPU_XSAVE, instance, 24 + XSAVE, 0),
            typecode => Entry::reset(typecode, instance),
        })
    }))
}

/// Pairs of index and value: where rings and tables are, as Xen 4.17 has them.
fn params(machine: Machine) -> &'static [(u64, u64)] {
    const HVM: &[(u64, u64)] = &[
        (1, 0xF_EFFC),
        (2, 1),
        (5, 0xF_EFFD),
        (6, 0xF_EFFB),
        (12, 0xFEFF_E000),
        (17, 0xF_EFFF),
        (18, 2),
        (19, 1),
        (27, 0xF_EFF8),
        (28, 0xF_EFF9),
        (29, 0xF_EFFA),
        (32, 0xF_EFF0),
        (33, 8),
    ];
    const PVH: &[(u64, u64)] = &[
        (1, 0xF_EFFC),
        (2, 1),
        (12, 0xFEFF_E000),
        (17, 0xF_EFFF),
        (18, 2),
        (27, 0xF_EFF8),
        (28, 0xF_EFF9),
        (29, 0xF_EFFA),
    ];
    if machine == Machine::Hvm { HVM } else { PVH }
}

/// The leaves that Xen 4.17 sends, with a made-up vendor and processor.
fn leaves(guest: Guest) -> Vec<[u32; 6]> {
    // XSAVE has a subleaf for each component that the guest may use.
    let components = match guest {
        Guest::Pv => 3,
        Guest::Hvm => 10,
    };
    let plain = |leaf: u32| [leaf, if matches!(leaf, 0x4 | 0x7 | 0xB) { 0 } else { NO_SUBLEAF }, 0, 0, 0, 0];
    let mut leaves: Vec<[u32; 6]> = (0..=0xC).map(plain).collect();
    leaves.extend((0..components).map(|component| [0xD, component, 0, 0, 0, 0]));
    leaves.extend([0x4000_0000, 0x4000_0100].into_iter().chain(0x8000_0000..=0x8000_0021).map(plain));
    // The vendor, `GenuineSynth`, which lies in `ebx`, `edx` and `ecx`, and the number of the last leaf.
    let vendor = [b"Genu", b"ynth", b"ineS"].map(|letters| u32::from_le_bytes(*letters));
    for leaf in &mut leaves {
        match leaf[0] {
            0 => leaf[2..].copy_from_slice(&[0xD, vendor[0], vendor[1], vendor[2]]),
            // XSAVE and AVX.
            1 => leaf[4] = 1 << 26 | 1 << 28,
            0x8000_0000 => leaf[2] = 0x8000_0021,
            _ => {}
        }
    }
    leaves
}
