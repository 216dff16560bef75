//! The domain's configuration that an xl or libvirt header carries: JSON or XML, collected as it passes and handed to
//! a parser. The core judges its framing; what is in it takes a parser and memory.

#[cfg(feature = "config")]
use xenstream_core::Policy;
use xenstream_core::wire::types::{self, Data};
use xenstream_core::wire::xl;
use xenstream_core::{DomainType, Header, Layer, Limit, Record, Rule, Violation};

use crate::Options;
use crate::report::DerivedLimit;

#[cfg(feature = "config")]
mod domain;
#[cfg(feature = "config")]
mod hvm;
#[cfg(feature = "config")]
mod limits;
mod metadata;
#[cfg(feature = "config")]
mod parse;

#[cfg(feature = "config")]
pub(crate) use parse::{json_domain, xml_domain};
#[cfg(feature = "rewrite")]
pub(crate) use parse::{json_fault, xml_fault};

/// Rules about a configuration in JSON, and in XML.
const JSON_RULES: &[Rule] =
    &[Rule::XlConfigJson, Rule::XlConfigDepth, Rule::XlConfigValues, Rule::XlConfigNumber];
const XML_RULES: &[Rule] = &[Rule::LibvirtXmlSyntax];

/// Limits that follow from a guest's memory: that of HVM guests, and that of PV guests.
#[cfg(feature = "config")]
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
    pub(crate) hvm: Settings,
}

/// Collects the configuration from the observer's events.
#[derive(Debug)]
pub(crate) struct Collector {
    #[cfg(feature = "config")]
    policy: Policy,
    #[cfg(feature = "host")]
    host: Option<std::sync::Arc<crate::host::Host>>,
    /// Limits that are to be derived.
    #[cfg(feature = "config")]
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
    /// Rules about a configuration that was passed over, since nothing here parses it.
    unchecked: &'static [Rule],
}

/// Whether a record holds a configuration itself, in place of a header that does.
pub(crate) fn is_metadata(record: &Record) -> bool {
    types::get(record.layer, record.kind).is_some_and(|known| known.data == Data::Text)
}

impl Collector {
    pub(crate) fn new(options: &Options) -> Collector {
        let Options { policy, .. } = options;
        Collector {
            #[cfg(feature = "config")]
            policy: policy.clone(),
            #[cfg(feature = "host")]
            host: options.host.clone(),
            #[cfg(feature = "config")]
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
            unchecked: &[],
        }
    }

    /// Returns whether the configuration has been read, or there is none.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Returns the rules about a configuration that was passed over.
    pub(crate) fn unchecked(&self) -> &'static [Rule] {
        self.unchecked
    }

    /// Returns whether this record is the configuration and is needed.
    pub(crate) fn wants(&mut self, record: &Record) -> bool {
        let (wanted, max, rules) = match record.layer {
            Layer::Xl => (self.is_json, self.max_json, JSON_RULES),
            Layer::Libvirt => (true, self.max_xml, XML_RULES),
            _ if is_metadata(record) => (true, self.max_json, &[][..]),
            _ => return false,
        };
        // An empty one is what the core's rules on length and terminator are about.
        let mut wanted = wanted && record.body_length > 0 && record.body_length <= max;
        if wanted && !cfg!(feature = "config") && !rules.is_empty() {
            self.unchecked = rules;
            wanted = false;
        }
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
        match record.layer {
            #[cfg(feature = "config")]
            Layer::Xl | Layer::Libvirt => self.judge_configuration(record, text),
            _ => {
                let fault = metadata::metadata_fault(text).map(|at| fault(metadata::RULE, record, at));
                Judgement { violations: fault.into_iter().collect(), ..Judgement::default() }
            }
        }
    }
}

/// A violation at this byte of a configuration, by which it stops being what it should be.
fn fault(rule: Rule, record: &Record, at: usize) -> Violation {
    violation(rule, record, at).found(at as u64)
}

/// A violation at this byte of a configuration.
fn violation(rule: Rule, record: &Record, at: usize) -> Violation {
    let offset = record.body_offset.saturating_add(at as u64);
    Violation::new(rule, offset, is_metadata(record).then(|| record.reference()))
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

impl Domain {
    /// The type, where it is certain. A domain of type `hvm` without a device model was what is `pvh` today.
    pub(crate) fn domain_type(&self) -> Option<DomainType> {
        let kind = self.kind.as_deref().filter(|kind| !(self.no_device_model && *kind == "hvm"))?;
        DomainType::all().find(|domain_type| domain_type.name() == kind)
    }
}

/// What is known of an HVM guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Features of Viridian, as libxl of 4.14 and that of later releases read the configuration.
    pub(crate) viridian: Option<[u64; 2]>,
    /// The `emulator_id` of the device model.
    pub(crate) emulator: Option<u32>,
    /// Pages of memory that the guest is to have.
    pub(crate) memory: Option<u64>,
}
