//! What a caller embeds, and what the tests are built with.

use std::hint::black_box;
use std::mem::size_of;

use xenstream_core::{Policy, Verifier, Violation};

/// A verifier is embedded in its caller's own structures or lies on its stack: constant memory is no promise if the
/// constant creeps. 600 bytes of it are the places where the stream first showed each fact that some release refuses.
#[test]
fn verifier_is_bounded() {
    assert!(size_of::<Verifier>() <= 4096, "{} bytes", size_of::<Verifier>());
}

/// A violation is returned by value from every push, and copied freely.
#[test]
fn violation_is_bounded() {
    assert!(size_of::<Violation>() <= 88, "{} bytes", size_of::<Violation>());
}

/// A policy is copied into each verifier; a byte of it is a rule's level.
#[test]
fn policy_is_bounded() {
    assert!(size_of::<Policy>() <= 512, "{} bytes", size_of::<Policy>());
}

/// Every test of the core is also a test that its arithmetic does not wrap unasked: under `cargo test` overflow
/// checks and debug assertions are on, so a wrap would be a panic.
#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build wraps")]
#[should_panic(expected = "attempt to add with overflow")]
fn tests_run_with_overflow_checks() {
    black_box(black_box(u64::MAX) + black_box(1));
}
