//! The state of PV vcpus: the hand-written checks of BASIC, EXTENDED, XSAVE and MSRS. Their fields and the checks that
//! compare one field are in [`crate::wire::pv`].
//!
//! The restorer keeps the last record of each kind for a vcpu, and examines it when it completes the domain, at END or at a
//! checkpoint. So a fault counts only if no later record replaces it, and a frame is compared with the largest pfn of the
//! whole stream. The profile `restore` does the same: it holds findings until then. The other profiles report at once,
//! because no saver writes a vcpu twice.

use crate::observer::Observer;
use crate::policy::{Level, Profile};
use crate::rule::Rule;
use crate::targets::{Fact, HostDependency};
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::verify::flat::{FieldValue, PartOf};
use crate::verify::places::Seen;
use crate::verify::policies::XSAVE_NEEDS;
use crate::violation::{Layer, RecordRef};
use crate::wire::layout::{Layout, PvHook};
use crate::wire::libxc::{pte, types, vcpu};
use crate::wire::{msr, pv, xsave};

/// The number of records whose finding can be held. A finding in one more record is reported at once.
const HELD: usize = 2;

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// The first of `gdt_frames` above the largest pfn, or the largest frame if the largest pfn is not known yet.
    bad_frame: Option<FieldValue>,
    /// BASIC: the vcpu runs its kernel.
    in_kernel: bool,
    /// EXTENDED: `size`.
    size: u64,
    /// XSAVE: `xcr0`, then `xcr0_accum`.
    mask: u64,
    /// MSRS: index of the entry.
    index: u32,
    /// Findings in records that a later one may replace, one per record.
    held: [Option<Held>; HELD],
    /// The largest frame that a BASIC named before the first X86_PV_P2M_FRAMES.
    early: Option<Held>,
}

/// A finding that is held.
#[derive(Clone, Copy, Debug)]
struct Held {
    vcpu: u32,
    kind: u32,
    broken: Broken,
    at: u64,
    found: Value,
    expected: Value,
    /// Index and offset of the record.
    record: (u64, u64),
}

/// A fault, or a possible one.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Rule(Rule),
    /// A fault if this frame is above the largest pfn of the whole stream.
    Range(Rule, u64),
    /// A fault for some releases.
    Fact(Fact),
}

