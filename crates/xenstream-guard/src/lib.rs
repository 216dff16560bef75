//! What `xenstream-save-helper` and `xenstream-xenguest` have in common.
//!
//! Each takes the place of one of Xen's programs. It reads its [`Settings`], runs the real program beside itself
//! ([`child`], [`handover`]), puts a relay between a stream and that program ([`passage`]), and says what became of the
//! stream ([`report`]).

#![forbid(unsafe_code)]

pub mod child;
pub mod descriptor;
mod error;
pub mod handover;
pub mod passage;
mod program;
pub mod report;
mod settings;
pub mod stream;

pub use error::Error;
pub use passage::{Call, Operation};
pub use program::{Program, check_real};
pub use settings::{Destination, Mode, SAVE_HELPER_REAL, Settings, TargetChoice, XENGUEST_REAL};

/// Exit status: a stream was refused, and the real program did not fail.
pub const REFUSED: u8 = 1;
/// Exit status: there is no verdict, for a reason other than the stream.
pub const FAILED: u8 = 2;
