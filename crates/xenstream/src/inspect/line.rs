//! Decoded content as a line for people.

use std::fmt::{self, Display, Formatter};

use xenstream_core::wire::{Order, xl};

use crate::inspect::content::{Content, Emulator, Leaf, Named, Pair, Signature, Xsave};
use crate::inspect::{Batch, Text, names};

/// Most items of a list that a line shows.
const SHOWN: usize = 16;
/// Most CPUID leaves that a line shows: they are short, and an image has fifty.
const LEAVES_SHOWN: usize = 40;

impl Display for Content {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Content::Nothing => Ok(()),
            Content::XlHeader { order, mandatory_flags, optional_flags, optional_data_len } => {
                xl_header(f, *order, *mandatory_flags, *optional_flags, *optional_data_len)
            }
            Content::LibvirtHeader { order, version, xml_len } => {
                write!(f, "{}, version {version}, {}", endian(*order), Count(*xml_len, "byte of XML"))
            }
            Content::LibxlHeader { order, options } => {
                write!(f, "{}, options {options:#x}", endian(*order))
            }
            Content::ImageHeader { order, version, options } => {
                write!(f, "version {version}, {}, options {options:#x}", endian(*order))
            }
            // The converter of legacy streams puts its own version into the minor one.
            Content::DomainHeader { guest, xen_major: 0, xen_minor } => {
                write!(f, "{guest}, converted by version {xen_minor}")
            }
            Content::DomainHeader { guest, xen_major, xen_minor } => {
                write!(f, "{guest}, Xen {xen_major}.{xen_minor}")
            }
            Content::Configuration { name, uuid, kind, memory_kib, vcpus } => {
                configuration(f, name.as_ref(), uuid.as_ref(), kind.as_ref(), *memory_kib, *vcpus)
            }
            Content::Xenops { metadata } => write!(f, "{metadata}"),
            Content::PageData(batch) => page_data(f, batch),
            Content::PvInfo { guest_width, pt_levels } => {
                write!(f, "{}-bit, {pt_levels}-level page tables", u32::from(*guest_width) * 8)
            }
            Content::P2mFrames { start_pfn, end_pfn, frames } => {
                write!(f, "pfn {start_pfn:#x}-{end_pfn:#x}, {}", Count(*frames, "frame"))
            }
            Content::PvVcpu { vcpu_id, blob_length, rip, cr3_pfn, xsave } => {
                write!(f, "vcpu {vcpu_id}, {}", Count(*blob_length, "byte"))?;
                if let Some(rip) = rip {
                    write!(f, ", rip {rip:#x}")?;
                }
                if let Some(pfn) = cr3_pfn {
                    write!(f, ", page table in pfn {pfn:#x}")?;
                }
                xsave.map_or(Ok(()), |xsave| write!(f, ", {xsave}"))
            }
            Content::Msrs { vcpu_id, count, msrs } => {
                if let Some(vcpu_id) = vcpu_id {
                    write!(f, "vcpu {vcpu_id}, ")?;
                }
                write!(f, "{}{}", Count(*count, "MSR"), List(msrs, *count, SHOWN))
            }
            Content::TscInfo { mode, khz, nsec, incarnation } => {
                let meaning = Remark(names::tsc_mode(*mode));
                write!(f, "mode {mode}{meaning}, {khz} kHz, {nsec} ns, incarnation {incarnation}")
            }
            Content::HvmParams { count, params } => {
                write!(f, "{}{}", Count(*count, "parameter"), List(params, *count, SHOWN))
            }
            Content::CpuidPolicy { count, vendor, brand, signature, leaves } => {
                cpuid(f, *count, [vendor.as_ref(), brand.as_ref()], *signature, leaves)
            }
            Content::Checkpoint { checkpoint } => write!(f, "checkpoint {checkpoint}"),
            Content::EmulatorXenstore { emulator, count, pairs } => {
                write!(f, "{emulator}, {}{}", Count(*count, "pair"), List(pairs, *count, SHOWN))
            }
            Content::EmulatorContext { emulator, blob_length, qemu_version } => {
                write!(f, "{emulator}, {}", Count(*blob_length, "byte"))?;
                qemu_version.map_or(Ok(()), |version| write!(f, " of state, version {version}"))
            }
            Content::CheckpointState { control_id, name } => write!(f, "{control_id}{}", Remark(*name)),
            Content::HvmHeader { version, changeset, cpuid, gtsc_khz } => write!(
                f,
                "version {version}, changeset {changeset:#x}, cpuid {cpuid:#x}, guest's TSC {gtsc_khz} kHz"
            ),
            Content::HvmCpu { vcpu_id, rip, cr0, cr3, cr4 } => {
                write!(f, "vcpu {vcpu_id}, rip {rip:#x}, cr0 {cr0:#x}, cr3 {cr3:#x}, cr4 {cr4:#x}")
            }
            Content::HvmXsave { vcpu_id, xsave } => write!(f, "vcpu {vcpu_id}, {xsave}"),
            Content::HvmVcpu { vcpu_id } => write!(f, "vcpu {vcpu_id}"),
            Content::HvmInstance { instance } => write!(f, "instance {instance}"),
        }
    }
}

