//! HVM_PARAMS: what the restorer and the hypervisor require of the entries. [`crate::wire::params`] has the possible values
//! of each parameter.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::targets::{Fact, HostDependency};
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::wire::libxc::params::{ENTRY, HEADER};
use crate::wire::params::{COUNT, Settable, index, param_at};

/// The position of each parameter among those that can be set only once, by index.
const ONCE: [u64; 6] = [5, 6, 9, 32, 33, 38];

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Indices of this record, as bits.
    seen: u64,
    /// Indices of this libxc stream, as bits.
    pub(crate) ever: u64,
    index: u64,
    /// The first nonzero value of each parameter that can be set only once, in the order of [`ONCE`].
    once: [u64; ONCE.len()],
}

impl Verifier {
    pub(crate) fn params_count<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        count: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let exact = HEADER.saturating_add(count.saturating_mul(ENTRY));
        if exact != self.libxc.length {
            self.flag(Rule::LibxcHvmParamsLength, at.saturating_sub(4), self.libxc.length, exact, o)?;
            self.rest_of_body();
            return Ok(());
        }
        if count == 0 {
            // Erratum 1 of the specification: Xen 4.6 to 4.8 wrote such records, and they mean nothing.
            self.flag(Rule::LibxcHvmParamsEmpty, at, 0, 1, o)?;
        }
        self.params.seen = 0;
        Ok(())
    }

    pub(crate) fn param_index<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        index: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        self.params.index = index;
        let Some(param) = param_at(index) else {
            return self.flag(Rule::LibxcHvmParamsIndex, at, index, COUNT, o);
        };
        match index {
            index::NESTEDHVM => self.flag_fact(Fact::Nest, at, index, index, o)?,
            index::ALTP2M => self.flag_fact(Fact::Altp2m, at, index, index, o)?,
            _ if param.settable == Settable::Never => {
                self.flag(Rule::LibxcHvmParamsRefused, at, index, index, o)?;
            }
            _ => {}
        }
        let bit = 1u64.checked_shl(index as u32).unwrap_or(0);
        if self.params.seen & bit != 0 {
            self.flag(Rule::LibxcHvmParamsRepeated, at, index, Value::None, o)?;
        }
        self.params.seen |= bit;
        self.params.ever |= bit;
        Ok(())
    }

    pub(crate) fn param_value<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let index = self.params.index;
        let Some(param) = param_at(index) else { return Ok(()) };
        for check in param.checks {
            if let Some(rule) = check.rule()
                && !check.passes(value)
            {
                return self.flag(rule, at, value, index, o);
            }
        }
        match index {
            index::VIRIDIAN => {
                if value & index::VIRIDIAN_SINCE_15 != 0 {
                    self.flag_fact(Fact::Vir13, at, value, index, o)?;
                }
                self.viridian_features(at, value, o)?;
            }
            index::NESTEDHVM if value == 1 => self.depends_on(HostDependency::Hap),
            index::MCA_CAP if value != 0 => self.depends_on(HostDependency::McaCaps),
            _ => {}
        }
        self.param_once(at, index, value, o)?;
        self.memory_param(index, value, at, o)
    }

    /// Reports a second, different value of a parameter that can be set only once. The same value again is allowed.
    fn param_once<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        index: u64,
        value: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let place = ONCE.iter().position(|once| *once == index);
        let Some(first) = place.and_then(|place| self.params.once.get_mut(place)) else { return Ok(()) };
        let was = *first;
        if was == 0 {
            *first = value;
        } else if was != value {
            return self.flag(Rule::LibxcHvmParamsConflict, at, value, was, o);
        }
        Ok(())
    }
}

/// Reports missing parameters that every saver writes and a running guest needs.
impl Verifier {
    pub(crate) fn params_missing<O: Observer + ?Sized>(
        &mut self,
        found: Value,
        at: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let needed = [
            (index::STORE_PFN, Rule::LibxcHvmParamsStore),
            (index::CONSOLE_PFN, Rule::LibxcHvmParamsConsole),
        ];
        for (index, rule) in needed {
            let bit = 1 << index;
            if self.params.ever & bit == 0 {
                // One finding is enough.
                self.params.ever |= bit;
                self.flag(rule, at, found, index, o)?;
            }
        }
        self.viridian_end(at, o)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_set_once_are_those_of_the_table() {
        let once = (0..COUNT).filter(|index| param_at(*index).is_some_and(|p| p.settable == Settable::Once));
        assert!(once.eq(ONCE));
    }
}
