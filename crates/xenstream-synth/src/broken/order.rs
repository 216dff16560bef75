//! The libxc stream: which records there must be, and where.

use xenstream_core::wire::libxc::types::{
    CHECKPOINT, SHARED_INFO, X86_PV_VCPU_BASIC, X86_PV_VCPU_EXTENDED, X86_PV_VCPU_MSRS, X86_PV_VCPU_XSAVE,
};
use xenstream_core::wire::params::index;
use xenstream_core::{Checkpointing, Guest, Layer, Rule};

use super::{BODY, Break, Draft, Fault};
use crate::item::{Item, Part};
use crate::libxc;
use crate::places::{BASIC, CONTEXT, INFO, LAST, P2M, PAGES, PARAMS, STATIC};

const SAVED: Part = Part::libxc(CHECKPOINT);

const ANY: &str = "anything";
const PV: &str = "a PV guest";
const HVM: &str = "an HVM guest";
const V2: &str = "version 2";
const V3: &str = "version 3";

pub(super) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxcStaticDataEndMissing, V3, |d| {
        let end = d.first(STATIC)?;
        // Optional records may come anywhere.
        let items = d.stream.items();
        let known =
            |part| items[end + 1..].iter().find(|item| matters(item)).is_some_and(|item| item.part() == part);
        d.without(|index| index == end, known)
    }),
    Break::new(Rule::LibxcStaticDataEndRepeated, V3, |d| {
        let index = behind(d, STATIC)?;
        d.extra(index, libxc::static_data_end(), 0)
    }),
    Break::new(Rule::LibxcStaticDataEndVersion, V2, |d| {
        d.version(2)?;
        d.extra(d.any_in(Layer::Libxc)?, libxc::static_data_end(), 0)
    }),
    Break::new(Rule::LibxcPolicyVersion, V2, |d| {
        d.version(2)?;
        let item = policy(d)?;
        d.extra(d.any_in(Layer::Libxc)?, item, 0)
    }),
    Break::new(Rule::LibxcStaticRecordLate, V3, |d| {
        d.version(3)?;
        let item = policy(d)?;
        let index = behind(d, STATIC)?;
        d.extra(index, item, 0)
    }),
    Break::new(Rule::LibxcPvInfoRepeated, PV, |d| {
        let item = d.item(d.first(INFO)?).clone();
        let index = behind(d, INFO)?;
        d.extra(index, item, 0)
    }),
    Break::new(Rule::LibxcPvInfoMissing, PV, |d| {
        let info = d.first(INFO)?;
        d.without(|index| index == info, |part| part == P2M)
    }),
    Break::new(Rule::LibxcP2mFramesMissing, PV, |d| {
        d.guest(Guest::Pv)?;
        d.without(|index| d.item(index).part() == P2M, |part| part == PAGES)
    }),
    Break::new(Rule::LibxcPageDataMissing, ANY, |d| {
        // Without memory all vcpu records would come too early.
        d.without(|index| d.item(index).part() == PAGES || is_vcpu(d.item(index)), |part| part == LAST)
    }),
    Break::new(Rule::LibxcVcpuEarly, PV, |d| {
        d.guest(Guest::Pv)?;
        d.extra(d.first(PAGES)?, libxc::vcpu_xsave(0, d.number(16, 64)), 0)
    }),
    Break::new(Rule::LibxcVcpuBasicMissing, PV, |d| {
        d.guest(Guest::Pv)?;
        let first = |index| d.item(index).part() == BASIC && d.read32(index, BODY) == 0;
        d.without(first, |part| part == SAVED || part == LAST)
    }),
    Break::new(Rule::LibxcHvmContextMissing, HVM, |d| {
        d.guest(Guest::Hvm)?;
        d.without(|index| d.item(index).part() == CONTEXT, |part| part == SAVED || part == LAST)
    }),
    Break::new(Rule::LibxcHvmParamsStore, HVM, |d| params_of(d, index::CONSOLE_PFN)),
    Break::new(Rule::LibxcHvmParamsConsole, HVM, |d| params_of(d, index::STORE_PFN)),
    Break::new(Rule::LibxcSharedInfoMissing, PV, |d| {
        d.guest(Guest::Pv)?;
        d.without(|index| d.item(index).part() == Part::libxc(SHARED_INFO), |part| part == LAST)
    }),
    Break::new(Rule::LibxcHvmParamsOrder, HVM, |d| {
        d.guest(Guest::Hvm)?;
        d.extra(d.last(LAST)?, libxc::hvm_params(&[(1, 1)]), 0)
    }),
    Break::new(Rule::LibxcVerifyEarly, ANY, |d| {
        let memory = d.first(PAGES)?;
        let index = d.any(|index, item| index <= memory && is_libxc(item))?;
        d.extra(index, libxc::verify(), 0)
    }),
    Break::new(Rule::LibxcVerifyCheckpointed, "a plain stream", |d| {
        (d.expected.checkpoints == 0).then_some(())?;
        // Who says so has the first VERIFY refused.
        let verify = libxc::verify();
        let fault = match d.first(verify.part()) {
            Some(index) => Fault::in_item(d.stream.clone(), index, 0),
            None => d.extra(d.last(LAST)?, verify, 0)?,
        };
        Some(fault.checkpointing(Checkpointing::Remus))
    }),
    Break::new(Rule::LibxcVerifyCheckpointed, "a checkpoint", |d| {
        let first = d.first(SAVED)?;
        let memory = d.first(PAGES)?;
        let index = d.any(|index, item| index > memory && is_libxc(item))?;
        let fault = d.extra(index, libxc::verify(), 0)?;
        if index > first || d.expected.checkpointing != Checkpointing::Auto {
            return Some(fault);
        }
        // Nothing has told of checkpoints yet: it shows at the first of them.
        Some(Fault::in_item(fault.stream, first + 1, 0))
    }),
    Break::new(Rule::LibxcCheckpointUnexpected, ANY, |d| {
        let fault = match d.first(SAVED) {
            Some(index) => Fault::in_item(d.stream.clone(), index, 0),
            None => d.extra(d.last(LAST)?, libxc::checkpoint(), 0)?,
        };
        Some(fault.checkpointing(Checkpointing::Plain))
    }),
];

