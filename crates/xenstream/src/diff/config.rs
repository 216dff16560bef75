//! Configurations, JSON or XML, as keys and values.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;
use xenstream_core::Layer;

/// Characters of a key that are kept of each part of its path.
const KEPT: usize = 64;
/// How deep elements may be nested; what lies deeper is not compared.
const DEPTH: usize = 64;

/// The keys of a configuration and their values; `None` if it is not what its header says.
pub(super) fn flatten(layer: Layer, text: &[u8]) -> Option<BTreeMap<String, String>> {
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    let mut keys = BTreeMap::new();
    match layer {
        Layer::Xl => json(&serde_json::from_slice(text).ok()?, "", &mut keys),
        _ => xml(text, &mut keys)?,
    }
    Some(keys)
}

fn cut(name: &str) -> String {
    name.chars().take(KEPT).collect()
}

fn json(value: &Value, path: &str, keys: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                json(value, &format!("{path}{dot}{}", cut(name)), keys);
            }
        }
        Value::Array(elements) => {
            for (n, value) in elements.iter().enumerate() {
                json(value, &format!("{path}[{n}]"), keys);
            }
        }
        Value::String(text) => {
            keys.insert(path.to_owned(), text.clone());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            keys.insert(path.to_owned(), value.to_string());
        }
    }
}

/// An element that is open.
struct Open {
    path: String,
    /// How many elements of each name have begun in it.
    begun: BTreeMap<String, u64>,
}

fn xml(text: &[u8], keys: &mut BTreeMap<String, String>) -> Option<()> {
    let mut reader = Reader::from_reader(text);
    let mut open = vec![Open { path: String::new(), begun: BTreeMap::new() }];
    let mut too_deep = 0u64;
    loop {
        match reader.read_event().ok()? {
            Event::Start(_) if open.len() > DEPTH => too_deep += 1,
            Event::Start(element) => {
                let path = begin(&element, open.last_mut()?, keys);
                open.push(Open { path, begun: BTreeMap::new() });
            }
            Event::Empty(element) if open.len() <= DEPTH => {
                begin(&element, open.last_mut()?, keys);
            }
            Event::End(_) if too_deep > 0 => too_deep -= 1,
            Event::End(_) => {
                open.pop();
            }
            Event::Text(text) if too_deep == 0 => {
                let text = text.trim();
                if !text.is_empty() {
                    keys.entry(open.last()?.path.clone()).or_default().push_str(text);
                }
            }
            Event::Eof => return Some(()),
            _ => {}
        }
    }
}

/// An element begins; its attributes are keys. From the second on, elements of one name are numbered.
fn begin(element: &BytesStart<'_>, parent: &mut Open, keys: &mut BTreeMap<String, String>) -> String {
    let name = cut(element.name().as_ref());
    let count = parent.begun.entry(name.clone()).or_default();
    let number = if *count == 0 { String::new() } else { format!("[{count}]") };
    *count += 1;
    let path = format!("{}/{name}{number}", parent.path);
    for attribute in element.attributes().flatten() {
        let key = format!("{path}@{}", cut(attribute.key.as_ref()));
        keys.insert(key, attribute.value.into_owned());
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(layer: Layer, text: &str) -> Vec<(String, String)> {
        flatten(layer, text.as_bytes()).unwrap().into_iter().collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn json_keys_are_paths() {
        let found = keys(Layer::Xl, "{\"c_info\":{\"name\":\"a\"},\"disks\":[{\"rw\":1},{\"rw\":true}]}\0");
        assert_eq!(found, pairs(&[("c_info.name", "a"), ("disks[0].rw", "1"), ("disks[1].rw", "true")]));
        assert_eq!(flatten(Layer::Xl, b"{"), None);
    }

    #[test]
    fn xml_keys_are_paths() {
        let text = "<domain type='xen'><name> a </name><disk/><disk dev='x'><b>2</b></disk></domain>";
        let expected = [
            ("/domain/disk[1]/b", "2"),
            ("/domain/disk[1]@dev", "x"),
            ("/domain/name", "a"),
            ("/domain@type", "xen"),
        ];
        assert_eq!(keys(Layer::Libvirt, text), pairs(&expected));
    }

    #[test]
    fn deep_nesting_is_cut() {
        let text = format!("{}x{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
        assert!(keys(Layer::Libvirt, &text).is_empty());
    }
}
