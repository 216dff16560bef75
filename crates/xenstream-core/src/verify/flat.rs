//! Walks through flat structures: skips the fields without a check and judges the others, as declared by the tables in
//! [`crate::wire`].
//!
//! A structure may be shorter than its table if Xen extends it with zeros. Fields that are cut off are judged as Xen sees
//! them, with zeros in place of the missing bytes.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::targets::Fact;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::{self, Bytes, Marker, Stop};
use crate::violation::RecordRef;
use crate::wire::Order;
use crate::wire::layout::{Check, HeaderHook, Hook, Layout, Place, Placed};

/// A walk through one structure.
#[derive(Clone, Debug)]
pub(crate) struct State {
    layout: &'static Layout,
    /// Byte order of the fields.
    order: Order,
    /// The field being read, or the next one.
    place: Place,
    /// Bytes of the field being read.
    width: u8,
    /// Absolute offset of the structure.
    base: u64,
    /// Bytes of the structure.
    length: u64,
    /// What the structure is part of.
    part_of: PartOf,
}

/// What a structure is part of, which decides what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartOf {
    /// The header of xl; the optional data follow.
    Xl,
    /// The header of libvirt; the XML follows.
    Libvirt,
    /// The header of the libxl stream; its records follow.
    Libxl,
    /// The image header of the libxc stream; the domain header follows.
    LibxcImage,
    /// The domain header of the libxc stream; its records follow.
    LibxcDomain,
    /// A record of the libxc stream.
    Record,
    /// The header in the body of a VCPU record; the vcpu's blob follows.
    VcpuRecord,
    /// The blob of a VCPU record.
    Vcpu,
    /// An entry of HVM_CONTEXT.
    Entry,
}

/// The value of a field and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldValue {
    pub(crate) value: u64,
    /// Absolute offset of the field, or of the length that cuts it off.
    pub(crate) at: u64,
    /// Index of the element in a group that repeats.
    pub(crate) element: u32,
}

impl State {
    /// Bytes of the field being read.
    #[inline]
    pub(crate) fn width(&self) -> u8 {
        self.width
    }
}

impl Default for State {
    fn default() -> State {
        const NOTHING: &Layout =
            &Layout { name: "", order: crate::wire::layout::ByteOrder::Little, groups: &[] };
        let (order, place, part_of) = (Order::Little, Place::default(), PartOf::Record);
        State { layout: NOTHING, order, place, width: 0, base: 0, length: 0, part_of }
    }
}

impl Verifier {
    /// Begins a structure of `length` bytes.
    pub(crate) fn flat_start(&mut self, layout: &'static Layout, length: u64, part_of: PartOf) {
        let order = layout.order.in_stream(self.libxc_order());
        let (place, base) = (Place::default(), self.position);
        self.flat = State { layout, order, place, width: 0, base, length, part_of };
        self.set_next(0, verify::Field::Marker(Marker::Flat));
    }

    /// Begins a header whose first field, of this many bytes, has already been read.
    pub(crate) fn header_start(&mut self, layout: &'static Layout, part_of: PartOf, passed: u64) {
        self.flat_start(layout, layout.size(), part_of);
        self.flat.base = self.position.saturating_sub(passed);
        self.flat.place.field = u8::from(passed > 0);
    }

    /// Puts `gap` bytes in front of a structure that has just begun.
    pub(crate) fn flat_after(&mut self, gap: u64) {
        self.gap = gap;
        self.flat.base = self.flat.base.saturating_add(gap);
    }

    /// Sets the byte order of the remaining fields.
    pub(crate) fn flat_turn(&mut self, order: Order) {
        self.flat.order = order;
    }

    /// Begins a structure that takes the rest of the body.
    pub(crate) fn flat_body(&mut self, layout: &'static Layout) {
        self.flat_start(layout, self.left_in_body(), PartOf::Record);
    }

