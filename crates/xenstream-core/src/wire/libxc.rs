//! The libxc stream, revision 3 (`docs/specs/libxc-migration-stream.pandoc`).

use crate::rule::Rule;
use crate::summary::Guest;
use crate::wire::layout::{Flag, Layout};
use crate::wire::types::{Data, RecordType, Topic};
use crate::wire::{pv, records};

/// Size of the image header, always big-endian.
pub const IMAGE_HEADER: u64 = 24;
/// Size of the domain header.
pub const DOMAIN_HEADER: u64 = 16;

/// `marker`: what tells the stream from a legacy image.
pub const MARKER: u64 = u64::MAX;

/// Whether the first 8 bytes can be those of a legacy image (Xen 4.5 and older) in place of the marker. It begins with
/// the number of the guest's pfns, as wide as a word of the toolstack that saved it and in the byte order of x86.
#[must_use]
pub const fn is_legacy(first: [u8; 8]) -> bool {
    /// Pfns of 256 TiB.
    const WIDE: u64 = 1 << 36;
    /// Pfns of 1 TiB: more than a 32-bit toolstack had, and less than letters make.
    const NARROW: u64 = 1 << 28;
    let wide = u64::from_le_bytes(first);
    let narrow = wide & 0xFFFF_FFFF;
    (wide != 0 && wide < WIDE) || (narrow != 0 && narrow < NARROW)
}

/// `id`: the letters `XENF`.
pub const ID: u32 = 0x5845_4E46;
/// Oldest `version` in this framing.
pub const VERSION_MIN: u32 = 2;
/// Newest `version`.
pub const VERSION_MAX: u32 = 3;
/// Image option: record fields are big-endian.
pub const OPTION_BIG_ENDIAN: u16 = 1 << 0;
/// Names of the image options.
pub const OPTIONS: &[Flag] = &[Flag { bit: 0, name: "BIG_ENDIAN" }];

/// Offsets of the image header's fields.
pub mod image_at {
    use crate::wire::headers::LIBXC_IMAGE;

    /// `u32 id`.
    pub const ID: u64 = LIBXC_IMAGE.offset_of("id");
    /// `u32 version`.
    pub const VERSION: u64 = LIBXC_IMAGE.offset_of("version");
    /// `u16 options`.
    pub const OPTIONS: u64 = LIBXC_IMAGE.offset_of("options");
    /// `u16` and `u32`, both reserved.
    pub const RESERVED: u64 = LIBXC_IMAGE.offset_of("reserved");
}

/// Offsets of the domain header's fields.
pub mod domain_at {
    use crate::wire::headers::LIBXC_DOMAIN;

    /// `u16 page_shift`.
    pub const PAGE_SHIFT: u64 = LIBXC_DOMAIN.offset_of("page_shift");
    /// `u16 reserved`.
    pub const RESERVED: u64 = LIBXC_DOMAIN.offset_of("reserved");
    /// `u32 xen_major`.
    pub const XEN_MAJOR: u64 = LIBXC_DOMAIN.offset_of("xen_major");
    /// `u32 xen_minor`.
    pub const XEN_MINOR: u64 = LIBXC_DOMAIN.offset_of("xen_minor");
}

/// `type` of the domain header: x86 PV.
pub const DOMAIN_X86_PV: u32 = 1;
/// `type` of the domain header: x86 HVM, PVH too.
pub const DOMAIN_X86_HVM: u32 = 2;
/// The only `page_shift` of x86.
pub const PAGE_SHIFT: u16 = 12;

