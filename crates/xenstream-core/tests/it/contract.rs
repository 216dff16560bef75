//! The contract of the public face, call by call.

use xenstream_core::wire::libxc::types;
use xenstream_core::wire::{Order, libxc, libxl};
use xenstream_core::{
    Follows, Format, Guest, Layer, Level, Limit, Observer, Pfns, Policy, Profile, Record, RecordRef, Rule,
    Rules, Value, Verifier, Violation,
};

/// A bare libxc stream under construction, in a given order.
struct Bytes(Vec<u8>, Order);

impl Bytes {
    fn headers(order: Order, version: u32, domain: u32) -> Bytes {
        let mut bytes = libxc::MARKER.to_be_bytes().to_vec();
        bytes.extend(libxc::ID.to_be_bytes());
        bytes.extend(version.to_be_bytes());
        bytes.extend([0, u8::from(order == Order::Big), 0, 0, 0, 0, 0, 0]);
        bytes.extend(order.put_u32(domain));
        bytes.extend(order.put_u16(libxc::PAGE_SHIFT));
        bytes.extend([0; 2]);
        bytes.extend(order.put_u32(4));
        bytes.extend(order.put_u32(17));
        Bytes(bytes, order)
    }

    fn record(mut self, kind: u32, body: &[u8]) -> Bytes {
        self.0.extend(self.1.put_u32(kind));
        self.0.extend(self.1.put_u32(body.len() as u32));
        self.0.extend(body);
        while !self.0.len().is_multiple_of(8) {
            self.0.push(0);
        }
        self
    }

    /// PAGE_DATA of these entries, with a page of noughts for each that has data.
    fn pages(self, entries: &[u64]) -> Bytes {
        let mut body = self.1.put_u32(entries.len() as u32).to_vec();
        body.extend([0; 4]);
        for entry in entries {
            body.extend(self.1.put_u64(*entry));
        }
        let pages = entries.iter().filter(|entry| libxc::page::has_data(**entry >> 60)).count();
        body.extend(vec![0; pages * 4096]);
        self.record(types::PAGE_DATA, &body)
    }
}

/// An HVM stream of version 2: one page, one absent page, TSC, END, no context.
fn hvm() -> Vec<u8> {
    Bytes::headers(Order::Little, 2, libxc::DOMAIN_X86_HVM)
        .pages(&[5, 0xF << 60 | 6])
        .record(types::X86_TSC_INFO, &[0; 24])
        .record(types::END, &[])
        .0
}

fn need(verifier: &Verifier) -> (u64, u64) {
    let need = verifier.need();
    (need.certain, need.skippable)
}

fn skip(verifier: &mut Verifier, bytes: u64) -> Result<(), (u64, u64)> {
    verifier.skip(bytes).map_err(|error| (error.asked, error.skippable))
}

/// Pushes bytes. Returns how many were consumed, and whether the stream ended.
fn pushed(verifier: &mut Verifier, bytes: &[u8]) -> (usize, bool) {
    let progress = verifier.push(bytes, &mut ()).unwrap();
    (progress.consumed, progress.ended)
}

#[test]
fn need_gives_certain_and_skippable_bytes() {
    let stream = hvm();
    let mut verifier = Verifier::new(Format::Libxc, &Policy::spec());
    let mut at = 0;
    let mut push = |verifier: &mut Verifier, n: usize| {
        let progress = verifier.push(&stream[at..at + n], &mut ()).unwrap();
        assert_eq!(progress.consumed, n);
        at += n;
        progress.ended
    };
    // The marker; then both headers, and a record header at least.
    assert_eq!(need(&verifier), (8, 0));
    assert!(!verifier.is_ended());
    push(&mut verifier, 8);
    assert_eq!(need(&verifier), (40, 0));
    push(&mut verifier, 3);
    assert_eq!(need(&verifier), (37, 0));
    push(&mut verifier, 29);
    assert_eq!((verifier.position(), need(&verifier)), (40, (8, 0)));
    // PAGE_DATA: its body, and the next record's header.
    push(&mut verifier, 8);
    assert_eq!(need(&verifier), (8 + 16 + 4096 + 8, 0));
    push(&mut verifier, 24);
    assert_eq!(need(&verifier), (4096 + 8, 4096));
    assert_eq!(skip(&mut verifier, 4097), Err((4097, 4096)));
    verifier.skip(4000).unwrap();
    assert_eq!(need(&verifier), (96 + 8, 96));
    verifier.skip(0).unwrap();
    verifier.skip(96).unwrap();
    assert_eq!(skip(&mut verifier, 1), Err((1, 0)));
    at += 4096;
    let mut push = |verifier: &mut Verifier, n: usize| {
        let progress = verifier.push(&stream[at..at + n], &mut ()).unwrap();
        at += n;
        progress.ended
    };
    // TSC_INFO: no check looks at what lies between the frequency and the reserved word.
    push(&mut verifier, 8 + 8);
    assert_eq!(need(&verifier), (16 + 8, 12));
    verifier.skip(12).unwrap();
    at_end(&mut verifier, &stream);
}

