//! Verifies Xen's saved domains and migration streams: bytes in, verdict out.
//!
//! This crate knows the formats and the rules, and nothing else: no I/O, no clock, no allocation, no `unsafe`, no panic. It
//! can run inside a restore helper, between `read()` and the parser. The crate `xenstream` adds files, pipes and compressed
//! images.
//!
//! ```
//! use xenstream_core::{Format, Policy, Verifier};
//!
//! # fn bytes() -> [u8; 3] { *b"no " }
//! let mut verifier = Verifier::new(Format::Auto, &Policy::spec());
//! let verdict = verifier.push(&bytes(), &mut ()).and_then(|_| verifier.finish(&mut ()));
//! assert_eq!(verdict.unwrap_err().rule.name(), "stream::unrecognised");
//! ```
//!
//! * [`Verifier`] takes the stream in pieces of any size, and the verdict is the same for every split.
//! * [`Violation`] names the [`Rule`] that was broken, the offset and the record.
//! * [`Policy`] says how strict to be: a [`Profile`], with individual levels and limits changed.
//! * [`Target`] is a release of Xen, and [`Releases`] says which releases accept the stream.
//! * [`Observer`] receives events about the contents of the stream.
//! * [`wire`] describes the formats as data.

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(test)]
extern crate std;

mod catalogue;
mod observer;
mod page_type;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "const functions have no `get`; the indices are an enum's own numbers"
)]
mod policy;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "const functions have no `get`; the panic is a build error of the catalogue"
)]
mod rule;
mod size;
mod summary;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tables are built by const functions, which have no `get`; nothing is indexed at run time by a stream's number"
)]
mod targets;
mod value;
mod verifier;
mod verify;
mod violation;
#[expect(
    clippy::exhaustive_enums,
    reason = "what decodes, builds or scrubs a structure decides about every case; forgetting one would be unsafe"
)]
pub mod wire;

pub use observer::{Header, Observer, PageBatch, PfnEntry, Pfns, Record};
pub use page_type::PageType;
pub use policy::{Checkpointing, Level, LevelError, Limit, Policy, Profile, Rules, UnknownLimit};
pub use rule::{Checker, Entry, Framing, Grade, Leave, Rule, UnknownRule, Width};
pub use size::ByteSize;
pub use summary::{DomainType, Format, Guest, Pages, RecordCounts, Summary, UnknownFormat};
pub use targets::{
    Fact, FactEntry, FactSet, HostDependency, Polarity, Refusal, Releases, ResolvedTarget, Stretch, Target,
    TargetSet, UnknownFact, UnknownTarget,
};
pub use value::{CpuVendor, Evidence, Value};
pub use verifier::{Need, Progress, SkipError, Verifier};
pub use verify::detect::Follows;
pub use verify::hvm::cpu::{unsupported_cr4, unsupported_efer};
pub use violation::{Layer, Message, RecordRef, TypeLabel, Violation};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
