//! The entries of PAGE_DATA. Until all of them have come, they may turn out not to be entries at all.

use xenstream_core::wire::libxc::page;
use xenstream_core::wire::{Order, PAGE_SIZE};

use crate::scrub::body::first8;

/// The entries of PAGE_DATA, which say whether there are as many pages as they announce.
#[derive(Debug)]
pub(super) struct Entries {
    order: Order,
    /// Bytes of the body, header included.
    length: u64,
    /// Bytes of entries that are still to come.
    pub(super) left: u64,
    count: u64,
    with_data: u64,
    torn: [u8; 8],
    have: usize,
}

impl Entries {
    /// The entries that a body's header announces, if it has room for them.
    pub(super) fn announced(order: Order, header: &[u8], left: u64) -> Option<Entries> {
        let count = u64::from(order.pair(first8(header)).0);
        let entries = count * page::ENTRY;
        (count > 0 && entries <= left).then_some(Entries {
            order,
            length: page::HEADER + left,
            left: entries,
            count,
            with_data: 0,
            torn: [0; 8],
            have: 0,
        })
    }

    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        self.left -= bytes.len() as u64;
        while self.have > 0 || bytes.len() < 8 {
            let Some((byte, rest)) = bytes.split_first() else { return };
            self.torn[self.have] = *byte;
            self.have = (self.have + 1) % 8;
            bytes = rest;
            if self.have == 0 {
                self.count(&[self.torn]);
            }
        }
        let (words, rest) = bytes.as_chunks::<8>();
        self.count(words);
        self.torn[..rest.len()].copy_from_slice(rest);
        self.have = rest.len();
    }

    fn count(&mut self, words: &[[u8; 8]]) {
        // An entry's highest bits are its type.
        let highest = match self.order {
            Order::Little => 7,
            Order::Big => 0,
        };
        let has_data = |word: &&[u8; 8]| page::has_data(u64::from(word[highest] >> 4));
        self.with_data += words.iter().filter(has_data).count() as u64;
    }

    /// Returns whether there are as many pages as the entries announce.
    pub(super) fn agree(&self) -> bool {
        page::HEADER + self.count * page::ENTRY + self.with_data * PAGE_SIZE == self.length
    }
}
