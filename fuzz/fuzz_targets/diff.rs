#![no_main]

libfuzzer_sys::fuzz_target!(init: xenstream_fuzz::use_dictionary(), |data: &[u8]| xenstream_properties::diff(data));