/// From TSC_INFO's reserved word on.
fn at_end(verifier: &mut Verifier, stream: &[u8]) {
    let rest = &stream[verifier.position() as usize..];
    assert_eq!(pushed(verifier, &[rest, b"somebody else's"].concat()), (rest.len(), true));
    assert!(verifier.is_ended());
    assert_eq!(need(verifier), (0, 0));
    // After the end nothing is taken, and nothing is wrong.
    assert_eq!(pushed(verifier, b"more"), (0, true));
    let summary = verifier.finish(&mut ()).unwrap();
    assert_eq!(summary.bytes, stream.len() as u64);
    assert_eq!(summary.format, Format::Libxc);
    assert_eq!(
        (summary.guest, summary.xen, summary.libxc_version),
        (Some(Guest::Hvm), Some((4, 17)), Some(2))
    );
    assert_eq!((summary.pages.normal(), summary.pages.absent(), summary.pages.bytes()), (1, 1, 4096));
    assert_eq!(summary.records.total(), 3);
    assert_eq!(summary.records.get(Layer::Libxc, types::PAGE_DATA), 1);
    let names: Vec<_> = summary.records.iter().map(|(_, name, n)| (name, n)).collect();
    assert_eq!(names, [("END", 1), ("PAGE_DATA", 1), ("X86_TSC_INFO", 1)]);
}

/// The record being read is known from its header on; between records it is the next one.
#[test]
fn current_record_is_available() {
    let stream = hvm();
    let mut verifier = Verifier::new(Format::Libxc, &Policy::spec());
    verifier.push(&stream[..39], &mut ()).unwrap();
    assert_eq!(verifier.record(), None);
    let record = |kind, index, offset| Some(RecordRef { layer: Layer::Libxc, index, kind, offset });
    verifier.push(&stream[39..44], &mut ()).unwrap();
    assert_eq!(verifier.record(), record(None, 0, 40));
    verifier.push(&stream[44..48], &mut ()).unwrap();
    assert_eq!(verifier.record(), record(Some(1), 0, 40));
    verifier.push(&stream[48..72 + 4096], &mut ()).unwrap();
    assert_eq!(verifier.record(), record(None, 1, 72 + 4096));
}

/// A stream has not ended before what its last record has a body for has passed, if such a body may be.
#[test]
fn end_comes_after_the_last_body() {
    let policy = Policy::spec().with_level(Rule::LibxcEndLength, Level::Allow).unwrap();
    let stream = Bytes::headers(Order::Little, 2, libxc::DOMAIN_X86_HVM)
        .pages(&[0xF << 60 | 6])
        .record(types::END, &[7; 8])
        .0;
    let (start, body) = stream.split_at(stream.len() - 8);
    let mut verifier = Verifier::new(Format::Libxc, &policy);
    assert_eq!(pushed(&mut verifier, start), (start.len(), false));
    assert!(!verifier.is_ended());
    assert_eq!(need(&verifier), (8, 8));
    verifier.skip(3).unwrap();
    assert_eq!(pushed(&mut verifier, &[&body[3..], b"more"].concat()), (5, true));
    assert!(verifier.is_ended());
    assert_eq!(need(&verifier), (0, 0));

    // Refused, it has not ended either.
    let mut verifier = Verifier::new(Format::Libxc, &Policy::spec());
    assert_eq!(verifier.push(&stream, &mut ()).unwrap_err().rule, Rule::LibxcEndLength);
    assert!(!verifier.is_ended());
    assert_eq!(need(&verifier), (0, 0));

    // Nor has one that is refused for what is after its end.
    let policy = Policy::spec().with_level(Rule::StreamTrailingData, Level::Deny).unwrap();
    let mut verifier = Verifier::new(Format::Libxc, &policy);
    verifier.push(&hvm(), &mut ()).unwrap();
    assert!(verifier.is_ended());
    verifier.trailing_data(Follows::Data, &mut ()).unwrap_err();
    assert!(!verifier.is_ended());
}

