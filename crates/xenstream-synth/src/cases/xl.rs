//! The xl header.

use xenstream_core::wire::Order;
use xenstream_core::wire::hvm::types as hvm_types;
use xenstream_core::wire::libxc::params;
use xenstream_core::wire::libxc::types::{self as libxc_types, HVM_CONTEXT, HVM_PARAMS, X86_PV_INFO};
use xenstream_core::wire::libxl::types::{EMULATOR_CONTEXT, END};
use xenstream_core::wire::xl::{FLAG_JSON, FLAG_STREAM_V2, at};
use xenstream_core::{Format, Layer, Limit, Profile, RecordRef, Rule};

use super::{BODY, Case, field};
use crate::Body;
use crate::body::Field;
use crate::container::{XL_CONFIG, xl_data, xl_header};
use crate::hvm::{Chain, Entry};
use crate::item::{Item, Part};
use crate::libxc;
use crate::libxl::emulator_context;
use crate::minimal;
use crate::stream::Stream;

const FLAGS: u32 = FLAG_JSON | FLAG_STREAM_V2;

pub(super) fn cases() -> Vec<Case> {
    let base = minimal::hvm().in_libxl().in_xl();
    let header = |rule, variant, at, value| field(rule, variant, &base, Part::Xl, at, Field::U32(value));
    let length = |rule, variant, value| field(rule, variant, &base, Part::XlData, 0, Field::U32(value));
    let config = XL_CONFIG.len() as u32 + 1;
    vec![
        header(Rule::XlByteorder, "", at::BYTEORDER, 0x0102_0305),
        big_endian(),
        header(Rule::XlMandatoryFlags, "", at::MANDATORY_FLAGS, FLAGS | 1 << 2),
        header(Rule::XlMandatoryFlags, "highest", at::MANDATORY_FLAGS, FLAGS | 1 << 31),
        header(Rule::XlStreamFlag, "", at::MANDATORY_FLAGS, FLAG_JSON)
            .note("a libxl stream follows, and the header announces a legacy image"),
        header(Rule::XlOptionalFlags, "", at::OPTIONAL_FLAGS, 1),
        optional_data(3, "").note("too short for the configuration's length"),
        optional_data(1, "one"),
        too_much_optional_data(),
        header(Rule::XlOptionalDataLength, "huge", at::OPTIONAL_DATA_LEN, u32::MAX),
        length(Rule::XlConfigLength, "", config + 1),
        length(Rule::XlConfigLength, "negative", u32::MAX)
            .note("xl reads the length as signed, and -1 passes its check"),
        config_missing(),
        config_terminator(XL_CONFIG.as_bytes(), "", at::CONFIG + XL_CONFIG.len() as u64 - 1),
        config_empty("empty", FLAGS),
        config_empty("empty-text", FLAG_STREAM_V2),
        config_format(),
        config_json(),
        config_limit(
            Rule::XlConfigDepth,
            br#"{"c_info": {}}"#,
            11,
            (Limit::ConfigDepth, 1),
            br#"{"c_info": 0}"#,
        ),
        config_limit(
            Rule::XlConfigValues,
            br#"{"a": 0, "b": 0}"#,
            9,
            (Limit::ConfigValues, 3),
            br#"{"a": 0}"#,
        ),
        config_limit(Rule::XlConfigNumber, b"[1, 16]", 4, (Limit::ConfigNumber, 16), b"[1, 15]"),
        config_limit(Rule::XlConfigNumber, b"[-1]", 1, (Limit::ConfigNumber, 16), b"[1]").variant("negative"),
        type_mismatch("", "pv", &inner()),
        type_mismatch("hvm", "hvm", &minimal::pv64().in_libxl()),
        type_mismatch("pvh", "pvh", &minimal::pv64().in_libxl()),
        emulator_of_pvh(),
        devices_of_pvh(),
        memory_mismatch(),
        viridian("", &[(9, 0x65)], r#"{"viridian_enable": [0, 1]}"#, r#"{"viridian": "True"}"#),
        viridian("not-configured", &[(9, 0x1865)], "{}", r#"{"viridian": "True"}"#),
        viridian("not-set", &[], r#"{"viridian": "True"}"#, r#"{"viridian": "False"}"#),
        viridian_entry(),
        emulator_of_another("", "qemu_xen_traditional"),
    ]
}

fn inner() -> Stream {
    minimal::hvm().in_libxl()
}

/// The header only: the records keep the byte order that their own headers tell.
fn big_endian() -> Case {
    let base = inner().in_xl();
    let broken = base.clone().with_container_order(Order::Big);
    Case::of(Rule::XlBigEndian, "", &broken, &base).at(at::BYTEORDER)
}

fn optional_data(length: u32, variant: &'static str) -> Case {
    let data = Item::new(Part::XlData, Body::new().zeros(u64::from(length)));
    let broken = inner().wrapped(Format::Xl, [xl_header(FLAGS, length), data], []);
    Case::of(Rule::XlOptionalDataLength, variant, &broken, &inner().in_xl()).at(at::OPTIONAL_DATA_LEN)
}

/// After the configuration comes a tail that readers skip; with it the data is one byte over the limit.
fn too_much_optional_data() -> Case {
    let (data, tail) = (xl_data(b"{}\0"), Item::new(Part::Loose, Body::new().zeros(1)));
    let exact = data.size();
    let broken = inner().wrapped(Format::Xl, [xl_header(FLAGS, exact as u32 + 1), data, tail], []);
    Case::of(Rule::XlOptionalDataLength, "limit", &broken, &inner().in_xl_with(FLAGS, b"{}\0"))
        .at(at::OPTIONAL_DATA_LEN)
        .limit(Limit::OptionalData, exact)
}

fn config_missing() -> Case {
    let broken = inner().in_xl_without_config();
    Case::of(Rule::XlConfigMissing, "", &broken, &inner().in_xl()).at(at::OPTIONAL_DATA_LEN)
}

/// Optional data that holds nothing but a configuration's length of 0.
fn config_empty(variant: &'static str, flags: u32) -> Case {
    let broken = inner().in_xl_with(flags, b"");
    Case::of(Rule::XlConfigMissing, variant, &broken, &inner().in_xl()).at(at::CONFIG_LEN)
}

fn config_terminator(config: &[u8], variant: &'static str, at: u64) -> Case {
    let neighbour = inner().in_xl_with(FLAGS, &[config, b"\0"].concat());
    Case::of(Rule::XlConfigTerminator, variant, &inner().in_xl_with(FLAGS, config), &neighbour).at(at)
}

fn config_format() -> Case {
    let config = b"name = 'guest'\n\0";
    let broken = inner().in_xl_with(FLAG_STREAM_V2, config);
    Case::of(Rule::XlConfigFormat, "", &broken, &inner().in_xl()).at(at::MANDATORY_FLAGS)
}

/// Broken at this byte of the configuration, under this limit.
fn config_limit(rule: Rule, config: &[u8], at: u64, (limit, value): (Limit, u64), fine: &[u8]) -> Case {
    let [broken, fine] = [config, fine].map(|config| inner().in_xl_with(FLAGS, &[config, b"\0"].concat()));
    Case::of(rule, "", &broken, &fine).at(at::CONFIG + at).limit(limit, value)
}

/// In an xl file whose configuration gives the domain this type.
fn typed(libxl: &Stream, kind: &str) -> Stream {
    libxl.clone().in_xl_with(FLAGS, format!("{{\"c_info\": {{\"type\": \"{kind}\"}}}}\0").as_bytes())
}

fn type_mismatch(variant: &'static str, kind: &str, libxl: &Stream) -> Case {
    let guest = if libxl.has(Part::libxc(X86_PV_INFO)) { "pv" } else { "pvh" };
    let broken = typed(libxl, kind);
    let domain = broken.offset(broken.find(Part::Domain));
    Case::of(Rule::XlTypeMismatch, variant, &broken, &typed(libxl, guest)).at(domain)
}

/// libxl refuses a device model's records of a domain that has none.
fn emulator_of_pvh() -> Case {
    let libxl = inner().before(Part::libxl(END), emulator_context(24));
    let broken = typed(&libxl, "pvh");
    let index = broken.find(Part::libxl(EMULATOR_CONTEXT));
    Case::of(Rule::XlTypeMismatch, "emulator", &broken, &typed(&libxl, "hvm")).in_item(&broken, index, 0)
}

/// The chain's END is where it shows.
fn devices_of_pvh() -> Case {
    let chain = Chain::with_devices(1);
    let context = Part::libxc(HVM_CONTEXT);
    let libxl =
        inner().replaced(context, libxc::hvm_context(&chain)).before(Part::libxl(END), emulator_context(24));
    let broken = typed(&libxl, "pvh");
    let index = chain.entries().len() - 1;
    let offset = broken.offset(broken.find(context)) + BODY + chain.offset(index);
    let record = RecordRef { layer: Layer::Hvm, index: index as u64, kind: Some(0), offset };
    let mismatch = Rule::XlTypeMismatch;
    Case::of(mismatch, "devices", &broken, &typed(&libxl, "hvm"))
        .at(offset)
        .record(Some(record))
        .warnings(Profile::Spec, &[mismatch, mismatch])
}

/// An HVM guest with a device model.
fn hvm_guest(params: &[(u64, u64)], chain: &Chain) -> Stream {
    let rings = [(1, minimal::STORE_PFN), (17, minimal::STORE_PFN)];
    inner()
        .replaced(Part::libxc(HVM_PARAMS), libxc::hvm_params(&[&rings, params].concat()))
        .replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(chain))
        .before(Part::libxl(END), emulator_context(24))
}

/// In an xl file with this in its `b_info`.
fn built(libxl: &Stream, build: &str) -> Stream {
    let config = format!("{{\"c_info\": {{\"type\": \"hvm\"}}, \"b_info\": {{{build}}}}}\0");
    libxl.clone().in_xl_with(FLAGS, config.as_bytes())
}

/// The stream names two pfns.
fn memory_mismatch() -> Case {
    let libxl = hvm_guest(&[], &Chain::minimal());
    let [broken, fine] = [12, 8]
        .map(|kib| built(&libxl, &format!("\"max_memkb\": 16, \"target_memkb\": {kib}, \"video_memkb\": 0")));
    let index = broken.find(Part::libxc(libxc_types::END));
    Case::of(Rule::XlMemoryMismatch, "", &broken, &fine).in_item(&broken, index, 0)
}

/// Broken at the value of the third parameter, or where it is missed.
fn viridian(variant: &'static str, params: &[(u64, u64)], hvm: &str, fine: &str) -> Case {
    let libxl = hvm_guest(params, &Chain::minimal());
    let [broken, fine] = [hvm, fine].map(|hvm| built(&libxl, &format!("\"type.hvm\": {hvm}")));
    let (part, at) = match params {
        [] => (Part::libxc(libxc_types::END), 0),
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

fn config_json() -> Case {
    let broken = inner().in_xl_with(FLAGS, b"{\"c_info\": }\0");
    Case::of(Rule::XlConfigJson, "", &broken, &inner().in_xl_with(FLAGS, b"{\"c_info\": 0}\0"))
        .at(at::CONFIG + r#"{"c_info": "#.len() as u64)
}
