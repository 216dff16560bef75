//! The chain inside HVM_CONTEXT.

mod values;

use xenstream_core::wire::hvm::types::{CPU, PIC};
use xenstream_core::wire::hvm::{
    ENTRY_HEADER, INSTANCE_AT, LAPIC_OLD, LENGTH_AT, MSR, MSR_HEADER, RTC_OLD, VCPUS, XSAVE_MIN, types,
};
use xenstream_core::wire::libxc::types::HVM_CONTEXT;
use xenstream_core::wire::msr;
use xenstream_core::{Layer, Limit, RecordRef, Rule};

use super::{BODY, Case};
use crate::hvm::{Chain, Entry};
use crate::item::Part;
use crate::libxc;
use crate::minimal;

/// A typecode that `wire` needs no name for.
const TSC_ADJUST: u16 = 19;

pub(super) fn cases() -> Vec<Case> {
    [headers(), entries(), ends(), values::cases()].concat()
}

/// A chain, and where it is broken: in the entry of this index, `at` bytes from its first.
fn case(rule: Rule, variant: &'static str, chain: &Chain, neighbour: &Chain, index: usize, at: u64) -> Case {
    let context = Part::libxc(HVM_CONTEXT);
    let [broken, neighbour] =
        [chain, neighbour].map(|chain| minimal::hvm().replaced(context, libxc::hvm_context(chain)));
    let body = broken.offset(broken.find(context)) + BODY;
    let place = chain.places().get(index).copied();
    let offset = body + chain.offset(index);
    let record = RecordRef {
        layer: Layer::Hvm,
        index: index as u64,
        // A torn entry has no typecode yet.
        kind: place.map(|place| u64::from(place.typecode)),
        offset,
    };
    Case::of(rule, variant, &broken, &neighbour).at(offset + at).record(Some(record))
}

/// HEADER, this entry, END.
fn around(entry: Entry) -> Chain {
    Chain::around([entry])
}

fn headers() -> Vec<Case> {
    let minimal = Chain::minimal();
    let start = |variant, first: Entry, at| {
        case(Rule::HvmHeader, variant, &Chain::new([first, Entry::end()]), &minimal, 0, at)
    };
    let field = |rule, at: u64, byte| {
        let header = Entry::header().with_byte(at as usize, byte);
        case(rule, "", &Chain::new([header, Entry::end()]), &minimal, 0, ENTRY_HEADER + at)
    };
    let long = Entry::new(types::HEADER, 0, [0; 32]);
    vec![
        start("", Entry::reset(CPU, 0), 0),
        start("end", Entry::end(), 0),
        start("length", long, LENGTH_AT),
        case(Rule::HvmHeader, "second", &around(Entry::header()), &around(Entry::reset(PIC, 0)), 1, 0),
        field(Rule::HvmMagic, 0, 0),
        field(Rule::HvmVersion, 4, 2),
    ]
}

