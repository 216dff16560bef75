//! The domain's configuration that an xl or libvirt header carries: JSON or XML, collected as it passes and handed to
//! a parser. The core judges its framing; what is in it takes a parser and memory.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde::Deserialize;
use xenstream_core::wire::types::{self, Data};
use xenstream_core::wire::xl;
use xenstream_core::{DomainType, Header, Layer, Limit, Policy, Record, Rule, Violation};

use crate::Options;
use crate::config::limits::Excess;
use crate::report::DerivedLimit;

pub(crate) mod hvm;
mod limits;
mod metadata;

/// Pages of 4 KiB below 4 GiB. Every HVM image lists them all, whatever the guest's memory, since devices live there.
/// A PV guest that is handed devices has holes for them there.
const PAGES_BELOW_4G: u64 = 1 << 20;

/// Limits that follow from a guest's memory: that of HVM guests, and that of PV guests.
const FROM_MEMORY: [Limit; 2] = [Limit::HvmPfn, Limit::P2mPfn];

/// What reading a configuration came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// Rules that it breaks, in the order of the text.
    pub(crate) violations: Vec<Violation>,
    /// Limits that follow from it.
    pub(crate) limits: Vec<DerivedLimit>,
    /// What it says of the guest.
    pub(crate) domain: Option<Domain>,
    /// What it says of an HVM guest's device model and features.
    pub(crate) hvm: hvm::Settings,
}

/// Collects the configuration from the observer's events.
#[derive(Debug)]
pub(crate) struct Collector {
    policy: Policy,
    /// Limits that are to be derived.
    derives: Vec<Limit>,
    max_json: u64,
    max_xml: u64,
    /// An xl header said that its configuration is JSON.
    is_json: bool,
    /// What the stream goes on with is not the configuration.
    settled: bool,
    /// The pseudo-record that is being collected.
    record: Option<Record>,
    text: Vec<u8>,
}

/// Whether a record holds a configuration itself, in place of a header that does.
pub(crate) fn is_metadata(record: &Record) -> bool {
    types::get(record.layer, record.kind).is_some_and(|known| known.data == Data::Text)
}

impl Collector {
    pub(crate) fn new(options: &Options) -> Collector {
        let Options { policy, .. } = options;
        Collector {
            policy: policy.clone(),
            derives: FROM_MEMORY
                .into_iter()
                .chain([Limit::Vcpus])
                .filter(|limit| options.derives(*limit))
                .collect(),
            max_json: policy.limit(Limit::OptionalData),
            max_xml: policy.limit(Limit::Xml),
            is_json: false,
            settled: false,
            record: None,
            text: Vec::new(),
        }
    }

    /// Returns whether the configuration has been read, or there is none.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Returns whether this record is the configuration and is needed.
    pub(crate) fn wants(&mut self, record: &Record) -> bool {
        let (wanted, max) = match record.layer {
            Layer::Xl => (self.is_json, self.max_json),
            Layer::Libvirt => (true, self.max_xml),
            _ if is_metadata(record) => (true, self.max_json),
            _ => return false,
        };
        // An empty one is what the core's rules on length and terminator are about.
        let wanted = wanted && record.body_length > 0 && record.body_length <= max;
        if wanted {
            self.record = Some(*record);
        } else {
            self.settled = true;
        }
        wanted
    }

    pub(crate) fn header(&mut self, header: &Header) {
        match header {
            Header::Xl { mandatory_flags, .. } => self.is_json = mandatory_flags & xl::FLAG_JSON != 0,
            Header::Libvirt { .. } => {}
            _ => self.settled = true,
        }
    }

    /// Bytes of the configuration; the last ones bring the judgement.
    pub(crate) fn body(&mut self, bytes: &[u8]) -> Option<Judgement> {
        let record = self.record?;
        self.text.extend_from_slice(bytes);
        if (self.text.len() as u64) < record.body_length {
            return None;
        }
        self.record = None;
        self.settled = true;
        let text = std::mem::take(&mut self.text);
        Some(self.judge(&record, text.strip_suffix(&[0]).unwrap_or(&text)))
    }

    fn judge(&self, record: &Record, text: &[u8]) -> Judgement {
        let (fault, domain) = match record.layer {
            Layer::Xl => (json_fault(text).map(|at| (Rule::XlConfigJson, at)), json_domain(text)),
            Layer::Libvirt => (xml_fault(text).map(|at| (Rule::LibvirtXmlSyntax, at)), xml_domain(text)),
            _ => (metadata::metadata_fault(text).map(|at| (metadata::RULE, at)), None),
        };
        let violation = |rule, at: usize| {
            let offset = record.body_offset.saturating_add(at as u64);
            Violation::new(rule, offset, is_metadata(record).then(|| record.reference()))
        };
        let mut violations = Vec::new();
        match fault {
            Some((rule, at)) => violations.push(violation(rule, at).found(at as u64)),
            None if record.layer == Layer::Xl => {
                let excesses = limits::excesses(text, &self.policy).into_iter();
                violations.extend(excesses.map(|Excess { rule, at, found, expected }| {
                    violation(rule, at).found(found).expected(expected)
                }));
            }
            None => {}
        }
        let limits = self.limits(record, text, domain.as_ref());
        let hvm = if record.layer == Layer::Xl { hvm::settings(text) } else { hvm::Settings::default() };
        Judgement { violations, limits, domain, hvm }
    }

    /// The limits that follow from the configuration.
    fn limits(&self, record: &Record, text: &[u8], domain: Option<&Domain>) -> Vec<DerivedLimit> {
        let of_memory = |limit: &&Limit| FROM_MEMORY.contains(limit);
        let derives = record.layer == Layer::Xl && self.derives.iter().any(|limit| of_memory(&limit));
        let pfn = if derives { pfn_limit(text) } else { None };
        let from_memory = pfn.into_iter().flat_map(|(value, memory_kib)| {
            let limits = self.derives.iter().filter(of_memory);
            limits.map(move |limit| DerivedLimit { limit: *limit, value, memory_kib: Some(memory_kib) })
        });
        // The toolstacks give a domain one vcpu where nothing, or 0, is said; what is not said is not derived from.
        let vcpus = domain.and_then(|domain| domain.vcpus).filter(|_| self.derives.contains(&Limit::Vcpus));
        let from_vcpus =
            vcpus.map(|vcpus| DerivedLimit { limit: Limit::Vcpus, value: vcpus.max(1), memory_kib: None });
        from_memory.chain(from_vcpus).collect()
    }
}

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

/// What a configuration says of its domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Domain {
    pub(crate) name: Option<String>,
    pub(crate) uuid: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) memory_kib: Option<u64>,
    pub(crate) vcpus: Option<u64>,
    /// It has a type that a device model goes with, and says that it has no device model.
    no_device_model: bool,
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
    /// The type, where it is certain. A domain of type `hvm` without a device model was what is `pvh` today.
    pub(crate) fn domain_type(&self) -> Option<DomainType> {
        let kind = self.kind.as_deref().filter(|kind| !(self.no_device_model && *kind == "hvm"))?;
        DomainType::ALL.into_iter().find(|domain_type| domain_type.name() == kind)
    }

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
fn pfn_limit(json: &[u8]) -> Option<(u64, u64)> {
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
