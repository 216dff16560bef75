//! What cannot be judged is neither valid nor invalid, under every profile and however it is read.

use std::path::Path;

use serde_json::Value;
use xenstream::scrub::{Output, Scrub, scrub};
use xenstream::wire::{libvirt, xl};
use xenstream::{Input, Options, Policy, Profile, Rule, Verdict, json, relay_with, verify_slice};
use xenstream_synth::cases::{self, Case};
use xenstream_synth::{Field, Part, Stream, minimal};

/// Every stream that is unjudged and nothing else.
fn unjudged() -> Vec<Case> {
    cases::all().into_iter().filter(|case| case.rule.is_unjudged()).collect()
}

fn options(case: &Case, profile: Profile) -> Options {
    Options::new(Policy::new(profile)).with_format(case.format)
}

#[test]
fn verdict_is_unjudged_in_every_profile() {
    assert!(unjudged().len() >= 6);
    for case in unjudged() {
        for profile in Profile::all() {
            let report = verify_slice(&case.stream, &options(&case, profile)).unwrap();
            let Verdict::Unjudged(violation) = report.verdict else { panic!("{}: {report:?}", case.name()) };
            assert_eq!((violation.rule, violation.offset), (case.rule, case.offset), "{}", case.name());
            assert_eq!(report.verified_bytes(), Some(case.offset), "{}", case.name());
        }
    }
}

#[test]
fn json_names_the_verdict_and_the_place() {
    for case in unjudged() {
        let report = verify_slice(&case.stream, &options(&case, Profile::Restore));
        let line = json::Line::new(Path::new("-"), &report, Profile::Restore);
        let object: Value = serde_json::to_value(line).unwrap();
        assert_eq!(object["verdict"], "unjudged");
        assert_eq!(object["verified_bytes"], case.offset);
        assert_eq!(object["violation"]["rule"], case.rule.name());
    }
}

#[test]
fn relay_passes_nothing_that_cannot_be_judged() {
    for case in unjudged() {
        let mut passed = Vec::new();
        let relayed = relay_with(&case.stream[..], &mut passed, &options(&case, Profile::Hardened));
        assert!(matches!(relayed.result.unwrap().verdict, Verdict::Unjudged(_)), "{}", case.name());
        assert!(passed.len() as u64 <= case.offset + 8, "{}", case.name());
        assert!(passed.len() < case.stream.len(), "{}", case.name());
    }
}

#[test]
fn scrub_writes_no_unjudged_stream_by_default() {
    for case in unjudged() {
        let mut out = Vec::new();
        let options = options(&case, Profile::Restore);
        let scrubbed =
            scrub(Input::Slice(&case.stream), Output::Writer(&mut out), &options, Scrub::MEMORY).unwrap();
        assert_eq!(scrubbed.bytes, None, "{}", case.name());
        assert!(!scrubbed.report.is_valid());
    }
}

/// The verdict on a stream in the format that it is in.
fn verdict(stream: &Stream) -> Verdict {
    let options = Options::new(Policy::restore()).with_format(stream.format());
    verify_slice(&stream.bytes(), &options).unwrap().verdict
}

fn message(stream: &Stream) -> (Rule, u64, String) {
    match verdict(stream) {
        Verdict::Valid => panic!("valid"),
        Verdict::Invalid(violation) | Verdict::Unjudged(violation) => {
            (violation.rule, violation.offset, violation.message().to_string())
        }
    }
}

fn pfns() -> Field {
    Field::Bytes(0x1F000_u64.to_le_bytes().to_vec())
}

#[test]
fn headers_that_announce_legacy_name_the_field() {
    let libxl = minimal::hvm().in_libxl();
    let xl = libxl.clone().in_xl().edited(Part::Xl, xl::at::MANDATORY_FLAGS, Field::U32(xl::FLAG_JSON));
    let (rule, offset, message_of_xl) = message(&xl);
    assert_eq!((rule, offset), (Rule::XlStreamFlag, xl::at::MANDATORY_FLAGS));
    assert!(message_of_xl.contains("set bit 1"), "{message_of_xl}");

    let libvirt = libxl.in_libvirt().edited(Part::Libvirt, libvirt::at::VERSION, Field::U32(1));
    let (rule, offset, message) = message(&libvirt);
    assert_eq!((rule, offset), (Rule::LibvirtVersionPayload, libvirt::at::VERSION));
    assert!(message.contains("set version to 2") && message.contains("libvirt before 1.3.5"), "{message}");
}

#[test]
fn legacy_bytes_after_a_v2_header_are_named() {
    let stream = minimal::hvm().in_libxl().in_xl().edited(Part::Libxl, 0, pfns());
    let (rule, _, text) = message(&stream);
    assert_eq!(rule, Rule::LibxlIdent);
    assert!(text.contains("legacy image"), "{text}");
    // Other bytes are not.
    let stream = minimal::hvm().in_libxl().in_xl().edited(Part::Libxl, 0, Field::U64(u64::MAX));
    let (rule, _, text) = message(&stream);
    assert_eq!(rule, Rule::LibxlIdent);
    assert!(!text.contains("legacy"), "{text}");
}

#[test]
fn messages_name_the_converter() {
    for case in unjudged().iter().filter(|case| case.rule == Rule::StreamLegacy) {
        let report = verify_slice(&case.stream, &options(case, Profile::Restore)).unwrap();
        let text = report.violation().unwrap().message().to_string();
        assert!(text.contains("convert-legacy-stream"), "{text}");
    }
}

#[test]
fn bare_stream_without_marker_is_invalid() {
    for first in [[0; 8], *b"no image", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE]] {
        let stream = minimal::hvm().edited(Part::Image, 0, Field::Bytes(first.to_vec()));
        let Verdict::Invalid(violation) = verdict(&stream) else { panic!("{first:?}") };
        assert_eq!((violation.rule, violation.offset), (Rule::LibxcMarker, 0));
    }
    let stream = minimal::hvm().edited(Part::Image, 0, pfns());
    assert!(matches!(verdict(&stream), Verdict::Unjudged(_)));
}
