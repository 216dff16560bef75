//! What the configuration of an xl file says of the domain, where the stream shows something else. The configuration
//! takes a parser: who has one says what is in it.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::violation::{RecordRef, VIRIDIAN_STATE};
use crate::wire::params::index;

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Features of Viridian that the configuration gives the guest, as two generations of libxl read it, until the stream
    /// has shown others.
    viridian: Option<[u64; 2]>,
    /// The emulator that the configuration names.
    emulator: Option<u32>,
    /// Pages of memory that the configuration gives an HVM guest, until the stream has shown fewer.
    memory: Option<u64>,
}

impl Verifier {
    /// Says which features of Viridian the configuration gives an HVM guest, once it is known; none are 0. Releases
    /// differ in what they take the configuration to mean, so there are two values.
    pub fn set_viridian(&mut self, features: [u64; 2]) {
        self.config.viridian = Some(features);
    }

    /// Says which emulator (`emulator_id`) the configuration names, once it is known.
    pub fn set_emulator(&mut self, emulator_id: u32) {
        self.config.emulator = Some(emulator_id);
    }

    /// Says how many pages of memory the configuration gives an HVM guest, once it is known: those that it is to have now,
    /// and not those that it may grow to.
    pub fn set_memory(&mut self, pages: u64) {
        self.config.memory = Some(pages);
    }

    /// The memory of an HVM guest has come: all of it lies below the highest pfn, with holes for devices.
    pub(crate) fn configured_memory<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        let named = self.pages.named;
        match self.config.memory {
            Some(pages) if named < pages && named > 0 => {
                self.config.memory = None;
                self.find(Rule::XlMemoryMismatch, at, named, pages, o)
            }
            _ => Ok(()),
        }
    }

    /// The stream gives the guest these features of Viridian.
    pub(crate) fn viridian_features<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        features: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        match self.config.viridian {
            Some(configured) if !configured.contains(&features) => {
                self.viridian_mismatch(at, features, self.record, o)
            }
            _ => Ok(()),
        }
    }

    /// The stream has an entry of HVM_CONTEXT that only guests with Viridian have.
    pub(crate) fn viridian_entry<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        match self.config.viridian {
            Some([0, 0]) => self.viridian_mismatch(at, VIRIDIAN_STATE, self.hvm.entry, o),
            _ => Ok(()),
        }
    }

    /// All parameters have come.
    pub(crate) fn viridian_end<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        let is_set = self.params.ever & 1 << index::VIRIDIAN != 0;
        if is_set { Ok(()) } else { self.viridian_features(at, 0, o) }
    }

    /// One finding is enough.
    #[cold]
    fn viridian_mismatch<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        found: u64,
        record: Option<RecordRef>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let [_, configured] = self.config.viridian.take().unwrap_or_default();
        self.find_in(Rule::XlViridianMismatch, at, found, configured, record, o)
    }

    /// The stream has the state of a device model.
    pub(crate) fn emulator_state<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        emulator_id: u32,
        o: &mut O,
    ) -> Result<(), Stop> {
        match self.config.emulator {
            Some(configured) if configured != emulator_id => {
                let (found, expected) = (u64::from(emulator_id), u64::from(configured));
                self.find(Rule::XlEmulatorMismatch, at, found, expected, o)
            }
            _ => Ok(()),
        }
    }
}
