//! What the configuration says against what the stream holds.

use xenstream_core::wire::hvm::types as hvm_types;
use xenstream_core::wire::libxc::params;
use xenstream_core::wire::libxc::types::{CHECKPOINT, END, HVM_CONTEXT, HVM_PARAMS};
use xenstream_core::wire::libxl::EMULATOR_QEMU;
use xenstream_core::wire::libxl::types::{EMULATOR_CONTEXT, END as LIBXL_END};
use xenstream_core::wire::params::index;
use xenstream_core::{Layer, RecordRef, Rule};

use super::xl::config;
use crate::broken::{Break, Draft, Fault};
use crate::cases::Case;
use crate::container::XL_FLAGS;
use crate::hvm::{Chain, Entry};
use crate::item::{Item, Part};
use crate::libxl::emulator_context;
use crate::places::BODY;
use crate::stream::Stream;
use crate::{libxc, minimal};

const HVM_JSON: &str = "the same, with an HVM guest that has devices";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        memory_mismatch(),
        viridian("", &[(9, 0x65)], r#"{"viridian_enable": [0, 1]}"#, r#"{"viridian": "True"}"#),
        viridian("not-configured", &[(9, 0x1865)], "{}", r#"{"viridian": "True"}"#),
        viridian("not-set", &[], r#"{"viridian": "True"}"#, r#"{"viridian": "False"}"#),
        viridian_entry(),
        emulator_of_another("", "qemu_xen_traditional"),
    ]
}

/// An HVM guest with a device model.
fn hvm_guest(params: &[(u64, u64)], chain: &Chain) -> Stream {
    let rings = [(1, minimal::STORE_PFN), (17, minimal::STORE_PFN)];
    minimal::hvm()
        .in_libxl()
        .replaced(Part::libxc(HVM_PARAMS), libxc::hvm_params(&[&rings, params].concat()))
        .replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(chain))
        .before(Part::libxl(LIBXL_END), emulator_context(24))
}

/// In an xl file with this in its `b_info`.
fn built(libxl: &Stream, build: &str) -> Stream {
    let config = format!("{{\"c_info\": {{\"type\": \"hvm\"}}, \"b_info\": {{{build}}}}}\0");
    libxl.clone().in_xl_with(XL_FLAGS, config.as_bytes())
}

/// The stream names two pfns.
fn memory_mismatch() -> Case {
    let libxl = hvm_guest(&[], &Chain::minimal());
    let [broken, fine] = [12, 8]
        .map(|kib| built(&libxl, &format!("\"max_memkb\": 16, \"target_memkb\": {kib}, \"video_memkb\": 0")));
    let index = broken.find(Part::libxc(END));
    Case::of(Rule::XlMemoryMismatch, "", &broken, &fine).in_item(&broken, index, 0)
}

/// Broken at the value of the third parameter, or where it is missed.
fn viridian(variant: &'static str, params: &[(u64, u64)], hvm: &str, fine: &str) -> Case {
    let libxl = hvm_guest(params, &Chain::minimal());
    let [broken, fine] = [hvm, fine].map(|hvm| built(&libxl, &format!("\"type.hvm\": {hvm}")));
    let (part, at) = match params {
        [] => (Part::libxc(END), 0),
        _ => (Part::libxc(HVM_PARAMS), BODY + params::HEADER + 2 * params::ENTRY + 8),
    };
    let index = broken.find(part);
    Case::of(Rule::XlViridianMismatch, variant, &broken, &fine).in_item(&broken, index, at)
}

/// No parameter tells of it.
fn viridian_entry() -> Case {
    let entry = Entry::reset(hvm_types::VIRIDIAN_DOMAIN, 0);
    let [broken, fine] = [Chain::around([entry]), Chain::minimal()].map(|chain| hvm_guest(&[], &chain));
    let [broken, fine] = [broken, fine].map(|libxl| built(&libxl, ""));
    let offset = broken.offset(broken.find(Part::libxc(HVM_CONTEXT))) + BODY + Entry::header().size();
    let kind = Some(u64::from(hvm_types::VIRIDIAN_DOMAIN));
    let record = RecordRef { layer: Layer::Hvm, index: 1, kind, offset };
    Case::of(Rule::XlViridianMismatch, "entry", &broken, &fine).at(offset).record(Some(record))
}

fn emulator_of_another(variant: &'static str, version: &str) -> Case {
    let libxl = hvm_guest(&[], &Chain::minimal());
    let [broken, fine] = [version, "qemu_xen"]
        .map(|version| built(&libxl, &format!("\"device_model_version\": \"{version}\"")));
    let index = broken.find(Part::libxl(EMULATOR_CONTEXT));
    Case::of(Rule::XlEmulatorMismatch, variant, &broken, &fine).in_item(&broken, index, BODY)
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::XlMemoryMismatch, HVM_JSON, |d| {
        d.stream.has_devices().then_some(())?;
        // No guest of a plan has so much.
        let fault = hvm_config(d, r#""max_memkb": 17592186044416, "target_memkb": 17592186044416"#)?;
        let ends = |item: &&Item| [END, CHECKPOINT].map(Part::libxc).contains(&item.part());
        let index = fault.stream.items().iter().position(|item| ends(&item))?;
        Some(Fault::in_item(fault.stream, index, 0))
    }),
    Break::new(Rule::XlViridianMismatch, HVM_JSON, |d| {
        d.stream.has_devices().then_some(())?;
        (!names_viridian(d)).then_some(())?;
        let fault = hvm_config(d, r#""type.hvm": {"viridian": "True"}"#)?;
        let ends = |item: &&Item| [END, CHECKPOINT].map(Part::libxc).contains(&item.part());
        let index = fault.stream.items().iter().position(|item| ends(&item))?;
        Some(Fault::in_item(fault.stream, index, 0))
    }),
    Break::new(Rule::XlEmulatorMismatch, HVM_JSON, |d| {
        d.stream.has_devices().then_some(())?;
        let state = Part::libxl(EMULATOR_CONTEXT);
        (d.read32(d.first(state)?, BODY) == EMULATOR_QEMU).then_some(())?;
        let fault = hvm_config(d, r#""device_model_version": "qemu_xen_traditional""#)?;
        let index = fault.stream.find(state);
        Some(Fault::in_item(fault.stream, index, BODY))
    }),
];

/// The stream with a configuration of an HVM guest.
fn hvm_config(d: &Draft<'_>, build: &str) -> Option<Fault> {
    config(d, &format!("{{\"c_info\": {{\"type\": \"hvm\"}}, \"b_info\": {{{build}}}}}"))
}

/// Whether the stream gives its guest features of Viridian.
fn names_viridian(d: &Draft<'_>) -> bool {
    let params = d.stream.items().iter().filter(|item| item.part() == Part::libxc(HVM_PARAMS));
    params.map(|item| item.bytes(d.stream.order(item.part()))).any(|bytes| {
        let entries = bytes.get((BODY + params::HEADER) as usize..).unwrap_or_default();
        entries.chunks_exact(params::ENTRY as usize).any(|entry| entry.contains(&(index::VIRIDIAN as u8)))
    })
}
