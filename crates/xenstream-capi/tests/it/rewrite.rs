//! Conversions, extractions and comparisons, as a C program asks for them.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "to call as C does, rightly or wrongly, is what is tested"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr::{null, null_mut};

use xenstream_c::*;
use xenstream_core::wire::hvm::types::LAPIC;
use xenstream_core::wire::libxc::types::{HVM_CONTEXT, X86_TSC_INFO};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::{Page, Part, libxc, minimal, valid};

/// A guest whose local APIC is 32 bytes long, which releases before 4.18.5 refuse.
fn newer(pending_esr: u64) -> Vec<u8> {
    let lapic = Entry::new(LAPIC, 0, vec![0; 32]).with("pending_esr", pending_esr);
    minimal::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&Chain::around([lapic]))).bytes()
}

/// A policy for a release.
fn policy(target: &CStr) -> xs_policy {
    let mut policy = MaybeUninit::uninit();
    unsafe {
        assert_eq!(xs_policy_init(policy.as_mut_ptr(), XS_PROFILE_RESTORE), xs_status::Ok);
        assert_eq!(xs_policy_set_target(policy.as_mut_ptr(), target.as_ptr()), xs_status::Ok);
        policy.assume_init()
    }
}

fn conversion() -> xs_conversion {
    xs_conversion {
        flags: 0,
        container: XS_FORMAT_AUTO,
        checkpoint: 0,
        config: null(),
        config_length: 0,
        lossy: null(),
        on_change: None,
        context: null_mut(),
    }
}

unsafe extern "C" fn note(context: *mut c_void, change: *const xs_change) {
    let text = |text: *const c_char| match text.is_null() {
        true => "-".to_owned(),
        false => unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned(),
    };
    let xs_change { place, field, before, after, loss, .. } = unsafe { &*change };
    let lines = unsafe { &mut *context.cast::<Vec<String>>() };
    lines.push([place, field, before, after, loss].map(|part| text(*part)).join(" "));
}

/// Converts bytes in a file. Returns the status, what was told, the message, and the output.
fn convert(
    bytes: &[u8],
    target: &CStr,
    mut what: xs_conversion,
) -> (xs_status, Vec<String>, String, Option<Vec<u8>>) {
    let directory = tempfile::tempdir().unwrap();
    let (input, out) = (directory.path().join("in"), directory.path().join("out"));
    fs::write(&input, bytes).unwrap();
    let file = File::open(&input).unwrap();
    let path = CString::new(out.to_str().unwrap()).unwrap();
    let mut lines: Vec<String> = Vec::new();
    what.on_change = Some(note);
    what.context = (&raw mut lines).cast();
    let mut report = MaybeUninit::<xs_report>::zeroed();
    let policy = policy(target);
    let status = unsafe {
        xs_convert_fd(file.as_raw_fd(), path.as_ptr(), XS_FORMAT_AUTO, &policy, &what, report.as_mut_ptr())
    };
    let report = unsafe { report.assume_init() };
    let message = unsafe { CStr::from_ptr(report.message.as_ptr()) }.to_str().unwrap().to_owned();
    let out = fs::read(out).ok();
    assert_eq!(report.bytes_written, out.as_ref().map_or(0, |out| out.len() as u64));
    (status, lines, message, out)
}

#[test]
fn a_stream_is_converted_for_a_release() {
    let (status, lines, _, out) = convert(&newer(0), c"4.17.0", conversion());
    assert_eq!(status, xs_status::Ok);
    assert_eq!(lines, ["HVM_CONTEXT, LAPIC of vcpu 0 length 32 24 -"]);
    assert_eq!(out.unwrap().len(), newer(0).len() - 8);
}

#[test]
fn what_is_lost_is_asked_for_by_name() {
    let (status, lines, message, out) = convert(&newer(0x20), c"4.17.0", conversion());
    assert_eq!((status, out), (xs_status::Invalid, None));
    assert_eq!(lines, ["HVM_CONTEXT, LAPIC of vcpu 0 - - - pending-esr"]);
    assert!(message.starts_with("HVM_CONTEXT, LAPIC of vcpu 0: "), "{message}");
    let allowed = xs_conversion { lossy: c"pending-esr,tpm".as_ptr(), ..conversion() };
    let (status, lines, _, out) = convert(&newer(0x20), c"4.17.0", allowed);
    assert_eq!((status, out.is_some()), (xs_status::Ok, true));
    assert_eq!(lines, ["HVM_CONTEXT, LAPIC of vcpu 0 length 32 24 pending-esr"]);
}

#[test]
fn wrong_conversions_are_refused() {
    for (what, status) in [
        (xs_conversion { flags: 1 << 20, ..conversion() }, xs_status::ErrorArgument),
        (xs_conversion { container: 9, ..conversion() }, xs_status::ErrorArgument),
        (xs_conversion { lossy: c"everything".as_ptr(), ..conversion() }, xs_status::ErrorName),
        (xs_conversion { config_length: 1, ..conversion() }, xs_status::ErrorNull),
        (xs_conversion { container: XS_FORMAT_XL, ..conversion() }, xs_status::Invalid),
    ] {
        assert_eq!(convert(&newer(0), c"4.17.0", what).0, status);
    }
}

