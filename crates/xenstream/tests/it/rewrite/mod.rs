//! What conversions make of streams: the verdict before and after, and that nothing else has changed.

mod common;
mod compact;
mod container;
mod cures;
mod files;
mod normalise;
mod plain;
mod proof;
mod target;
