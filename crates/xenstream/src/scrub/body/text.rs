//! Text: configurations, metadata, xenstore's pairs. Every byte that is blanked becomes the same letter, so lengths
//! stay; what should be text and is none is blanked as a whole.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::config::{json_fault, xml_fault};
use crate::scrub::Scrub;
use crate::scrub::header::WRONG;

/// What stands for any byte of text.
const BLANK: u8 = b'x';

/// What a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// libxl's configuration.
    Json,
    /// xl's configuration of old.
    Plain,
    /// libvirt's configuration.
    Xml,
    /// The s-expression of a suspend image.
    Expression,
}

impl Text {
    /// Blanks a whole text, but for its final NUL: the names in it, or all of it if it is not what it should be.
    pub(super) fn blank(self, text: &mut [u8], names: bool) {
        let length = text.len() - usize::from(text.last() == Some(&0));
        let text = &mut text[..length];
        let known = match self {
            Text::Json => json_fault(text).is_none() && (!names || blank_json(text)),
            Text::Xml => xml_fault(text).is_none() && (!names || blank_xml(text)),
            Text::Plain => is_text(text) && !names,
            Text::Expression => is_text(text) && (!names || blank_expression(text)),
        };
        if !known {
            text.fill(BLANK);
        }
    }

    /// Blanks some of a text that is too long to be looked at.
    pub(super) fn fill(self, bytes: &mut [u8]) {
        for byte in bytes.iter_mut().filter(|byte| **byte != 0) {
            *byte = BLANK;
        }
    }
}

fn is_text(text: &[u8]) -> bool {
    let plain = |c: char| !c.is_control() || c.is_ascii_whitespace();
    std::str::from_utf8(text).is_ok_and(|text| text.chars().all(plain))
}

/// Blanks the strings of JSON that are no keys; numbers stay, and with them the memory and the vcpus.
fn blank_json(text: &mut [u8]) -> bool {
    let mut at = 0;
    while let Some(start) = find(text, at, |byte| byte == b'"') {
        let mut end = start + 1;
        while text.get(end).is_some_and(|byte| *byte != b'"') {
            end += if text[end] == b'\\' { 2 } else { 1 };
        }
        if end >= text.len() {
            return false;
        }
        at = end + 1;
        let is_key =
            find(text, at, |byte| !byte.is_ascii_whitespace()).is_some_and(|next| text[next] == b':');
        if !is_key {
            text[start + 1..end].fill(BLANK);
        }
    }
    true
}

fn find(text: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    Some(from + text.get(from..)?.iter().position(|byte| wanted(*byte))?)
}

/// Blanks character data and attributes of XML, but for the numbers of memory and vcpus. False if there is something in
/// it that this does not know how to blank.
fn blank_xml(text: &mut [u8]) -> bool {
    let Some(blanks) = xml_blanks(text) else { return false };
    for Blanked { range, letter } in blanks {
        for byte in &mut text[range] {
            if !byte.is_ascii_whitespace() {
                *byte = letter;
            }
        }
    }
    xml_fault(text).is_none()
}

/// Bytes that become this letter.
struct Blanked {
    range: Range<usize>,
    letter: u8,
}

impl From<Range<usize>> for Blanked {
    fn from(range: Range<usize>) -> Blanked {
        Blanked { range, letter: BLANK }
    }
}

