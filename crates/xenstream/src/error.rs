//! Errors: why there is no verdict.

use std::io;
use std::path::{Path, PathBuf};

use xenstream_core::ByteSize;

use crate::source::compression::Compression;
use crate::untrusted::Untrusted;

/// The reason why there is no verdict. It is never a fault of the stream, which is a
/// [`Violation`](xenstream_core::Violation).
///
/// `Display` is one line with the cause, which is therefore no [`source`](std::error::Error::source). It names the path if the
/// input could not be opened or a directory not listed; otherwise the caller knows which input or output it gave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input could not be opened.
    #[error("cannot open {}: {source}", Untrusted::from(path.as_path()))]
    Open {
        /// The input.
        path: PathBuf,
        /// The error from the system.
        r#source: io::Error,
    },
    /// The type or the length of the input could not be determined.
    #[error("cannot determine the type of the input: {0}")]
    Inspect(io::Error),
    /// The input could not be read.
    #[error("cannot read at offset {offset}: {source}")]
    Read {
        /// Number of bytes of the stored input before those that could not be read.
        offset: u64,
        /// The error from the system.
        r#source: io::Error,
    },
    /// The output could not be written.
    #[error("cannot write at offset {offset}: {source}")]
    Write {
        /// Number of bytes of the stream before those that could not be written.
        offset: u64,
        /// The error from the system.
        r#source: io::Error,
    },
    /// The reader of the output has gone, or the sink of an inspection wants no more.
    #[error("the reader of the output has gone, at offset {offset}: {source}")]
    ConsumerGone {
        /// Number of bytes of the stream that were passed on or inspected.
        offset: u64,
        /// The error from the system.
        r#source: io::Error,
    },
    /// A relay was told to stop waiting.
    #[error("interrupted at offset {offset}")]
    Interrupted {
        /// Number of bytes of the stream that were passed on.
        offset: u64,
    },
    /// The compressed input is damaged, cut short, or needs too much memory.
    #[error("cannot decompress {compression} data after offset {offset}: {source}")]
    Decompress {
        /// The compression method.
        compression: Compression,
        /// Number of decompressed bytes before the damage.
        offset: u64,
        /// The error from the decompressor.
        r#source: io::Error,
    },
    /// The output could not be created.
    #[error("cannot create output: {0}")]
    Create(io::Error),
    /// The output exists, and may not be replaced.
    #[error("output already exists; --force replaces it")]
    Exists,
    /// The output exists and cannot be replaced: it is a directory, a device or a pipe.
    #[error("output exists and is not a regular file")]
    NotAFile,
    /// The output would be absurdly long compared with its contents.
    #[error(
        "{pages} pages are far apart, so a raw file would be {} long; choose a range of pfns, or another format",
        ByteSize(*bytes)
    )]
    TooSparse {
        /// Length that the output would have, in bytes.
        bytes: u64,
        /// Number of pages with contents.
        pages: u64,
    },
    /// The stream has no such checkpoint.
    #[error("there is no checkpoint {wanted}; the stream has {complete} complete checkpoints")]
    NoCheckpoint {
        /// The requested checkpoint, counting from 1.
        wanted: u64,
        /// The number of complete checkpoints, as far as the stream was read.
        complete: u64,
    },
    /// The stream has no registers of the requested vcpu.
    #[error("there are no registers of vcpu {wanted}")]
    NoVcpu {
        /// The requested vcpu, counting from 0.
        wanted: u32,
    },
    /// The stream does not say where the guest's list of frames is.
    #[error("there is no list of frames (X86_PV_P2M_FRAMES), which only PV guests have")]
    NoP2m,
    /// The output is the input.
    #[error("output is the same file as the input")]
    SameFile,
    /// The input changed between two reads of the same bytes.
    #[error("input changed while it was read")]
    Changed,
    /// A directory could not be listed.
    #[error("cannot list {}: {source}", Untrusted::from(path.as_path()))]
    List {
        /// The directory, or the entry that could not be listed.
        path: PathBuf,
        /// The error from the system.
        r#source: io::Error,
    },
    /// No file in a directory is an image.
    #[error("no image in this directory")]
    NoImage,
}

