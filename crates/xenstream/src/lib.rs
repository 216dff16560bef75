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
//! * `verify_path`, `verify_fd`, [`verify_reader`] and [`verify_slice`] verify one image and return a [`Report`].
//!   [`verify()`] also passes events about its contents to an [`Observer`].
//! * `relay()` passes a stream on while it verifies it.
//! * `diff` compares two images.
//! * `extract` writes the guest's memory to a file for debuggers.
//! * `scrub` blanks the guest's data in a stream, so that it can be shared.
//! * `batch` verifies many images and directories on all cores.
//! * [`inspect`] decodes a stream record by record.
//! * `host` describes a host, for which a stream is then judged.
//! * `json` formats a report as JSON.
//!
//! An [`Error`] means that there is no verdict. An invalid stream is a verdict, not an error. Only those parts of a file that
//! a rule needs are read: a few megabytes of an image of several gigabytes.
//!
//! The formats and rules are in [`xenstream_core`], whose items this crate re-exports.
//!
//! # Features
//!
//! All are on by default. Without any, the crate verifies, inspects and explains what it is given as a slice, as a reader or
//! through [`ReadAt`], and builds for `wasm32-unknown-unknown`.
//!
//! | feature | adds | dependencies |
//! |---|---|---|
//! | `config` | the rules about a domain's configuration, the limits that follow from it, and the guest's name in a report. Without it, those rules are [unchecked](Report::unchecked) | quick-xml, serde_json |
//! | `decompress` | decompression of input in zstd, gzip, xz and lz4, and a converter's compressed output. Without it, compressed input is judged as it is, and is in no known format; a [hint](Report::hint) names the compression. The libraries for zstd and xz are written in C | zstd, flate2, liblzma, lz4_flex |
//! | `diff` | `diff`; needs `extract` and `rewrite` | |
//! | `extract` | `extract`; needs `fs` | object |
//! | `fs` | files, pipes and sockets of a Unix system, `relay()`, reading ahead on threads | rustix, tempfile |
//! | `host` | `host`, and the rules about the host; needs `config` and `walk` | |
//! | `json` | `json`, and serde's `Serialize` for rows of an inspection | serde, serde_json |
//! | `rewrite` | `rewrite` and `scrub`; needs `config` | |
//! | `walk` | `batch`, with directories; needs `fs` | walkdir |

#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

#[cfg(feature = "walk")]
pub mod batch;
mod clock;
mod config;
#[cfg(feature = "diff")]
pub mod diff;
mod error;
#[cfg(feature = "extract")]
pub mod extract;
mod guest;
mod hint;
#[cfg(any(feature = "rewrite", feature = "extract"))]
mod holes;
#[cfg(feature = "host")]
#[expect(clippy::exhaustive_structs, reason = "plain data, which the description of a host fills in")]
pub mod host;
pub mod inspect;
#[cfg(feature = "json")]
pub mod json;
mod listener;
pub mod logs;
#[cfg(feature = "fs")]
mod new_file;
mod options;
mod pv_walk;
#[cfg(feature = "fs")]
mod relay;
mod report;
#[cfg(feature = "rewrite")]
pub mod rewrite;
#[cfg(feature = "rewrite")]
pub mod scrub;
mod session;
mod source;
mod untrusted;
mod verify;
#[cfg(feature = "walk")]
mod walk;

pub use error::Error;
pub use guest::{GuestDescription, GuestKind};
pub use hint::{Hint, Until};
#[cfg(feature = "fs")]
pub use new_file::NewFile;
pub use options::Options;
#[cfg(feature = "fs")]
pub use relay::{Relay, Relayed, relay, relay_with};
pub use report::{DerivedLimit, Findings, Report, Verdict};
pub use source::compression::Compression;
pub use source::file::ReadAt;
pub use untrusted::Untrusted;
pub use verify::{Input, verify, verify_reader, verify_slice};
#[cfg(feature = "fs")]
pub use verify::{verify_fd, verify_path};
pub use xenstream_core::ByteSize;
pub use xenstream_core::{
    Checker, Checkpointing, CpuVendor, Entry, Fact, FactEntry, FactSet, Format, Grade, Guest, Header,
    HostDependency, Layer, Level, LevelError, Limit, Message, Need, Observer, PageBatch, PageType, Pages,
    PfnEntry, Pfns, Polarity, Policy, Profile, Progress, Record, RecordCounts, RecordRef, Refusal, Releases,
    ResolvedTarget, Rule, Rules, SkipError, Stretch, Summary, Target, TargetSet, TypeLabel, UnknownFact,
    UnknownFormat, UnknownLimit, UnknownRule, UnknownTarget, Verifier, Violation, wire,
};

/// The examples of this crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
