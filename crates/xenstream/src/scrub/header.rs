//! Headers of streams and records: what may be bytes of anything, where an earlier length lied, is kept only as far as
//! it is likely, and what is wrong stays wrong.

use xenstream_core::wire::libxc::{self, page};
use xenstream_core::wire::{Order, libvirt, xl};
use xenstream_core::{Framing, Layer, Leave, Rule};

/// What stands for a byte that must not be what it is, so that it is still wrong.
pub(super) const WRONG: u8 = 1;

/// Types of records that are known or will be for a long time: larger numbers are no types.
const TYPES: u32 = 0x1000;

/// No record has this type.
const NO_TYPE: u32 = 0x7FFF_FFFF;

/// Versions, and other numbers that are small by nature.
const SMALL: u32 = 0xFFFF;

/// Pfns that any limit allows: those of a guest of 256 TiB.
pub(super) const PFNS: u64 = 1 << 36;

/// A field that is no likely number becomes the least likely.
pub(super) fn number_up_to(order: Order, most: u32, field: &mut [u8]) {
    if field.first_chunk().is_some_and(|bytes| order.u32(*bytes) > most) {
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
        if page::is_reserved(kind) || entry & page::RESERVED != 0 || entry & page::PFN >= PFNS {
            // Whatever the pfn is, it is as much in range as it was: the restorer ignores reserved bits.
            let pfn = if entry & page::PFN >= PFNS { page::PFN } else { 0 };
            let reserved = if entry & page::RESERVED == 0 { 0 } else { page::RESERVED };
            *word = order.put_u64(kind << page::TYPE_SHIFT | reserved | pfn);
        }
    }
}

/// The xl header.
pub(super) fn likely_xl(order: Order, held: &mut [u8]) {
    const KNOWN: u32 = xl::FLAG_JSON | xl::FLAG_STREAM_V2;
    let at = |offset: u64| offset as usize..offset as usize + 4;
    let Some(header) = held.last_chunk_mut::<{ xl::HEADER as usize }>() else { return };
    let flags = &mut header[at(xl::at::MANDATORY_FLAGS)];
    let value = order.u32([flags[0], flags[1], flags[2], flags[3]]);
    if value & !KNOWN > SMALL {
        flags.copy_from_slice(&order.put_u32(value & KNOWN | 1 << 31));
    }
    wrong_unless_zero(&mut header[at(xl::at::OPTIONAL_FLAGS)]);
}

/// The libvirt header, or what there is of it.
pub(super) fn likely_libvirt(order: Order, held: &mut [u8]) {
    let fields = (libvirt::at::VERSION as usize).min(held.len());
    let unused = (libvirt::at::UNUSED as usize).min(held.len());
    number_up_to(order, SMALL, held[fields..].chunks_mut(4).next().unwrap_or_default());
    for word in held[unused..].chunks_mut(4) {
        wrong_unless_zero(word);
    }
}

/// The libxc image header.
pub(super) fn likely_image(held: &mut [u8]) {
    if let Some(header) = held.last_chunk_mut::<{ libxc::IMAGE_HEADER as usize }>() {
        let (halves, word) = header[libxc::image_at::RESERVED as usize..].split_at_mut(2);
        wrong_unless_zero(halves);
        wrong_unless_zero(word);
    }
}

/// The libxc domain header.
pub(super) fn likely_domain(order: Order, held: &mut [u8]) {
    use libxc::domain_at::{RESERVED, XEN_MAJOR, XEN_MINOR};
    if let Some(header) = held.last_chunk_mut::<{ libxc::DOMAIN_HEADER as usize }>() {
        wrong_unless_zero(&mut header[RESERVED as usize..XEN_MAJOR as usize]);
        number_up_to(order, SMALL, &mut header[XEN_MAJOR as usize..XEN_MINOR as usize]);
        number_up_to(order, SMALL, &mut header[XEN_MINOR as usize..]);
    }
}

/// The header of a record of libxl or libxc: its type is kept if it is a likely one.
pub(super) fn likely_type(order: Order, held: &mut [u8]) {
    let Some(header) = held.last_chunk_mut::<8>() else { return };
    let kind = order.pair(*header).0;
    let optional = kind & libxc::types::OPTIONAL;
    if kind & !libxc::types::OPTIONAL >= TYPES {
        let unlikely = if optional == 0 { NO_TYPE } else { optional };
        header[..4].copy_from_slice(&order.put_u32(unlikely));
    }
}

/// A header that ends in the length at which this rule was broken.
pub(super) fn wrong_length(rule: Rule, leave: Leave, order: Order, held: &mut [u8]) {
    let order = if rule.layer() == Layer::Libvirt { libvirt_order(held) } else { order };
    match rule.layer() {
        Layer::Libvirt => likely_libvirt(order, held),
        Layer::Libxl | Layer::Libxc => likely_type(order, held),
        Layer::Stream | Layer::Xl | Layer::Xenopsd | Layer::Hvm | Layer::Pv | Layer::Qemu => {}
    }
    leave_of_field(rule, leave, order, held);
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
pub(super) fn refused(rule: Rule, order: Order, held: &mut [u8]) {
    match rule.entry().framing {
        Framing::Lost { leave, .. } | Framing::Ends { leave } => leave_of_field(rule, leave, order, held),
        // Not a rule on headers: what has begun after it is not known.
        Framing::Kept => held.fill(0),
    }
}

/// Leaves of the field at the end, where this rule was broken, what the catalogue lets a scrubber leave.
fn leave_of_field(rule: Rule, leave: Leave, order: Order, held: &mut [u8]) {
    /// Longer than what has a length of its own, and a multiple of nothing.
    const LONG: u32 = 0x00FF_FFFF;
    let field = put_at(held, usize::from(rule.entry().field.bytes(8)));
    match leave {
        Leave::Zeros => field.fill(0),
        Leave::Small | Leave::Length if is_small(field) => {}
        Leave::Ones | Leave::Small => field.fill(0xFF),
        Leave::Length if field.len() == 8 => field.copy_from_slice(&i64::MAX.to_le_bytes()),
        Leave::Length => put(held, 4, &order.put_u32(LONG)),
        Leave::Type if rule.layer() == Layer::Xenopsd => {
            if let Some(header) = held.last_chunk_mut::<16>() {
                let (kind, length) = header.split_at_mut(8);
                if !is_small(kind) {
                    kind.copy_from_slice(&u64::from(NO_TYPE).to_le_bytes());
                }
                length.fill(0);
            }
        }
        Leave::Type => {
            likely_type(order, held);
            put(held, 4, &[0; 4]);
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

/// The last `n` bytes, none if there are not so many.
fn put_at(held: &mut [u8], n: usize) -> &mut [u8] {
    let start = held.len().checked_sub(n).unwrap_or(held.len());
    &mut held[start..]
}

fn put(held: &mut [u8], n: usize, bytes: &[u8]) {
    let field = put_at(held, n);
    if field.len() == bytes.len() {
        field.copy_from_slice(bytes);
    }
}
