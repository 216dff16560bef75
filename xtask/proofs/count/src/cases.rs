//! What streams are made of, as savers write it: the figures to keep low.

use xenstream_core::Policy;
use xenstream_core::wire::libxc::{page, types};

use crate::stream::{
    chain_entry, chain_header, entry, has_data, hvm, libxl_after_libxc, page_data, pv, record, record_header,
};
use crate::{BYTES, Case, Step};

const BATCH: u64 = page::BATCH;

pub(crate) fn all() -> Vec<Case> {
    vec![
        first_pass(batch("first-xtab", hvm(), |_| page::XTAB)),
        first_pass(batch("first-notab", hvm(), |_| page::NOTAB)),
        batch("batch-xtab", hvm(), |_| page::XTAB),
        batch("batch-notab", hvm(), |_| page::NOTAB),
        batch("batch-mixed-hvm", hvm(), |pfn| if pfn % 3 == 0 { page::XTAB } else { page::NOTAB }),
        batch("batch-mixed-pv", pv(BATCH as u32), |pfn| match pfn {
            700 => page::L1TAB,
            _ if pfn % 7 == 0 => page::XTAB,
            _ => page::NOTAB,
        }),
        batch("batch-tables-pv", pv(BATCH as u32), |_| page::L1TAB),
        run("verify", "record", after_memory(), &record(types::VERIFY, &[]), 1),
        run("page-data-xtab", "record", hvm(), &page_data(&[entry(page::XTAB, 0)]), 1),
        tsc_info(),
        hvm_params(),
        Case {
            name: "hvm-chain",
            unit: "entry",
            policy: Policy::spec(),
            head: hvm_chain(),
            piece: vec![Step::Push(chain(2, 8))],
            first_pass: false,
            units: 64,
            chunk: BYTES,
        },
        Case {
            name: "p2m-frames",
            unit: "frame",
            policy: Policy::spec(),
            head: p2m_frames(),
            piece: vec![Step::Push(vec![0; BYTES])],
            first_pass: false,
            units: BYTES as u64 / 8,
            chunk: BYTES,
        },
        run(
            "xenstore",
            "byte",
            xenstore(),
            b"physmap/f0000000/start_addr\0f0000000\0physmap/f0000000/size\x00800000\0",
            66,
        ),
        Case {
            name: "byte-by-byte",
            unit: "byte",
            policy: Policy::spec(),
            head: after_memory(),
            piece: vec![
                Step::Push(page_data(&[entry(page::XTAB, 0)])),
                Step::Push(record(types::VERIFY, &[])),
            ],
            first_pass: false,
            units: 32,
            chunk: 1,
        },
    ]
}

/// Batches as savers write them, page contents passed over where that is possible.
fn batch(name: &'static str, head: Vec<u8>, kind: impl Fn(u64) -> u64) -> Case {
    let entries: Vec<u64> = (0..BATCH).map(|pfn| entry(kind(pfn), pfn)).collect();
    let mut piece = vec![Step::Push(page_data(&entries))];
    for entry in entries.into_iter().filter(|entry| has_data(*entry)) {
        let table = entry >> 60 != page::NOTAB;
        match piece.last_mut() {
            Some(Step::Skip(bytes)) if !table => *bytes += 4096,
            _ if table => piece.push(Step::Push(vec![0; 4096])),
            _ => piece.push(Step::Skip(4096)),
        }
    }
    Case {
        name,
        unit: "entry",
        policy: Policy::spec(),
        head,
        piece,
        first_pass: false,
        units: BATCH,
        chunk: BYTES,
    }
}

/// The same with other pfns in each record, where [`batch`] repeats the same ones as a live migration does.
fn first_pass(batch: Case) -> Case {
    Case { first_pass: true, ..batch }
}

/// `piece` over and over, in large chunks.
pub(crate) fn run(name: &'static str, unit: &'static str, head: Vec<u8>, piece: &[u8], units: u64) -> Case {
    let times = BYTES / piece.len();
    let units = units * times as u64;
    Case {
        name,
        unit,
        policy: Policy::spec(),
        head,
        piece: vec![Step::Push(piece.repeat(times))],
        first_pass: false,
        units,
        chunk: BYTES,
    }
}

/// An HVM stream whose first memory has come.
pub(crate) fn after_memory() -> Vec<u8> {
    let mut head = hvm();
    head.extend(page_data(&[entry(page::XTAB, 0)]));
    head
}

fn tsc_info() -> Case {
    run("tsc-info", "record", hvm(), &record(types::X86_TSC_INFO, &[0; 24]), 1)
}

/// With one parameter, as long as it may be.
fn hvm_params() -> Case {
    let mut body = vec![1, 0, 0, 0, 0, 0, 0, 0];
    body.extend([0; 16]);
    run("hvm-params", "record", hvm(), &record(types::HVM_PARAMS, &body), 1)
}

/// Up to a chain that goes on for long.
pub(crate) fn hvm_chain() -> Vec<u8> {
    let mut head = hvm();
    head.extend(record_header(types::HVM_CONTEXT, 128 << 20));
    head.extend(chain_header());
    head
}

/// 64 entries, of vcpus that are too many to be told apart.
pub(crate) fn chain(typecode: u16, length: u32) -> Vec<u8> {
    (64..128)
        .flat_map(|vcpu| {
            let mut entry = chain_entry(typecode, vcpu, length);
            entry.resize(entry.len() + length as usize, 0);
            entry
        })
        .collect()
}

/// Up to the frames of a p2m that goes on for long.
fn p2m_frames() -> Vec<u8> {
    let mut head = pv(512);
    head.extend(record_header(types::X86_PV_P2M_FRAMES, 8 + 8 * (1 << 20)));
    head.extend([0; 4]);
    head.extend((512u32 * (1 << 20) - 1).to_le_bytes());
    head
}

/// Up to pairs that go on for long.
pub(crate) fn xenstore() -> Vec<u8> {
    let mut head = libxl_after_libxc();
    head.extend(record_header(2, 1 << 30));
    head.extend([2, 0, 0, 0, 0, 0, 0, 0]);
    head
}