/// Record types, by number.
pub mod types {
    /// Last record.
    pub const END: u32 = 0x00;
    /// Pages of memory.
    pub const PAGE_DATA: u32 = 0x01;
    /// Width and page-table depth of a PV guest.
    pub const X86_PV_INFO: u32 = 0x02;
    /// Frames of a PV guest's p2m.
    pub const X86_PV_P2M_FRAMES: u32 = 0x03;
    /// A PV vcpu's registers.
    pub const X86_PV_VCPU_BASIC: u32 = 0x04;
    /// A PV vcpu's extended state.
    pub const X86_PV_VCPU_EXTENDED: u32 = 0x05;
    /// A PV vcpu's XSAVE area.
    pub const X86_PV_VCPU_XSAVE: u32 = 0x06;
    /// A PV guest's shared info page.
    pub const SHARED_INFO: u32 = 0x07;
    /// Time-stamp counter.
    pub const X86_TSC_INFO: u32 = 0x08;
    /// An HVM guest's state in the hypervisor.
    pub const HVM_CONTEXT: u32 = 0x09;
    /// HVM parameters.
    pub const HVM_PARAMS: u32 = 0x0A;
    /// Deprecated toolstack blob.
    pub const TOOLSTACK: u32 = 0x0B;
    /// A PV vcpu's MSRs.
    pub const X86_PV_VCPU_MSRS: u32 = 0x0C;
    /// What follows repeats memory for comparison.
    pub const VERIFY: u32 = 0x0D;
    /// End of a checkpoint.
    pub const CHECKPOINT: u32 = 0x0E;
    /// Back channel only.
    pub const CHECKPOINT_DIRTY_PFN_LIST: u32 = 0x0F;
    /// End of the static data.
    pub const STATIC_DATA_END: u32 = 0x10;
    /// CPUID policy.
    pub const X86_CPUID_POLICY: u32 = 0x11;
    /// MSR policy.
    pub const X86_MSR_POLICY: u32 = 0x12;
    /// How many types are known.
    pub const KNOWN: u32 = 0x13;
    /// Bit that marks a type as optional.
    pub const OPTIONAL: u32 = 0x8000_0000;
}

/// What is known of a record type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Record {
    /// Its name and its body.
    pub record_type: RecordType,
    /// The only kind of guest that has it.
    pub guest: Option<Guest>,
    /// Where it belongs.
    pub place: Place,
    /// What its body_length may be.
    pub length: Length,
}

/// Where a record belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before STATIC_DATA_END.
    Static,
    /// After STATIC_DATA_END: memory.
    Memory,
    /// After STATIC_DATA_END: registers.
    Registers,
    /// After STATIC_DATA_END and the first PAGE_DATA: registers of a PV vcpu.
    Vcpu,
    /// By rules of its own.
    Own,
}

/// What a record's body_length may be, and the rule that another one breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// This one.
    Exactly(u64, Rule),
    /// This one; of a longer body a restorer reads as much.
    Start(u64, Rule),
    /// At least this one.
    AtLeast(u64, Rule),
    /// A multiple of this one, and not 0.
    Multiple(u64, Rule),
    /// The header of a vcpu, and a blob of such a length.
    Vcpu(Blob, Rule),
    /// No length is right: the rule refuses the record.
    Refused(Rule),
}

/// How long the blob of a VCPU record may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blob {
    /// This long, by the width of the guest.
    OfWidth {
        /// For a 64-bit guest.
        wide: u64,
        /// For a 32-bit guest.
        narrow: u64,
    },
    /// At most this long.
    AtMost(u64),
    /// At least this long.
    AtLeast(u64),
    /// A multiple of this.
    Multiple(u64),
}

impl Record {
    const fn new(
        number: u32,
        name: &'static str,
        topic: Topic,
        meaning: &'static str,
        place: Place,
        length: Length,
    ) -> Record {
        let record_type = RecordType::new(number as u64, name, topic, meaning);
        Record { record_type, guest: None, place, length }
    }

    const fn of(self, guest: Guest) -> Record {
        Record { guest: Some(guest), ..self }
    }

    const fn body(self, body: &'static [&'static Layout]) -> Record {
        Record { record_type: self.record_type.with_body(body), ..self }
    }

    const fn data(self, data: Data) -> Record {
        Record { record_type: self.record_type.of(data), ..self }
    }
}

