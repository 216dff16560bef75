//! Cures of vcpu records, of XSAVE state and of byte orders: the input is refused, the output is taken, and it is the
//! stream that it should have been, byte for byte.

use xenstream::rewrite::{Convert, Loss};
use xenstream::wire::Order;
use xenstream::wire::hvm::types::CPU_XSAVE;
use xenstream::wire::libxc::types::{
    HVM_CONTEXT, STATIC_DATA_END, X86_PV_VCPU_EXTENDED, X86_PV_VCPU_MSRS, X86_PV_VCPU_XSAVE,
};
use xenstream::{Options, Policy, Rule, Target};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::valid::{self, Machine};
use xenstream_synth::{Body, Field, Item, Part, Stream, extended_state, libxc, minimal};

use super::common::{converted, for_target};

/// What is refused, by which rule, and what it should look like. `None`: there is no cure, for this reason.
type Cure = (Stream, Rule, Result<Stream, &'static str>);

fn pv(kind: u32, item: Item) -> Stream {
    valid::pv64().replaced(Part::libxc(kind), item)
}

fn extended(blob: Vec<u8>, size: u32) -> Stream {
    pv(X86_PV_VCPU_EXTENDED, libxc::vcpu_extended(0, blob).edited(20, Field::le32(size)))
}

/// A blob of state in which these components are in use, and these not in their initial state.
fn xsave(size: usize, mask: u64, in_use: u64) -> Stream {
    pv(X86_PV_VCPU_XSAVE, xsave_item(size, mask, in_use))
}

fn xsave_item(size: usize, mask: u64, in_use: u64) -> Item {
    let mut blob = vec![0; size];
    for (at, value) in [(0, mask), (8, mask), (528, in_use)] {
        if let Some(field) = blob.get_mut(at..at + 8) {
            field.copy_from_slice(&value.to_le_bytes());
        }
    }
    libxc::vcpu(X86_PV_VCPU_XSAVE, 0, Body::new().raw(blob))
}

fn msrs(entries: &[(u32, u64)]) -> Stream {
    pv(X86_PV_VCPU_MSRS, libxc::vcpu_msrs(0, entries))
}

fn assert_cured(n: usize, (stream, rule, cure): Cure, options: &Options) {
    let everything = Convert::default().with_lossy(&Loss::all().collect::<Vec<_>>());
    let (cured, out) = converted(&stream.bytes(), options, &everything);
    assert_eq!(cured.report.violation().map(|violation| violation.rule), Some(rule), "{n}");
    match cure {
        Ok(cure) => {
            assert_eq!(cured.obstacles, [], "{n}");
            assert!(
                !cured.changes.is_empty() && cured.changes.iter().all(|change| change.loss.is_none()),
                "{n}"
            );
            assert!(out == cure.bytes(), "{n}: {:?}", cured.changes);
        }
        Err(reason) => {
            let reasons: Vec<&str> = cured.obstacles.iter().map(|obstacle| &*obstacle.reason).collect();
            assert!(reasons.iter().any(|found| found.contains(reason)), "{n}: {reasons:?}");
            assert!(cured.bytes.is_none() && out.is_empty(), "{n}");
        }
    }
}

/// Those that every profile but `spec` refuses.
fn under_restore() -> Vec<Cure> {
    let whole = |size: usize| {
        let mut blob = vec![0; size];
        blob[8] = 7;
        blob
    };
    let marked = {
        let mut blob = extended_state(0, 64);
        blob[40] = 1;
        blob
    };
    let good = (0..7).map(|n| (0xC000_0103, n + 1)).collect::<Vec<_>>();
    let mut beyond = vec![0; 900];
    beyond[0] = 7;
    beyond[8] = 7;
    beyond[899] = 1;
    vec![
        // The size field, with and without all of the structure.
        (extended(whole(64), 31), Rule::PvExtendedSize, Ok(extended(whole(64), 64))),
        (extended(whole(24), 24), Rule::PvExtendedSize, Ok(extended(whole(64), 64))),
        (extended(marked, 24), Rule::PvExtendedSize, Err("the bytes beyond the size field are not zero")),
        // Longer and shorter than the components, which are the same on every processor.
        (xsave(900, 7, 3), Rule::PvXsaveArea, Ok(xsave(848, 7, 3))),
        (xsave(848, 3, 3), Rule::PvXsaveArea, Ok(xsave(592, 3, 3))),
        (xsave(592, 7, 3), Rule::PvXsaveArea, Ok(xsave(848, 7, 3))),
        (xsave(17, 0, 0), Rule::PvXsaveArea, Ok(xsave(16, 0, 0))),
        (xsave(592, 7, 7), Rule::PvXsaveArea, Err("cut off inside a component that is in use")),
        (xsave(100, 3, 0), Rule::PvXsaveArea, Err("cut off before its header ends")),
        (
            pv(X86_PV_VCPU_XSAVE, libxc::vcpu(X86_PV_VCPU_XSAVE, 0, Body::new().raw(beyond))),
            Rule::PvXsaveArea,
            Err("the bytes after the XSAVE area are not zero"),
        ),
        // Entries that say nothing.
        (msrs(&[&good[..], &[(0x140, 0), (0x48, 0)]].concat()), Rule::PvMsrsCount, Ok(msrs(&good))),
        (msrs(&[&good[..], &[(0x140, 1)]].concat()), Rule::PvMsrsCount, Err("pv::msrs-count")),
    ]
}

#[test]
fn vcpu_records_are_cured_and_nothing_else_changes() {
    for (n, cure) in under_restore().into_iter().enumerate() {
        assert_cured(n, cure, &for_target("4.20"));
    }
}

#[test]
fn hardened_findings_are_repaired_too() {
    // The size of YMM and of protection keys, and where they lie.
    let leaves = libxc::cpuid_policy(&[
        [1, u32::MAX, 0, 0, 0x1400_0000, 0],
        [7, 0, 0, 0, 8, 0],
        [0xD, 2, 256, 576, 0, 0],
        [0xD, 9, 8, 2688, 0, 0],
    ]);
    let with = |stream: Stream| stream.before(Part::libxc(STATIC_DATA_END), leaves.clone());
    let hvm = |size: usize, mask: u64| {
        let mut area = vec![0; size];
        area[8..16].copy_from_slice(&mask.to_le_bytes());
        area[16..24].copy_from_slice(&mask.to_le_bytes());
        area[536] = 3;
        with(minimal::hvm()).replaced(
            Part::libxc(HVM_CONTEXT),
            libxc::hvm_context(&Chain::around([Entry::new(CPU_XSAVE, 0, area)])),
        )
    };
    let cases = [
        (extended(extended_state(0, 40), 64), Rule::PvExtendedShort, Ok(extended(extended_state(0, 64), 64))),
        (with(xsave(2480, 0x207, 7)), Rule::PvXsaveLength, Ok(with(xsave(2712, 0x207, 7)))),
        (with(xsave(3000, 0x207, 7)), Rule::PvXsaveLength, Ok(with(xsave(2712, 0x207, 7)))),
        (xsave(848, 0x207, 7), Rule::PvXsaveArea, Err("depends on the processor")),
        (hvm(600, 7), Rule::HvmXsaveArea, Ok(hvm(856, 7))),
        (hvm(2480, 0x207), Rule::HvmXsaveLength, Ok(hvm(2720, 0x207))),
    ];
    let policy = Policy::restore().with_target(Some("4.20".parse::<Target>().unwrap()));
    for (n, cure) in cases.into_iter().enumerate() {
        let policy = policy.clone().with_level(cure.1, xenstream::Level::Deny).unwrap();
        assert_cured(n, cure, &Options::new(policy));
    }
}

#[test]
fn msrs_that_the_guest_lacks_are_dropped_if_zero() {
    // A policy without address masks for breakpoints.
    let leaves = libxc::cpuid_policy(&[[0x8000_0001, u32::MAX, 0, 0, 0, 0]]);
    let with = |entries: &[(u32, u64)]| msrs(entries).before(Part::libxc(STATIC_DATA_END), leaves.clone());
    let cases = [
        (with(&[(0x48, 1), (0xC001_1027, 0)]), Rule::PvMsrsPolicy, Ok(with(&[(0x48, 1)]))),
        (with(&[(0xC001_1027, 0), (0xC001_1019, 0)]), Rule::PvMsrsPolicy, Ok(with(&[]))),
        (with(&[(0x48, 1), (0xC001_1027, 2)]), Rule::PvMsrsPolicy, Err("pv::msrs-policy")),
    ];
    for (n, cure) in cases.into_iter().enumerate() {
        assert_cured(n, cure, &for_target("4.17"));
    }
}

#[test]
fn headers_of_another_byte_order_are_turned() {
    for machine in Machine::all() {
        let libxl = machine.libxl();
        let cases = [
            (
                libxl.clone().in_xl().with_container_order(Order::Big),
                Rule::XlBigEndian,
                libxl.clone().in_xl(),
            ),
            (
                libxl.clone().in_libvirt().with_container_order(Order::Big),
                Rule::LibvirtBigEndian,
                libxl.clone().in_libvirt(),
            ),
            (libxl.clone().with_libxl_order(Order::Big), Rule::LibxlBigEndian, libxl),
        ];
        for (n, (stream, rule, cure)) in cases.into_iter().enumerate() {
            assert_cured(n, (stream, rule, Ok(cure)), &for_target("4.20"));
        }
        // State as another processor had it is nothing to turn.
        let big = machine.libxc().with_libxc_order(Order::Big);
        assert_cured(9, (big, Rule::LibxcBigEndian, Err("libxc::big-endian")), &for_target("4.20"));
    }
}
