//! How flat structures are declared: every field once, with all that is known of it.
//!
//! A flat structure has fields at fixed offsets, or entries of one size that repeat. Checks, decoding, scrubbing,
//! building and documentation all read these tables; a byte that no field declares is unknown.

use crate::rule::Rule;
use crate::targets::Fact;
use crate::wire::Order;
pub use crate::wire::hooks::{
    HeaderHook, Hook, HvmHook, LibvirtHook, LibxcHook, LibxlHook, PolicyHook, PvHook, RecordHook, XlHook,
};

/// A flat structure.
#[derive(Debug)]
#[non_exhaustive]
pub struct Layout {
    /// The name that the specification or Xen's headers give it.
    pub name: &'static str,
    /// Byte order of its fields.
    pub order: ByteOrder,
    /// Its fields, by ascending offset.
    pub groups: &'static [Group],
}

/// Byte order of a structure's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// The order that the stream's own header tells.
    Stream,
    /// Little-endian, whatever the stream's order is: state of an x86 processor or device.
    Little,
    /// Big-endian, whatever the stream's order is: the stream headers.
    Big,
}

impl ByteOrder {
    /// The order to read by, in a stream of this order.
    #[inline]
    #[must_use]
    pub const fn in_stream(self, stream: Order) -> Order {
        match self {
            ByteOrder::Stream => stream,
            ByteOrder::Little => Order::Little,
            ByteOrder::Big => Order::Big,
        }
    }
}

/// Fields that stand once, or that repeat together.
#[derive(Debug)]
#[non_exhaustive]
pub struct Group {
    /// Offset of the first element, in bytes from the start of the structure.
    pub at: u32,
    /// Size of an element in bytes.
    pub stride: u32,
    /// How often the fields repeat.
    pub repeat: Repeat,
    /// The fields of one element, by ascending offset.
    pub fields: &'static [Field],
    /// Whether any of them has a check: the walk of the verifier passes over a group without one at once.
    is_checked: bool,
}

/// How often a group repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// This often.
    Times(u32),
    /// As long as whole elements are left in the structure.
    ToEnd,
    /// Once, and its only field takes all that is left of the structure.
    Rest,
}

/// One field.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Field {
    /// The specification's name.
    pub name: &'static str,
    /// Offset in bytes from the start of its element.
    pub at: u32,
    /// Width in bytes; at most 8 where the field has a check.
    pub width: u32,
    /// How its value is printed.
    pub show: Show,
    /// What it means, in a few words.
    pub meaning: &'static str,
    /// Whether it stands in a summary of one line.
    pub brief: bool,
    /// What a scrubber may keep.
    pub keep: Keep,
    /// Which of its values are likely enough for a scrubber to keep them; `None` if all are.
    pub likely: Option<Likely>,
    /// What its value is checked for, in order.
    pub checks: &'static [Check],
}

/// How a value is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// As a number in hex.
    Hex,
    /// As a decimal number.
    Decimal,
    /// As the names of its bits.
    Flags(&'static [Flag]),
    /// As a number that may have a name.
    Named(&'static [(u64, &'static str)]),
    /// As bytes: an area without a structure of its own.
    Bytes,
}

/// A named bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flag {
    /// The bit's number.
    pub bit: u8,
    /// Its name.
    pub name: &'static str,
}

/// What a scrubber may keep of a field. A byte that no field keeps becomes zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It tells nothing of the guest's contents, or the stream would not verify without it.
    Always,
    /// It tells what the guest's processor can do or where its pages lie: kept unless the stream is damaged.
    UnlessDamaged,
    /// It is part of the guest's processor or devices: kept unless these are blanked.
    UnlessRegisters,
    /// Reserved or unknown.
    Never,
}

/// The values that a field has in a stream. After a wrong length, any other value may be data of the guest, so a scrubber
/// puts a value in its place that is judged alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Likely {
    /// When a scrubber keeps other values all the same.
    pub keep: Keep,
    /// Bits that are kept of any value, and are not looked at.
    pub bits: u64,
    /// The least value that is not likely.
    pub below: u64,
    /// What another value becomes.
    pub other: u64,
}

impl Likely {
    /// Values below this one; others become `other`.
    #[must_use]
    pub const fn below(below: u64, other: u64) -> Likely {
        Likely { keep: Keep::Never, bits: 0, below, other }
    }