/// Every record type, by its number.
pub static RECORDS: &[Record] = &{
    use Guest::{Hvm, Pv};
    use Length::{AtLeast, Exactly, Multiple, Refused, Start};
    use Place::{Memory, Own, Registers, Static, Vcpu};
    use types as t;
    [
        Record::new(t::END, "END", Topic::Control, "the end", Own, Exactly(0, Rule::LibxcEndLength)),
        Record::new(
            t::PAGE_DATA,
            "PAGE_DATA",
            Topic::Memory,
            "pages of guest memory",
            Memory,
            AtLeast(page::HEADER, Rule::LibxcPageDataLength),
        )
        .data(Data::Pages),
        Record::new(
            t::X86_PV_INFO,
            "X86_PV_INFO",
            Topic::Static,
            "word size and page-table depth",
            Static,
            Start(pv_info::LENGTH, Rule::LibxcPvInfoLength),
        )
        .of(Pv)
        .body(&[&records::PV_INFO]),
        Record::new(
            t::X86_PV_P2M_FRAMES,
            "X86_PV_P2M_FRAMES",
            Topic::Static,
            "where its map of memory lies",
            Memory,
            AtLeast(p2m::HEADER, Rule::LibxcP2mFramesLength),
        )
        .of(Pv)
        .body(&[&records::P2M_FRAMES])
        .data(Data::Frames),
        Record::new(
            t::X86_PV_VCPU_BASIC,
            "X86_PV_VCPU_BASIC",
            Topic::Registers,
            "registers of a vcpu",
            Vcpu,
            Length::Vcpu(
                Blob::OfWidth { wide: vcpu::BASIC_64, narrow: vcpu::BASIC_32 },
                Rule::LibxcVcpuBasicLength,
            ),
        )
        .of(Pv)
        .body(&[&records::VCPU_HEADER, &pv::BASIC_64]),
        Record::new(
            t::X86_PV_VCPU_EXTENDED,
            "X86_PV_VCPU_EXTENDED",
            Topic::Registers,
            "extended state of a vcpu",
            Vcpu,
            Length::Vcpu(Blob::AtMost(vcpu::EXTENDED_MAX), Rule::LibxcVcpuExtendedLength),
        )
        .of(Pv)
        .body(&[&records::VCPU_HEADER, &pv::EXTENDED]),
        Record::new(
            t::X86_PV_VCPU_XSAVE,
            "X86_PV_VCPU_XSAVE",
            Topic::Registers,
            "FPU and vectors of a vcpu",
            Vcpu,
            Length::Vcpu(Blob::AtLeast(vcpu::XSAVE_MIN), Rule::LibxcVcpuXsaveLength),
        )
        .of(Pv)
        .body(&[&records::VCPU_HEADER, &pv::XSAVE]),
        Record::new(
            t::SHARED_INFO,
            "SHARED_INFO",
            Topic::Registers,
            "page shared with the hypervisor",
            Registers,
            Exactly(SHARED_INFO_LENGTH, Rule::LibxcSharedInfoLength),
        )
        .of(Pv),
        Record::new(
            t::X86_TSC_INFO,
            "X86_TSC_INFO",
            Topic::Registers,
            "time-stamp counter",
            Registers,
            Exactly(tsc::LENGTH, Rule::LibxcTscInfoLength),
        )
        .body(&[&records::TSC_INFO]),
        Record::new(
            t::HVM_CONTEXT,
            "HVM_CONTEXT",
            Topic::Registers,
            "vcpus and emulated platform",
            Registers,
            AtLeast(1, Rule::LibxcHvmContextEmpty),
        )
        .of(Hvm)
        .data(Data::Chain),
        Record::new(
            t::HVM_PARAMS,
            "HVM_PARAMS",
            Topic::Registers,
            "HVM parameters",
            Registers,
            AtLeast(params::HEADER, Rule::LibxcHvmParamsLength),
        )
        .of(Hvm)
        .body(&[&records::HVM_PARAMS]),
        Record::new(
            t::TOOLSTACK,
            "TOOLSTACK",
            Topic::Obsolete,
            "deprecated",
            Own,
            Refused(Rule::LibxcToolstack),
        ),
        Record::new(
            t::X86_PV_VCPU_MSRS,
            "X86_PV_VCPU_MSRS",
            Topic::Registers,
            "MSRs of a vcpu",
            Vcpu,
            Length::Vcpu(Blob::Multiple(vcpu::MSR), Rule::LibxcVcpuMsrsLength),
        )
        .of(Pv)
        .body(&[&records::VCPU_HEADER, &pv::MSRS]),
        Record::new(
            t::VERIFY,
            "VERIFY",
            Topic::Control,
            "memory is repeated for comparison",
            Own,
            Exactly(0, Rule::LibxcVerifyLength),
        ),
        Record::new(
            t::CHECKPOINT,
            "CHECKPOINT",
            Topic::Control,
            "end of a checkpoint",
            Own,
            Exactly(0, Rule::LibxcCheckpointLength),
        ),
        Record::new(
            t::CHECKPOINT_DIRTY_PFN_LIST,
            "CHECKPOINT_DIRTY_PFN_LIST",
            Topic::Obsolete,
            "has no place in an image",
            Own,
            Refused(Rule::LibxcDirtyPfnList),
        ),
        Record::new(
            t::STATIC_DATA_END,
            "STATIC_DATA_END",
            Topic::Control,
            "end of the static data",
            Own,
            Exactly(0, Rule::LibxcStaticDataEndLength),
        ),
        Record::new(
            t::X86_CPUID_POLICY,
            "X86_CPUID_POLICY",
            Topic::Static,
            "what CPUID shows the guest",
            Static,
            Multiple(policy::CPUID_LEAF, Rule::LibxcCpuidPolicyLength),
        )
        .body(&[&records::CPUID_POLICY]),
        Record::new(
            t::X86_MSR_POLICY,
            "X86_MSR_POLICY",
            Topic::Static,
            "what MSRs show the guest",
            Static,
            Multiple(policy::MSR, Rule::LibxcMsrPolicyLength),
        )
        .body(&[&records::MSR_POLICY]),
    ]
};

