//! The chain of HVM_CONTEXT: what says where an entry begins stays, and what an entry holds may go.

use xenstream_core::wire::hvm::{self, types};

use crate::scrub::Scrub;
use crate::scrub::body::registers::is_plain_msr;
use crate::scrub::body::{ENTRIES_MAX, Step, XSAVE_MAX};

/// Typecodes that Xen does not know are kept if they are as small as typecodes are.
const TYPECODES: u16 = 256;

/// Magic and version of HEADER; behind them it says what the saving host is.
const HEADER_KEPT: u64 = 8;

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
    Keep(u64),
    Zero(u64),
    /// What stays of HEADER.
    Header,
    /// The count of CPU_MSR, of a body of this length.
    MsrCount(u64),
    /// MSRs, so many bytes of them.
    Msrs(u64),
    /// Nothing in the rest is known.
    Lost,
}

impl Chain {
    pub(super) fn step(&self, left: u64) -> Step {
        match self.at {
            At::Entry if left >= hvm::ENTRY_HEADER => Step::Unit(hvm::ENTRY_HEADER),
            At::Entry | At::Lost => Step::Zero(left),
            At::Keep(n) => Step::Keep(n),
            At::Header => Step::Unit(HEADER_KEPT),
            At::Zero(n) => Step::Zero(n),
            At::MsrCount(_) => Step::Unit(hvm::MSR_HEADER),
            At::Msrs(_) => Step::Unit(hvm::MSR),
        }
    }

    pub(super) fn passed(&mut self, n: u64) {
        self.at = match self.at {
            At::Keep(left) if left > n => At::Keep(left - n),
            At::Zero(left) if left > n => At::Zero(left - n),
            At::Keep(_) | At::Zero(_) => At::Entry,
            _ => At::Lost,
        };
    }

    pub(super) fn unit(&mut self, bytes: &mut [u8], left: u64, what: Scrub) {
        self.at = match self.at {
            At::Entry => self.entry(bytes, left, what),
            At::MsrCount(length) => {
                let count = u64::from(u32_at(bytes, 0));
                bytes[4..].fill(0);
                let msrs = length - hvm::MSR_HEADER;
                if count * hvm::MSR == msrs && count <= ENTRIES_MAX { At::Msrs(msrs) } else { At::Zero(msrs) }
            }
            At::Msrs(msrs) => {
                bytes[8..].fill(0);
                let rest = msrs - hvm::MSR;
                some(if is_plain_msr(bytes) { At::Msrs } else { At::Zero }, rest)
            }
            At::Header => {
                let [magic, version] = [0, 4].map(|at| u32_at(bytes, at));
                // Others are as wrong.
                if magic != hvm::MAGIC {
                    bytes[..4].fill(0);
                }
                if version != hvm::VERSION {
                    bytes[4..].fill(0xFF);
                }
                At::Zero(hvm::HEADER_LENGTH - HEADER_KEPT)
            }
            _ => {
                bytes.fill(0);
                At::Lost
            }
        };
    }

    /// An entry's header.
    fn entry(&mut self, bytes: &mut [u8], left: u64, what: Scrub) -> At {
        let typecode = u16::from_le_bytes([bytes[0], bytes[1]]);
        let length = u64::from(u32_at(bytes, hvm::LENGTH_AT as usize));
        let first = !std::mem::replace(&mut self.begun, true);
        if typecode == types::END && !first {
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
        let known = hvm::entry(typecode).is_some_and(|entry| entry.length.allows(length));
        match typecode {
            _ if !known => some(At::Zero, length),
            types::HEADER if what.registers => At::Header,
            types::CPU_MSR if what.registers => At::MsrCount(length),
            types::CPU_XSAVE if length > XSAVE_MAX => At::Zero(length),
            _ if what.registers => some(At::Zero, length),
            _ => some(At::Keep, length),
        }
    }
}

/// So many bytes; without any the next entry follows.
fn some(at: fn(u64) -> At, n: u64) -> At {
    if n == 0 { At::Entry } else { at(n) }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
