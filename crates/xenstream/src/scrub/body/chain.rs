//! The chain of entries that hold the hypervisor's state of an HVM guest: what says where an entry begins stays, and what an entry holds may go.

use xenstream_core::Layer;
use xenstream_core::wire::hvm::{self, types};
use xenstream_core::wire::{Order, structures};

use crate::scrub::Scrub;
use crate::scrub::body::Step;
use crate::scrub::body::flat::Flat;

/// Typecodes that Xen does not know are kept if they are as small as typecodes are.
const TYPECODES: u16 = 256;

/// Where a walk through the chain is.
#[derive(Debug, Default)]
pub(super) struct Chain {
    at: At,
    /// An entry has come.
    begun: bool,
}

#[derive(Debug, Default)]
enum At {
    /// An entry's header.
    #[default]
    Entry,
    /// What is left of an entry.
    Flat(Flat),
    Zero(u64),
    /// Nothing in the rest is known.
    Lost,
}

impl Chain {
    pub(super) fn step(&self, left: u64) -> Step {
        match &self.at {
            At::Entry if left >= hvm::ENTRY_HEADER => Step::Unit(hvm::ENTRY_HEADER),
            At::Entry | At::Lost => Step::Zero(left),
            At::Flat(flat) => flat.step(),
            At::Zero(n) => Step::Zero(*n),
        }
    }

    pub(super) fn passed(&mut self, n: u64) {
        match &mut self.at {
            At::Flat(flat) => flat.passed(n),
            At::Zero(left) => *left -= n,
            At::Entry | At::Lost => self.at = At::Lost,
        }
        self.settle();
    }

    pub(super) fn unit(&mut self, bytes: &mut [u8], left: u64, what: Scrub) {
        match &mut self.at {
            At::Flat(flat) => flat.unit(bytes),
            At::Entry => self.at = self.entry(bytes, left, what),
            At::Zero(_) | At::Lost => {
                bytes.fill(0);
                self.at = At::Lost;
            }
        }
        self.settle();
    }

    /// Once an entry is over the next one follows.
    fn settle(&mut self) {
        let is_over = match &self.at {
            At::Flat(flat) => flat.is_done(),
            At::Zero(left) => *left == 0,
            At::Entry | At::Lost => false,
        };
        if is_over {
            self.at = At::Entry;
        }
    }

    /// An entry's header.
    fn entry(&mut self, bytes: &mut [u8], left: u64, what: Scrub) -> At {
        let typecode = u16::from_le_bytes([bytes[0], bytes[1]]);
        let length = Order::Little.number(&bytes[hvm::LENGTH_AT as usize..]);
        let first = !std::mem::replace(&mut self.begun, true);
        if typecode == types::END && !first {
            // Readers look at its type only, and a verifier at whether the length is 0.
            bytes[2..].fill(0);
            bytes[hvm::LENGTH_AT as usize] = u8::from(length > 0);
            return At::Lost;
        }
        if length > left || typecode >= TYPECODES || first != (typecode == types::HEADER) {
            // What is wrong with it stays, and no more.
            let typecode = if typecode < TYPECODES { typecode } else { u16::MAX };
            let length = if length > left { u32::MAX } else { 0 };
            bytes.fill(0);
            bytes[..2].copy_from_slice(&typecode.to_le_bytes());
            bytes[hvm::LENGTH_AT as usize..].copy_from_slice(&length.to_le_bytes());
            return At::Lost;
        }
        match hvm::entry(typecode) {
            Some(known) if known.length.allows(length) => {
                let layouts = structures::of_body(Layer::Hvm, u64::from(typecode), length);
                At::Flat(Flat::new(layouts, Order::Little, length, what))
            }
            _ => At::Zero(length),
        }
    }
}
