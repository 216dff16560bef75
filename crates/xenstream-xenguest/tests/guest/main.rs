//! The program between emu-manager, played by this program, and the real xenguest, for which this program stands in.

mod legacy;
mod listen;
mod manager;
#[allow(dead_code, reason = "the stand-in only receives")]
#[path = "../../src/socket.rs"]
mod socket;
mod stand_in;

use libtest_mimic::{Arguments, Trial};
use xenstream_synth::{Page, Part, libxc, valid};

/// What xenopsd reads from the stream's descriptor after the restore.
const BEHIND: &[u8] = b"the rest of the xenopsd stream";

fn main() {
    stand_in::run_if_asked();
    let tests: Vec<(&str, fn())> = [legacy::TESTS, listen::TESTS].concat();
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// The pfn after the last that `valid::hvm` names: pages from here on leave no gap.
const FIRST_PFN: u64 = 0x15;

fn before_the_end(extra: Option<xenstream_synth::Item>) -> Vec<u8> {
    let part = Part::libxc(xenstream::wire::libxc::types::X86_TSC_INFO);
    let batches = libxc::batches(FIRST_PFN..FIRST_PFN + 600, Page::normal);
    let stream = batches.fold(valid::hvm(), |stream, batch| stream.before(part, batch));
    extra.into_iter().fold(stream, |stream, item| stream.before(part, item)).bytes()
}

fn guest() -> Vec<u8> {
    before_the_end(None)
}

/// A guest whose last PAGE_DATA breaks a rule that a stream can go on after.
fn broken_guest() -> Vec<u8> {
    before_the_end(Some(libxc::page_data(&[Page::absent(1).with_bits(1 << 52)])))
}

/// The rule that it breaks.
const BROKEN_RULE: &str = "libxc::page-data-pfn-reserved";
