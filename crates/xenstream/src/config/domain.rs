//! Judges a configuration in JSON or XML.

#[cfg(feature = "host")]
use xenstream_core::Value;
use xenstream_core::{Layer, Limit, Profile, Record, Rule, Violation};

use crate::Options;
use crate::config::limits::{Excess, excesses};
use crate::config::parse::{json_domain, json_fault, pfn_limit, xml_domain, xml_fault};
use crate::config::{Collector, Domain, FROM_MEMORY, Judgement, Settings, fault, hvm, violation};
use crate::report::DerivedLimit;

impl Collector {
    /// What the text of a configuration comes to.
    pub(super) fn judge_configuration(&self, record: &Record, text: &[u8]) -> Judgement {
        let is_json = record.layer == Layer::Xl;
        let (broken, domain) = if is_json {
            (json_fault(text).map(|at| (Rule::XlConfigJson, at)), json_domain(text))
        } else {
            (xml_fault(text).map(|at| (Rule::LibvirtXmlSyntax, at)), xml_domain(text))
        };
        #[cfg_attr(not(feature = "host"), expect(unused_mut, reason = "the host may add to it"))]
        let mut violations: Vec<Violation> = match broken {
            Some((rule, at)) => vec![fault(rule, record, at)],
            None if is_json => {
                let excesses = excesses(text, &self.policy).into_iter();
                let violations = excesses.map(|Excess { rule, at, found, expected }| {
                    violation(rule, record, at).found(found).expected(expected)
                });
                violations.collect()
            }
            None => Vec::new(),
        };
        #[cfg(feature = "host")]
        if let Some(host) = self.host.as_ref().filter(|_| broken.is_none()) {
            violations.extend(host.unfit(record.layer, text).into_iter().map(|unfit| {
                let expected = unfit.expected.map_or(Value::None, Value::Number);
                violation(unfit.rule, record, unfit.at).found(unfit.found).expected(expected)
            }));
        }
        let limits = self.limits(record, text, domain.as_ref());
        let hvm = if is_json { hvm::settings(text) } else { Settings::default() };
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

impl Options {
    /// Returns whether this limit is derived from the configuration.
    pub(crate) fn derives(&self, limit: Limit) -> bool {
        let in_profile = match (limit, self.policy.profile()) {
            (_, Profile::Hardened) | (Limit::Vcpus, Profile::Restore) => true,
            (_, Profile::Spec | Profile::Restore) => false,
        };
        in_profile && self.derive_limits && !self.policy.is_limited(limit)
    }
}
