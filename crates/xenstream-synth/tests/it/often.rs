//! Records that come by the million have short ways through the verifier: there they are judged as the first ones are.

use xenstream_core::wire::libxc::types::{
    CHECKPOINT, OPTIONAL, PAGE_DATA, STATIC_DATA_END, VERIFY, X86_PV_VCPU_BASIC, X86_TSC_INFO,
};
use xenstream_core::{Format, Layer, Level, Limit, Policy, RecordRef, Rule, Value, Verifier, Violation};
use xenstream_synth::valid::{self, Kind, Machine};
use xenstream_synth::{Body, Page, Part, Stream, libxc};

/// How often the frequent records come.
const TIMES: usize = 4;

/// A guest with batches of one and of two, and VERIFY, again and again.
fn often() -> Stream {
    let last = Part::libxc(X86_TSC_INFO);
    (0..TIMES as u64).fold(valid::hvm(), |stream, n| {
        let two = libxc::page_data(&[Page::normal(9 + n), Page::broken(5 * n)]);
        let one = libxc::page_data(&[Page::normal(n)]);
        stream.before(last, two).before(last, libxc::verify()).before(last, one)
    })
}

/// The last record of a type, which goes the short way, and its index among the items.
fn last(stream: &Stream, kind: u32) -> (RecordRef, usize) {
    let part = Part::libxc(kind);
    let index = stream.items().iter().rposition(|item| item.part() == part).expect("a record of the type");
    (stream.record(index).expect("a record"), index)
}

fn verdict(stream: &Stream, policy: &Policy) -> Result<(), Violation> {
    let mut verifier = Verifier::new(Format::Auto, policy);
    verifier.push(&stream.bytes(), &mut ()).and_then(|_| verifier.finish(&mut ())).map(|_| ())
}

#[track_caller]
fn assert_refused(stream: &Stream, policy: &Policy, rule: Rule, at: u64, record: RecordRef) {
    let violation = verdict(stream, policy).expect_err("a broken stream");
    assert_eq!((violation.rule, violation.offset, violation.record), (rule, at, Some(record)));
}

#[test]
fn the_last_of_many_is_judged_as_the_first() {
    let page = |entry: u64| Body::new().u32(1).u32(0).u64(entry).zeros(4096);
    let broken: [(u32, Body, Rule, u64); 9] = [
        (VERIFY, Body::new().zeros(8), Rule::LibxcVerifyLength, 4),
        (PAGE_DATA, Body::new().u32(0), Rule::LibxcPageDataLength, 4),
        (PAGE_DATA, Body::new().u32(0).u32(0), Rule::LibxcPageDataCount, 8),
        (PAGE_DATA, Body::new().u32(1).u32(9).u64(3).zeros(4096), Rule::LibxcPageDataReserved, 12),
        (PAGE_DATA, page(0x6 << 60), Rule::LibxcPageDataType, 16),
        (PAGE_DATA, page(1 << 52), Rule::LibxcPageDataPfnReserved, 16),
        (PAGE_DATA, page(0xFF << 52), Rule::LibxcPageDataPfnReserved, 16),
        (PAGE_DATA, page(1 << 40), Rule::LibxcPageDataPfnLimit, 16),
        (PAGE_DATA, Body::new().u32(1).u32(0).u64(3).zeros(4095), Rule::LibxcPageDataLength, 4),
    ];
    for (kind, body, rule, at) in broken {
        let stream = often();
        let (record, index) = last(&stream, kind);
        let stream = stream.with_item(index, libxc::record(kind, body));
        assert_refused(&stream, &Policy::spec(), rule, record.offset + at, record);
    }
}

