//! What a stream has that means nothing: padding and reserved words that are not zero, records that readers pass over,
//! records in an order that savers do not write.

use xenstream_core::wire::libxc::{page, types};
use xenstream_core::wire::{Order, libvirt, libxl, types as record_types, xl};
use xenstream_core::{Layer, Level, Policy, Rule};

use crate::Error;
use crate::rewrite::document::{Document, Part, Piece};
use crate::rewrite::log::{Log, hex};
use crate::rewrite::survey::Finding;
use crate::rewrite::target::certain;

/// Rules on padding.
pub(super) const PADDING: [Rule; 2] = [Rule::LibxcPadding, Rule::LibxlPadding];

/// Rules on words that no reader looks at, and the bits that stay.
const RESERVED: [(Rule, u64); 11] = [
    (Rule::XlOptionalFlags, 0),
    (Rule::LibxlOptionsReserved, libxl::OPTION_BIG_ENDIAN as u64 | libxl::OPTION_LEGACY as u64),
    (Rule::LibxcOptionsReserved, 1),
    (Rule::LibxcHeaderReserved, 0),
    (Rule::LibxcDomainReserved, 0),
    (Rule::LibxcPvInfoReserved, 0),
    (Rule::LibxcPageDataReserved, 0),
    (Rule::LibxcPageDataPfnReserved, !page::RESERVED),
    (Rule::LibxcVcpuReserved, 0),
    (Rule::LibxcTscInfoReserved, 0),
    (Rule::LibxcHvmParamsReserved, 0),
];

/// The policy under which what is normalised is heard of.
pub(super) fn listening(policy: Policy) -> Policy {
    let rules = PADDING.into_iter().chain(RESERVED.map(|(rule, _)| rule)).chain([Rule::LibvirtReserved]);
    rules.fold(policy, |policy, rule| match policy.level(rule) {
        // None of them is structural, so each may be lowered and raised.
        Level::Allow => policy.clone().with_level(rule, Level::Warn).unwrap_or(policy),
        Level::Warn | Level::Deny => policy,
    })
}

/// Zeros padding that is not zero.
pub(super) fn padding(document: &mut Document<'_>, findings: &[Finding], log: &mut Log) {
    for finding in findings.iter().filter(|finding| PADDING.contains(&finding.violation.rule)) {
        let violation = finding.violation;
        let place = violation.record.and_then(|record| record.type_name()).unwrap_or("record");
        let bytes = finding.record_end.saturating_sub(violation.offset).min(7);
        if document.patch(violation.offset, &[0; 7][..bytes as usize], place, log) {
            log.change(violation.offset, place, "padding", format!("{:x}", violation.found), "0");
        }
    }
}

/// Zeros what is reserved.
pub(super) fn reserved(
    document: &mut Document<'_>,
    findings: &[Finding],
    log: &mut Log,
) -> Result<(), Error> {
    for finding in findings {
        let violation = finding.violation;
        if violation.rule == Rule::LibvirtReserved {
            // Of its unused words the first that is not zero is reported.
            let unused = libvirt::HEADER.saturating_sub(violation.offset).min(4 * libvirt::UNUSED_WORDS);
            if document.patch(violation.offset, &vec![0; unused as usize], "libvirt header", log) {
                log.change(
                    violation.offset,
                    "libvirt header",
                    "reserved",
                    format!("{:x}", violation.found),
                    "0x0",
                );
            }
            continue;
        }
        let known = RESERVED.into_iter().find(|(rule, _)| *rule == violation.rule).map(|(_, keep)| keep);
        let pad = || certain(violation.rule).filter(|field| field.keep == 0 && field.name != "int_output");
        let Some(keep) = known.or_else(|| pad().map(|_| 0)) else { continue };
        let width = u32::from(violation.rule.entry().field.bytes(8));
        let bytes = document.read(violation.offset..violation.offset + u64::from(width))?;
        // The headers of libxl and libxc are big-endian, whatever the records are.
        let order = match violation.rule {
            Rule::LibxlOptionsReserved | Rule::LibxcOptionsReserved => Order::Big,
            rule if rule.layer() == Layer::Hvm => Order::Little,
            _ => document.libxc,
        };
        let before = order.number(&bytes);
        if before & keep == before {
            continue;
        }
        let after = order.put_number(width, before & keep);
        let Some(after) = after.get(..bytes.len()) else { continue };
        let place = violation.record.and_then(|record| record.type_name()).unwrap_or("header");
        if document.patch(violation.offset, after, place, log) {
            log.change(violation.offset, place, "reserved", hex(before), hex(before & keep));
        }
    }
    Ok(())
}

