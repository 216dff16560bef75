//! The libxc stream: which records there must be, and where.

use xenstream_core::wire::libxc::types::{
    CHECKPOINT, SHARED_INFO, X86_PV_VCPU_BASIC, X86_PV_VCPU_EXTENDED, X86_PV_VCPU_MSRS, X86_PV_VCPU_XSAVE,
};
use xenstream_core::wire::params::index;
use xenstream_core::{Checkpointing, Guest, Layer, Profile, Rule};

use crate::broken::needs::{ANY, HVM, PV, V2, V3};
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, extra, missing};
use crate::hvm::Chain;
use crate::item::{Item, Part};
use crate::libxc;
use crate::minimal::{self, Kind};
use crate::places::{BASIC, BODY, CONTEXT, INFO, LAST, P2M, PAGES, PARAMS, STATIC};
use crate::stream::Stream;

const SAVED: Part = Part::libxc(CHECKPOINT);

pub(crate) fn cases() -> Vec<Case> {
    [static_data(), static_data_late(), pv_info(), p2m_frames(), registers(), verify(), checkpoints()]
        .concat()
}

fn cpuid() -> Item {
    libxc::cpuid_policy(&[[0, u32::MAX, 1, 0, 0, 0]])
}

fn msr() -> Item {
    libxc::msr_policy(&[(0xCE, 0)])
}

/// STATIC_DATA_END, and what comes too early without it.
fn static_data() -> Vec<Case> {
    let (hvm, pv) = (minimal::hvm(), minimal::pv32());
    let rule = Rule::LibxcStaticDataEndMissing;
    let early = |variant, base: &Stream, item: Item| {
        extra(rule, variant, base, STATIC, item)
            .silent(Profile::Restore)
            .note("the restorer looks for it when memory begins, and not before")
    };
    let again = |variant, base: &Stream| {
        extra(Rule::LibxcStaticDataEndRepeated, variant, base, LAST, libxc::static_data_end())
    };
    let context = libxc::hvm_context(&Chain::minimal());
    vec![
        missing(rule, "", &hvm, STATIC, PAGES),
        missing(rule, "p2m-frames", &pv, STATIC, P2M),
        early("tsc-info", &hvm, libxc::clock()),
        early("hvm-params", &hvm, params()),
        // HVM_PARAMS follow: the order that the text asks for needs them first.
        early("hvm-context", &hvm.clone().without(PARAMS), context)
            .warnings(Profile::Restore, &[Rule::LibxcHvmParamsStore, Rule::LibxcHvmParamsConsole])
            .neighbour_warns(&[Rule::LibxcHvmParamsStore, Rule::LibxcHvmParamsConsole]),
        early("shared-info", &pv, libxc::shared_info()),
        early("vcpu-xsave", &pv, libxc::vcpu_xsave(0, 16)).allowing(Rule::LibxcVcpuEarly),
        again("", &hvm),
        again("version-2", &hvm.clone().as_version_2())
            .allowing(Rule::LibxcStaticDataEndVersion)
            .note("version 2 has no such record: the first memory is where its static data ends"),
    ]
}

fn static_data_late() -> Vec<Case> {
    let (hvm, pv) = (minimal::hvm(), minimal::pv32());
    let old = minimal::hvm().as_version_2();
    let late = |variant, item| extra(Rule::LibxcStaticRecordLate, variant, &hvm, PAGES, item);
    let info = pv.clone().without(INFO).before(P2M, libxc::pv32_info());
    vec![
        late("", cpuid()).note("the restorer takes a late policy and never applies it"),
        late("msr-policy", msr()),
        Case::of(Rule::LibxcStaticRecordLate, "pv-info", &info, &pv).in_item(&info, info.find(INFO), 0),
        extra(Rule::LibxcStaticDataEndVersion, "", &old, PAGES, libxc::static_data_end()),
        extra(Rule::LibxcPolicyVersion, "", &old, PAGES, cpuid()),
        extra(Rule::LibxcPolicyVersion, "msr-policy", &old, PAGES, msr()),
    ]
}

fn pv_info() -> Vec<Case> {
    let pv = minimal::pv32();
    let bare = Stream::new(pv.format(), pv.items()[..2].to_vec())
        .with(libxc::static_data_end())
        .with(libxc::shared_info());
    let wide = minimal::pv64();
    vec![
        extra(Rule::LibxcPvInfoRepeated, "", &pv, STATIC, libxc::pv32_info()),
        missing(Rule::LibxcPvInfoMissing, "", &wide, INFO, P2M),
        Case::of(Rule::LibxcPvInfoMissing, "shared-info", &bare, &pv).in_item(
            &bare,
            bare.find(Part::libxc(SHARED_INFO)),
            0,
        ),
    ]
}

fn p2m_frames() -> Vec<Case> {
    let rule = Rule::LibxcP2mFramesMissing;
    let pv = minimal::pv32();
    let memory = pv.clone().until(P2M);
    let at_end = memory.clone().with(libxc::shared_info()).with(libxc::end());
    let at_checkpoint = memory.clone().with(libxc::checkpoint());
    vec![
        missing(rule, "", &pv, P2M, PAGES).note("the restorer crashes if the page is pfn 0"),
        Case::of(rule, "end", &at_end, &pv).in_item(&at_end, at_end.find(LAST), 0),
        Case::of(rule, "checkpoint", &at_checkpoint, &pv)
            .in_item(&at_checkpoint, at_checkpoint.find(Part::libxc(CHECKPOINT)), 0)
            .checkpointing(Checkpointing::Remus)
            .note("the restorer crashes when it fails over to it"),
    ]
}

