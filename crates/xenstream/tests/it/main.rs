//! The library's tests, in one program. `memory` counts every allocation, and is a program of its own.

mod batch;
mod cases;
mod common;
mod compressed;
mod config;
mod corpus;
mod diff;
mod extract;
mod field;
mod host;
mod hostile;
mod hypervisor;
mod inspect;
mod pv_walk;
mod real;
mod real_figures;
mod relay;
mod rewrite;
mod scrub;
mod sparse;
mod synth_like_real;
mod unjudged;
mod verdicts;
mod zeros;
