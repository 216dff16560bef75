//! Images of which a part was never written, and reads as zeros.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use xenstream::{Hint, Options, Policy, Profile, Report, Rule, Until, verify_fd};
use xenstream_core::wire::libxc::types::{HVM_CONTEXT, PAGE_DATA, X86_TSC_INFO};
use xenstream_synth::valid::{self, Machine};
use xenstream_synth::{Page, Part, Stream, libxc};

/// Bytes after the image that read as zeros, as where the file was made as long as it should be before it was written.
const TAIL: u64 = 46_301_184;

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("room");
    file.seek(SeekFrom::Start(0)).expect("a file");
    file
}

fn verify(file: &File, profile: Profile) -> Report {
    verify_fd(file, &Options::new(Policy::new(profile))).expect("a file that can be read")
}

fn image(machine: Machine) -> Stream {
    machine.libxl().in_xl()
}

#[track_caller]
fn lost(report: &Report) -> (u64, u64, Until) {
    match report.hint() {
        Some(Hint::Lost { offset, bytes, until }) => (offset, bytes, until),
        hint => panic!("{hint:?}, {:?}", report.violation()),
    }
}

#[test]
fn lost_end_is_reported_with_its_size() {
    for (machine, rule) in [
        (Machine::Hvm, Rule::LibxcHvmContextMissing),
        (Machine::Pvh, Rule::LibxcHvmContextMissing),
        (Machine::Pv64, Rule::LibxcVcpuBasicMissing),
    ] {
        let image = image(machine);
        let tail = image.offset(image.find(Part::libxc(X86_TSC_INFO)));
        let bytes = &image.bytes()[..tail as usize];
        let file = file_of(bytes);
        file.set_len(tail + TAIL).expect("room");
        for profile in [Profile::Restore, Profile::Hardened] {
            let report = verify(&file, profile);
            let violation = report.violation().expect("an image without registers");
            assert_eq!((violation.rule, violation.offset), (rule, tail), "{machine:?}");
            // Zeros at the end of what was written belong to them.
            let written = bytes.iter().rposition(|byte| *byte != 0).expect("bytes") as u64 + 1;
            assert_eq!(lost(&report), (written, tail + TAIL - written, Until::End), "{machine:?}");
            let hint = report.hint().expect("a hint").to_string();
            let start = format!("zeros from byte {written} to the end, 44.1 MiB: the end was lost");
            assert!(hint.starts_with(&start), "{hint}");
        }
    }
}

#[test]
fn hole_over_a_header_is_reported_with_its_extent() {
    let part = Part::libxc(X86_TSC_INFO);
    let pages: Vec<Page> = (0..4).map(|pfn| Page::normal(pfn).holding([0x5A; 4096])).collect();
    let image = image(Machine::Hvm).before(part, libxc::page_data(&pages));
    let image = image.before(part, libxc::page_data(&pages));
    let start = image.offset(image.find(part) - 1) - 4096;
    let file = file_of(&image.bytes());
    file.write_all_at(&[0; 8192], start).expect("room");
    for profile in [Profile::Restore, Profile::Hardened] {
        let report = verify(&file, profile);
        let violation = report.violation().expect("an image with a hole");
        assert_eq!((violation.rule, violation.offset), (Rule::LibxcHvmContextMissing, start + 4096));
        assert_eq!(lost(&report), (start, 8192, Until::Data));
        assert!(report.hint().expect("a hint").to_string().contains("zeros from byte"));
    }
}

#[test]
fn missing_record_is_no_hole() {
    let image = image(Machine::Hvm).without(Part::libxc(HVM_CONTEXT));
    let report = verify(&file_of(&image.bytes()), Profile::Restore);
    assert_eq!(report.violation().map(|violation| violation.rule), Some(Rule::LibxcHvmContextMissing));
    assert_eq!(report.hint(), None);
}

#[test]
fn zeros_in_pages_are_no_hole() {
    let memory = libxc::page_data(&[Page::normal(0), Page::normal(1)]);
    let guest = valid::hvm().before(Part::libxc(PAGE_DATA), memory);
    let report = verify(&file_of(&guest.in_libxl().in_xl().bytes()), Profile::Restore);
    assert!(report.hint().is_none(), "{:?}", report.violation());
}
