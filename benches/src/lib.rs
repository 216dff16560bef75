//! What the benchmarks share: images made on the fly, the limits that nothing can beat, and the programs that are
//! measured whole.
//!
//! `cargo bench` takes a few minutes and images of 1 GiB. With `XENSTREAM_BENCH_LARGE=1` images have the sizes that
//! docs/benchmarks.md reports on, 4 GiB and more, and 1 TiB sparse: that takes half an hour, 20 GiB of disk and as much
//! memory to keep them cached. `XENSTREAM_BENCH_XEN` names the directory where Debian's xen-utils-4.17 was unpacked,
//! and puts Xen's own verifier into the comparison of files; `cargo xtask bench` sees to that.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

mod images;
pub mod limits;
mod pipes;
mod program;

/// The examples of the project's README, whose home is no package.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub use images::{Images, evict, first_record, warm};
pub use pipes::Flow;
pub use program::{Program, Usage, usage_of};
pub use xenstream_synth::image::Contents;

/// One gibibyte.
pub const GIB: u64 = 1 << 30;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Everything once, to see that it runs: so `cargo test` calls benchmarks.
    Test,
    /// A few minutes.
    Default,
    /// What docs/benchmarks.md reports.
    Large,
}

impl Scale {
    /// What the command line and the environment ask for.
    #[must_use]
    pub fn chosen() -> Scale {
        if !std::env::args().any(|argument| argument == "--bench") {
            Scale::Test
        } else if std::env::var_os("XENSTREAM_BENCH_LARGE").is_some_and(|value| value == "1") {
            Scale::Large
        } else {
            Scale::Default
        }
    }

    /// Guest memory of an image, by scale.
    #[must_use]
    pub fn memory(self, default: u64, large: u64) -> u64 {
        match self {
            Scale::Test => 16 << 20,
            Scale::Default => default,
            Scale::Large => large,
        }
    }
}

/// How long it takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    std::hint::black_box(work());
    started.elapsed()
}
