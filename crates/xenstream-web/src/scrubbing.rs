//! A scrubbed copy.

use std::io::{self, Write};

use xenstream::scrub::{Output, Scrub, remains, scrub};
use xenstream::{Input, ReadAt};
use xenstream_text as text;

use crate::Choices;

/// A piece of a scrubbed copy. Most of it is zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// So many zeros.
    Zeros(u64),
}

/// Writes a copy without the guest's data, names and registers, and returns what is still in it that tells of the guest. A
/// damaged image is scrubbed as far as it can be parsed.
///
/// # Errors
/// If there is no copy: the image cannot be read, is in no known format, or the copy is not taken.
pub fn scrubbed(
    file: &dyn ReadAt,
    choices: &Choices,
    take: &mut dyn FnMut(Piece<'_>) -> io::Result<()>,
) -> Result<Vec<String>, String> {
    let what = Scrub::default().with_registers(true).with_names(true).with_damaged(true);
    let mut pieces = Pieces { take, zeros: 0 };
    let result = scrub(Input::Positioned(file), Output::Writer(&mut pieces), &choices.options(), what);
    let scrubbed = result.map_err(|error| error.to_string())?;
    pieces.flush().map_err(|error| error.to_string())?;
    let Some(bytes) = scrubbed.bytes else { return Err("the input is in no known format".to_owned()) };
    let remaining = remains(what, &scrubbed.report.summary);
    let remaining = remaining.into_iter().map(|part| format!("{}: {}", part.place, part.holds));
    Ok(std::iter::once(text::bytes(bytes)).chain(remaining).collect())
}

/// Finds zeros among bytes that are written.
struct Pieces<'t> {
    take: &'t mut dyn FnMut(Piece<'_>) -> io::Result<()>,
    zeros: u64,
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.iter().all(|byte| *byte == 0) {
            self.zeros += bytes.len() as u64;
        } else {
            self.flush()?;
            (self.take)(Piece::Bytes(bytes))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.zeros) {
            0 => Ok(()),
            zeros => (self.take)(Piece::Zeros(zeros)),
        }
    }
}

#[cfg(test)]
mod tests {
    use xenstream::{Options, verify_slice};
    use xenstream_synth::valid;

    use super::*;

    #[test]
    fn copy_is_valid_and_has_the_same_length() {
        let image = valid::hvm().in_libxl().with_device_model().in_xl().bytes();
        let mut copy = Vec::new();
        let mut zeros = 0;
        let mut take = |piece: Piece<'_>| {
            match piece {
                Piece::Bytes(bytes) => copy.extend_from_slice(bytes),
                Piece::Zeros(n) => {
                    zeros += n;
                    copy.resize(copy.len() + n as usize, 0);
                }
            }
            Ok(())
        };
        let remaining = scrubbed(&image, &Choices::default(), &mut take).unwrap();
        assert!(remaining.len() > 1);
        assert_eq!(copy.len(), image.len());
        assert!(verify_slice(&copy, &Options::default()).unwrap().is_valid());
    }

    #[test]
    fn what_is_no_image_is_not_copied() {
        let refused = scrubbed(&&b"not an image"[..], &Choices::default(), &mut |_| Ok(()));
        assert_eq!(refused.unwrap_err(), "the input is in no known format");
    }
}
