//! Whether the stream names all of the guest's memory.
//!
//! Every released saver begins with a pass over all pfns from 0 to the guest's highest, in order, absent pages included;
//! whatever follows repeats pfns of that pass. So at any time the pfns named so far are those from 0 up to one end, and
//! a pfn above that end shows that the ones between are missing: `libxc::memory-gap`. Where the stream tells how far the
//! guest's memory goes, an end below that is `libxc::memory-short`: a PV guest's P2M_FRAMES tell it beforehand, an HVM
//! guest's HVM_PARAMS afterwards, by the special pages at its top.

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
    /// An entry names a pfn after others that no entry has named.
    #[cold]
    pub(crate) fn memory_gap<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        pfn: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        self.memory_missing(Rule::LibxcMemoryGap, at, pfn, self.pages.named, o)
    }

    /// A record begins. Where it ends the memory, the memory has to be complete.
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

    /// A parameter of an HVM guest has this value.
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

    /// Reports, once, memory that ends before `extent`. A stream without any has a rule of its own.
    fn memory_short<O: Observer + ?Sized>(&mut self, extent: u64, at: u64, o: &mut O) -> Result<(), Stop> {
        let named = self.pages.named;
        if named >= extent || named == 0 || self.libxc.seen.has(Seen::SHORT_TOLD) {
            return Ok(());
        }
        self.libxc.seen.add(Seen::SHORT_TOLD);
        self.memory_missing(Rule::LibxcMemoryShort, at, named, extent, o)
    }

    /// A converter of legacy images copies their batches, which may fill a gap later: there it is a warning. That it was
    /// converted the stream says of itself, which is nothing to a gate.
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
        let violation = Violation {
            rule,
            offset,
            record: self.record,
            expected,
            found,
            fact: None,
            is_combination: false,
        };
        self.find_at(level, violation, o)
    }
}

/// Whether memory that comes after this record repeats what came before it, for a PV guest.
fn ends_pv_memory(kind: u32, place: Place) -> bool {
    let is_state = matches!(place, Place::Registers | Place::Vcpu);
    is_state || matches!(kind, types::VERIFY | types::CHECKPOINT | types::END)
}
