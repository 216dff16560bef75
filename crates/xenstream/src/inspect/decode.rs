//! From the bytes of a body to what they say. Bodies may lie, and may be cut off anywhere.

use std::ops::RangeInclusive;

use xenstream_core::wire::libxc::{p2m, params, policy, types, vcpu};
use xenstream_core::wire::libxl::{EMULATOR_HEADER, types as libxl};
use xenstream_core::wire::xenopsd::types as xenopsd;
use xenstream_core::wire::{Order, hvm, qemu};
use xenstream_core::{Layer, Record};

use crate::config;
use crate::inspect::content::{Content, Emulator, LISTED, Leaf, Named, Pair, Signature, Xsave};
use crate::inspect::{Text, names};

/// Bytes of a body that are kept to be decoded.
const KEPT: usize = 16 << 10;
/// Bytes of a configuration that are.
const CONFIGURATION_KEPT: usize = 1 << 20;

/// CPUID leaves that hold the processor's name.
const BRAND: RangeInclusive<u32> = 0x8000_0002..=0x8000_0004;

/// Offsets in CPU of HVM_CONTEXT (`struct hvm_hw_cpu`).
mod cpu_at {
    pub(super) const RIP: u64 = 640;
    pub(super) const CR0: u64 = 656;
    pub(super) const CR3: u64 = 672;
    pub(super) const CR4: u64 = 680;
}

/// Offset of the instruction pointer in BASIC's blob (`vcpu_guest_context_t`), by the guest's width.
const PV_RIP_64: u64 = 648;
const PV_RIP_32: u64 = 548;

/// The start of a body, as far as it has passed.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    start: Vec<u8>,
    nuls: u64,
}

impl Body {
    /// These bytes of the record's body pass next.
    pub(super) fn note(&mut self, record: &Record, bytes: &[u8]) {
        let most = if is_configuration(record) { CONFIGURATION_KEPT } else { KEPT };
        let room = most.saturating_sub(self.start.len()).min(bytes.len());
        self.start.extend_from_slice(&bytes[..room]);
        if record.layer == Layer::Libxl && record.kind == u64::from(libxl::EMULATOR_XENSTORE_DATA) {
            self.nuls += bytes.iter().filter(|byte| **byte == 0).count() as u64;
        }
    }
}

/// Is this the pseudo-record for the configuration that a header carries?
pub(super) fn is_configuration(record: &Record) -> bool {
    matches!(record.layer, Layer::Xl | Layer::Libvirt)
}

/// Is something in this record's body decoded?
pub(super) fn has_content(record: &Record) -> bool {
    let kind = u32::try_from(record.kind).unwrap_or(u32::MAX);
    match record.layer {
        Layer::Xl | Layer::Libvirt => true,
        Layer::Xenopsd => record.kind == xenopsd::XENOPS,
        Layer::Libxl => {
            matches!(kind, libxl::EMULATOR_XENSTORE_DATA | libxl::EMULATOR_CONTEXT | libxl::CHECKPOINT_STATE)
        }
        Layer::Libxc => matches!(
            kind,
            types::X86_PV_INFO
                | types::X86_PV_P2M_FRAMES
                | types::X86_PV_VCPU_BASIC
                | types::X86_PV_VCPU_EXTENDED
                | types::X86_PV_VCPU_XSAVE
                | types::X86_PV_VCPU_MSRS
                | types::X86_TSC_INFO
                | types::HVM_CONTEXT
                | types::HVM_PARAMS
                | types::X86_CPUID_POLICY
                | types::X86_MSR_POLICY
        ),
        _ => false,
    }
}

/// What a record says, of which this is the body.
pub(super) fn content(record: &Record, body: &Body, order: Order, guest_width: u8) -> Content {
    let fields = Fields { bytes: &body.start, order };
    let kind = u32::try_from(record.kind).unwrap_or(u32::MAX);
    let content = match record.layer {
        Layer::Xl | Layer::Libvirt => configuration(record, &body.start),
        Layer::Libxl => libxl_content(record, kind, fields, body.nuls),
        Layer::Libxc => libxc_content(record, kind, fields, guest_width),
        Layer::Xenopsd if record.kind == xenopsd::XENOPS => {
            Some(Content::Xenops { metadata: Text::cut(&body.start, record.body_length) })
        }
        Layer::Hvm => hvm_content(record, Fields { order: Order::Little, ..fields }),
        _ => None,
    };
    content.unwrap_or_default()
}

fn configuration(record: &Record, text: &[u8]) -> Option<Content> {
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    let domain = match record.layer {
        Layer::Xl => config::json_domain(text)?,
        _ => config::xml_domain(text)?,
    };
    let text = |string: String| Text::new(string.as_bytes());
    Some(Content::Configuration {
        name: domain.name.map(text),
        uuid: domain.uuid.map(text),
        kind: domain.kind.map(text),
        memory_kib: domain.memory_kib,
        vcpus: domain.vcpus,
    })
}

