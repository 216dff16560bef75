#![no_main]

xenstream_fuzz::stream_target!(source, 3);
