//! Compares the configuration of an xl file with the stream. The caller parses the configuration and says what is in it.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::violation::RecordRef;
use crate::wire::params::index;

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// The guest's Viridian features by its configuration, as two generations of libxl read it. Cleared once the stream has
    /// shown others.
    viridian: Option<[u64; 2]>,
    /// The emulator that the configuration names.
    emulator: Option<u32>,
    /// The number of pages that the configuration gives an HVM guest. Cleared once the stream has shown fewer.
    memory: Option<u64>,
}

impl Verifier {
    /// Sets the Viridian features that the configuration gives an HVM guest; 0 for none. Releases interpret the configuration
    /// differently, so there are two values.
    pub fn set_viridian(&mut self, features: [u64; 2]) {
        self.config.viridian = Some(features);
    }

    /// Sets the emulator (`emulator_id`) that the configuration names.
    pub fn set_emulator(&mut self, emulator_id: u32) {
        self.config.emulator = Some(emulator_id);
    }

    /// Sets the number of pages that the configuration gives an HVM guest now, as opposed to the number that it may grow to.
    pub fn set_memory(&mut self, pages: u64) {
        self.config.memory = Some(pages);
    }

    /// Compares the size of an HVM guest's memory. All of it is below the highest pfn, with holes for devices.
    pub(crate) fn configured_memory<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        let named = self.pages.named;
        match self.config.memory {
            Some(pages) if named < pages && named > 0 => {
                self.config.memory = None;
                self.flag(Rule::XlMemoryMismatch, at, named, pages, o)
            }
            _ => Ok(()),
        }
    }

    /// Compares the Viridian features that the stream gives the guest.
    pub(crate) fn viridian_features<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        features: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        match self.config.viridian {
            Some(configured) if !configured.contains(&features) => {
                self.viridian_mismatch(at, Value::Viridian(features), self.record, o)
            }
            _ => Ok(()),
        }
    }

    /// Records an entry of HVM_CONTEXT that only guests with Viridian have.
    pub(crate) fn viridian_entry<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        match self.config.viridian {
            Some([0, 0]) => self.viridian_mismatch(at, Value::ViridianState, self.hvm.entry, o),
            _ => Ok(()),
        }
    }

    /// Ends the parameters.
    pub(crate) fn viridian_end<O: Observer + ?Sized>(&mut self, at: u64, o: &mut O) -> Result<(), Stop> {
        let is_set = self.params.ever & 1 << index::VIRIDIAN != 0;
        if is_set { Ok(()) } else { self.viridian_features(at, 0, o) }
    }

    /// One finding is enough.
    #[cold]
    fn viridian_mismatch<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        found: Value,
        record: Option<RecordRef>,
        o: &mut O,
    ) -> Result<(), Stop> {
        let [_, configured] = self.config.viridian.take().unwrap_or_default();
        self.flag_in(Rule::XlViridianMismatch, at, found, Value::Viridian(configured), record, o)
    }

    /// Compares the emulator whose state the stream has.
    pub(crate) fn emulator_state<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        emulator_id: u32,
        o: &mut O,
    ) -> Result<(), Stop> {
        match self.config.emulator {
            Some(configured) if configured != emulator_id => {
                let (found, expected) = (u64::from(emulator_id), u64::from(configured));
                self.flag(Rule::XlEmulatorMismatch, at, found, expected, o)
            }
            _ => Ok(()),
        }
    }
}