    /// No value: all become `other`.
    #[must_use]
    pub const fn none(other: u64) -> Likely {
        Likely::below(0, other)
    }

    /// The same, keeping these bits of any value.
    #[must_use]
    pub const fn with_bits(self, bits: u64) -> Likely {
        Likely { bits, ..self }
    }

    /// The same, keeping all values unless these are blanked.
    #[must_use]
    pub const fn unless(self, keep: Keep) -> Likely {
        Likely { keep, ..self }
    }

    /// What a value becomes; `None` if it is likely.
    #[must_use]
    pub const fn instead_of(&self, value: u64) -> Option<u64> {
        if value & !self.bits < self.below { None } else { Some(self.other | value & self.bits) }
    }
}

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Zero.
    Zero(Rule),
    /// This value.
    Is(u64, Rule),
    /// At most this value.
    AtMost(u64, Rule),
    /// At least this value.
    AtLeast(u64, Rule),
    /// From the first value to the second.
    Between(u64, u64, Rule),
    /// No bit outside this mask.
    Within(u64, Rule),
    /// Every bit of this mask.
    Has(u64, Rule),
    /// One of these values.
    OneOf(&'static [u64], Rule),
    /// A canonical address: bits 63 to 47 are all the same.
    Canonical(Rule),
    /// A canonical address outside the part of the address space that the hypervisor keeps from its guests.
    GuestAddress(Rule),
    /// Releases refuse a value that does not pass the check by whether they have this fact.
    For(Fact, &'static Check),
    /// What takes more than this value to decide, and is decided by hand: see `verify::flat`.
    By(Hook),
}

impl Check {
    /// The value that the check asks for, where a single number says it.
    #[must_use]
    pub const fn bound(&self) -> u64 {
        match *self {
            Check::Is(bound, _)
            | Check::AtMost(bound, _)
            | Check::AtLeast(bound, _)
            | Check::Between(bound, ..)
            | Check::Within(bound, _)
            | Check::Has(bound, _) => bound,
            Check::For(_, check) => check.bound(),
            Check::Zero(_)
            | Check::OneOf(..)
            | Check::Canonical(_)
            | Check::GuestAddress(_)
            | Check::By(_) => 0,
        }
    }

    /// The rule that a value breaks which does not pass; `None` where a hand-written check says which.
    #[must_use]
    pub const fn rule(&self) -> Option<Rule> {
        match *self {
            Check::Zero(rule)
            | Check::Is(_, rule)
            | Check::AtMost(_, rule)
            | Check::AtLeast(_, rule)
            | Check::Between(.., rule)
            | Check::Within(_, rule)
            | Check::Has(_, rule)
            | Check::OneOf(_, rule)
            | Check::Canonical(rule)
            | Check::GuestAddress(rule) => Some(rule),
            Check::For(_, check) => check.rule(),
            Check::By(_) => None,
        }
    }

    /// A value that passes where a scrubber blanks the field: zero if zero passes. What is decided by hand takes zero.
    #[must_use]
    pub fn blank(&self) -> u64 {
        match *self {
            Check::Is(bound, _)
            | Check::AtLeast(bound, _)
            | Check::Between(bound, ..)
            | Check::Has(bound, _) => bound,
            Check::OneOf(values, _) => values.first().copied().unwrap_or(0),
            Check::For(_, check) => check.blank(),
            Check::Zero(_)
            | Check::AtMost(..)
            | Check::Within(..)
            | Check::Canonical(_)
            | Check::GuestAddress(_)
            | Check::By(_) => 0,
        }
    }

    /// A value of this many bytes that does not pass, whatever the guest; `None` if a field of this width always
    /// passes, or what decides is written by hand.
    #[must_use]
    pub fn refused(&self, width: u32) -> Option<u64> {
        let most = ones(width);
        // Some of the values with one bit set, and of their complements, pass a mask, and some do not.
        let bits = (0..64u32).filter_map(|bit| 1u64.checked_shl(bit));
        let candidates = [most, 0, 1 << 47].into_iter().chain(bits);
        let bounds = [self.bound().wrapping_add(1), self.bound().wrapping_sub(1)];
        bounds.into_iter().chain(candidates).find(|value| *value <= most && !self.passes(*value))
    }

    /// The fact that decides which releases refuse a value that does not pass; `None` if all of them do.
    #[must_use]
    pub const fn fact(&self) -> Option<Fact> {
        match *self {
            Check::For(fact, _) => Some(fact),
            _ => None,
        }
    }

    /// Whether the value passes. What is decided by hand passes here.
    #[inline]
    #[must_use]
    pub fn passes(&self, value: u64) -> bool {
        match *self {
            Check::Zero(_) => value == 0,
            Check::Is(wanted, _) => value == wanted,
            Check::AtMost(bound, _) => value <= bound,
            Check::AtLeast(bound, _) => value >= bound,
            Check::Between(least, most, _) => (least..=most).contains(&value),
            Check::Within(mask, _) => value & !mask == 0,
            Check::Has(mask, _) => value & mask == mask,
            Check::OneOf(values, _) => values.contains(&value),
            Check::Canonical(_) => canonical(value),
            Check::GuestAddress(_) => !(LOWER_HALF_END..HYPERVISOR_END).contains(&value),
            Check::For(_, check) => check.passes(value),
            Check::By(_) => true,
        }
    }
}

/// The largest value of this many bytes.
#[inline]
const fn ones(width: u32) -> u64 {
    match 1u64.checked_shl(width.saturating_mul(8)) {
        Some(bit) => bit.wrapping_sub(1),
        None => u64::MAX,
    }
}
/// The first address after the lower half of the canonical addresses.
const LOWER_HALF_END: u64 = 1 << 47;
/// The first address after the hypervisor's own: it has slots 256 to 271 of a top-level table, which begin the upper half
/// (`HYPERVISOR_VIRT_END` in `public/arch-x86/xen-x86_64.h`).
const HYPERVISOR_END: u64 = 0xFFFF_8800_0000_0000;

/// Whether an address is canonical on a processor with four levels of page tables: bits 63 to 47 are all the same.
#[inline]
#[must_use]
pub const fn canonical(address: u64) -> bool {
    matches!(address >> 47, 0 | 0x1_FFFF)
}

impl Field {
    /// A field of this many bytes, shown in hex and kept unless registers are blanked.
    #[must_use]
    pub const fn new(name: &'static str, at: u32, width: u32, meaning: &'static str) -> Field {
        Field {
            name,
            at,
            width,
            show: Show::Hex,
            meaning,
            brief: false,
            keep: Keep::UnlessRegisters,
            likely: None,
            checks: &[],
        }
    }

    /// The value in the bytes of an element, in this order; `None` if it is not there whole, or an area.
    #[must_use]
    pub fn value(&self, element: &[u8], order: Order) -> Option<u64> {
        let start = self.at as usize;
        let bytes = element.get(start..start.checked_add(self.width as usize)?)?;
        (self.width <= 8).then(|| order.number(bytes))
    }

    /// Puts a value into the bytes of an element, as far as the field is there.
    pub fn put(&self, element: &mut [u8], order: Order, value: u64) {
        let bytes = order.put_number(self.width, value);
        let field = element.iter_mut().skip(self.at as usize);
        field.zip(bytes.iter().take(self.width as usize)).for_each(|(byte, new)| *byte = *new);
    }

    /// A reserved field, of which a scrubber keeps nothing.
    #[must_use]
    pub const fn reserved(name: &'static str, at: u32, width: u32) -> Field {
        Field { keep: Keep::Never, ..Field::new(name, at, width, "reserved") }
    }

    /// The same field, kept whatever is blanked.
    #[must_use]
    pub const fn kept(self) -> Field {
        Field { keep: Keep::Always, ..self }
    }

    /// The same field, kept unless the stream is damaged.
    #[must_use]
    pub const fn kept_if_sound(self) -> Field {
        Field { keep: Keep::UnlessDamaged, ..self }
    }

    /// The same field, of which a scrubber keeps such values only.
    #[must_use]
    pub const fn likely(self, likely: Likely) -> Field {
        Field { likely: Some(likely), ..self }
    }

    /// The same field, shown in summaries of one line.
    #[must_use]
    pub const fn brief(self) -> Field {
        Field { brief: true, ..self }
    }

    /// The same field, shown with the name that its value has.
    #[must_use]
    pub const fn named(self, names: &'static [(u64, &'static str)]) -> Field {
        Field { show: Show::Named(names), ..self }
    }

    /// The same field, shown in decimal.
    #[must_use]
    pub const fn decimal(self) -> Field {
        Field { show: Show::Decimal, ..self }
    }

    /// The same field, shown by the names of its bits.
    #[must_use]
    pub const fn flags(self, flags: &'static [Flag]) -> Field {
        Field { show: Show::Flags(flags), ..self }
    }

    /// The same field, an area of bytes.
    #[must_use]
    pub const fn area(self) -> Field {
        Field { show: Show::Bytes, ..self }
    }

    /// The same field with checks.
    #[must_use]
    pub const fn checked(self, checks: &'static [Check]) -> Field {
        Field { checks, ..self }
    }
}

