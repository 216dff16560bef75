//! Streams with something to look for in all that a guest has.

use xenstream::wire::hvm::types::{CPU_MSR, CPU_XSAVE};
use xenstream::wire::libxc::types::{PAGE_DATA, SHARED_INFO, TOOLSTACK};
use xenstream::wire::libxl::types::EMULATOR_CONTEXT;
use xenstream::wire::xenopsd::types::{END_OF_IMAGE, LIBXC, QEMU_TRAD, SWTPM, VARSTORED, XENOPS};
use xenstream::wire::xl::{FLAG_JSON, FLAG_STREAM_V2};
use xenstream::{Format, Guest};
use xenstream_synth::container::{xenopsd_record, xenopsd_signature};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::libxl::{self, QEMU};
use xenstream_synth::minimal::{Kind, checkpointed_guest};
use xenstream_synth::valid::Machine;
use xenstream_synth::{Basic, Body, Page, Part, Stream, libxc};

/// What memory is full of, and whatever always goes. No byte of it is one that a key may have.
pub(crate) const MEMORY: [u8; 8] = *b"\xB7{m#r\xEE!~";
/// What registers and devices are full of; as a frame it would be out of range.
pub(crate) const REGISTERS: [u8; 8] = *b"\xD1(r%g\xEC)^";
/// What names are.
pub(crate) const NAMES: [u8; 8] = *b"[n*m$s+]";

/// This many bytes of it.
pub(crate) fn full(marker: [u8; 8], length: usize) -> Vec<u8> {
    marker.into_iter().cycle().take(length).collect()
}

/// Returns whether any part of it occurs.
pub(crate) fn occurs(bytes: &[u8], marker: [u8; 8]) -> bool {
    let rotations: Vec<[u8; 8]> = (0..8).map(|n| std::array::from_fn(|i| marker[(i + n) % 8])).collect();
    // Most bytes are zero: only what may begin a rotation is compared.
    let mut begins = [false; 256];
    marker.into_iter().for_each(|byte| begins[usize::from(byte)] = true);
    let starts = bytes.iter().enumerate().filter(|(_, byte)| begins[usize::from(**byte)]);
    starts.map(|(at, _)| &bytes[at..]).any(|rest| rotations.iter().any(|rotation| rest.starts_with(rotation)))
}

/// The planted streams: every kind of guest in every container.
pub(crate) fn streams() -> Vec<Stream> {
    let mut streams = Vec::new();
    for machine in Machine::all() {
        let bare = guest(machine);
        let libxl = in_libxl(machine, bare.clone());
        let name = String::from_utf8(NAMES.to_vec()).unwrap();
        let json = format!(
            "{{\"c_info\": {{\"name\": \"{name}\", \"uuid\":\"{name}\\n\\\"{name}\"}}, \
             \"b_info\": {{\"max_memkb\": 16384, \"list\": [1, \"{name}\", {{\"key\" : \"{name}\"}}]}}}}\0"
        );
        let xml = format!(
            "<?xml version='1.0'?>\n<domain type='xen'><!-- {name} --><name>{name}</name><memory unit='KiB'>16384</memory>\
             <vcpu current='1'>2</vcpu><disk file=\"{name}\"/><a><![CDATA[{name}]]></a></domain>\0"
        );
        let metadata = format!("((id {name})(name \"{name}\"))");
        let around = [
            xenopsd_signature(),
            xenopsd_record(XENOPS, Body::new().raw(metadata)),
            xenopsd_record(LIBXC, Body::new()),
        ];
        let after = [
            xenopsd_record(VARSTORED, Body::new().raw(full(MEMORY, 40))),
            xenopsd_record(SWTPM, Body::new().raw(full(MEMORY, 40))),
            xenopsd_record(QEMU_TRAD, Body::new().raw(full(REGISTERS, 40))),
            xenopsd_record(END_OF_IMAGE, Body::new()),
        ];
        let text = format!("name = '{name}'\n\0");
        streams.extend([
            libxl.clone().in_xl_with(FLAG_JSON | FLAG_STREAM_V2, json.as_bytes()),
            libxl.clone().in_xl_with(FLAG_STREAM_V2, text.as_bytes()),
            libxl.clone().in_libvirt_with(xml.as_bytes()),
            libxl,
            checkpointed_guest(&bare, Kind::Remus, 2),
            bare.clone().wrapped(Format::Xenopsd, around, after),
            bare,
        ]);
    }
    streams
}