    /// Moves to the next field that has a check.
    pub(crate) fn flat_next<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let Some(Placed { field, offset, .. }) =
            self.flat.layout.checked_field(&mut self.flat.place, self.flat.length)
        else {
            return self.flat_end(o);
        };
        let here = self.flat.length.saturating_sub(offset).min(u64::from(field.width));
        if here == 0 {
            return self.flat_cut_off(o);
        }
        let gap = self.flat.base.saturating_add(offset).saturating_sub(self.position);
        self.flat.width = here as u8;
        self.set_next(gap, verify::Field::Bytes(Bytes::Flat));
        Ok(())
    }

    /// The structure ends before the next field with a check: Xen sees zeros from there on.
    #[inline(never)]
    fn flat_cut_off<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let at = self.flat_length_at();
        while let Some(Placed { field, element, .. }) =
            self.flat.layout.checked_field(&mut self.flat.place, self.flat.length)
        {
            if !self.flat_judge(field.checks, FieldValue { value: 0, at, element }, o)? {
                return Ok(());
            }
            self.flat.place.field = self.flat.place.field.saturating_add(1);
        }
        self.flat_end(o)
    }

    /// Takes a field.
    pub(crate) fn flat_field<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        bytes: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let value = match self.flat.order {
            Order::Little => u64::from_le_bytes(bytes),
            Order::Big => {
                let unused = 64u32.saturating_sub(u32::from(self.flat.width).saturating_mul(8));
                u64::from_be_bytes(bytes).checked_shr(unused).unwrap_or(0)
            }
        };
        self.set_next(0, verify::Field::Marker(Marker::Flat));
        let Some(Placed { field, element, .. }) =
            self.flat.layout.field(&mut self.flat.place, self.flat.length)
        else {
            return Ok(());
        };
        self.flat.place.field = self.flat.place.field.saturating_add(1);
        self.flat_judge(field.checks, FieldValue { value, at, element }, o)?;
        Ok(())
    }

    /// Judges a field. Returns whether the walk goes on: a hand-written check may end it.
    // Inlined in both places: fields of most records are judged here, and of cut-off structures with a constant.
    #[inline(always)]
    fn flat_judge<O: Observer + ?Sized>(
        &mut self,
        checks: &'static [Check],
        value: FieldValue,
        o: &mut O,
    ) -> Result<bool, Stop> {
        for check in checks {
            if let Check::By(hook) = check {
                self.flat_hook(*hook, value, o)?;
            } else if !check.passes(value.value) {
                self.flat_broken(check, value, o)?;
            }
        }
        Ok(matches!(self.field, verify::Field::Marker(Marker::Flat)))
    }

    /// Reports a value that fails a check.
    fn flat_broken<O: Observer + ?Sized>(
        &mut self,
        check: &Check,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        match (check.fact(), check.rule()) {
            (Some(fact), _) => self.flat_flag_fact(fact, at, value, check.bound(), o),
            (None, Some(rule)) => self.flat_flag(rule, at, value, check.bound(), o),
            (None, None) => Ok(()),
        }
    }

    /// Runs a hand-written check. Each is in the file of its records.
    // All of them are out of line: inlined, the compiler computes beforehand, for every field, what some of them need.
    fn flat_hook<O: Observer + ?Sized>(
        &mut self,
        hook: Hook,
        value: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        match hook {
            Hook::Header(hook) => self.header_hook(hook, value, o),
            Hook::Record(hook) => self.record_hook(hook, value, o),
            Hook::Policy(hook) => self.policy_hook(hook, value, o),
            Hook::Pv(hook) => self.pv_hook(hook, value, o),
            Hook::Hvm(hook) => self.hvm_hook(hook, value, o),
        }
    }

    /// Runs a hand-written check of a header.
    #[cold]
    #[inline(never)]
    fn header_hook<O: Observer + ?Sized>(
        &mut self,
        hook: HeaderHook,
        value: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        match hook {
            HeaderHook::Xl(hook) => self.xl_hook(hook, value, o),
            HeaderHook::Libvirt(hook) => self.libvirt_hook(hook, value, o),
            HeaderHook::Libxl(hook) => self.libxl_hook(hook, value, o),
            HeaderHook::Libxc(hook) => self.libxc_hook(hook, value, o),
        }
    }

    /// Reports a violation in the structure.
    pub(crate) fn flat_flag<O: Observer + ?Sized>(
        &mut self,
        rule: Rule,
        at: u64,
        found: impl Into<Value>,
        expected: impl Into<Value>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let record = self.flat_record();
        if self.flat.part_of == PartOf::Vcpu {
            return self.vcpu_flag(rule, at, found, expected, o);
        }
        self.flag_in(rule, at, found, expected, record, o)
    }

    /// Reports something in the structure that some releases refuse.
    pub(crate) fn flat_flag_fact<O: Observer + ?Sized>(
        &mut self,
        fact: Fact,
        at: u64,
        found: impl Into<Value>,
        expected: impl Into<Value>,
        o: &mut O,
    ) -> Result<(), Stop> {
        if self.flat.part_of == PartOf::Vcpu {
            return self.vcpu_flag_fact(fact, at, found, expected, o);
        }
        let record = self.flat_record();
        self.flag_fact_in(fact, at, found.into(), expected.into(), record, o)
    }

    /// Returns the record or entry that the structure is part of.
    pub(crate) fn flat_record(&self) -> Option<RecordRef> {
        match self.flat.part_of {
            PartOf::Entry => self.hvm.entry,
            PartOf::Xl
            | PartOf::Libvirt
            | PartOf::Libxl
            | PartOf::LibxcImage
            | PartOf::LibxcDomain
            | PartOf::Record
            | PartOf::VcpuRecord
            | PartOf::Vcpu => self.record,
        }
    }

    /// Bytes of the structure.
    pub(crate) fn flat_length(&self) -> u64 {
        self.flat.length
    }

    /// Returns the absolute offset of the length field, which is in the same place in both kinds of header.
    pub(crate) fn flat_length_at(&self) -> u64 {
        self.flat_record().map_or(self.position, |record| record.offset.saturating_add(4))
    }

    /// Absolute offset of the structure.
    pub(crate) fn flat_base(&self) -> u64 {
        self.flat.base
    }

    /// Skips the rest of the structure.
    fn flat_end<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        match self.flat.part_of {
            PartOf::Xl => return self.xl_header_end(o),
            PartOf::Libvirt => self.libvirt_header_end(o),
            PartOf::Libxl => self.libxl_header_end(o),
            PartOf::LibxcImage => self.libxc_domain_start(),
            PartOf::LibxcDomain => self.libxc_header_end(o),
            PartOf::Record | PartOf::Vcpu => self.rest_of_body(),
            PartOf::VcpuRecord => return self.vcpu_blob(o),
            PartOf::Entry => self.hvm_rest_of_entry(),
        }
        Ok(())
    }
}
