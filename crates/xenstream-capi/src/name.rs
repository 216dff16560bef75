//! The core's names as C strings.

use core::ffi::{CStr, c_char, c_int};
use core::ptr;

use xenstream_core::{RecordRef, Rule};

include!(concat!(env!("OUT_DIR"), "/names.rs"));

/// Returns the number of rules.
#[unsafe(no_mangle)]
pub extern "C" fn xs_rule_count() -> u32 {
    // At most 256 values: as many as a byte can tell apart.
    RULES.len() as u32
}

/// Returns the name of a rule by number, from 0 to xs_rule_count() - 1, such as "libxc::padding"; null for any
/// other number. Names stay the same in later versions; numbers may change.
#[unsafe(no_mangle)]
pub extern "C" fn xs_rule_name(number: u32) -> *const c_char {
    usize::try_from(number)
        .ok()
        .and_then(|number| RULES.get(number))
        .map_or(ptr::null(), |name| name.as_ptr())
}

/// Returns the name of a layer, such as "libxc"; null for an unknown number.
#[unsafe(no_mangle)]
pub extern "C" fn xs_layer_name(layer: c_int) -> *const c_char {
    usize::try_from(layer).ok().and_then(|layer| LAYERS.get(layer)).map_or(ptr::null(), |name| name.as_ptr())
}

/// The rule's number.
pub(crate) fn rule_number(rule: Rule) -> u32 {
    u32::from(rule as u16)
}

/// The name of a record's type; null where it has none.
pub(crate) fn type_name(record: &RecordRef) -> *const c_char {
    let Some(name) = record.type_name() else { return ptr::null() };
    let position = TYPES.binary_search_by(|known| known.to_bytes().cmp(name.as_bytes()));
    position.ok().and_then(|position| TYPES.get(position)).map_or(ptr::null(), |name| name.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenstream_core::Layer;

    #[test]
    fn rules_are_numbered_as_in_the_catalogue() {
        assert_eq!(RULES.len(), Rule::COUNT);
        for (number, rule) in (0..).zip(Rule::all()) {
            assert_eq!(rule_number(rule), number);
            assert_eq!(RULES[number as usize].to_bytes(), rule.name().as_bytes());
        }
    }

    #[test]
    fn every_record_type_has_its_c_name() {
        let mut named = 0;
        for layer in Layer::all() {
            for kind in 0..=u64::from(u16::MAX) {
                let record = RecordRef { layer, index: 0, kind: Some(kind), offset: 0 };
                let name = type_name(&record);
                assert_eq!(name.is_null(), record.type_name().is_none(), "{layer} {kind}");
                named += u32::from(!name.is_null());
            }
        }
        assert!(named > 50, "{named}");
    }
}
