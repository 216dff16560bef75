//! Names what an input is by its first bytes.

use xenstream_core::Format;
use xenstream_core::wire::{MAGICS, libvirt, libxl, xenopsd, xl};

use crate::hint::Hint;
use crate::source::compression::Compression;

/// What text is called.
pub(super) const TEXT: &str = "text";

/// Formats with the magic by which each is found: of the shortest with what follows, since shorter words stand in other
/// files too.
const FORMATS: [(Format, &[u8]); 5] = {
    let libxl: &[u8] = b"LibxlFmt\0\0\0\x02";
    let libxc: &[u8] = b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFXENF";
    [
        (Format::Xl, &xl::MAGIC),
        (Format::Libvirt, &libvirt::MAGIC),
        (Format::Xenopsd, &xenopsd::SIGNATURE),
        (Format::Libxl, libxl),
        (Format::Libxc, libxc),
    ]
};

/// A magic has this many bytes at least that are looked for at a start that is cut or damaged.
const IDENT: usize = libxl::IDENT.len();

/// How other things begin that are taken for images.
pub(super) static KNOWN: &[(&[u8], Hint)] = &[
    (b"XenSavedDomain\n", Hint::Legacy("a legacy image of XenServer before 6.5")),
    (b"LinuxGuestRecord", Hint::Legacy("an image that xm (xend) saved; xl and libxl cannot read those")),
    (b"BZh", compressed("bzip2", "bzip2 -dc")),
    (b"\x89LZO\0\r\n\x1A", compressed("lzop", "lzop -dc")),
    (b"\x5D\0\0", compressed("lzma", "xz --format=lzma -dc")),
    (b"LZIP", compressed("lzip", "lzip -dc")),
    (b"LRZI", compressed("lrzip", "lrzcat")),
    (b"7z\xBC\xAF\x27\x1C", compressed("7-Zip", "7z x -so")),
    (b"PK\x03\x04", compressed("zip", "unzip -p")),
    (b"\x1F\x9D", compressed("compress", "uncompress -c")),
    (b"\x02\x21\x4C\x18", compressed("lz4 (its legacy format)", "lz4 -dc")),
    (b"LibvirtQ", Hint::Other("a QEMU guest that libvirt saved")),
    (b"QEVM", Hint::Other("the state of a QEMU device model, without a domain")),
    (b"QFI\xFB", Hint::Other("a qcow2 disk image")),
    (b"conectix", Hint::Other("a VHD disk image")),
    (b"vhdxfile", Hint::Other("a VHDX disk image")),
    (b"KDMV", Hint::Other("a VMDK disk image")),
    (b"\x7FELF", Hint::Other("an ELF file")),
    (b"-----BEGIN PGP ", Hint::Other("encrypted or signed by PGP: decrypt it first, with gpg -d")),
    (b"\x85\x01\x0C\x03", Hint::Other(PGP)),
    (b"\x85\x02\x0C\x03", Hint::Other(PGP)),
    (b"\x84\x5E\x03", Hint::Other(PGP)),
    (b"\x8C\x0D\x04", Hint::Other(PGP)),
    (b"age-encryption.org/", Hint::Other("encrypted by age: decrypt it first")),
    (b"Salted__", Hint::Other("encrypted by openssl: decrypt it first")),
    (b"#!", Hint::Other("a script")),
];

const PGP: &str = "encrypted by PGP: decrypt it first, with gpg -d";

const fn compressed(method: &'static str, tool: &'static str) -> Hint {
    Hint::Compressed { method, tool, twice: false }
}

/// Fewer bytes, of an input that has more, are no ground to speak of all of it.
const ENOUGH: usize = 512;

/// What an input with this beginning seems to be. `is_whole` tells that these are all its bytes.
pub(crate) fn look(head: &[u8], is_whole: bool) -> Option<Hint> {
    if head.is_empty() {
        return is_whole.then_some(Hint::Empty);
    }
    if let Some(hint) = known(head) {
        return Some(hint);
    }
    let zeros = head.iter().take_while(|byte| **byte == 0).count();
    let is_enough = is_whole || head.len() >= ENOUGH;
    if is_enough && (zeros == head.len() || zeros >= IDENT) {
        return Some(Hint::Zeros { bytes: zeros as u64, all: zeros == head.len() });
    }
    if is_whole && let Some(format) = cut(head) {
        return Some(Hint::Cut(format));
    }
    if let Some(format) = converted(head) {
        return Some(Hint::LineEnds(format));
    }
    if let Some(format) = damaged(head) {
        return Some(Hint::Damaged(format));
    }
    if let Some(what) = container(head) {
        return Some(Hint::Other(what));
    }
    let text = head.iter().take_while(|byte| is_text(**byte)).count();
    if let Some((format, offset)) = magic_inside(head) {
        return Some(Hint::MagicAt { format, offset: offset as u64, after_text: text >= offset });
    }
    if text < head.len() || !is_enough {
        return None;
    }
    Some(Hint::Other(if is_base64(head) { "base64 text: decode it first, with base64 -d" } else { TEXT }))
}

