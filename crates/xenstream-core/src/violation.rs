//! What went wrong, and where.

use core::fmt;

use crate::rule::Rule;
use crate::size::ByteSize;
use crate::summary::{DomainType, Format};
use crate::targets::{Fact, Target, TargetSet};
use crate::wire::libxc::params;
use crate::wire::{PAGE_SIZE, libxc, types};

/// A layer of the format, and the place in which a rule is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The bytes themselves.
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
    /// The chain inside HVM_CONTEXT.
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

    /// The layer's name, as rules begin with it.
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

/// The record in which something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordRef {
    /// The layer whose record it is: xenopsd, libxl, libxc, or hvm for an entry of HVM_CONTEXT's chain.
    pub layer: Layer,
    /// Counts from 0 in its layer and runs on through checkpoints; in its blob for an hvm entry.
    pub index: u64,
    /// The type's number; `None` while the record's header is torn.
    pub kind: Option<u64>,
    /// Absolute offset of the record's first byte.
    pub offset: u64,
}

impl RecordRef {
    /// The type's name, `None` if it has none or is not known yet.
    #[must_use]
    pub fn type_name(&self) -> Option<&'static str> {
        types::name(self.layer, self.kind?)
    }

    /// The type for people: its name, its number in hex when it has none, `None` while it is not known.
    #[must_use]
    pub fn type_label(&self) -> Option<TypeLabel> {
        self.kind.map(|kind| TypeLabel { name: self.type_name(), kind })
    }
}

/// A record type for people; see [`RecordRef::type_label`].
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

/// One broken rule. `Display` is one line for an operator, [`message`](Violation::message) its sentence alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub struct Violation {
    /// The rule that was broken.
    pub rule: Rule,
    /// Absolute offset, in bytes from the start of the input.
    pub offset: u64,
    /// The record in which it was found, if it was inside one.
    pub record: Option<RecordRef>,
    /// What the rule asks for: a value, a bound or a limit; 0 where that makes no sense.
    pub expected: u64,
    /// What was there.
    pub found: u64,
    /// The change between releases of Xen that decides whether this is refused, for a finding that not all make.
    pub fact: Option<Fact>,
    /// No release takes that together with what the stream showed before, though each is taken by some.
    pub is_combination: bool,
}

impl Violation {
    /// The layer of the rule.
    #[must_use]
    pub const fn layer(&self) -> Layer {
        self.rule.layer()
    }

    /// Whether it leaves the stream unjudged rather than invalid: all before its offset was verified, and what follows
    /// is in a format that cannot be.
    #[must_use]
    pub const fn is_unjudged(&self) -> bool {
        self.rule.is_unjudged()
    }

    /// The sentence: what was found, and what was expected.
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

/// A violation's sentence; see [`Violation::message`].
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
                    "; the bytes are those of a legacy image of Xen 4.5 or older, which the header does not announce",
                )?,
                "found:legacy" => {}
                "range" if found < expected => write!(f, "lies below start_pfn {expected:#x}")?,
                "range" => write!(f, "reaches the limit p2m-pfn of {expected:#x}")?,
                // A parameter that no toolstack may set is refused before its value is looked at.
                "to" if params::is_never_set(expected) => {}
                "to" if matches!(self.0.fact, Some(Fact::Nest | Fact::Altp2m)) => {}
                "to" => write!(f, " to {found:#x}")?,
                "missing" => missing(f, found.min(expected), found.max(expected))?,
                "lack" if expected == 0 || self.0.record.is_none_or(|record| record.kind.is_none()) => {}
                "lack" => write!(f, ", of which {} are missing", ByteSize(expected))?,
                "type" => f.write_str(domain_type(expected).map_or("unknown", DomainType::name))?,
                "shown" => f.write_str(Shown::of(found).text())?,
                "of-type" if found == UNKNOWN_TYPE => f.write_str("of another type")?,
                "of-type" => write!(f, "of type {found:#x}")?,
                "found:viridian" => viridian(f, found)?,
                "expected:viridian" => viridian(f, expected)?,
                "torn" if expected == 0 => {}
                "torn" => f.write_str(", and the record behind it is torn")?,
                // A test walks the catalogue for placeholders that are not in this table.
                _ => f.write_str(place)?,
            }
        }
        f.write_str(rest)?;
        match self.0.fact {
            None => Ok(()),
            Some(fact) => {
                let takers: TargetSet = Target::all().filter(|target| !target.refuses(fact)).collect();
                let rest = if self.0.is_combination {
                    ", and with the rest of the stream by no release"
                } else {
                    ""
                };
                write!(f, "; taken by {takers}{rest}")
            }
        }
    }
}

