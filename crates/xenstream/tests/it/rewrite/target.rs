//! Cures of what a release refuses.

use xenstream::rewrite::{Convert, Loss};
use xenstream::wire::hvm::types::{CPU, LAPIC, PCI_LINK, PIC, PIT, RTC};
use xenstream::wire::libxc::types::{
    HVM_CONTEXT, HVM_PARAMS, STATIC_DATA_END, X86_CPUID_POLICY, X86_MSR_POLICY, X86_PV_VCPU_BASIC,
};
use xenstream::wire::pv::{BASIC_32, BASIC_64};
use xenstream::{Options, Policy, Rule};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::valid::Machine;
use xenstream_synth::{Field, Part, Stream, libxc, minimal, valid};

use super::common::{converted, entries, for_target, is_context, real, records};

#[test]
fn newer_images_become_valid_for_older_targets() {
    for name in ["hvm-bios8-4.20.xl.xz", "pvh64-1v-4.20.xl.xz"] {
        let bytes = real(name);
        let (_, before) = records(&bytes);
        for target in ["4.17", "4.14"] {
            let options = for_target(target);
            let (cured, out) = converted(&bytes, &options, &Convert::default());
            assert_eq!(cured.report.violation().unwrap().rule, Rule::HvmLapicLength, "{name}, {target}");
            assert_eq!(cured.obstacles, [], "{name}, {target}");
            // All but the lengths of one entry, and of the record around it, is as it was.
            let (after, out) = records(&out);
            assert!(after.is_valid(), "{name}, {target}: {:?}", after.violation());
            assert_eq!(before.len(), out.len());
            for (before, out) in before.iter().zip(&out) {
                if is_context(before) {
                    same_but_lapics(&before.2, &out.2);
                } else {
                    assert!(before == out, "{name}, {target}: another record has changed");
                }
            }
            let [change] = &cured.changes[..] else { panic!("{:?}", cured.changes) };
            assert_eq!(change.place, "HVM_CONTEXT, LAPIC of vcpu 0");
            assert_eq!((&*change.field, &*change.before, &*change.after), ("length", "32", "24"));
            let at = change.offset as usize;
            assert_eq!(bytes[at..at + 4], [32, 0, 0, 0]);
        }
    }
}

fn same_but_lapics(before: &[u8], after: &[u8]) {
    let (before, after) = (entries(before), entries(after));
    assert_eq!(before.len(), after.len());
    let mut lapics = 0;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.0, before.1), (after.0, after.1));
        if before.0 == LAPIC {
            assert_eq!((before.2.len(), after.2), (32, &before.2[..24]));
            lapics += 1;
        } else {
            assert_eq!(before.2, after.2);
        }
    }
    assert_eq!(lapics, 1);
}

#[test]
fn accepted_values_are_not_changed() {
    for machine in Machine::all() {
        let bytes = machine.libxl().in_xl().bytes();
        let (same, out) = converted(&bytes, &for_target("4.20"), &Convert::default());
        assert_eq!(same.changes, []);
        assert!(out == bytes);
    }
}

fn chain(entry: Entry) -> Stream {
    minimal::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&Chain::around([entry])))
}

fn policy(leaves: &[[u32; 6]]) -> Stream {
    minimal::hvm().before(Part::libxc(STATIC_DATA_END), libxc::cpuid_policy(leaves))
}

fn msr_policy(msrs: &[(u32, u64)]) -> Stream {
    minimal::hvm().before(Part::libxc(STATIC_DATA_END), libxc::msr_policy(msrs))
}

fn params(index: u64, value: u64) -> Stream {
    valid::pvh().replaced(Part::libxc(HVM_PARAMS), libxc::hvm_params(&[(1, 16), (17, 20), (index, value)]))
}