/// What begins with a magic that is known.
fn known(head: &[u8]) -> Option<Hint> {
    if let Some(method) = Compression::recognise(head) {
        return Some(compressed(method.name(), method.tool()));
    }
    // 8 bytes of a longer magic are enough.
    let begins = |magic: &[u8]| {
        let length = magic.len().min(head.len().max(IDENT));
        head.get(..length) == magic.get(..length)
    };
    if let Some((format, _)) = MAGICS.iter().find(|(_, magic)| begins(magic)) {
        return Some(Hint::Format(*format));
    }
    let (_, hint) = KNOWN.iter().find(|(magic, _)| begins(magic))?;
    Some(match hint {
        Hint::Other("an ELF file") if is_core(head) => {
            Hint::Other("an ELF core dump, which no toolstack restores")
        }
        hint => *hint,
    })
}

/// `e_type`, in the byte order that `e_ident` tells.
fn is_core(head: &[u8]) -> bool {
    const ET_CORE: u16 = 4;
    match (head.get(5), head.get(16..18)) {
        (Some(2), Some([a, b])) => u16::from_be_bytes([*a, *b]) == ET_CORE,
        (_, Some([a, b])) => u16::from_le_bytes([*a, *b]) == ET_CORE,
        _ => false,
    }
}

/// The format in whose magic an input of these bytes ends.
fn cut(whole: &[u8]) -> Option<Format> {
    FORMATS.iter().find(|(_, magic)| magic.starts_with(whole)).map(|(format, _)| *format)
}

/// The format whose magic this is, but for its line ends.
fn converted(head: &[u8]) -> Option<Format> {
    let without = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
    };
    let found = FORMATS.iter().filter(|(_, magic)| magic.contains(&b'\n')).find(|(_, magic)| {
        // A line end may have become two bytes.
        let start = head.get(..magic.len() + 4).unwrap_or(head);
        !head.starts_with(magic) && without(start).starts_with(&without(magic))
    });
    found.map(|(format, _)| *format)
}

/// The format of whose magic three bytes in four are there.
fn damaged(head: &[u8]) -> Option<Format> {
    let found = FORMATS.iter().find(|(_, magic)| {
        let equal = head.iter().zip(*magic).filter(|(a, b)| a == b).count();
        head.len() >= magic.len() && equal * 4 >= magic.len() * 3
    });
    found.map(|(format, _)| *format)
}

/// What has its magic somewhere else than at the start.
fn container(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if at(257, b"ustar") {
        return Some(if head.starts_with(b"ova.xml\0") {
            "an XVA, which xe vm-import takes, or another tar archive"
        } else {
            "a tar archive, as an XVA is: extract the image first, with tar -x"
        });
    }
    if at(32769, b"CD001") {
        return Some("an ISO 9660 image");
    }
    if at(510, b"\x55\xAA") {
        return Some("a disk with a boot sector");
    }
    None
}

/// The first magic of a format that is not at the start.
fn magic_inside(head: &[u8]) -> Option<(Format, usize)> {
    FORMATS
        .iter()
        .filter_map(|(format, magic)| {
            let offset = head.windows(magic.len()).position(|window| window == *magic)?;
            (offset > 0).then_some((*format, offset))
        })
        .min_by_key(|(_, offset)| *offset)
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')
}

