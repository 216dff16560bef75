//! Opens what is to be rewritten: something that is read at any place, or bytes in order.

#[cfg(feature = "fs")]
use std::fs;
#[cfg(feature = "fs")]
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

#[cfg(feature = "fs")]
use crate::new_file::distinct;
#[cfg(feature = "decompress")]
use crate::rewrite::input::File;
use crate::rewrite::input::{Bytes, Live};
#[cfg(feature = "decompress")]
use crate::source::compressed::Decompressor;
#[cfg(feature = "fs")]
use crate::source::file;
use crate::source::file::ReadAt;
use crate::source::stream;
use crate::{Error, Input, Options};

/// An input, as it can be read. What is compressed comes decompressed, in order.
pub(crate) enum Opened<'a> {
    /// At any place.
    At(&'a dyn ReadAt),
    /// In order.
    InOrder(&'a mut dyn Bytes),
}

/// Opens an input for a rewriter. The output may not be the same file.
pub(crate) fn open<R>(
    input: Input<'_>,
    output: Option<&Path>,
    options: &Options,
    rewrite: impl FnOnce(Opened<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    // Without files of the system an output is never its own input.
    #[cfg(not(feature = "fs"))]
    let _ = output;
    match input {
        #[cfg(feature = "fs")]
        Input::Path(path) => {
            let file = fs::File::open(path).map_err(|source| Error::Open { path: path.into(), source })?;
            from_descriptor(file.as_fd(), true, output, options, rewrite)
        }
        #[cfg(feature = "fs")]
        Input::Descriptor(fd) => from_descriptor(fd, false, output, options, rewrite),
        Input::Positioned(file) => from_file(file, options, rewrite),
        Input::Reader(reader) => from_stream(&mut stream::Reader(reader), options, rewrite),
        Input::Slice(bytes) => from_file(&bytes, options, rewrite),
    }
}

#[cfg(feature = "fs")]
fn from_descriptor<R>(
    fd: BorrowedFd<'_>,
    is_ours: bool,
    output: Option<&Path>,
    options: &Options,
    rewrite: impl FnOnce(Opened<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    if let Some(path) = output {
        distinct(fd, path)?;
    }
    let Some(file) = file::Descriptor::new(fd)? else {
        return from_stream(&mut stream::Descriptor::new(fd)?, options, rewrite);
    };
    if is_ours {
        file.advise();
    }
    from_file(&file, options, rewrite)
}

fn from_file<R>(
    file: &dyn ReadAt,
    options: &Options,
    rewrite: impl FnOnce(Opened<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    #[cfg(feature = "decompress")]
    if let Some(mut decompressed) = File::new(file)?.decompressed(options.decompress)? {
        return rewrite(Opened::InOrder(&mut decompressed));
    }
    #[cfg(not(feature = "decompress"))]
    let _ = options;
    rewrite(Opened::At(file))
}

fn from_stream<R>(
    stream: &mut dyn stream::Stream,
    options: &Options,
    rewrite: impl FnOnce(Opened<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut input = Live::new(stream)?;
    #[cfg(feature = "decompress")]
    if let Some(compression) = input.recognise().filter(|_| options.decompress) {
        return rewrite(Opened::InOrder(&mut Decompressor::new(compression, input)?));
    }
    #[cfg(not(feature = "decompress"))]
    let _ = options;
    rewrite(Opened::InOrder(&mut input))
}
