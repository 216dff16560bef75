//! `extract`: what comes out of streams, whole, torn and hostile.

mod checkpoints;
mod common;
mod damaged;
mod elf;
mod formats;
mod hostile;
mod real;
mod sources;
