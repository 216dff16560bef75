//! Violations: what is wrong, and where.

use core::fmt;

use crate::rule::Rule;
use crate::size::ByteSize;
use crate::summary::{DomainType, Format};
use crate::targets::{Fact, Target, TargetSet};
use crate::wire::libxc::params;
use crate::wire::{PAGE_SIZE, libxc, types};

/// A layer of the format, to which each rule belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The stream of bytes as a whole.
    Stream,
    /// The header of `xl save`.
    Xl,
    /// The header of libvirt.
    Libvirt,
    /// The suspend image of xenopsd.
    Xenopsd,
    /// The libxl stream.
    Libxl,
    /// The libxc stream.
    Libxc,
    /// The chain of entries inside HVM_CONTEXT.
    Hvm,
    /// Page tables and registers of a PV guest.
    Pv,
    /// The state of the device model.
    Qemu,
}

impl Layer {
    /// Every layer: the formats outermost first, then what is judged inside their records.
    pub const ALL: [Layer; 9] = [
        Layer::Stream,
        Layer::Xl,
        Layer::Libvirt,
        Layer::Xenopsd,
        Layer::Libxl,
        Layer::Libxc,
        Layer::Hvm,
        Layer::Pv,
        Layer::Qemu,
    ];

    /// The layers that have headers or records, outermost first.
    pub const FORMATS: [Layer; 6] =
        [Layer::Xl, Layer::Libvirt, Layer::Xenopsd, Layer::Libxl, Layer::Libxc, Layer::Hvm];

    /// The layer's name, with which names of rules begin.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Stream => "stream",
            Layer::Xl => "xl",
            Layer::Libvirt => "libvirt",
            Layer::Xenopsd => "xenopsd",
            Layer::Libxl => "libxl",
            Layer::Libxc => "libxc",
            Layer::Hvm => "hvm",
            Layer::Pv => "pv",
            Layer::Qemu => "qemu",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The record that a violation lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordRef {
    /// The record's layer: xenopsd, libxl, libxc, or hvm for an entry of HVM_CONTEXT.
    pub layer: Layer,
    /// The record's index in its layer, from 0 and across checkpoints. The index of an hvm entry is within its HVM_CONTEXT.
    pub index: u64,
    /// The number of the type, or `None` if the record's header is incomplete.
    pub kind: Option<u64>,
    /// Absolute offset of the record's first byte.
    pub offset: u64,
}

impl RecordRef {
    /// The name of the type, or `None` if it has no name or is not known yet.
    #[must_use]
    pub fn type_name(&self) -> Option<&'static str> {
        types::name(self.layer, self.kind?)
    }

    /// The type for display: its name, or its number in hex if it has none. `None` if the type is not known yet.
    #[must_use]
    pub fn type_label(&self) -> Option<TypeLabel> {
        self.kind.map(|kind| TypeLabel { name: self.type_name(), kind })
    }
}

/// A record type for display; see [`RecordRef::type_label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeLabel {
    name: Option<&'static str>,
    kind: u64,
}

impl fmt::Display for TypeLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x}", self.kind),
        }
    }
}

/// One violation of a rule. `Display` is a line with rule, offset and record; [`message`](Violation::message) is the
/// sentence alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub struct Violation {
    /// The rule that was broken.
    pub rule: Rule,
    /// Absolute offset, in bytes from the start of the input.
    pub offset: u64,
    /// The record that contains the offset, if any.
    pub record: Option<RecordRef>,
    /// The value, bound or limit that the rule asks for, or 0 if there is none.
    pub expected: u64,
    /// The value that was found.
    pub found: u64,
    /// The change between releases of Xen that decides whether this is refused, if not every release refuses it.
    pub fact: Option<Fact>,
    /// Whether no release accepts this value together with the rest of the stream, although some accept each alone.
    pub is_combination: bool,
}

impl Violation {
    /// The layer of the rule.
    #[must_use]
    pub const fn layer(&self) -> Layer {
        self.rule.layer()
    }

