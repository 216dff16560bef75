//! The properties of built streams, over made-up plans.

use std::collections::BTreeSet;
use std::panic::catch_unwind;

use arbitrary::{Arbitrary, Unstructured};
use xenstream_core::{Layer, Rule};
use xenstream_properties::restorer::has_restorer;
use xenstream_properties::structured::{broken, valid};
use xenstream_properties::{restorer, structured_broken, structured_valid};
use xenstream_synth::broken::breaks;
use xenstream_synth::minimal::Kind;
use xenstream_synth::plan::{Container, Plan};
use xenstream_synth::valid::Machine;

/// The same bytes for the same seed, as many as a fuzzer would begin with.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        // xorshift64*: nothing here needs better.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    };
    let length = 16 + next() % 600;
    (0..length).map(|_| (next() >> 56) as u8).collect()
}

fn plans(n: u64) -> impl Iterator<Item = (u64, Plan)> {
    (0..n).map(|seed| {
        let plan = Plan::arbitrary(&mut Unstructured::new(&bytes(seed)));
        let mut plan = plan.expect("a plan can be made of any bytes");
        // COLO takes libxl, an HVM guest and checkpoints at once: chance alone brings it too seldom.
        if seed % 20 == 19 {
            plan.around.container = Container::Libxl;
            plan.machine = Machine::Hvm;
            plan.checkpoints.get_or_insert_default().kind = Kind::Colo;
        }
        (seed, plan)
    })
}

#[test]
fn plans_are_judged_as_they_say() {
    for (seed, plan) in plans(1500) {
        let run = catch_unwind(|| valid(&plan.build()));
        assert!(run.is_ok(), "plan {seed}: {plan:#?}");
    }
    valid(&Plan::default().build());
    structured_valid(&[]);
}

#[test]
fn every_way_to_break_a_rule_is_found_where_it_says() {
    let ways = breaks();
    let mut used = vec![0; ways.len()];
    let mut wrong = Vec::new();
    for (seed, plan) in plans(400) {
        for (way, used) in ways.iter().zip(&mut used) {
            let Some(stream) = way.on(&plan, seed.wrapping_mul(0xD134_2543_DE82_EF95)) else { continue };
            *used += 1;
            if catch_unwind(|| broken(&stream)).is_err() {
                wrong.push(format!("plan {seed}: {} ({})", way.rule, way.needs));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    let unused: Vec<String> = ways
        .iter()
        .zip(used)
        .filter(|(_, used)| *used < 3)
        .map(|(way, _)| format!("{} ({})", way.rule, way.needs))
        .collect();
    assert!(unused.is_empty(), "no plan had what it takes to break:\n{}", unused.join("\n"));
    structured_broken(&[]);
}

#[test]
fn every_rule_can_be_broken() {
    let rules: BTreeSet<Rule> = breaks().iter().map(|way| way.rule).collect();
    // Whether a stream breaks a rule on the host is for the host to say.
    let of_streams = Rule::all().filter(|rule| rule.layer() != Layer::Host);
    let missing: Vec<&str> = of_streams.filter(|rule| !rules.contains(rule)).map(Rule::name).collect();
    assert!(missing.is_empty(), "rules that nothing breaks: {missing:?}");
}

#[test]
fn restorer_agrees_with_the_verdict() {
    for seed in 0..400 {
        for how in [1, 2, 3] {
            let mut data = bytes(seed * 4 + u64::from(how));
            data.push(how);
            let run = catch_unwind(|| restorer(&data));
            assert!(run.is_ok(), "seed {seed}, {how}");
            if !has_restorer() {
                return;
            }
        }
    }
}
