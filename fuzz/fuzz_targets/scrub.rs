#![no_main]

xenstream_fuzz::stream_target!(scrub, 4);