const fn is_checked(mut fields: &[Field]) -> bool {
    while let [field, others @ ..] = fields {
        if !field.checks.is_empty() {
            return true;
        }
        fields = others;
    }
    false
}

impl Group {
    /// Fields at offsets from the start of the structure.
    #[must_use]
    pub const fn once(fields: &'static [Field]) -> Group {
        Group { at: 0, stride: 0, repeat: Repeat::Times(1), fields, is_checked: is_checked(fields) }
    }

    /// An array: this many elements of `stride` bytes from `at` on.
    #[must_use]
    pub const fn array(at: u32, stride: u32, times: u32, fields: &'static [Field]) -> Group {
        Group { at, stride, repeat: Repeat::Times(times), fields, is_checked: is_checked(fields) }
    }

    /// Elements of `stride` bytes from `at` to the end of the structure.
    #[must_use]
    pub const fn to_end(at: u32, stride: u32, fields: &'static [Field]) -> Group {
        Group { at, stride, repeat: Repeat::ToEnd, fields, is_checked: is_checked(fields) }
    }

    /// A field that takes the rest of the structure from `at` on.
    #[must_use]
    pub const fn rest(at: u32, field: &'static [Field]) -> Group {
        Group { at, stride: 0, repeat: Repeat::Rest, fields: field, is_checked: is_checked(field) }
    }

