//! Scrubbing: what goes, what stays, what is refused, and that nothing is left where it fails.

pub(crate) mod common;
mod corpus;
mod damaged;
mod declared;
mod files;
mod markers;
mod mutants;
mod planted;
mod table;
