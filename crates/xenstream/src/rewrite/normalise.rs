//! What a stream has that means nothing: padding and reserved words that are not zero, records that readers pass over,
//! records in an order that savers do not write.

use xenstream_core::wire::layout::Check;
use xenstream_core::wire::libxc::{self, Place, page, types};
use xenstream_core::wire::{Order, libvirt, libxl, structures, xl};
use xenstream_core::{Guest, Layer, Level, Policy, Rule};

use crate::Error;
use crate::rewrite::document::{Document, Part, Piece};
use crate::rewrite::log::{Log, hex};
use crate::rewrite::survey::Finding;
use crate::rewrite::target::certain;

/// Rules on padding.
pub(super) const PADDING: [Rule; 2] = [Rule::LibxcPadding, Rule::LibxlPadding];

/// Rules on words that no reader looks at, and the bits that stay, where no structure declares it.
const RESERVED: [(Rule, u64); 4] = [
    (Rule::LibxlOptionsReserved, libxl::OPTION_BIG_ENDIAN as u64 | libxl::OPTION_LEGACY as u64),
    (Rule::LibxcOptionsReserved, 1),
    (Rule::LibxcPageDataReserved, 0),
    (Rule::LibxcPageDataPfnReserved, !page::RESERVED),
];

/// All of these rules: also those on declared fields that have to be zero, and that every restorer takes if they are not.
fn unread() -> impl Iterator<Item = (Rule, u64)> {
    let fields = structures::all().flat_map(|layout| layout.groups).flat_map(|group| group.fields);
    let zeros = fields.flat_map(|field| field.checks).filter_map(|check| match check {
        Check::Zero(rule) if Policy::restore().level(*rule) == Level::Allow => Some((*rule, 0)),
        _ => None,
    });
    RESERVED.into_iter().chain(zeros)
}

/// The policy that reports everything that is normalised.
pub(super) fn listening(policy: Policy) -> Policy {
    let rules = PADDING.into_iter().chain(unread().map(|(rule, _)| rule)).chain([Rule::LibvirtReserved]);
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
            // Only the first unused word that is not zero is reported.
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
        let known = unread().find(|(rule, _)| *rule == violation.rule).map(|(_, keep)| keep);
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
            Part::Record(Layer::Libxl | Layer::Libxc, kind) => kind >= types::OPTIONAL,
            _ => false,
        };
        if is_optional || piece.is_void() {
            log.change(piece.range.start, piece.part.name(), "record", format!("{length} bytes"), "absent");
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
    let hvm: Vec<Part> = hvm_state().collect();
    for group in [&STATIC[..], &hvm, &DEVICE_MODEL] {
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
    Part::libxc(types::X86_CPUID_POLICY),
    Part::libxc(types::X86_MSR_POLICY),
    Part::libxc(types::STATIC_DATA_END),
];
const DEVICE_MODEL: [Part; 2] =
    [Part::libxl(libxl::types::EMULATOR_XENSTORE_DATA), Part::libxl(libxl::types::EMULATOR_CONTEXT)];

/// The records that an HVM guest has after its memory, in the order of savers.
pub(super) fn hvm_state() -> impl Iterator<Item = Part> {
    let known = (0..).zip(libxc::RECORDS);
    let state = known.filter(|(_, known)| known.place == Place::Registers && known.guest != Some(Guest::Pv));
    state.map(|(kind, _)| Part::libxc(kind))
}

fn names(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.part.name()).collect::<Vec<_>>().join(", ")
}

/// Cuts what follows the configuration in the optional data of xl, which readers skip.
fn optional_data(document: &mut Document<'_>, log: &mut Log) -> Result<(), Error> {
    const LONGEST: u64 = 16 << 20;
    let Some(at) = document.pieces.iter().position(|piece| piece.part == Part::Header(Layer::Xl)) else {
        return Ok(());
    };
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
