//! Streams made to keep a verifier busy: what they cost a byte is bounded.

use xenstream_core::wire::libxc::{page, types};
use xenstream_core::{Layer, Level, Policy};

use crate::cases::{after_memory, chain, hvm_chain, run, xenstore};
use crate::stream::{entry, hvm, libxl_after_libxc, page_data, pv, record, record_header, words, words32};
use crate::{BYTES, Case, Step};

pub(crate) fn all() -> Vec<Case> {
    let mut all = vec![
        // Millions of the smallest records.
        run("hostile-optional-records", "byte", hvm(), &record(types::OPTIONAL, &[]), 8),
        run("hostile-empty-params", "byte", hvm(), &record(types::HVM_PARAMS, &[0; 8]), 16),
        run("hostile-late-static-data", "byte", after_memory(), &record(types::X86_MSR_POLICY, &[0; 16]), 24),
        run("hostile-vcpus", "byte", pv_after_memory(), &record(types::X86_PV_VCPU_MSRS, &[0; 8]), 16),
        run("hostile-short-contexts", "byte", hvm(), &record(types::HVM_CONTEXT, &[0]), 16),
        run("hostile-emulators", "byte", libxl_after_libxc(), &record(3, &[9; 9]), 24),
        run("hostile-xenopsd", "byte", b"XenSavedDomv2-\n".to_vec(), &words(&[0xF13, 0]), 16),
        checkpoints(),
        // One PFN array as long as a record may be, of 16 Mi entries, with and without anything to find in it.
        array("hostile-array", hvm(), &[entry(page::XTAB, 5)]),
        array("hostile-array-findings", hvm(), &[entry(page::XTAB, 5), entry(5, 1 << 52 | 1 << 50)]),
        array("hostile-array-tables-hvm", hvm(), &[entry(page::L1TAB, 5), entry(page::NOTAB, 5)]),
        array("hostile-array-tables-pv", pv(512), &[entry(page::L1TAB, 5), entry(page::NOTAB, 5)]),
        page_tables(),
        // Counts and chains that go on as long as the body does.
        run("hostile-chain", "byte", hvm_chain(), &chain(2, 0), 64 * 8),
        run("hostile-chain-repeated", "byte", hvm_chain(), &[2, 0, 0, 0, 0, 0, 0, 0], 8),
        run("hostile-chain-msrs", "byte", hvm_chain(), &chain_msr(), 32),
        body("hostile-cpuid", hvm_static(), types::X86_CPUID_POLICY, &[], &[9; 24]),
        body("hostile-params", hvm(), types::HVM_PARAMS, &words32(&[(1 << 23) - 1, 0]), &[1; 16]),
        body("hostile-vcpu-msrs", pv_after_memory(), types::X86_PV_VCPU_MSRS, &[0; 8], &[1; 16]),
        frames(),
        // Xenstore strings without end, the shortest ones, and ones of which each byte is wrong.
        run("hostile-xenstore-long", "byte", xenstore(), b"k", 1),
        run("hostile-xenstore-short", "byte", xenstore(), b"k\0v\0", 4),
        run("hostile-xenstore-findings", "byte", xenstore(), b"\x01", 1),
    ];
    // Whatever is not fatal goes on, so that the findings come in floods.
    for case in &mut all {
        for layer in [Layer::Stream, Layer::Libxl, Layer::Libxc, Layer::Hvm, Layer::Pv, Layer::Xenopsd] {
            case.policy = case.policy.clone().with_level(layer, Level::Warn).expect("layers have rules to lower");
        }
    }
    // The same in the smallest pushes, and in some that fit nothing.
    for (name, chunk) in [("hostile-array-by-bytes", 1), ("hostile-array-odd-chunks", 13)] {
        all.push(Case { chunk, ..array(name, hvm(), &[entry(page::XTAB, 5)]) });
    }
    for (name, chunk) in [("hostile-records-by-bytes", 1), ("hostile-records-odd-chunks", 13)] {
        all.push(Case { chunk, ..run(name, "byte", hvm(), &page_data(&[entry(page::XTAB, 5)]), 24) });
    }
    all.push(Case { chunk: 1, ..run("hostile-xenstore-by-bytes", "byte", xenstore(), b"k", 1) });
    all
}

/// A PV stream whose first memory has come.
fn pv_after_memory() -> Vec<u8> {
    let mut head = pv(512);
    head.extend(page_data(&[entry(page::XTAB, 0)]));
    head
}

/// An HVM stream whose static data goes on.
fn hvm_static() -> Vec<u8> {
    let mut head = hvm();
    head.truncate(head.len() - 8);
    head
}

/// A libxl stream that does nothing but checkpoint.
fn checkpoints() -> Case {
    let mut head = libxl_after_libxc();
    head.truncate(head.len() - 8);
    let mut piece = record(types::CHECKPOINT, &[]);
    piece.extend(record(4, &[]));
    Case { policy: Policy::spec(), ..run("hostile-checkpoints", "byte", head, &piece, 16) }
}

/// PAGE_DATA as long as a record may be, with more entries than fit, so that only entries follow.
fn array(name: &'static str, mut head: Vec<u8>, entries: &[u64]) -> Case {
    head.extend(record_header(types::PAGE_DATA, 128 << 20));
    head.extend(words32(&[(16 << 20) - 1, 0]));
    run(name, "byte", head, &words(entries), 8 * entries.len() as u64)
}

/// Page tables of which every entry names a frame above the largest pfn.
fn page_tables() -> Case {
    let mut piece = page_data(&[entry(page::L1TAB, 5)]);
    piece.extend(words(&[0x7FFF_FFFF_F001; 512]));
    let units = piece.len() as u64;
    run("hostile-page-tables", "byte", pv(512), &piece, units)
}

/// CPU_MSR with one MSR, its reserved word not zero.
fn chain_msr() -> Vec<u8> {
    let mut entry = crate::stream::chain_entry(20, 64, 24);
    entry.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    entry.extend([1; 16]);
    entry
}

/// A body as long as it may be, of `repeated` over and over after `first`.
fn body(name: &'static str, mut head: Vec<u8>, kind: u32, first: &[u8], repeated: &[u8]) -> Case {
    let rest = (128 << 20) - first.len();
    let length = first.len() + rest - rest % repeated.len();
    head.extend(record_header(kind, u32::try_from(length).expect("a limit of 128 MiB")));
    head.extend(first);
    run(name, "byte", head, repeated, repeated.len() as u64)
}

/// Frames of a p2m that are all out of range.
fn frames() -> Case {
    let mut head = pv(512);
    head.extend(record_header(types::X86_PV_P2M_FRAMES, 8 + 8 * (1 << 20)));
    head.extend(words32(&[0, 512 * (1 << 20) - 1]));
    let frames = vec![Step::Push(vec![0xFF; BYTES])];
    Case { piece: frames, units: BYTES as u64, ..run("hostile-frames", "byte", head, &[0xFF; 8], 8) }
}
