//! Streams that are invalid: what is before the damage is scrubbed, and of what is after it nothing is left.

use xenstream::wire::layout::{Check, Field, Hook, Keep, Placed};
use xenstream::wire::structures;
use xenstream::{Layer, Profile, RecordRef, Rule, Violation};

use super::common::{DAMAGED, corpus, options, read, scrubbed};

#[test]
fn scrubbing_keeps_the_place_of_a_fault() {
    for (path, bytes) in corpus("rules") {
        let path = path.display();
        for profile in Profile::all() {
            let (before, _) = read(&bytes, &options(profile));
            let Some(violation) = before.violation() else { continue };
            let (scrubbed, out) = scrubbed(&bytes, &options(profile), DAMAGED);
            assert_eq!(
                scrubbed.report.violation().map(place),
                Some(place(violation)),
                "{path} under {profile}"
            );
            let last = scrubbed.report.findings.listed().last().map(|violation| violation.rule);
            if matches!(last, Some(Rule::StreamUnrecognised | Rule::StreamLegacy)) {
                assert_eq!(
                    (scrubbed.bytes, out.len()),
                    (None, 0),
                    "{path}: what is no image is not scrubbed"
                );
                continue;
            }
            assert_eq!(out.len(), bytes.len(), "{path} under {profile}");
            if !goes(violation, &bytes) {
                let (after, _) = read(&out, &options(profile));
                assert_eq!(
                    after.violation().map(place),
                    Some(place_once_scrubbed(violation)),
                    "{path} under {profile}"
                );
            }
        }
    }
}

/// Whether what is wrong is in something that is blanked: page tables, registers, devices, and the values of policies
/// that take more than themselves to judge, and bytes after the stream. Other values that are wrong are replaced by others that are as wrong.
fn goes(violation: &Violation, bytes: &[u8]) -> bool {
    match violation.layer() {
        Layer::Pv => return true,
        // What follows magic and version.
        Layer::Qemu => return !matches!(violation.rule, Rule::QemuMagic | Rule::QemuVersion),
        _ => {}
    }
    // What is after the stream becomes zeros, which are another rule's.
    if violation.rule == Rule::StreamTrailingData {
        return true;
    }
    // They compare what is kept with what is blanked: the length of an area with its features, an MSR with the policy,
    // the kind of guest or its device model with a string of the configuration.
    if matches!(
        violation.rule,
        Rule::HvmXsaveArea
            | Rule::HvmXsaveLength
            | Rule::HvmMsrPolicy
            | Rule::XlTypeMismatch
            | Rule::XlEmulatorMismatch
    ) {
        return true;
    }
    let field = violation.record.and_then(|record| field(&record, violation.offset, bytes));
    field.is_some_and(|field| match field.keep {
        Keep::UnlessRegisters => true,
        Keep::UnlessDamaged => field.checks.iter().any(|check| matches!(check, Check::By(Hook::Policy(_)))),
        Keep::Always | Keep::Never => false,
    })
}

/// The field at this offset.
fn field(record: &RecordRef, offset: u64, bytes: &[u8]) -> Option<&'static Field> {
    let at = offset.checked_sub(record.offset + 8)?;
    let length =
        bytes.get(record.offset as usize + 4..)?.first_chunk().map(|word| u32::from_le_bytes(*word))?;
    let layouts = structures::of_body(record.layer, record.kind?, u64::from(length));
    let [layout] = layouts else { return None };
    let is_in = |placed: &Placed| {
        let width = if placed.field.width == 0 { u64::MAX } else { u64::from(placed.field.width) };
        placed.offset <= at && at - placed.offset < width
    };
    layout.fields(u64::from(length)).find(is_in).map(|placed| placed.field)
}

/// Of JSON and XML that are none nothing is left: the text is wrong from its start on.
fn place_once_scrubbed(violation: &Violation) -> (Rule, u64) {
    let at_fault = match violation.rule {
        Rule::XlConfigJson | Rule::LibvirtXmlSyntax => violation.found.number().unwrap(),
        _ => 0,
    };
    (violation.rule, violation.offset - at_fault)
}

fn place(violation: &Violation) -> (Rule, u64) {
    (violation.rule, violation.offset)
}
