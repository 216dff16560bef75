//! The entry points of verification.

#[cfg(feature = "fs")]
use std::fs::File;
use std::io::Read;
#[cfg(feature = "fs")]
use std::os::fd::{AsFd, BorrowedFd};
#[cfg(feature = "fs")]
use std::path::Path;

use xenstream_core::Observer;

use crate::session::{Session, Stop};
use crate::source::file::{self, ReadAt};
use crate::source::{memory, stream};
use crate::{Error, Options, Report};

/// An input to verify.
#[non_exhaustive]
pub enum Input<'a> {
    /// A file, by name: a regular file, a block device, a FIFO, or anything else that can be opened.
    #[cfg(feature = "fs")]
    Path(&'a Path),
    /// An open descriptor, from its current offset, from which offsets in the report count. The offset of a regular file does
    /// not move. From a pipe or socket, no byte after the end of the stream is consumed.
    #[cfg(feature = "fs")]
    Descriptor(BorrowedFd<'a>),
    /// A source that can be read at any offset.
    Positioned(&'a dyn ReadAt),
    /// A reader. No byte after the end of an uncompressed stream is consumed.
    Reader(&'a mut dyn Read),
    /// A whole image in memory.
    Slice(&'a [u8]),
}

/// Verifies a file. Compressed files are decompressed on the fly.
///
/// # Errors
/// If the file cannot be opened, read or decompressed. An invalid stream is not an error; the report says so.
#[cfg(feature = "fs")]
pub fn verify_path(path: impl AsRef<Path>, options: &Options) -> Result<Report, Error> {
    run(Input::Path(path.as_ref()), options, None)
}

/// Verifies an open file, pipe or socket from its current offset; see [`Input::Descriptor`].
///
/// # Errors
/// If the descriptor cannot be read, or its data cannot be decompressed.
#[cfg(feature = "fs")]
pub fn verify_fd(fd: impl AsFd, options: &Options) -> Result<Report, Error> {
    run(Input::Descriptor(fd.as_fd()), options, None)
}

/// Verifies the stream from a reader. No byte after the end of an uncompressed stream is consumed, so the caller can continue
/// to read there. The reader need not be buffered.
///
/// # Errors
/// If the reader fails (even with [`WouldBlock`](std::io::ErrorKind::WouldBlock)), or its data cannot be decompressed.
pub fn verify_reader(mut reader: impl Read, options: &Options) -> Result<Report, Error> {
    run(Input::Reader(&mut reader), options, None)
}

/// Verifies a whole image in memory.
///
/// # Errors
/// If the image is compressed and cannot be decompressed.
pub fn verify_slice(bytes: &[u8], options: &Options) -> Result<Report, Error> {
    run(Input::Slice(bytes), options, None)
}

/// Verifies an input, and passes events about its contents to an observer.
///
/// ```
/// use xenstream::{Input, Observer, Options, Record, verify};
///
/// #[derive(Default)]
/// struct Names(Vec<String>);
///
/// impl Observer for Names {
///     fn on_record(&mut self, record: &Record) {
///         self.0.extend(record.reference().type_label().map(|label| label.to_string()));
///     }
/// }
///
/// let mut names = Names::default();
/// let report = verify(Input::Slice(b"not an image"), &Options::default(), &mut names).unwrap();
/// assert!(report.is_unrecognised() && names.0.is_empty());
/// ```
///
/// # Errors
/// If the input cannot be opened, read or decompressed.
pub fn verify(input: Input<'_>, options: &Options, observer: &mut dyn Observer) -> Result<Report, Error> {
    run(input, options, Some(observer))
}

fn run(
    mut input: Input<'_>,
    options: &Options,
    observer: Option<&mut dyn Observer>,
) -> Result<Report, Error> {
    let mut session = Session::new(options, observer);
    let outcome = drive(&mut input, &mut session);
    session.into_report(outcome)
}

/// Feeds a session from an input.
pub(crate) fn drive(input: &mut Input<'_>, session: &mut Session<'_>) -> Result<(), Stop> {
    match input {
        #[cfg(feature = "fs")]
        Input::Path(path) => path_outcome(path, session),
        #[cfg(feature = "fs")]
        Input::Descriptor(fd) => descriptor_outcome(*fd, false, session),
        Input::Positioned(file) => file::drive(*file, session),
        Input::Reader(reader) => stream::drive(&mut stream::Reader(*reader), session),
        Input::Slice(bytes) => memory::drive(bytes, session),
    }
}

#[cfg(feature = "fs")]
fn path_outcome(path: &Path, session: &mut Session<'_>) -> Result<(), Stop> {
    let file = File::open(path).map_err(|source| Error::Open { path: path.into(), source })?;
    descriptor_outcome(file.as_fd(), true, session)
}

#[cfg(feature = "fs")]
fn descriptor_outcome(fd: BorrowedFd<'_>, is_ours: bool, session: &mut Session<'_>) -> Result<(), Stop> {
    let Some(file) = file::Descriptor::new(fd)? else {
        return stream::drive(&mut stream::Descriptor::new(fd)?, session);
    };
    if is_ours {
        file.advise();
    }
    file::drive(&file, session)
}