#[test]
fn one_entry_of_a_run_is_judged_as_one_alone() {
    let policy =
        Policy::spec().with_level(Rule::LibxcPageDataTableType, Level::Deny).expect("no structural rule");
    let broken = [
        (Page::table(1, 6, &[]), Rule::LibxcPageDataTableType),
        (Page::of(0x6, 6), Rule::LibxcPageDataType),
        (Page::normal(6).with_bits(0xFF << 52), Rule::LibxcPageDataPfnReserved),
        (Page::normal(1 << 40), Rule::LibxcPageDataPfnLimit),
    ];
    for (page, rule) in broken {
        for place in 0..40 {
            let mut pages: Vec<_> = (0..40).map(Page::normal).collect();
            pages[place] = page.clone();
            let stream = valid::hvm().before(Part::libxc(X86_TSC_INFO), libxc::page_data(&pages));
            let (record, _) = last(&stream, PAGE_DATA);
            assert_refused(&stream, &policy, rule, record.offset + 16 + 8 * place as u64, record);
        }
    }
}

#[test]
fn mixed_run_is_refused_at_first_reserved_type() {
    for (stream, before) in [(valid::hvm(), X86_TSC_INFO), (valid::pv64(), X86_PV_VCPU_BASIC)] {
        let pages: Vec<_> =
            [0, 1, 2, 3, 4, 9, 10, 11, 12, 13, 14, 15, 5, 6, 7, 8].map(|kind| Page::of(kind, 0)).into();
        let stream = stream.before(Part::libxc(before), libxc::page_data(&pages));
        let (record, _) = last(&stream, PAGE_DATA);
        assert_refused(
            &stream,
            &Policy::spec(),
            Rule::LibxcPageDataType,
            record.offset + 16 + 8 * 12,
            record,
        );
    }
}

/// Only a PV guest has page tables that the restorer reads: of an HVM guest's pages nobody knows what is in them.
#[test]
fn page_tables_in_hvm_streams_are_not_read() {
    let table = || Page::table(1, 5, &[(0, 0x000F_FFFF_FFFF_F001)]);
    let with = |stream: Stream, part| {
        stream.before(Part::libxc(part), libxc::page_data(&[Page::normal(4), table()]))
    };
    assert_eq!(verdict(&with(valid::hvm(), X86_TSC_INFO), &Policy::spec()), Ok(()));
    let violation =
        verdict(&with(valid::pv64(), X86_PV_VCPU_BASIC), &Policy::spec()).expect_err("a PV guest's");
    assert_eq!(violation.rule, Rule::PvPteRange);
}

#[test]
fn limits_count_the_last_of_many() {
    let stream = often();
    for kind in [VERIFY, PAGE_DATA] {
        let (record, index) = last(&stream, kind);
        let before =
            stream.items()[..index].iter().filter(|item| item.part().record().is_some()).count() as u64;
        let policy = Policy::spec().with_limit(Limit::Records, before);
        assert_refused(&stream, &policy, Rule::StreamRecords, record.offset, record);
    }
    let total = stream.records().iter().filter(|record| record.layer == Layer::Libxc).count() as u64;
    assert_eq!(verdict(&stream, &Policy::spec().with_limit(Limit::Records, total)), Ok(()));

    let longest = stream.records().into_iter().max_by_key(|record| record.body_length).expect("records");
    let limit = |bytes| Policy::spec().with_limit(Limit::LibxcRecord, bytes);
    assert_eq!(verdict(&stream, &limit(longest.body_length)), Ok(()));
    let violation = verdict(&stream, &limit(longest.body_length - 1)).expect_err("too long a record");
    assert_eq!(
        (violation.rule, violation.found),
        (Rule::LibxcRecordLength, Value::Number(longest.body_length))
    );
}

/// The restorer skips an optional record as it reads, and refuses it as it replays what came after a checkpoint.
#[test]
fn optional_records_are_buffered_after_a_checkpoint() {
    let optional = || libxc::record(OPTIONAL, Body::new());
    let stream = valid::checkpointed(Machine::Hvm, Kind::Remus, 3);
    let in_front = stream.clone().after(Part::libxc(STATIC_DATA_END), optional());
    assert_eq!(verdict(&in_front, &Policy::restore()), Ok(()));

    let (_, index) = last(&stream, CHECKPOINT);
    let behind = stream.inserted(index, optional());
    let (record, _) = last(&behind, OPTIONAL);
    assert_refused(&behind, &Policy::restore(), Rule::LibxcRecordOptional, record.offset, record);
}
