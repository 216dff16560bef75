//! Flat structures, element by element, as the tables in [`wire`](xenstream_core::wire) declare them. A byte that no
//! field keeps becomes zero.

use xenstream_core::wire::Order;
use xenstream_core::wire::layout::{
    Check, Field, Group, Hook, HvmHook, Keep, Layout, PolicyHook, PvHook, RecordHook, Repeat, Show,
};
use xenstream_core::wire::libxc::{page, vcpu};
use xenstream_core::wire::{params, xsave};

use crate::scrub::Scrub;
use crate::scrub::body::Step;

/// Opaque state that is longer than this is no vcpu's.
const REST_MAX: u64 = 64 << 10;

/// No Xen has more leaves, MSRs or parameters than this, by far.
const ENTRIES_MAX: u64 = 1024;

/// No processor has an XSAVE area that is as large.
const XSAVE_MAX: u64 = 0xFFFF;

/// Bits that the number of a CPUID leaf does not have: leaves count from 0, from 0x4000_0000 and from 0x8000_0000.
const LEAF_NEVER: u64 = 0x3FFF_F000;

/// A walk through structures that follow one another.
#[derive(Debug)]
pub(super) struct Flat {
    /// The structure that the walk is in, and those after it.
    layouts: &'static [&'static Layout],
    order: Order,
    what: Scrub,
    /// Place in the structure: its group, the element in that, the byte.
    group: usize,
    element: u64,
    at: u64,
    /// Bytes of the structure, and after it.
    length: u64,
    after: u64,
    /// The structure, so far, and the element are what they should be.
    sound: bool,
    element_sound: bool,
    /// `xcr0` of a PV vcpu, and whether `xcr0_accum` goes with it.
    xcr0: u64,
    masks_agree: bool,
    /// The parameter whose value comes next.
    param: u64,
    /// Leaf and subleaf of CPUID whose registers come next.
    leaf: (u64, u64),
    /// The vcpu of a record.
    vcpu: u64,
    /// The verifier has accepted the structure: what is wrong with one field says nothing of the others.
    is_accepted: bool,
}

/// Blanks structures that the verifier has accepted, or the part of one that is there.
pub(in crate::scrub) fn blank(
    layouts: &'static [&'static Layout],
    order: Order,
    mut bytes: &mut [u8],
    what: Scrub,
) {
    let mut flat = Flat { is_accepted: true, ..Flat::new(layouts, order, bytes.len() as u64, what) };
    while !bytes.is_empty() {
        let (step, length) = match flat.step() {
            Step::Keep(n) | Step::Zero(n) | Step::Unit(n) if n > 0 => (flat.step(), n as usize),
            _ => return,
        };
        let (piece, rest) = bytes.split_at_mut(length);
        if let Step::Unit(_) = step {
            flat.unit(piece);
        } else {
            if let Step::Zero(_) = step {
                piece.fill(0);
            }
            flat.passed(length as u64);
        }
        bytes = rest;
    }
}

