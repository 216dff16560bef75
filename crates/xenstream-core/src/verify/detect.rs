//! Detects the format from the first bytes of the input.
//!
//! The first 8 bytes distinguish the known formats. [`Field::Magic`] has the rest of a longer magic.

use crate::observer::{Header, Observer};
use crate::rule::Rule;
use crate::summary::Format;
use crate::verifier::Verifier;
use crate::verify::{self, Size, Stop};
use crate::wire::{libvirt, libxc, libxl, xenopsd, xl};

/// Fields at the start of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The first 8 bytes.
    First,
    /// The rest of a magic, from this offset on.
    Magic(u8),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Whether the caller left the format open.
    auto: bool,
    /// Whether a complete magic was read.
    done: bool,
}

impl State {
    /// Returns whether the input ended before its format was known.
    pub(crate) fn is_open(&self) -> bool {
        self.auto && !self.done
    }
}

impl Field {
    #[inline]
    pub(crate) fn size(self) -> Size {
        Size::Bytes(match self {
            // The magic of xenopsd has 15 bytes, the others a multiple of 8.
            Field::Magic(at) if at < 8 => 7,
            Field::First | Field::Magic(_) => 8,
        })
    }
}

impl Verifier {
    /// Begins a stream in this format.
    pub(crate) fn start(&mut self, format: Format) {
        self.detect.auto = format == Format::Auto;
        self.summary.format = format;
        self.sure = 8;
        self.next(0, verify::Field::Detect(Field::First));
    }

    pub(crate) fn detect_field<O: Observer + ?Sized>(
        &mut self,
        field: Field,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        match field {
            Field::First => self.detect_first(value, o),
            Field::Magic(at) => self.detect_magic(at, value, o),
        }
    }

    fn detect_first<O: Observer + ?Sized>(&mut self, first: [u8; 8], o: &mut O) -> Result<(), Stop> {
        let looks = looks_like(first);
        // The first bytes of the input let a caller find out what it is instead.
        let found = u64::from_be_bytes(first);
        let format = match (self.summary.format, looks) {
            (Format::Auto, Some(format)) => format,
            (format, looks) if looks == Some(format) => format,
            (Format::Libxc, _) => return self.no_marker(0, first, o),
            (Format::Libxl, _) => return self.find(Rule::LibxlIdent, 0, found, 0, o),
            _ => return self.unrecognised(found, o),
        };
        self.summary.format = format;
        match format {
            Format::Libxl => {
                self.detect.done = true;
                self.libxl_start_after_ident();
            }
            Format::Libxc => {
                self.detect.done = true;
                self.libxc_start_after_marker();
            }
            Format::Xl => self.await_magic(8, xl::MAGIC.len()),
            Format::Libvirt => self.await_magic(8, libvirt::MAGIC.len()),
            _ => self.await_magic(1, xenopsd::SIGNATURE.len()),
        }
        Ok(())
    }

    /// Reports that the input does not begin with a magic, or with that of the requested format.
    pub(crate) fn unrecognised<O: Observer + ?Sized>(&mut self, found: u64, o: &mut O) -> Result<(), Stop> {
        let told = if self.detect.auto { Format::Auto } else { self.summary.format };
        // Neither does a beginning that only looked like a magic.
        self.summary.format = told;
        self.find(Rule::StreamUnrecognised, 0, found, told as u64, o)
    }

    /// Reports a legacy image that begins at `at`.
    pub(crate) fn legacy<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        found: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let format = self.summary.format as u64;
        self.find(Rule::StreamLegacy, at, found, format, o)
    }

    fn await_magic(&mut self, at: u8, whole: usize) {
        self.sure = whole as u64;
        self.next(0, verify::Field::Detect(Field::Magic(at)));
    }

    fn detect_magic<O: Observer + ?Sized>(&mut self, at: u8, value: [u8; 8], o: &mut O) -> Result<(), Stop> {
        let start = usize::from(at);
        let expected: &[u8] = match self.summary.format {
            Format::Xl => &xl::MAGIC,
            Format::Libvirt => &libvirt::MAGIC,
            _ => {
                let [a, b, c, d, e, f, g, _] = value;
                let rest = [a, b, c, d, e, f, g];
                return if xenopsd::SIGNATURE.ends_with(&rest) {
                    self.detect.done = true;
                    o.header(&Header::Xenopsd { offset: 0 });
                    self.xenopsd_start();
                    Ok(())
                } else if xenopsd::SIGNATURE_LEGACY.ends_with(&rest) {
                    self.legacy(0, 0, o)
                } else {
                    self.unrecognised(0, o)
                };
            }
        };
        let matches = expected.get(start..).and_then(<[u8]>::first_chunk::<8>) == Some(&value);
        if !matches {
            return self.unrecognised(0, o);
        }
        if start.saturating_add(8) < expected.len() {
            self.next(0, verify::Field::Detect(Field::Magic(at.saturating_add(8))));
            return Ok(());
        }
        self.detect.done = true;
        match self.summary.format {
            Format::Xl => self.xl_start(),
            _ => self.libvirt_start(),
        }
        Ok(())
    }
}

/// What follows the end of a stream in a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Follows {
    /// Nothing but zeros.
    Zeros,
    /// Another image, of this format.
    Image(Format),
    /// Something else.
    Data,
}

impl Follows {
    /// Classifies the bytes that follow the stream, or the first of them.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Follows {
        if bytes.iter().all(|byte| *byte == 0) {
            return Follows::Zeros;
        }
        match bytes.first_chunk().and_then(|first| looks_like(*first)) {
            Some(format) => Follows::Image(format),
            None => Follows::Data,
        }
    }

    /// Returns the classification with more bytes.
    #[must_use]
    pub fn and(self, bytes: &[u8]) -> Follows {
        match self {
            Follows::Zeros if bytes.iter().any(|byte| *byte != 0) => Follows::Data,
            follows => follows,
        }
    }
}

/// Returns the format whose magic begins with these bytes.
fn looks_like(first: [u8; 8]) -> Option<Format> {
    if first == libxc::MARKER.to_be_bytes() {
        Some(Format::Libxc)
    } else if first == libxl::IDENT {
        Some(Format::Libxl)
    } else if xl::MAGIC.starts_with(&first) {
        Some(Format::Xl)
    } else if libvirt::MAGIC.starts_with(&first) {
        Some(Format::Libvirt)
    } else if xenopsd::SIGNATURE.starts_with(&first) {
        Some(Format::Xenopsd)
    } else {
        None
    }
}
