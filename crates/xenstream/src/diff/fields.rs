//! Values of a record in two images, and bytes that no value shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use xenstream_core::Layer;
use xenstream_core::wire::layout::Show;
use xenstream_core::wire::{libxl, structures, types};

use crate::diff::snapshot::{Found, Key};
use crate::diff::{DiffError, Difference, Sample, Side, config};
use crate::inspect::{Content, Datum, LISTED, Value};

/// Bytes of a body that an inspection decodes.
const DECODED: u64 = 16 << 10;
/// Bytes that are compared together.
const WINDOW: u64 = 64 << 10;
/// Most bytes of a configuration that are compared by key.
const CONFIGURATION: u64 = 16 << 20;
/// Characters of a value that are kept.
const KEPT: usize = 1024;

/// Lengths of configurations, which follow from these.
const FOLLOWING: [&str; 2] = ["optional_data_len", "xml_len"];
/// Fields by which an element of a list is known.
const KEYS: [&str; 4] = ["leaf", "subleaf", "index", "key"];

/// Compares a record of two images.
pub(super) fn compare(
    key: &Key,
    found: [Option<&Found>; 2],
    sides: [Side<'_>; 2],
    differences: &mut Vec<Difference>,
) -> Result<(), DiffError> {
    let mut out = Out { key, differences };
    let [Some(a), Some(b)] = found else {
        out.push(None, found.map(|found| found.map(|found| found.content.to_string())));
        return Ok(());
    };
    if key.name == "configuration" && configuration(&mut out, [a, b], sides)? {
        return Ok(());
    }
    let before = out.differences.len();
    values(&mut out, [a, b].map(|found| flatten(&found.content)));
    if !matches!(key.name.as_str(), "header" | "image header" | "domain header" | "configuration") {
        // Where values differ, their number may, and this is no news.
        if a.length != b.length && out.differences.len() == before {
            out.push(Some("length".to_owned()), [a, b].map(|found| Some(found.length.to_string())));
        }
        bytes(&mut out, [a, b], sides)?;
    }
    Ok(())
}

/// Where differences of one record go.
struct Out<'o> {
    key: &'o Key,
    differences: &'o mut Vec<Difference>,
}

impl Out<'_> {
    fn push(&mut self, field: Option<String>, values: [Option<String>; 2]) {
        self.push_bytes(field, values, None);
    }

    fn push_bytes(&mut self, field: Option<String>, values: [Option<String>; 2], bytes: Option<(u64, u64)>) {
        let values = values.map(|value| value.map(|value| value.chars().take(KEPT).collect()));
        let (layer, place) = (self.key.layer.0, self.key.place());
        self.differences.push(Difference { layer, place, field, values, bytes });
    }
}

/// Compares values by name.
fn values(out: &mut Out<'_>, [a, b]: [BTreeMap<String, Flat>; 2]) {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for name in names {
        match [a.get(name), b.get(name)] {
            [Some(Flat::Element(one)), Some(Flat::Element(other))] => {
                let fields: BTreeSet<&&str> = one.keys().chain(other.keys()).collect();
                for field in fields {
                    let [one, other] = [one.get(*field), other.get(*field)];
                    if one != other {
                        out.push(Some(format!("{name} {field}")), [one.cloned(), other.cloned()]);
                    }
                }
            }
            [one, other] if one != other => {
                out.push(Some(name.clone()), [one, other].map(|flat| flat.map(ToString::to_string)));
            }
            _ => {}
        }
    }
}

/// A value with a name of its own, or an element of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Flat {
    One(String),
    Element(BTreeMap<&'static str, String>),
}

