//! Structures that [`wire`](xenstream_core::wire) declares: built by the names of their fields, and changed field by
//! field.
//!
//! Offsets, widths and byte orders come from the tables. So do the values that are worth trying: those at the borders
//! of what a field may hold.
//!
//! ```
//! use xenstream_core::wire::{Order, headers};
//! use xenstream_synth::flat::Flat;
//!
//! let header = Flat::new(&headers::RECORD).with("type", 1).with("body_length", 24);
//! assert_eq!(header.body().bytes(Order::Little), [1, 0, 0, 0, 24, 0, 0, 0]);
//! ```

use std::collections::BTreeSet;

use xenstream_core::wire::hvm;
use xenstream_core::wire::layout::{ByteOrder, Check, Field as Declared, Layout, Placed, Repeat, Show};
use xenstream_core::wire::{Order, headers, structures};
use xenstream_core::{Layer, RecordRef};

use crate::body::{Body, Field, usize_of};
use crate::item::{EntryPlace, Item, Part};
use crate::places::BODY;
use crate::stream::Stream;

/// A declared structure, zero where nothing was set.
#[derive(Clone, Debug)]
pub struct Flat {
    layout: &'static Layout,
    length: u64,
    /// What was set, by offset. Most structures are zeros but for a few fields.
    set: Vec<(u64, Field)>,
}

impl Flat {
    /// As long as its fixed fields.
    #[must_use]
    pub fn new(layout: &'static Layout) -> Flat {
        Flat { layout, length: layout.size(), set: Vec::new() }
    }

    /// Gives it another length, which may cut fields off.
    #[must_use]
    pub fn of_length(self, length: u64) -> Flat {
        Flat { length, ..self }
    }

    /// With this value in a field, of its first element if there are several.
    ///
    /// # Panics
    /// The structure has no such field.
    #[must_use]
    #[track_caller]
    pub fn with(mut self, field: &str, value: u64) -> Flat {
        let Placed { field, offset, .. } = find(self.layout, field);
        self.put(offset, number(self.layout.order, field.width, value));
        self
    }

    /// With these bytes in an area.
    ///
    /// # Panics
    /// The structure has no such field.
    #[must_use]
    #[track_caller]
    pub fn holding(mut self, field: &str, bytes: impl Into<Vec<u8>>) -> Flat {
        self.put(offset_of(self.layout, field), Field::Bytes(bytes.into()));
        self
    }

    /// With one more of the elements at its end, zero in the fields that are not named.
    ///
    /// # Panics
    /// The structure does not end in elements, or they have no such field.
    #[must_use]
    #[track_caller]
    pub fn entry(mut self, values: &[(&str, u64)]) -> Flat {
        let group = self.layout.groups.iter().find(|group| group.repeat == Repeat::ToEnd);
        let group = group.expect("a structure that ends in elements");
        let start = self.length.max(u64::from(group.at));
        let is_run =
            self.layout.order == ByteOrder::Stream && group.fields.iter().all(|field| field.width == 8);
        if is_run {
            // A run of 64-bit fields stays together, as that of an item's entries.
            let value = |field: &Declared| values.iter().find(|(name, _)| field.name == *name);
            let run = group.fields.iter().map(|field| value(field).map_or(0, |(_, value)| *value));
            match self.set.last_mut() {
                Some((at, Field::U64s(before))) if *at == u64::from(group.at) => before.extend(run),
                _ => self.put(start, Field::U64s(run.collect())),
            }
            self.length = start + u64::from(group.stride);
            return self;
        }
        for (name, value) in values {
            let field = group.fields.iter().find(|field| field.name == *name).expect("a field of an element");
            self.put(start + u64::from(field.at), number(self.layout.order, field.width, *value));
        }
        self.length = start + u64::from(group.stride);
        self
    }

    fn put(&mut self, at: u64, value: Field) {
        match self.set.binary_search_by_key(&at, |(at, _)| *at) {
            Ok(index) => self.set[index].1 = value,
            Err(index) => self.set.insert(index, (at, value)),
        }
    }