/// HVM_PARAMS with this parameter alone, which shows at the first end.
fn params_of(d: &Draft<'_>, index: u64) -> Option<Fault> {
    d.guest(Guest::Hvm)?;
    let only = |item: &Item| match item.part() {
        PARAMS => libxc::hvm_params(&[(index, 0)]),
        _ => item.clone(),
    };
    let stream = d.stream.clone().of_items(d.stream.items().iter().map(only));
    let end = stream.items().iter().position(|item| item.part() == SAVED || item.part() == LAST)?;
    Some(Fault::in_item(stream, end, 0))
}

fn is_libxc(item: &Item) -> bool {
    item.part().record().is_some_and(|(layer, _)| layer == Layer::Libxc)
}

fn is_vcpu(item: &Item) -> bool {
    [X86_PV_VCPU_BASIC, X86_PV_VCPU_EXTENDED, X86_PV_VCPU_XSAVE, X86_PV_VCPU_MSRS]
        .map(Part::libxc)
        .contains(&item.part())
}

/// Returns whether the static data must end before this record.
fn matters(item: &Item) -> bool {
    [P2M, PAGES].contains(&item.part())
}

/// Any libxc record after the first one of a kind.
fn behind(d: &Draft<'_>, part: Part) -> Option<usize> {
    let first = d.first(part)?;
    d.any(|index, item| index > first && is_libxc(item))
}

fn policy(d: &Draft<'_>) -> Option<Item> {
    d.one_of(&[0, 1]).map(|which| match which {
        0 => libxc::cpuid_policy(&[[1, u32::MAX, 0, 0, 0, 0]]),
        _ => libxc::msr_policy(&[(0xCE, 0)]),
    })
}
