#![no_main]

xenstream_fuzz::stream_target!(splits, 2);