    /// Returns whether the violation makes the stream unjudged rather than invalid: everything before its offset was
    /// verified, and what follows is in a format that cannot be.
    #[must_use]
    pub const fn is_unjudged(&self) -> bool {
        self.rule.is_unjudged()
    }

    /// The sentence that says what was found and what was expected.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        Message(self)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {} ({:#x})", self.rule, self.offset, self.offset)?;
        if let Some(record) = &self.record {
            write!(f, ", {record}")?;
        }
        write!(f, ": {}", self.message())
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.layer == Layer::Hvm { "entry" } else { "record" };
        write!(f, "{} {noun} {}", self.layer, self.index)?;
        match self.type_label() {
            Some(label) => write!(f, " ({label} at {})", self.offset),
            None => write!(f, " (at {})", self.offset),
        }
    }
}

/// The sentence of a violation; see [`Violation::message`].
#[derive(Clone, Copy, Debug)]
pub struct Message<'a>(&'a Violation);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { rule, expected, found, .. } = *self.0;
        let mut rest = rule.entry().message;
        while let Some((text, tail)) = rest.split_once('{') {
            f.write_str(text)?;
            let (place, tail) = tail.split_once('}').unwrap_or((tail, ""));
            rest = tail;
            match place {
                "found" => write!(f, "{found}")?,
                "found:x" => write!(f, "{found:#x}")?,
                "expected" => write!(f, "{expected}")?,
                "expected:x" => write!(f, "{expected:#x}")?,
                "found:libxc" => named(f, Layer::Libxc, found)?,
                "found:xenopsd" => f.write_str(types::name(Layer::Xenopsd, found).unwrap_or("the header"))?,
                "found:libxl" => named(f, Layer::Libxl, found)?,
                "reading" => f.write_str(match self.0.record {
                    Some(record) if record.kind.is_none() => "a record header",
                    Some(_) => "a record",
                    None => "a header",
                })?,
                "found:follows" => following(f, found)?,
                "expected:format" => beginning(f, expected)?,
                "expected:converter" => converter(f, expected)?,
                "found:legacy" if libxc::is_legacy(found.to_be_bytes()) => f.write_str(
                    "; the bytes look like a legacy image of Xen 4.5 or older, which the header does not announce",
                )?,
                "found:legacy" => {}
                "range" if found < expected => write!(f, "lies below start_pfn {expected:#x}")?,
                "range" => write!(f, "reaches the limit p2m-pfn of {expected:#x}")?,
                // A parameter that no toolstack may set is refused whatever its value.
                "to" if params::is_never_set(expected) => {}
                "to" if matches!(self.0.fact, Some(Fact::Nest | Fact::Altp2m)) => {}
                "to" => write!(f, " to {found:#x}")?,
                "missing" => missing(f, found.min(expected), found.max(expected))?,
                "lack" if expected == 0 || self.0.record.is_none_or(|record| record.kind.is_none()) => {}
                "lack" => write!(f, " that lacks {}", ByteSize(expected))?,
                "type" => f.write_str(domain_type(expected).map_or("unknown", DomainType::name))?,
                "shown" => f.write_str(Shown::of(found).text())?,
                "of-type" if found == UNKNOWN_TYPE => f.write_str("of another type")?,
                "of-type" => write!(f, "of type {found:#x}")?,
                "found:viridian" => viridian(f, found)?,
                "expected:viridian" => viridian(f, expected)?,
                "torn" if expected == 0 => {}
                "torn" => f.write_str(", and the record after it is incomplete")?,
                // A test checks that every placeholder in the catalogue is handled here.
                _ => f.write_str(place)?,
            }
        }
        f.write_str(rest)?;
        match self.0.fact {
            None => Ok(()),
            Some(fact) => {
                let takers: TargetSet = Target::all().filter(|target| !target.refuses(fact)).collect();
                let rest =
                    if self.0.is_combination { ", but not together with the rest of the stream" } else { "" };
                write!(f, "; accepted by {takers}{rest}")
            }
        }
    }
}

/// The value of `found` in `pv::cr3-type` and `pv::cr1-type` if the type of the page was not remembered.
pub const UNKNOWN_TYPE: u64 = u64::MAX;

