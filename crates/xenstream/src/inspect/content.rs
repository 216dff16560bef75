//! What is in records and headers, decoded. Every list and every string is bounded, whatever a stream holds.

use std::fmt::{self, Display, Formatter};

#[cfg(feature = "json")]
use serde::ser::SerializeMap;
#[cfg(feature = "json")]
use serde::{Serialize, Serializer};
use xenstream_core::wire::layout::Show;

use crate::inspect::{Batch, Text};

/// Most elements of a list that are decoded; the list's own count goes on.
pub const LISTED: usize = 256;

/// Most elements of a list that a line shows.
const SHOWN: usize = 16;

/// What is in a record, a header, or an entry of HVM_CONTEXT. `Display` is one line of bounded length in ASCII that
/// cannot steer a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(Serialize), serde(untagged))]
#[non_exhaustive]
pub enum Content {
    /// There is nothing in it, nothing that is decoded, or too little of it to be decoded.
    #[default]
    Nothing,
    /// PAGE_DATA.
    PageData(Batch),
    /// Anything else.
    Values(Values),
}

impl Content {
    /// Whether nothing was decoded.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Content::Nothing
    }

    /// The value with this name, derived or a field.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Datum> {
        let Content::Values(values) = self else { return None };
        let mut all = values.derived.iter().chain(&values.fields);
        all.find(|value| value.name == name).map(|value| &value.datum)
    }
}

/// The values in a record, a header or an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Values {
    /// Values that follow from several fields, or that no field holds.
    pub derived: Vec<Value>,
    /// Every field that is declared in [`wire`](xenstream_core::wire), in the order of the bytes.
    pub fields: Vec<Value>,
}

/// A value and its name, which is its key in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Value {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub datum: Datum,
    /// Whether a line shows it.
    pub brief: bool,
}

/// A value of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Datum {
    /// It is not known.
    Absent,
    /// A number, and how it is shown.
    Number(u64, Show),
    /// A word of the format.
    Word(&'static str),
    /// Text of the guest's.
    Text(Text),
    /// Numbers that repeat, all shown alike.
    Numbers(Vec<u64>, Show),
    /// Elements of several values.
    List {
        /// How many there are.
        count: u64,
        /// The first of them, at most [`LISTED`].
        elements: Vec<Vec<Value>>,
    },
}

impl Value {
    pub(super) fn new(name: &'static str, datum: Datum) -> Value {
        Value { name, datum, brief: true }
    }

    pub(super) fn decimal(name: &'static str, value: impl Into<u64>) -> Value {
        Value::new(name, Datum::Number(value.into(), Show::Decimal))
    }

    pub(super) fn text(name: &'static str, text: Option<Text>) -> Value {
        Value::new(name, text.map_or(Datum::Absent, Datum::Text))
    }
}

impl Values {
    /// Values that no structure declares.
    pub(super) fn derived(derived: impl IntoIterator<Item = Value>) -> Content {
        Content::Values(Values { derived: derived.into_iter().collect(), fields: Vec::new() })
    }
}

/// A key and what is known of its value: for a number also its name or the names of its bits.
#[cfg(feature = "json")]
fn entries<M: SerializeMap>(map: &mut M, values: &[Value]) -> Result<(), M::Error> {
    for Value { name, datum, .. } in values {
        match datum {
            Datum::Absent => map.serialize_entry(name, &())?,
            Datum::Number(value, show) => {
                map.serialize_entry(name, value)?;
                match show {
                    Show::Named(names) => {
                        map.serialize_entry(&format!("{name}_name"), &name_of(names, *value))?;
                    }
                    Show::Flags(_) => {
                        let flags: Vec<_> = flags(*show, *value).collect();
                        map.serialize_entry(&format!("{name}_flags"), &flags)?;
                    }
                    Show::Hex | Show::Decimal | Show::Bytes => {}
                }
            }
            Datum::Word(word) => map.serialize_entry(name, word)?,
            Datum::Text(text) => map.serialize_entry(name, text)?,
            Datum::Numbers(numbers, _) => map.serialize_entry(name, numbers)?,
            Datum::List { elements, .. } => {
                let elements: Vec<_> = elements.iter().map(|values| Object(values)).collect();
                map.serialize_entry(name, &elements)?;
            }
        }
    }
    Ok(())
}

