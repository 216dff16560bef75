//! What conversions make of streams: the verdict before and after, and that nothing else has changed.

mod common;
mod plain;
mod target;
