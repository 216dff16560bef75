//! Parses configurations: libxl's JSON, and libvirt's XML.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde::Deserialize;

use crate::config::Domain;

/// Pages of 4 KiB below 4 GiB. Every HVM image lists them all, whatever the guest's memory, since devices live there.
/// A PV guest that is handed devices has holes for them there.
const PAGES_BELOW_4G: u64 = 1 << 20;

/// Where the text stops being JSON.
pub(crate) fn json_fault(text: &[u8]) -> Option<usize> {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return Some(error.valid_up_to()),
    };
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
    // serde_json counts lines from 1, and columns in bytes.
    let line = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    Some((line + error.column().saturating_sub(1)).min(text.len()))
}

/// Most levels of elements that libvirt's parser takes (`xmlParserMaxDepth` of libxml2).
const XML_DEPTH_MAX: u64 = 256;

/// Where the text stops being an XML document that libvirt's parser takes.
pub(crate) fn xml_fault(text: &[u8]) -> Option<usize> {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return Some(error.valid_up_to()),
    };
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut open = 0u64;
    let mut roots = 0u64;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(text.len());
        let Ok(event) = reader.read_event() else {
            return Some(usize::try_from(reader.error_position()).unwrap_or(at).min(text.len()));
        };
        let sound = match &event {
            Event::Start(tag) | Event::Empty(tag) => {
                if open == 0 {
                    roots += 1;
                }
                if matches!(event, Event::Start(_)) {
                    open += 1;
                }
                roots == 1 && open <= XML_DEPTH_MAX && tag.attributes().all(|attribute| attribute.is_ok())
            }
            Event::End(_) => {
                open = open.saturating_sub(1);
                true
            }
            // Only white space may stand outside the document's one element.
            Event::Text(characters) => open > 0 || characters.trim_ascii().is_empty(),
            Event::CData(_) | Event::GeneralRef(_) => open > 0,
            Event::Eof => return (open > 0 || roots == 0).then_some(at),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => true,
        };
        if !sound {
            return Some(at);
        }
    }
}

/// The same of libxl's JSON. It is apart from [`DomainConfig`], so that nothing odd in it makes a limit unknown.
#[derive(Deserialize)]
struct DomainDescription {
    c_info: Option<CreateInfo>,
    b_info: Option<BuildDescription>,
}

#[derive(Deserialize)]
struct CreateInfo {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    uuid: Option<String>,
}

#[derive(Deserialize)]
struct BuildDescription {
    max_vcpus: Option<u64>,
    max_memkb: Option<u64>,
    target_memkb: Option<u64>,
    device_model_version: Option<String>,
}

/// What libxl's JSON says of its domain.
pub(crate) fn json_domain(json: &[u8]) -> Option<Domain> {
    let DomainDescription { c_info, b_info } = serde_json::from_slice(json).ok()?;
    let (name, uuid, kind) = c_info.map_or((None, None, None), |info| (info.name, info.uuid, info.kind));
    // libxl leaves a size that was not set at all ones.
    let set = |size: Option<u64>| size.filter(|size| *size != u64::MAX);
    let sizes = b_info.as_ref().map(|info| (set(info.max_memkb), set(info.target_memkb)));
    let memory_kib = sizes.and_then(|(most, target)| most.max(target));
    let vcpus = b_info.as_ref().and_then(|info| info.max_vcpus);
    let no_device_model =
        b_info.and_then(|info| info.device_model_version).is_some_and(|version| version == "none");
    Some(Domain { name, uuid, kind, memory_kib, vcpus, no_device_model })
}

/// What libvirt's XML says of its domain.
pub(crate) fn xml_domain(xml: &[u8]) -> Option<Domain> {
    let mut reader = Reader::from_str(std::str::from_utf8(xml).ok()?);
    let mut domain = Domain::default();
    let mut depth = 0u64;
    // The element right inside <domain> is <os>, and the text of its <type> is being read.
    let (mut in_os, mut in_type) = (false, false);
    // The element right inside <domain> whose text is being read, and KiB in the unit of its number.
    let mut field: Option<(String, Option<u128>)> = None;
    let mut text = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                depth += 1;
                if depth == 3 && in_os && tag.name().as_ref() == "type" {
                    in_type = true;
                    text.clear();
                }
                if depth == 2 {
                    in_os = tag.name().as_ref() == "os";
                    text.clear();
                    let unit = tag.try_get_attribute("unit").ok().flatten();
                    let unit = unit.as_ref().map_or("KiB", |unit| &unit.value);
                    field = Some((tag.name().as_ref().to_owned(), bytes_in(unit)));
                }
            }
            Event::Text(characters) if depth == 2 || in_type => text.push_str(&characters),
            Event::GeneralRef(name) if depth == 2 => match name.resolve_char_ref().ok()? {
                Some(character) => text.push(character),
                None => text.push_str(quick_xml::escape::resolve_xml_entity(&name)?),
            },
            Event::End(_) => {
                if depth == 3 && std::mem::take(&mut in_type) {
                    domain.kind = Some(libvirt_type(text.trim()).to_owned());
                }
                if depth == 2
                    && let Some((name, unit)) = field.take()
                {
                    domain.set(&name, text.trim(), unit);
                }
                depth = depth.saturating_sub(1);
            }
            Event::Eof => return Some(domain),
            _ => {}
        }
    }
}