#[test]
fn a_verdict_is_final() {
    let mut stream = hvm();
    stream[12..16].copy_from_slice(&4u32.to_be_bytes());
    let mut verifier = Verifier::new(Format::Auto, &Policy::spec());
    let violation = verifier.push(&stream, &mut ()).unwrap_err();
    assert_eq!(
        (violation.rule, violation.offset, violation.found),
        (Rule::LibxcVersion, 12, Value::Number(4))
    );
    assert_eq!(verifier.push(&hvm(), &mut ()), Err(violation));
    assert_eq!(verifier.push(&[], &mut ()), Err(violation));
    assert_eq!(verifier.finish(&mut ()), Err(violation));
    assert_eq!(verifier.trailing_data(Follows::Data, &mut ()), Err(violation));
    assert_eq!(need(&verifier), (0, 0));
    assert!(verifier.skip(1).is_err());
    assert!(!verifier.is_ended());
}

#[test]
fn trailing_data_goes_by_its_level() {
    let stream = hvm();
    for (profile, expected) in [(Profile::Spec, 1), (Profile::Restore, 0)] {
        let mut reported = Reported::default();
        // Under restore the missing context refuses; here only what lies after the end counts.
        let policy = Policy::new(profile).with_level(Rule::LibxcHvmContextMissing, Level::Allow).unwrap();
        let policy = policy.with_level(Rule::LibxcMemoryGap, Level::Allow).unwrap();
        let mut verifier = Verifier::new(Format::Libxc, &policy);
        verifier.push(&stream, &mut ()).unwrap();
        verifier.trailing_data(Follows::Data, &mut reported).unwrap();
        assert_eq!(reported.warnings.len(), expected);
    }
    let policy = Policy::spec().with_level(Rule::StreamTrailingData, Level::Deny).unwrap();
    let mut verifier = Verifier::new(Format::Libxc, &policy);
    verifier.push(&stream, &mut ()).unwrap();
    let violation = verifier.trailing_data(Follows::Data, &mut ()).unwrap_err();
    assert_eq!((violation.rule, violation.offset), (Rule::StreamTrailingData, stream.len() as u64));
    assert_eq!(violation.record, None);
}

#[derive(Default)]
struct Reported {
    warnings: Vec<Violation>,
    findings: Vec<Violation>,
    pfns: Vec<(u64, u64)>,
    body: Vec<u8>,
    wanted: Option<u64>,
}

impl Observer for Reported {
    fn wants_body(&mut self, record: &Record) -> bool {
        self.wanted == Some(record.kind)
    }
    fn on_body(&mut self, _: u64, bytes: &[u8]) {
        self.body.extend(bytes);
    }
    fn on_pfns(&mut self, entries: Pfns<'_>) {
        self.pfns.extend(entries.iter().map(|entry| (entry.pfn(), entry.page_type().bits())));
    }
    fn on_warning(&mut self, warning: &Violation) {
        self.warnings.push(*warning);
    }
    fn on_finding(&mut self, finding: &Violation) {
        self.findings.push(*finding);
    }
}

#[test]
fn wanted_bodies_are_complete_and_not_skippable() {
    let mut tsc = [0; 24];
    tsc.iter_mut().zip(0..).take(20).for_each(|(byte, n)| *byte = n);
    tsc[..4].copy_from_slice(&[1, 0, 0, 0]);
    let stream = Bytes::headers(Order::Little, 2, libxc::DOMAIN_X86_HVM)
        .pages(&[7])
        .record(types::X86_TSC_INFO, &tsc)
        .record(types::END, &[])
        .0;
    for size in [1, 5, stream.len()] {
        let mut reported = Reported { wanted: Some(u64::from(types::X86_TSC_INFO)), ..Reported::default() };
        let mut verifier = Verifier::new(Format::Libxc, &Policy::spec());
        let mut skippable = Vec::new();
        for piece in stream.chunks(size) {
            verifier.push(piece, &mut reported).unwrap();
            if verifier.position() > stream.len() as u64 - 32 {
                skippable.push(verifier.need().skippable);
            }
        }
        verifier.finish(&mut ()).unwrap();
        assert_eq!(reported.body, tsc);
        assert_eq!(reported.pfns, [(7, 0)]);
        assert!(skippable.iter().all(|n| *n == 0), "{skippable:?}");
    }
}

