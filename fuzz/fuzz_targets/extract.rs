#![no_main]

xenstream_fuzz::stream_target!(extract, 5);
