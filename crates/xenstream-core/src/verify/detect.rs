//! Detects the format from the first bytes of the input.
//!
//! The first 8 bytes distinguish the known formats. The rest of a longer magic has a field of its format.

use crate::observer::{Header, Observer};
use crate::rule::Rule;
use crate::summary::Format;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::{Bytes, Field, Stop};
use crate::wire::{libvirt, libxc, libxl, xenopsd, xl};

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

impl Verifier {
    /// Begins a stream in this format.
    pub(crate) fn start(&mut self, format: Format) {
        self.detect.auto = format == Format::Auto;
        self.summary.format = format;
        self.certain_until = 8;
        self.detect_next(Bytes::First);
    }

    fn detect_next(&mut self, field: Bytes) {
        self.set_next(0, Field::Bytes(field));
    }

    pub(crate) fn detect_xl<O: Observer + ?Sized>(&mut self, value: [u8; 8], o: &mut O) -> Result<(), Stop> {
        if self.magic_passed(Bytes::XlMagic, &xl::MAGIC, value, o)? {
            self.xl_start();
        }
        Ok(())
    }

    pub(crate) fn detect_libvirt<O: Observer + ?Sized>(
        &mut self,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        if self.magic_passed(Bytes::LibvirtMagic, &libvirt::MAGIC, value, o)? {
            self.libvirt_start();
        }
        Ok(())
    }

    pub(crate) fn detect_first<O: Observer + ?Sized>(
        &mut self,
        first: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        // The first bytes of the input let a caller find out what it is instead.
        let found = u64::from_be_bytes(first);
        let requested = self.summary.format;
        let magic = Magic::of(first).filter(|magic| requested == Format::Auto || requested == magic.format());
        let Some(magic) = magic else {
            return match requested {
                Format::Libxc => self.no_marker(0, first, o),
                Format::Libxl => self.flag(Rule::LibxlIdent, 0, found, Value::None, o),
                Format::Auto | Format::Xl | Format::Libvirt | Format::Xenopsd => self.unrecognised(found, o),
            };
        };
        self.summary.format = magic.format();
        match magic {
            Magic::Libxl => {
                self.detect.done = true;
                self.libxl_start_after_ident();
            }
            Magic::Libxc => {
                self.detect.done = true;
                self.libxc_start_after_marker();
            }
            Magic::Xl => self.await_magic(Bytes::XlMagic, xl::MAGIC.len()),
            Magic::Libvirt => self.await_magic(Bytes::LibvirtMagic, libvirt::MAGIC.len()),
            Magic::Xenopsd => self.await_magic(Bytes::XenopsdSignature, xenopsd::SIGNATURE.len()),
        }
        Ok(())
    }

    /// Reports that the input does not begin with a magic, or with that of the requested format.
    pub(crate) fn unrecognised<O: Observer + ?Sized>(&mut self, found: u64, o: &mut O) -> Result<(), Stop> {
        let requested = if self.detect.auto { Format::Auto } else { self.summary.format };
        // Neither does a beginning that only looked like a magic.
        self.summary.format = requested;
        self.flag(Rule::StreamUnrecognised, 0, found, Value::Format(requested), o)
    }

    /// Reports a legacy image that begins at `at`.
    pub(crate) fn legacy<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        found: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        self.flag(Rule::StreamLegacy, at, found, Value::Format(self.summary.format), o)
    }

    /// Returns the field of the container's header which says that a legacy image follows, and its rule and value.
    pub(super) fn announces_legacy(&self) -> Option<(Rule, u64, u64)> {
        match self.summary.format {
            Format::Xl => self.xl_announces_legacy(),
            Format::Libvirt => self.libvirt_announces_legacy(),
            Format::Auto | Format::Xenopsd | Format::Libxl | Format::Libxc => None,
        }
    }

    fn await_magic(&mut self, field: Bytes, whole: usize) {
        self.certain_until = whole as u64;
        self.detect_next(field);
    }

    /// The next 8 bytes of a magic have passed. Returns whether it is complete.
    fn magic_passed<O: Observer + ?Sized>(
        &mut self,
        field: Bytes,
        magic: &[u8],
        value: [u8; 8],
        o: &mut O,
    ) -> Result<bool, Stop> {
        let passed = usize::try_from(self.position).unwrap_or(usize::MAX);
        if !magic.get(..passed).is_some_and(|passed| passed.ends_with(&value)) {
            self.unrecognised(0, o)?;
        }
        self.detect.done = passed == magic.len();
        if !self.detect.done {
            self.detect_next(field);
        }
        Ok(self.detect.done)
    }

    pub(crate) fn detect_xenopsd<O: Observer + ?Sized>(
        &mut self,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let [a, b, c, d, e, f, g, _] = value;
        let rest = [a, b, c, d, e, f, g];
        if xenopsd::SIGNATURE.ends_with(&rest) {
            self.detect.done = true;
            o.on_header(&Header::Xenopsd { offset: 0 });
            self.xenopsd_start();
            Ok(())
        } else if xenopsd::SIGNATURE_LEGACY.ends_with(&rest) {
            self.legacy(0, 0, o)
        } else {
            self.unrecognised(0, o)
        }
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
        match bytes.first_chunk().and_then(|first| Magic::of(*first)) {
            Some(magic) => Follows::Image(magic.format()),
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

/// What formats begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magic {
    Xl,
    Libvirt,
    Xenopsd,
    Libxl,
    Libxc,
}

impl Magic {
    /// Returns the magic that begins with these bytes.
    fn of(first: [u8; 8]) -> Option<Magic> {
        if first == libxc::MARKER.to_be_bytes() {
            Some(Magic::Libxc)
        } else if first == libxl::IDENT {
            Some(Magic::Libxl)
        } else if xl::MAGIC.starts_with(&first) {
            Some(Magic::Xl)
        } else if libvirt::MAGIC.starts_with(&first) {
            Some(Magic::Libvirt)
        } else if xenopsd::SIGNATURE.starts_with(&first) {
            Some(Magic::Xenopsd)
        } else {
            None
        }
    }

    fn format(self) -> Format {
        match self {
            Magic::Xl => Format::Xl,
            Magic::Libvirt => Format::Libvirt,
            Magic::Xenopsd => Format::Xenopsd,
            Magic::Libxl => Format::Libxl,
            Magic::Libxc => Format::Libxc,
        }
    }
}
