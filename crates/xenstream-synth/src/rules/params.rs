//! HVM_PARAMS, and that there is an HVM_CONTEXT at all.

use xenstream_core::Rule;
use xenstream_core::wire::libxc::params;
use xenstream_core::wire::libxc::types::{END, HVM_CONTEXT, HVM_PARAMS, PAGE_DATA};

use super::registers::in_hvm;
use crate::body::{Body, Field};
use crate::broken::needs::HVM;
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, extra, other};
use crate::item::Part;
use crate::libxc::{self, record};
use crate::minimal;
use crate::places::{BODY, LENGTH, PARAM, PARAMS};

pub(crate) fn cases() -> Vec<Case> {
    [hvm_params(), hvm_context()].concat()
}

fn hvm_params() -> Vec<Case> {
    let hvm = minimal::hvm();
    let with = |rule, variant, item, at| other(rule, variant, &hvm, PARAMS, item, at);
    let body = |count: u32| Body::new().u32(count).u32(0).u64(1).u64(0);
    let length = |variant, body| with(Rule::LibxcHvmParamsLength, variant, record(HVM_PARAMS, body), LENGTH);
    let pair = |rule, variant, index, value, at| {
        with(rule, variant, libxc::hvm_params(&[(1, 0), (index, value), (17, 0)]), PARAM + params::ENTRY + at)
    };
    let index = |variant, index| pair(Rule::LibxcHvmParamsIndex, variant, index, 0, 0);
    // The neighbour sets parameter 4, which Xen drops without a word.
    let dropped = hvm.clone().replaced(PARAMS, libxc::hvm_params(&[(1, 0), (4, 0), (17, 0)]));
    let refused = |variant, index| pair(Rule::LibxcHvmParamsRefused, variant, index, 0, 0).beside(&dropped);
    // The neighbour has a value of the same parameter that Xen takes.
    let value = |variant, index, value, taken| {
        let fine = hvm.clone().replaced(PARAMS, libxc::hvm_params(&[(1, 0), (index, taken), (17, 0)]));
        pair(Rule::LibxcHvmParamsRefused, variant, index, value, 8).beside(&fine)
    };
    let without = |rule, kept| {
        let broken = hvm.clone().replaced(PARAMS, libxc::hvm_params(&[kept]));
        Case::of(rule, "", &broken, &hvm).in_item(&broken, broken.find(Part::libxc(END)), 0)
    };
    let reserved = hvm.items()[hvm.find(PARAMS)].clone().edited(BODY + 4, Field::U32(1));
    // In Remus streams each checkpoint has the record again. Both values name pages of the guest.
    let twice = hvm
        .clone()
        .replaced(Part::libxc(PAGE_DATA), libxc::first_pass(2, &[]))
        .before(PARAMS, libxc::hvm_params(&[(5, 1)]));
    let [again, changed] = [1, 2].map(|value| libxc::hvm_params(&[(5, value)]));
    let conflict = {
        let second = twice.find(PARAMS) + 1;
        let [broken, fine] = [changed, again].map(|item| twice.clone().inserted(second, item));
        Case::of(Rule::LibxcHvmParamsConflict, "", &broken, &fine).in_item(&broken, second, PARAM + 8)
    };
    vec![
        length("header", Body::new().u32(0)),
        length("", body(2)),
        length("longer", body(1).zeros(8)),
        length("huge-count", body(u32::MAX)),
        with(Rule::LibxcHvmParamsReserved, "", reserved, BODY + 4),
        extra(Rule::LibxcHvmParamsEmpty, "", &hvm, PARAMS, libxc::hvm_params(&[]))
            .in_record(BODY)
            .note("Xen 4.6 to 4.8 wrote such records"),
        without(Rule::LibxcHvmParamsStore, (17, 0)),
        without(Rule::LibxcHvmParamsConsole, (1, 0)),
        index("", params::COUNT),
        index("wraps", 1 << 32 | 1).note("the restorer cuts it to 32 bits and sets parameter 1"),
        refused("", 13),
        refused("20", 20),
        refused("26", 26),
        refused("30", 30),
        value("9", 9, 2, 1),
        value("10", 10, 4, 3),
        value("14", 14, 1, 0),
        value("15", 15, 1 << 32, u64::from(u32::MAX)),
        value("31", 31, 6, 5),
        value("33", 33, 65, 64),
        value("33-zero", 33, 0, 1),
        value("36", 36, 2, 8),
        value("viridian-unknown", 9, 1 << 13 | 1, 1),
        value("ioports", 19, 2, 1),
        value("vm86-tss-size", 37, 103 << 32, 104 << 32),
        value("mca-cap", 38, 2, 1),
        pair(Rule::LibxcHvmParamsSuspended, "", 14, 3, 8),
        conflict,
        pair(Rule::LibxcHvmParamsRepeated, "", 1, 0, 0),
    ]
}

fn hvm_context() -> Vec<Case> {
    let item = record(HVM_CONTEXT, Body::new());
    vec![other(Rule::LibxcHvmContextEmpty, "", &minimal::hvm(), Part::libxc(HVM_CONTEXT), item, LENGTH)]
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxcHvmParamsLength, HVM, |d| {
        let count = d.one_of(&[0, 2, u32::MAX])?;
        in_hvm(d, record(HVM_PARAMS, Body::new().u32(count).u32(0).u64(1).u64(0)), LENGTH)
    }),
    Break::new(Rule::LibxcHvmParamsLength, HVM, |d| {
        let body = Body::new().zeros(d.number(0, params::HEADER));
        in_hvm(d, record(HVM_PARAMS, body), LENGTH)
    }),
    Break::new(Rule::LibxcHvmParamsEmpty, HVM, |d| in_hvm(d, libxc::hvm_params(&[]), BODY)),
    Break::new(Rule::LibxcHvmParamsIndex, HVM, |d| {
        let index = d.one_of(&[params::COUNT, 1 << 32 | 1, u64::MAX])?;
        param(d, index, 0, 0)
    }),
    Break::new(Rule::LibxcHvmParamsRefused, HVM, |d| {
        let index = d.one_of(&[13, 20, 21, 22, 23, 25, 26, 30])?;
        param(d, index, 0, 0)
    }),
    Break::new(Rule::LibxcHvmParamsRefused, HVM, |d| {
        let (index, value) = d.one_of(&[
            (9, 2),
            (9, 1 << 13 | 1),
            (10, 4),
            (14, 1),
            (15, 1 << 32),
            (19, 2),
            (31, 6),
            (33, 0),
            (33, 65),
            (36, 2),
            (37, 103 << 32),
            (38, 2),
        ])?;
        param(d, index, value, 8)
    }),
    Break::new(Rule::LibxcHvmParamsSuspended, HVM, |d| param(d, 14, 3, 8)),
    Break::new(Rule::LibxcHvmParamsConflict, HVM, |d| {
        let second = d.number(2, 1 << 20);
        let at = BODY + params::HEADER + params::ENTRY + 8;
        in_hvm(d, libxc::hvm_params(&[(32, 1), (32, second)]), at)
    }),
    Break::new(Rule::LibxcHvmParamsRepeated, HVM, |d| param(d, 1, 0, 0)),
    Break::new(Rule::LibxcHvmContextEmpty, HVM, |d| in_hvm(d, record(HVM_CONTEXT, Body::new()), LENGTH)),
];

/// HVM_PARAMS with this entry after another, broken `at` bytes from its first.
fn param(d: &Draft<'_>, index: u64, value: u64, at: u64) -> Option<Fault> {
    in_hvm(d, libxc::hvm_params(&[(1, 0), (index, value)]), PARAM + params::ENTRY + at)
}