#[test]
fn big_endian_records_tell_the_same() {
    let entries = [0, 0xF << 60 | 1, 0xD << 60 | 2, 3];
    for order in [Order::Little, Order::Big] {
        let stream = Bytes::headers(order, 3, libxc::DOMAIN_X86_HVM)
            .record(types::STATIC_DATA_END, &[])
            .pages(&entries)
            .record(types::END, &[])
            .0;
        let mut reported = Reported::default();
        let mut verifier = Verifier::new(Format::Auto, &Policy::spec());
        verifier.push(&stream, &mut reported).unwrap();
        let summary = verifier.finish(&mut ()).unwrap();
        assert_eq!(summary.order, order);
        assert_eq!(reported.pfns, [(0, 0), (1, 15), (2, 13), (3, 0)]);
        assert_eq!((summary.pages.normal(), summary.pages.absent(), summary.pages.broken()), (2, 1, 1));
        let rules: Vec<_> = reported.warnings.iter().map(|warning| (warning.rule, warning.offset)).collect();
        let end = stream.len() as u64 - 8;
        let missing = [Rule::LibxcHvmContextMissing, Rule::LibxcHvmParamsStore, Rule::LibxcHvmParamsConsole];
        let [context, store, console] = missing.map(|rule| (rule, end));
        let expected = [(Rule::LibxcBigEndian, 16), context, store, console];
        assert_eq!(rules, expected[usize::from(order == Order::Little)..]);
    }
}

#[test]
fn keep_going_reports_all_and_first_is_the_verdict() {
    let mut stream = hvm();
    let tsc = stream.len() - 8 - 32;
    stream[20] = 1; // a reserved word of the image header
    stream[tsc + 8 + 20] = 9; // TSC_INFO's reserved word
    let policy = Policy::spec().with_keep_going(true);
    let mut reported = Reported::default();
    let mut verifier = Verifier::new(Format::Libxc, &policy);
    verifier.push(&stream, &mut reported).unwrap();
    assert!(verifier.is_ended());
    let violation = verifier.finish(&mut reported).unwrap_err();
    let found: Vec<_> = reported.findings.iter().map(|finding| (finding.rule, finding.offset)).collect();
    let expected = [(Rule::LibxcHeaderReserved, 20), (Rule::LibxcTscInfoReserved, tsc as u64 + 8 + 20)];
    assert_eq!(found, expected);
    assert_eq!(violation, reported.findings[0]);

    // A structural finding ends it, and the first finding stays the verdict.
    stream.truncate(tsc + 8 + 24);
    let mut reported = Reported::default();
    let mut verifier = Verifier::new(Format::Libxc, &policy);
    verifier.push(&stream, &mut reported).unwrap();
    let violation = verifier.finish(&mut reported).unwrap_err();
    assert_eq!(violation.rule, Rule::LibxcHeaderReserved);
    assert_eq!(reported.findings.last().unwrap().rule, Rule::StreamTruncated);
    assert_eq!(verifier.finish(&mut ()), Err(violation));
}

#[test]
fn limits_and_levels_are_set_by_name() {
    let set = |policy: Policy, name: &str, level| policy.with_level(name.parse::<Rules>().unwrap(), level);
    let policy = set(Policy::hardened(), "libxc::padding", Level::Warn).unwrap();
    assert_eq!(policy.level(Rule::LibxcPadding), Level::Warn);
    let policy = set(policy, "xl::*", Level::Allow).unwrap();
    assert_eq!(policy.level(Rule::XlConfigMissing), Level::Allow);
    // Of a layer, structural rules stay.
    assert_eq!(policy.level(Rule::XlByteorder), Level::Deny);
    let refused = set(policy.clone(), "xl::byteorder", Level::Warn).unwrap_err();
    assert_eq!(refused.rule, Rule::XlByteorder);
    assert!(set(policy, "xl::byteorder", Level::Deny).is_ok());
    for unknown in ["xl", "xl::", "xl::none", "none::*", "*", ""] {
        assert!(unknown.parse::<Rules>().is_err(), "{unknown}");
    }
    assert_eq!("hvm-pfn".parse(), Ok(Limit::HvmPfn));
    assert!("hvm".parse::<Limit>().is_err());
    assert_eq!(Policy::hardened().limit(Limit::HvmPfn), 1 << 28);
    for limit in Limit::all() {
        assert_eq!(limit.name().parse(), Ok(limit));
        assert_eq!(Policy::spec().with_limit(limit, 77).limit(limit), 77);
    }
}

#[test]
fn a_limit_can_be_set_under_way() {
    let stream = hvm();
    let mut verifier = Verifier::new(Format::Libxc, &Policy::spec());
    verifier.push(&stream[..48], &mut ()).unwrap();
    verifier.set_limit(Limit::HvmPfn, 5);
    assert_eq!(verifier.policy().limit(Limit::HvmPfn), 5);
    let violation = verifier.push(&stream[48..], &mut ()).unwrap_err();
    assert_eq!((violation.rule, violation.offset), (Rule::LibxcPageDataPfnLimit, 56));
    assert_eq!(violation.found, Value::Number(5));
    // A limit of 0 lets nothing pass, the highest one everything.
    for (limit, accepted) in [(0, false), (5, false), (6, true), (u64::MAX, true)] {
        let policy = Policy::spec().with_limit(Limit::HvmPfn, limit);
        let mut verifier = Verifier::new(Format::Libxc, &policy);
        assert_eq!(verifier.push(&stream, &mut ()).is_ok(), accepted, "{limit}");
    }
}

