//! The number of the binary interface; the build script reads it too.

/// Number of the binary interface that this header describes. It changes when a program has to be compiled again, and
/// is the number at the end of the shared library's name.
pub const XS_ABI: u32 = 1;
