//! Repairs what is certain: nothing of the guest is made up.

use xenstream_core::wire::libxc::types;
use xenstream_core::wire::{libxl, padding, xenopsd};
use xenstream_core::{Guest, Layer, Rule, Violation};

use crate::rewrite::document::{Document, Part, Piece, record_bytes};
use crate::rewrite::log::Log;
use crate::rewrite::normalise::name;
use crate::rewrite::patches::Patches;
use crate::{Error, GuestKind};

/// A length that the contents of its record prove to be another one.
const PROVEN: [Rule; 11] = [
    Rule::LibxcPageDataLength,
    Rule::LibxcHvmParamsLength,
    Rule::LibxcTscInfoLength,
    Rule::LibxcSharedInfoLength,
    Rule::LibxcPvInfoLength,
    Rule::LibxcP2mFramesLength,
    Rule::LibxcEndLength,
    Rule::LibxcVerifyLength,
    Rule::LibxcStaticDataEndLength,
    Rule::LibxlEndLength,
    Rule::LibxlLibxcContextLength,
];

/// Corrects the first wrong length, where the rest of its record says what it is. Only the rest of the stream shows
/// whether that is right.
pub(super) fn length(document: &Document<'_>, violation: &Violation, log: &mut Log) -> Option<Patches> {
    let expected =
        u32::try_from(violation.expected.number()?).ok().filter(|_| PROVEN.contains(&violation.rule))?;
    let order = if violation.layer() == Layer::Libxl { document.libxl } else { document.libxc };
    let mut patches = Patches::default();
    if !patches.put(violation.offset, &order.put_u32(expected)) {
        return None;
    }
    let place = violation.record.and_then(|record| record.type_name()).unwrap_or("record");
    log.change(violation.offset, place, "body_length", violation.found, expected);
    Some(patches)
}

/// Appends what ends a stream of which everything else is there. Says what is in the way otherwise.
pub(super) fn ends(document: &mut Document<'_>, kind: Option<GuestKind>, log: &mut Log) -> Result<(), Error> {
    if document.ended {
        return Ok(());
    }
    if let Some(reason) = against(document, kind)? {
        log.obstacle(document.end, "stream", reason, None);
        return Ok(());
    }
    if document.is_torn
        && let Some(last) = document.pieces.last_mut()
    {
        // Its body is there, and some of the padding.
        let missing = padding(last.body.end - last.body.start).saturating_sub(document.end - last.body.end);
        log.change(document.end, name(last.part), "padding", "cut off", "zero");
        // Padding is shorter than 8 bytes.
        last.pad = missing as u8;
    }
    let has = |document: &Document<'_>, part| document.pieces.iter().any(|piece| piece.part == part);
    let mut append = |document: &mut Document<'_>, part, bytes: Vec<u8>| {
        log.change(document.end, name(part), "record", "absent", "present");
        document.pieces.push(Piece::made(part, bytes));
    };
    let end = Part::LibxcRecord(types::END);
    if !has(document, end) {
        append(document, end, record_bytes(end, document.libxc, &[]));
    }
    let end = Part::LibxlRecord(libxl::types::END);
    if has(document, Part::Libxl) && !has(document, end) {
        append(document, end, record_bytes(end, document.libxl, &[]));
    }
    let end = Part::XenopsdRecord(xenopsd::types::END_OF_IMAGE);
    if has(document, Part::Xenopsd) && !has(document, end) {
        let bytes = [xenopsd::types::END_OF_IMAGE, 0].map(u64::to_le_bytes).concat();
        append(document, end, bytes);
    }
    document.ended = true;
    Ok(())
}

/// Why it is not certain that nothing but an end is missing, if it is not.
fn against(document: &Document<'_>, kind: Option<GuestKind>) -> Result<Option<String>, Error> {
    let has = |part: Part| document.pieces.iter().any(|piece| piece.part == part);
    let record = |kind| has(Part::LibxcRecord(kind));
    let Some(last) = document.pieces.last() else {
        return Ok(Some("none of the guest is there".into()));
    };
    if record(types::CHECKPOINT) {
        return Ok(Some("it has checkpoints; --plain ends it at the last one".into()));
    }
    if document.is_torn && last.body.end > document.end || last.part == Part::Pages {
        return Ok(Some(format!(
            "it ends inside or after {}: the rest of the guest is missing",
            name(last.part)
        )));
    }
    // What is there of another header has to be the start of an END.
    let torn = document.read(last.range.end..document.end)?;
    if torn.iter().any(|byte| *byte != 0) {
        return Ok(Some("it ends inside the header of a record, whose contents are missing".into()));
    }
    if !record(types::END) && document.guest != Some(Guest::Hvm) {
        return Ok(Some(
            "END of a PV guest's stream is missing: the state of another vcpu may be missing too".into(),
        ));
    }
    if !record(types::END) {
        let state = [types::X86_TSC_INFO, types::HVM_CONTEXT, types::HVM_PARAMS];
        if let Some(missing) = state.into_iter().find(|kind| !record(*kind)) {
            let name = name(Part::LibxcRecord(missing));
            return Ok(Some(format!("{name} has not come: state of the guest is missing, or may be")));
        }
    }
    let has_model = has(Part::LibxlRecord(libxl::types::EMULATOR_CONTEXT))
        || has(Part::XenopsdRecord(xenopsd::types::QEMU_TRAD));
    if kind == Some(GuestKind::Hvm) && !has_model && document.format != crate::Format::Libxc {
        return Ok(Some("the device model's state is missing".into()));
    }
    Ok(None)
}