#[test]
fn memory_is_extracted_to_a_new_file() {
    let directory = tempfile::tempdir().unwrap();
    let (input, out) = (directory.path().join("in"), directory.path().join("out"));
    fs::write(&input, valid::hvm().bytes()).unwrap();
    let file = File::open(&input).unwrap();
    let path = CString::new(out.to_str().unwrap()).unwrap();
    let extract = |format: c_int, first: u64, last: u64| unsafe {
        xs_extract_fd(file.as_raw_fd(), path.as_ptr(), format, first, last, 0, null(), null_mut())
    };
    assert_eq!(extract(XS_MEMORY_RAW, 1, 0), xs_status::ErrorArgument);
    assert_eq!(extract(3, 0, u64::MAX), xs_status::ErrorArgument);
    assert!(!out.exists());
    assert_eq!(extract(XS_MEMORY_RAW, 0, u64::MAX), xs_status::Ok);
    assert_eq!(fs::read(&out).unwrap(), [0; 4096]);
    assert_eq!(extract(XS_MEMORY_ELF, 0, u64::MAX), xs_status::ErrorOutput);
    fs::remove_file(&out).unwrap();
    assert_eq!(extract(XS_MEMORY_ELF, 0, 0), xs_status::Ok);
    assert!(fs::read(&out).unwrap().starts_with(b"\x7FELF"));
}

unsafe extern "C" fn list(context: *mut c_void, difference: *const xs_difference) {
    let text = |text: *const c_char| match text.is_null() {
        true => "-".to_owned(),
        false => unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned(),
    };
    let xs_difference { layer, place, field, a, b, first_pfn, last_pfn, .. } = unsafe { &*difference };
    let [layer, place, field, a, b] = [layer, place, field, a, b].map(|part| text(*part));
    let lines = unsafe { &mut *context.cast::<Vec<String>>() };
    lines.push(format!("{layer} {place} {field} {a} {b} {first_pfn}-{last_pfn}"));
}

/// Compares bytes in files. Returns the status, what is told, and the number of differences.
fn compare(a: &[u8], b: &[u8]) -> (xs_status, Vec<String>, u64) {
    let directory = tempfile::tempdir().unwrap();
    let [a, b] = [("a", a), ("b", b)].map(|(name, bytes)| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        File::open(path).unwrap()
    });
    let (mut lines, mut count) = (Vec::<String>::new(), u64::MAX);
    let status = unsafe {
        let context = (&raw mut lines).cast();
        let (a, b) = (a.as_raw_fd(), b.as_raw_fd());
        xs_diff_fd(a, b, XS_FORMAT_AUTO, null(), Some(list), context, &mut count, null_mut())
    };
    (status, lines, count)
}

#[test]
fn differences_are_told_one_by_one() {
    let guest = |rip: u64, page: Page| {
        let chain = Chain::around([Entry::reset(2, 0).with("rip", rip)]);
        let tsc = Part::libxc(X86_TSC_INFO);
        let guest = valid::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&chain));
        guest.before(tsc, libxc::page_data(&[page])).bytes()
    };
    let one = guest(0x1000, Page::normal(7).holding(b"one"));
    assert_eq!(compare(&one, &one), (xs_status::Ok, vec![], 0));
    let other = guest(0x2000, Page::normal(7).holding(b"two"));
    let expected = ["hvm CPU of vcpu 0 rip 0x1000 0x2000 0-0", "- memory contents - - 7-7"];
    assert_eq!(compare(&one, &other), (xs_status::Ok, expected.map(str::to_owned).to_vec(), 2));
    let elsewhere = guest(0x1000, Page::normal(9).holding(b"one"));
    let (_, reported, count) = compare(&one, &elsewhere);
    assert_eq!(reported, ["- memory - present - 7-7", "- memory - - present 9-9"]);
    assert_eq!(count, 2);
    // A verdict is a difference too.
    let (status, reported, _) = compare(&one, &one[..one.len() - 8]);
    assert_eq!(status, xs_status::Ok);
    assert_eq!(reported.last().map(String::as_str), Some("- verdict verdict valid invalid 0-0"));
}

#[test]
fn comparisons_refuse_wrong_arguments() {
    let file = tempfile::tempfile().unwrap();
    let fd = file.as_raw_fd();
    let mut count = 7;
    let compare = |a: c_int, format: c_int, count: *mut u64| unsafe {
        xs_diff_fd(a, fd, format, null(), None, null_mut(), count, null_mut())
    };
    assert_eq!(compare(fd, XS_FORMAT_AUTO, null_mut()), xs_status::ErrorNull);
    assert_eq!(compare(-1, XS_FORMAT_AUTO, &mut count), xs_status::ErrorArgument);
    assert_eq!(compare(fd, 99, &mut count), xs_status::ErrorArgument);
    assert_eq!(count, 7);
}
