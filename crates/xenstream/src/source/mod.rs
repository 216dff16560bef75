//! Where bytes come from. Each source feeds a [`Session`](crate::session::Session) in its own way.

pub(crate) mod ahead;
#[cfg(feature = "decompress")]
pub(crate) mod compressed;
pub(crate) mod compression;
pub(crate) mod file;
pub(crate) mod memory;
pub(crate) mod prefetch;
pub(crate) mod stream;