/// What is refused, by which target, the record that holds it, and what else it should look like.
fn exact() -> Vec<(Stream, &'static str, u32, Stream)> {
    const NONE: u32 = u32::MAX;
    let lapic = |length: usize| chain(Entry::new(LAPIC, 0, vec![0; length]));
    let link = |pad: u8| chain(Entry::new(PCI_LINK, 0, [0, 0, 0, 0, pad, 0, 0, 0]));
    // A master that has an interrupt to deliver, within an initialisation sequence or not.
    let pic =
        |init: u8, elcr: u8, output: u8| chain(Entry::new(PIC, 0, [1, 0, 0, 0, init, 0x40, elcr, output]));
    let pit = |pad| chain(Entry::reset(PIT, 0).with("pad0", pad));
    let pv = |machine: Machine, field: &str, value: u32| {
        let layout = if machine == Machine::Pv64 { &BASIC_64 } else { &BASIC_32 };
        let at = 8 + 8 + layout.find(field).unwrap().offset;
        // The upper half of a debug register, the whole of a flags register.
        let at = if field == "dr7" { at + 4 } else { at };
        machine.libxc().edited(Part::libxc(X86_PV_VCPU_BASIC), at, Field::U32(value))
    };
    let cr0 = |value| chain(Entry::reset(CPU, 0).with("cr0", value));
    let dr7 = |high: u64| chain(Entry::reset(CPU, 0).with("dr7", high << 32 | 0x400));
    let pair = |first, others: &[(u32, u64)]| chain(Entry::msrs(0, &[&[first], others].concat()));
    vec![
        (lapic(32), "4.17", HVM_CONTEXT, lapic(24)),
        (lapic(32), "4.20.0", HVM_CONTEXT, lapic(24)),
        (chain(Entry::new(RTC, 0, vec![0; 24])), "4.13", HVM_CONTEXT, chain(Entry::new(RTC, 0, vec![0; 16]))),
        (dr7(1), "4.18", HVM_CONTEXT, dr7(0)),
        (link(7), "4.19", HVM_CONTEXT, link(0)),
        (pic(0, 0xFF, 0), "4.19", HVM_CONTEXT, pic(0, 0xFC, 0)),
        (pic(1, 0, 1), "4.19", HVM_CONTEXT, pic(1, 0, 0)),
        (pit(7), "4.19", HVM_CONTEXT, pit(0)),
        (cr0(0), "4.17", HVM_CONTEXT, cr0(0x10)),
        (pv(Machine::Pv64, "dr7", 1), "4.18", X86_PV_VCPU_BASIC, pv(Machine::Pv64, "dr7", 0)),
        (
            pv(Machine::Pv32, "eflags", 1 << 17 | 0x202),
            "4.22",
            X86_PV_VCPU_BASIC,
            pv(Machine::Pv32, "eflags", 0x202),
        ),
        (pair((0x6E1, 0), &[(0x140, 1)]), "4.17", HVM_CONTEXT, chain(Entry::msrs(0, &[(0x140, 1)]))),
        (msr_policy(&[(0xCE, 0), (0x10A, 0)]), "4.14.0", X86_MSR_POLICY, msr_policy(&[(0xCE, 0)])),
        (
            policy(&[[7, 0, 2, 0, 0, 0], [7, 2, 0, 0, 0, 0]]),
            "4.14.0",
            X86_CPUID_POLICY,
            policy(&[[7, 0, 1, 0, 0, 0]]),
        ),
        (
            policy(&[[0x8000_0000, NONE, 0x8000_0021, 0, 0, 0], [0x8000_0021, NONE, 0, 0, 0, 0]]),
            "4.14.0",
            X86_CPUID_POLICY,
            policy(&[[0x8000_0000, NONE, 0x8000_001C, 0, 0, 0]]),
        ),
        (params(24, 0), "4.15", HVM_PARAMS, plain_params()),
        (params(35, 0), "4.19", HVM_PARAMS, plain_params()),
        (params(20, 0), "4.17", HVM_PARAMS, plain_params()),
    ]
}

fn plain_params() -> Stream {
    valid::pvh().replaced(Part::libxc(HVM_PARAMS), libxc::hvm_params(&[(1, 16), (17, 20)]))
}

#[test]
fn exact_cures_are_made_and_change_nothing_else() {
    for (n, (stream, target, kind, cure)) in exact().into_iter().enumerate() {
        // Version 2 is another cure, which is not exact.
        let is_old = target == "4.13";
        let [stream, cure] = [stream, cure].map(|stream| if is_old { stream.as_version_2() } else { stream });
        let options = for_target(target);
        let (cured, out) = converted(&stream.bytes(), &options, &Convert::default());
        assert!(!cured.report.is_valid(), "{n}: {target} takes it");
        assert_eq!(cured.obstacles, [], "{n}");
        assert!(cured.changes.iter().all(|change| change.loss.is_none()));
        assert!(!cured.changes.is_empty());
        assert!(out == cure.bytes(), "{n}: {target}, record {kind:#x}: {:?}", cured.changes);
    }
}