/// A page's type that was not kept, as `pv::cr3-type` and `pv::cr1-type` have it for `found`.
pub const UNKNOWN_TYPE: u64 = u64::MAX;

/// Features of Viridian that are none, since the stream has an entry of HVM_CONTEXT instead.
pub(crate) const VIRIDIAN_STATE: u64 = u64::MAX;

/// Features of Viridian that a stream or a configuration gives a guest.
fn viridian(f: &mut fmt::Formatter<'_>, features: u64) -> fmt::Result {
    match features {
        0 => f.write_str("no features of Viridian"),
        VIRIDIAN_STATE => f.write_str("state of Viridian"),
        features => write!(f, "features {features:#x} of Viridian"),
    }
}

/// The number of a domain type in [`DomainType::ALL`], as `xl::type-mismatch` has it for `expected`.
pub(crate) fn number_of(domain_type: DomainType) -> u64 {
    domain_type as u64
}

fn domain_type(number: u64) -> Option<DomainType> {
    DomainType::ALL.into_iter().find(|domain_type| number_of(*domain_type) == number)
}

/// What a stream shows of its domain's type, as `xl::type-mismatch` has it for `found`.
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
            Shown::PvGuest => "the stream is of a PV guest",
            Shown::HvmGuest => "the stream is of an HVM or PVH guest",
            Shown::EmulatorRecord => "the stream has a record of a device model",
            Shown::EmulatedDevices => "the stream has emulated devices",
        }
    }
}

fn named(f: &mut fmt::Formatter<'_>, layer: Layer, kind: u64) -> fmt::Result {
    write!(f, "{}", TypeLabel { name: types::name(layer, kind), kind })
}

/// Pfns that are missing, from `first` to before `end`, and the memory that they stand for.
fn missing(f: &mut fmt::Formatter<'_>, first: u64, end: u64) -> fmt::Result {
    let pages = end.saturating_sub(first);
    if pages == 1 {
        write!(f, "pfn {first:#x} is missing: ")?;
    } else {
        write!(f, "pfns {first:#x} to {:#x} are missing: ", end.saturating_sub(1))?;
    }
    write!(f, "{}", ByteSize(pages.saturating_mul(PAGE_SIZE)))
}

/// Who converts a legacy image, by the place of its format among all.
fn converter(f: &mut fmt::Formatter<'_>, format: u64) -> fmt::Result {
    f.write_str(match usize::try_from(format).ok().and_then(|n| Format::ALL.get(n)) {
        Some(Format::Xl) => {
            "xl restore of Xen 4.6 and later converts it by itself, with convert-legacy-stream"
        }
        Some(Format::Libvirt) => {
            "libvirt restores it through libxl, which converts it by itself, with convert-legacy-stream"
        }
        Some(Format::Xenopsd | Format::Libxl | Format::Libxc | Format::Auto) | None => {
            "convert it with convert-legacy-stream, which comes with Xen 4.6 and later"
        }
    })
}

/// What was expected at the start, by the format's place among all.
/// What follows the end of a stream: another image, where the format is known.
fn following(f: &mut fmt::Formatter<'_>, format: u64) -> fmt::Result {
    match usize::try_from(format).ok().and_then(|n| Format::ALL.get(n)) {
        None | Some(Format::Auto) => f.write_str("the file goes on"),
        Some(format) => write!(f, "another image follows, of format {format}"),
    }
}

fn beginning(f: &mut fmt::Formatter<'_>, format: u64) -> fmt::Result {
    match usize::try_from(format).ok().and_then(|n| Format::ALL.get(n)) {
        None | Some(Format::Auto) => {
            f.write_str("no magic of an xl, libvirt, xenopsd, libxl or libxc stream stands")
        }
        Some(format) => write!(f, "the magic of format {format}, which it was said to be in, does not stand"),
    }
}
