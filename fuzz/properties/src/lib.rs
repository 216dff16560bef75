//! What must hold for every input.
//!
//! Each function takes the bytes that a fuzzer made, and panics where its property does not hold. The targets in
//! `fuzz/fuzz_targets` call them with libFuzzer's inputs, the tests of this crate with the checked-in corpus.

#![forbid(unsafe_code)]

pub mod arbitrary_bytes;
pub mod convert;
pub mod diff;
pub mod directory;
pub mod extract;
pub mod html;
pub mod inspect;
pub mod json;
pub mod relay;
pub mod restorer;
pub mod script;
pub mod scrub;
pub mod setup;
pub mod sockets;
pub mod source;
pub mod splits;
pub mod structured;
pub mod transcript;

pub use arbitrary_bytes::arbitrary_bytes;
pub use convert::convert;
pub use diff::diff;
pub use directory::directory;
pub use extract::extract;
pub use html::html;
pub use inspect::inspect;
pub use json::json;
pub use relay::relay;
pub use restorer::restorer;
pub use scrub::scrub;
pub use setup::Setup;
pub use sockets::sockets;
pub use source::source;
pub use splits::splits;
pub use structured::{structured_broken, structured_valid};
pub use xenstream_c::calls;

/// A fuzz target's property.
pub type Property = fn(&[u8]);

/// Every target by the name of its file in `fuzz/fuzz_targets`.
pub const TARGETS: [(&str, Property); 16] = [
    ("arbitrary_bytes", arbitrary_bytes),
    ("splits", splits),
    ("source", source),
    ("relay", relay),
    ("sockets", sockets),
    ("scrub", scrub),
    ("convert", convert),
    ("extract", extract),
    ("diff", diff),
    ("html", html),
    ("json", json),
    ("directory", directory),
    ("calls", calls),
    ("structured_valid", structured_valid),
    ("structured_broken", structured_broken),
    ("restorer", restorer),
];
