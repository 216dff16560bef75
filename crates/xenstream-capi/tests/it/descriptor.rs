//! Whole streams from file descriptors, as a C program hands them over.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "to call as C does, rightly or wrongly, is what is tested"
)]

use std::ffi::{CStr, c_int};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::{null, null_mut};
use std::thread;

use xenstream_c::*;
use xenstream_core::{Checker, Layer, Rule};
use xenstream_synth::{minimal, valid};

fn verify(fd: RawFd) -> (xs_status, xs_report) {
    with_report(|report| unsafe { xs_verify_fd(fd, XS_FORMAT_LIBXC, null(), report) })
}

fn relay(input: RawFd, output: RawFd) -> (xs_status, xs_report) {
    with_report(|report| unsafe { xs_relay_fd(input, output, XS_FORMAT_LIBXC, null(), report) })
}

fn with_report(call: impl FnOnce(*mut xs_report) -> xs_status) -> (xs_status, xs_report) {
    let mut report = MaybeUninit::zeroed();
    let status = call(report.as_mut_ptr());
    (status, unsafe { report.assume_init() })
}

fn message(report: &xs_report) -> &str {
    unsafe { CStr::from_ptr(report.message.as_ptr()) }.to_str().unwrap()
}

/// A file of these bytes, open at offset `at`.
fn file(bytes: &[u8], at: u64) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file
}

/// A pipe that these bytes are in.
fn pipe(bytes: &[u8]) -> io::PipeReader {
    let (reader, mut writer) = io::pipe().unwrap();
    let bytes = bytes.to_vec();
    thread::spawn(move || writer.write_all(&bytes));
    reader
}

fn stream() -> Vec<u8> {
    valid::Machine::Hvm.libxc().bytes()
}

#[test]
fn a_file_is_verified_from_where_it_stands() {
    let stream = stream();
    let mut file = file(&[b"in front", &stream[..]].concat(), 8);
    let (status, report) = verify(file.as_raw_fd());
    assert_eq!((status, message(&report)), (xs_status::Ok, ""));
    assert!(report.violation.rule.is_null());
    assert_eq!((report.summary.bytes, report.summary.guest), (stream.len() as u64, XS_GUEST_HVM));
    assert!(report.bytes_read > 0 && report.os_error == 0 && report.bytes_written == 0);
    assert_eq!(file.stream_position().unwrap(), 8);
    let without_report = unsafe { xs_verify_fd(file.as_raw_fd(), XS_FORMAT_LIBXC, null(), null_mut()) };
    assert_eq!(without_report, xs_status::Ok);
}

#[test]
fn a_policy_is_obeyed() {
    let file = file(&[&stream()[..], b"more"].concat(), 0);
    let (status, report) = verify(file.as_raw_fd());
    assert_eq!(status, xs_status::Invalid);
    assert_eq!(unsafe { CStr::from_ptr(report.violation.rule) }, c"stream::trailing-data");
    assert!(message(&report).starts_with("stream::trailing-data at offset "), "{}", message(&report));
    let mut policy = MaybeUninit::uninit();
    unsafe {
        assert_eq!(xs_policy_init(policy.as_mut_ptr(), XS_PROFILE_RESTORE), xs_status::Ok);
        let status = xs_verify_fd(file.as_raw_fd(), XS_FORMAT_AUTO, policy.as_ptr(), null_mut());
        assert_eq!(status, xs_status::Ok);
    }
}

#[test]
fn pipe_is_left_after_the_stream() {
    let mut input = pipe(&[&stream()[..], b"more"].concat());
    assert_eq!(verify(input.as_raw_fd()).0, xs_status::Ok);
    let mut left = Vec::new();
    input.read_to_end(&mut left).unwrap();
    assert_eq!(left, b"more");
}

#[test]
fn a_pipe_leaves_rules_unchecked_and_says_so() {
    let stream = valid::Machine::Pv64.libxc().bytes();
    let (status, report) = verify(file(&stream, 0).as_raw_fd());
    assert_eq!((status, report.unchecked, message(&report)), (xs_status::Ok, 0, ""));
    let (status, report) = verify(pipe(&stream).as_raw_fd());
    assert_eq!((status, report.unchecked), (xs_status::Ok, 5));
    assert!(message(&report).contains("pv::start-info-type"), "{}", message(&report));
}

#[test]
fn the_header_names_what_a_verifier_leaves_out() {
    let header = include_str!("../../include/xenstream.h");
    let (_, described) = header.split_once("It checks every rule that the bytes").unwrap();
    let (described, _) = described.split_once("alone.").unwrap();
    let described: String = described.split("\n//").collect();
    let named = |rule: &Rule| described.contains(rule.name());
    // Rules on the host are checked by no function of this library.
    let judged = Rule::all().filter(|rule| rule.layer() != Layer::Host);
    let (left_out, checked): (Vec<_>, Vec<_>) = judged.partition(|rule| rule.entry().by == Checker::Std);
    assert!(left_out.iter().all(named), "{described}");
    assert!(!checked.iter().any(named), "{described}");
}