fn libxl_content(record: &Record, kind: u32, fields: Fields<'_>, nuls: u64) -> Option<Content> {
    if kind == libxl::CHECKPOINT_STATE {
        let control_id = fields.u32(0)?;
        return Some(Content::CheckpointState { control_id, name: names::control(control_id) });
    }
    let emulator_id = fields.u32(0)?;
    let emulator = Emulator { emulator_id, name: names::emulator(emulator_id), index: fields.u32(4)? };
    let blob_length = record.body_length.saturating_sub(EMULATOR_HEADER);
    let blob = fields.bytes.get(EMULATOR_HEADER as usize..).unwrap_or_default();
    match kind {
        libxl::EMULATOR_CONTEXT => {
            let blob = Fields { bytes: blob, order: Order::Big };
            let is_qemu = blob.u32(0) == Some(qemu::MAGIC);
            let qemu_version = if is_qemu { blob.u32(4) } else { None };
            Some(Content::EmulatorContext { emulator, blob_length, qemu_version })
        }
        libxl::EMULATOR_XENSTORE_DATA => {
            let header = fields.bytes.iter().take(EMULATOR_HEADER as usize);
            let nuls = nuls.saturating_sub(header.filter(|byte| **byte == 0).count() as u64);
            Some(Content::EmulatorXenstore { emulator, count: nuls / 2, pairs: pairs(blob) })
        }
        _ => None,
    }
}

/// Keys and values, those that are complete.
fn pairs(mut bytes: &[u8]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let string = |bytes: &mut &[u8]| {
        let at = bytes.iter().position(|byte| *byte == 0)?;
        let (string, rest) = bytes.split_at(at);
        *bytes = &rest[1..];
        Some(Text::new(string))
    };
    while pairs.len() < LISTED
        && let Some(key) = string(&mut bytes)
        && let Some(value) = string(&mut bytes)
    {
        pairs.push(Pair { key, value });
    }
    pairs
}

fn libxc_content(record: &Record, kind: u32, fields: Fields<'_>, guest_width: u8) -> Option<Content> {
    let length = record.body_length;
    Some(match kind {
        types::X86_PV_INFO => Content::PvInfo { guest_width: fields.u8(0)?, pt_levels: fields.u8(1)? },
        types::X86_PV_P2M_FRAMES => Content::P2mFrames {
            start_pfn: fields.u32(0)?,
            end_pfn: fields.u32(4)?,
            frames: length.saturating_sub(p2m::HEADER) / 8,
        },
        types::X86_PV_VCPU_BASIC | types::X86_PV_VCPU_EXTENDED | types::X86_PV_VCPU_XSAVE => {
            let basic = (kind == types::X86_PV_VCPU_BASIC).then(|| fields.blob(vcpu::HEADER));
            let (rip, cr3_pfn) = basic.map_or((None, None), |blob| pv_registers(blob, guest_width));
            let has_xsave = kind == types::X86_PV_VCPU_XSAVE;
            Content::PvVcpu {
                vcpu_id: fields.u32(0)?,
                blob_length: length.saturating_sub(vcpu::HEADER),
                rip,
                cr3_pfn,
                xsave: if has_xsave { xsave(fields.blob(vcpu::HEADER)) } else { None },
            }
        }
        types::X86_PV_VCPU_MSRS => Content::Msrs {
            vcpu_id: Some(fields.u32(0)?),
            count: length.saturating_sub(vcpu::HEADER) / vcpu::MSR,
            msrs: msrs(fields.blob(vcpu::HEADER)),
        },
        types::X86_MSR_POLICY => {
            Content::Msrs { vcpu_id: None, count: length / policy::MSR, msrs: msrs(fields) }
        }
        types::X86_TSC_INFO => Content::TscInfo {
            mode: fields.u32(0)?,
            khz: fields.u32(4)?,
            nsec: fields.u64(8)?,
            incarnation: fields.u32(16)?,
        },
        types::HVM_PARAMS => {
            let room = length.saturating_sub(params::HEADER) / params::ENTRY;
            let count = u64::from(fields.u32(0)?).min(room);
            let entries = fields.from(params::HEADER).list(params::ENTRY, |entry| {
                let index = entry.u64(0)?;
                Some(Named { index, name: names::hvm_param(index), value: entry.u64(8)? })
            });
            Content::HvmParams { count, params: entries }
        }
        types::X86_CPUID_POLICY => cpuid_policy(length, fields),
        _ => return None,
    })
}

/// Where a PV vcpu goes on, and the pfn of its page table.
fn pv_registers(blob: Fields<'_>, guest_width: u8) -> (Option<u64>, Option<u64>) {
    if guest_width == 4 {
        let layout = vcpu::LAYOUT_32;
        // The restorer's and the hypervisor's macro turns the word by 12 bits.
        let cr3 = blob.u32(layout.cr3).map(|cr3| u64::from(cr3.rotate_right(12)));
        (blob.u32(PV_RIP_32).map(u64::from), cr3)
    } else {
        let layout = vcpu::LAYOUT_64;
        (blob.u64(PV_RIP_64), blob.u64(layout.cr3).map(|cr3| cr3 >> 12))
    }
}

