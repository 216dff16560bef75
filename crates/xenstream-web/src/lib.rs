//! The verifier in a browser: `cargo xtask web` makes a page of it.
//!
//! What is wanted of an image is computed by [`judge`], [`pictures`] and [`scrubbed`], on any machine. In WebAssembly a thin
//! layer over them reads a file through a worker's `FileReaderSync`; see `page/worker.js`.

// wasm-bindgen makes unsafe code of the interface, and of nothing else.
#![cfg_attr(not(target_family = "wasm"), forbid(unsafe_code))]

mod answer;
mod cache;
mod choices;
mod rows;
mod scrubbing;
#[cfg(target_family = "wasm")]
pub mod wasm;

pub use answer::{explained, judge, pictures};
pub use cache::{Cached, Pieces};
pub use choices::{Choices, targets};
pub use scrubbing::{Piece, scrubbed};
