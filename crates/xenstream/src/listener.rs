//! What this crate itself observes of a stream, before the caller's observer does.

use std::ops::Range;

use xenstream_core::wire::PAGE_SIZE;
use xenstream_core::{DomainType, Header, Level, Observer, PageBatch, Pfns, Policy, Record, Violation};

use crate::Options;
use crate::config::Settings;
use crate::config::{Collector, Domain, Judgement};
use crate::guest::Portrait;
#[cfg(feature = "host")]
use crate::host::Judge;
use crate::pv_walk::roots::Roots;
use crate::report::{DerivedLimit, Findings};

/// Collects what goes into the report and passes every event on.
pub(crate) struct Listener<'o> {
    /// The caller's. It is dynamic, so that this crate is compiled once for all observers; a check for `None` costs
    /// less than a call.
    observer: Option<&'o mut dyn Observer>,
    pub(crate) policy: Policy,
    pub(crate) warnings: Findings,
    pub(crate) findings: Findings,
    pub(crate) config: Collector,
    /// Types of a PV guest's page tables, of an input that comes in order.
    pub(crate) roots: Roots,
    /// Judges for the host.
    #[cfg(feature = "host")]
    host: Judge,
    /// What is known of the guest.
    pub(crate) portrait: Portrait,
    /// A rule of this crate's own was broken at deny.
    pub(crate) denied: Option<Violation>,
    /// Limits that the configuration told and the verifier does not know yet.
    pub(crate) limits: Vec<DerivedLimit>,
    /// The type that the configuration told and the verifier does not know yet.
    pub(crate) domain_type: Option<DomainType>,
    /// What the configuration told of an HVM guest and the verifier does not know yet.
    pub(crate) hvm: Settings,
    /// The caller asked for the body that passes.
    passes_body_on: bool,
    /// Offsets of the page contents that were announced last.
    contents: Range<u64>,
}

impl<'o> Listener<'o> {
    pub(crate) fn new(options: &Options, observer: Option<&'o mut dyn Observer>) -> Listener<'o> {
        Listener {
            observer,
            policy: options.policy.clone(),
            warnings: Findings::default(),
            findings: Findings::default(),
            config: Collector::new(options),
            roots: Roots::new(&options.policy),
            #[cfg(feature = "host")]
            host: Judge::new(options),
            portrait: Portrait::default(),
            denied: None,
            limits: Vec::new(),
            domain_type: None,
            hvm: Settings::default(),
            passes_body_on: false,
            contents: 0..0,
        }
    }

    /// Bytes up to the next page of guest memory, for an offset among page contents.
    pub(crate) fn left_in_page(&self, offset: u64) -> Option<u64> {
        self.contents.contains(&offset).then(|| PAGE_SIZE - (offset - self.contents.start) % PAGE_SIZE)
    }

    fn judged(&mut self, judgement: Judgement) {
        self.limits = judgement.limits;
        self.domain_type = judgement.domain.as_ref().and_then(Domain::domain_type);
        self.portrait.domain = judgement.domain;
        self.hvm = judgement.hvm;
        for violation in judgement.violations {
            self.judged_to_break(violation);
        }
    }

    /// A rule of this crate's own was broken.
    fn judged_to_break(&mut self, violation: Violation) {
        let level = self.policy.level(violation.rule);
        self.judged_at(level, violation);
    }

    /// The same, at this level.
    fn judged_at(&mut self, level: Level, violation: Violation) {
        if self.denied.is_some() {
            return;
        }
        match level {
            Level::Allow => {}
            Level::Warn => self.on_warning(&violation),
            Level::Deny if self.policy.keeps_going() => self.on_finding(&violation),
            Level::Deny => {
                self.denied = Some(violation);
                // What lies after the violation that is the verdict is not reported.
                self.observer = None;
            }
        }
    }
}

impl Observer for Listener<'_> {
    fn wants_body(&mut self, record: &Record) -> bool {
        let own = self.config.wants(record) | self.roots.wants(record);
        #[cfg(feature = "host")]
        let own = own | self.host.wants(record);
        self.passes_body_on = self.observer.wants_body(record);
        self.passes_body_on || own
    }

    fn on_header(&mut self, header: &Header) {
        self.config.header(header);
        self.roots.header(header);
        #[cfg(feature = "host")]
        for (violation, level) in self.host.header(header) {
            self.judged_at(level, violation);
        }
        self.observer.on_header(header);
    }

    fn on_record(&mut self, record: &Record) {
        for violation in self.roots.record(record) {
            self.judged_to_break(violation);
        }
        #[cfg(feature = "host")]
        self.host.record(record);
        self.portrait.record(record);
        self.observer.on_record(record);
    }

    fn on_body(&mut self, offset: u64, bytes: &[u8]) {
        if self.denied.is_some() {
            return;
        }
        if self.passes_body_on {
            self.observer.on_body(offset, bytes);
        }
        if let Some(judgement) = self.config.body(bytes) {
            self.judged(judgement);
        }
        for violation in self.roots.body(bytes) {
            self.judged_to_break(violation);
        }
        #[cfg(feature = "host")]
        for (violation, level) in self.host.body(offset, bytes) {
            self.judged_at(level, violation);
        }
    }

    fn on_pfns(&mut self, entries: Pfns<'_>) {
        self.roots.pfns(entries);
        self.observer.on_pfns(entries);
    }

    fn on_page_batch(&mut self, batch: &PageBatch) {
        self.contents = batch.offset..batch.offset.saturating_add(batch.pages.saturating_mul(PAGE_SIZE));
        self.observer.on_page_batch(batch);
    }

    fn on_warning(&mut self, warning: &Violation) {
        if self.denied.is_none() {
            self.warnings.note(warning);
        }
        self.observer.on_warning(warning);
    }

    fn on_finding(&mut self, finding: &Violation) {
        if self.denied.is_none() {
            self.findings.note(finding);
        }
        self.observer.on_finding(finding);
    }
}