#[test]
fn other_cures_ask_for_leave() {
    let full_lapic = chain(Entry::new(LAPIC, 0, vec![0; 32]).with("pending_esr", 0x20));
    let rtc = chain(Entry::new(RTC, 0, vec![1; 24])).as_version_2();
    let msrs = |value| chain(Entry::msrs(0, &[(0x48, value), (0xC001_011F, 4)]));
    let cases = [
        (full_lapic, "4.17", vec![Loss::PendingEsr], chain(Entry::new(LAPIC, 0, vec![0; 24]))),
        (rtc, "4.13", vec![Loss::RtcOffset], chain(Entry::new(RTC, 0, vec![1; 16])).as_version_2()),
        (msrs(0x81), "4.14.0", vec![Loss::SpecCtrl, Loss::VirtSpecCtrl], chain(Entry::msrs(0, &[(0x48, 1)]))),
        (
            msr_policy(&[(0x10A, 1 << 40 | 1)]),
            "4.17.0",
            vec![Loss::ArchCapabilities],
            msr_policy(&[(0x10A, 1)]),
        ),
        (
            policy(&[[7, 0, 0, 0, 0, 0], [7, 2, 1, 0, 0, 0]]),
            "4.14.0",
            vec![Loss::CpuidLeaves],
            policy(&[[7, 0, 0, 0, 0, 0]]),
        ),
        (msr_policy(&[(0xCE, 0)]), "4.13", vec![Loss::CpuPolicy], minimal::hvm().as_version_2()),
    ];
    for (n, (stream, target, losses, cure)) in cases.into_iter().enumerate() {
        let options = for_target(target);
        let (refused, _) = converted(&stream.bytes(), &options, &Convert::default());
        assert!(!refused.report.is_valid(), "{n}");
        let asked: Vec<Loss> = refused.obstacles.iter().filter_map(|obstacle| obstacle.loss).collect();
        assert_eq!(asked, losses, "{n}: {:?}", refused.obstacles);
        let (cured, out) = converted(&stream.bytes(), &options, &Convert::default().with_lossy(&losses));
        assert_eq!(cured.obstacles, [], "{n}");
        let lost: Vec<Loss> = cured.changes.iter().filter_map(|change| change.loss).collect();
        assert_eq!(lost, losses, "{n}");
        assert!(out == cure.bytes(), "{n}: {:?}", cured.changes);
    }
}

#[test]
fn unrepairable_findings_are_refused_with_reasons() {
    for (stream, target, place, reason) in [
        (chain(Entry::msrs(0, &[(0x6E1, 4)])), "4.17", "MSR 0x6e1", "protection keys would be lost"),
        (params(35, 1), "4.19", "parameter 35", "its value is 0x1"),
        (params(9, 0x1001), "4.14", "HVM_PARAMS", "the guest relies on the features"),
    ] {
        let everything = Convert::default().with_lossy(&Loss::all().collect::<Vec<_>>());
        let (refused, _) = converted(&stream.bytes(), &for_target(target), &everything);
        assert!(!refused.report.is_valid() && refused.bytes.is_none());
        let obstacle = &refused.obstacles[0];
        assert!(obstacle.place.ends_with(place), "{obstacle:?}");
        assert!(obstacle.reason.contains(reason), "{obstacle:?}");
        assert_eq!(obstacle.loss, None);
    }
}

#[test]
fn nothing_is_cured_without_a_target() {
    let stream = chain(Entry::new(LAPIC, 0, vec![0; 32]));
    let (same, out) = converted(&stream.bytes(), &Options::new(Policy::restore()), &Convert::default());
    assert_eq!(same.changes, []);
    assert!(out == stream.bytes());
}

#[test]
fn dry_run_lists_changes_and_writes_nothing() {
    let stream = chain(Entry::new(LAPIC, 0, vec![0; 32]));
    let dry = Convert::default().with_dry_run(true);
    let (would, out) = converted(&stream.bytes(), &for_target("4.17"), &dry);
    assert_eq!((would.changes.len(), would.obstacles.len(), out.len()), (1, 0, 0));
    assert!(would.output.unwrap().is_valid());
}
