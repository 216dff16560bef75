//! Cures of the CPU policies.

use xenstream_core::wire::{Order, libxc::policy, msr};
use xenstream_core::{Fact, Target};

use super::{half, word};
use crate::rewrite::log::{Log, Loss, hex};

/// First extended leaf, which tells the last one.
const EXTENDED: u32 = 0x8000_0000;
/// Last extended leaf without the fact E21.
const EXTENDED_OLD: u32 = 0x8000_001C;
/// The leaf of features.
const FEATURES: u32 = 7;

/// Drops leaves that the target does not know, and lowers the numbers that announce them.
pub(super) fn cpuid(body: &[u8], base: u64, order: Order, target: Target, log: &mut Log) -> Option<Vec<u8>> {
    const LEAF: usize = policy::CPUID_LEAF as usize;
    let mut out = Vec::with_capacity(body.len());
    // Each is about this subleaf, there or announced.
    let most_features = [(3, Fact::L73), (3, Fact::L7Max), (2, Fact::L72), (2, Fact::L7Sub2)]
        .into_iter()
        .filter(|(_, fact)| target.refuses(*fact))
        .fold(u32::MAX, |most, (subleaf, _)| most.min(subleaf - 1));
    let most_extended = if target.refuses(Fact::E21) { EXTENDED_OLD } else { u32::MAX };
    for (n, one) in body.chunks(LEAF).enumerate() {
        let (leaf, subleaf, eax) = (half(one, 0, order)?, half(one, 4, order)?, half(one, 8, order)?);
        let offset = base + (n * LEAF) as u64;
        let unknown = match (leaf, subleaf) {
            (FEATURES, 2) => target.refuses(Fact::L72),
            (FEATURES, 3) => target.refuses(Fact::L73),
            (EXTENDED_OLD.., _) => leaf > EXTENDED_OLD && target.refuses(Fact::E21),
            _ => false,
        };
        if unknown {
            let place = match leaf {
                FEATURES => format!("X86_CPUID_POLICY, leaf {leaf:#x} subleaf {subleaf}"),
                _ => format!("X86_CPUID_POLICY, leaf {leaf:#x}"),
            };
            if one.get(8..)?.iter().all(|byte| *byte == 0) {
                log.change(offset, place, "leaf", "all zero", "absent");
                continue;
            }
            if log.lossy(Loss::CpuidLeaves, offset, place, "leaf", "present", "absent") {
                continue;
            }
        }
        let most = match (leaf, subleaf) {
            (FEATURES, 0) => most_features,
            (EXTENDED, _) => most_extended,
            _ => u32::MAX,
        };
        out.extend_from_slice(&one[..8]);
        out.extend_from_slice(&order.put_u32(eax.min(most)));
        out.extend_from_slice(one.get(12..)?);
        if eax > most {
            let place = format!("X86_CPUID_POLICY, leaf {leaf:#x}");
            log.change(offset + 8, place, "eax, the last one", hex(eax.into()), hex(most.into()));
        }
    }
    (out != body).then_some(out)
}

/// Drops or narrows ARCH_CAPABILITIES.
pub(super) fn msrs(body: &[u8], base: u64, order: Order, target: Target, log: &mut Log) -> Option<Vec<u8>> {
    const ENTRY: usize = policy::MSR as usize;
    let mut out = Vec::with_capacity(body.len());
    for (n, one) in body.chunks(ENTRY).enumerate() {
        let (index, value) = (half(one, 0, order)?, word(one, 8, order)?);
        let offset = base + (n * ENTRY) as u64;
        let place = "X86_MSR_POLICY, ARCH_CAPABILITIES";
        let (loss, low) = (Loss::ArchCapabilities, value & u64::from(u32::MAX));
        if index != msr::ARCH_CAPABILITIES {
            out.extend_from_slice(one);
        } else if target.refuses(Fact::Msr2) {
            if value == 0 {
                log.change(offset, place, "entry", "0", "absent");
            } else if !log.lossy(loss, offset, place, "entry", hex(value), "absent") {
                out.extend_from_slice(one);
            }
        } else if target.refuses(Fact::Ac64)
            && low != value
            && log.lossy(loss, offset + 8, place, "value", hex(value), hex(low))
        {
            out.extend_from_slice(&one[..8]);
            out.extend_from_slice(&order.put_u64(low));
        } else {
            out.extend_from_slice(one);
        }
    }
    (out != body).then_some(out)
}
