//! What the program `xenstream` says of an image, as text: verdicts and findings, releases, bytes around a fault, and what
//! rules, facts and lines of logs mean.
//!
//! Text that an image brings is made harmless. Text is styled with escape sequences for a terminal, which
//! `anstream::StripStream` takes out.
//!
//! ```
//! use xenstream::{Options, verify_slice};
//!
//! let report = verify_slice(b"not an image", &Options::default()).unwrap();
//! assert_eq!(xenstream_text::verdict(&report), "invalid");
//! ```

#![forbid(unsafe_code)]

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod explain;
pub mod hex;
mod releases;
pub mod style;
mod verdict;

pub use explain::{example, explain, grades, releases_with};
pub use releases::{accepting, host, reasons, restores_on};
pub use verdict::{
    advised, bytes, description, duration, guest, guest_line, lowered, message, name, pfns, place, plural,
    report, unchecked, verdict, verified,
};