/// What is known of a record type; `None` for one that no version has.
#[inline]
#[must_use]
pub fn record(number: u32) -> Option<&'static Record> {
    RECORDS.get(number as usize)
}

/// PAGE_DATA: what one 64-bit entry says.
pub mod page {
    /// Size of the record's own header: `u32 count, u32 reserved`.
    pub const HEADER: u64 = 8;
    /// Size of an entry.
    pub const ENTRY: u64 = 8;
    /// A count that no record has, of entries or of anything else.
    pub const COUNT_END: u64 = 1 << 24;
    /// Bits of an entry that hold the pfn.
    pub const PFN: u64 = (1 << 52) - 1;
    /// First pfn that the restorer of releases before 4.15 cannot keep: it counts the bits of its bitmap in an `int`.
    pub const PFN_OLD: u64 = 1 << 30;
    /// First pfn that no guest has: that of 256 TiB.
    pub const PFN_END: u64 = 1 << 36;
    /// Bits of an entry that the specification reserves.
    pub const RESERVED: u64 = 0xFF << 52;
    /// How far the type lies up.
    pub const TYPE_SHIFT: u32 = 60;

    /// Normal page, with data.
    pub const NOTAB: u64 = 0x0;
    /// First page-table type, with data.
    pub const L1TAB: u64 = 0x1;
    /// Last page-table type.
    pub const L4TAB: u64 = 0x4;
    /// First reserved type.
    pub const RESERVED_FIRST: u64 = 0x5;
    /// Last reserved type.
    pub const RESERVED_LAST: u64 = 0x8;
    /// First pinned page-table type.
    pub const L1TAB_PINNED: u64 = 0x9;
    /// Last pinned page-table type.
    pub const L4TAB_PINNED: u64 = 0xC;
    /// A broken page, without data.
    pub const BROKEN: u64 = 0xD;
    /// Allocated, without data.
    pub const XALLOC: u64 = 0xE;
    /// Not there, without data.
    pub const XTAB: u64 = 0xF;

    /// Most entries that a saver puts into one record; readers do not check it.
    pub const BATCH: u64 = 1024;
    /// Pages with data of one record among which the verifier can tell page tables apart, in constant memory: four
    /// times what a saver ever writes (`pv::table-batch`).
    pub const TABLES_TRACKED: u64 = 4 * BATCH;

    /// The type of an entry.
    #[inline]
    #[must_use]
    pub const fn kind(entry: u64) -> u64 {
        entry >> TYPE_SHIFT
    }

    /// Returns whether the record contains the data of a page of this type.
    #[inline]
    #[must_use]
    pub const fn has_data(kind: u64) -> bool {
        matches!(kind, NOTAB..=L4TAB | L1TAB_PINNED..=L4TAB_PINNED)
    }

    /// Returns whether this is the type of a page table.
    #[inline]
    #[must_use]
    pub const fn is_table(kind: u64) -> bool {
        matches!(kind, L1TAB..=L4TAB | L1TAB_PINNED..=L4TAB_PINNED)
    }

