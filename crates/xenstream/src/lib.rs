//! Verifies Xen's saved domains and migration streams: files, pipes, memory, compressed images, directories of them.
//!
//! ```
//! use xenstream::{Options, Policy, verify_slice};
//!
//! let report = verify_slice(b"not an image", &Options::new(Policy::hardened())).unwrap();
//! let violation = report.violation().unwrap();
//! assert_eq!((violation.rule.name(), violation.offset), ("stream::unrecognised", 0));
//! ```
//!
//! * [`verify_path`], [`verify_fd`], [`verify_reader`] and [`verify_slice`] verify one image and return a [`Report`].
//!   [`verify()`] also passes events about its contents to an [`Observer`].
//! * [`relay()`] passes a stream on while it verifies it.
//! * [`mod@diff`] compares two images.
//! * [`mod@extract`] writes the guest's memory to a file for debuggers.
//! * [`scrub`] blanks the guest's data in a stream, so that it can be shared.
//! * [`batch`] verifies many images and directories on all cores.
//! * [`inspect`] decodes a stream record by record.
//! * [`json`] formats a report as JSON.
//!
//! An [`Error`] means that there is no verdict. An invalid stream is a verdict, not an error. Only those parts of a file that
//! a rule needs are read: a few megabytes of an image of several gigabytes.
//!
//! The formats and rules are in [`xenstream_core`], whose items this crate re-exports.

#![forbid(unsafe_code)]

pub mod batch;
mod config;
pub mod diff;
mod error;
pub mod extract;
mod guest;
mod hint;
mod holes;
pub mod inspect;
pub mod json;
mod listener;
pub mod logs;
mod new_file;
mod options;
mod pv_walk;
mod relay;
mod report;
pub mod rewrite;
pub mod scrub;
mod session;
mod source;
mod untrusted;
mod verify;
mod walk;

pub use error::Error;
pub use guest::{GuestDescription, GuestKind};
pub use hint::{Hint, Until};
pub use new_file::NewFile;
pub use options::Options;
pub use relay::{Relay, Relayed, relay, relay_with};
pub use report::{DerivedLimit, Findings, Report, Verdict};
pub use source::compressed::Compression;
pub use source::file::ReadAt;
pub use untrusted::Untrusted;
pub use verify::{Input, verify, verify_fd, verify_path, verify_reader, verify_slice};
pub use xenstream_core::ByteSize;
pub use xenstream_core::{
    Checker, Checkpointing, Entry, Fact, FactEntry, FactSet, Format, Grade, Guest, Header, HostDependency,
    Layer, Level, LevelError, Limit, Message, Need, Observer, PageBatch, Pages, PfnEntry, Pfns, Polarity,
    Policy, Profile, Progress, Record, RecordCounts, RecordRef, Refusal, Releases, ResolvedTarget, Rule,
    SkipError, Stretch, Summary, Target, TargetSet, TypeLabel, UnknownFact, UnknownFormat, UnknownLimit,
    UnknownRule, UnknownTarget, Verifier, Violation, wire,
};

/// The examples of the project's README are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The examples of this crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;
