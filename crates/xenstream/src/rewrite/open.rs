//! Opens what is to be rewritten: something that is read at any place, or bytes in order.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::rewrite::input::{Bytes, File, Live};
use crate::source::compressed::Decompressor;
use crate::source::file::{self, ReadAt};
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
    match input {
        Input::Path(path) => {
            let file = fs::File::open(path).map_err(Error::Open)?;
            from_descriptor(file.as_fd(), true, output, options, rewrite)
        }
        Input::Descriptor(fd) => from_descriptor(fd, false, output, options, rewrite),
        Input::Positioned(file) => from_file(file, options, rewrite),
        Input::Reader(reader) => from_stream(&mut stream::Reader(reader), options, rewrite),
        Input::Slice(bytes) => from_file(&bytes, options, rewrite),
    }
}

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
    match File::new(file)?.decompressed(options.decompress)? {
        Some(mut decompressed) => rewrite(Opened::InOrder(&mut decompressed)),
        None => rewrite(Opened::At(file)),
    }
}

fn from_stream<R>(
    stream: &mut dyn stream::Stream,
    options: &Options,
    rewrite: impl FnOnce(Opened<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut input = Live::new(stream)?;
    match input.recognise() {
        Some(compression) if options.decompress => {
            rewrite(Opened::InOrder(&mut Decompressor::new(compression, input)?))
        }
        _ => rewrite(Opened::InOrder(&mut input)),
    }
}

/// Whether the output is another file than the input, whatever it is called.
pub(crate) fn distinct(input: BorrowedFd<'_>, output: &Path) -> Result<(), Error> {
    let input = rustix::fs::fstat(input).map_err(|error| Error::Inspect(error.into()))?;
    match fs::metadata(output) {
        Ok(output) if (output.dev(), output.ino()) == (input.st_dev, input.st_ino) => Err(Error::SameFile),
        _ => Ok(()),
    }
}