fn xl_header(
    f: &mut Formatter<'_>,
    order: Order,
    mandatory: u32,
    optional: u32,
    optional_data_len: u32,
) -> fmt::Result {
    write!(f, "{}, flags {mandatory:#x}", endian(order))?;
    let known = [(xl::FLAG_JSON, "JSON"), (xl::FLAG_STREAM_V2, "stream v2")];
    let set: Vec<_> =
        known.into_iter().filter(|(flag, _)| mandatory & flag != 0).map(|(_, name)| name).collect();
    if !set.is_empty() {
        write!(f, " ({})", set.join(", "))?;
    }
    if optional != 0 {
        write!(f, ", optional flags {optional:#x}")?;
    }
    write!(f, ", {} of optional data", Count(optional_data_len, "byte"))
}

fn configuration(
    f: &mut Formatter<'_>,
    name: Option<&Text>,
    uuid: Option<&Text>,
    kind: Option<&Text>,
    memory_kib: Option<u64>,
    vcpus: Option<u64>,
) -> fmt::Result {
    let items = [
        name.map(|name| format!("name \"{name}\"")),
        uuid.map(|uuid| format!("uuid {uuid}")),
        kind.map(ToString::to_string),
        memory_kib.map(|kib| match kib % 1024 {
            0 => format!("{} MiB", kib / 1024),
            _ => format!("{kib} KiB"),
        }),
        vcpus.map(|vcpus| Count(vcpus, "vcpu").to_string()),
    ];
    f.write_str(&items.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn page_data(f: &mut Formatter<'_>, batch: &Batch) -> fmt::Result {
    if batch.records > 1 {
        write!(f, "{}, ", Count(batch.records, "record"))?;
    }
    match batch.entries() {
        1 => f.write_str("1 entry")?,
        n => write!(f, "{n} entries")?,
    }
    match batch.pfns {
        Some((low, high)) if low == high => write!(f, ", pfn {low:#x}")?,
        Some((low, high)) => write!(f, ", pfn {low:#x}-{high:#x}")?,
        None => {}
    }
    let mut separator = ": ";
    for (name, n) in batch.type_counts() {
        write!(f, "{separator}{n} {name}")?;
        separator = ", ";
    }
    Ok(())
}

/// Leaves with many subleaves stand once, and those that say nothing are only counted.
fn cpuid(
    f: &mut Formatter<'_>,
    count: u64,
    texts: [Option<&Text>; 2],
    signature: Option<Signature>,
    leaves: &[Leaf],
) -> fmt::Result {
    match count {
        1 => f.write_str("1 leaf")?,
        n => write!(f, "{n} leaves")?,
    }
    for text in texts.into_iter().flatten().filter(|text| text.length() > 0) {
        write!(f, ", {text}")?;
    }
    if let Some(Signature { family, model, stepping }) = signature {
        write!(f, ", family {family:#x}, model {model:#x}, stepping {stepping}")?;
    }
    let mut separator = ": ";
    let mut told = 0;
    let empty = leaves.iter().filter(|leaf| leaf.registers() == [0; 4]).count() as u64;
    let set: Vec<_> = leaves.iter().filter(|leaf| leaf.registers() != [0; 4]).collect();
    for run in set.chunk_by(|a, b| a.leaf == b.leaf).take(LEAVES_SHOWN) {
        let Some(first) = run.first() else { continue };
        write!(f, "{separator}{:#x}{}", first.leaf, Remark(first.name))?;
        if run.len() > 1 {
            write!(f, " x{}", run.len())?;
        }
        separator = ", ";
        told += run.len() as u64;
    }
    if empty > 0 {
        write!(f, "; {empty} empty")?;
    }
    more(f, count.saturating_sub(told + empty))
}

/// Items, as many as are shown, and how many are not.
struct List<'a, T>(&'a [T], u64, usize);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let List(items, count, most) = *self;
        let shown = items.len().min(most);
        let mut separator = ": ";
        for item in items.iter().take(shown) {
            write!(f, "{separator}{item}")?;
            separator = ", ";
        }
        more(f, count.saturating_sub(shown as u64))
    }
}

fn more(f: &mut Formatter<'_>, left_out: u64) -> fmt::Result {
    if left_out == 0 { Ok(()) } else { write!(f, ", and {left_out} more") }
}

impl Display for Named {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "{name} {:#x}", self.value),
            None => write!(f, "[{:#x}] {:#x}", self.index, self.value),
        }
    }
}

impl Display for Pair {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}=\"{}\"", self.key, self.value)
    }
}

impl Display for Xsave {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "xcr0 {:#x}, ever used {:#x}", self.xcr0, self.xcr0_accum)
    }
}

impl Display for Emulator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name)?,
            None => write!(f, "emulator {}", self.emulator_id)?,
        }
        if self.index == 0 { Ok(()) } else { write!(f, ", index {}", self.index) }
    }
}

/// A number of things.
struct Count<N>(N, &'static str);

impl<N: Copy + Into<u64>> Display for Count<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (n, noun) = (self.0.into(), self.1);
        let (noun, rest) = noun.split_at(noun.find(' ').unwrap_or(noun.len()));
        let plural = if n == 1 { "" } else { "s" };
        write!(f, "{n} {noun}{plural}{rest}")
    }
}

/// What a number means, in parentheses.
struct Remark(Option<&'static str>);

impl Display for Remark {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |remark| write!(f, " ({remark})"))
    }
}

fn endian(order: Order) -> &'static str {
    match order {
        Order::Little => "little-endian",
        Order::Big => "big-endian",
    }
}
