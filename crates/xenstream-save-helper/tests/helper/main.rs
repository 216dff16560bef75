//! The helper between libxl, played by this program, and Xen's own helper, for which this program stands in.

mod libxl;
mod restore;
mod save;
mod settings;
mod signals;
mod stand_in;

use libtest_mimic::{Arguments, Trial};

/// What libxl reads from the stream's descriptor when the helper is done.
const BEHIND: &[u8] = b"the rest of the libxl stream";

fn main() {
    stand_in::run_if_asked();
    let tests: Vec<(&str, fn())> = [restore::TESTS, save::TESTS, settings::TESTS, signals::TESTS].concat();
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

/// A guest with this many pages.
fn guest_of(pages: u64) -> Vec<u8> {
    use xenstream_synth::{Page, Part, libxc, valid};
    let batches = libxc::batches(FIRST_PFN..FIRST_PFN + pages, Page::normal);
    let part = Part::libxc(xenstream::wire::libxc::types::X86_TSC_INFO);
    batches.fold(valid::hvm(), |stream, batch| stream.before(part, batch)).bytes()
}

/// The same, with a rule broken in its last PAGE_DATA that `hardened` refuses and a stream can go on after.
fn broken_guest_of(pages: u64) -> Vec<u8> {
    use xenstream_synth::{Page, Part, libxc, valid};
    let batches = libxc::batches(FIRST_PFN..FIRST_PFN + pages, Page::normal);
    let part = Part::libxc(xenstream::wire::libxc::types::X86_TSC_INFO);
    let stream = batches.fold(valid::hvm(), |stream, batch| stream.before(part, batch));
    stream.before(part, libxc::page_data(&[Page::absent(1).with_bits(1 << 52)])).bytes()
}

/// The rule that it breaks.
const BROKEN_RULE: &str = "libxc::page-data-pfn-reserved";
