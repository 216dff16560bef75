//! What is in records and headers, decoded. Every list and every string is bounded, whatever a stream holds.

use serde::{Serialize, Serializer};
use xenstream_core::Guest;
use xenstream_core::wire::Order;

use crate::inspect::{Batch, Text};

/// Most items of a list, leaves or parameters or others, that are decoded; the item's own count goes on.
pub const LISTED: usize = 256;

/// What is in a record, a header, or an entry of HVM_CONTEXT. `Display` is one line of bounded length in ASCII, of
/// which nothing steers a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Content {
    /// There is nothing in it, nothing that is decoded, or too little of it to be decoded.
    #[default]
    Nothing,
    /// The xl header.
    XlHeader {
        /// Order of its fields.
        #[serde(serialize_with = "order_name")]
        order: Order,
        /// Mandatory flags.
        mandatory_flags: u32,
        /// Optional flags.
        optional_flags: u32,
        /// Bytes of optional data that follow.
        optional_data_len: u32,
    },
    /// The libvirt header.
    LibvirtHeader {
        /// Order of its fields.
        #[serde(serialize_with = "order_name")]
        order: Order,
        /// Format version.
        version: u32,
        /// Bytes of XML that follow.
        xml_len: u32,
    },
    /// The libxl stream header.
    LibxlHeader {
        /// Order of the records' fields.
        #[serde(serialize_with = "order_name")]
        order: Order,
        /// Options.
        options: u32,
    },
    /// The libxc image header.
    ImageHeader {
        /// Order of the records' fields.
        #[serde(serialize_with = "order_name")]
        order: Order,
        /// Version.
        version: u32,
        /// Options.
        options: u16,
    },
    /// The libxc domain header.
    DomainHeader {
        /// The kind of guest.
        #[serde(serialize_with = "guest_name")]
        guest: Guest,
        /// Major version of the Xen that wrote it; 0 for the converter of legacy streams.
        xen_major: u32,
        /// Minor version.
        xen_minor: u32,
    },
    /// The domain's configuration, libxl's JSON or libvirt's XML.
    Configuration {
        /// The domain's name.
        name: Option<Text>,
        /// Its UUID.
        uuid: Option<Text>,
        /// Its kind: `pv`, `hvm` or `pvh` in libxl's words.
        kind: Option<Text>,
        /// Its memory in KiB.
        memory_kib: Option<u64>,
        /// Its virtual processors, at the most.
        vcpus: Option<u64>,
    },
    /// Xenops of a xenopsd image.
    Xenops {
        /// The machine's metadata, an s-expression.
        metadata: Text,
    },
    /// PAGE_DATA.
    PageData(Batch),
    /// X86_PV_INFO.
    PvInfo {
        /// Bytes of a guest's word: 4 or 8.
        guest_width: u8,
        /// Levels of its page tables: 3 or 4.
        pt_levels: u8,
    },
    /// X86_PV_P2M_FRAMES.
    P2mFrames {
        /// First pfn.
        start_pfn: u32,
        /// Last pfn.
        end_pfn: u32,
        /// Frames that are listed.
        frames: u64,
    },
    /// X86_PV_VCPU_BASIC, X86_PV_VCPU_EXTENDED or X86_PV_VCPU_XSAVE.
    PvVcpu {
        /// The vcpu.
        vcpu_id: u32,
        /// Bytes of its blob.
        blob_length: u64,
        /// Where it goes on, in BASIC.
        #[serde(skip_serializing_if = "Option::is_none")]
        rip: Option<u64>,
        /// pfn of its page table, in BASIC.
        #[serde(skip_serializing_if = "Option::is_none")]
        cr3_pfn: Option<u64>,
        /// Features that it uses and ever used, in XSAVE.
        #[serde(flatten)]
        xsave: Option<Xsave>,
    },
    /// X86_MSR_POLICY, X86_PV_VCPU_MSRS, or CPU_MSR of HVM_CONTEXT.
    Msrs {
        /// The vcpu, if they are one's.
        #[serde(skip_serializing_if = "Option::is_none")]
        vcpu_id: Option<u32>,
        /// How many there are.
        count: u64,
        /// The first of them.
        msrs: Vec<Named>,
    },
    /// X86_TSC_INFO.
    TscInfo {
        /// Mode.
        mode: u32,
        /// Frequency in kHz.
        khz: u32,
        /// Nanoseconds of the guest's life.
        nsec: u64,
        /// How often it was restored.
        incarnation: u32,
    },
    /// HVM_PARAMS.
    HvmParams {
        /// How many there are.
        count: u64,
        /// The first of them.
        params: Vec<Named>,
    },
    /// X86_CPUID_POLICY.
    CpuidPolicy {
        /// How many leaves there are.
        count: u64,
        /// The vendor's twelve letters, from leaf 0.
        #[serde(skip_serializing_if = "Option::is_none")]
        vendor: Option<Text>,
        /// The processor's name, from leaves 0x80000002 to 0x80000004.
        #[serde(skip_serializing_if = "Option::is_none")]
        brand: Option<Text>,
        /// Family, model and stepping, from leaf 1.
        #[serde(flatten)]
        signature: Option<Signature>,
        /// The first of the leaves.
        leaves: Vec<Leaf>,
    },
    /// CHECKPOINT, and CHECKPOINT_END.
    Checkpoint {
        /// Counts from 1.
        checkpoint: u64,
    },
    /// EMULATOR_XENSTORE_DATA.
    EmulatorXenstore {
        /// What emulates the guest's devices.
        #[serde(flatten)]
        emulator: Emulator,
        /// Pairs of key and value.
        count: u64,
        /// The first of them.
        pairs: Vec<Pair>,
    },
    /// EMULATOR_CONTEXT.
    EmulatorContext {
        /// What emulates the guest's devices.
        #[serde(flatten)]
        emulator: Emulator,
        /// Bytes of its state.
        blob_length: u64,
        /// Version of the state, if it is QEMU's.
        #[serde(skip_serializing_if = "Option::is_none")]
        qemu_version: Option<u32>,
    },
    /// CHECKPOINT_STATE.
    CheckpointState {
        /// Its number.
        control_id: u32,
        /// Its name.
        name: Option<&'static str>,
    },
    /// HEADER of HVM_CONTEXT.
    HvmHeader {
        /// Version.
        version: u32,
        /// Changeset of the Xen that wrote it.
        changeset: u64,
        /// CPUID leaf 1, eax, of the machine that wrote it.
        cpuid: u32,
        /// The guest's time-stamp counter in kHz.
        gtsc_khz: u32,
    },
    /// CPU of HVM_CONTEXT.
    HvmCpu {
        /// The vcpu.
        vcpu_id: u32,
        /// Where it goes on.
        rip: u64,
        /// Control register 0.
        cr0: u64,
        /// Control register 3.
        cr3: u64,
        /// Control register 4.
        cr4: u64,
    },
    /// CPU_XSAVE of HVM_CONTEXT.
    HvmXsave {
        /// The vcpu.
        vcpu_id: u32,
        /// Features that it uses and ever used.
        #[serde(flatten)]
        xsave: Xsave,
    },
    /// Another entry of HVM_CONTEXT that a vcpu has.
    HvmVcpu {
        /// The vcpu.
        vcpu_id: u32,
    },
    /// Another entry of HVM_CONTEXT that the domain has.
    HvmInstance {
        /// Which one of several.
        instance: u16,
    },
}

