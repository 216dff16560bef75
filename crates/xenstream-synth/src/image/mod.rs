//! Whole images of guests of any size, written piece by piece: what a saver would write for such a guest.
//!
//! ```
//! use xenstream_synth::image::{Contents, Shape};
//! use xenstream_synth::valid::Machine;
//!
//! let shape = Shape { contents: Contents::Noise, ..Shape::new(Machine::Pvh, 16 << 20) };
//! let mut image = Vec::new();
//! shape.write_to(&mut image).unwrap();
//! assert!(image.len() > 16 << 20);
//! ```
//!
//! [`Shape::broken`] is a small stream of such a guest that breaks a rule. A [`Writer`] is for those who lay out memory by themselves.

mod broken;
mod config;
mod frame;
mod memory;
mod writer;

use std::io::{self, Seek, Write};

use xenstream_core::Guest;
use xenstream_core::wire::PAGE_SIZE;
use xenstream_core::wire::libxc::types::END;

pub use self::writer::{Contents, Fill, Writer};

use self::memory::Memory;
pub use crate::container::Container;
use crate::item::{Item, Part};
use crate::valid::Machine;
use crate::{libxc, libxl};

/// Least memory: a PV guest has to have its tables somewhere.
pub const MEMORY_MIN: u64 = 4 << 20;

/// Most memory. The p2m of a PV guest has pfns of 32 bits. The profile `hardened` takes pfns of 28 bits: 1 TiB of a PV
/// guest, 256 MiB less of an HVM guest, which has a hole for devices below 4 GiB.
pub const MEMORY_MAX: u64 = 16 << 40;

/// Most memory of a 32-bit PV guest, which has page tables of three levels.
pub const MEMORY_MAX_PV32: u64 = 64 << 30;

/// Most vcpus of an HVM guest (`HVM_MAX_VCPUS`).
pub const VCPUS_MAX_HVM: u16 = 128;

/// Most vcpus of a PV guest (`MAX_VIRT_CPUS`).
pub const VCPUS_MAX_PV: u16 = 8192;

/// The shape of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "written as a literal that ends in `..Shape::new(machine, memory)`"
)]
pub struct Shape {
    /// The guest.
    pub machine: Machine,
    /// Its memory in bytes.
    pub memory: u64,
    /// What is around the libxc stream.
    pub container: Container,
    /// How many vcpus it has.
    pub vcpus: u16,
    /// Passes of a live migration after the first: each sends a part of the memory again.
    pub rounds: u32,
    /// Checkpoints of Remus, with an orderly end after the last.
    pub checkpoints: u32,
    /// Version of the libxc stream, 2 or 3.
    pub version: u32,
    /// What contents, names and dirty pages are made from.
    pub seed: u64,
    /// What the pages hold.
    pub contents: Contents,
}

/// Why there is no image of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// Memory comes in pages.
    #[error("memory of {0} bytes is no multiple of 4096")]
    Pages(u64),
    /// There is too little memory.
    #[error("a guest has {MEMORY_MIN} bytes of memory at least, not {0}")]
    Little(u64),
    /// There is too much memory.
    #[error("such a guest has {most} bytes of memory at most, not {found}")]
    Much {
        /// The most it may have.
        most: u64,
        /// What was asked for.
        found: u64,
    },
    /// There are no vcpus, or too many.
    #[error("such a guest has 1 to {most} vcpus, not {found}")]
    Vcpus {
        /// The most it may have.
        most: u16,
        /// What was asked for.
        found: u16,
    },
    /// Checkpoints are libxl's.
    #[error("only a libxl stream has checkpoints, and there is none in {0}")]
    Checkpoints(&'static str),
    /// There is no such version.
    #[error("there are versions 2 and 3, not {0}")]
    Version(u32),
}

/// The share of memory that is sent again in the first further pass, and after a checkpoint.
const SHARE_OF_ROUND: u64 = 4;
const SHARE_OF_CHECKPOINT: u64 = 64;

impl Shape {
    /// A guest with one vcpu and so much memory of holes, as `xl save` writes it.
    #[must_use]
    pub const fn new(machine: Machine, memory: u64) -> Shape {
        Shape {
            machine,
            memory,
            container: Container::Xl,
            vcpus: 1,
            rounds: 0,
            checkpoints: 0,
            version: 3,
            seed: 0,
            contents: Contents::Sparse,
        }
    }

    /// Checks that such an image is possible.
    ///
    /// # Errors
    /// The first thing that speaks against it.
    pub fn check(&self) -> Result<(), ShapeError> {
        let found = self.memory;
        let most = if self.machine == Machine::Pv32 { MEMORY_MAX_PV32 } else { MEMORY_MAX };
        let most_vcpus = match self.machine.guest() {
            Guest::Pv => VCPUS_MAX_PV,
            Guest::Hvm => VCPUS_MAX_HVM,
        };
        if found < MEMORY_MIN {
            Err(ShapeError::Little(found))
        } else if found > most {
            Err(ShapeError::Much { most, found })
        } else if !found.is_multiple_of(PAGE_SIZE) {
            Err(ShapeError::Pages(found))
        } else if !(1..=most_vcpus).contains(&self.vcpus) {
            Err(ShapeError::Vcpus { most: most_vcpus, found: self.vcpus })
        } else if self.checkpoints > 0 && !self.container.has_libxl() {
            Err(ShapeError::Checkpoints(self.container.name()))
        } else if !matches!(self.version, 2 | 3) {
            Err(ShapeError::Version(self.version))
        } else {
            Ok(())
        }
    }

    /// Writes the image, zeros and all. Returns its size in bytes.
    ///
    /// # Errors
    /// Whatever the writer says; [`InvalidInput`](io::ErrorKind::InvalidInput) for a shape that does not
    /// [hold](Shape::check).
    pub fn write_to(&self, out: impl Write) -> io::Result<u64> {
        self.write(Writer::plain(out))
    }

    /// Writes the image and seeks over runs of zeros. The writer must read as zeros where nothing was written.
    ///
    /// # Errors
    /// As for [`write_to`](Shape::write_to).
    pub fn write_sparse(&self, out: impl Write + Seek) -> io::Result<u64> {
        self.write(Writer::sparse(out))
    }

    fn write<W: Write>(&self, mut out: Writer<W>) -> io::Result<u64> {
        self.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let memory = Memory::new(self);
        let frame = frame::of(self, &memory);
        let items = frame.items();
        let (state, end) = (frame.find(libxc::CLOCK), frame.find(Part::libxc(END)));

        out.items(&items[..state])?;
        memory.whole(&mut out)?;
        let mut generation = 0;
        for round in 0..self.rounds {
            generation += 1;
            // Each pass has less to send than the one before.
            let share = SHARE_OF_ROUND << (2 * round.min(5));
            memory.dirty(&mut out, generation, share)?;
        }
        for _ in 0..self.checkpoints {
            generation += 1;
            out.items(&items[state..end])?;
            out.items(&[libxc::checkpoint()])?;
            out.items(&self.device_model())?;
            out.items(&[libxl::checkpoint_end()])?;
            memory.dirty(&mut out, generation, SHARE_OF_CHECKPOINT)?;
        }
        out.items(&items[state..])?;
        out.finish()
    }

    /// The device model's records, in libxl.
    fn device_model(&self) -> Vec<Item> {
        if self.machine == Machine::Hvm { frame::device_model() } else { Vec::new() }
    }
}
