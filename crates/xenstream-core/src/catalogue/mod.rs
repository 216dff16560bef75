//! The table of all rules: one entry each, outermost layer first, and inside a layer in the order of the stream.
//!
//! The three letters after a name are its grades under the profiles spec, restore and hardened: S structural,
//! U unjudged, D deny, W warn, A allow. The line below says three things, each of them mandatory:
//!
//! * `field`: how many bytes the field at a violation's offset has; 0 where something is missing, `word` for a register
//!   of the guest.
//! * `framing`: `kept` if every later field is still where it should be; `lost(n, leave)` if a length or count is wrong,
//!   so that any byte later than n bytes past the offset may be one of the guest's memory; `ends(leave)` for S and U.
//!   [`Leave`] is what a scrubber may leave of the field.
//! * `by`: `core`, or `std` if the crate `xenstream` checks the rule.
//!
//! Everything else that the project says of a rule is made from here.
//!
//! There is a file for each layer, and two for libxc. Each defines a macro that adds its rows to those that it was
//! given and hands them to the next one in the list below; the last one, [`catalogue`](crate::rule), makes the enum and
//! the tables of them.

use crate::rule::{Checker, Entry, Framing, Grade, Leave, Width, catalogue};

#[macro_use]
mod stream;
#[macro_use]
mod xl;
#[macro_use]
mod libvirt;
#[macro_use]
mod xenopsd;
#[macro_use]
mod libxl;
#[macro_use]
mod libxc;
#[macro_use]
mod state;
#[macro_use]
mod hvm;
#[macro_use]
mod pv;
#[macro_use]
mod qemu;
#[macro_use]
mod host;

stream! { [xl libvirt xenopsd libxl libxc state hvm pv qemu host catalogue] }
