//! Violations: what is wrong, and where.

use core::fmt;

use crate::rule::Rule;
use crate::size::ByteSize;
use crate::summary::Format;
use crate::targets::{Fact, Target, TargetSet};
use crate::value::Value;
use crate::wire::libxc::params;
use crate::wire::{PAGE_SIZE, libxc, types};

/// A layer of the format, to which each rule belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "code that handles records must handle a new layer: the compiler shows each place"
)]
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
    /// The host on which the stream will be restored.
    Host,
}

impl Layer {
    pub(crate) const ALL: &'static [Layer] = &[
        Layer::Stream,
        Layer::Xl,
        Layer::Libvirt,
        Layer::Xenopsd,
        Layer::Libxl,
        Layer::Libxc,
        Layer::Hvm,
        Layer::Pv,
        Layer::Qemu,
        Layer::Host,
    ];

    /// Returns every layer: the formats outermost first, then what is judged inside their records.
    pub fn all() -> impl DoubleEndedIterator<Item = Layer> + ExactSizeIterator + Clone {
        Layer::ALL.iter().copied()
    }

    /// Returns the layers that have headers or records, outermost first.
    pub fn formats() -> impl DoubleEndedIterator<Item = Layer> + ExactSizeIterator + Clone {
        [Layer::Xl, Layer::Libvirt, Layer::Xenopsd, Layer::Libxl, Layer::Libxc, Layer::Hvm].into_iter()
    }

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
            Layer::Host => "host",
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
#[expect(clippy::exhaustive_structs, reason = "callers name records by it; it has what a violation prints")]
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
        self.kind.map(|kind| TypeLabel::new(self.layer, kind))
    }
}

/// A record type for display; see [`RecordRef::type_label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeLabel {
    name: Option<&'static str>,
    kind: u64,
}

impl TypeLabel {
    pub(crate) fn new(layer: Layer, kind: u64) -> TypeLabel {
        TypeLabel { name: types::name(layer, kind), kind }
    }
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
#[non_exhaustive]
pub struct Violation {
    /// The rule that was broken.
    pub rule: Rule,
    /// Absolute offset, in bytes from the start of the input.
    pub offset: u64,
    /// The record that contains the offset, if any.
    pub record: Option<RecordRef>,
    /// The value, bound or limit that the rule asks for.
    pub expected: Value,
    /// The value that was found.
    pub found: Value,
    /// The change between releases of Xen that decides whether this is refused, if not every release refuses it.
    pub fact: Option<Fact>,
    /// Whether no release accepts this value together with the rest of the stream, although some accept each alone.
    pub is_combination: bool,
}

impl Violation {
    /// A violation without values, which every release refuses.
    #[must_use]
    pub const fn new(rule: Rule, offset: u64, record: Option<RecordRef>) -> Violation {
        let (expected, found) = (Value::None, Value::None);
        Violation { rule, offset, record, expected, found, fact: None, is_combination: false }
    }

    /// Sets the value that was found.
    #[must_use]
    pub fn found(self, found: impl Into<Value>) -> Violation {
        Violation { found: found.into(), ..self }
    }

    /// Sets the value, bound or limit that the rule asks for.
    #[must_use]
    pub fn expected(self, expected: impl Into<Value>) -> Violation {
        Violation { expected: expected.into(), ..self }
    }

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
        let Violation { rule, expected, found, record, fact, .. } = *self.0;
        let numbers = || (found.number().unwrap_or(0), expected.number().unwrap_or(0));
        let mut rest = rule.entry().message;
        while let Some((text, tail)) = rest.split_once('{') {
            f.write_str(text)?;
            let (place, tail) = tail.split_once('}').unwrap_or((tail, ""));
            rest = tail;
            match place {
                "found" => write!(f, "{found}")?,
                "found:x" => write!(f, "{found:x}")?,
                "expected" => write!(f, "{expected}")?,
                "expected:x" => write!(f, "{expected:x}")?,
                "reading" => f.write_str(match record {
                    Some(record) if record.kind.is_none() => "a record header",
                    Some(_) => "a record",
                    None => "a header",
                })?,
                "follows" => match found {
                    Value::Format(format) => write!(f, "another image follows, of format {format}")?,
                    _ => f.write_str("more bytes follow")?,
                },
                "beginning" => match expected {
                    Value::Format(Format::Auto) => {
                        f.write_str("there is no magic of an xl, libvirt, xenopsd, libxl or libxc stream")?;
                    }
                    format => write!(f, "the requested format is {format}, but its magic is not")?,
                },
                "converter" => f.write_str(converter(expected))?,
                "legacy" => match found {
                    Value::Number(ident) if libxc::is_legacy(ident.to_be_bytes()) => f.write_str(
                        "; the bytes look like a legacy image of Xen 4.5 or older, which the header does not announce",
                    )?,
                    _ => {}
                },
                "range" => match numbers() {
                    (end, start) if end < start => write!(f, "lies below start_pfn {start:#x}")?,
                    (_, limit) => write!(f, "reaches the limit p2m-pfn of {limit:#x}")?,
                },
                // A parameter that no toolstack may set is refused whatever its value.
                "to" if params::is_never_set(numbers().1) => {}
                "to" if matches!(fact, Some(Fact::Nest | Fact::Altp2m)) => {}
                "to" => write!(f, " to {found:x}")?,
                "missing" => {
                    let (found, expected) = numbers();
                    missing(f, found.min(expected), found.max(expected))?;
                }
                "lack" => {
                    if let Value::Number(bytes) = expected {
                        write!(f, " that lacks {}", ByteSize(bytes))?;
                    }
                }
                "torn" => match record {
                    Some(record) if self.0.offset > record.offset => {
                        f.write_str(", and the record after it is incomplete")?;
                    }
                    _ => {}
                },
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

/// Says how to convert a legacy image of this format.
fn converter(format: Value) -> &'static str {
    match format {
        Value::Format(Format::Xl) => {
            "xl restore of Xen 4.6 and later converts it automatically, with convert-legacy-stream"
        }
        Value::Format(Format::Libvirt) => {
            "libvirt restores it through libxl, which converts it automatically, with convert-legacy-stream"
        }
        _ => "convert it with convert-legacy-stream, which comes with Xen 4.6 and later",
    }
}
