//! Cures inside HVM_CONTEXT.

use xenstream_core::wire::hvm::pic::{ELCR_AT, INT_OUTPUT_AT, MASTER_LINES, SLAVE_LINES};
use xenstream_core::wire::hvm::{
    self, ENTRY_HEADER, LAPIC_OLD, MSR, MSR_HEADER, RTC_OLD, cpu, devices, types, vcpus,
};
use xenstream_core::wire::{Order, msr};
use xenstream_core::{Fact, Rule, Target};

use super::{Refused, half, word, xsave};
use crate::rewrite::log::{Log, Loss, hex};

const ORDER: Order = Order::Little;

/// An entry of the chain.
struct Entry<'b> {
    typecode: u16,
    instance: u16,
    /// Offset of its body in the record's.
    at: u64,
    body: &'b [u8],
}

impl Entry<'_> {
    /// Offset of its length.
    fn length_at(&self) -> u64 {
        self.at - ENTRY_HEADER + hvm::LENGTH_AT
    }

    fn place(&self) -> String {
        let name = hvm::entry(self.typecode).map_or("entry", |entry| entry.record_type.name);
        match hvm::entry(self.typecode).map(|entry| entry.instances) {
            Some(hvm::Instances::Vcpus) => format!("HVM_CONTEXT, {name} of vcpu {}", self.instance),
            Some(hvm::Instances::Pics) => format!("HVM_CONTEXT, {name} {}", self.instance),
            _ => format!("HVM_CONTEXT, {name}"),
        }
    }
}

/// The body that the target takes, if it is another one. A chain that cannot be walked is left to the verifier.
pub(super) fn context(
    body: &[u8],
    base: u64,
    refused: &Refused,
    target: Target,
    log: &mut Log,
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    loop {
        let at = (body.len() - rest.len()) as u64 + ENTRY_HEADER;
        let (header, after) = rest.split_first_chunk::<8>()?;
        let [t0, t1, i0, i1, l0, l1, l2, l3] = *header;
        let typecode = ORDER.u16([t0, t1]);
        let length = usize::try_from(ORDER.u32([l0, l1, l2, l3])).ok()?;
        let (entry, after) = after.split_at_checked(length)?;
        rest = after;
        let entry = Entry { typecode, instance: ORDER.u16([i0, i1]), at: base + at, body: entry };
        match cured(&entry, refused, target, log) {
            Some(None) => {}
            Some(Some(new)) => {
                out.extend_from_slice(&header[..4]);
                out.extend_from_slice(&ORDER.put_u32(u32::try_from(new.len()).ok()?));
                out.extend_from_slice(&new);
            }
            None => {
                out.extend_from_slice(header);
                out.extend_from_slice(entry.body);
            }
        }
        if typecode == types::END {
            out.extend_from_slice(rest);
            return (out != body).then_some(out);
        }
    }
}

/// What becomes of an entry: `None` leaves it as it is, `Some(None)` drops it.
fn cured(entry: &Entry<'_>, refused: &Refused, target: Target, log: &mut Log) -> Option<Option<Vec<u8>>> {
    match entry.typecode {
        types::CPU => cr0(entry, log).map(Some),
        types::LAPIC if target.refuses(Fact::Lapic32) => cut(entry, LAPIC_OLD, 4, Loss::PendingEsr, log),
        types::RTC if target.refuses(Fact::Rtc24) => cut(entry, RTC_OLD, 8, Loss::RtcOffset, log),
        types::PIC if target.refuses(Fact::PicChk) => pic(entry, log).map(Some),
        types::PIT if target.refuses(Fact::PitChk) => pit(entry, log).map(Some),
        types::CPU_XSAVE => xsave(entry, refused, log).map(Some),
        types::CPU_MSR => msrs(entry, target, log),
        _ => None,
    }
}

/// Cuts an entry. The first `telling` bytes that are cut off mean something where they are not zero.
fn cut(entry: &Entry<'_>, to: u64, telling: usize, loss: Loss, log: &mut Log) -> Option<Option<Vec<u8>>> {
    let (kept, tail) = entry.body.split_at_checked(to as usize).filter(|(_, tail)| !tail.is_empty())?;
    let (before, after) = (entry.body.len(), kept.len());
    let offset = entry.length_at();
    if tail.iter().take(telling).any(|byte| *byte != 0) {
        if !log.lossy(loss, offset, entry.place(), "length", before, after) {
            return None;
        }
    } else {
        log.change(offset, entry.place(), "length", before, after);
    }
    Some(Some(kept.to_vec()))
}

