#![no_main]

xenstream_fuzz::stream_target!(html, 2);