    /// Returns whether this is a reserved type.
    #[inline]
    #[must_use]
    pub const fn is_reserved(kind: u64) -> bool {
        matches!(kind, RESERVED_FIRST..=RESERVED_LAST)
    }

    /// Name of a type, as the specification spells it.
    #[must_use]
    pub const fn name(kind: u64) -> &'static str {
        match kind {
            0x0 => "NOTAB",
            0x1 => "L1TAB",
            0x2 => "L2TAB",
            0x3 => "L3TAB",
            0x4 => "L4TAB",
            0x9 => "L1TAB pinned",
            0xA => "L2TAB pinned",
            0xB => "L3TAB pinned",
            0xC => "L4TAB pinned",
            BROKEN => "BROKEN",
            XALLOC => "XALLOC",
            XTAB => "XTAB",
            _ => "reserved",
        }
    }
}

/// A page-table entry of an x86 PV guest.
pub mod pte {
    /// The entry maps something.
    pub const PRESENT: u64 = 1;
    /// Bits that hold the frame, in place.
    pub const FRAME: u64 = 0x000F_FFFF_FFFF_F000;
    /// How far the frame lies up.
    pub const FRAME_SHIFT: u32 = 12;
}

/// X86_PV_INFO.
pub mod pv_info {
    /// Body length.
    pub const LENGTH: u64 = 8;
    /// Offset of the six reserved bytes.
    pub const RESERVED_AT: u64 = crate::wire::records::PV_INFO.offset_of("reserved");
    /// `(guest_width, pt_levels)` of a 32-bit guest.
    pub const PV32: (u8, u8) = (4, 3);
    /// `(guest_width, pt_levels)` of a 64-bit guest.
    pub const PV64: (u8, u8) = (8, 4);
}

/// X86_PV_P2M_FRAMES.
pub mod p2m {
    /// Size of the record's own header: `u32 start_pfn, u32 end_pfn`.
    pub const HEADER: u64 = 8;
    /// Offset of `end_pfn`.
    pub const END_PFN_AT: u64 = crate::wire::records::P2M_FRAMES.offset_of("end_pfn");

    /// How far a pfn is shifted down to give its frame of the p2m, for a guest of this width in bytes: a frame of
    /// 4096 bytes holds 1024 pfns of a 32-bit guest, 512 of a 64-bit guest.
    #[inline]
    #[must_use]
    pub const fn frame_shift(guest_width: u8) -> u32 {
        if guest_width == 4 { 10 } else { 9 }
    }
}

/// The X86_PV_VCPU records.
pub mod vcpu {
    use crate::wire::layout::Layout;
    use crate::wire::pv::{BASIC_32 as BASIC_32_LAYOUT, BASIC_64 as BASIC_64_LAYOUT};

    /// Size of the header: `u32 vcpu_id, u32 reserved`.
    pub const HEADER: u64 = 8;
    /// Offset of the reserved word.
    pub const RESERVED_AT: u64 = crate::wire::records::VCPU_HEADER.offset_of("reserved");
    /// Blob of BASIC for a 64-bit guest.
    pub const BASIC_64: u64 = 5168;
    /// Blob of BASIC for a 32-bit guest.
    pub const BASIC_32: u64 = 2800;
    /// Longest blob of EXTENDED.
    pub const EXTENDED_MAX: u64 = 128;
    /// Shortest blob of XSAVE.
    pub const XSAVE_MIN: u64 = 16;
    /// Size of one entry of MSRS: `u32 index, u32 reserved, u64 value`.
    pub const MSR: u64 = 16;

