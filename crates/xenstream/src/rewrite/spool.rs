//! An input that comes in order, kept so that it can be read at any place: in an unnamed file that has holes where the
//! input has zeros, or in memory if there are no files.

#[cfg(feature = "fs")]
use std::fs::File;
use std::io;
#[cfg(feature = "fs")]
use std::os::fd::{AsFd, BorrowedFd};
#[cfg(feature = "fs")]
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::rewrite::input::Bytes;
use crate::rewrite::write::Sink;
#[cfg(not(feature = "fs"))]
use crate::rewrite::write::To;
use crate::session::{Session, Stop};
use crate::source::file::ReadAt;
use crate::{Error, Options};

/// Bytes of one read.
const WINDOW: usize = 64 << 10;

/// What was kept.
pub(crate) struct Spool {
    kept: Kept,
    size: u64,
}

#[cfg(feature = "fs")]
type Kept = File;
#[cfg(not(feature = "fs"))]
type Kept = Vec<u8>;

#[cfg(feature = "fs")]
fn kept(directory: Option<&Path>) -> io::Result<File> {
    directory.map_or_else(tempfile::tempfile, tempfile::tempfile_in)
}

#[cfg(not(feature = "fs"))]
fn kept(_: Option<&Path>) -> io::Result<Vec<u8>> {
    Ok(Vec::new())
}

/// Keeps a stream up to its end, in a directory. From a descriptor that holds more than the stream, only the stream's
/// bytes are taken; `to_end` takes what follows something invalid, too.
pub(crate) fn spool(
    input: &mut dyn Bytes,
    options: &Options,
    directory: Option<&Path>,
    to_end: bool,
) -> Result<Spool, Error> {
    #[cfg_attr(feature = "fs", expect(unused_mut, reason = "a file is written through a shared reference"))]
    let mut kept = kept(directory).map_err(Error::Create)?;
    let mut window = vec![0; WINDOW];
    #[cfg(feature = "fs")]
    let mut out = Sink::file(&kept);
    #[cfg(not(feature = "fs"))]
    let mut out = Sink::new(To::Writer(&mut kept));
    let mut session = Session::new(options, None);
    let mut stopped = false;
    loop {
        let is_live = !input.reads_on();
        let most = if !is_live || stopped && to_end {
            WINDOW as u64
        } else if stopped || session.is_ended() {
            break;
        } else {
            session.need().certain.min(WINDOW as u64)
        };
        let n = input.read(&mut window[..most as usize])?;
        if n == 0 {
            break;
        }
        let bytes = &window[..n];
        out.write_sparse(bytes).map_err(|error| out.failure(error))?;
        if is_live && !stopped {
            match session.push(bytes) {
                Ok(_) => {}
                Err(Stop::Invalid(_)) => stopped = true,
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
    }
    let size = out.finish().map_err(|error| out.failure(error))?;
    Ok(Spool { kept, size })
}

impl ReadAt for Spool {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.kept.read_at(bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    #[cfg(feature = "fs")]
    fn in_system(&self) -> Option<(BorrowedFd<'_>, u64)> {
        Some((self.kept.as_fd(), 0))
    }
}
