//! Copies from file to file inside the system.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use crate::Error;
use crate::rewrite::write::{Sink, To, WORTH_A_CALL};

/// A file of the system that bytes are taken from, with an offset of its own.
pub(super) struct Source {
    file: File,
    start: u64,
}

impl Source {
    pub(super) fn new(fd: BorrowedFd<'_>, start: u64) -> Option<Source> {
        let file = File::open(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
        Some(Source { file, start })
    }

    /// Copies from `at` on what the system copies, and passes over holes. Returns how far it came.
    pub(super) fn copy(&self, mut at: u64, end: u64, out: &mut Sink<'_>) -> Result<u64, Error> {
        while at < end {
            let from = self.start + at;
            let data = match rustix::fs::seek(&self.file, SeekFrom::Data(from)) {
                Ok(data) => data.clamp(from, self.start + end),
                Err(Errno::NXIO) => return Ok(at),
                Err(_) => from,
            };
            out.zeros(data - from).map_err(|error| out.failure(error))?;
            at = data - self.start;
            let hole = rustix::fs::seek(&self.file, SeekFrom::Hole(data)).unwrap_or(u64::MAX);
            let extent = hole.min(self.start + end).saturating_sub(data);
            if extent < WORTH_A_CALL {
                let mut bytes = vec![0; extent as usize];
                let read = self.file.read_exact_at(&mut bytes, data);
                read.map_err(|source| Error::Read { offset: at, source })?;
                out.write(&bytes).map_err(|error| out.failure(error))?;
                at += extent;
                continue;
            }
            let copied = self.copy_extent(data, extent, out)?;
            at += copied;
            if copied < extent {
                return Ok(at);
            }
        }
        Ok(at)
    }

    /// Copies a stretch without holes inside the system, as far as it does so.
    fn copy_extent(&self, from: u64, length: u64, out: &mut Sink<'_>) -> Result<u64, Error> {
        out.empty().map_err(|error| out.failure(error))?;
        let To::File(file) = out.to else { return Ok(0) };
        let mut done = 0;
        while done < length {
            let (mut input, mut output) = (from + done, out.written);
            let most = usize::try_from(length - done).unwrap_or(usize::MAX).min(1 << 30);
            let copied = rustix::fs::copy_file_range(
                self.file.as_fd(),
                Some(&mut input),
                file.as_fd(),
                Some(&mut output),
                most,
            );
            match copied {
                Ok(0) => break,
                Ok(n) => {
                    out.written += n as u64;
                    done += n as u64;
                }
                Err(Errno::INTR) => {}
                // It cannot be done between these two, or reading or writing failed: doing it by hand tells.
                Err(_) => break,
            }
        }
        Ok(done)
    }
}
