//! What nothing can beat: the same bytes moved the same way, and nothing looked at.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::num::NonZero;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::Advice;
use rustix::pipe::SpliceFlags;
use xenstream::ReadAt;
use xenstream_core::wire::libxc::page;
use xenstream_core::wire::{RECORD_HEADER, padding};

/// Bytes of a record's header and of an array of page frame numbers as long as savers make them.
const HEAD: usize = (RECORD_HEADER + page::HEADER + page::BATCH * page::ENTRY) as usize;

/// The size of pipe that every side asks for.
pub const PIPE: usize = 1 << 20;

/// Goes through a file of records, from `start` on, reading of each its header and what an array of page frame
/// numbers takes. Returns how many records there were.
///
/// # Errors
/// What the system says.
pub fn walk(file: &dyn ReadAt, start: u64) -> io::Result<u64> {
    let mut head = [0; HEAD];
    let mut position = start;
    let mut records = 0;
    while file.read_at(&mut head, position)? >= RECORD_HEADER as usize {
        let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        position += RECORD_HEADER + length + padding(length);
        records += 1;
    }
    Ok(records)
}

/// [`walk`], through an image in a file.
///
/// # Errors
/// What the system says.
pub fn walk_path(path: &Path, start: u64) -> io::Result<u64> {
    let file = File::open(path)?;
    rustix::fs::fadvise(&file, 0, None, Advice::Random)?;
    walk(&Positioned(file), start)
}

/// Where [`walk_path`] reads.
///
/// # Errors
/// What the system says.
pub fn places(path: &Path, start: u64) -> io::Result<Vec<u64>> {
    let places = Noted { file: Positioned(File::open(path)?), offsets: RefCell::default() };
    walk(&places, start)?;
    Ok(places.offsets.into_inner())
}

/// The reads of [`walk_path`] as a disk likes them best: all of them are asked for before the first one is waited for.
///
/// # Errors
/// What the system says.
pub fn read_places(path: &Path, places: &[u64]) -> io::Result<()> {
    let file = File::open(path)?;
    rustix::fs::fadvise(&file, 0, None, Advice::Random)?;
    for place in places {
        rustix::fs::fadvise(&file, *place, NonZero::new(HEAD as u64), Advice::WillNeed)?;
    }
    let mut head = [0; HEAD];
    for place in places {
        rustix::io::pread(&file, &mut head, *place)?;
    }
    Ok(())
}

/// A file that keeps in mind where it was read.
struct Noted {
    file: Positioned,
    offsets: RefCell<Vec<u64>>,
}

impl ReadAt for Noted {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.offsets.borrow_mut().push(offset);
        self.file.read_at(bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
}

/// A file of the system, read by positioned reads.
#[derive(Debug)]
pub struct Positioned(pub File);

impl ReadAt for Positioned {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(&self.0, bytes, offset)?)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// Splices a pipe to nowhere. Returns how many bytes came.
///
/// # Errors
/// What the system says.
pub fn drain_by_splice(pipe: impl AsFd) -> io::Result<u64> {
    // The consumer's side asks, as the verifier does: the producer may not have.
    rustix::pipe::fcntl_setpipe_size(&pipe, PIPE)?;
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    pump(|| rustix::pipe::splice(&pipe, None, &null, None, PIPE, SpliceFlags::MOVE))
}

/// Reads a pipe, 64 KiB at a time. Returns how many bytes came.
///
/// # Errors
/// What the system says.
pub fn drain_by_read(pipe: impl AsFd) -> io::Result<u64> {
    rustix::pipe::fcntl_setpipe_size(&pipe, PIPE)?;
    let mut bytes = vec![0; 64 << 10];
    pump(|| rustix::io::read(&pipe, &mut bytes[..]))
}

/// Splices a file into a pipe.
///
/// # Errors
/// What the system says.
pub fn produce_by_splice(file: &File, pipe: impl AsFd) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut offset = 0;
    pump(|| {
        // Who has had all of it may have gone, and a pipe without a reader is an error even for nothing.
        if offset >= length {
            return Ok(0);
        }
        rustix::pipe::splice(file, Some(&mut offset), &pipe, None, PIPE, SpliceFlags::MOVE)
    })
}

/// Writes bytes into a pipe, 1 MiB at a time, as the savers' writev() does.
///
/// # Errors
/// What the system says.
pub fn produce_by_write(bytes: &[u8], pipe: impl AsFd) -> io::Result<u64> {
    let mut rest = bytes;
    pump(|| {
        if rest.is_empty() {
            return Ok(0);
        }
        let n = rustix::io::write(&pipe, &rest[..rest.len().min(PIPE)])?;
        rest = &rest[n..];
        Ok(n)
    })
}

/// Reads to the end. Returns how many bytes there were.
///
/// # Errors
/// What the reader says.
pub fn drain(mut reader: impl Read) -> io::Result<u64> {
    let mut bytes = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        match reader.read(&mut bytes)? {
            0 => return Ok(total),
            n => total += n as u64,
        }
    }
}

/// Calls until nothing moves any more.
fn pump(mut call: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<u64> {
    let mut total = 0;
    loop {
        match call() {
            Ok(0) => return Ok(total),
            Ok(n) => total += n as u64,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