    /// Bytes of an element, from [the first](Group::at).
    #[must_use]
    pub const fn size(&self) -> u32 {
        match self.repeat {
            Repeat::Times(1) | Repeat::Rest => match self.fields.last() {
                Some(last) => last.at.saturating_add(last.width),
                None => 0,
            },
            _ => self.stride,
        }
    }

    /// How many elements a structure of this length has, whole or cut off.
    #[must_use]
    pub fn elements(&self, length: u64) -> u64 {
        let room = length.saturating_sub(u64::from(self.at));
        match self.repeat {
            Repeat::Times(1) => 1,
            Repeat::Times(times) => u64::from(times),
            Repeat::ToEnd => room.checked_div(u64::from(self.stride)).unwrap_or(0),
            Repeat::Rest => u64::from(room > 0),
        }
    }

    /// Offset of an element from the start of the structure.
    #[must_use]
    pub fn offset(&self, element: u64) -> u64 {
        u64::from(self.at).saturating_add(u64::from(self.stride).saturating_mul(element))
    }
}

/// A field at its place in a structure.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Placed {
    /// The field.
    pub field: &'static Field,
    /// Index of its element, 0 in a group that stands once.
    pub element: u32,
    /// Offset from the start of the structure, in bytes.
    pub offset: u64,
}

impl Layout {
    /// Every field of a structure of this length, by ascending offset. Fields that the length cuts off are among them.
    pub fn fields(&'static self, length: u64) -> impl Iterator<Item = Placed> {
        let mut place = Place::default();
        core::iter::from_fn(move || {
            let placed = self.field(&mut place, length)?;
            place.field = place.field.saturating_add(1);
            Some(placed)
        })
    }

    /// The field with this name, in its first element. At compile time a name that no field has can end the build.
    #[must_use]
    pub const fn find(&self, name: &str) -> Option<Placed> {
        let mut groups = self.groups;
        while let [group, other_groups @ ..] = groups {
            let mut fields = group.fields;
            while let [field, other_fields @ ..] = fields {
                if same(field.name.as_bytes(), name.as_bytes()) {
                    let offset = (group.at as u64).saturating_add(field.at as u64);
                    return Some(Placed { field, element: 0, offset });
                }
                fields = other_fields;
            }
            groups = other_groups;
        }
        None
    }

