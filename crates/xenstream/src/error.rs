//! Why no verdict could be reached.

use std::io;
use std::path::PathBuf;

use xenstream_core::ByteSize;

use crate::source::compressed::Compression;

/// Why no verdict could be reached. Never a fault of the stream: that is a
/// [`Violation`](xenstream_core::Violation).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input could not be opened.
    #[error("cannot open input")]
    Open(#[source] io::Error),
    /// The input could not be examined: what kind of file it is, or how long.
    #[error("cannot tell what kind of file the input is")]
    Inspect(#[source] io::Error),
    /// The input could not be read.
    #[error("cannot read at offset {offset}")]
    Read {
        /// Bytes of the input, as it is stored, in front of those that could not be read.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The output could not be written.
    #[error("cannot write at offset {offset}")]
    Write {
        /// Bytes of the stream in front of those that could not be written.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody reads the output any more, or wants more of an inspection.
    #[error("the consumer has gone at offset {offset}")]
    ConsumerGone {
        /// Bytes of the stream that were passed on or inspected.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A relay was told to wait no longer.
    #[error("interrupted at offset {offset}")]
    Interrupted {
        /// Bytes of the stream that were passed on.
        offset: u64,
    },
    /// The input is compressed, and what is compressed is damaged, cut short or needs too much memory.
    #[error("cannot decompress {compression} data behind offset {offset}")]
    Decompress {
        /// The method.
        compression: Compression,
        /// Bytes of decompressed data in front of the damage.
        offset: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// The output could not be created.
    #[error("cannot create output")]
    Create(#[source] io::Error),
    /// The output exists, and was not to be replaced.
    #[error("output exists; --force replaces it")]
    Exists,
    /// The output exists, and is nothing that another file could replace: a directory, a device, a pipe.
    #[error("output exists and is no regular file")]
    NoFile,
    /// The output would be so much longer than what is in it that it cannot be what is wanted.
    #[error(
        "{pages} pages lie far apart, and a raw file with all of them would be {} long; choose some by pfn, or another \
         format",
        ByteSize(*bytes)
    )]
    TooSparse {
        /// Bytes that the output would have.
        bytes: u64,
        /// Pages with contents in it.
        pages: u64,
    },
    /// The stream has no such checkpoint.
    #[error("there is no checkpoint {wanted}: the stream has {complete} complete ones")]
    NoCheckpoint {
        /// The checkpoint that was asked for, counting from 1.
        wanted: u64,
        /// How many there are, as far as the stream was read.
        complete: u64,
    },
    /// The stream has no registers of such a vcpu.
    #[error("there are no registers of vcpu {wanted}")]
    NoVcpu {
        /// The vcpu that was asked for, counting from 0.
        wanted: u32,
    },
    /// The output is the input.
    #[error("output is the input")]
    SameFile,
    /// The input changed between two reads of the same bytes.
    #[error("input has changed while it was read")]
    Changed,
    /// A directory could not be listed.
    #[error("cannot list directory")]
    List {
        /// The directory, or the entry that made it fail.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No file in a directory is an image.
    #[error("no image in this directory")]
    NoImage,
}

impl Error {
    /// The kind in a word, as the JSON report has it: `io`, `consumer-gone`, `interrupted`, `decompress`, `no-image`,
    /// `too-sparse`, `no-checkpoint` or `no-vcpu`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Open(_)
            | Error::Inspect(_)
            | Error::Read { .. }
            | Error::Write { .. }
            | Error::Create(_)
            | Error::Exists
            | Error::NoFile
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
        }
    }

    /// Returns the error for an output that cannot be written after this many bytes.
    #[must_use]
    pub fn of_output(offset: u64, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                Error::ConsumerGone { offset, source }
            }
            _ => Error::Write { offset, source },
        }
    }

    /// The whole story in a line: this error and what caused it.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        message
    }
}
