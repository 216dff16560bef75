//! A relay whose consumer goes. Signals are dealt with for a whole process, so these tests have one of their own.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "to call as C does, rightly or wrongly, is what is tested"
)]

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr::{null, null_mut};

use xenstream_c::{XS_FORMAT_LIBXC, xs_relay_fd, xs_status};
use xenstream_synth::valid::Machine;

/// Relays a stream to a pipe that nobody reads; what is returned, and the system's number for it.
fn relay_to_nobody() -> (xs_status, c_int) {
    let (reader, output) = io::pipe().unwrap();
    drop(reader);
    let input = stream();
    let mut report = MaybeUninit::zeroed();
    let (input, output) = (input.as_raw_fd(), output.as_raw_fd());
    unsafe {
        let status = xs_relay_fd(input, output, XS_FORMAT_LIBXC, null(), report.as_mut_ptr());
        (status, report.assume_init().os_error)
    }
}

fn stream() -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&Machine::Hvm.libxc().bytes()).unwrap();
    file.rewind().unwrap();
    file
}

/// Has this process die of SIGPIPE, as a C program does that does nothing about it.
fn restore_default() {
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

fn is_pending() -> bool {
    let mut set = MaybeUninit::uninit();
    unsafe {
        libc::sigpending(set.as_mut_ptr());
        libc::sigismember(set.as_ptr(), libc::SIGPIPE) == 1
    }
}

#[test]
fn a_consumer_that_goes_does_not_end_the_program() {
    restore_default();
    assert_eq!(relay_to_nobody(), (xs_status::ErrorConsumerGone, libc::EPIPE));
    assert!(!is_pending());
    let mut mask = MaybeUninit::uninit();
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, null(), mask.as_mut_ptr());
        assert_eq!(libc::sigismember(mask.as_ptr(), libc::SIGPIPE), 0, "it is held back no longer");
    }
}

#[test]
fn a_signal_that_was_waiting_goes_on_waiting() {
    restore_default();
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), null_mut());
        libc::raise(libc::SIGPIPE);
        assert!(is_pending());
        assert_eq!(relay_to_nobody(), (xs_status::ErrorConsumerGone, libc::EPIPE));
        assert!(is_pending());
        let mut taken = 0;
        libc::sigwait(set.as_ptr(), &raw mut taken);
        assert_eq!(taken, libc::SIGPIPE);
    }
}