/// The records.
impl Verifier {
    /// Begins the blob of a VCPU record, after its header.
    pub(crate) fn vcpu_blob<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let blob = self.left_in_body();
        let (kind, id) = (self.libxc.kind, self.registers.vcpu_id);
        if blob == 0 {
            // An empty record replaces nothing.
            self.rest_of_body();
            return Ok(());
        }
        for held in &mut self.vcpus.held {
            *held = held.filter(|held| (held.vcpu, held.kind) != (id, kind));
        }
        match kind {
            types::X86_PV_VCPU_BASIC => {
                if id == 0 {
                    self.libxc.seen.add(Seen::BASIC_0);
                }
                self.vcpus.early = self.vcpus.early.filter(|early| early.vcpu != id);
                self.vcpus.bad_frame = None;
                self.vcpu_state(if self.guest_width() == 4 { &pv::BASIC_32 } else { &pv::BASIC_64 });
            }
            types::X86_PV_VCPU_EXTENDED => self.vcpu_state(&pv::EXTENDED),
            types::X86_PV_VCPU_XSAVE => self.vcpu_state(&pv::XSAVE),
            _ => {
                self.depends_on(HostDependency::Features);
                self.vcpu_state(&pv::MSRS);
                let entries = blob / vcpu::MSR;
                let at = self.flat_length_at();
                if entries > vcpu::MSRS_MAX {
                    self.flat_flag(Rule::PvMsrsCount, at, entries, vcpu::MSRS_MAX, o)?;
                }
            }
        }
        Ok(())
    }

    fn vcpu_state(&mut self, layout: &'static Layout) {
        self.flat_start(layout, self.left_in_body(), PartOf::Vcpu);
    }

    /// Reports the findings that were held, when the restorer completes the domain.
    pub(crate) fn vcpus_completed<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        while let Some(held) = self.vcpus.take_first() {
            let largest = self.summary.max_pfn.unwrap_or(u64::MAX);
            let (index, offset) = held.record;
            let record = RecordRef { layer: Layer::Libxc, index, kind: Some(u64::from(held.kind)), offset };
            let Held { at, found, expected, .. } = held;
            match held.broken {
                Broken::Range(rule, frame) if frame > largest => {
                    self.flag_in(rule, at, frame, largest, Some(record), o)?;
                }
                Broken::Range(..) => {}
                Broken::Rule(rule) => self.flag_in(rule, at, found, expected, Some(record), o)?,
                Broken::Fact(fact) => self.flag_fact_in(fact, at, found, expected, Some(record), o)?,
            }
        }
        Ok(())
    }

    /// Reports or holds a violation in a vcpu's state.
    pub(crate) fn vcpu_flag<O: Observer + ?Sized>(
        &mut self,
        rule: Rule,
        at: u64,
        found: impl Into<Value>,
        expected: impl Into<Value>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let (found, expected) = (found.into(), expected.into());
        let waits = self.vcpu_waits(self.policy.level(rule));
        if waits && self.vcpus.hold(self.vcpu_held(Broken::Rule(rule), at, found, expected)) {
            return Ok(());
        }
        self.flag(rule, at, found, expected, o)
    }

    /// Reports or holds something in a vcpu's state that some releases refuse.
    pub(crate) fn vcpu_flag_fact<O: Observer + ?Sized>(
        &mut self,
        fact: Fact,
        at: u64,
        found: impl Into<Value>,
        expected: impl Into<Value>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let (found, expected) = (found.into(), expected.into());
        let waits = self.vcpu_waits(fact.level(self.policy.profile()));
        if waits && self.vcpus.hold(self.vcpu_held(Broken::Fact(fact), at, found, expected)) {
            return Ok(());
        }
        self.flag_fact(fact, at, found, expected, o)
    }

    /// Returns whether a finding at this level is held.
    fn vcpu_waits(&self, level: Level) -> bool {
        self.policy.profile() == Profile::Restore && level == Level::Deny
    }

    fn vcpu_held(&self, broken: Broken, at: u64, found: Value, expected: Value) -> Held {
        let record = self.record.map_or((0, 0), |record| (record.index, record.offset));
        Held { vcpu: self.registers.vcpu_id, kind: self.libxc.kind, broken, at, found, expected, record }
    }
}

impl State {
    /// Holds a finding. Returns false if there is no room for its record.
    fn hold(&mut self, finding: Held) -> bool {
        let mut free = None;
        for slot in &mut self.held {
            match slot {
                // One finding per record is enough, if it is certain.
                Some(held) if (held.vcpu, held.kind) == (finding.vcpu, finding.kind) => {
                    let is_worse = match (held.broken, finding.broken) {
                        (Broken::Range(_, held), Broken::Range(_, frame)) => frame > held,
                        (Broken::Range(..), Broken::Rule(_) | Broken::Fact(_)) => true,
                        (Broken::Rule(_) | Broken::Fact(_), _) => false,
                    };
                    if is_worse {
                        *held = finding;
                    }
                    return true;
                }
                Some(_) => {}
                None => free = Some(slot),
            }
        }
        match free {
            Some(slot) => {
                *slot = Some(finding);
                true
            }
            None => false,
        }
    }

    /// Removes and returns the held finding that comes first in the stream.
    fn take_first(&mut self) -> Option<Held> {
        let slots = self.held.iter_mut().chain([&mut self.early]);
        let first = slots.filter(|slot| slot.is_some()).min_by_key(|slot| slot.map_or(0, |held| held.at))?;
        first.take()
    }
}

