//! Verifies an image in an object store. Only the ranges that a rule needs are fetched, in blocks that are kept.
//!
//! ```text
//! cargo run -p xenstream --example object_store -- IMAGE
//! ```
//!
//! `fetch` stands for a request with a `Range` header; here the object is a local file.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::error::Error;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use xenstream::{Input, Options, ReadAt, verify};

/// The length of a block, in bytes.
const BLOCK: u64 = 1 << 16;

struct Object {
    store: File,
    size: u64,
    blocks: RefCell<BTreeMap<u64, Vec<u8>>>,
}

impl Object {
    fn fetch(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        self.store.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

impl ReadAt for Object {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.size {
            return Ok(0);
        }
        let start = offset / BLOCK * BLOCK;
        let mut blocks = self.blocks.borrow_mut();
        let block = match blocks.entry(start) {
            Entry::Occupied(block) => block.into_mut(),
            Entry::Vacant(place) => place.insert(self.fetch(start, BLOCK.min(self.size - start))?),
        };
        let block = &block[(offset - start) as usize..];
        let length = bytes.len().min(block.len());
        bytes[..length].copy_from_slice(&block[..length]);
        Ok(length)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let store = File::open(std::env::args_os().nth(1).ok_or("usage: object_store IMAGE")?)?;
    let object = Object { size: store.metadata()?.len(), store, blocks: RefCell::default() };
    let report = verify(Input::Positioned(&object), &Options::default(), &mut ())?;
    let fetched: usize = object.blocks.borrow().values().map(Vec::len).sum();
    println!("{}: {fetched} of {} bytes fetched", report.verdict.name(), object.size);
    Ok(())
}
