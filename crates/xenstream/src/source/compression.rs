//! Compression methods, recognised by their magic.

use std::fmt;

/// A compression method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Zstandard frames.
    Zstd,
    /// gzip members.
    Gzip,
    /// xz streams.
    Xz,
    /// LZ4 frames.
    Lz4,
}

impl Compression {
    /// The number of bytes that suffice to recognise every method.
    pub const MAGIC_MAX: usize = 6;

    /// The method's usual name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Compression::Zstd => "zstd",
            Compression::Gzip => "gzip",
            Compression::Xz => "xz",
            Compression::Lz4 => "lz4",
        }
    }

    /// The command that decompresses it to standard output.
    #[must_use]
    pub const fn tool(self) -> &'static str {
        match self {
            Compression::Zstd => "zstd -dc",
            Compression::Gzip => "gzip -dc",
            Compression::Xz => "xz -dc",
            Compression::Lz4 => "lz4 -dc",
        }
    }

    /// Recognises the method by the first bytes of an input: [`MAGIC_MAX`](Compression::MAGIC_MAX) of them, or all of a
    /// shorter input. Returns `None` if it is not compressed, or by a method that is not known here.
    #[must_use]
    pub fn recognise(start: &[u8]) -> Option<Compression> {
        match start {
            // A frame, or a skippable one, with which pzstd begins. lz4 knows those too and does not begin with one.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Compression::Zstd),
            // Method 8, deflate, is the only one there is.
            [0x1F, 0x8B, 8, ..] => Some(Compression::Gzip),
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
            [0x04, 0x22, 0x4D, 0x18, ..] => Some(Compression::Lz4),
            _ => None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