    /// The fields in a row.
    #[must_use]
    pub fn body(&self) -> Body {
        let (mut body, mut end) = (Body::new(), 0);
        for (at, field) in self.set.iter().filter(|(at, _)| *at < self.length) {
            body = zeros(body, at - end);
            let rest = self.length - at;
            end = at + field.size().min(rest);
            body = match field {
                field if field.size() <= rest => body.with(field.clone()),
                // Cut off.
                field => {
                    let mut bytes = Vec::new();
                    field.write(Order::Little, &mut bytes);
                    bytes.truncate(usize_of(rest));
                    body.raw(bytes)
                }
            };
        }
        zeros(body, self.length - end)
    }

    /// The bytes of a structure whose byte order is not that of the stream.
    ///
    /// # Panics
    /// It is.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        assert_ne!(self.layout.order, ByteOrder::Stream, "{} is in the stream's order", self.layout.name);
        self.body().bytes(Order::Little)
    }
}

fn zeros(body: Body, n: u64) -> Body {
    if n == 0 { body } else { body.zeros(n) }
}

#[track_caller]
fn find(layout: &'static Layout, field: &str) -> Placed {
    match layout.find(field) {
        Some(placed) => placed,
        None => panic!("{} has no field {field}", layout.name),
    }
}

/// Offset of a field from the start of its structure, in its first element.
///
/// # Panics
/// The structure has no such field.
#[must_use]
#[track_caller]
pub fn offset_of(layout: &'static Layout, field: &str) -> u64 {
    find(layout, field).offset
}

/// A number of at most 8 bytes in this order.
fn number(order: ByteOrder, width: u32, value: u64) -> Field {
    match order {
        ByteOrder::Stream => Field::Number(width, value),
        ByteOrder::Little => Field::Bytes(Order::Little.put_number(width, value)[..width as usize].to_vec()),
        ByteOrder::Big => Field::Bytes(Order::Big.put_number(width, value)[..width as usize].to_vec()),
    }
}

/// A declared field at its place in an item.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct InItem {
    /// The structure.
    pub layout: &'static Layout,
    /// The field.
    pub field: &'static Declared,
    /// Offset from the item's first byte.
    pub at: u64,
    /// Index of the entry of HVM_CONTEXT that the field is in.
    pub entry: Option<usize>,
}

impl InItem {
    /// What to write over it for this value.
    #[must_use]
    pub fn holding(&self, value: u64) -> Field {
        number(self.layout.order, self.field.width, value)
    }
}

/// Every declared field of an item that is a number and there whole, by ascending offset.
#[must_use]
pub fn fields(item: &Item) -> Vec<InItem> {
    fields_of(item.part(), item.body_at(), item.body_size(), item.entries())
}

/// The same of the item's parts.
pub(crate) fn fields_of(part: Part, body_at: u64, body_size: u64, entries: &[EntryPlace]) -> Vec<InItem> {
    let mut found = Vec::new();
    let mut add = |layout: &'static Layout, start: u64, length: u64, entry| {
        let whole = layout.fields(length).filter(|placed| {
            let width = u64::from(placed.field.width);
            (1..=8).contains(&width) && placed.offset + width <= length
        });
        found.extend(whole.map(|placed| InItem {
            layout,
            field: placed.field,
            at: start + placed.offset,
            entry,
        }));
    };
    let size = body_at + body_size;
    match part {
        Part::Xl => add(&headers::XL, 0, size, None),
        Part::XlData => add(&headers::XL_CONFIG, 0, size, None),
        Part::Libvirt => add(&headers::LIBVIRT, 0, size, None),
        Part::Libxl => add(&headers::LIBXL, 0, size, None),
        Part::Image => add(&headers::LIBXC_IMAGE, 0, size, None),
        Part::Domain => add(&headers::LIBXC_DOMAIN, 0, size, None),
        Part::Record(layer, kind) => {
            let header = if layer == Layer::Xenopsd { &headers::XENOPSD_RECORD } else { &headers::RECORD };
            add(header, 0, body_at, None);
            let mut start = body_at;
            let end = size;
            let structures = structures::of_body(layer, kind, end - start);
            for (n, layout) in structures.iter().enumerate() {
                let rest = end.saturating_sub(start);
                let length = if n + 1 < structures.len() { layout.size().min(rest) } else { rest };
                add(layout, start, length, None);
                start += length;
            }
            for (n, entry) in entries.iter().enumerate() {
                let start = body_at + entry.offset;
                add(&headers::HVM_ENTRY, start, hvm::ENTRY_HEADER, Some(n));
                let start = start + hvm::ENTRY_HEADER;
                let length = entry.length.min(end.saturating_sub(start));
                for layout in structures::of_body(Layer::Hvm, entry.typecode.into(), length) {
                    add(layout, start, length, Some(n));
                }
            }
        }
        Part::LibvirtXml | Part::Xenopsd | Part::Loose => {}
    }
    found
}

