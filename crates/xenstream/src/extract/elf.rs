//! An ELF core file: a segment for each run of pages, and the vcpus' registers as notes.
//!
//! Program headers follow the file header at once, notes first, which is where `crash` looks for them. Beside
//! NT_PRSTATUS, an HVM vcpu has the note that QEMU's `dump-guest-memory` writes (`QEMUCPUState` in
//! `target/i386/arch_dump.c`): tools find the page table and the kernel's place in it. The notes of `xl dump-core` are in
//! `docs/misc/dump-core-format.txt` of Xen; of these, the ones that speak of its sections have no meaning here.

use std::fs::File;
use std::ops::Range;

use object::Endianness;
use object::elf;
use object::write::elf::{FileHeader, ProgramHeader, Writer};
use xenstream_core::Guest;
use xenstream_core::wire::PAGE_SIZE;

use crate::Error;
use crate::extract::contents::{set_length, write_all};
use crate::extract::pages::Pages;
use crate::extract::registers::{Registers, Segment};
use crate::extract::state::State;

/// What the notes say of the guest.
pub(super) struct Description {
    /// The kind of guest, if the stream has told.
    pub(super) guest: Option<Guest>,
    /// Major and minor version of the Xen that wrote the stream.
    pub(super) xen: Option<(u32, u32)>,
    /// Registers, by vcpu.
    pub(super) vcpus: Vec<(u32, Registers)>,
}

/// Writes the pages with these pfns, and the notes. Returns the file's length.
pub(super) fn write(
    out: &File,
    state: &State,
    pfns: &Range<u64>,
    contents: &mut Pages<'_>,
    description: &Description,
) -> Result<u64, Error> {
    let runs: Vec<Range<u64>> =
        state.pages.runs(pfns.clone()).into_iter().map(|run| *run.start()..run.end() + 1).collect();
    let notes = notes(description, state.pages.pages(pfns.clone()));
    let headers = headers(&runs, &notes)?;
    write_all(out, &headers, 0)?;
    let mut to = headers.len() as u64;
    for extent in state.pages.within(pfns.clone()) {
        contents.write(extent, out, to)?;
        to = to.saturating_add(extent.bytes());
    }
    set_length(out, to)?;
    Ok(to)
}

/// Everything in front of the pages, whose contents begin on a page of the file.
fn headers(runs: &[Range<u64>], notes: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |error: object::write::Error| Error::of_output(0, std::io::Error::other(error));
    let mut bytes = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut bytes);
    let segments =
        u32::try_from(runs.len() + 1).map_err(|error| Error::of_output(0, std::io::Error::other(error)))?;
    // This number has no room in the file header, and stands in a section header.
    let overflows = segments >= u32::from(elf::PN_XNUM);
    writer.reserve_file_header();
    writer.reserve_program_headers(segments);
    if overflows {
        writer.reserve_shstrtab_section_index();
        writer.reserve_shstrtab().map_err(failed)?;
        writer.reserve_section_headers();
    }
    let notes_at = writer.reserve(notes.len() as u64, 4);
    let pages_at = writer.reserve(0, PAGE_SIZE);
    writer
        .write_file_header(&FileHeader {
            os_abi: elf::ELFOSABI_SYSV,
            abi_version: 0,
            e_type: elf::ET_CORE,
            e_machine: elf::EM_X86_64,
            e_entry: 0,
            e_flags: elf::FileFlags(0),
        })
        .map_err(failed)?;
    writer.write_align_program_headers();
    writer.write_program_header(&ProgramHeader {
        p_type: elf::PT_NOTE,
        p_flags: elf::ProgramFlags(0),
        p_offset: notes_at,
        p_vaddr: 0,
        p_paddr: 0,
        p_filesz: notes.len() as u64,
        p_memsz: notes.len() as u64,
        p_align: 4,
    });
    let mut at = pages_at;
    for run in runs {
        let address = run.start.saturating_mul(PAGE_SIZE);
        let length = (run.end - run.start).saturating_mul(PAGE_SIZE);
        writer.write_program_header(&ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: elf::PF_R | elf::PF_W | elf::PF_X,
            p_offset: at,
            // Debuggers that know of no physical addresses go by this one.
            p_vaddr: address,
            p_paddr: address,
            p_filesz: length,
            p_memsz: length,
            p_align: PAGE_SIZE,
        });
        at = at.saturating_add(length);
    }
    if overflows {
        writer.write_shstrtab();
        writer.write_null_section_header();
        writer.write_shstrtab_section_header();
    }
    writer.pad_until(notes_at);
    writer.write(notes);
    writer.pad_until(pages_at);
    Ok(bytes)
}

/// `xen_dumpcore_elfnote_header_desc`.
const XEN_HEADER: u32 = 0x200_0001;
/// `xen_dumpcore_elfnote_xen_version_desc`.
const XEN_VERSION: u32 = 0x200_0002;
/// `xch_magic` of a PV guest.
const MAGIC_PV: u64 = 0xF00F_EBED;
/// `xch_magic` of an HVM guest.
const MAGIC_HVM: u64 = 0xF00F_EBEE;
/// `xen_dumpcore_elfnote_xen_version_desc`: bytes between the version and the page size. What the saving host's
/// hypervisor would have told besides is not in a stream.
const XEN_VERSION_UNKNOWN: usize = 16 + 144 + 1024 + 64 + 8;