impl fmt::Display for Flat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flat::One(value) => f.write_str(value),
            Flat::Element(fields) => {
                let fields = fields.iter().map(|(name, value)| format!("{name} {value}"));
                f.write_str(&fields.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Compares configurations by key; false if they are not alike enough.
fn configuration(out: &mut Out<'_>, found: [&Found; 2], sides: [Side<'_>; 2]) -> Result<bool, DiffError> {
    let mut keys = Vec::new();
    for (found, side) in found.into_iter().zip(sides) {
        let length = found.body.end - found.body.start;
        if length > CONFIGURATION {
            return Ok(false);
        }
        let mut text = vec![0; length as usize];
        side.read(found.body.start, &mut text)?;
        let flat = config::flatten(out.key.layer.0, &text);
        keys.extend(flat.map(|keys| keys.into_iter().map(|(key, value)| (key, Flat::One(value))).collect()));
    }
    let Ok(keys) = <[_; 2]>::try_from(keys) else { return Ok(false) };
    values(out, keys);
    Ok(true)
}

/// The values in a record by name, elements of lists among them.
fn flatten(content: &Content) -> BTreeMap<String, Flat> {
    let Content::Values(values) = content else { return BTreeMap::new() };
    let mut flat = BTreeMap::new();
    for Value { name, datum, .. } in values.derived.iter().chain(&values.fields) {
        match datum {
            Datum::Absent => {}
            Datum::List { elements, .. } => {
                for (n, element) in elements.iter().enumerate() {
                    let fields = element.iter().filter(|value| !KEYS.contains(&value.name));
                    let fields = fields.map(|value| (value.name, value.datum.to_string()));
                    flat.insert(label(name, n, element), Flat::Element(fields.collect()));
                }
            }
            Datum::Numbers(numbers, show) => {
                for (n, number) in numbers.iter().enumerate() {
                    let number = Datum::Number(*number, *show).to_string();
                    flat.insert(format!("{name} {n}"), Flat::One(number));
                }
            }
            _ if FOLLOWING.contains(name) => {}
            datum => {
                flat.insert((*name).to_owned(), Flat::One(datum.to_string()));
            }
        }
    }
    flat
}

/// By what an element of a list is known: its index fields, or where it stands.
fn label(list: &str, n: usize, element: &[Value]) -> String {
    /// `subleaf` of a leaf that has none.
    const NONE: u64 = 0xFFFF_FFFF;
    let keys = element.iter().filter(|value| KEYS.contains(&value.name));
    let keys = keys.filter(|value| !matches!(value.datum, Datum::Number(NONE, _)));
    let label = keys.map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if label.is_empty() { format!("{list} {n}") } else { label }
}

/// Bytes of a body that belong together.
struct Area {
    name: &'static str,
    bytes: Range<u64>,
    /// Values show them.
    is_shown: bool,
}

/// The areas of a body, by ascending offset, as far as it is decoded.
fn areas(key: &Key, length: u64) -> Vec<Area> {
    let layer = key.layer.0;
    let Some(known) = types::all(layer).find(|known| known.name == key.name) else { return Vec::new() };
    // Keys and values are shown whole.
    let is_text = layer == Layer::Libxl && known.number == u64::from(libxl::types::EMULATOR_XENSTORE_DATA);
    let mut areas = Vec::new();
    let mut base = 0;
    for layout in structures::of_body(layer, known.number, length) {
        let rest = length.saturating_sub(base);
        let fields = layout.fields(rest).take_while(|placed| base + placed.offset < DECODED);
        areas.extend(fields.map(|placed| {
            let start = base + placed.offset;
            let is_rest = placed.field.width == 0;
            let end = if is_rest { length } else { start + u64::from(placed.field.width) };
            let is_area = placed.field.show == Show::Bytes && !is_text;
            let is_shown = !is_area && (placed.element as usize) < LISTED;
            Area { name: placed.field.name, bytes: start..end, is_shown }
        }));
        base += layout.size();
    }
    areas
}

/// Compares the bytes of two bodies that no value shows.
fn bytes(out: &mut Out<'_>, [a, b]: [&Found; 2], sides: [Side<'_>; 2]) -> Result<(), DiffError> {
    let lengths = [a, b].map(|found| found.body.end - found.body.start);
    let common = lengths[0].min(lengths[1]);
    let areas = areas(out.key, a.length.min(b.length));
    let mut differing: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    let mut windows = [vec![0; WINDOW.min(common) as usize], vec![0; WINDOW.min(common) as usize]];
    let mut done = 0;
    while done < common {
        let length = WINDOW.min(common - done) as usize;
        for ((window, side), found) in windows.iter_mut().zip(sides).zip([a, b]) {
            side.read(found.body.start + done, &mut window[..length])?;
        }
        let [one, other] = &windows;
        if one[..length] != other[..length] {
            let pairs = one[..length].iter().zip(&other[..length]);
            for (at, _) in (done..).zip(pairs).filter(|(_, (one, other))| one != other) {
                let area = areas.partition_point(|area| area.bytes.end <= at);
                let area = areas.get(area).filter(|area| area.bytes.contains(&at));
                if area.is_some_and(|area| area.is_shown && area.bytes.start < DECODED) {
                    continue;
                }
                let (count, _) = differing.entry(area.map_or("bytes", |area| area.name)).or_insert((0, at));
                *count += 1;
            }
        }
        done += length as u64;
    }
    for (name, (count, at)) in differing {
        let mut shown = [None, None];
        for ((shown, side), found) in shown.iter_mut().zip(sides).zip([a, b]) {
            let mut bytes = vec![0; (common - at).min(Sample::BYTES as u64) as usize];
            side.read(found.body.start + at, &mut bytes)?;
            *shown = Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "));
        }
        out.push_bytes(Some(name.to_owned()), shown, Some((count, at)));
    }
    Ok(())
}
