//! What the builder calls valid is accepted, and what it says is in a stream is what a reader meets.

use std::io::Cursor;

use xenstream_core::wire::Order;
use xenstream_core::wire::libxc::types::{self, PAGE_DATA};
use xenstream_core::wire::libxl;
use xenstream_core::{
    Format, Guest, Layer, Level, Observer, Policy, Profile, Record, Rule, Verifier, Violation,
};
use xenstream_synth::corpus::valid_streams;
use xenstream_synth::valid::{self, Kind, Machine};
use xenstream_synth::{Field, Page, Part, Stream, libxc, minimal};

/// Hears records and warnings.
#[derive(Default)]
struct Listener {
    records: Vec<Record>,
    warnings: Vec<Rule>,
}

impl Observer for Listener {
    fn on_record(&mut self, record: &Record) {
        self.records.push(*record);
    }

    fn on_warning(&mut self, warning: &Violation) {
        self.warnings.push(warning.rule);
    }
}

fn verify(
    stream: &Stream,
    format: Format,
    policy: &Policy,
) -> (Result<xenstream_core::Summary, Violation>, Listener) {
    let mut listener = Listener::default();
    let mut verifier = Verifier::new(format, policy);
    let verdict = verifier.push(&stream.bytes(), &mut listener).and_then(|_| verifier.finish(&mut ()));
    (verdict, listener)
}

/// The profile, with streams in the byte order that no release writes let through.
fn lenient(profile: Profile) -> Policy {
    [Rule::LibxlBigEndian, Rule::LibxcBigEndian].into_iter().fold(Policy::new(profile), |policy, rule| {
        policy.with_level(rule, Level::Allow).expect("a rule that is not structural")
    })
}

#[test]
fn every_profile_accepts_them_without_a_warning() {
    for (name, stream) in valid_streams() {
        for profile in Profile::all() {
            let (verdict, heard) = verify(&stream, Format::Auto, &lenient(profile));
            assert!(verdict.is_ok(), "{name} under {profile}: {}", verdict.unwrap_err());
            assert_eq!(heard.warnings, [], "{name} under {profile}");
        }
    }
}

#[test]
fn minimal_streams_break_no_rule_under_any_profile() {
    for stream in [minimal::hvm(), minimal::pv64(), minimal::pv32()] {
        for profile in Profile::all() {
            let (verdict, heard) = verify(&stream, Format::Libxc, &Policy::new(profile));
            assert!(verdict.is_ok(), "{profile}: {}", verdict.unwrap_err());
            assert_eq!(heard.warnings, [], "{profile}");
        }
    }
}

#[test]
fn built_records_are_observed() {
    for (name, stream) in valid_streams() {
        let (_, heard) = verify(&stream, stream.format(), &lenient(Profile::Spec));
        assert_eq!(heard.records, stream.records(), "{name}");
        for (index, item) in stream.items().iter().enumerate() {
            let Some(record) = stream.record(index) else { continue };
            assert!(
                stream.records().iter().any(|reported| reported.reference() == record),
                "{name}: {item:?}"
            );
        }
    }
}

#[test]
fn summary_matches_the_built_stream() {
    for machine in Machine::all() {
        for order in [Order::Little, Order::Big] {
            let stream = machine.libxl().in_xl().with_order(order);
            let (verdict, _) = verify(&stream, Format::Auto, &lenient(Profile::Spec));
            let summary = verdict.expect("a valid stream");
            let pv = matches!(machine, Machine::Pv64 | Machine::Pv32);
            assert_eq!(summary.guest, Some(if pv { Guest::Pv } else { Guest::Hvm }));
            assert_eq!((summary.format, summary.order), (Format::Xl, order));
            assert_eq!((summary.libxc_version, summary.xen), (Some(3), Some((4, 17))));
            assert_eq!(summary.bytes, stream.size());
        }
    }
    let remus = valid::checkpointed(Machine::Hvm, Kind::Remus, 3);
    assert_eq!(
        verify(&remus, Format::Libxl, &Policy::hardened()).0.map(|summary| summary.checkpoints),
        Ok(3)
    );
}

/// The summary against a count of the builder's records and of the words in their bytes.
#[test]
fn the_summary_counts_what_was_built() {
    // Records of the frequent types come again and again: they have a way of their own through the verifier.
    let last = Part::libxc(types::X86_TSC_INFO);
    let often = (0..5).fold(valid::hvm(), |stream, n| {
        let batch = libxc::page_data(&[Page::normal(9 + n), Page::broken(4 * n)]);
        stream
            .before(last, batch)
            .before(last, libxc::verify())
            .before(last, libxc::page_data(&[Page::normal(n)]))
    });
    let streams = valid_streams().into_iter().map(|(name, stream)| (name.to_owned(), stream));
    for (name, stream) in streams.chain([("often".to_owned(), often)]) {
        let (verdict, _) = verify(&stream, Format::Auto, &lenient(Profile::Spec));
        let summary = verdict.expect("a valid stream");
        let records = stream.records();
        let number = |layer| records.iter().filter(|record| record.layer == layer).count() as u64;
        for record in records.iter().filter(|record| matches!(record.layer, Layer::Libxl | Layer::Libxc)) {
            let same =
                records.iter().filter(|other| (other.layer, other.kind) == (record.layer, record.kind));
            let counted = summary.records.get(record.layer, record.kind as u32);
            assert_eq!(counted, same.count() as u64, "{name}: {record:?}");
        }
        assert_eq!(summary.records.container(), number(Layer::Xenopsd), "{name}");
        assert_eq!(summary.records.total(), number(Layer::Libxl) + number(Layer::Libxc), "{name}");
        let (by_type, max_pfn) = memory(&stream);
        assert!(summary.pages.iter().map(|(_, n)| n).eq(by_type), "{name}");
        assert_eq!(summary.max_pfn, max_pfn, "{name}");
    }
}