/// Values as an object.
#[cfg(feature = "json")]
struct Object<'a>(&'a [Value]);

#[cfg(feature = "json")]
impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        entries(&mut map, self.0)?;
        map.end()
    }
}

#[cfg(feature = "json")]
impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        entries(&mut map, &self.derived)?;
        if !self.fields.is_empty() {
            map.serialize_entry("fields", &Object(&self.fields))?;
        }
        map.end()
    }
}

fn name_of(names: &[(u64, &'static str)], number: u64) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// Names of the bits that are set.
fn flags(show: Show, value: u64) -> impl Iterator<Item = &'static str> {
    let flags = if let Show::Flags(flags) = show { flags } else { &[] };
    flags.iter().filter(move |flag| value >> flag.bit & 1 != 0).map(|flag| flag.name)
}

impl Display for Content {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Content::Nothing => Ok(()),
            Content::PageData(batch) => write!(f, "{batch}"),
            Content::Values(values) => {
                let shown = values.derived.iter().chain(&values.fields);
                let shown = shown.filter(|value| value.brief && value.datum != Datum::Absent);
                f.write_str(&shown.map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// The name, and the value with the name of that or of its bits.
impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.datum {
            Datum::List { count, elements } => list(f, *count, elements),
            Datum::Number(value, Show::Named(names)) if name_of(names, *value).is_none() => {
                write!(f, "{} {value:#x}", self.name)
            }
            Datum::Number(value, Show::Named(names)) => {
                write!(f, "{} {value:#x} ({})", self.name, name_of(names, *value).unwrap_or_default())
            }
            datum => write!(f, "{} {datum}", self.name),
        }
    }
}

impl Display for Datum {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Absent => f.write_str("unknown"),
            Datum::Number(value, Show::Decimal) => write!(f, "{value}"),
            Datum::Number(value, Show::Named(names)) => match name_of(names, *value) {
                Some(name) => f.write_str(name),
                None => write!(f, "[{value:#x}]"),
            },
            Datum::Number(value, show) => {
                write!(f, "{value:#x}")?;
                let set: Vec<_> = flags(*show, *value).collect();
                if set.is_empty() { Ok(()) } else { write!(f, " ({})", set.join(" ")) }
            }
            Datum::Word(word) => f.write_str(word),
            Datum::Text(text) => write!(f, "\"{text}\""),
            Datum::Numbers(numbers, show) => {
                let numbers = numbers.iter().map(|number| Datum::Number(*number, *show).to_string());
                f.write_str(&numbers.collect::<Vec<_>>().join(" "))
            }
            Datum::List { count, elements } => list(f, *count, elements),
        }
    }
}

/// As many elements as are shown, equal neighbours as one, and how many are not.
fn list(f: &mut Formatter<'_>, count: u64, elements: &[Vec<Value>]) -> fmt::Result {
    let shown = |element: &Vec<Value>| {
        let values = element.iter().filter(|value| value.brief);
        values.map(|value| value.datum.to_string()).collect::<Vec<_>>().join(" ")
    };
    let shown: Vec<_> = elements.iter().map(shown).collect();
    match count {
        1 => f.write_str("1 entry")?,
        n => write!(f, "{n} entries")?,
    }
    let mut left = count;
    let mut separator = ": ";
    for run in shown.chunk_by(|a, b| a == b).take(SHOWN) {
        let Some(first) = run.first() else { continue };
        write!(f, "{separator}{first}")?;
        if run.len() > 1 {
            write!(f, " x{}", run.len())?;
        }
        separator = ", ";
        left = left.saturating_sub(run.len() as u64);
    }
    if left == 0 { Ok(()) } else { write!(f, ", and {left} more") }
}
