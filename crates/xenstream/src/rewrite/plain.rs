//! Makes an ordinary stream of a checkpointed one, of Remus or COLO: the guest as it was at a checkpoint, as a restorer
//! that fails over has it.

use std::collections::BTreeMap;

use xenstream_core::Layer;
use xenstream_core::wire::libxc::types;
use xenstream_core::wire::libxl;
use xenstream_core::wire::types::Topic;

use crate::rewrite::document::{Document, Part, Piece};
use crate::rewrite::log::Log;

/// One round: up to a checkpoint that is complete.
#[derive(Debug, Default)]
struct Round {
    /// Index of the first piece after it.
    end: usize,
}

/// Ends the stream at a checkpoint, counting from 1, or at the last complete one. A stream without checkpoints stays as
/// it is.
pub(super) fn plain(document: &mut Document<'_>, checkpoint: Option<u64>, log: &mut Log) {
    let rounds = rounds(document);
    let complete = rounds.len() as u64;
    if complete == 0 {
        if let Some(checkpoint) = checkpoint {
            log.obstacle(
                document.end,
                "stream",
                format!("it has no checkpoint {checkpoint}, and none at all"),
                None,
            );
        } else if document.find(types::CHECKPOINT).is_some() {
            log.obstacle(
                document.end,
                "stream",
                "no checkpoint is complete: the guest is not all there",
                None,
            );
        }
        return;
    }
    let chosen = checkpoint.unwrap_or(complete);
    let Some(round) = chosen.checked_sub(1).and_then(|n| rounds.get(usize::try_from(n).ok()?)) else {
        let reason = format!("it has no checkpoint {chosen}; the complete ones are 1 to {complete}");
        log.obstacle(document.end, "stream", reason, None);
        return;
    };
    let mut pieces: Vec<Piece> = std::mem::take(&mut document.pieces);
    let last = pieces.drain(..round.end).collect::<Vec<_>>();
    let dropped = pieces.len() as u64;
    document.pieces = ordinary(last, document);
    if dropped > 0 {
        log.change(document.end, "after the checkpoint", "records and runs of pages", dropped, "absent");
    }
    log.change(0, "stream", "checkpoints", complete, format!("none; it ends at checkpoint {chosen}"));
    document.ended = true;
}

/// The rounds that are complete. Inside libxl each ends with CHECKPOINT_END, in a bare libxc stream with CHECKPOINT.
fn rounds(document: &Document<'_>) -> Vec<Round> {
    let in_libxl = document.pieces.iter().any(|piece| piece.part == Part::Header(Layer::Libxl));
    let end =
        if in_libxl { Part::libxl(libxl::types::CHECKPOINT_END) } else { Part::libxc(types::CHECKPOINT) };
    let is_whole = |piece: &Piece| piece.range.end <= document.end;
    let ends = document.pieces.iter().enumerate().filter(|(_, piece)| piece.part == end && is_whole(piece));
    ends.map(|(at, _)| Round { end: at + 1 }).collect()
}

/// The pieces of a stream that ends here: registers and the device model as they were last, and the memory of all rounds.
fn ordinary(pieces: Vec<Piece>, document: &Document<'_>) -> Vec<Piece> {
    let in_libxl = pieces.iter().any(|piece| piece.part == Part::Header(Layer::Libxl));
    // Where the last round begins that has registers of a kind. Records that set nothing leave those of earlier rounds.
    let mut starts = BTreeMap::new();
    let mut start = 0;
    for (at, piece) in pieces.iter().enumerate() {
        match piece.part {
            Part::Record(Layer::Libxc, types::CHECKPOINT)
            | Part::Record(Layer::Libxl, libxl::types::CHECKPOINT_END) => {
                start = at + 1;
            }
            part => {
                if let Some(kind) = registers(part).filter(|_| !piece.is_void()) {
                    starts.insert(kind, start);
                }
            }
        }
    }
    let mut stream = Vec::new();
    let (mut emulator, mut rest) = (BTreeMap::new(), Vec::new());
    for (at, piece) in pieces.into_iter().enumerate() {
        match piece.part {
            Part::Record(Layer::Libxc, types::CHECKPOINT | types::END)
            | Part::Record(
                Layer::Libxl,
                libxl::types::CHECKPOINT_END | libxl::types::CHECKPOINT_STATE | libxl::types::END,
            ) => {}
            Part::Record(
                Layer::Libxl,
                kind @ (libxl::types::EMULATOR_XENSTORE_DATA | libxl::types::EMULATOR_CONTEXT),
            ) => {
                emulator.insert(kind, piece);
            }
            part => match registers(part) {
                Some(kind) if starts.get(&kind).is_some_and(|start| at < *start) => {}
                Some(_) => rest.push(piece),
                None => stream.push(piece),
            },
        }
    }
    stream.append(&mut rest);
    stream.push(Piece::record(Part::libxc(types::END), document.libxc, &[]));
    if in_libxl {
        stream.extend(emulator.into_values());
        stream.push(Piece::record(Part::libxl(libxl::types::END), document.libxl, &[]));
    }
    stream
}

/// The kind of state that a record of the vcpus or the hypervisor's devices is, which each round sends anew.
fn registers(part: Part) -> Option<u64> {
    part.record_type().filter(|known| known.topic == Topic::Registers).map(|known| known.number)
}
