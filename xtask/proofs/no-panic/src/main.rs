//! Links only if no panic is reachable from the core's public entry points: `no_panic` has each function below refer
//! to a symbol that does not exist on the path of every panic, and only the optimiser's proof that the path is dead
//! removes it.
//!
//! [`black_box`] hides from the optimiser what the arguments are, so that the proof holds for all of them, and for
//! every state that a verifier could be in, reachable or not.

#![forbid(unsafe_code)]

use std::hint::black_box;

use no_panic::no_panic;
use xenstream_core::{
    Follows,    Checkpointing, Format, Header, Level, LevelError, Limit, Need, Observer, PageBatch, Pfns, Policy,
    Profile, Progress, Record, RecordRef, Rule, Rules, SkipError, Summary, Verifier, Violation,
};

/// Wants every body and looks at all that it hears: the paths that the null observer leaves out.
#[derive(Default)]
struct Curious {
    sum: u64,
    wants: bool,
}

impl Curious {
    fn add(&mut self, n: u64) {
        self.sum = self.sum.wrapping_add(n);
    }
}

impl Observer for Curious {
    fn wants_body(&mut self, record: &Record) -> bool {
        self.add(record.body_length);
        self.wants
    }
    fn on_header(&mut self, header: &Header) {
        self.add(u64::from(matches!(header, Header::LibxcDomain { .. })));
    }
    fn on_record(&mut self, record: &Record) {
        self.add(record.reference().offset);
    }
    fn on_body(&mut self, offset: u64, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.add(u64::from(*byte)));
        self.add(offset);
    }
    fn on_pfns(&mut self, entries: Pfns<'_>) {
        entries.iter().for_each(|entry| self.add(entry.pfn() ^ entry.page_type().bits() ^ u64::from(entry.has_data())));
        self.add(entries.offset());
    }
    fn on_page_batch(&mut self, batch: &PageBatch) {
        self.add(batch.pages);
    }
    fn on_warning(&mut self, warning: &Violation) {
        self.add(warning.offset);
    }
    fn on_finding(&mut self, finding: &Violation) {
        self.add(finding.offset);
    }
}

/// Functions that must not panic, and a table of them for `main` to call.
macro_rules! proved {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? $body:block)*) => {
        $(
            #[no_panic]
            #[inline(never)]
            fn $name($($argument: $type),*) $(-> $result)? $body
        )*
    };
}

