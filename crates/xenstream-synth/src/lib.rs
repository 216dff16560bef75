//! Builds Xen saved domains and migration streams byte by byte: valid ones, and ones that break exactly one rule.
//!
//! A [`Stream`] is a list of [items](Item), headers and records, that knows where each of them lies. Everything about
//! an item can be wrong: its length may lie, its padding may hold anything, any field may be overwritten.
//!
//! ```
//! use xenstream_core::Guest;
//! use xenstream_core::wire::libxc::types::PAGE_DATA;
//! use xenstream_synth::{Field, Part, libxc, minimal, valid};
//!
//! // A small HVM guest as `xl save` writes it.
//! let image = valid::hvm().in_libxl().with_device_model().in_xl();
//! assert!(image.bytes().starts_with(b"Xen saved domain, xl format"));
//!
//! // The same guest, with a PAGE_DATA record that claims no pages at all.
//! let broken = image.edited(Part::libxc(PAGE_DATA), 8, Field::U32(0));
//! let record = broken.record(broken.find(Part::libxc(PAGE_DATA))).unwrap();
//! assert_eq!(record.index, 3);
//!
//! // A stream of one's own.
//! let mine = libxc::stream(Guest::Hvm, [libxc::static_data_end(), libxc::first_pass(1, &[])]);
//! assert!(minimal::hvm().bytes().starts_with(&mine.bytes()));
//! ```
//!
//! * [`valid`] has guests as savers write them, [`minimal`] the smallest ones that break no rule.
//! * [`plan`] describes valid streams of any shape, to be made up by a fuzzer, and [`broken`] breaks one rule in them.
//! * [`cases`] has a stream for every rule that breaks it and no other, where, and an accepted neighbour.
//! * [`corpus`] is all of that as files.
//! * [`flat`] builds declared structures by name, and [`mutate`] changes any stream for a fuzzer.
//! * [`image`] has whole images of guests of any size.

#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod body;
pub mod broken;
pub mod cases;
pub mod container;
pub mod corpus;
pub mod flat;
pub mod hvm;
pub mod image;
mod item;
pub mod libxc;
pub mod libxl;
mod machine;
pub mod minimal;
pub mod mutate;
mod pages;
mod places;
#[expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "a plan is plain data, which generators fill in completely; a new part changes what every plan builds"
)]
pub mod plan;
mod rules;
mod stream;
pub mod valid;
mod vcpu;

pub use body::{Body, Field};
pub use item::{Item, Part};
pub use pages::{Page, pte};
pub use stream::Stream;
pub use vcpu::{Basic, extended_state, xsave_state};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