impl Content {
    /// Is there nothing to tell?
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Content::Nothing
    }
}

/// Processor features of which a vcpu's state is saved, as bits of XCR0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Xsave {
    /// Those that it uses.
    pub xcr0: u64,
    /// Those that it ever used.
    pub xcr0_accum: u64,
}

/// A number, and what is called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Index.
    pub index: u64,
    /// Name, where it is known.
    pub name: Option<&'static str>,
    /// Value.
    pub value: u64,
}

/// A CPUID leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Leaf {
    /// The leaf.
    pub leaf: u32,
    /// The subleaf; `None` for a leaf that has none.
    pub subleaf: Option<u32>,
    /// What it is about, where that is known.
    pub name: Option<&'static str>,
    /// The registers.
    pub eax: u32,
    #[expect(missing_docs, reason = "as above")]
    pub ebx: u32,
    #[expect(missing_docs, reason = "as above")]
    pub ecx: u32,
    #[expect(missing_docs, reason = "as above")]
    pub edx: u32,
}

impl Leaf {
    /// The registers, from a to d.
    #[must_use]
    pub fn registers(&self) -> [u32; 4] {
        [self.eax, self.ebx, self.ecx, self.edx]
    }
}

/// Which processor it is, as the makers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// Family, the extended family included.
    pub family: u32,
    /// Model, the extended model included.
    pub model: u32,
    /// Stepping.
    pub stepping: u32,
}

impl Signature {
    /// From eax of leaf 1.
    pub(super) fn new(eax: u32) -> Signature {
        let bits = |shift: u32, width: u32| (eax >> shift) & ((1 << width) - 1);
        let family = bits(8, 4);
        // The extended fields count where the plain family says so.
        let extended_model = if matches!(family, 6 | 15) { bits(16, 4) << 4 } else { 0 };
        let extended_family = if family == 15 { bits(20, 8) } else { 0 };
        Signature {
            family: family + extended_family,
            model: bits(4, 4) | extended_model,
            stepping: bits(0, 4),
        }
    }
}

/// What emulates a guest's devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Emulator {
    /// Its number.
    pub emulator_id: u32,
    /// Its name.
    #[serde(rename = "emulator")]
    pub name: Option<&'static str>,
    /// Which one of several.
    #[serde(rename = "emulator_index")]
    pub index: u32,
}

/// A key of xenstore and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The key, relative to the device model's own.
    pub key: Text,
    /// Its value.
    pub value: Text,
}

fn order_name<S: Serializer>(order: &Order, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match order {
        Order::Little => "little",
        Order::Big => "big",
    })
}

fn guest_name<S: Serializer>(guest: &Guest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(guest.name())
}
