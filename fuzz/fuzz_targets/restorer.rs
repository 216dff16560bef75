#![no_main]

xenstream_fuzz::stream_target!(restorer, 1);
