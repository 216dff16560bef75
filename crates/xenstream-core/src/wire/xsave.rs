//! XSAVE: the features of `xcr0`, and which sets of them a processor takes (`valid_xcr0()` of Xen).

/// Bit of the x87 state, which every processor has.
pub const X87: u64 = 1;
/// SSE.
pub const SSE: u64 = 1 << 1;
/// AVX.
pub const AVX: u64 = 1 << 2;
/// Both components of MPX.
pub const MPX: u64 = 3 << 3;
/// The three components of AVX-512.
pub const AVX512: u64 = 7 << 5;
/// Protection keys.
pub const PKRU: u64 = 1 << 9;
/// Both components of AMX.
pub const TILE: u64 = 3 << 17;
/// Components that some release knows.
pub const POSSIBLE: u64 = X87 | SSE | AVX | MPX | AVX512 | PKRU | TILE;
/// How many components have numbers that are known.
pub const COMPONENTS: usize = 19;

/// Size of the legacy area and the header: the whole area where only x87 and SSE are in use.
pub const LEGACY: u64 = 576;

/// Size in bytes of each component whose size is architectural, by its bit.
const SIZES: [(u64, u64); 8] = [
    (AVX, 256),
    (1 << 3, 64),
    (1 << 4, 64),
    (1 << 5, 64),
    (1 << 6, 512),
    (1 << 7, 1024),
    (PKRU, 8),
    (1 << 17, 64),
];

/// Size in bytes that an area with these features has at least: its components do not overlap on any processor.
#[must_use]
pub fn least_size(features: u64) -> u64 {
    SIZES
        .iter()
        .filter(|(component, _)| features & component != 0)
        .fold(LEGACY, |size, (_, component_size)| size.saturating_add(*component_size))
}

/// Size of an area with these features in bytes, where it is the same on every processor: AVX follows the header on all
/// of them, and where later components lie is the processor's own affair.
#[must_use]
pub fn common_size(features: u64) -> Option<u64> {
    if features & !(X87 | SSE | AVX) == 0 { Some(least_size(features)) } else { None }
}

/// Whether the features go together on every release: x87 is set, AVX has SSE, AVX-512 has AVX and all of its
/// components, and MPX has both of its own. Whether the components of AMX have to agree depends on the release.
#[must_use]
pub const fn is_consistent(features: u64) -> bool {
    let avx512 = features & AVX512;
    let mpx = features & MPX;
    features & X87 != 0
        && (features & AVX == 0 || features & SSE != 0)
        && (avx512 == 0 || avx512 == AVX512 && features & AVX != 0)
        && (mpx == 0 || mpx == MPX)
}