/// An area that is shorter than its masks ask for.
fn xsave(entry: &Entry<'_>, refused: &Refused, log: &mut Log) -> Option<Vec<u8>> {
    let offset = entry.length_at();
    let rule = refused.rule(offset, &[Rule::HvmXsaveArea, Rule::HvmXsaveLength])?;
    let length = refused.expected(offset)?;
    match xsave::resized(entry.body, vcpus::XSAVE_AREA_AT as usize, length, rule == Rule::HvmXsaveLength) {
        Ok(new) => {
            log.change(offset, entry.place(), "length", entry.body.len(), length);
            Some(new)
        }
        Err(reason) => {
            log.obstacle(offset, entry.place(), reason, None);
            None
        }
    }
}

/// A bit that every processor has set.
fn cr0(entry: &Entry<'_>, log: &mut Log) -> Option<Vec<u8>> {
    let at = cpu::CPU.find("cr0")?.offset;
    let before = word(entry.body, at as usize, ORDER)?;
    if before & cpu::cr0::ET != 0 {
        return None;
    }
    let after = before | cpu::cr0::ET;
    log.change(entry.at + at, entry.place(), "cr0", hex(before), hex(after));
    let mut new = entry.body.to_vec();
    new[at as usize..at as usize + 8].copy_from_slice(&ORDER.put_u64(after));
    Some(new)
}

/// Level-triggered lines that the chip does not have.
fn pic(entry: &Entry<'_>, log: &mut Log) -> Option<Vec<u8>> {
    let lines = if entry.instance == 0 { MASTER_LINES } else { SLAVE_LINES };
    let mut new = entry.body.to_vec();
    let elcr = new.get_mut(ELCR_AT as usize)?;
    let before = *elcr;
    *elcr &= lines;
    let after = *elcr;
    if before == after || entry.body.len() as u64 <= INT_OUTPUT_AT {
        return None;
    }
    log.change(entry.at + ELCR_AT, entry.place(), "elcr", hex(before.into()), hex(after.into()));
    Some(new)
}

/// A word that no release looks at but to refuse it. What else is refused of a timer no saver writes.
fn pit(entry: &Entry<'_>, log: &mut Log) -> Option<Vec<u8>> {
    let at = devices::PIT.find("pad0")?.offset;
    let before = half(entry.body, at as usize, ORDER).filter(|before| *before != 0)?;
    log.change(entry.at + at, entry.place(), "padding", hex(before.into()), "0x0");
    let mut new = entry.body.to_vec();
    new.get_mut(at as usize..at as usize + 4)?.fill(0);
    Some(new)
}

/// MSRs, or bits of them, that the target does not know.
fn msrs(entry: &Entry<'_>, target: Target, log: &mut Log) -> Option<Option<Vec<u8>>> {
    let (header, entries) = entry.body.split_at_checked(MSR_HEADER as usize)?;
    let mut kept = Vec::with_capacity(entries.len());
    for (n, one) in entries.chunks(MSR as usize).enumerate() {
        let (index, value) = (half(one, 0, ORDER)?, word(one, 8, ORDER)?);
        let offset = entry.at + MSR_HEADER + n as u64 * MSR;
        let place = || format!("{}, MSR {index:#x}", entry.place());
        let (unknown, loss) = match index {
            msr::PKRS => (target.refuses(Fact::Pkrs), None),
            msr::VIRT_SPEC_CTRL => (target.refuses(Fact::Vsc), Some(Loss::VirtSpecCtrl)),
            _ => (false, None),
        };
        if unknown {
            // 0 is what it is after a reset.
            let dropped = match loss {
                _ if value == 0 => {
                    log.change(offset, place(), "entry", "0", "absent");
                    true
                }
                Some(loss) => log.lossy(loss, offset, place(), "entry", hex(value), "absent"),
                None => {
                    let reason =
                        format!("its value is {value:#x}: the guest's protection keys would be lost");
                    log.obstacle(offset, place(), reason, None);
                    false
                }
            };
            if dropped {
                continue;
            }
        }
        let mut bits = 0;
        if index == msr::SPEC_CTRL {
            for (fact, mask) in [(Fact::Psfd, msr::SPEC_CTRL_PSFD), (Fact::Bhi, msr::SPEC_CTRL_BHI)] {
                bits |= if target.refuses(fact) { value & mask } else { 0 };
            }
        }
        let (before, after) = (hex(value), hex(value & !bits));
        if bits != 0 && log.lossy(Loss::SpecCtrl, offset + 8, place(), "value", before, after) {
            kept.extend_from_slice(&one[..8]);
            kept.extend_from_slice(&ORDER.put_u64(value & !bits));
        } else {
            kept.extend_from_slice(one);
        }
    }
    if kept == entries {
        return None;
    }
    if kept.is_empty() {
        return Some(None);
    }
    let count = u32::try_from(kept.len() as u64 / MSR).ok()?;
    Some(Some([&ORDER.put_u32(count), &header[4..], &kept].concat()))
}
