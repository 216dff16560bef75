//! Whether the stream names all of the guest's memory.
//!
//! Every released saver begins with a pass over all pfns from 0 to the guest's highest, in order and including absent pages.
//! Everything later repeats pfns of that pass. So the pfns named at any time are those from 0 up to some end. A pfn above that
//! end means that the pfns between are missing: `libxc::memory-gap`. If the stream says how far the guest's memory goes, an
//! end below that is `libxc::memory-short`. For a PV guest, X86_PV_P2M_FRAMES says so beforehand; for an HVM guest, the special
//! pages in HVM_PARAMS say so afterwards.

use crate::observer::Observer;
use crate::policy::{Level, Profile};
use crate::rule::Rule;
use crate::summary::Guest;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::verify::places::Seen;
use crate::violation::Violation;
use crate::wire::libxc::{Place, params, types};

impl Verifier {
    /// Reports an entry whose pfn comes after others that no entry has named.
    #[cold]
    pub(crate) fn memory_gap<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        pfn: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        self.memory_missing(Rule::LibxcMemoryGap, at, pfn, self.pages.named, o)
    }

    /// Begins a record. If it ends the memory, the memory must be complete.
    #[inline]
    pub(crate) fn memory_end<O: Observer + ?Sized>(
        &mut self,
        kind: u32,
        place: Place,
        at: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let extent = match self.summary.guest {
            Some(Guest::Pv) if ends_pv_memory(kind, place) => {
                self.summary.max_pfn.map_or(0, |pfn| pfn.saturating_add(1))
            }
            Some(Guest::Hvm) if matches!(kind, types::CHECKPOINT | types::END) => self.pages.special_end,
            _ => return Ok(()),
        };
        self.memory_short(extent, at, o)
    }

    /// Takes the value of an HVM guest's parameter.
    pub(crate) fn memory_param<O: Observer + ?Sized>(
        &mut self,
        index: u64,
        value: u64,
        at: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let names_page = params::is_pfn(index) && (1..params::PFN_LIMIT).contains(&value);
        if !names_page {
            return Ok(());
        }
        let end = value.saturating_add(1);
        self.pages.special_end = self.pages.special_end.max(end);
        self.memory_short(end, at, o)
    }

    /// Reports, once, that memory ends before `extent`. There is a separate rule for a stream without memory.
    fn memory_short<O: Observer + ?Sized>(&mut self, extent: u64, at: u64, o: &mut O) -> Result<(), Stop> {
        let named = self.pages.named;
        if named >= extent || named == 0 || self.libxc.seen.has(Seen::SHORT_REPORTED) {
            return Ok(());
        }
        self.libxc.seen.add(Seen::SHORT_REPORTED);
        self.memory_missing(Rule::LibxcMemoryShort, at, named, extent, o)
    }

    /// Reports missing memory. In a converted legacy image it is a warning, because the converter copies batches that may
    /// fill the gap later. `hardened` does not trust the stream's claim that it was converted.
    #[cold]
    #[inline(never)]
    fn memory_missing<O: Observer + ?Sized>(
        &mut self,
        rule: Rule,
        offset: u64,
        found: u64,
        expected: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let converted = self.libxl.converted || self.libxc.xen_major == 0;
        let level = match self.policy.profile() {
            Profile::Spec | Profile::Restore if converted => self.policy.level_or(rule, Level::Warn),
            Profile::Spec | Profile::Restore | Profile::Hardened => self.policy.level(rule),
        };
        let violation = Violation::new(rule, offset, self.record).found(found).expected(expected);
        self.flag_at(level, violation, o)
    }
}

/// Returns whether this record of a PV guest ends the first pass over its memory.
fn ends_pv_memory(kind: u32, place: Place) -> bool {
    let is_state = matches!(place, Place::Registers | Place::Vcpu);
    is_state || matches!(kind, types::VERIFY | types::CHECKPOINT | types::END)
}
