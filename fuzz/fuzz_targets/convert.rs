#![no_main]

xenstream_fuzz::stream_target!(convert, 5);
