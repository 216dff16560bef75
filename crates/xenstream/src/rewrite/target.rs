//! Cures of what a release of Xen refuses: changes after which it takes the stream, and of which the guest cannot tell,
//! or whose cost is allowed by name.

mod hvm;
mod order;
mod policies;
mod pv;
mod xsave;

use std::collections::BTreeMap;

use xenstream_core::wire::Order;
use xenstream_core::wire::libxc::{self, types};
use xenstream_core::wire::params::{Settable, index, param_at};
use xenstream_core::{Fact, Layer, Rule, Target};

use crate::Error;
use crate::rewrite::document::{Document, Part};
use crate::rewrite::log::{Log, Loss, hex};
use crate::rewrite::survey::Finding;

/// What is refused whose cure changes a length, or a whole header: the rule, and what it expects, by offset.
pub(super) struct Refused(BTreeMap<u64, (Rule, u64)>);

impl Refused {
    const RULES: [Rule; 11] = [
        Rule::XlBigEndian,
        Rule::LibvirtBigEndian,
        Rule::LibxlBigEndian,
        Rule::HvmXsaveArea,
        Rule::HvmXsaveLength,
        Rule::PvExtendedSize,
        Rule::PvExtendedShort,
        Rule::PvXsaveArea,
        Rule::PvXsaveLength,
        Rule::PvMsrsCount,
        Rule::PvMsrsPolicy,
    ];

    fn of(findings: &[Finding]) -> Refused {
        let denied = findings.iter().filter(|finding| finding.is_denied).map(|finding| finding.violation);
        let cured = denied.filter(|violation| Refused::RULES.contains(&violation.rule));
        let places = cured
            .map(|violation| (violation.offset, (violation.rule, violation.expected.number().unwrap_or(0))));
        Refused(places.collect())
    }

    /// Which of these rules is broken at an offset of the input.
    fn rule(&self, offset: u64, rules: &[Rule]) -> Option<Rule> {
        self.0.get(&offset).map(|(rule, _)| *rule).filter(|rule| rules.contains(rule))
    }

    /// What the rule that is broken there expects.
    fn expected(&self, offset: u64) -> Option<u64> {
        self.0.get(&offset).map(|(_, expected)| *expected)
    }
}

/// Changes fields in place that are refused, where one value is certain.
pub(super) fn patch(document: &mut Document<'_>, findings: &[Finding], log: &mut Log) -> Result<(), Error> {
    for finding in findings.iter().filter(|finding| finding.is_denied) {
        patch_one(document, finding, log)?;
    }
    Ok(())
}

fn patch_one(document: &mut Document<'_>, finding: &Finding, log: &mut Log) -> Result<(), Error> {
    let violation = finding.violation;
    let Some(field) = certain(violation.rule) else { return Ok(()) };
    if violation.rule == Rule::PvDebug && !is_control(violation.offset, document) {
        return Ok(());
    }
    let width = u64::from(field.width);
    let bytes = document.read(violation.offset..violation.offset.saturating_add(width))?;
    if bytes.len() as u64 != width {
        return Ok(());
    }
    let order = if violation.layer() == Layer::Hvm { Order::Little } else { document.libxc };
    let before = order.number(&bytes);
    let after = before & field.keep;
    let place = violation.record.and_then(|record| record.type_name()).unwrap_or("record");
    let new = order.put_number(field.width, after);
    if after != before && document.patch(violation.offset, &new[..bytes.len()], place, log) {
        log.change(violation.offset, place, field.name, hex(before), hex(after));
    }
    Ok(())
}

/// A field of which bits are cleared.
pub(super) struct Certain {
    pub(super) name: &'static str,
    width: u32,
    pub(super) keep: u64,
}

/// The field at the violation of a rule, and the bits of it that stay.
pub(super) fn certain(rule: Rule) -> Option<Certain> {
    const LOW: u64 = 0xFFFF_FFFF;
    let zero = |name, width| Some(Certain { name, width, keep: 0 });
    let keep = |name, width, keep| Some(Certain { name, width, keep });
    match rule {
        // The hardware has no such bits.
        Rule::HvmCpuDebug | Rule::PvDebug => keep("debug register", 8, LOW),
        Rule::PvEflagsVm => keep("eflags", 4, !(1 << 17) & LOW),
        // Xen computes it anew.
        Rule::HvmPicInit => zero("int_output", 1),
        Rule::HvmPciLinkPad | Rule::HvmCpuPad => zero("padding", 4),
        Rule::HvmViridianPad => zero("padding", 7),
        Rule::HvmMsrReserved | Rule::LibxcVcpuMsrsReserved => zero("reserved", 4),
        _ => None,
    }
}

/// Whether this is the place of DR6 or DR7 in a 64-bit vcpu, and not that of an address.
fn is_control(offset: u64, document: &Document<'_>) -> bool {
    let basic = |part: Part| part == Part::libxc(types::X86_PV_VCPU_BASIC);
    let piece = document.pieces.iter().find(|piece| basic(piece.part) && piece.body.contains(&offset));
    let at = piece.map(|piece| offset - piece.body.start - libxc::vcpu::HEADER);
    let controls =
        ["dr6", "dr7"].map(|name| xenstream_core::wire::pv::BASIC_64.find(name).map(|placed| placed.offset));
    at.is_some() && controls.contains(&at)
}

