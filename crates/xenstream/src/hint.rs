//! What an input that is no image, or not of the format that was told, seems to be instead.

use std::fmt;

use xenstream_core::wire::{libvirt, libxc, libxl, xenopsd, xl};
use xenstream_core::{Format, Rule, Violation};

/// What an input seems to be, by its first bytes. A guess for people; no verdict depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// An image, of another format than was told.
    Format(Format),
    /// Compressed, in a way that is not known here. The name of the method.
    Compressed(&'static str),
    /// Something that people take for an image.
    Other(&'static str),
}

impl Hint {
    /// What the refused input seems to be, where the violation is that its beginning is not what was expected.
    #[must_use]
    pub fn of(violation: &Violation) -> Option<Hint> {
        match violation.rule {
            Rule::StreamUnrecognised | Rule::StreamLegacy | Rule::LibxlIdent if violation.offset == 0 => {
                let first = violation.found.to_be_bytes();
                KNOWN.iter().find(|(magic, _)| starts_alike(&first, magic)).map(|(_, hint)| *hint)
            }
            _ => None,
        }
    }
}

/// Do the first bytes and a magic agree as far as both go?
fn starts_alike(first: &[u8], magic: &[u8]) -> bool {
    first.iter().zip(magic).all(|(a, b)| a == b)
}

/// How things begin that are handed over as images.
static KNOWN: &[(&[u8], Hint)] = &[
    (&xl::MAGIC, Hint::Format(Format::Xl)),
    (&libvirt::MAGIC, Hint::Format(Format::Libvirt)),
    (&xenopsd::SIGNATURE, Hint::Format(Format::Xenopsd)),
    (&libxl::IDENT, Hint::Format(Format::Libxl)),
    (&libxc::MARKER.to_be_bytes(), Hint::Format(Format::Libxc)),
    (b"BZh", Hint::Compressed("bzip2")),
    (b"\x89LZO\0\r\n\x1A", Hint::Compressed("lzop")),
    (b"\x5D\0\0", Hint::Compressed("lzma")),
    (b"LZIP", Hint::Compressed("lzip")),
    (b"LRZI", Hint::Compressed("lrzip")),
    (b"7z\xBC\xAF\x27\x1C", Hint::Compressed("7-Zip")),
    (b"PK\x03\x04", Hint::Compressed("zip")),
    (b"\x1F\x9D", Hint::Compressed("compress")),
    (b"\x02\x21\x4C\x18", Hint::Compressed("lz4 (its legacy format)")),
    (b"LibvirtQ", Hint::Other("a QEMU guest that libvirt saved")),
    (b"QEVM", Hint::Other("the state of a QEMU device model, without a domain")),
    (b"QFI\xFB", Hint::Other("a qcow2 disk image")),
    (b"\x7FELF", Hint::Other("an ELF file, as a core dump of a domain is")),
];

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::Format(format) => write!(f, "it begins as format {format} does"),
            Hint::Compressed(method) => {
                write!(f, "it seems to be compressed by {method}: decompress it first")
            }
            Hint::Other(what) => write!(f, "it seems to be {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use xenstream_core::Policy;

    use super::*;
    use crate::{Options, verify_slice};

    fn hint(bytes: &[u8], format: Format) -> Option<Hint> {
        let options = Options::new(Policy::spec()).with_format(format);
        Hint::of(verify_slice(bytes, &options).unwrap().violation()?)
    }

    #[test]
    fn every_magic_is_told_where_another_format_was() {
        for (magic, expected) in KNOWN {
            let input = [*magic, &[0; 8]].concat();
            for format in Format::ALL {
                let is_it =
                    matches!(expected, Hint::Format(known) if *known == format || format == Format::Auto);
                assert_eq!(hint(&input, format), (!is_it).then_some(*expected), "{magic:?} as {format}");
            }
        }
    }

    #[test]
    fn nothing_is_guessed_of_what_is_nothing() {
        for input in [&b""[..], b"LibxlFm", &[0; 64], b"some text or other"] {
            for format in Format::ALL {
                assert_eq!(hint(input, format), None, "{input:?} as {format}");
            }
        }
    }

    #[test]
    fn magics_do_not_hide_one_another() {
        for (index, (magic, _)) in KNOWN.iter().enumerate() {
            let others = KNOWN.iter().enumerate().filter(|(other, _)| *other != index);
            for (_, (other, _)) in others {
                assert!(!starts_alike(magic, other), "{magic:?} and {other:?}");
            }
        }
    }
}
