#![no_main]

xenstream_fuzz::stream_target!(calls, 3);
