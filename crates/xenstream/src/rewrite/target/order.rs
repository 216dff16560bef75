//! Headers and records in the byte order of another processor: what is in them means the same in ours.

use xenstream_core::wire::{Order, libvirt, libxl, xl};
use xenstream_core::{Layer, Rule};

use super::Refused;
use crate::Error;
use crate::rewrite::document::{Document, Part};
use crate::rewrite::log::Log;

/// Turns the header of xl or libvirt, and the records of libxl. Those of libxc hold state as the processor had it, which
/// no other runs.
pub(super) fn little(document: &mut Document<'_>, refused: &Refused, log: &mut Log) -> Result<(), Error> {
    for at in 0..document.pieces.len() {
        let piece = &document.pieces[at];
        let (part, start, length) = (piece.part, piece.range.start, piece.range.end - piece.range.start);
        let (rule, order_at, words) = match part {
            Part::Header(Layer::Xl) => {
                // All of them but the last are in the header itself.
                let words = xl::at::BYTEORDER..(xl::at::CONFIG_LEN + 4).min(length);
                (Rule::XlBigEndian, xl::at::BYTEORDER, words)
            }
            Part::Header(Layer::Libvirt) => {
                (Rule::LibvirtBigEndian, libvirt::at::VERSION, libvirt::at::VERSION..libvirt::HEADER)
            }
            Part::Header(Layer::Libxl) => (Rule::LibxlBigEndian, libxl::at::OPTIONS, 0..0),
            _ => continue,
        };
        if refused.rule(start + order_at, &[rule]).is_none() {
            continue;
        }
        log.change(start + order_at, part.name(), "byte order", "big-endian", "little-endian");
        if part == Part::Header(Layer::Libxl) {
            records(document, start + order_at, log)?;
        } else {
            swap(document, start + words.start, (words.end - words.start) / 4, log)?;
        }
    }
    Ok(())
}

/// Turns the words of every libxl record that is known, and says so in the header's options.
fn records(document: &mut Document<'_>, options_at: u64, log: &mut Log) -> Result<(), Error> {
    let options = document.read(options_at..options_at + 4)?;
    let options = options.first_chunk().map_or(0, |word| Order::Big.u32(*word));
    let options = Order::Big.put_u32(options & !libxl::OPTION_BIG_ENDIAN);
    // Where there is no room, that is in the way.
    let _put = document.patch(options_at, &options, "libxl header", log);
    for at in 0..document.pieces.len() {
        let piece = &document.pieces[at];
        // Those that are not in the input are ends, of zeros only.
        let (Part::Record(Layer::Libxl, kind), None) = (piece.part, &piece.new) else { continue };
        let body = match kind {
            libxl::types::EMULATOR_XENSTORE_DATA | libxl::types::EMULATOR_CONTEXT => 2,
            libxl::types::CHECKPOINT_STATE => 1,
            _ => 0,
        };
        swap(document, piece.range.start, 2 + body, log)?;
    }
    document.libxl = Order::Little;
    Ok(())
}

/// Turns words of the input.
fn swap(document: &mut Document<'_>, offset: u64, words: u64, log: &mut Log) -> Result<(), Error> {
    let mut bytes = document.read(offset..offset + 4 * words)?;
    bytes.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    // Where there is no room, that is in the way.
    let _put = document.patch(offset, &bytes, "stream", log);
    Ok(())
}
