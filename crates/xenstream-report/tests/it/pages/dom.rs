//! A page as a tree that has been walked: strict, as XML is.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// What a page has.
pub(crate) struct Dom {
    /// Attributes of the elements that have an id.
    elements: BTreeMap<String, BTreeMap<String, String>>,
    /// The values of `data` elements, each under the innermost id around it and under its section's.
    numbers: Vec<(String, u64)>,
    /// All text.
    pub(crate) text: String,
}

impl Dom {
    /// Reads a page. It must be well formed, load nothing, have each id once, and no link to one that is not there.
    pub(crate) fn parse(name: &str, page: &str) -> Dom {
        let mut dom = Dom { elements: BTreeMap::new(), numbers: Vec::new(), text: String::new() };
        let mut reader = Reader::from_str(page);
        reader.config_mut().enable_all_checks(true);
        // The ids around what is being read; empty for an element without one.
        let mut open: Vec<String> = Vec::new();
        let mut links = BTreeSet::new();
        loop {
            match reader.read_event() {
                Ok(Event::Start(start)) => {
                    let id = dom.element(name, &start, &open, &mut links);
                    open.push(id);
                }
                Ok(Event::Empty(start)) => drop(dom.element(name, &start, &open, &mut links)),
                Ok(Event::End(_)) => drop(open.pop()),
                Ok(Event::Text(text)) => dom.text += &text,
                Ok(Event::GeneralRef(reference)) => {
                    let character = reference.resolve_char_ref().unwrap();
                    dom.text.push(character.expect("only characters are escaped, and by their numbers"));
                }
                Ok(Event::Eof) => break,
                Ok(Event::DocType(_)) => {}
                other => panic!("{name}: {other:?} at {}", reader.buffer_position()),
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
        let dangling: Vec<_> = links.iter().filter(|link| !dom.elements.contains_key(*link)).collect();
        assert!(dangling.is_empty(), "{name}: {dangling:?}");
        assert!(dom.text.contains("xenstream"), "{name}");
        dom
    }

    /// Returns whether there is an element with this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.elements.contains_key(id)
    }

    /// An attribute of the element with this id.
    pub(crate) fn attribute(&self, id: &str, name: &str) -> &str {
        &self.elements[id][name]
    }

    /// The number in the element with this id.
    pub(crate) fn number(&self, id: &str) -> u64 {
        self.numbers_in(id)[0]
    }

    /// All numbers in the element with this id.
    pub(crate) fn numbers_in(&self, id: &str) -> Vec<u64> {
        self.numbers.iter().filter(|(around, _)| around == id).map(|(_, number)| *number).collect()
    }

    fn element(
        &mut self,
        page: &str,
        start: &BytesStart<'_>,
        open: &[String],
        links: &mut BTreeSet<String>,
    ) -> String {
        let tag = start.name().as_ref().to_owned();
        assert!(!["script", "img", "link", "iframe", "object"].contains(&tag.as_str()), "{page}: {tag}");
        let mut attributes = BTreeMap::new();
        for attribute in start.attributes() {
            let attribute = attribute.unwrap();
            let name = attribute.key.as_ref().to_owned();
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap().into_owned();
            assert!(!name.starts_with("on") && name != "src", "{page}: {name}");
            assert!(name == "xmlns" || !value.contains("//"), "{page}: {name}={value}");
            if name == "href" {
                links.insert(value.strip_prefix('#').expect("links stay on the page").to_owned());
            }
            attributes.insert(name, value);
        }
        if tag == "data" {
            let number = attributes["value"].parse().unwrap();
            let ids = open.iter().filter(|id| !id.is_empty());
            self.numbers.extend(ids.map(|id| (id.clone(), number)));
        }
        let id = attributes.get("id").cloned().unwrap_or_default();
        if !id.is_empty() {
            let twice = self.elements.insert(id.clone(), attributes);
            assert!(twice.is_none(), "{page}: id {id} twice");
        }
        id
    }
}