/// The fields.
impl Verifier {
    /// The hand-written checks of a vcpu's state.
    #[inline(never)]
    pub(crate) fn pv_hook<O: Observer + ?Sized>(
        &mut self,
        hook: PvHook,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        match hook {
            PvHook::StartInfo if self.registers.vcpu_id == 0 => {
                self.vcpu_frame(Rule::PvStartInfoRange, at, value, o)
            }
            PvHook::StartInfo => Ok(()),
            PvHook::Flags => {
                self.vcpus.in_kernel = value & vcpu::IN_KERNEL != 0;
                Ok(())
            }
            PvHook::GdtFrame => {
                self.gdt_frame(field);
                Ok(())
            }
            PvHook::GdtEnts => self.gdt_entries(at, value, o),
            PvHook::Cr1 => self.cr1(at, value, o),
            PvHook::Cr3 => {
                let frame = cr3_frame(value, self.guest_width());
                self.vcpu_frame(Rule::PvCr3Range, at, frame, o)
            }
            PvHook::VmAssist => {
                let known = if self.guest_width() == 4 { vcpu::VM_ASSIST_32 } else { vcpu::VM_ASSIST_64 };
                // It belongs to the domain, and Xen takes it from vcpu 0.
                if self.registers.vcpu_id == 0 && value & !known != 0 {
                    self.flat_flag_fact(Fact::Vma, at, value, known, o)?;
                }
                Ok(())
            }
            PvHook::ExtendedSize => self.extended_size(at, value, o),
            PvHook::ExtendedCaps => {
                let counts = self.vcpus.size >= vcpu::EXTENDED_SIZE_CAPS;
                if counts && value & !vcpu::VMCE_CAPS != 0 {
                    self.flat_flag(Rule::PvExtendedCaps, at, value, vcpu::VMCE_CAPS, o)?;
                }
                Ok(())
            }
            PvHook::Xcr0 => {
                self.vcpus.mask = value;
                Ok(())
            }
            PvHook::Xcr0Accum => self.xcr0_accum(at, value, o),
            PvHook::XstateBv => {
                let accum = self.vcpus.mask;
                if value & !accum != 0 {
                    self.flat_flag(Rule::PvXsaveState, at, value, accum, o)?;
                }
                Ok(())
            }
            PvHook::MsrIndex => {
                self.vcpus.index = value as u32;
                if !msr::is_saved_for_pv(self.vcpus.index) {
                    return self.flat_flag(Rule::PvMsrsIndex, at, value, Value::None, o);
                }
                if self.policies.lacks_msr(self.vcpus.index) {
                    self.flat_flag(Rule::PvMsrsPolicy, at, value, Value::None, o)?;
                }
                Ok(())
            }
            PvHook::MsrValue => {
                let mask = self.policies.msr_bits(self.vcpus.index);
                if value & !mask != 0 {
                    self.flat_flag(Rule::PvMsrsValue, at, value, mask, o)?;
                }
                Ok(())
            }
        }
    }

    /// Judges a frame that the restorer looks up. Before the first X86_PV_P2M_FRAMES, the largest pfn is unknown, and more
    /// such records may follow. The restorer compares later.
    fn vcpu_frame<O: Observer + ?Sized>(
        &mut self,
        rule: Rule,
        at: u64,
        frame: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let waits = self.vcpu_waits(self.policy.level(rule));
        let held = self.vcpu_held(Broken::Range(rule, frame), at, Value::None, Value::None);
        match self.summary.max_pfn {
            Some(largest) if frame > largest => {
                if waits && self.vcpus.hold(held) {
                    return Ok(());
                }
                self.flag(rule, at, frame, largest, o)
            }
            Some(_) => Ok(()),
            None => {
                let is_worst =
                    |early: Held| !matches!(early.broken, Broken::Range(_, worst) if worst >= frame);
                if waits && self.vcpus.early.is_none_or(is_worst) {
                    self.vcpus.early = Some(held);
                }
                Ok(())
            }
        }
    }

    fn gdt_frame(&mut self, frame: FieldValue) {
        let is_worst = match (self.summary.max_pfn, self.vcpus.bad_frame) {
            (Some(largest), None) => frame.value > largest,
            (Some(_), Some(_)) => false,
            (None, worst) => worst.is_none_or(|worst| frame.value > worst.value),
        };
        if is_worst {
            self.vcpus.bad_frame = Some(frame);
        }
    }

    /// Judges `gdt_ents`, which says how many of the frames before it count.
    fn gdt_entries<O: Observer + ?Sized>(&mut self, at: u64, entries: u64, o: &mut O) -> Result<(), Stop> {
        // The restorer checks the lower half only, and Xen all of it.
        let lower = entries & u64::from(u32::MAX);
        if lower > vcpu::GDT_ENTRIES_MAX {
            self.flat_flag(Rule::PvGdtCount, at, entries, vcpu::GDT_ENTRIES_MAX, o)?;
        } else if entries != lower {
            self.flat_flag_fact(Fact::Gdt16, at, entries, vcpu::GDT_ENTRIES_MAX, o)?;
        }
        let frames = lower.div_ceil(vcpu::GDT_ENTRIES_PER_FRAME).min(vcpu::GDT_FRAMES);
        match self.vcpus.bad_frame {
            Some(FieldValue { value, at, element }) if u64::from(element) < frames => {
                self.vcpu_frame(Rule::PvGdtRange, at, value, o)
            }
            _ => Ok(()),
        }
    }