proved! {
    new(format: Format, policy: &Policy) -> Verifier { Verifier::new(format, policy) }
    push(verifier: &mut Verifier, chunk: &[u8]) -> Result<Progress, Violation> { verifier.push(chunk, &mut ()) }
    push_curious(verifier: &mut Verifier, chunk: &[u8], observer: &mut Curious) -> Result<Progress, Violation> {
        verifier.push(chunk, observer)
    }
    skip(verifier: &mut Verifier, bytes: u64) -> Result<(), SkipError> { verifier.skip(bytes) }
    need(verifier: &Verifier) -> Need { verifier.need() }
    finish(verifier: &mut Verifier) -> Result<Summary, Violation> { verifier.finish(&mut ()) }
    finish_curious(verifier: &mut Verifier, observer: &mut Curious) -> Result<Summary, Violation> {
        verifier.finish(observer)
    }
    trailing_data(verifier: &mut Verifier) -> Result<(), Violation> { verifier.trailing_data(Follows::Data, &mut ()) }
    trailing_data_curious(verifier: &mut Verifier, observer: &mut Curious) -> Result<(), Violation> {
        verifier.trailing_data(Follows::Zeros, observer)
    }
    set_limit(verifier: &mut Verifier, limit: Limit, value: u64) { verifier.set_limit(limit, value) }
    asked(verifier: &Verifier) -> (bool, u64, Format, Option<RecordRef>) {
        (verifier.is_ended(), verifier.position(), verifier.format(), verifier.record())
    }
    summed(verifier: &Verifier) -> u64 {
        let Summary { pages, records, .. } = verifier.summary();
        let pages = pages.normal() ^ pages.tables() ^ pages.broken() ^ pages.allocated() ^ pages.absent();
        let named = records.iter().fold(0, |sum: u64, (_, _, n)| sum.wrapping_add(n));
        pages ^ verifier.summary().pages.bytes() ^ records.total() ^ records.optional() ^ named
    }
    policy(profile: Profile) -> Policy { Policy::new(profile) }
    spec() -> Policy { Policy::spec() }
    restore() -> Policy { Policy::restore() }
    hardened() -> Policy { Policy::hardened() }
    with_level(policy: Policy, rules: Rules, level: Level) -> Result<Policy, LevelError> {
        policy.with_level(rules, level)
    }
    parsed(name: &str) -> Option<Rules> { name.parse().ok() }
    with_limit(policy: Policy, limit: Limit, value: u64) -> Policy { policy.with_limit(limit, value) }
    with_rest(policy: Policy, checkpointing: Checkpointing, keep_going: bool) -> Policy {
        policy.with_checkpointing(checkpointing).with_keep_going(keep_going)
    }
    reported(policy: &Policy, rule: Rule, limit: Limit) -> (Profile, Checkpointing, bool, Level, u64) {
        let keeps_going = policy.keeps_going();
        (policy.profile(), policy.checkpointing(), keeps_going, policy.level(rule), policy.limit(limit))
    }
    named(name: &str) -> (Option<Rule>, Option<Limit>, Option<Format>) {
        (name.parse().ok(), name.parse().ok(), name.parse().ok())
    }
    described(violation: &Violation) -> (&'static str, Option<&'static str>) {
        (violation.rule.entry().title, violation.record.and_then(|record| record.type_name()))
    }
}

/// Panics for a short chunk: the proof has to notice.
#[cfg(feature = "control-index")]
#[no_panic]
#[inline(never)]
fn control_index(chunk: &[u8]) -> u8 {
    chunk[7]
}

/// Panics for the largest number where overflow is checked, and wraps where it is not.
#[cfg(feature = "control-overflow")]
#[no_panic]
#[inline(never)]
fn control_overflow(bytes: u64) -> u64 {
    bytes + 1
}

fn main() {
    let mut policy_now = black_box(spec());
    black_box([restore(), hardened(), policy(black_box(Profile::Spec))]);
    policy_now = with_limit(policy_now, black_box(Limit::HvmPfn), black_box(1));
    policy_now = with_rest(policy_now, black_box(Checkpointing::Auto), black_box(false));
    let _ = black_box(with_level(policy_now.clone(), black_box(Rule::LibxcPadding.into()), black_box(Level::Warn)));
    black_box(parsed(black_box("libxc::*")));
    black_box(reported(black_box(&policy_now), black_box(Rule::LibxcPadding), black_box(Limit::Records)));
    black_box(named(black_box("records")));

    let chunk = black_box(&[0xFF; 8][..]);
    let verifier = &mut new(black_box(Format::Auto), black_box(&policy_now));
    let curious = &mut Curious { sum: 0, wants: black_box(true) };
    let _ = black_box(push(black_box(verifier), chunk));
    let _ = black_box(push_curious(black_box(verifier), chunk, black_box(curious)));
    let _ = black_box(skip(black_box(verifier), black_box(1)));
    black_box(need(black_box(verifier)));
    set_limit(black_box(verifier), black_box(Limit::HvmPfn), black_box(2));
    black_box((asked(black_box(verifier)), summed(black_box(verifier))));
    let _ = black_box(trailing_data(black_box(verifier)));
    let _ = black_box(trailing_data_curious(black_box(verifier), black_box(curious)));
    let _ = black_box(finish(black_box(verifier)));
    if let Err(violation) = black_box(finish_curious(black_box(verifier), black_box(curious))) {
        black_box(described(black_box(&violation)));
    }
    #[cfg(feature = "control-index")]
    black_box(control_index(chunk));
    #[cfg(feature = "control-overflow")]
    black_box(control_overflow(black_box(1)));
}
