//! ELF core files, read by the `object` crate.

use object::Endianness;
use object::elf::{PT_LOAD, PT_NOTE};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use xenstream::extract::{Extract, OutputFormat};
use xenstream::wire::libxc::types::HVM_CONTEXT;
use xenstream::{Error, Input};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::{Basic, Part, libxc, valid};

use super::common::{Memory, PAGE, extracted, image, memory, start};

const LITTLE: Endianness = Endianness::Little;

/// Name, type and descriptor of a note.
type Note = (Vec<u8>, u32, Vec<u8>);

struct Core {
    memory: Memory,
    notes: Vec<Note>,
}

fn core(bytes: &[u8]) -> Core {
    let file = ElfFile64::<Endianness>::parse(bytes).unwrap();
    let headers = file.elf_header().program_headers(LITTLE, bytes).unwrap();
    assert_eq!(headers[0].p_type(LITTLE), PT_NOTE, "tools look for the notes first");
    let mut notes = Vec::new();
    let mut all = headers[0].notes(LITTLE, bytes).unwrap().unwrap();
    while let Some(note) = all.next().unwrap() {
        notes.push((note.name().to_vec(), note.n_type(LITTLE).0, note.desc().to_vec()));
    }
    let mut memory = Memory::new();
    for segment in &headers[1..] {
        assert_eq!(segment.p_type(LITTLE), PT_LOAD);
        assert_eq!(segment.p_offset(LITTLE) % PAGE as u64, 0);
        assert_eq!(segment.p_vaddr(LITTLE), segment.p_paddr(LITTLE));
        let pages = segment.data(LITTLE, bytes).unwrap().chunks(PAGE);
        memory.extend((segment.p_paddr(LITTLE) / PAGE as u64..).zip(pages.map(start)));
    }
    Core { memory, notes }
}

fn word(descriptor: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(descriptor[at..at + 8].try_into().unwrap())
}

/// Offsets in `elf_prstatus`.
const PID: usize = 32;
const REGISTERS: usize = 112;
const RIP: usize = REGISTERS + 8 * 16;

#[test]
fn segments_hold_the_memory() {
    let (_, out) = extracted(Input::Slice(&image().bytes()), &Extract::new(OutputFormat::Elf)).unwrap();
    assert_eq!(core(&out.unwrap()).memory, memory());
}

#[test]
fn notes_hold_the_registers_of_hvm_vcpus() {
    let vcpu = |n: u16| Entry::reset(2, n).with("rip", 0x1000 + u64::from(n)).with("cr3", 0x5000);
    let chain = Chain::around([vcpu(0), vcpu(1)]);
    let stream = valid::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&chain));
    let bytes = stream.bytes();
    let (found, out) = extracted(Input::Slice(&bytes), &Extract::new(OutputFormat::Elf)).unwrap();
    assert_eq!(found.vcpus, [0, 1]);
    let notes = core(&out.unwrap()).notes;
    let named = |name: &[u8]| notes.iter().filter(|note| note.0 == name).collect::<Vec<_>>();
    let status = named(b"CORE");
    assert_eq!(status.len(), 2);
    for (n, (_, kind, descriptor)) in (0u64..).zip(status) {
        assert_eq!((*kind, descriptor.len(), word(descriptor, PID) as u32), (1, 336, n as u32 + 1));
        assert_eq!(word(descriptor, RIP), 0x1000 + n);
    }
    let qemu = named(b"QEMU");
    // CR3 follows ten segments and three control registers.
    assert_eq!((qemu.len(), word(&qemu[0].2, 152 + 240 + 24)), (2, 0x5000));
    let xen = named(b"Xen");
    assert_eq!((xen[0].1, word(&xen[0].2, 0), word(&xen[0].2, 8)), (0x200_0001, 0xF00F_EBEE, 2));
    assert_eq!((xen[1].1, word(&xen[1].2, 0), xen[1].2.len()), (0x200_0002, 4, 1280));

    let one = Extract::new(OutputFormat::Elf).with_vcpus(vec![1]);
    let (_, out) = extracted(Input::Slice(&bytes), &one).unwrap();
    let notes = core(&out.unwrap()).notes;
    assert_eq!((word(&notes[0].2, RIP), notes[1].0.as_slice()), (0x1001, &b"QEMU"[..]));
    let error = extracted(Input::Slice(&bytes), &one.with_vcpus(vec![7])).unwrap_err();
    assert!(matches!(error, Error::NoVcpu { wanted: 7 }), "{error}");
}

#[test]
fn notes_hold_the_registers_of_pv_vcpus() {
    use xenstream::wire::libxc::types::X86_PV_VCPU_BASIC;
    for (machine, basic, at) in [(valid::pv64(), Basic::pv64(), 648), (valid::pv32(), Basic::pv32(), 548)] {
        let basic = libxc::vcpu_basic(3, &basic.word(at, 0x8010_0000));
        let stream = machine.replaced(Part::libxc(X86_PV_VCPU_BASIC), basic);
        let (found, out) =
            extracted(Input::Slice(&stream.bytes()), &Extract::new(OutputFormat::Elf)).unwrap();
        assert_eq!(found.vcpus, [3]);
        let notes = core(&out.unwrap()).notes;
        assert_eq!((word(&notes[0].2, PID) as u32, word(&notes[0].2, RIP)), (4, 0x8010_0000));
        assert_eq!(notes[1].1, 0x200_0001, "a PV guest has no state of a whole processor");
    }
}