fn xml_blanks(text: &[u8]) -> Option<Vec<Blanked>> {
    let mut blanks = Vec::new();
    let mut reader = Reader::from_str(std::str::from_utf8(text).ok()?);
    let (mut counts, mut depth) = (false, 0u64);
    loop {
        let start = usize::try_from(reader.buffer_position()).ok()?;
        let event = reader.read_event().ok()?;
        let end = usize::try_from(reader.buffer_position()).ok()?;
        let inner = |lead: &str, tail: &str| {
            let range = start + lead.len()..end.checked_sub(tail.len())?;
            (range.start <= range.end).then(|| Blanked::from(range))
        };
        match event {
            Event::Eof => return Some(blanks),
            Event::Start(tag) => {
                counts = depth == 1 && is_quantity(tag.name().as_ref());
                depth += 1;
                attributes(text, start + 1 + tag.name().as_ref().len()..end, counts, &mut blanks)?;
            }
            Event::Empty(tag) => {
                let counts = depth == 1 && is_quantity(tag.name().as_ref());
                attributes(text, start + 1 + tag.name().as_ref().len()..end, counts, &mut blanks)?;
            }
            Event::End(_) => {
                counts = false;
                depth = depth.saturating_sub(1);
            }
            Event::Text(_) if counts && is_number(&text[start..end]) => {}
            Event::Text(_) | Event::GeneralRef(_) => blanks.push((start..end).into()),
            Event::CData(_) => blanks.push(inner("<![CDATA[", "]]>")?),
            Event::Comment(_) => blanks.push(inner("<!--", "-->")?),
            // Any other may hold anything.
            Event::Decl(_) if DECLARATIONS.contains(&&text[start..end]) => {}
            // Entities and instructions are nothing that libvirt writes.
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) => return None,
        }
    }
}

/// What a document may begin with: the version and encoding of XML, as programs write it.
const DECLARATIONS: [&[u8]; 6] = [
    b"<?xml version='1.0'?>",
    b"<?xml version=\"1.0\"?>",
    b"<?xml version='1.0' encoding='UTF-8'?>",
    b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    b"<?xml version='1.0' encoding='utf-8'?>",
    b"<?xml version=\"1.0\" encoding=\"utf-8\"?>",
];

/// Attributes that libvirt writes for domains of Xen. The name of any other may be the guest's.
const ATTRIBUTES: &str = "action address arch autoport bridge bus cache check controller cores cpuset current dev domain file \
    function heads id index keymap listen loader mac machine managed max mode model multifunction name \
    offset passwd path placement policy port present primary readonly slot sockets target threads type \
    unit value vram xmlns";

/// The attributes of a tag, after its name: the values, which are whatever is between quotes, and the names that are not
/// libvirt's. The nth of these is filled with the nth letter, since no two may be the same.
fn attributes(text: &[u8], tag: Range<usize>, counts: bool, blanks: &mut Vec<Blanked>) -> Option<()> {
    const UNITS: [&[u8]; 5] = [b"b", b"KiB", b"MiB", b"GiB", b"TiB"];
    let tag_end = tag.end;
    let mut at = tag.start;
    let mut letters = b'a'..=b'z';
    while let Some(open) = find(&text[..tag_end], at, |byte| matches!(byte, b'"' | b'\'')) {
        let before = &text[at..open];
        let name = at + before.len() - before.trim_ascii_start().len();
        let name_end = name + text[name..open].iter().position(|byte| b"= \t\r\n".contains(byte))?;
        if !ATTRIBUTES.split(' ').any(|known| known.as_bytes() == &text[name..name_end]) {
            blanks.push(Blanked { range: name..name_end, letter: letters.next()? });
        }
        let close = find(&text[..tag_end], open + 1, |byte| byte == text[open])?;
        let value = &text[open + 1..close];
        let is_kept = match &text[name..name_end] {
            b"unit" => UNITS.contains(&value),
            b"current" => is_number(value),
            _ => false,
        };
        if !counts || !is_kept {
            blanks.push((open + 1..close).into());
        }
        at = close + 1;
    }
    Some(())
}

/// Elements of the domain in libvirt's XML that hold the guest's memory and vcpus.
fn is_quantity(name: &str) -> bool {
    ["memory", "currentMemory", "maxMemory", "vcpu"].contains(&name)
}

fn is_number(text: &[u8]) -> bool {
    text.trim_ascii().iter().all(u8::is_ascii_digit)
}

