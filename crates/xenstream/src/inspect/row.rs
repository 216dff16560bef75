//! What an inspection tells: rows.

use std::fmt;

#[cfg(feature = "json")]
use serde::{Serialize, Serializer};
use xenstream_core::wire::types;
use xenstream_core::{Layer, TypeLabel};

use crate::inspect::Content;

/// A record, a header, or an entry of HVM_CONTEXT: where it is and what kind of thing, before anything in it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Head {
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// The layer.
    #[cfg_attr(feature = "json", serde(serialize_with = "layer_name"))]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub layer: Layer,
    /// How deep the layer is nested: 0 for the outermost that this input has.
    pub depth: u8,
    /// Counts from 0 in its layer, in its chain for an entry of HVM_CONTEXT; headers have none.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub index: Option<u64>,
    /// The type.
    #[cfg_attr(feature = "json", serde(rename = "type"))]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub kind: Kind,
    /// Bytes in the body; of a header, all its bytes.
    pub body_length: u64,
    /// Bytes in all: the record's own header and padding count too.
    pub bytes: u64,
}

impl Head {
    /// Absolute offset after the last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes)
    }
}

/// What kind of thing a row is about. `Display` is its name, or its number in hex where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Something outside any record: `header`, `signature`, `image header`, `domain header` or `configuration`.
    Header(&'static str),
    /// A record, or an entry of HVM_CONTEXT.
    Record(TypeLabel),
}

impl Kind {
    /// Every name that a type has, some of them in several layers.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let headers = ["header", "configuration", "signature", "image header", "domain header"];
        let types = Layer::all().flat_map(types::all);
        headers.into_iter().chain(types.map(|known| known.name))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Header(name) => f.pad(name),
            Kind::Record(label) => f.pad(&label.to_string()),
        }
    }
}

#[cfg(feature = "json")]
impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is in a record, a header, or an entry of HVM_CONTEXT.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Row {
    /// Where it is, and of what type; of a run, the first record's place and all records' bytes.
    #[cfg_attr(feature = "json", serde(flatten))]
    pub head: Head,
    /// Index of the last record of a [run](crate::inspect::Fold).
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub last_index: Option<u64>,
    /// The stream ended inside it, by a broken rule or otherwise; what was seen of it is decoded all the same. Of
    /// HVM_CONTEXT, whose row stands in front of its entries, the last of these tells.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "is_false"))]
    pub torn: bool,
    /// What is in it.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Content::is_nothing"))]
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Map<String, serde_json::Value>"))]
    pub content: Content,
}

impl Row {
    /// How many records it stands for.
    #[must_use]
    pub fn records(&self) -> u64 {
        match (self.head.index, self.last_index) {
            (Some(first), Some(last)) => last.saturating_sub(first).saturating_add(1),
            _ => 1,
        }
    }
}

/// Offset, layer, type and content, without alignment.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { offset, layer, kind, .. } = self.head;
        write!(f, "{offset} {layer} {kind}")?;
        if !self.content.is_nothing() {
            write!(f, ": {}", self.content)?;
        }
        Ok(())
    }
}

#[cfg(feature = "json")]
fn layer_name<S: Serializer>(layer: &Layer, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(layer.name())
}

#[cfg(feature = "json")]
fn is_false(flag: &bool) -> bool {
    !flag
}