/// libxl's name for a type of libvirt's `os`.
fn libvirt_type(text: &str) -> &str {
    match text {
        "linux" | "xen" | "xenpv" => "pv",
        "xenpvh" => "pvh",
        other => other,
    }
}

impl Domain {
    fn set(&mut self, element: &str, text: &str, unit: Option<u128>) {
        let number = || text.parse::<u64>().ok();
        match element {
            "name" => self.name = Some(text.to_owned()),
            "uuid" => self.uuid = Some(text.to_owned()),
            "vcpu" => self.vcpus = number(),
            "memory" => {
                let bytes = number().zip(unit).map(|(n, unit)| u128::from(n).saturating_mul(unit));
                self.memory_kib = bytes.and_then(|bytes| u64::try_from(bytes / 1024).ok());
            }
            _ => {}
        }
    }
}

/// A unit of libvirt's `memory`.
fn bytes_in(unit: &str) -> Option<u128> {
    Some(match unit {
        "" | "bytes" => 1,
        "KB" => 1000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    })
}

/// The memory sizes of libxl's JSON (`libxl_domain_config`, `libxl_domain_build_info`).
#[derive(Deserialize)]
struct DomainConfig {
    b_info: Option<BuildInfo>,
}

#[derive(Deserialize)]
struct BuildInfo {
    max_memkb: Option<u64>,
    target_memkb: Option<u64>,
    video_memkb: Option<u64>,
}

/// First pfn that a guest with this configuration does not have. What memory does not fit below 4 GiB lies above, and
/// a configurable hole below may push any of it there: so all of the memory is counted above. And that memory, in KiB.
pub(super) fn pfn_limit(json: &[u8]) -> Option<(u64, u64)> {
    let sizes = serde_json::from_slice::<DomainConfig>(json).ok()?.b_info?;
    let memory = sizes.max_memkb.max(sizes.target_memkb)?;
    // libxl leaves a size that was not set at all ones.
    let video = sizes.video_memkb.filter(|size| *size != u64::MAX).unwrap_or(0);
    let memory_kib = memory.saturating_add(video);
    Some((PAGES_BELOW_4G.saturating_add(memory_kib.div_ceil(4)), memory_kib))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_faults_are_located() {
        for (text, fault) in [
            ("{}", None),
            ("[1, {\"a\": null}]\n", None),
            ("", Some(0)),
            ("{", Some(0)),
            ("{\"a\": 1,}", Some(8)),
            ("{\n\"a\": x}", Some(7)),
            ("{} {}", Some(3)),
        ] {
            assert_eq!(json_fault(text.as_bytes()), fault, "{text:?}");
        }
        assert_eq!(json_fault(b"{\"a\": \"\xFF\"}"), Some(7));
        let deep = "[".repeat(1 << 20) + &"]".repeat(1 << 20);
        assert_eq!(json_fault(deep.as_bytes()), None, "nesting costs no stack");
    }

    #[test]
    fn xml_faults_are_located() {
        for (text, fault) in [
            ("<domain type='xen'><name>a&amp;b</name><x/></domain>\n", None),
            ("<?xml version='1.0'?><!-- c --><domain/>", None),
            ("", Some(0)),
            ("text", Some(0)),
            ("<a>", Some(3)),
            ("<a></b>", Some(3)),
            ("<a/><b/>", Some(4)),
            ("<a/>x", Some(4)),
            ("<a b=1></a>", Some(0)),
            ("<a b='1' b='2'/>", Some(0)),
            ("<a>\n</a", Some(4)),
        ] {
            assert_eq!(xml_fault(text.as_bytes()), fault, "{text:?}");
        }
        assert_eq!(xml_fault(b"<a>\xFF</a>"), Some(3));
        let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert_eq!(xml_fault(nested(256).as_bytes()), None);
        assert_eq!(xml_fault(nested(257).as_bytes()), Some(3 * 256));
    }

    #[test]
    fn the_pfn_limit_follows_the_memory() {
        let limit = |json: &str| pfn_limit(json.as_bytes()).map(|(pfn, _)| pfn);
        assert_eq!(
            limit(r#"{"b_info": {"max_memkb": 16384, "target_memkb": 8192}}"#),
            Some((1 << 20) + 4096)
        );
        assert_eq!(limit(r#"{"b_info": {"target_memkb": 3, "video_memkb": 4}}"#), Some((1 << 20) + 2));
        assert_eq!(
            limit(r#"{"b_info": {"max_memkb": 0, "video_memkb": 18446744073709551615}}"#),
            Some(1 << 20)
        );
        assert_eq!(limit(r#"{"b_info": {"max_memkb": 18446744073709551615}}"#), Some((1 << 20) + (1 << 62)));
        assert_eq!(limit(r#"{"b_info": {"max_memkb": "16384"}}"#), None);
        assert_eq!(limit(r#"{"b_info": {}}"#), None);
        assert_eq!(limit("{}"), None);
        assert_eq!(limit("nonsense"), None);
    }
}
