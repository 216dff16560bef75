//! How far the verifier knows that the stream goes on: to the end of the record whose header has passed, and over what
//! must follow it. Who reads from a pipe asks for no more, and would wait for ever if it were too much.

use xenstream_core::wire::{RECORD_HEADER, libvirt, libxc, libxl, xenopsd, xl};
use xenstream_core::{Format, Layer, Level, Policy, Rule, Verifier};
use xenstream_synth::valid::{self, Kind, Machine};
use xenstream_synth::{Body, Item, Part, Stream, container, libxl as records, minimal};

/// After which byte it is known how far the stream goes on, and how far.
type Horizons = Vec<(u64, u64)>;

const LIBXC_HEADERS: u64 = libxc::IMAGE_HEADER + libxc::DOMAIN_HEADER;

#[test]
fn need_is_exact_for_bare_and_libxl_streams() {
    for stream in [minimal::hvm(), minimal::pv32(), minimal::pv64()] {
        // Which of the formats with eight ones in front it is does not change it.
        let head = vec![(0, 8), (8, LIBXC_HEADERS + RECORD_HEADER)];
        assert_horizons(&stream, head);
    }
    let checkpointed = valid::checkpointed(Machine::Hvm, Kind::Colo, 2);
    for stream in [minimal::hvm().in_libxl().with_device_model(), checkpointed] {
        assert_horizons(&stream, vec![(0, 8), (8, libxl::HEADER + RECORD_HEADER)]);
    }
}

#[test]
fn no_more_and_no_less_is_known_of_containers() {
    let libxl = minimal::hvm().in_libxl();
    let stream = libxl.clone().in_xl();
    let inner = stream.offset(stream.find(Part::Libxl));
    let head = vec![
        (0, 8),
        (8, xl::MAGIC.len() as u64),
        (xl::MAGIC.len() as u64, xl::HEADER + libxl::HEADER),
        (xl::HEADER, inner + libxl::HEADER),
        (inner, inner + libxl::HEADER + RECORD_HEADER),
    ];
    assert_horizons(&stream, head);

    let stream = libxl.in_libvirt();
    let inner = stream.offset(stream.find(Part::Libxl));
    let head = vec![
        (0, 8),
        (8, libvirt::MAGIC.len() as u64),
        (libvirt::MAGIC.len() as u64, libvirt::HEADER + libxl::HEADER),
        // Version, then the length of the XML.
        (libvirt::at::XML_LEN + 4, inner + libxl::HEADER),
        (inner, inner + libxl::HEADER + RECORD_HEADER),
    ];
    assert_horizons(&stream, head);

    let signature = xenopsd::SIGNATURE.len() as u64;
    let head = vec![(0, 8), (8, signature), (signature, signature + xenopsd::HEADER)];
    assert_horizons(&minimal::hvm().in_xenopsd(), head);
}

/// Whose rule about its length was lowered has a body, and after it comes what comes after it otherwise.
#[test]
fn need_is_the_same_after_wrong_bodies() {
    let body = || Body::new().zeros(8);
    let in_xenopsd = minimal::hvm().in_xenopsd();
    let libxl = minimal::hvm().in_libxl();
    for (stream, part, with_body, rule, tail) in [
        (
            &libxl,
            Part::libxl(libxl::types::END),
            records::record(libxl::types::END, body()),
            Rule::LibxlEndLength,
            0,
        ),
        (
            &libxl,
            Part::libxl(libxl::types::LIBXC_CONTEXT),
            records::record(libxl::types::LIBXC_CONTEXT, body()),
            Rule::LibxlLibxcContextLength,
            LIBXC_HEADERS,
        ),
        (
            &in_xenopsd,
            Part::xenopsd(xenopsd::types::LIBXC),
            container::xenopsd_record(xenopsd::types::LIBXC, body()),
            Rule::XenopsdLength,
            // The libxc stream has begun, and a record follows its headers.
            LIBXC_HEADERS + RECORD_HEADER,
        ),
        (
            &in_xenopsd,
            Part::xenopsd(xenopsd::types::END_OF_IMAGE),
            container::xenopsd_record(xenopsd::types::END_OF_IMAGE, body()),
            Rule::XenopsdLength,
            0,
        ),
    ] {
        let policy = Policy::spec().with_level(rule, Level::Allow).expect("no structural rule");
        let stream = stream.clone().replaced(part, with_body);
        let start = stream.offset(stream.find(part));
        // xenopsd does not look at the length of a record that should have no body.
        let (header, body) =
            if rule == Rule::XenopsdLength { (xenopsd::HEADER, 0) } else { (RECORD_HEADER, 8) };
        let mut verifier = Verifier::new(stream.format(), &policy);
        let bytes = stream.bytes();
        verifier.push(&bytes[..(start + header) as usize], &mut ()).expect("a valid beginning");
        assert_eq!(verifier.need().certain, body + tail, "{part:?}");
    }
}

#[track_caller]
fn assert_horizons(stream: &Stream, head: Horizons) {
    let expected = [head, behind_the_head(stream)].concat();
    assert_eq!(found(stream), expected, "{:?}", stream.items().iter().map(Item::part).collect::<Vec<_>>());
}

/// Each record's header tells how long it is, and its type what comes at least after it.
fn behind_the_head(stream: &Stream) -> Horizons {
    let records = stream.records();
    let of_streams = records.iter().filter(|record| record.layer != Layer::Hvm);
    let known = of_streams.map(|record| {
        let tail = match (record.layer, record.kind as u32) {
            (Layer::Libxl, libxl::types::END) => 0,
            // What these announce is a libxc stream, of a record at least.
            (Layer::Libxl, libxl::types::LIBXC_CONTEXT) => LIBXC_HEADERS + RECORD_HEADER,
            (Layer::Libxc, libxc::types::END) => match stream.format() {
                Format::Libxc => 0,
                Format::Xenopsd => xenopsd::HEADER,
                _ => RECORD_HEADER,
            },
            (Layer::Xenopsd, _) => match record.kind {
                xenopsd::types::LIBXC => LIBXC_HEADERS + RECORD_HEADER,
                xenopsd::types::END_OF_IMAGE => 0,
                _ => xenopsd::HEADER,
            },
            _ => RECORD_HEADER,
        };
        let length = match record.layer {
            Layer::Xenopsd => record.body_length,
            _ => record.body_length.next_multiple_of(8),
        };
        (record.body_offset, record.body_offset + length + tail)
    });
    // The image and domain headers tell nothing new: a record's header was known to follow.
    let mut horizons = Horizons::new();
    for (at, horizon) in known {
        if horizons.last().is_none_or(|(_, last)| *last < horizon) {
            horizons.push((at, horizon));
        }
    }
    horizons
}

/// What the verifier says after each byte, where that changes.
fn found(stream: &Stream) -> Horizons {
    let mut verifier = Verifier::new(Format::Auto, &Policy::spec());
    let mut horizons = vec![(0, verifier.need().certain)];
    for (at, byte) in (1..).zip(stream.bytes()) {
        verifier.push(&[byte], &mut ()).expect("a valid stream");
        let horizon = at + verifier.need().certain;
        if horizons.last().is_none_or(|(_, last)| *last != horizon) {
            horizons.push((at, horizon));
        }
    }
    horizons
}
