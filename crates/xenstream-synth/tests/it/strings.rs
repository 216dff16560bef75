//! Configurations and xenstore pairs: what of their bytes is looked at.

use xenstream_core::wire::{RECORD_HEADER, libxl, xl};
use xenstream_core::{Layer, Level, Policy, Rule};
use xenstream_synth::libxl::xenstore_bytes;
use xenstream_synth::{Part, minimal};

use crate::common::refused;

/// Without the flag it is not JSON, and whether it ends with a NUL nobody asks.
#[test]
fn configuration_in_cfg_syntax_needs_no_nul() {
    let levels = [(Rule::XlConfigFormat, Level::Allow), (Rule::XlConfigTerminator, Level::Deny)];
    let policy = levels.into_iter().fold(Policy::spec(), |policy, (rule, level)| {
        policy.with_level(rule, level).expect("no structural rule")
    });
    for config in [&b"x"[..], b"name = 'guest'"] {
        let with = |flags| minimal::hvm().in_libxl().in_xl_with(flags, config);
        assert_eq!(refused(&with(xl::FLAG_STREAM_V2), &policy), None);
        let found = refused(&with(xl::FLAG_STREAM_V2 | xl::FLAG_JSON), &policy);
        assert_eq!(found.map(|(rule, _)| rule), Some(Rule::XlConfigTerminator));
    }
}

#[test]
fn two_wrong_bytes_of_a_string_are_as_wrong_as_one() {
    let policy = Policy::spec().with_level(Layer::Libxl, Level::Deny).expect("any rule can be at deny");
    for (pairs, rule, at) in [
        (&b"key\0va\x01ue\0"[..], Rule::LibxlXenstoreValueCharset, 6),
        (b"key\0va\x01\x02e\0", Rule::LibxlXenstoreValueCharset, 6),
        (b"k:y\0value\0", Rule::LibxlXenstoreKeyCharset, 1),
        (b"k::y\0value\0", Rule::LibxlXenstoreKeyCharset, 1),
        (b"key\0value\0/ey\0value\0", Rule::LibxlXenstoreKeyAbsolute, 10),
        (b"key\0value\0/:y\0value\0", Rule::LibxlXenstoreKeyAbsolute, 10),
    ] {
        let part = Part::libxl(libxl::types::EMULATOR_XENSTORE_DATA);
        let stream = minimal::hvm().in_libxl().with_device_model().replaced(part, xenstore_bytes(pairs));
        let start = stream.offset(stream.find(part)) + RECORD_HEADER + libxl::EMULATOR_HEADER;
        assert_eq!(refused(&stream, &policy), Some((rule, start + at)), "{}", pairs.escape_ascii());
    }
}
