//! One stream for each fact, with exactly that symptom, and its neighbour.

use xenstream_core::wire::hvm::types::{CPU, CPU_XSAVE, LAPIC, PCI_LINK, PIC, PIT, RTC};
use xenstream_core::wire::libxc::image_at;
use xenstream_core::wire::libxc::types::{
    HVM_CONTEXT, HVM_PARAMS, PAGE_DATA, STATIC_DATA_END, X86_PV_VCPU_BASIC,
};
use xenstream_core::wire::libxl::types::EMULATOR_CONTEXT;
use xenstream_core::{Fact, FactSet, Policy, Summary, Target, Verifier, Violation};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::{Basic, Body, Field, Item, Page, Part, Stream, libxc, libxl, minimal};

const NO_SUBLEAF: u32 = u32::MAX;
const SPEC_CTRL: u32 = 0x48;

fn verify(stream: &Stream, target: Option<Target>) -> Result<Summary, Violation> {
    let mut verifier = Verifier::new(stream.format(), &Policy::spec().with_target(target));
    verifier.push(&stream.bytes(), &mut ())?;
    verifier.finish(&mut ())
}

/// An entry of the chain in HVM_CONTEXT.
fn entry(typecode: u16, length: usize) -> Stream {
    let chain = Chain::around([Entry::new(typecode, 0, vec![0; length])]);
    minimal::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&chain))
}

/// The same entry with two values of a field.
fn with(fact: Fact, entry: &Entry, field: &str, values: [u64; 2]) -> (Fact, Stream, Stream) {
    let [shows, neighbour] = values.map(|value| in_chain(entry.clone().with(field, value)));
    (fact, shows, neighbour)
}

fn in_chain(entry: Entry) -> Stream {
    minimal::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&Chain::around([entry])))
}

fn msr(index: u32, value: u64) -> Stream {
    in_chain(Entry::msrs(0, &[(index, value)]))
}

/// A PV guest's registers with two values of the word at this offset of their blob.
fn vcpu(fact: Fact, registers: &Basic, at: u64, values: [u64; 2]) -> (Fact, Stream, Stream) {
    let base = if registers.is_wide() { minimal::pv64() } else { minimal::pv32() };
    let [shows, neighbour] = values.map(|value| {
        base.clone().replaced(
            Part::libxc(X86_PV_VCPU_BASIC),
            libxc::vcpu_basic(0, &registers.clone().word(at, value)),
        )
    });
    (fact, shows, neighbour)
}

/// A guest whose time-stamp counter is emulated at this frequency.
fn tsc(khz: u32) -> Stream {
    minimal::hvm().before(Part::libxc(HVM_CONTEXT), libxc::clock_of(0, khz, 0, 1))
}

/// A policy that names the last subleaf of leaf 7.
fn last_subleaf(last: u32) -> Stream {
    ahead(libxc::cpuid_policy(&[[7, 0, last, 0, 0, 0]]))
}

/// A record among the static data.
fn ahead(item: Item) -> Stream {
    minimal::hvm().before(Part::libxc(STATIC_DATA_END), item)
}

fn leaf(leaf: u32, subleaf: u32) -> Stream {
    ahead(libxc::cpuid_policy(&[[leaf, subleaf, 0, 0, 0, 0]]))
}

fn param(index: u64, value: u64) -> Stream {
    minimal::hvm().replaced(
        Part::libxc(HVM_PARAMS),
        libxc::hvm_params(&[(1, 0xF_EFFC), (17, 0xF_EFFF), (index, value)]),
    )
}

/// A guest with a page that stands for a guest of that size.
fn page(pfn: u64) -> Stream {
    minimal::hvm().replaced(Part::libxc(PAGE_DATA), libxc::page_data(&[Page::normal(pfn)]))
}

/// A guest with the state of this device model.
fn emulator(id: u32) -> Stream {
    let item = libxl::emulator(EMULATOR_CONTEXT, id, Body::new().zeros(64));
    minimal::hvm().in_libxl().before(Part::libxl(xenstream_core::wire::libxl::types::END), item)
}

