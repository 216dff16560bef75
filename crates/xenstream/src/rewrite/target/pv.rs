//! Cures of a PV guest's vcpu records.

use xenstream_core::Rule;
use xenstream_core::wire::libxc::{types, vcpu};
use xenstream_core::wire::{Order, pv};

use super::{Refused, half, word, xsave};
use crate::rewrite::log::{Log, hex};

/// The body that the target takes, if it is another one.
pub(super) fn vcpu(
    kind: u32,
    body: &[u8],
    base: u64,
    order: Order,
    refused: &Refused,
    log: &mut Log,
) -> Option<Vec<u8>> {
    let (header, state) = body.split_at_checked(vcpu::HEADER as usize)?;
    let record = State { id: half(header, 0, order)?, base: base + vcpu::HEADER, state };
    let new = match kind {
        types::X86_PV_VCPU_EXTENDED => record.extended(refused, log),
        types::X86_PV_VCPU_XSAVE => record.xsave(refused, log),
        types::X86_PV_VCPU_MSRS => record.msrs(refused, log),
        _ => None,
    }?;
    Some([header, &new].concat())
}

/// The state of one vcpu, which Xen reads in little-endian order.
struct State<'b> {
    id: u32,
    /// Offset in the input.
    base: u64,
    state: &'b [u8],
}

impl State<'_> {
    /// Offset of the record's length.
    fn length_at(&self) -> u64 {
        self.base.saturating_sub(vcpu::HEADER + 4)
    }

    /// A structure that is too short, or says so of itself, as savers write it.
    fn extended(&self, refused: &Refused, log: &mut Log) -> Option<Vec<u8>> {
        /// What savers write.
        const SIZE: usize = 64;
        let place = format!("X86_PV_VCPU_EXTENDED of vcpu {}", self.id);
        let at = pv::EXTENDED.find("size")?.offset;
        let offset = self.base + at;
        refused.rule(offset, &[Rule::PvExtendedSize, Rule::PvExtendedShort])?;
        let size = half(self.state, at as usize, Order::Little)?;
        let counts = usize::try_from(size).unwrap_or(usize::MAX).max(at as usize + 4);
        // What is missing counts as zero from now on, so what did not count has to be.
        let beyond = self.state.get(counts.min(SIZE)..).unwrap_or_default();
        if beyond.iter().any(|byte| *byte != 0) {
            log.obstacle(offset, place, "the bytes beyond the size field are not zero", None);
            return None;
        }
        let mut new = self.state.to_vec();
        new.resize(SIZE, 0);
        new[at as usize..at as usize + 4].copy_from_slice(&Order::Little.put_u32(SIZE as u32));
        if size != SIZE as u32 {
            log.change(offset, place.clone(), "size", size, SIZE);
        }
        if self.state.len() != SIZE {
            log.change(self.length_at(), place, "length", self.state.len(), SIZE);
        }
        Some(new)
    }

    /// An area of another size than its masks ask for.
    fn xsave(&self, refused: &Refused, log: &mut Log) -> Option<Vec<u8>> {
        let offset = self.length_at();
        let rule = refused.rule(offset, &[Rule::PvXsaveArea, Rule::PvXsaveLength])?;
        let place = format!("X86_PV_VCPU_XSAVE of vcpu {}", self.id);
        let length = refused.expected(offset)?;
        match xsave::resized(self.state, vcpu::XSAVE_MIN as usize, length, rule == Rule::PvXsaveLength) {
            Ok(new) => {
                log.change(offset, place, "length", self.state.len(), length);
                Some(new)
            }
            Err(reason) => {
                log.obstacle(offset, place, reason, None);
                None
            }
        }
    }

    /// Drops entries that say nothing, if there are more than Xen accepts or one belongs to a feature that the guest
    /// does not have. Only the first such entry is reported.
    fn msrs(&self, refused: &Refused, log: &mut Log) -> Option<Vec<u8>> {
        const ENTRY: usize = vcpu::MSR as usize;
        let offset = |n: usize| self.base + (n * ENTRY) as u64;
        let is_many = refused.rule(self.length_at(), &[Rule::PvMsrsCount]).is_some();
        let lacks = |n| refused.rule(offset(n), &[Rule::PvMsrsPolicy]).is_some();
        if !is_many && !(0..self.state.len() / ENTRY).any(lacks) {
            return None;
        }
        let mut kept = Vec::with_capacity(self.state.len());
        for (n, entry) in self.state.chunks(ENTRY).enumerate() {
            let index = half(entry, 0, Order::Little)?;
            // 0 is what it is after a reset.
            if word(entry, 8, Order::Little)? == 0 {
                let place = format!("X86_PV_VCPU_MSRS of vcpu {}, MSR {}", self.id, hex(index.into()));
                log.change(offset(n), place, "entry", "0", "absent");
            } else {
                kept.extend_from_slice(entry);
            }
        }
        (kept.len() < self.state.len()).then_some(kept)
    }
}
