#![no_main]

xenstream_fuzz::stream_target!(diff, 6);
