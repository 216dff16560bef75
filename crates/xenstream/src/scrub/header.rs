//! Headers of streams and records: what may be bytes of anything, where an earlier length lied, is kept only as far as
//! it is likely, and what is wrong stays wrong.

use xenstream_core::wire::libxc::page;
use xenstream_core::wire::{Order, headers, libvirt};
use xenstream_core::{Framing, Layer, Leave, Rule};

use crate::scrub::Scrub;
use crate::scrub::body::flat::blank;

/// What stands for a byte that must not be what it is, so that it is still wrong.
pub(super) const WRONG: u8 = 1;

/// A field that is no likely number becomes the least likely.
pub(super) fn number_up_to(order: Order, most: u64, field: &mut [u8]) {
    if order.number(field) > most {
        field.fill(0xFF);
    }
}

/// A field that has to be zero stays so, or wrong.
pub(super) fn wrong_unless_zero(field: &mut [u8]) {
    if field.iter().any(|byte| *byte != 0) {
        field.fill(WRONG);
    }
}

/// Entries of PAGE_DATA. One with a type, bits or a pfn that no saver writes keeps its type, and is wrong.
pub(super) fn likely_entries(order: Order, entries: &mut [u8]) {
    let (words, _) = entries.as_chunks_mut::<8>();
    for word in words {
        let entry = order.u64(*word);
        let kind = page::kind(entry);
        if page::is_reserved(kind) || entry & page::RESERVED != 0 || entry & page::PFN >= page::PFN_END {
            // Whatever the pfn is, it is as much in range as it was: the restorer ignores reserved bits.
            let pfn = if entry & page::PFN >= page::PFN_END { page::PFN } else { 0 };
            let reserved = if entry & page::RESERVED == 0 { 0 } else { page::RESERVED };
            *word = order.put_u64(kind << page::TYPE_SHIFT | reserved | pfn);
        }
    }
}

/// The header of a layer's record, or of its stream, at the end of these bytes. What there is of one is blanked as far.
pub(super) fn likely(layer: Layer, order: Order, what: Scrub, held: &mut [u8]) -> &mut [u8] {
    let layouts = headers::of_layer(layer);
    let size: u64 = layouts.iter().map(|layout| layout.size()).sum();
    let header = last(held, size as usize);
    blank(layouts, order, header, what);
    header
}

/// A header that ends in the length at which this rule was broken.
pub(super) fn wrong_length(rule: Rule, leave: Leave, order: Order, what: Scrub, held: &mut [u8]) {
    let order = if rule.layer() == Layer::Libvirt { libvirt_order(held) } else { order };
    likely(rule.layer(), order, what, held);
    leave_of_field(rule, leave, order, what, held);
}

/// The order of a libvirt header, which a known version tells.
fn libvirt_order(held: &[u8]) -> Order {
    let version = held.get(libvirt::at::VERSION as usize..).and_then(|fields| fields.first_chunk());
    match version.map(|bytes| Order::Big.u32(*bytes)) {
        Some(libvirt::VERSION_LEGACY | libvirt::VERSION) => Order::Big,
        _ => Order::Little,
    }
}

/// A header, or the part of one, that ends in the field at which the stream was refused.
pub(super) fn refused(rule: Rule, order: Order, what: Scrub, held: &mut [u8]) {
    match rule.entry().framing {
        Framing::Lost { leave, .. } | Framing::Ends { leave } => {
            leave_of_field(rule, leave, order, what, held);
        }
        // Not a rule on headers: what has begun after it is not known.
        Framing::Kept => held.fill(0),
    }
}

/// Leaves of the field at the end, where this rule was broken, what the catalogue lets a scrubber leave.
fn leave_of_field(rule: Rule, leave: Leave, order: Order, what: Scrub, held: &mut [u8]) {
    /// Longer than what has a length of its own, and a multiple of nothing.
    const LONG: u32 = 0x00FF_FFFF;
    let field = last(held, usize::from(rule.entry().field.bytes(8)));
    match leave {
        Leave::All => {}
        Leave::Nothing | Leave::Zeros => field.fill(0),
        Leave::Small | Leave::Length if is_small(field) => {}
        Leave::Ones | Leave::Small => field.fill(0xFF),
        Leave::Length if field.len() == 8 => field.copy_from_slice(&i64::MAX.to_le_bytes()),
        Leave::Length => {
            if let Some(length) = held.last_chunk_mut() {
                *length = order.put_u32(LONG);
            }
        }
        Leave::Type => {
            let header = likely(rule.layer(), order, what, held);
            // Its length is the second half of it.
            let half = header.len() / 2;
            header[half..].fill(0);
        }
    }
}

/// Whether a number, in either byte order, fits into 16 bits.
fn is_small(field: &[u8]) -> bool {
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    match field.len().checked_sub(2) {
        Some(rest) => is_zero(&field[..rest]) || is_zero(&field[2..]),
        None => true,
    }
}

/// The last `n` bytes, or as many as there are.
fn last(held: &mut [u8], n: usize) -> &mut [u8] {
    let start = held.len().saturating_sub(n);
    &mut held[start..]
}
