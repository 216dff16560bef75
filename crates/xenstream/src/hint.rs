//! Hints: what an input seems to be that is not an image, or not in the requested format.

mod look;
mod zeros;

use std::fmt;

use xenstream_core::{ByteSize, Format, Rule, Violation};

pub(crate) use look::look;
pub(crate) use zeros::lost;

/// The most bytes of an input that are examined, if they are available.
pub(crate) const LOOKED_AT: usize = 64 << 10;

/// What an input seems to be, judging by its first 64 KiB, or what happened to a part of it. This is a guess for people; no
/// verdict depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// An image in another format than the requested one.
    Format(Format),
    /// The input is empty.
    Empty,
    /// The input begins with zeros.
    Zeros {
        /// Number of zeros at the start, among the bytes that were examined.
        bytes: u64,
        /// Whether all bytes that were examined are zeros.
        all: bool,
    },
    /// The magic of a format, after other bytes.
    MagicAt {
        /// The format.
        format: Format,
        /// Offset of the magic.
        offset: u64,
        /// Whether the bytes before it are text.
        after_text: bool,
    },
    /// The magic of a format whose line ends were converted.
    LineEnds(Format),
    /// The beginning of a format's magic, and the end of the input.
    Cut(Format),
    /// Almost the magic of a format.
    Damaged(Format),
    /// Compressed with an unsupported method.
    Compressed {
        /// The compression method.
        method: &'static str,
        /// The command that decompresses it to standard output.
        tool: &'static str,
        /// Whether it was inside other compressed data.
        twice: bool,
    },
    /// An image of a toolstack that did not write streams of version 2.
    Legacy(&'static str),
    /// Another kind of file that people mistake for an image.
    Other(&'static str),
    /// An image with zeros in place of part of the stream.
    Lost {
        /// Offset of the first of these zeros.
        offset: u64,
        /// Number of zeros.
        bytes: u64,
        /// What follows the zeros.
        until: Until,
    },
}

/// What follows a run of zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Until {
    /// Other bytes.
    Data,
    /// The end of the input.
    End,
    /// Unknown: there are more zeros than were examined.
    Unknown,
}

impl Hint {
    /// Returns whether the input is a damaged or wrapped image, rather than another kind of file.
    #[must_use]
    pub const fn is_of_an_image(&self) -> bool {
        match self {
            Hint::Format(_)
            | Hint::Empty
            | Hint::Zeros { all: true, .. }
            | Hint::MagicAt { .. }
            | Hint::LineEnds(_)
            | Hint::Cut(_)
            | Hint::Damaged(_)
            | Hint::Legacy(_)
            | Hint::Lost { .. }
            | Hint::Compressed { twice: true, .. } => true,
            Hint::Zeros { all: false, .. } | Hint::Compressed { twice: false, .. } | Hint::Other(_) => false,
        }
    }
}

/// Returns whether the violation is that the input's first bytes are not what was expected.
pub(crate) fn is_of_the_start(violation: &Violation) -> bool {
    violation.offset == 0
        && matches!(
            violation.rule,
            Rule::StreamUnrecognised
                | Rule::StreamLegacy
                | Rule::LibxcMarker
                | Rule::LibxlIdent
                | Rule::StreamTruncated
        )
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::Format(format) => write!(f, "it begins like format {format}"),
            Hint::Empty => f.write_str("it is empty"),
            Hint::Zeros { bytes, all: true } => {
                write!(f, "its first {bytes} bytes, which were examined, are zeros: no image was written")
            }
            Hint::Zeros { bytes, all: false } => {
                write!(f, "its first {bytes} bytes are zeros, as after a lost write")
            }
            Hint::MagicAt { format, offset, after_text: true } => {
                write!(f, "there is text before the image: the {format} magic is at byte {offset}")
            }
            Hint::MagicAt { format, offset, after_text: false } => {
                write!(f, "the {format} magic is at byte {offset}, not at the start")
            }
            Hint::LineEnds(format) => write!(
                f,
                "it begins like format {format} with converted line ends, as after a transfer in text mode: copy it again, \
                 in binary mode"
            ),
            Hint::Cut(format) => write!(f, "it ends inside the magic of format {format}"),
            Hint::Damaged(format) => write!(f, "its first bytes are almost the magic of format {format}"),
            Hint::Compressed { method, tool, twice } => {
                let twice = if *twice { " a second time, inside the decompressed data" } else { "" };
                write!(f, "it seems to be compressed by {method}{twice}: decompress it first, with {tool}")
            }
            Hint::Lost { offset, bytes, until: Until::End } => write!(
                f,
                "zeros from byte {offset} to the end, {}: the end was lost, as after a power failure or a full disk",
                ByteSize(*bytes)
            ),
            Hint::Lost { offset, bytes, until } => {
                let least = if *until == Until::Unknown { ", or more" } else { "" };
                let last = offset.saturating_add(*bytes).saturating_sub(1);
                write!(
                    f,
                    "zeros from byte {offset} to byte {last}, {}{least}, where the stream should continue: a part of the \
                     file was lost, as after a power failure",
                    ByteSize(*bytes)
                )
            }
            Hint::Legacy(what) | Hint::Other(what) => write!(f, "it seems to be {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use xenstream_core::Policy;

    use super::look::KNOWN;
    use super::*;
    use crate::{Options, verify_reader, verify_slice};

    fn options(format: Format) -> Options {
        Options::new(Policy::spec()).with_format(format)
    }

    fn hint(bytes: &[u8], format: Format) -> Option<Hint> {
        verify_slice(bytes, &options(format)).unwrap().hint()
    }

    #[test]
    fn magics_of_other_formats_are_named() {
        for (magic, expected) in KNOWN {
            let input = [*magic, &[7; 8]].concat();
            for format in Format::all() {
                let is_it =
                    matches!(expected, Hint::Format(known) if *known == format || format == Format::Auto);
                // Known methods are decompressed, which fails here.
                let Ok(report) = verify_slice(&input, &options(format)) else { continue };
                assert_eq!(report.hint(), (!is_it).then_some(*expected), "{magic:?} as {format}");
            }
        }
    }

    #[test]
    fn readers_get_hints_from_eight_bytes() {
        let hint = |bytes: &[u8]| verify_reader(bytes, &options(Format::Auto)).unwrap().hint();
        assert_eq!(hint(b"BZh91AY&SY and so on").map(|hint| hint.is_of_an_image()), Some(false));
        assert_eq!(hint(b"nothing of this kind"), None);
        assert_eq!(hint(&[0; 64]), None);
    }

    #[test]
    fn arbitrary_bytes_have_no_hint() {
        for input in
            [&b"\x01\x02\x03\x04\x05\x06\x07\x08\x09"[..], b"\xC3\x28\xA0\xA1\xE2\x28\xA1\xE2\x82\x28"]
        {
            for format in Format::all() {
                assert_eq!(hint(input, format), None, "{input:?} as {format}");
            }
        }
    }
}