/// Stands for Viridian features if the stream has a Viridian entry in HVM_CONTEXT but no features.
pub(crate) const VIRIDIAN_STATE: u64 = u64::MAX;

/// Formats the Viridian features that a stream or a configuration gives a guest.
fn viridian(f: &mut fmt::Formatter<'_>, features: u64) -> fmt::Result {
    match features {
        0 => f.write_str("no Viridian features"),
        VIRIDIAN_STATE => f.write_str("Viridian state"),
        features => write!(f, "Viridian features {features:#x}"),
    }
}

/// The number of a domain type, which is `expected` in `xl::type-mismatch`.
pub(crate) fn number_of(domain_type: DomainType) -> u64 {
    domain_type as u64
}

fn domain_type(number: u64) -> Option<DomainType> {
    DomainType::ALL.into_iter().find(|domain_type| number_of(*domain_type) == number)
}

/// What a stream reveals about its domain's type, which is `found` in `xl::type-mismatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    PvGuest,
    HvmGuest,
    EmulatorRecord,
    EmulatedDevices,
}

impl Shown {
    const ALL: [Shown; 4] = [Shown::PvGuest, Shown::HvmGuest, Shown::EmulatorRecord, Shown::EmulatedDevices];

    fn of(number: u64) -> Shown {
        Shown::ALL.into_iter().find(|shown| *shown as u64 == number).unwrap_or(Shown::PvGuest)
    }

    const fn text(self) -> &'static str {
        match self {
            Shown::PvGuest => "the stream holds a PV guest",
            Shown::HvmGuest => "the stream holds an HVM or PVH guest",
            Shown::EmulatorRecord => "the stream has a device-model record",
            Shown::EmulatedDevices => "the stream has emulated devices",
        }
    }
}

fn named(f: &mut fmt::Formatter<'_>, layer: Layer, kind: u64) -> fmt::Result {
    write!(f, "{}", TypeLabel { name: types::name(layer, kind), kind })
}

/// Formats the missing pfns `first..end`, and how much memory that is.
fn missing(f: &mut fmt::Formatter<'_>, first: u64, end: u64) -> fmt::Result {
    let pages = end.saturating_sub(first);
    if pages == 1 {
        write!(f, "pfn {first:#x} is missing: ")?;
    } else {
        write!(f, "pfns {first:#x} to {:#x} are missing: ", end.saturating_sub(1))?;
    }
    write!(f, "{}", ByteSize(pages.saturating_mul(PAGE_SIZE)))
}

/// Says how to convert a legacy image. `format` is an index into [`Format::ALL`].
fn converter(f: &mut fmt::Formatter<'_>, format: u64) -> fmt::Result {
    f.write_str(match usize::try_from(format).ok().and_then(|n| Format::ALL.get(n)) {
        Some(Format::Xl) => {
            "xl restore of Xen 4.6 and later converts it automatically, with convert-legacy-stream"
        }
        Some(Format::Libvirt) => {
            "libvirt restores it through libxl, which converts it automatically, with convert-legacy-stream"
        }
        Some(Format::Xenopsd | Format::Libxl | Format::Libxc | Format::Auto) | None => {
            "convert it with convert-legacy-stream, which comes with Xen 4.6 and later"
        }
    })
}

/// Says what follows the end of a stream. `format` is an index into [`Format::ALL`] if it is another image.
fn following(f: &mut fmt::Formatter<'_>, format: u64) -> fmt::Result {
    match usize::try_from(format).ok().and_then(|n| Format::ALL.get(n)) {
        None | Some(Format::Auto) => f.write_str("more bytes follow"),
        Some(format) => write!(f, "another image follows, of format {format}"),
    }
}

/// Says what was expected at the start. `format` is an index into [`Format::ALL`].
fn beginning(f: &mut fmt::Formatter<'_>, format: u64) -> fmt::Result {
    match usize::try_from(format).ok().and_then(|n| Format::ALL.get(n)) {
        None | Some(Format::Auto) => {
            f.write_str("there is no magic of an xl, libvirt, xenopsd, libxl or libxc stream")
        }
        Some(format) => write!(f, "the requested format is {format}, but its magic is not"),
    }
}