fn notes(description: &Description, pages: u64) -> Vec<u8> {
    let mut notes = Vec::new();
    for (vcpu, registers) in &description.vcpus {
        note(&mut notes, b"CORE\0", elf::NT_PRSTATUS.0, &prstatus(*vcpu, registers));
    }
    for (_, registers) in &description.vcpus {
        if let Some(state) = qemu_state(registers) {
            note(&mut notes, b"QEMU\0", 0, &state);
        }
    }
    if let Some(guest) = description.guest {
        let magic = match guest {
            Guest::Pv => MAGIC_PV,
            Guest::Hvm => MAGIC_HVM,
        };
        let mut header = Words::default();
        header.u64s([magic, description.vcpus.len() as u64, pages, PAGE_SIZE]);
        note(&mut notes, b"Xen\0", XEN_HEADER, &header.0);
    }
    if let Some((major, minor)) = description.xen {
        let mut version = Words::default();
        version.u64s([major.into(), minor.into()]);
        version.zeros(XEN_VERSION_UNKNOWN);
        version.u64s([PAGE_SIZE]);
        note(&mut notes, b"Xen\0", XEN_VERSION, &version.0);
    }
    notes
}

/// Adds a note: three words, then name and descriptor, each padded to 4 bytes.
fn note(notes: &mut Vec<u8>, name: &[u8], kind: u32, descriptor: &[u8]) {
    for word in [name.len() as u32, descriptor.len() as u32, kind] {
        notes.extend_from_slice(&word.to_le_bytes());
    }
    for part in [name, descriptor] {
        notes.extend_from_slice(part);
        notes.resize(notes.len().next_multiple_of(4), 0);
    }
}

/// `elf_prstatus` of Linux on x86-64: the thread is the vcpu, counting from 1, for 0 would be no thread.
fn prstatus(vcpu: u32, registers: &Registers) -> Vec<u8> {
    /// Signal information, and the masks of signals.
    const BEFORE_PID: usize = 32;
    /// Parent, group, session, and four times.
    const AFTER_PID: usize = 12 + 4 * 16;
    /// Whether the FPU's registers are valid, and padding.
    const END: usize = 8;
    let mut status = Words::default();
    status.zeros(BEFORE_PID);
    status.u32s([vcpu.saturating_add(1)]);
    status.zeros(AFTER_PID);
    status.u64s(registers.general);
    status.zeros(END);
    status.0
}

/// `QEMUCPUState`, version 1.
fn qemu_state(registers: &Registers) -> Option<Vec<u8>> {
    const VERSION: u32 = 1;
    const SIZE: u32 = 440;
    let system = registers.system.as_ref()?;
    let [r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, _, rip, _, rflags, rsp, ..] =
        registers.general;
    let mut state = Words::default();
    state.u32s([VERSION, SIZE]);
    state.u64s([rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags]);
    for Segment { selector, limit, rights, base } in system.segments {
        // As in the upper half of a descriptor, where the limit's upper bits part the flags.
        let flags = (rights & 0xFF) << 8 | (rights & 0xF00) << 12;
        state.u32s([selector, limit, flags, 0]);
        state.u64s([base]);
    }
    state.u64s(system.control);
    state.u64s([system.kernel_gs_base]);
    Some(state.0)
}

/// A structure, little-endian.
#[derive(Default)]
struct Words(Vec<u8>);

impl Words {
    fn u32s(&mut self, words: impl IntoIterator<Item = u32>) {
        self.0.extend(words.into_iter().flat_map(u32::to_le_bytes));
    }

    fn u64s(&mut self, words: impl IntoIterator<Item = u64>) {
        self.0.extend(words.into_iter().flat_map(u64::to_le_bytes));
    }

    fn zeros(&mut self, bytes: usize) {
        self.0.resize(self.0.len() + bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::registers::System;

    #[test]
    fn notes_have_the_sizes_that_tools_know() {
        let registers = Registers { system: Some(System::default()), ..Registers::default() };
        assert_eq!(prstatus(0, &registers).len(), 336);
        assert_eq!(qemu_state(&registers).unwrap().len(), 440);
        assert_eq!(qemu_state(&Registers::default()), None);
    }

    #[test]
    fn many_segments_are_counted_in_a_section() {
        use object::read::elf::{ElfFile64, FileHeader as _};
        let runs: Vec<_> = (0..70_000).map(|n| 2 * n..2 * n + 1).collect();
        let bytes = headers(&runs, b"").unwrap();
        assert_eq!(bytes.len() % 4096, 0);
        let file = ElfFile64::<Endianness>::parse(&bytes[..]).unwrap();
        let header = file.elf_header();
        let all = header.program_headers(Endianness::Little, &bytes[..]).unwrap();
        assert_eq!(all.len(), 70_001);
        assert_eq!(all[70_000].p_paddr.get(Endianness::Little), 139_998 * 4096);
    }
}
