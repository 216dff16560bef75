//! Repairs what is certain: nothing of the guest is made up.

use xenstream_core::wire::libxc::{self, Length, types};
use xenstream_core::wire::libxl;
use xenstream_core::wire::types::{Data, RecordType};
use xenstream_core::{Guest, Layer, Rule, Violation};

use crate::rewrite::document::{Document, Part, Piece, padding};
use crate::rewrite::log::Log;
use crate::rewrite::normalise::hvm_state;
use crate::rewrite::patches::Patches;
use crate::{Error, GuestKind};

/// Whether a rule is on a length that the contents of its record prove to be another one: counts say it, or every such
/// record has the same.
fn is_proven(rule: Rule) -> bool {
    let counted = [Rule::LibxcPageDataLength, Rule::LibxcHvmParamsLength, Rule::LibxcP2mFramesLength];
    let is_fixed = |known: &libxc::Record| matches!(known.length, Length::Exactly(_, broken) | Length::Start(_, broken) if broken == rule);
    counted.contains(&rule)
        || libxc::RECORDS.iter().any(is_fixed)
        || libxl::RECORDS.iter().any(|known| known.rule == rule && known.least == known.most)
}

/// Corrects the first wrong length, where the rest of its record says what it is. Only the rest of the stream shows
/// whether that is right.
pub(super) fn length(document: &Document<'_>, violation: &Violation, log: &mut Log) -> Option<Patches> {
    let expected = u32::try_from(violation.expected.number()?).ok().filter(|_| is_proven(violation.rule))?;
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
        let padding = padding(last.part.layer(), last.body.end - last.body.start);
        let missing = padding.saturating_sub(document.end - last.body.end);
        log.change(document.end, last.part.name(), "padding", "cut off", "zero");
        // Padding is shorter than 8 bytes.
        last.pad = missing as u8;
    }
    // The innermost stream ends first.
    let headers = document.pieces.iter().filter_map(|piece| match piece.part {
        Part::Header(layer) => Part::end(layer),
        _ => None,
    });
    for end in headers.collect::<Vec<_>>().into_iter().rev() {
        if !document.pieces.iter().any(|piece| piece.part == end) {
            log.change(document.end, end.name(), "record", "absent", "present");
            document.pieces.push(Piece::record(end, document.order(end), &[]));
        }
    }
    document.ended = true;
    Ok(())
}

/// Why it is not certain that nothing but an end is missing, if it is not.
fn against(document: &Document<'_>, kind: Option<GuestKind>) -> Result<Option<String>, Error> {
    let has = |part: Part| document.pieces.iter().any(|piece| piece.part == part);
    let record = |kind| has(Part::libxc(kind));
    let Some(last) = document.pieces.last() else {
        return Ok(Some("none of the guest is there".into()));
    };
    if record(types::CHECKPOINT) {
        return Ok(Some("it has checkpoints; --plain ends it at the last one".into()));
    }
    if document.is_torn && last.body.end > document.end || last.part == Part::Pages {
        return Ok(Some(format!(
            "it ends inside or after {}: the rest of the guest is missing",
            last.part.name()
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
    if !record(types::END)
        && let Some(missing) = hvm_state().find(|part| !has(*part))
    {
        let name = missing.name();
        return Ok(Some(format!("{name} has not come: state of the guest is missing, or may be")));
    }
    let is_model = |known: &RecordType| known.data == Data::DeviceModel;
    let has_model = document.pieces.iter().any(|piece| piece.part.record_type().is_some_and(is_model));
    if kind == Some(GuestKind::Hvm) && !has_model && document.format != crate::Format::Libxc {
        return Ok(Some("the device model's state is missing".into()));
    }
    Ok(None)
}