    fn cr1<O: Observer + ?Sized>(&mut self, at: u64, value: u64, o: &mut O) -> Result<(), Stop> {
        if value & pte::PRESENT != 0 {
            return self.vcpu_frame(Rule::PvCr1Range, at, value >> pte::FRAME_SHIFT, o);
        }
        if value != 0 {
            // The restorer does not translate it, and Xen takes it for a machine frame.
            self.flat_flag(Rule::PvCr1Present, at, value, value | pte::PRESENT, o)?;
        } else if !self.vcpus.in_kernel {
            self.flat_flag(Rule::PvUserMode, at, Value::None, Value::None, o)?;
        }
        Ok(())
    }

    fn extended_size<O: Observer + ?Sized>(&mut self, at: u64, size: u64, o: &mut O) -> Result<(), Stop> {
        self.vcpus.size = size;
        let blob = self.flat_length();
        if size < vcpu::EXTENDED_SIZE_MIN {
            self.flat_flag(Rule::PvExtendedSize, at, size, vcpu::EXTENDED_SIZE_MIN, o)?;
        } else if size > blob {
            self.flat_flag(Rule::PvExtendedShort, at, size, blob, o)?;
        }
        Ok(())
    }

    fn xcr0_accum<O: Observer + ?Sized>(&mut self, at: u64, accum: u64, o: &mut O) -> Result<(), Stop> {
        let xcr0 = self.vcpus.mask;
        self.vcpus.mask = accum;
        let blob = self.flat_length();
        if xcr0 | accum == 0 {
            if blob != vcpu::XSAVE_MIN {
                self.flat_flag(Rule::PvXsaveArea, self.flat_length_at(), blob, vcpu::XSAVE_MIN, o)?;
            }
            return Ok(());
        }
        if accum & xsave::TILE != 0 {
            self.flat_flag_fact(Fact::Amx, at, accum, accum & !xsave::TILE, o)?;
        }
        if XSAVE_NEEDS.iter().any(|(bits, need)| accum & bits != 0 && self.policies.lacks(*need)) {
            self.flat_flag(Rule::PvXsaveState, at, accum, Value::None, o)?;
        }
        if !is_valid(accum) {
            self.flat_flag(Rule::PvXsaveState, at, accum, accum & xsave::POSSIBLE, o)?;
        } else if xcr0 & !accum != 0 || !is_valid(xcr0) {
            self.flat_flag(Rule::PvXsaveState, at.saturating_sub(8), xcr0, accum, o)?;
        } else if let Some(area) = xsave::common_size(accum) {
            let size = vcpu::XSAVE_MIN.saturating_add(area);
            if blob != size {
                self.flat_flag(Rule::PvXsaveArea, self.flat_length_at(), blob, size, o)?;
            }
        } else if blob < vcpu::XSAVE_MIN.saturating_add(xsave::least_size(accum)) {
            let least = vcpu::XSAVE_MIN.saturating_add(xsave::least_size(accum));
            self.flat_flag(Rule::PvXsaveArea, self.flat_length_at(), blob, least, o)?;
        } else if let Some(area) = self.policies.xsave_size(accum) {
            let size = vcpu::XSAVE_MIN.saturating_add(area);
            if blob != size {
                self.flat_flag(Rule::PvXsaveLength, self.flat_length_at(), blob, size, o)?;
            }
        }
        Ok(())
    }
}

/// Returns whether some release accepts these components together. The release that added AMX requires both of its
/// components.
const fn is_valid(features: u64) -> bool {
    let tile = features & xsave::TILE;
    xsave::is_consistent(features) && features & !xsave::POSSIBLE == 0 && (tile == 0 || tile == xsave::TILE)
}

/// Returns the frame in a saved cr3. In a 32-bit guest, the top bits of the frame are in the lowest twelve bits.
fn cr3_frame(value: u64, width: u8) -> u64 {
    if width == 4 {
        let value = value & u64::from(u32::MAX);
        let folded = value << 20 & u64::from(u32::MAX);
        value >> pte::FRAME_SHIFT | folded
    } else {
        value >> pte::FRAME_SHIFT
    }
}