    /// Offset of the field with this name, in its first element, for constants: a name that no field has does not build.
    pub(crate) const fn offset_of(&self, name: &str) -> u64 {
        match self.find(name) {
            Some(placed) => placed.offset,
            None => panic!("a field of the structure"),
        }
    }

    /// The field that begins at this offset from the start of the structure.
    #[must_use]
    pub fn field_at(&'static self, offset: u64) -> Option<Placed> {
        self.groups.iter().find_map(|group| {
            let from_group = offset.checked_sub(u64::from(group.at))?;
            let repeats = !matches!(group.repeat, Repeat::Times(1) | Repeat::Rest);
            let element = if repeats { from_group.checked_div(u64::from(group.stride))? } else { 0 };
            let is_there = match group.repeat {
                Repeat::Times(times) => element < u64::from(times),
                Repeat::ToEnd | Repeat::Rest => true,
            };
            let field = group
                .fields
                .iter()
                .find(|field| group.offset(element).saturating_add(u64::from(field.at)) == offset)?;
            is_there.then_some(Placed { field, element: u32::try_from(element).ok()?, offset })
        })
    }

    /// Whether the fields of the group in which this one is repeat.
    #[must_use]
    pub fn repeats(&self, field: &Field) -> bool {
        let mut groups = self.groups.iter();
        groups.any(|group| {
            let repeats = !matches!(group.repeat, Repeat::Times(1) | Repeat::Rest);
            repeats && group.fields.iter().any(|other| other.name == field.name)
        })
    }

    /// Bytes up to the end of the last field that every such structure has.
    #[must_use]
    pub fn size(&self) -> u64 {
        let fixed = self.groups.iter().filter_map(|group| match group.repeat {
            Repeat::Times(times) => {
                let last = u64::from(times.saturating_sub(1));
                Some(group.offset(last).saturating_add(u64::from(group.size())))
            }
            Repeat::ToEnd | Repeat::Rest => None,
        });
        fixed.max().unwrap_or(0)
    }

    /// The field with a check at a place, or the first one after it; `None` after the last one.
    // Once for each field that is judged: left to itself, the compiler decides by what else a program instantiates.
    #[inline(always)]
    pub(crate) fn checked_field(&'static self, place: &mut Place, length: u64) -> Option<Placed> {
        loop {
            let group = self.groups.get(usize::from(place.group))?;
            if !group.is_checked {
                *place = Place { group: place.group.saturating_add(1), element: 0, field: 0 };
                continue;
            }
            // Most fields have no check, so they are passed over where nothing else is looked at.
            let rest = group.fields.get(usize::from(place.field)..).unwrap_or(&[]);
            let passed = rest.iter().position(|field| !field.checks.is_empty()).unwrap_or(rest.len());
            place.field = place.field.saturating_add(passed as u8);
            let placed = self.field(place, length)?;
            if !placed.field.checks.is_empty() {
                return Some(placed);
            }
        }
    }

    /// The field at a place, or the first one after it; `None` after the last one of a structure of this length.
    // As for `checked_field`.
    #[inline(always)]
    pub(crate) fn field(&'static self, place: &mut Place, length: u64) -> Option<Placed> {
        loop {
            let group = self.groups.get(usize::from(place.group))?;
            let start = group.offset(u64::from(place.element));
            let more = match group.repeat {
                Repeat::Times(times) => place.element < times,
                Repeat::ToEnd => start.saturating_add(u64::from(group.stride)) <= length,
                Repeat::Rest => place.element == 0 && start < length,
            };
            if !more {
                *place = Place { group: place.group.saturating_add(1), element: 0, field: 0 };
            } else if let Some(field) = group.fields.get(usize::from(place.field)) {
                let offset = start.saturating_add(u64::from(field.at));
                return Some(Placed { field, element: place.element, offset });
            } else {
                *place = Place { group: place.group, element: place.element.saturating_add(1), field: 0 };
            }
        }
    }
}

/// Whether two names are the same, at compile time.
const fn same(mut a: &[u8], mut b: &[u8]) -> bool {
    while let ([first, rest @ ..], [other, others @ ..]) = (a, b) {
        if *first != *other {
            return false;
        }
        (a, b) = (rest, others);
    }
    a.is_empty() && b.is_empty()
}

/// Where a walk through a layout is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) group: u8,
    pub(crate) element: u32,
    pub(crate) field: u8,
}