#[test]
fn read_errors_are_not_verdicts() {
    let directory = File::open("/").unwrap();
    for (fd, number) in [(RawFd::MAX, libc::EBADF), (directory.as_raw_fd(), libc::EISDIR)] {
        let (status, report) = verify(fd);
        assert_eq!((status, report.os_error), (xs_status::ErrorInput, number), "{}", message(&report));
        assert!(report.violation.rule.is_null() && !message(&report).is_empty());
    }
}

#[test]
#[cfg(feature = "decompress")]
fn damaged_compressed_input_is_not_judged() {
    let mut torn = b"\x1F\x8B\x08".to_vec();
    torn.resize(100, 0xFF);
    let torn = file(&torn, 0);
    assert_eq!(
        with_report(|report| unsafe { xs_verify_fd(torn.as_raw_fd(), XS_FORMAT_AUTO, null(), report) }).0,
        xs_status::ErrorDecompress
    );
}

#[test]
fn arguments_have_to_be_right() {
    let file = file(&stream(), 0);
    let fd = file.as_raw_fd();
    let foreign = [0u64; 64];
    let mut report = MaybeUninit::<xs_report>::uninit();
    let odd = report.as_mut_ptr().wrapping_byte_add(1);
    unsafe {
        for negative in [-1, -100, c_int::MIN] {
            let status = xs_verify_fd(negative, XS_FORMAT_LIBXC, null(), null_mut());
            assert_eq!(status, xs_status::ErrorArgument);
            let status = xs_relay_fd(fd, negative, XS_FORMAT_LIBXC, null(), null_mut());
            assert_eq!(status, xs_status::ErrorArgument);
            let status = xs_relay_fd(negative, fd, XS_FORMAT_LIBXC, null(), null_mut());
            assert_eq!(status, xs_status::ErrorArgument);
        }
        assert_eq!(xs_verify_fd(fd, 6, null(), null_mut()), xs_status::ErrorArgument);
        assert_eq!(xs_verify_fd(fd, 5, foreign.as_ptr().cast(), null_mut()), xs_status::ErrorUninitialised);
        assert_eq!(xs_verify_fd(fd, 5, null(), odd), xs_status::ErrorAlignment);
        assert_eq!(xs_relay_fd(fd, fd, 5, null(), odd), xs_status::ErrorAlignment);
    }
    let (status, report) = with_report(|report| unsafe { xs_verify_fd(fd, 6, null(), report) });
    assert_eq!((status, message(&report)), (xs_status::ErrorArgument, ""));
}

#[test]
fn relay_passes_valid_streams() {
    let stream = stream();
    let input = pipe(&stream);
    let mut output = tempfile::tempfile().unwrap();
    let (status, report) = relay(input.as_raw_fd(), output.as_raw_fd());
    assert_eq!((status, report.bytes_written), (xs_status::Ok, stream.len() as u64));
    let mut passed = Vec::new();
    output.rewind().unwrap();
    output.read_to_end(&mut passed).unwrap();
    assert_eq!(passed, stream);
}

#[test]
fn relay_withholds_invalid_streams() {
    let mut stream = minimal::hvm().bytes();
    // Without END, and without the last byte of the record in front of it.
    let torn = stream.len() - 9;
    stream.truncate(torn);
    let input = pipe(&stream);
    let mut output = tempfile::tempfile().unwrap();
    let (status, report) = relay(input.as_raw_fd(), output.as_raw_fd());
    assert_eq!(status, xs_status::Invalid);
    assert_eq!(unsafe { CStr::from_ptr(report.violation.rule) }, c"stream::truncated");
    assert_eq!(report.bytes_written, output.seek(SeekFrom::End(0)).unwrap());
    assert!(report.bytes_written <= torn as u64);
}

#[test]
fn failing_end_of_a_relay_is_reported() {
    let mut stream = file(&stream(), 0);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let read_only = File::open("/dev/null").unwrap();
    let write_only = OpenOptions::new().write(true).open("/dev/null").unwrap();
    let (input, closed) = (stream.as_raw_fd(), RawFd::MAX);
    for (input, output, status, number) in [
        (input, full.as_raw_fd(), xs_status::ErrorOutput, libc::ENOSPC),
        (input, read_only.as_raw_fd(), xs_status::ErrorOutput, libc::EBADF),
        (input, closed, xs_status::ErrorOutput, libc::EBADF),
        (closed, write_only.as_raw_fd(), xs_status::ErrorInput, libc::EBADF),
        (closed, closed, xs_status::ErrorInput, libc::EBADF),
        (write_only.as_raw_fd(), write_only.as_raw_fd(), xs_status::ErrorInput, libc::EBADF),
    ] {
        stream.rewind().unwrap();
        let (reported, report) = relay(input, output);
        let case = format!("{input} to {output}: {}", message(&report));
        assert_eq!((reported, report.os_error, report.bytes_written), (status, number, 0), "{case}");
        assert!(report.violation.rule.is_null() && !message(&report).is_empty(), "{case}");
        assert_eq!(
            reported == xs_status::ErrorOutput,
            message(&report).starts_with("cannot write"),
            "{case}"
        );
    }
}