/// Values of a field at the borders of what it may hold: of its width, of what it is compared with, and of what is known
/// by name.
#[must_use]
pub fn borders(field: &Declared) -> Vec<u64> {
    let bits = 8 * field.width.clamp(1, 8);
    let most = u64::MAX >> (64 - bits);
    let half = 1 << (bits - 1);
    let mut values = BTreeSet::from([0, 1, half - 1, half, most - 1, most]);
    let mut around = |value: u64| values.extend([value.wrapping_sub(1), value, value.wrapping_add(1)]);
    match field.show {
        Show::Named(names) => names.iter().for_each(|(value, _)| around(*value)),
        Show::Flags(flags) => {
            let known =
                flags.iter().fold(0, |known, flag| known | 1u64.checked_shl(flag.bit.into()).unwrap_or(0));
            [known, most & !known].into_iter().for_each(&mut around);
        }
        Show::Hex | Show::Decimal | Show::Bytes => {}
    }
    for check in field.checks {
        compared(check, &mut around);
    }
    values.retain(|value| *value <= most);
    values.into_iter().collect()
}

/// The values at the borders of a check.
fn compared(check: &Check, around: &mut impl FnMut(u64)) {
    match *check {
        Check::Zero(_) | Check::By(_) => {}
        Check::Is(value, _) | Check::AtMost(value, _) | Check::AtLeast(value, _) => around(value),
        Check::Between(least, most, _) => [least, most].into_iter().for_each(around),
        Check::Within(mask, _) | Check::Has(mask, _) => {
            // The lowest bit and the highest one on either side of the mask.
            let bits = [mask, !mask].map(|mask| {
                [1u64.checked_shl(mask.trailing_zeros()), mask.checked_ilog2().map(|bit| 1 << bit)]
            });
            bits.into_iter().flatten().flatten().for_each(|bit| {
                around(bit);
                around(mask ^ bit);
            });
            around(mask);
        }
        Check::OneOf(values, _) => values.iter().copied().for_each(around),
        Check::Canonical(_) => [1 << 47, u64::MAX << 47].into_iter().for_each(around),
        Check::GuestAddress(_) => [1 << 47, 0xFFFF_8800_0000_0000].into_iter().for_each(around),
        Check::For(_, check) => compared(check, around),
    }
}

/// A stream with one declared field changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mutation {
    /// The field.
    pub place: InItem,
    /// What it holds now.
    pub value: u64,
    /// Absolute offset of the field.
    pub offset: u64,
    /// The record that it is in.
    pub record: Option<RecordRef>,
    /// The stream.
    pub stream: Stream,
}

/// The stream with each of its declared fields at each of its [borders] in turn. Where elements repeat, the first and
/// the last one are changed.
pub fn mutations(stream: &Stream) -> impl Iterator<Item = Mutation> + '_ {
    stream.items().iter().enumerate().flat_map(move |(index, item)| {
        let all = fields(item);
        let ends: Vec<InItem> = all
            .iter()
            .enumerate()
            .filter(|(n, place)| {
                let same =
                    |other: &InItem| other.field.name == place.field.name && other.entry == place.entry;
                !all[..*n].iter().any(same) || !all[n + 1..].iter().any(same)
            })
            .map(|(_, place)| *place)
            .collect();
        ends.into_iter().flat_map(move |place| {
            borders(place.field).into_iter().map(move |value| {
                let changed = item.clone().edited(place.at, place.holding(value));
                Mutation {
                    place,
                    value,
                    offset: stream.offset(index) + place.at,
                    record: record_of(stream, index, place),
                    stream: stream.clone().with_item(index, changed),
                }
            })
        })
    })
}

/// The record, or the entry of HVM_CONTEXT, that a field of an item is in.
pub(crate) fn record_of(stream: &Stream, index: usize, place: InItem) -> Option<RecordRef> {
    let Some(n) = place.entry else { return stream.record(index) };
    let entry = stream.items()[index].entries()[n];
    let offset = stream.offset(index) + BODY + entry.offset;
    Some(RecordRef { layer: Layer::Hvm, index: n as u64, kind: Some(entry.typecode.into()), offset })
}