/// Returns whether this is lines of base64, long enough to be no word.
fn is_base64(text: &[u8]) -> bool {
    const LONG: usize = 60;
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
    first.len() >= LONG && text.iter().all(|byte| is_digit(byte) || matches!(byte, b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_of(bytes: &[u8]) -> Option<Hint> {
        look(bytes, true)
    }

    #[test]
    fn zeros_and_nothing_are_named() {
        assert_eq!(all_of(b""), Some(Hint::Empty));
        assert_eq!(all_of(&[0; 3]), Some(Hint::Zeros { bytes: 3, all: true }));
        assert_eq!(all_of(&[0; 65536]), Some(Hint::Zeros { bytes: 65536, all: true }));
        let hole = [&[0; 4096][..], b"data"].concat();
        assert_eq!(all_of(&hole), Some(Hint::Zeros { bytes: 4096, all: false }));
        assert_eq!(all_of(b"\0\0\0\x01"), None);
    }

    #[test]
    fn magics_that_are_cut_are_named() {
        for (format, magic) in FORMATS {
            for length in 1..IDENT {
                let hint = all_of(&magic[..length]);
                // "Xen" begins the magics of two formats.
                let shared = FORMATS
                    .iter()
                    .any(|(other, magic2)| *other != format && magic2.starts_with(&magic[..length]));
                assert!(shared || hint == Some(Hint::Cut(format)), "{format} {length}: {hint:?}");
                assert!(matches!(hint, Some(Hint::Cut(_))), "{format} {length}: {hint:?}");
            }
        }
    }

    #[test]
    fn magics_that_are_damaged_are_named() {
        for (format, magic) in FORMATS {
            for at in 0..IDENT {
                let mut bytes = [magic, &[7; 100]].concat();
                bytes[at] ^= 0x40;
                assert_eq!(all_of(&bytes), Some(Hint::Damaged(format)), "{at}");
            }
        }
    }

    #[test]
    fn line_ends_that_were_converted_are_named() {
        for (format, magic) in FORMATS.iter().filter(|(_, magic)| magic.contains(&b'\n')) {
            for (from, to) in [("\n", "\r\n"), ("\r", "\n"), ("\n", "\r"), ("\n", "")] {
                let Ok(text) = str::from_utf8(magic) else { continue };
                let text = text.replace(from, to);
                if text.as_bytes() == *magic {
                    continue;
                }
                let bytes = [text.as_bytes(), b"\x04\x03\x02\x01 and so on"].concat();
                assert_eq!(all_of(&bytes), Some(Hint::LineEnds(*format)), "{text:?}");
            }
        }
    }

    #[test]
    fn bytes_before_the_magic_are_counted() {
        for (format, magic) in FORMATS {
            let after = |before: &[u8]| all_of(&[before, magic, &[9; 64]].concat());
            let text = b"Saving to standard output...\n";
            let offset = text.len() as u64;
            assert_eq!(after(text), Some(Hint::MagicAt { format, offset, after_text: true }));
            let binary = b"\x01\x02\x03\xFE";
            assert_eq!(after(binary), Some(Hint::MagicAt { format, offset: 4, after_text: false }));
        }
    }

    #[test]
    fn containers_are_named() {
        let mut tar = vec![0; 10240];
        tar[..8].copy_from_slice(b"ova.xml\0");
        tar[257..262].copy_from_slice(b"ustar");
        assert!(matches!(all_of(&tar), Some(Hint::Other(what)) if what.contains("XVA")));
        tar[..8].copy_from_slice(b"guest.xl");
        assert!(matches!(all_of(&tar), Some(Hint::Other(what)) if what.contains("tar archive")));
        let mut core = *b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0";
        assert!(matches!(all_of(&core), Some(Hint::Other(what)) if what.contains("core dump")));
        core[16] = 2;
        assert_eq!(all_of(&core), Some(Hint::Other("an ELF file")));
    }

    #[test]
    fn text_is_named() {
        assert_eq!(all_of(b"just some notes\n"), Some(Hint::Other(TEXT)));
        let line = "WGVuIHNhdmVkIGRvbWFpbiwgeGwgZm9ybWF0CiAAIA0EAwIBAwAAAAAAAAAAAAAAAAAAAAAA\n";
        assert!(matches!(all_of(line.as_bytes()), Some(Hint::Other(what)) if what.contains("base64 -d")));
        let pgp = all_of(b"-----BEGIN PGP MESSAGE-----\n\nhQIMA");
        assert!(matches!(pgp, Some(Hint::Other(what)) if what.contains("gpg -d")));
    }

    #[test]
    fn magics_do_not_hide_one_another() {
        for (index, (magic, _)) in KNOWN.iter().enumerate() {
            for (other, _) in
                KNOWN.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, row)| row)
            {
                let length = magic.len().min(other.len());
                assert!(magic[..length] != other[..length], "{magic:?} and {other:?}");
            }
        }
    }
}