/// The fact, a stream that shows it, and one that does not.
fn streams() -> Vec<(Fact, Stream, Stream)> {
    let old = minimal::hvm()
        .edited(Part::Image, image_at::VERSION, Field::U32(2))
        .without(Part::libxc(STATIC_DATA_END));
    let [cpu, pic, xsave] = [CPU, PIC, CPU_XSAVE].map(|typecode| Entry::reset(typecode, 0));
    vec![
        (Fact::V3, minimal::hvm(), old),
        (Fact::Rtc24, entry(RTC, 24), entry(RTC, 16)),
        (Fact::Lapic32, entry(LAPIC, 32), entry(LAPIC, 24)),
        (
            Fact::Msr2,
            ahead(libxc::msr_policy(&[(0xCE, 0), (0x10A, 0)])),
            ahead(libxc::msr_policy(&[(0xCE, 0)])),
        ),
        (Fact::L72, leaf(7, 2), leaf(7, 1)),
        (Fact::L73, leaf(7, 3), leaf(7, 1)),
        (Fact::E21, leaf(0x8000_0021, NO_SUBLEAF), leaf(0x8000_001C, NO_SUBLEAF)),
        (Fact::Vir13, param(9, 0x1001), param(9, 0x3FF)),
        (
            Fact::Ac64,
            ahead(libxc::msr_policy(&[(0xCE, 0), (0x10A, 1 << 32)])),
            ahead(libxc::msr_policy(&[(0xCE, 0), (0x10A, 0)])),
        ),
        (Fact::Vsc, msr(0xC001_011F, 0), msr(SPEC_CTRL, 0)),
        (Fact::Pkrs, msr(0x6E1, 0), msr(SPEC_CTRL, 0)),
        (Fact::Psfd, msr(SPEC_CTRL, 1 << 7), msr(SPEC_CTRL, 1)),
        (Fact::Bhi, msr(SPEC_CTRL, 1 << 10), msr(SPEC_CTRL, 1)),
        with(Fact::Aibrs, &cpu, "msr_efer", [1 << 21, 1]),
        with(Fact::Cet, &cpu, "cr4", [1 << 23, 1]),
        with(Fact::Pks, &cpu, "cr4", [1 << 24, 1]),
        with(Fact::Lass, &cpu, "cr4", [1 << 27, 1]),
        with(Fact::Amx, &xsave, "xcr0_accum", [1 | 3 << 17, 1]),
        with(Fact::TilePair, &xsave, "xcr0_accum", [1 | 1 << 17, 1 | 3 << 17]),
        with(Fact::Cr3w, &cpu, "cr3", [1 << 52, 1 << 51]),
        with(Fact::Dr32, &cpu, "dr7", [1 << 32, 0x400]),
        with(Fact::PicChk, &pic, "elcr", [1, 4]),
        with(Fact::PicInit, &pic.clone().with("irr", 1).with("init_state", 1), "int_output", [1, 0]),
        with(Fact::PitChk, &Entry::reset(PIT, 0), "gate", [0, 1]),
        with(Fact::LinkPad, &Entry::reset(PCI_LINK, 0), "pad", [1, 0]),
        vcpu(Fact::Vma, &Basic::pv64(), 5136, [1 << 6, 1]),
        vcpu(Fact::Gdt16, &Basic::pv64(), 4960, [1 << 32, 0]),
        vcpu(Fact::Pv32Vm, &Basic::pv32(), 556, [1 << 17, 0]),
        (Fact::Tsc64, tsc(0x2000_0000), tsc(2_400_000)),
        (Fact::L7Sub2, last_subleaf(2), last_subleaf(1)),
        (Fact::L7Max, last_subleaf(3), last_subleaf(1)),
        (Fact::Pfn31, page(1 << 30), page((1 << 30) - 1)),
        (Fact::Altp2m, param(35, 0), param(36, 0)),
        (Fact::Nest, param(24, 0), param(4, 0)),
        (Fact::Qtrad, emulator(1), emulator(0)),
    ]
}

fn facts(stream: &Stream) -> FactSet {
    verify(stream, None).unwrap_or_else(|violation| panic!("{violation}")).releases.facts()
}

#[test]
fn every_fact_that_streams_show_has_a_row() {
    let rows: Vec<_> = streams().into_iter().map(|(fact, ..)| fact).collect();
    for fact in Fact::all().filter(|fact| !fact.entry().rules.is_empty()) {
        assert_eq!(rows.iter().filter(|row| **row == fact).count(), 1, "{fact}");
    }
}

#[test]
fn a_stream_shows_its_fact_and_no_other() {
    for (fact, stream, neighbour) in streams() {
        let (with, without) = (facts(&stream), facts(&neighbour));
        assert!(!without.contains(fact), "{fact}");
        assert_eq!(with, without.with(fact), "{fact}");
    }
}

#[test]
fn a_target_refuses_a_fact_under_its_rule_and_place() {
    for (fact, stream, neighbour) in streams() {
        let releases = verify(&stream, None).unwrap().releases;
        let refusal = releases.refusals().find(|refusal| refusal.fact == fact).unwrap();
        let other = facts(&neighbour);
        let mut refusing = 0;
        // What the neighbour shows too is refused first.
        for target in Target::all().filter(|target| target.accepts(other)) {
            assert!(verify(&neighbour, Some(target)).is_ok(), "{fact} {target}");
            match verify(&stream, Some(target)) {
                Ok(_) => assert!(!target.refuses(fact), "{fact} {target}"),
                Err(violation) => {
                    assert!(target.refuses(fact), "{target}: {violation}");
                    assert_eq!(violation.fact, Some(fact));
                    let found = (violation.rule, violation.offset, violation.record);
                    assert_eq!(found, (refusal.rule, refusal.offset, refusal.record), "{fact} {target}");
                    refusing += 1;
                }
            }
        }
        assert!(refusing > 0 || !releases.accepted_by().is_empty(), "{fact}");
    }
}

#[test]
fn streams_for_no_release_are_refused() {
    // Parameter 24 was taken up to 4.14, the Viridian bits since 4.15.
    let stream = minimal::hvm().replaced(Part::libxc(HVM_PARAMS), libxc::hvm_params(&[(24, 0), (9, 0x1001)]));
    assert!(verify(&stream, None).unwrap().releases.accepted_by().is_empty());
    let mut verifier = Verifier::new(stream.format(), &Policy::restore());
    let violation = verifier.push(&stream.bytes(), &mut ()).unwrap_err();
    assert_eq!((violation.fact, violation.is_combination), (Some(Fact::Vir13), true));
    assert!(violation.to_string().ends_with(", but not together with the rest of the stream"), "{violation}");
}