/// What comes next in a structure.
enum Piece {
    Gap(u64),
    Element(&'static Group, u64),
    Rest(&'static Group, u64),
}

impl Flat {
    /// A walk through these structures, `length` bytes long in all.
    pub(super) fn new(layouts: &'static [&'static Layout], order: Order, length: u64, what: Scrub) -> Flat {
        let mut flat = Flat {
            layouts,
            order,
            what,
            group: 0,
            element: 0,
            at: 0,
            length: 0,
            after: length,
            sound: true,
            element_sound: true,
            xcr0: 0,
            masks_agree: false,
            param: 0,
            leaf: (0, 0),
            vcpu: 0,
            is_accepted: false,
        };
        flat.begin();
        flat
    }

    pub(super) fn step(&self) -> Step {
        match self.piece() {
            Piece::Gap(n) => Step::Zero(n),
            Piece::Element(_, n) => Step::Unit(n),
            Piece::Rest(group, n) => {
                let keeps =
                    group.fields.iter().all(|field| self.keeps(field.keep)) && self.length <= REST_MAX;
                if keeps && self.sound { Step::Keep(n) } else { Step::Zero(n) }
            }
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_done(&self) -> bool {
        self.at == self.length && self.after == 0
    }

    /// So many bytes stayed or became zero.
    pub(super) fn passed(&mut self, n: u64) {
        self.at += n;
        self.settle();
    }

    /// Blanks an element, all but what its fields keep.
    pub(super) fn unit(&mut self, bytes: &mut [u8]) {
        if let (Piece::Element(group, _), Some(layout)) = (self.piece(), self.layouts.first()) {
            let order = layout.order.in_stream(self.order);
            let first = first_at(group);
            let mut out = vec![0; bytes.len()];
            let is_cut = bytes.len() as u64 + u64::from(first) < u64::from(group.size());
            let fields = group.fields.iter().map(|field| {
                let mut field = *field;
                field.at -= first;
                field
            });
            let fields: Vec<Field> = fields.filter(|field| (field.at as usize) < bytes.len()).collect();
            self.element_sound = self.sound;
            for field in &fields {
                self.judge(field, bytes, order);
            }
            for field in &fields {
                let start = field.at as usize;
                let end = (start + field.width as usize).min(bytes.len());
                // Of a field that is cut off in a damaged stream, no more is kept than is sure to be structure.
                let keeps = self.keeps(field.keep) && !(is_cut && self.what.damaged && field.width > 4);
                if field.width > 8 || field.show == Show::Bytes {
                    if keeps && self.element_sound {
                        out[start..end].copy_from_slice(&bytes[start..end]);
                    }
                } else {
                    let value = order.number(&bytes[start..end]);
                    field.put(&mut out, order, self.scrubbed(field, value, keeps));
                }
            }
            bytes.copy_from_slice(&out);
        } else {
            bytes.fill(0);
        }
        self.at += bytes.len() as u64;
        self.element += 1;
        self.settle();
    }

    fn piece(&self) -> Piece {
        let left = self.length - self.at;
        let group = self.layouts.first().and_then(|layout| layout.groups.get(self.group));
        let Some(group) = group else { return Piece::Gap(left) };
        let start = group.offset(self.element) + u64::from(first_at(group));
        if start > self.at {
            return Piece::Gap((start - self.at).min(left));
        }
        match group.repeat {
            Repeat::Rest => Piece::Rest(group, left),
            Repeat::Times(_) | Repeat::ToEnd => {
                Piece::Element(group, u64::from(group.size() - first_at(group)).min(left))
            }
        }
    }

    /// The next structure begins.
    fn begin(&mut self) {
        let size = self.layouts.first().map_or(0, |layout| layout.size());
        let is_last = self.layouts.len() <= 1;
        self.length = if is_last { self.after } else { size.min(self.after) };
        self.after -= self.length;
        (self.group, self.element, self.at) = (0, 0, 0);
        let groups = self.layouts.first().map_or(&[][..], |layout| layout.groups);
        if groups
            .iter()
            .any(|group| group.repeat == Repeat::ToEnd && group.elements(self.length) > ENTRIES_MAX)
        {
            self.what = Scrub { registers: true, damaged: true, ..self.what };
        }
    }

    /// Goes to the next element, group or structure once one is over.
    fn settle(&mut self) {
        while let Some(group) = self.layouts.first().and_then(|layout| layout.groups.get(self.group)) {
            let start = group.offset(self.element) + u64::from(first_at(group));
            if self.element < group.elements(self.length) && start < self.length {
                break;
            }
            (self.group, self.element) = (self.group + 1, 0);
        }
        if self.at == self.length && self.layouts.len() > 1 {
            self.layouts = &self.layouts[1..];
            self.begin();
        }
    }

    fn keeps(&self, keep: Keep) -> bool {
        match keep {
            Keep::Always => true,
            Keep::UnlessDamaged => !self.what.damaged,
            Keep::UnlessRegisters => !self.what.registers,
            Keep::Never => false,
        }
    }

    /// Looks whether a field is what it should be. What is wrong with registers says nothing of the others.
    fn judge(&mut self, field: &Field, bytes: &[u8], order: Order) {
        let Some(value) = field.value(bytes, order).filter(|_| field.keep != Keep::UnlessRegisters) else {
            return;
        };
        let entries = value.saturating_mul(16).saturating_add(8);
        for check in field.checks {
            match check {
                Check::By(Hook::Record(RecordHook::ParamsCount) | Hook::Hvm(HvmHook::MsrCount)) => {
                    self.sound &= value <= ENTRIES_MAX && entries == self.length;
                }
                Check::By(Hook::Record(RecordHook::ParamIndex)) => self.param = value,
                Check::By(Hook::Policy(PolicyHook::Leaf)) => {
                    self.sound &= value & LEAF_NEVER == 0;
                    self.leaf.0 = value;
                }
                Check::By(Hook::Policy(PolicyHook::Subleaf)) => self.leaf.1 = value,
                Check::By(Hook::Record(RecordHook::VcpuId)) => self.vcpu = value,
                Check::By(Hook::Pv(PvHook::Xcr0)) => self.xcr0 = value,
                Check::By(Hook::Pv(PvHook::Xcr0Accum)) => {
                    self.masks_agree = self.xcr0 & !value == 0
                        && xsave::is_consistent(self.xcr0)
                        && xsave::is_consistent(value)
                        && value & !xsave::POSSIBLE == 0;
                }
                check => self.element_sound &= check.passes(value) || self.is_accepted,
            }
        }
    }

    /// What becomes of a value. One that is wrong becomes another that is as wrong, for it may be anything.
    fn scrubbed(&self, field: &Field, value: u64, keeps: bool) -> u64 {
        let is_register = field.keep == Keep::UnlessRegisters;
        if is_register && keeps {
            return value;
        }
        let is_judged = !is_register && field.likely.is_none();
        let wrong = field.checks.iter().find(|check| !check.passes(value)).filter(|_| is_judged);
        if let Some(refused) = wrong.and_then(|check| check.refused(field.width)) {
            return refused;
        }
        let likely = field.likely.filter(|likely| !self.keeps(likely.keep));
        if let Some(other) = likely.and_then(|likely| likely.instead_of(value)) {
            return other;
        }
        for check in field.checks {
            if let Check::By(hook) = check
                && let Some(value) = self.by_hand(*hook, value)
            {
                return value;
            }
        }
        // In what is not what it should be, a number that says which one it is is too short to be of the guest's.
        let is_small = field.keep == Keep::Always && field.width <= 4;
        if keeps && (self.element_sound && self.sound || is_small) {
            return self.without_unnamed_bits(field, value);
        }
        let passes = |value: &u64| field.checks.iter().all(|check| check.passes(*value));
        [0].into_iter().chain(field.checks.iter().map(Check::blank)).find(passes).unwrap_or(0)
    }

    /// Where flags stay while registers are blanked, keeps those that have a name. Others may be anything.
    fn without_unnamed_bits(&self, field: &Field, value: u64) -> u64 {
        match field.show {
            Show::Flags(flags) if self.what.registers && field.keep == Keep::UnlessDamaged => {
                flags.iter().fold(0, |named, flag| named | value & 1 << flag.bit)
            }
            _ => value,
        }
    }

    /// The same where other fields say what a value may be; `None` leaves it to the field.
    fn by_hand(&self, hook: Hook, value: u64) -> Option<u64> {
        match hook {
            // One that is no pfn may be anything. For every parameter it is refused for as much: that of Viridian has
            // to be odd.
            Hook::Record(RecordHook::ParamValue) if self.what.damaged && value >= page::PFN_END => {
                let checks = params::param_at(self.param).map_or(&[][..], |param| param.checks);
                let refused =
                    checks.iter().find(|check| !check.passes(value)).and_then(|check| check.refused(8));
                Some(refused.unwrap_or(u64::MAX << 1 | value & 1))
            }
            // The pfn of the start-info page, whose type the restorer looks at.
            Hook::Pv(PvHook::StartInfo) if self.vcpu == 0 && value < page::PFN_END => Some(value),
            Hook::Pv(PvHook::GdtEnts) if self.what.registers && value > vcpu::GDT_ENTRIES_MAX => {
                // The lower half tells whether the restorer refuses it, or Xen alone.
                let lower = value & u64::from(u32::MAX);
                Some(if lower > vcpu::GDT_ENTRIES_MAX { u64::from(u32::MAX) } else { 1 << 32 | lower })
            }
            Hook::Pv(PvHook::Xcr0 | PvHook::Xcr0Accum) if self.masks_agree => Some(value),
            Hook::Pv(PvHook::Xcr0 | PvHook::Xcr0Accum) if self.what.registers => {
                Some(u64::from(self.length > vcpu::XSAVE_MIN))
            }
            // Size and offset of a component of XSAVE, which the length of an area has to agree with.
            Hook::Policy(PolicyHook::Eax | PolicyHook::Ebx)
                if self.what.damaged && self.sound && is_component(self.leaf) =>
            {
                Some(if value <= XSAVE_MAX { value } else { 0 })
            }
            // The number of the last leaf, which hides those beyond it. One that is none of those that Xen knows may be
            // anything; all ones hide every leaf.
            Hook::Policy(PolicyHook::Eax)
                if self.what.damaged && self.sound && last_leaf(self.leaf).is_some() =>
            {
                let last = last_leaf(self.leaf)?;
                let hides_all = value == u64::from(u32::MAX);
                Some(if value <= last || hides_all { value } else { last + 1 })
            }
            // A processor that has everything: what the registers, blanked, have in use, and any MSR.
            Hook::Policy(PolicyHook::Ebx | PolicyHook::Ecx | PolicyHook::Edx) if self.what.damaged => {
                Some(u64::from(u32::MAX))
            }
            Hook::Policy(PolicyHook::Leaf | PolicyHook::Subleaf) if !self.sound => Some(u64::from(u32::MAX)),
            _ => None,
        }
    }
}

/// Whether a leaf of CPUID tells of a component of XSAVE that follows the header.
fn is_component((leaf, subleaf): (u64, u64)) -> bool {
    leaf == 0xD && subleaf > 1
}

/// The largest number of a leaf or subleaf that any release knows, where the leaf tells which one is the last.
fn last_leaf((leaf, subleaf): (u64, u64)) -> Option<u64> {
    match (leaf, subleaf) {
        (0, _) => Some(0xD),
        (7, 0) => Some(3),
        (0x8000_0000, _) => Some(0x8000_0021),
        _ => None,
    }
}

/// Offset of the first field of an element.
fn first_at(group: &Group) -> u32 {
    group.fields.first().map_or(0, |field| field.at)
}