fn entries() -> Vec<Case> {
    let length = |variant, entry: Entry, fine: Entry| {
        case(Rule::HvmEntryLength, variant, &around(entry), &around(fine), 1, LENGTH_AT)
    };
    let sized = |typecode, size: u64| Entry::new(typecode, 0, vec![0; size as usize]);
    let longer = |rule, variant, typecode, lengths: [u64; 2]| {
        let [broken, fine] = lengths.map(|length| around(Entry::filled(typecode, 0, length, 0)));
        case(rule, variant, &broken, &fine, 1, LENGTH_AT)
    };
    // One more than there are, beside the last one.
    let instance = |variant, typecode, first: u16| {
        let [broken, fine] =
            [first, first - 1].map(|instance| around(Entry::new(typecode, instance, [0; 8])));
        case(Rule::HvmInstance, variant, &broken, &fine, 1, INSTANCE_AT)
    };
    let msrs = || Entry::msrs(0, &[(msr::DR0_ADDRESS_MASK, 0), (msr::DR1_ADDRESS_MASK, 0)]);
    let reserved = |variant, n: u64| {
        let at = MSR_HEADER + n * MSR + 4;
        let chain = around(msrs().with_byte(at as usize, 1));
        case(Rule::HvmMsrReserved, variant, &chain, &around(msrs()), 1, ENTRY_HEADER + at)
    };
    let pics = |second| Chain::around([Entry::reset(PIC, 0), Entry::reset(PIC, second)]);
    vec![
        case(
            Rule::HvmTypecode,
            "",
            &around(Entry::new(types::KNOWN, 0, [])),
            &around(Entry::reset(CPU, 0)),
            1,
            0,
        ),
        case(
            Rule::HvmTypecode,
            "highest",
            &around(Entry::new(u16::MAX, 0, [])),
            &around(Entry::reset(CPU, 0)),
            1,
            0,
        ),
        instance("", PIC, 2),
        instance("vcpu", TSC_ADJUST, VCPUS as u16),
        instance("vcpu-limit", TSC_ADJUST, 64).limit(Limit::Vcpus, 64),
        length("", sized(PIC, 9), Entry::reset(PIC, 0)),
        length("shorter", sized(PIC, 7), Entry::reset(PIC, 0)),
        length("cpu", sized(CPU, 1033), Entry::reset(CPU, 0)),
        length("xsave", sized(types::CPU_XSAVE, XSAVE_MIN - 1), Entry::reset(types::CPU_XSAVE, 0)),
        length("no-msr", Entry::msrs(0, &[]), Entry::msrs(0, &[(msr::SPEC_CTRL, 0)])),
        case(Rule::HvmMsrCount, "", &around(msrs().with_byte(0, 1)), &around(msrs()), 1, ENTRY_HEADER)
            .note("as Xen 4.9 and older wrote it"),
        longer(Rule::HvmLapicLength, "", types::LAPIC, [32, LAPIC_OLD]),
        longer(Rule::HvmLapicLength, "shortest", types::LAPIC, [LAPIC_OLD + 1, 16]),
        longer(Rule::HvmRtcLength, "", types::RTC, [24, RTC_OLD]),
        longer(Rule::HvmRtcLength, "shorter", types::RTC, [RTC_OLD - 1, RTC_OLD]),
        case(Rule::HvmEntryRepeated, "", &pics(0), &pics(1), 2, 0),
        reserved("", 0),
        reserved("second", 1),
    ]
}

fn ends() -> Vec<Case> {
    let minimal = Chain::minimal();
    let headless = Chain::new([Entry::header()]);
    let overrun = |variant, entry: Entry| {
        let chain = Chain::new([Entry::header(), entry]);
        case(Rule::HvmEntryOverrun, variant, &chain, &minimal, 1, LENGTH_AT)
    };
    let torn = |variant, tail: &[u8]| {
        let chain = headless.clone().with_tail(tail);
        case(Rule::HvmEntryOverrun, variant, &chain, &minimal, 1, LENGTH_AT)
    };
    let missing = |variant, chain: Chain, last: usize| {
        let entry = chain.offset(last + 1) - chain.offset(last);
        case(Rule::HvmEndMissing, variant, &chain, &minimal, last, entry)
    };
    let end = Entry::new(types::END, 0, [0; 8]);
    let trailing = |variant, tail: &[u8]| {
        case(Rule::HvmTrailing, variant, &Chain::minimal().with_tail(tail), &minimal, 2, ENTRY_HEADER)
    };
    let around_end = |end| Chain::new([Entry::header(), Entry::reset(CPU, 0), end]);
    vec![
        case(Rule::HvmCpuMissing, "", &Chain::new([Entry::header(), Entry::end()]), &minimal, 1, 0)
            .note("the hypervisor takes it, and the guest stands still"),
        overrun("", Entry::new(CPU, 0, [0; 8]).claiming(9)),
        overrun("huge", Entry::new(CPU, 0, []).claiming(u32::MAX)),
        torn("torn", &[0; 7]),
        torn("torn-one", &[0]),
        missing("", headless.clone(), 0),
        missing("second", Chain::new([Entry::header(), Entry::reset(PIC, 0)]), 1),
        // An entry of which so much is passed over that it need not be copied.
        missing("long", Chain::new([Entry::header(), Entry::filled(types::CPU_XSAVE, 0, 32 << 10, 0)]), 1),
        case(Rule::HvmEndLength, "", &around_end(end), &minimal, 2, LENGTH_AT),
        trailing("", &[0]),
        trailing("entry", &[0; 8]),
    ]
}