fn in_libxl(machine: Machine, bare: Stream) -> Stream {
    let stream = bare.in_libxl();
    if machine != Machine::Hvm {
        return stream;
    }
    let name = std::str::from_utf8(&NAMES).unwrap();
    let state = [&b"QEVM\0\0\0\x03"[..], &full(REGISTERS, 21)].concat();
    let end = Part::libxl(xenstream::wire::libxl::types::END);
    stream
        .before(end, libxl::xenstore(&[("key", name), ("other/key", ""), ("third", &name.repeat(3))]))
        .before(end, libxl::emulator(EMULATOR_CONTEXT, QEMU, Body::new().raw(state)))
}

fn guest(machine: Machine) -> Stream {
    let stream = machine.libxc();
    let memory = |kind: u64, pfn: u64| Page::of(kind, pfn).holding(full(MEMORY, 4096));
    // A page table is looked at, and its entries have to be in range: those that are not present may be anything.
    let table = Page::table(1, 4, &[]).holding(full(even(MEMORY), 4096));
    let pages: Vec<Page> = match machine.guest() {
        Guest::Pv => [memory(0, 3), table, memory(0, 5)].into_iter().collect(),
        Guest::Hvm => (6..9).map(|pfn| memory(0, pfn)).collect(),
    };
    let optional = libxc::record(0x8000_0001, Body::new().raw(full(MEMORY, 33)));
    let stream = stream
        .after(Part::libxc(PAGE_DATA), libxc::page_data(&pages))
        .after(Part::libxc(PAGE_DATA), optional);
    debug_assert!(!stream.has(Part::libxc(TOOLSTACK)));
    match machine.guest() {
        Guest::Pv => registers(machine, stream),
        Guest::Hvm => stream.replaced(
            Part::libxc(xenstream::wire::libxc::types::HVM_CONTEXT),
            libxc::hvm_context(&chain(machine)),
        ),
    }
}

/// A page table is read in words: in each, the lowest bit is not set.
pub(crate) fn even(marker: [u8; 8]) -> [u8; 8] {
    let [first, rest @ ..] = marker;
    let [a, b, c, d, e, f, g] = rest;
    [first & !1, a, b, c, d, e, f, g]
}

fn registers(machine: Machine, stream: Stream) -> Stream {
    use xenstream::wire::libxc::types as xc;
    let basic = match machine {
        Machine::Pv32 => Basic::pv32(),
        _ => Basic::pv64(),
    };
    let extended = [&0u32.to_le_bytes()[..], &full(REGISTERS, 60)].concat();
    let msrs = [(0xC000_0103, u64::from_le_bytes(REGISTERS)), (7, u64::from_le_bytes(REGISTERS))];
    stream
        .replaced(Part::libxc(SHARED_INFO), libxc::record(SHARED_INFO, Body::new().raw(full(MEMORY, 4096))))
        .replaced(
            Part::libxc(xc::X86_PV_VCPU_BASIC),
            libxc::vcpu_basic(0, &basic.start_info(2).cr3(1).with_bytes(16, &full(REGISTERS, 400))),
        )
        .replaced(Part::libxc(xc::X86_PV_VCPU_EXTENDED), libxc::vcpu_extended(0, extended))
        .replaced(
            Part::libxc(xc::X86_PV_VCPU_XSAVE),
            libxc::vcpu(xc::X86_PV_VCPU_XSAVE, 0, Body::new().raw(full(REGISTERS, 848))),
        )
        .replaced(Part::libxc(xc::X86_PV_VCPU_MSRS), libxc::vcpu_msrs(0, &msrs))
}

fn chain(machine: Machine) -> Chain {
    let chain = match machine {
        Machine::Hvm => Chain::with_devices(2),
        _ => Chain::without_devices(2),
    };
    let entries = chain.entries().iter().map(|entry| match entry.typecode() {
        CPU_MSR => Entry::msrs(0, &[(0x10, u64::from_le_bytes(REGISTERS)), (0x11, 7)]),
        CPU_XSAVE => Entry::new(CPU_XSAVE, entry.instance(), full(REGISTERS, 848)),
        typecode @ 2.. => {
            let length = entry.size() as usize - 8;
            Entry::new(typecode, entry.instance(), full(REGISTERS, length))
        }
        _ => entry.clone(),
    });
    Chain::new(entries)
}