/// Drops records that readers pass over, and puts the others in the order of savers.
pub(super) fn records(document: &mut Document<'_>, log: &mut Log) -> Result<(), Error> {
    let mut dropped = Vec::new();
    for (at, piece) in document.pieces.iter().enumerate() {
        let length = piece.length();
        let is_optional = match piece.part {
            Part::LibxcRecord(kind) => kind >= types::OPTIONAL,
            Part::LibxlRecord(kind) => kind >= libxl::types::OPTIONAL,
            _ => false,
        };
        if is_optional || piece.is_void() {
            log.change(piece.range.start, name(piece.part), "record", format!("{length} bytes"), "absent");
            dropped.push(at);
        }
    }
    let mut at = 0;
    document.pieces.retain(|_| {
        at += 1;
        dropped.binary_search(&(at - 1)).is_err()
    });
    if document.find(types::CHECKPOINT).is_none() {
        order(document, log);
    }
    optional_data(document, log)
}

/// Sorts records that may come in any order.
fn order(document: &mut Document<'_>, log: &mut Log) {
    for group in [&STATIC[..], &HVM, &DEVICE_MODEL] {
        let ranks: Vec<(usize, usize)> = document
            .pieces
            .iter()
            .enumerate()
            .filter_map(|(at, piece)| Some((at, group.iter().position(|part| *part == piece.part)?)))
            .collect();
        let together = ranks.is_sorted_by(|a, b| a.0 + 1 == b.0);
        if ranks.is_sorted_by_key(|(_, rank)| *rank) || !together {
            continue;
        }
        if let [(first, _), .., (last, _)] = ranks[..] {
            let pieces = &mut document.pieces[first..=last];
            let before = names(pieces);
            pieces.sort_by_key(|piece| group.iter().position(|part| *part == piece.part));
            log.change(pieces[0].range.start, "records", "order", before, names(pieces));
        }
    }
}

const STATIC: [Part; 3] = [
    Part::LibxcRecord(types::X86_CPUID_POLICY),
    Part::LibxcRecord(types::X86_MSR_POLICY),
    Part::LibxcRecord(types::STATIC_DATA_END),
];
const HVM: [Part; 3] = [
    Part::LibxcRecord(types::X86_TSC_INFO),
    Part::LibxcRecord(types::HVM_CONTEXT),
    Part::LibxcRecord(types::HVM_PARAMS),
];
const DEVICE_MODEL: [Part; 2] = [
    Part::LibxlRecord(libxl::types::EMULATOR_XENSTORE_DATA),
    Part::LibxlRecord(libxl::types::EMULATOR_CONTEXT),
];

fn names(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| name(piece.part)).collect::<Vec<_>>().join(", ")
}

/// The name of a record.
pub(super) fn name(part: Part) -> &'static str {
    match part {
        Part::LibxcRecord(kind) => record_types::name(Layer::Libxc, kind.into()).unwrap_or("libxc record"),
        Part::LibxlRecord(kind) => record_types::name(Layer::Libxl, kind.into()).unwrap_or("libxl record"),
        Part::XenopsdRecord(kind) => record_types::name(Layer::Xenopsd, kind).unwrap_or("xenopsd record"),
        Part::Pages => "PAGE_DATA",
        Part::Xl => "xl header",
        Part::Libvirt => "libvirt header",
        Part::Libxl => "libxl header",
        Part::Xenopsd => "signature",
        Part::Image => "image header",
        Part::Domain => "domain header",
    }
}

/// Cuts what follows the configuration in the optional data of xl, which readers skip.
fn optional_data(document: &mut Document<'_>, log: &mut Log) -> Result<(), Error> {
    const LONGEST: u64 = 16 << 20;
    let Some(at) = document.pieces.iter().position(|piece| piece.part == Part::Xl) else { return Ok(()) };
    let range = document.pieces[at].range.clone();
    if document.pieces[at].new.is_some() || range.end - range.start > LONGEST {
        return Ok(());
    }
    let mut bytes = document.read(range)?;
    let field = |bytes: &[u8], at: u64| bytes.get(at as usize..)?.first_chunk::<4>().copied();
    let Some(order) = field(&bytes, xl::at::BYTEORDER).and_then(|word| {
        [Order::Little, Order::Big].into_iter().find(|order| order.u32(word) == xl::BYTEORDER)
    }) else {
        return Ok(());
    };
    let Some(config) = field(&bytes, xl::at::CONFIG_LEN).map(|word| u64::from(order.u32(word))) else {
        return Ok(());
    };
    let end = xl::at::CONFIG + config;
    let tail = (bytes.len() as u64).saturating_sub(end);
    if tail == 0 {
        return Ok(());
    }
    bytes.truncate(end as usize);
    let length = order.put_u32((config + 4) as u32);
    bytes[xl::at::OPTIONAL_DATA_LEN as usize..xl::at::CONFIG_LEN as usize].copy_from_slice(&length);
    log.change(end, "xl header", "optional data after the configuration", format!("{tail} bytes"), "absent");
    document.pieces[at].new = Some(bytes);
    Ok(())
}