/// Blanks the atoms of an s-expression.
fn blank_expression(text: &mut [u8]) -> bool {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"()".contains(byte);
    for word in text.split_mut(ends).filter(|word| !METADATA.contains(&&**word)) {
        word.fill(BLANK);
    }
    true
}

/// Words of the metadata without which it is none, and which tell nothing of the guest.
const METADATA: [&[u8]; 6] = [b"time", b"word_size", b"vm_str", b"xs_subtree", b"32", b"64"];

/// Keys and values of xenstore.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    in_value: bool,
    /// There was something that is in no key and no value.
    odd: bool,
}

impl Pairs {
    /// Blanks bytes that `left` more bytes of pairs follow.
    pub(super) fn mask(&mut self, bytes: &mut [u8], left: u64, what: Scrub) {
        let left = left + bytes.len() as u64;
        for (byte, left) in bytes.iter_mut().zip((0..left).rev()) {
            // In a damaged stream these may be no pairs at all, and the places of zeros would reveal what is there.
            // Only the ends of a last pair stay, for pairs that a policy takes all the same.
            if self.odd && what.damaged {
                let ends = match left {
                    0 => *byte == 0,
                    1 => !self.in_value,
                    _ => false,
                };
                *byte = if ends { 0 } else { BLANK };
                continue;
            }
            if *byte == 0 {
                self.in_value = !self.in_value;
                continue;
            }
            let plain = if self.in_value {
                matches!(*byte, b' '..=b'~')
            } else {
                byte.is_ascii_alphanumeric() || b"-/_@".contains(byte)
            };
            self.odd |= !plain;
            if !plain {
                *byte = WRONG;
            } else if self.in_value && what.names {
                *byte = BLANK;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn blanked(text: Text, before: &str) -> String {
        let mut bytes = before.as_bytes().to_vec();
        text.blank(&mut bytes, true);
        assert_eq!(bytes.len(), before.len());
        // Nothing more is found in what is blanked already.
        let once = bytes.clone();
        text.blank(&mut bytes, true);
        assert_eq!(bytes, once);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_keeps_keys_and_numbers() {
        for (before, after) in [
            (r#"{"name": "guest", "memory": 16384}"#, r#"{"name": "xxxxx", "memory": 16384}"#),
            (r#"{"a" : ["b", {"c":"d"}], "e":true}"#, r#"{"a" : ["x", {"c":"x"}], "e":true}"#),
            (r#"["\"", "\\", "\u00fc:\"", "é"]"#, r#"["xx", "xx", "xxxxxxxxx", "xx"]"#),
            (r#""name""#, r#""xxxx""#),
            ("{\"a\": \"b\"}\0", "{\"a\": \"x\"}\0"),
            ("{}", "{}"),
            ("{\"a\": }", "xxxxxxx"),
            ("{\"a\": \"b\"\0", "xxxxxxxxx\0"),
            ("\0", "\0"),
            ("", ""),
        ] {
            assert_eq!(blanked(Text::Json, before), after, "{before}");
        }
    }

    #[test]
    fn xml_keeps_elements_memory_and_vcpus() {
        for (before, after) in [
            (
                "<domain type='xen'><name>a&amp;b</name></domain>",
                "<domain type='xxx'><name>xxxxxxx</name></domain>",
            ),
            ("<d><memory unit='KiB'>16384</memory>\n</d>", "<d><memory unit='KiB'>16384</memory>\n</d>"),
            (
                "<d><vcpu current='1' cpuset='a1'>2</vcpu></d>",
                "<d><vcpu current='1' cpuset='xx'>2</vcpu></d>",
            ),
            (
                "<d><memory>lots</memory><port>5900</port></d>",
                "<d><memory>xxxx</memory><port>xxxx</port></d>",
            ),
            ("<d><vcpu>41 11</vcpu></d>", "<d><vcpu>xx xx</vcpu></d>"),
            ("<d><memory foo='55'>4</memory></d>", "<d><memory aaa='xx'>4</memory></d>"),
            ("<d><a><memory>4</memory></a></d>", "<d><a><memory>x</memory></a></d>"),
            ("<d><n:memory>4</n:memory></d>", "<d><n:memory>x</n:memory></d>"),
            ("<d><memory/>12<!-- c --><![CDATA[<x>]]></d>", "<d><memory/>xx<!-- x --><![CDATA[xxx]]></d>"),
            ("<?xml version='1.0'?>\n<d a=\"x>'y\"/>", "<?xml version='1.0'?>\n<d a=\"xxxx\"/>"),
            ("<d my-name='1' n:other = 'b' id='c'/>", "<d aaaaaaa='x' bbbbbbb = 'x' id='x'/>"),
            ("<?xml version='1.0' encoding='name'?><d/>", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
            ("<d>&#233;é</d>\n\0", "<d>xxxxxxxx</d>\n\0"),
            ("<?pi x?><d/>", "xxxxxxxxxxxx"),
            ("<!DOCTYPE d [<!ENTITY e 'name'>]><d/>", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
            ("<d>", "xxx"),
            ("name", "xxxx"),
        ] {
            assert_eq!(blanked(Text::Xml, before), after, "{before}");
        }
    }

    #[test]
    fn other_text_keeps_its_form_at_most() {
        for (text, before, after) in [
            (Text::Expression, "((name guest)\n(id \"a b\"))", "((xxxx xxxxx)\n(xx xx xx))"),
            (Text::Plain, "name = 'guest'\n\0", "xxxxxxxxxxxxxxx\0"),
        ] {
            assert_eq!(blanked(text, before), after);
        }
    }

    #[test]
    fn text_stays_if_it_is_text() {
        for (text, before, stays) in [
            (Text::Json, &b"{\"name\": \"guest\"}\0"[..], true),
            (Text::Json, b"{\"name\": \"guest\"", false),
            (Text::Xml, b"<d>x</d>", true),
            (Text::Xml, b"<d>x</e>", false),
            (Text::Plain, b"name = 'guest'\n\0", true),
            (Text::Plain, b"name\x01", false),
            (Text::Plain, b"a\0b", false),
            (Text::Expression, b"((name guest))", true),
            (Text::Expression, b"((name \xFF))", false),
        ] {
            let mut after = before.to_vec();
            text.blank(&mut after, false);
            assert_eq!(after == before, stays, "{before:?}");
            assert!(stays || after.iter().all(|byte| matches!(byte, b'x' | 0)), "{before:?}");
        }
    }

    #[test]
    fn pairs_keep_keys_and_faults() {
        let names = Scrub::MEMORY.with_names(true);
        let damaged = names.with_damaged(true);
        for (what, before, after) in [
            (Scrub::MEMORY, &b"key\0a value\0k2\0\0"[..], &b"key\0a value\0k2\0\0"[..]),
            (names, b"key\0a value\0k2\0\0", b"key\0xxxxxxx\0k2\0\0"),
            (names, b"k:y\0val\x7Fe\0k2\0v\0", b"k\x01y\0xxx\x01x\0k2\0x\0"),
            (damaged, b"k:y\0val\x7Fe\0k2\0v\0", b"k\x01xxxxxxxxxxx\0\0"),
            (damaged, b"k:\0v\0k2\0v", b"k\x01xxxxx\0x"),
            (damaged, b":\0\0", b"\x01\0\0"),
            (damaged, b"key\0val\x7Fe\0k2\0v\0", b"key\0xxx\x01xxxxxx\0"),
        ] {
            for cut in 0..before.len() {
                let mut bytes = before.to_vec();
                let mut pairs = Pairs::default();
                let (first, second) = bytes.split_at_mut(cut);
                pairs.mask(first, second.len() as u64, what);
                pairs.mask(second, 0, what);
                assert_eq!(bytes.escape_ascii().to_string(), after.escape_ascii().to_string());
            }
        }
    }
}
