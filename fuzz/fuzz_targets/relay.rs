#![no_main]

xenstream_fuzz::stream_target!(relay, 3);
