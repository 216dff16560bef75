#![no_main]

xenstream_fuzz::stream_target!(arbitrary_bytes, 2);