impl Error {
    /// Returns the kind of error in a word, as in JSON: `io`, `consumer-gone`, `interrupted`, `decompress`, `no-image`,
    /// `too-sparse`, `no-checkpoint`, `no-vcpu` or `no-p2m`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Open { .. }
            | Error::Inspect(_)
            | Error::Read { .. }
            | Error::Write { .. }
            | Error::Create(_)
            | Error::Exists
            | Error::NotAFile
            | Error::SameFile
            | Error::Changed
            | Error::List { .. } => "io",
            Error::ConsumerGone { .. } => "consumer-gone",
            Error::Interrupted { .. } => "interrupted",
            Error::Decompress { .. } => "decompress",
            Error::NoImage => "no-image",
            Error::TooSparse { .. } => "too-sparse",
            Error::NoCheckpoint { .. } => "no-checkpoint",
            Error::NoVcpu { .. } => "no-vcpu",
            Error::NoP2m => "no-p2m",
        }
    }

    /// Returns the system's or the decompressor's error, if one is the cause.
    #[must_use]
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Error::Inspect(source)
            | Error::Create(source)
            | Error::Open { source, .. }
            | Error::Read { source, .. }
            | Error::Write { source, .. }
            | Error::ConsumerGone { source, .. }
            | Error::Decompress { source, .. }
            | Error::List { source, .. } => Some(source),
            Error::Exists
            | Error::NotAFile
            | Error::SameFile
            | Error::Changed
            | Error::Interrupted { .. }
            | Error::NoImage
            | Error::TooSparse { .. }
            | Error::NoCheckpoint { .. }
            | Error::NoVcpu { .. }
            | Error::NoP2m => None,
        }
    }

    /// Creates the error for an output that could not be written after this many bytes.
    #[must_use]
    pub fn of_output(offset: u64, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                Error::ConsumerGone { offset, source }
            }
            _ => Error::Write { offset, source },
        }
    }

    /// Returns the path that the message names, if it names one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Error::Open { path, .. } | Error::List { path, .. } => Some(path),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    /// One error of each variant. The match is complete, so a new variant does not compile without one.
    fn errors() -> Vec<Error> {
        let cause = || io::Error::other("CAUSE");
        let path = || PathBuf::from("/a/PATH");
        let offset = 7;
        let all = vec![
            Error::Open { path: path(), source: cause() },
            Error::Inspect(cause()),
            Error::Read { offset, source: cause() },
            Error::Write { offset, source: cause() },
            Error::ConsumerGone { offset, source: cause() },
            Error::Interrupted { offset },
            Error::Decompress { compression: Compression::Zstd, offset, source: cause() },
            Error::Create(cause()),
            Error::Exists,
            Error::NotAFile,
            Error::TooSparse { bytes: 1 << 40, pages: 2 },
            Error::NoCheckpoint { wanted: 2, complete: 1 },
            Error::NoVcpu { wanted: 1 },
            Error::NoP2m,
            Error::SameFile,
            Error::Changed,
            Error::List { path: path(), source: cause() },
            Error::NoImage,
        ];
        for error in &all {
            match error {
                Error::Open { .. }
                | Error::Inspect(_)
                | Error::Read { .. }
                | Error::Write { .. }
                | Error::ConsumerGone { .. }
                | Error::Interrupted { .. }
                | Error::Decompress { .. }
                | Error::Create(_)
                | Error::Exists
                | Error::NotAFile
                | Error::TooSparse { .. }
                | Error::NoCheckpoint { .. }
                | Error::NoVcpu { .. }
                | Error::NoP2m
                | Error::SameFile
                | Error::Changed
                | Error::List { .. }
                | Error::NoImage => {}
            }
        }
        all
    }

    #[test]
    fn display_has_path_and_cause_once() {
        for error in errors() {
            let message = error.to_string();
            let has_cause = format!("{error:?}").contains("CAUSE");
            assert_eq!(message.matches("CAUSE").count(), usize::from(has_cause), "{message}");
            assert_eq!(message.matches("/a/PATH").count(), usize::from(error.path().is_some()), "{message}");
            // What prints a chain of errors prints nothing twice.
            assert!(error.source().is_none(), "{message}");
            assert!(!message.ends_with('.') && !message.starts_with(char::is_uppercase), "{message}");
        }
    }
}
