#![no_main]

xenstream_fuzz::stream_target!(sockets, 4);
