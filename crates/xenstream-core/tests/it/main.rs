//! The core's tests, in one program: linking one is most of what a small test costs.

mod catalogue;
mod contract;
mod names;
mod observer;
mod policy;
mod size;
mod splits;
mod structures;
mod summary;
mod target;

// What the fuzz targets hold, without building anything but the core.
#[path = "../../../../fuzz/properties/src/splits.rs"]
pub mod property;
#[path = "../../../../fuzz/properties/src/setup.rs"]
pub mod setup;
#[path = "../../../../fuzz/properties/src/transcript.rs"]
pub mod transcript;
