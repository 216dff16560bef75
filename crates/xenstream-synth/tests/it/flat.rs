//! Streams with one declared field changed.

use std::collections::BTreeSet;

use xenstream_core::wire::hvm::types::{CPU, LAPIC};
use xenstream_core::wire::libxc::types::HVM_CONTEXT;
use xenstream_core::wire::structures;
use xenstream_core::{Level, Polarity, Policy, Rule, Verifier, Violation};
use xenstream_synth::corpus::valid_streams;
use xenstream_synth::flat::{Flat, Mutation, mutations};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::{Part, Stream, libxc, minimal, valid};

/// Streams that have every declared structure between them.
fn streams() -> Vec<Stream> {
    // As Xen before 3.4 wrote the one, and few releases take the other.
    let lengths = Chain::around([Entry::filled(CPU, 0, 1016, 0), Entry::filled(LAPIC, 0, 32, 0)]);
    let lengths = minimal::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&lengths));
    valid_streams().into_iter().map(|(_, stream)| stream).chain([lengths]).collect()
}

#[test]
fn every_declared_field_is_reached_by_a_mutation() {
    let mut reached = BTreeSet::new();
    for stream in streams() {
        for Mutation { place, .. } in mutations(&stream) {
            reached.insert((place.layout.name, place.field.name));
        }
    }
    let mut missing = Vec::new();
    for layout in structures::all() {
        let fields = layout.groups.iter().flat_map(|group| group.fields);
        for field in fields.filter(|field| (1..=8).contains(&field.width)) {
            if !reached.contains(&(layout.name, field.name)) {
                missing.push((layout.name, field.name));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// The verdict with this rule at deny.
fn verdict(stream: &Stream, rule: Rule) -> Result<(), Violation> {
    let policy = Policy::spec().with_level(rule, Level::Deny).expect("every rule can be at deny");
    let mut verifier = Verifier::new(stream.format(), &policy);
    verifier.push(&stream.bytes(), &mut ())?;
    verifier.finish(&mut ()).map(|_| ())
}

/// The rules that a value breaks by itself, in the order in which they are judged. What a hand-written check decides
/// comes before what follows it.
fn broken(mutation: &Mutation) -> Option<Rule> {
    let by_hand = mutation.place.field.checks.iter().position(|check| check.rule().is_none());
    let compared = &mutation.place.field.checks[..by_hand.unwrap_or(mutation.place.field.checks.len())];
    let check = compared.iter().find(|check| !check.passes(mutation.value))?;
    // What newer releases take is no finding until a target is given.
    let is_taken = check.fact().is_some_and(|fact| fact.entry().polarity == Polarity::Accepts);
    if is_taken { None } else { check.rule() }
}

#[test]
fn values_that_break_a_comparison_are_found_there() {
    let (mut rules, mut wrong) = (BTreeSet::new(), Vec::new());
    let bare = [valid::hvm(), valid::pv64(), valid::pv32(), valid::hvm().in_libxl().in_xl()];
    for stream in bare {
        for mutation in mutations(&stream) {
            let Some(rule) = broken(&mutation) else { continue };
            rules.insert(rule);
            let found = verdict(&mutation.stream, rule).err();
            let found = found.map(|violation| (violation.rule, violation.offset, violation.record));
            if found != Some((rule, mutation.offset, mutation.record)) {
                let place = (mutation.place.layout.name, mutation.place.field.name, mutation.value);
                wrong.push(format!("{rule}: {place:x?}, {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rules.len() >= 20, "{rules:?}");
}

#[test]
fn structures_are_built_by_name() {
    use xenstream_core::wire::{Order, records};
    let body =
        Flat::new(&records::HVM_PARAMS).with("count", 1).entry(&[("index", 1), ("value", 0x10)]).body();
    assert_eq!(body.size(), 24);
    assert_eq!(body.bytes(Order::Big)[..16], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let cut = Flat::new(&records::TSC_INFO).of_length(6).with("khz", 0x1234).body();
    assert_eq!(cut.bytes(Order::Little), [0, 0, 0, 0, 0x34, 0x12]);
}
