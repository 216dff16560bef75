#![no_main]

xenstream_fuzz::stream_target!(json, 2);