    /// Offsets in BASIC's blob (`vcpu_guest_context_t`), for one guest width.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct BasicLayout {
        /// Size of a register in bytes.
        pub word: u8,
        /// `edx`: the start-info page, in vcpu 0.
        pub edx: u64,
        /// `gdt_frames[16]`.
        pub gdt_frames: u64,
        /// `gdt_ents`.
        pub gdt_ents: u64,
        /// `ctrlreg[1]`: the user page table; 64-bit guests only.
        pub cr1: Option<u64>,
        /// `ctrlreg[3]`: the kernel page table.
        pub cr3: u64,
    }

    impl BasicLayout {
        const fn of(word: u8, layout: &Layout, edx: &str, cr1: Option<u64>) -> BasicLayout {
            BasicLayout {
                word,
                edx: layout.offset_of(edx),
                gdt_frames: layout.offset_of("gdt_frame"),
                gdt_ents: layout.offset_of("gdt_ents"),
                cr1,
                cr3: layout.offset_of("cr3"),
            }
        }
    }

    /// Layout for a 64-bit guest.
    pub const LAYOUT_64: BasicLayout =
        BasicLayout::of(8, &BASIC_64_LAYOUT, "rdx", Some(BASIC_64_LAYOUT.offset_of("cr1")));
    /// Layout for a 32-bit guest.
    pub const LAYOUT_32: BasicLayout = BasicLayout::of(4, &BASIC_32_LAYOUT, "edx", None);

    /// Number of frames that BASIC has room for.
    pub const GDT_FRAMES: u64 = 16;
    /// Descriptors in one frame.
    pub const GDT_ENTRIES_PER_FRAME: u64 = 512;
    /// Most descriptors that the restorer takes (`FIRST_RESERVED_GDT_ENTRY`).
    pub const GDT_ENTRIES_MAX: u64 = 7168;
    /// Most descriptors of an LDT.
    pub const LDT_ENTRIES_MAX: u64 = 8192;
    /// Features of `vm_assist` that a 64-bit guest may ask for (`VM_ASSIST_VALID_MASK` in Xen).
    pub const VM_ASSIST_64: u64 = 0x1_0000_003F;
    /// The same for a 32-bit guest (`COMPAT_VM_ASSIST_VALID_MASK`).
    pub const VM_ASSIST_32: u64 = 0x3F;
    /// The bit of BASIC's `flags` that says that the vcpu runs its kernel (`VGCF_in_kernel`).
    pub const IN_KERNEL: u64 = 1 << 2;
    /// Shortest `size` of EXTENDED: up to the machine-check state.
    pub const EXTENDED_SIZE_MIN: u64 = 32;
    /// Shortest `size` of EXTENDED from which Xen takes the machine-check capabilities.
    pub const EXTENDED_SIZE_CAPS: u64 = 40;
    /// Machine-check capabilities that some host has.
    pub const VMCE_CAPS: u64 = 0x0900_0DFF;
    /// Shortest blob of XSAVE that holds an area: two masks, the legacy area and the XSAVE header.
    pub const XSAVE_AREA_MIN: u64 = 16 + 512 + 64;
    /// Most entries of MSRS.
    pub const MSRS_MAX: u64 = 7;
}

/// SHARED_INFO: body length.
pub const SHARED_INFO_LENGTH: u64 = 4096;

/// X86_TSC_INFO.
pub mod tsc {
    /// Body length.
    pub const LENGTH: u64 = 24;
    /// Offset of the reserved word.
    pub const RESERVED_AT: u64 = crate::wire::records::TSC_INFO.offset_of("reserved");
    /// Largest `mode`.
    pub const MODE_MAX: u32 = 2;
}

/// HVM_PARAMS.
pub mod params {
    /// Size of the record's own header: `u32 count, u32 reserved`.
    pub const HEADER: u64 = 8;
    /// Size of an entry: `u64 index, u64 value`.
    pub const ENTRY: u64 = 16;
    pub use crate::wire::params::{COUNT, is_never_set, is_pfn};

    /// A value of this or more is no pfn: x86 has none so high.
    pub const PFN_LIMIT: u64 = 1 << 40;
}

/// X86_CPUID_POLICY and X86_MSR_POLICY.
pub mod policy {
    /// Size of a CPUID leaf: `u32 leaf, subleaf, a, b, c, d`.
    pub const CPUID_LEAF: u64 = 24;
    /// Size of an MSR: `u32 index, u32 flags, u64 value`.
    pub const MSR: u64 = 16;
    /// How many MSRs every release takes.
    pub const MSRS_OLD: u64 = 1;
    /// How many MSRs the newest releases take.
    pub const MSRS_MAX: u64 = 2;
}

/// Longest body that a restorer takes: 128 MiB (`REC_LENGTH_MAX` in `xg_sr_common.h`).
pub const RECORD_LENGTH_MAX: u64 = 128 << 20;