#[test]
fn a_violation_reads_as_a_line() {
    let mut stream = hvm();
    let end = stream.len() - 8;
    stream[end] = 0x0F;
    let mut verifier = Verifier::new(Format::Libxc, &Policy::spec());
    let violation = verifier.push(&stream, &mut ()).unwrap_err();
    let line = violation.to_string();
    let place = format!("libxc::dirty-pfn-list at offset {end} ({end:#x}), libxc record 2 ");
    assert!(line.starts_with(&place), "{line}");
    assert!(line.contains(&format!("(CHECKPOINT_DIRTY_PFN_LIST at {end}): ")), "{line}");
    assert!(!line.ends_with('.') && !line.contains('{') && !line.contains('\n'), "{line}");

    stream[end] = 0x77;
    let mut verifier = Verifier::new(Format::Libxc, &Policy::spec());
    let line = verifier.push(&stream, &mut ()).unwrap_err().to_string();
    assert!(line.contains(&format!("(0x77 at {end})")), "{line}");

    // A torn header has no type yet.
    let mut verifier = Verifier::new(Format::Libxc, &Policy::spec());
    verifier.push(&stream[..end + 3], &mut ()).unwrap();
    let violation = verifier.finish(&mut ()).unwrap_err();
    assert_eq!(violation.record.unwrap().kind, None);
    let place = format!("stream::truncated at offset {0} ({0:#x}), libxc record 2 (at {end}): ", end + 3);
    assert!(violation.to_string().starts_with(&place), "{violation}");
}

#[test]
fn the_first_bytes_tell_the_format() {
    for (bytes, format) in [
        (&[0xFF; 8][..], Format::Libxc),
        (&libxl::IDENT, Format::Libxl),
        (b"Xen saved domain, xl format\n \0 \r", Format::Xl),
        (b"libvirt-xml\n \0 \r", Format::Libvirt),
        (b"XenSavedDomv2-\n", Format::Xenopsd),
    ] {
        let mut verifier = Verifier::new(Format::Auto, &Policy::spec());
        assert_eq!(verifier.format(), Format::Auto);
        verifier.push(bytes, &mut ()).unwrap();
        assert_eq!(verifier.format(), format);
        assert_eq!(verifier.finish(&mut ()).unwrap_err().rule, Rule::StreamTruncated);

        // With one byte fewer no format is known, unless the caller knows it.
        let torn = &bytes[..bytes.len() - 1];
        for (reported, rule, offset) in
            [(Format::Auto, Rule::StreamUnrecognised, 0), (format, Rule::StreamTruncated, torn.len() as u64)]
        {
            let mut verifier = Verifier::new(reported, &Policy::spec());
            verifier.push(torn, &mut ()).unwrap();
            let violation = verifier.finish(&mut ()).unwrap_err();
            assert_eq!((violation.rule, violation.offset), (rule, offset), "{reported}");
        }
    }
}

#[test]
fn zeros_after_the_end_have_a_rule_of_their_own() {
    let stream = hvm();
    let policy = Policy::spec().with_level(Rule::StreamTrailingZeros, Level::Deny).unwrap();
    let policy = policy.with_level(Rule::StreamTrailingData, Level::Deny).unwrap();
    let after = |bytes: &[u8]| {
        let mut verifier = Verifier::new(Format::Libxc, &policy);
        verifier.push(&stream, &mut ()).unwrap();
        let violation = verifier.trailing_data(Follows::of(bytes), &mut ()).unwrap_err();
        (violation.rule, violation.found)
    };
    assert_eq!(after(&[0; 4096]), (Rule::StreamTrailingZeros, Value::None));
    assert_eq!(after(&stream), (Rule::StreamTrailingData, Value::Format(Format::Libxc)));
    assert_eq!(after(b"more"), (Rule::StreamTrailingData, Value::None));
    assert_eq!(Follows::of(&[0; 8]).and(&[0; 8]), Follows::Zeros);
    assert_eq!(Follows::of(&[0; 8]).and(b"\0x"), Follows::Data);
    assert_eq!(Follows::of(&stream).and(b"more"), Follows::Image(Format::Libxc));
}