/// The entries of all PAGE_DATA records by type, and the last pfn of the p2m.
fn memory(stream: &Stream) -> ([u64; 16], Option<u64>) {
    let bytes = stream.bytes();
    let order = stream.order(Part::libxc(PAGE_DATA));
    let u32_at = |at: u64| order.u32(*bytes[at as usize..].first_chunk().expect("a word"));
    let u64_at = |at: u64| order.u64(*bytes[at as usize..].first_chunk().expect("a word"));
    let mut by_type = [0; 16];
    let mut max_pfn = None;
    for record in stream.records().iter().filter(|record| record.layer == Layer::Libxc) {
        let body = record.body_offset;
        if record.kind == u64::from(PAGE_DATA) {
            for n in 0..u64::from(u32_at(body)) {
                by_type[(u64_at(body + 8 + 8 * n) >> 60) as usize] += 1;
            }
        } else if record.kind == u64::from(types::X86_PV_P2M_FRAMES) {
            max_pfn = Some(u64::from(u32_at(body + 4)));
        }
    }
    (by_type, max_pfn)
}

/// COLO is for HVM guests: where a PV guest's next libxc record has to be, CHECKPOINT_STATE is none of libxl's.
#[test]
fn behind_a_checkpoint_of_a_pv_guest_comes_libxc() {
    let end = Part::libxl(libxl::types::CHECKPOINT_END);
    for (machine, refused) in [(Machine::Hvm, None), (Machine::Pv64, Some(Rule::LibxcVcpuHeader))] {
        let stream = valid::checkpointed(machine, Kind::Remus, 1);
        let behind = stream.offset(stream.find(end) + 1);
        let stream = stream.after(end, xenstream_synth::libxl::checkpoint_state(0));
        let (verdict, _) = verify(&stream, Format::Auto, &Policy::spec());
        let found = verdict.err().map(|violation| (violation.rule, violation.offset));
        assert_eq!(found, refused.map(|rule| (rule, behind + 4)), "{machine:?}");
    }
}

#[test]
fn version_2_has_no_static_data() {
    let (verdict, _) = verify(&valid::pv64().as_version_2(), Format::Libxc, &Policy::hardened());
    assert_eq!(verdict.map(|summary| summary.libxc_version), Ok(Some(2)));
}

#[test]
fn offsets_are_those_of_the_bytes() {
    let stream = valid::hvm().in_libxl().with_device_model().in_xl();
    let bytes = stream.bytes();
    assert_eq!(stream.size(), bytes.len() as u64);
    for (index, item) in stream.items().iter().enumerate() {
        let start = stream.offset(index) as usize;
        assert_eq!(stream.offset(index + 1), stream.offset(index) + item.size());
        if let Some((_, kind)) = item.part().record() {
            assert_eq!(bytes[start..start + 4], (kind as u32).to_le_bytes(), "{item:?}");
        }
    }
}

#[test]
fn writers_write_the_same_bytes() {
    let pages: Vec<Page> = (0..16).map(Page::normal).collect();
    let tail = libxc::record(0x8000_0000, xenstream_synth::Body::new().zeros(3 * 4096));
    let stream = valid::hvm()
        .before(Part::libxc(PAGE_DATA), libxc::page_data(&pages))
        .edited(Part::libxc(PAGE_DATA), 4096, Field::U32(u32::MAX))
        .with(libxc::page_data(&pages))
        .with(tail);
    let bytes = stream.bytes();

    let mut plain = Vec::new();
    stream.write_to(&mut plain).expect("memory");
    assert!(plain == bytes);

    let mut sparse = Cursor::new(Vec::new());
    stream.write_sparse(&mut sparse).expect("memory");
    assert!(sparse.into_inner() == bytes);
}

#[test]
fn batches_are_as_full_as_savers_make_them() {
    let records: Vec<_> = libxc::batches(10..2060, Page::absent).collect();
    let counts: Vec<u64> = records.iter().map(|record| (record.length() - 8) / 8).collect();
    assert_eq!(counts, [1024, 1024, 2]);
}

#[test]
fn a_cut_stream_knows_the_record_that_is_torn() {
    let stream = minimal::hvm();
    let (pages, end) = (stream.find(Part::libxc(PAGE_DATA)), stream.size());
    let start = stream.offset(pages);
    let torn = |bytes| stream.clone().cut(bytes).torn_record().map(|record| (record.index, record.kind));
    assert_eq!(torn(20), None, "inside the image header");
    assert_eq!(torn(start), Some((1, None)), "in front of the record");
    assert_eq!(torn(start + 7), Some((1, None)), "inside the record's header");
    assert_eq!(torn(start + 8), Some((1, Some(u64::from(PAGE_DATA)))), "inside the record's body");
    assert_eq!(torn(end), None, "not at all");

    let cut = stream.clone().cut(start + 7);
    assert_eq!(cut.bytes(), stream.bytes()[..start as usize + 7]);
    assert_eq!((cut.size(), cut.records().len()), (start + 7, 1));
    let (mut plain, mut sparse) = (Vec::new(), Cursor::new(Vec::new()));
    cut.write_to(&mut plain).expect("memory");
    cut.write_sparse(&mut sparse).expect("memory");
    assert!(plain == cut.bytes() && sparse.into_inner() == plain);
}