/// The first words of an XSAVE blob.
fn xsave(blob: Fields<'_>) -> Option<Xsave> {
    Some(Xsave { xcr0: blob.u64(0)?, xcr0_accum: blob.u64(8)? })
}

/// Entries of `u32 index, u32, u64 value`.
fn msrs(fields: Fields<'_>) -> Vec<Named> {
    fields.list(policy::MSR, |entry| {
        let index = entry.u32(0)?;
        Some(Named { index: index.into(), name: names::msr(index), value: entry.u64(8)? })
    })
}

fn cpuid_policy(length: u64, fields: Fields<'_>) -> Content {
    let leaves = fields.list(policy::CPUID_LEAF, |entry| {
        let leaf = entry.u32(0)?;
        let subleaf = entry.u32(4)?;
        Some(Leaf {
            leaf,
            subleaf: (subleaf != u32::MAX).then_some(subleaf),
            name: names::cpuid_leaf(leaf),
            eax: entry.u32(8)?,
            ebx: entry.u32(12)?,
            ecx: entry.u32(16)?,
            edx: entry.u32(20)?,
        })
    });
    let find = |leaf: u32| leaves.iter().find(|other| other.leaf == leaf);
    // The vendor's letters lie in ebx, edx, ecx.
    let vendor = find(0).map(|leaf| words_text(&[leaf.ebx, leaf.edx, leaf.ecx]));
    let name: Vec<_> = BRAND.filter_map(|leaf| find(leaf).map(Leaf::registers)).collect();
    Content::CpuidPolicy {
        count: length / policy::CPUID_LEAF,
        vendor,
        brand: (name.len() == BRAND.count()).then(|| words_text(name.as_flattened())),
        signature: find(1).map(|leaf| Signature::new(leaf.eax)),
        leaves,
    }
}

/// Text in registers, up to the NULs and blanks behind it.
fn words_text(words: &[u32]) -> Text {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    Text::new(bytes[..end].trim_ascii())
}

fn hvm_content(record: &Record, fields: Fields<'_>) -> Option<Content> {
    let vcpu_id = u32::from(record.instance);
    let typecode = u16::try_from(record.kind).ok()?;
    let decoded = match (typecode, hvm::entry(typecode)?.name) {
        (hvm::types::HEADER, _) => fields.u32(20).and_then(|gtsc_khz| {
            Some(Content::HvmHeader {
                version: fields.u32(4)?,
                changeset: fields.u64(8)?,
                cpuid: fields.u32(16)?,
                gtsc_khz,
            })
        }),
        // Behind a word about the processor.
        (hvm::types::CPU_XSAVE, _) => xsave(fields.from(8)).map(|xsave| Content::HvmXsave { vcpu_id, xsave }),
        (hvm::types::CPU_MSR, _) => Some(Content::Msrs {
            vcpu_id: Some(vcpu_id),
            count: record.body_length.saturating_sub(hvm::MSR_HEADER) / hvm::MSR,
            msrs: msrs(fields.from(hvm::MSR_HEADER)),
        }),
        (_, "CPU") => fields.u64(cpu_at::CR4).and_then(|cr4| {
            Some(Content::HvmCpu {
                vcpu_id,
                rip: fields.u64(cpu_at::RIP)?,
                cr0: fields.u64(cpu_at::CR0)?,
                cr3: fields.u64(cpu_at::CR3)?,
                cr4,
            })
        }),
        _ => None,
    };
    match decoded {
        None if names::is_of_vcpu(record.kind) => Some(Content::HvmVcpu { vcpu_id }),
        None if record.instance > 0 || names::has_instances(record.kind) => {
            Some(Content::HvmInstance { instance: record.instance })
        }
        decoded => decoded,
    }
}

/// Fields at their offsets, those that are there.
#[derive(Clone, Copy)]
struct Fields<'a> {
    bytes: &'a [u8],
    order: Order,
}

impl<'a> Fields<'a> {
    fn at<const N: usize>(self, offset: u64) -> Option<[u8; N]> {
        self.bytes.get(usize::try_from(offset).ok()?..)?.first_chunk().copied()
    }

    fn u8(self, offset: u64) -> Option<u8> {
        self.at(offset).map(|[byte]| byte)
    }

    fn u32(self, offset: u64) -> Option<u32> {
        self.at(offset).map(|bytes| self.order.u32(bytes))
    }

    fn u64(self, offset: u64) -> Option<u64> {
        self.at(offset).map(|bytes| self.order.u64(bytes))
    }

    /// What lies behind so many bytes.
    fn from(self, offset: u64) -> Fields<'a> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Fields { bytes: self.bytes.get(offset..).unwrap_or_default(), ..self }
    }

    /// The same, where it is a blob in the guest's own order.
    fn blob(self, offset: u64) -> Fields<'a> {
        Fields { order: Order::Little, ..self.from(offset) }
    }

    /// Entries of one size, the first of them.
    fn list<T>(self, size: u64, read: impl Fn(Fields<'a>) -> Option<T>) -> Vec<T> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let entries = self.bytes.chunks_exact(size).take(LISTED);
        entries.filter_map(|bytes| read(Fields { bytes, ..self })).collect()
    }
}
