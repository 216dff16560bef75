//! The number of the binary interface; the build script reads it too.

/// Version of the binary interface that this header describes. It changes when programs must be recompiled, and is
/// the number at the end of the shared library's name.
pub const XS_ABI: u32 = 1;