/// What a domain cannot run without.
fn registers() -> Vec<Case> {
    let (hvm, pv) = (minimal::hvm(), minimal::pv32());
    let no_memory = pv.clone().without(PAGES);
    vec![
        extra(Rule::LibxcVcpuEarly, "", &pv, PAGES, libxc::vcpu_xsave(0, 16)),
        missing(Rule::LibxcVcpuBasicMissing, "", &pv, BASIC, LAST),
        too_late(Rule::LibxcVcpuBasicMissing, &pv, BASIC),
        other_vcpu(&pv),
        missing(Rule::LibxcHvmContextMissing, "", &hvm, CONTEXT, LAST),
        too_late(Rule::LibxcHvmContextMissing, &hvm, CONTEXT),
        missing(Rule::LibxcSharedInfoMissing, "", &pv, Part::libxc(SHARED_INFO), LAST),
        missing(Rule::LibxcPageDataMissing, "", &hvm, PAGES, LAST).note(
            "an HVM domain without memory is built, and never runs; a PV one has no start-info page then",
        ),
        Case::of(Rule::LibxcPageDataMissing, "pv", &no_memory, &pv)
            .in_item(&no_memory, no_memory.find(LAST), 0)
            .allowing(Rule::LibxcVcpuEarly),
        extra(Rule::LibxcHvmParamsOrder, "", &hvm.clone().without(PARAMS), LAST, params())
            .beside(&hvm)
            .note("every release writes this order, against the text"),
    ]
}

/// A record that comes after the checkpoint that needs it; the neighbour has it before.
fn too_late(rule: Rule, guest: &Stream, part: Part) -> Case {
    let item = guest.items()[guest.find(part)].clone();
    let broken = guest.clone().without(part).before(LAST, libxc::checkpoint()).before(LAST, item);
    let neighbour = guest.clone().before(LAST, libxc::checkpoint());
    Case::of(rule, "checkpoint", &broken, &neighbour)
        .in_item(&broken, broken.find(Part::libxc(CHECKPOINT)), 0)
        .checkpointing(Checkpointing::Remus)
}

fn params() -> Item {
    libxc::hvm_params(&[(1, minimal::STORE_PFN), (17, minimal::STORE_PFN)])
}

/// Registers of vcpu 1 are no registers of vcpu 0.
fn other_vcpu(pv: &Stream) -> Case {
    let basic = libxc::vcpu_basic(1, &crate::Basic::pv32());
    let broken = pv.clone().replaced(BASIC, basic);
    Case::of(Rule::LibxcVcpuBasicMissing, "other-vcpu", &broken, pv).in_item(&broken, broken.find(LAST), 0)
}

fn verify() -> Vec<Case> {
    let hvm = minimal::hvm();
    let checkpointed = Rule::LibxcVerifyCheckpointed;
    let remus = minimal::checkpointed(Kind::Remus, 1);
    let before = extra(checkpointed, "before", &remus, PARAMS, libxc::verify());
    let verified = remus.clone().before(PARAMS, libxc::verify());
    let checkpoint = verified.find(Part::libxc(CHECKPOINT));
    let second_round = remus.nth(PARAMS, 1);
    let late = remus.clone().inserted(second_round, libxc::verify());
    vec![
        extra(Rule::LibxcVerifyEarly, "", &hvm, PAGES, libxc::verify()),
        extra(checkpointed, "", &hvm, PARAMS, libxc::verify()).checkpointing(Checkpointing::Remus),
        before.in_item(&verified, checkpoint, 0).note("VERIFY passed before anything told of checkpoints"),
        Case::of(checkpointed, "after", &late, &remus).in_item(&late, second_round, 0),
    ]
}

fn checkpoints() -> Vec<Case> {
    let rule = Rule::LibxcCheckpointUnexpected;
    let hvm = minimal::hvm();
    let libxl = minimal::checkpointed(Kind::Remus, 1);
    let checkpoint = libxl.find(Part::libxc(CHECKPOINT));
    vec![
        extra(rule, "", &hvm, LAST, libxc::checkpoint()).note("told nothing, a bare stream is plain"),
        extra(rule, "xenopsd", &hvm.in_xenopsd(), LAST, libxc::checkpoint()),
        Case::of(rule, "told-plain", &libxl, &minimal::hvm().in_libxl())
            .in_item(&libxl, checkpoint, 0)
            .checkpointing(Checkpointing::Plain),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::LibxcStaticDataEndMissing, V3, |d| {
        let end = d.first(STATIC)?;
        // Optional records may come anywhere.
        let items = d.stream.items();
        let known =
            |part| items[end + 1..].iter().find(|item| matters(item)).is_some_and(|item| item.part() == part);
        d.without(|index| index == end, known)
    }),
    Break::new(Rule::LibxcStaticDataEndRepeated, V3, |d| {
        let index = index_after(d, STATIC)?;
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
        let index = index_after(d, STATIC)?;
        d.extra(index, item, 0)
    }),
    Break::new(Rule::LibxcPvInfoRepeated, PV, |d| {
        let item = d.item(d.first(INFO)?).clone();
        let index = index_after(d, INFO)?;
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
        // Verified as a Remus stream, it is refused for its first VERIFY.
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
fn index_after(d: &Draft<'_>, part: Part) -> Option<usize> {
    let first = d.first(part)?;
    d.any(|index, item| index > first && is_libxc(item))
}

fn policy(d: &Draft<'_>) -> Option<Item> {
    d.one_of(&[0, 1]).map(|which| match which {
        0 => libxc::cpuid_policy(&[[1, u32::MAX, 0, 0, 0, 0]]),
        _ => libxc::msr_policy(&[(0xCE, 0)]),
    })
}
