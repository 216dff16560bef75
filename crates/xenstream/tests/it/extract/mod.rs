//! `extract`: what comes out of streams, whole, torn and hostile.

mod checkpoints;
mod common;
mod damaged;
mod elf;
mod formats;
mod hostile;
mod p2m;
mod real;
mod sources;
