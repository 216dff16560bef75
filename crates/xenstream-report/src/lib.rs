//! Pictures of a Xen saved domain or migration stream: one page that needs nothing but a browser.
//!
//! A [`Collector`] observes the verification of an image, and [`write_page`] makes a page of what it saw and of the
//! verdict: the stream as a timeline, the guest's memory as a map, the rounds of a live migration, sizes by record type,
//! and what was found, each thing linked to its place.
//!
//! ```
//! use xenstream::{Input, Options, verify};
//! use xenstream_report::{Collector, write_page};
//!
//! let mut collector = Collector::new();
//! let report = verify(Input::Slice(b"not an image"), &Options::default(), &mut collector).unwrap();
//! let mut page = Vec::new();
//! write_page(&mut page, "guest.save", &report, &collector).unwrap();
//! assert!(page.starts_with(b"<!DOCTYPE html>"));
//! ```
//!
//! Whatever the stream claims, the collector takes a few megabytes at most and a constant time for each record and each
//! entry of PAGE_DATA, and the page has less than [`PAGE_MAX`] bytes.

#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod collect;
mod kinds;
mod numbers;
mod view;

pub use collect::Collector;
pub use view::{PAGE_MAX, Subject, is_page, write_page};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
