//! The C library. The documentation of its functions uses C's terms, because the header is made from these sources:
//! `include/xenstream.h`.
//!
//! `unsafe` stands only here and in `xenstream-mutate`, whose functions C calls too. This crate is thin: it checks pointers, turns C's values into the core's and
//! back, and leaves the rest to [`xenstream_core`] and `xenstream`. No type with invalid values is ever read from the
//! caller: numbers come in as integers and are looked up.

#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![deny(unsafe_op_in_unsafe_fn)]
#![allow(non_camel_case_types, reason = "types bear the names that they have in C")]
#![allow(clippy::missing_safety_doc, reason = "what callers owe is said once, at the head of the header")]

// In the order of the header.
mod abi;
mod version;

mod status;

mod choice;
mod policy;

mod verifier;
mod violation;

mod summary;

#[cfg(feature = "std")]
mod descriptor;
mod name;
#[cfg(feature = "std")]
mod rewrite;

#[cfg(feature = "std")]
mod diff;

#[cfg(feature = "calls")]
mod calls;
#[cfg(not(any(feature = "std", test)))]
mod panic;
mod pointer;
#[cfg(feature = "std")]
mod sigpipe;

pub use abi::XS_ABI;
#[cfg(feature = "calls")]
#[doc(hidden)]
pub use calls::calls;
pub use choice::*;
#[cfg(feature = "std")]
pub use descriptor::{XS_MESSAGE_SIZE, xs_relay_fd, xs_report, xs_verify_fd};
#[cfg(feature = "std")]
pub use diff::*;
pub use name::{xs_layer_name, xs_rule_count, xs_rule_name};
pub use policy::{
    xs_policy, xs_policy_init, xs_policy_set_checkpointing, xs_policy_set_level, xs_policy_set_limit,
    xs_policy_set_target,
};
#[cfg(feature = "std")]
pub use rewrite::*;
pub use status::{xs_status, xs_status_text};
pub use summary::xs_summary;
pub use verifier::{
    XS_VERIFIER_ALIGNMENT, XS_VERIFIER_SIZE, xs_need, xs_verifier, xs_verifier_accepting_releases,
    xs_verifier_alignment, xs_verifier_finish, xs_verifier_init, xs_verifier_need, xs_verifier_on_warning,
    xs_verifier_push, xs_verifier_set_limit, xs_verifier_size, xs_verifier_skip, xs_verifier_summary,
    xs_verifier_trailing_data, xs_verifier_violation, xs_warning,
};
pub use version::{xs_abi, xs_version};
pub use violation::{XS_HAS_RECORD, XS_HAS_RECORD_TYPE, XS_HAS_RELEASES, xs_violation, xs_violation_text};