/// Changes records until the target takes them.
pub(super) fn cure(
    document: &mut Document<'_>,
    findings: &[Finding],
    target: Target,
    log: &mut Log,
) -> Result<(), Error> {
    let refused = Refused::of(findings);
    order::little(document, &refused, log)?;
    if target.refuses(Fact::V3) && document.version > 2 {
        version_2(document, log)?;
    }
    let mut gone = Vec::new();
    for at in 0..document.pieces.len() {
        let Part::Record(Layer::Libxc, kind) = document.pieces[at].part else { continue };
        let cured = match kind {
            types::HVM_CONTEXT
            | types::X86_CPUID_POLICY
            | types::X86_MSR_POLICY
            | types::HVM_PARAMS
            | types::X86_PV_VCPU_EXTENDED
            | types::X86_PV_VCPU_XSAVE
            | types::X86_PV_VCPU_MSRS => {
                let piece = &document.pieces[at];
                let Some(body) = document.body(piece)? else { continue };
                let base = piece.body.start;
                match kind {
                    types::HVM_CONTEXT => hvm::context(&body, base, &refused, target, log),
                    types::X86_CPUID_POLICY => policies::cpuid(&body, base, document.libxc, target, log),
                    types::X86_MSR_POLICY => policies::msrs(&body, base, document.libxc, target, log),
                    types::HVM_PARAMS => params(&body, base, document.libxc, target, log),
                    _ => pv::vcpu(kind, &body, base, document.libxc, &refused, log),
                }
            }
            _ => None,
        };
        match cured {
            // A policy without an entry is no record.
            Some(body) if body.is_empty() => gone.push(at),
            Some(body) => document.set_body(at, &body),
            None => {}
        }
    }
    for at in gone.into_iter().rev() {
        document.pieces.remove(at);
    }
    Ok(())
}

/// Version 2 has no static data: neither the record that ends them nor policies.
fn version_2(document: &mut Document<'_>, log: &mut Log) -> Result<(), Error> {
    let is_policy = |part: Part| {
        part == Part::libxc(types::X86_CPUID_POLICY) || part == Part::libxc(types::X86_MSR_POLICY)
    };
    let Some(image) = document.pieces.iter().position(|piece| piece.part == Part::Header(Layer::Libxc))
    else {
        return Ok(());
    };
    let start = document.pieces[image].range.start;
    let at = start + libxc::image_at::VERSION;
    if let Some(policy) = document.pieces.iter().find(|piece| is_policy(piece.part)) {
        let offset = policy.range.start;
        if !log.lossy(
            Loss::CpuPolicy,
            offset,
            "X86_CPUID_POLICY, X86_MSR_POLICY",
            "records",
            "present",
            "absent",
        ) {
            return Ok(());
        }
    }
    // The image header is big-endian, whatever the records are.
    if document.patch(at, &Order::Big.put_u32(2), "image header", log) {
        log.change(at, "image header", "version", document.version, 2);
    }
    let ends = document.find(types::STATIC_DATA_END);
    if let Some(end) = ends {
        log.change(document.pieces[end].range.start, "STATIC_DATA_END", "record", "present", "absent");
    }
    document
        .pieces
        .retain(|piece| !is_policy(piece.part) && piece.part != Part::libxc(types::STATIC_DATA_END));
    document.version = 2;
    Ok(())
}

/// Parameters that the target refuses and that say nothing are dropped.
fn params(body: &[u8], base: u64, order: Order, target: Target, log: &mut Log) -> Option<Vec<u8>> {
    const HEADER: usize = libxc::params::HEADER as usize;
    const ENTRY: usize = libxc::params::ENTRY as usize;
    let (header, entries) = body.split_at_checked(HEADER)?;
    let mut kept = Vec::new();
    for (n, entry) in entries.chunks(ENTRY).enumerate() {
        let (Some(number), Some(value)) = (word(entry, 0, order), word(entry, 8, order)) else { return None };
        let never = param_at(number).is_some_and(|param| param.settable == Settable::Never);
        let refused = match number {
            index::NESTEDHVM => target.refuses(Fact::Nest),
            index::ALTP2M => target.refuses(Fact::Altp2m),
            _ => never,
        };
        if !refused {
            kept.extend_from_slice(entry);
            continue;
        }
        let offset = base + (HEADER + n * ENTRY) as u64;
        let place = format!("HVM_PARAMS, parameter {number}");
        if value == 0 {
            log.change(offset, place, "entry", "0", "absent");
        } else {
            log.obstacle(
                offset,
                place,
                format!("its value is {value:#x}: the guest uses what it stands for"),
                None,
            );
            kept.extend_from_slice(entry);
        }
    }
    if kept.len() == entries.len() {
        return None;
    }
    let count = order.put_u32((kept.len() / ENTRY) as u32);
    Some([&count, header.get(4..)?, &kept].concat())
}

fn word(bytes: &[u8], at: usize, order: Order) -> Option<u64> {
    Some(order.u64(*bytes.get(at..)?.first_chunk()?))
}

fn half(bytes: &[u8], at: usize, order: Order) -> Option<u32> {
    Some(order.u32(*bytes.get(at..)?.first_chunk()?))
}
