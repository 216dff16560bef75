#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xenstream_properties::structured_valid(data));
