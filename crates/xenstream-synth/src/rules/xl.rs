//! The header of xl, and the configuration after it.

use xenstream_core::wire::Order;
use xenstream_core::wire::libxc::types::{HVM_CONTEXT, X86_PV_INFO};
use xenstream_core::wire::libxl::types::{EMULATOR_CONTEXT, END as LIBXL_END};
use xenstream_core::wire::xl::{FLAG_JSON, FLAG_STREAM_V2, at};
use xenstream_core::{Format, Guest, Layer, Limit, Profile, RecordRef, Rule};

use crate::body::{Body, Field};
use crate::broken::{Break, Draft, Fault};
use crate::cases::{Case, field};
use crate::container::{XL_CONFIG, XL_FLAGS, xl_data, xl_header};
use crate::hvm::Chain;
use crate::item::{Item, Part};
use crate::libxl::emulator_context;
use crate::places::BODY;
use crate::stream::Stream;
use crate::{libxc, minimal};

const XL: &str = "an xl header";
const CONFIG: &str = "an xl header with a configuration";
const JSON: &str = "an xl header with a configuration in JSON";

pub(crate) fn cases() -> Vec<Case> {
    let base = minimal::hvm().in_libxl().in_xl();
    let header = |rule, variant, at, value| field(rule, variant, &base, Part::Xl, at, Field::U32(value));
    let length = |rule, variant, value| field(rule, variant, &base, Part::XlData, 0, Field::U32(value));
    let config = XL_CONFIG.len() as u32 + 1;
    vec![
        header(Rule::XlByteorder, "", at::BYTEORDER, 0x0102_0305),
        big_endian(),
        header(Rule::XlMandatoryFlags, "", at::MANDATORY_FLAGS, XL_FLAGS | 1 << 2),
        header(Rule::XlMandatoryFlags, "highest", at::MANDATORY_FLAGS, XL_FLAGS | 1 << 31),
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
        config_empty("empty", XL_FLAGS),
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
    let broken = inner().wrapped(Format::Xl, [xl_header(XL_FLAGS, length), data], []);
    Case::of(Rule::XlOptionalDataLength, variant, &broken, &inner().in_xl()).at(at::OPTIONAL_DATA_LEN)
}

/// After the configuration comes a tail that readers skip; with it the data is one byte over the limit.
fn too_much_optional_data() -> Case {
    let (data, tail) = (xl_data(b"{}\0"), Item::new(Part::Loose, Body::new().zeros(1)));
    let exact = data.size();
    let broken = inner().wrapped(Format::Xl, [xl_header(XL_FLAGS, exact as u32 + 1), data, tail], []);
    Case::of(Rule::XlOptionalDataLength, "limit", &broken, &inner().in_xl_with(XL_FLAGS, b"{}\0"))
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
    let neighbour = inner().in_xl_with(XL_FLAGS, &[config, b"\0"].concat());
    Case::of(Rule::XlConfigTerminator, variant, &inner().in_xl_with(XL_FLAGS, config), &neighbour).at(at)
}

fn config_format() -> Case {
    let config = b"name = 'guest'\n\0";
    let broken = inner().in_xl_with(FLAG_STREAM_V2, config);
    Case::of(Rule::XlConfigFormat, "", &broken, &inner().in_xl()).at(at::MANDATORY_FLAGS)
}

/// Broken at this byte of the configuration, under this limit.
fn config_limit(rule: Rule, config: &[u8], at: u64, (limit, value): (Limit, u64), fine: &[u8]) -> Case {
    let [broken, fine] = [config, fine].map(|config| inner().in_xl_with(XL_FLAGS, &[config, b"\0"].concat()));
    Case::of(rule, "", &broken, &fine).at(at::CONFIG + at).limit(limit, value)
}

/// In an xl file whose configuration gives the domain this type.
fn typed(libxl: &Stream, kind: &str) -> Stream {
    libxl.clone().in_xl_with(XL_FLAGS, format!("{{\"c_info\": {{\"type\": \"{kind}\"}}}}\0").as_bytes())
}

fn type_mismatch(variant: &'static str, kind: &str, libxl: &Stream) -> Case {
    let guest = if libxl.has(Part::libxc(X86_PV_INFO)) { "pv" } else { "pvh" };
    let broken = typed(libxl, kind);
    let domain = broken.offset(broken.find(Part::Domain));
    Case::of(Rule::XlTypeMismatch, variant, &broken, &typed(libxl, guest)).at(domain)
}

/// libxl refuses a device model's records of a domain that has none.
fn emulator_of_pvh() -> Case {
    let libxl = inner().before(Part::libxl(LIBXL_END), emulator_context(24));
    let broken = typed(&libxl, "pvh");
    let index = broken.find(Part::libxl(EMULATOR_CONTEXT));
    Case::of(Rule::XlTypeMismatch, "emulator", &broken, &typed(&libxl, "hvm")).in_item(&broken, index, 0)
}

/// The chain's END is where it shows.
fn devices_of_pvh() -> Case {
    let chain = Chain::with_devices(1);
    let context = Part::libxc(HVM_CONTEXT);
    let libxl = inner()
        .replaced(context, libxc::hvm_context(&chain))
        .before(Part::libxl(LIBXL_END), emulator_context(24));
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

fn config_json() -> Case {
    let broken = inner().in_xl_with(XL_FLAGS, b"{\"c_info\": }\0");
    Case::of(Rule::XlConfigJson, "", &broken, &inner().in_xl_with(XL_FLAGS, b"{\"c_info\": 0}\0"))
        .at(at::CONFIG + r#"{"c_info": "#.len() as u64)
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::XlByteorder, XL, |d| {
        let order = d.number(0x0102_0305, 0x1_0000) as u32;
        d.field(d.first(Part::Xl)?, at::BYTEORDER, Field::U32(order))
    }),
    Break::new(Rule::XlBigEndian, XL, |d| break_big_endian(d, Part::Xl, at::BYTEORDER)),
    Break::new(Rule::XlStreamFlag, XL, |d| {
        let header = d.first(Part::Xl)?;
        let flags = d.read32(header, at::MANDATORY_FLAGS) & !FLAG_STREAM_V2;
        d.field(header, at::MANDATORY_FLAGS, Field::U32(flags))
    }),
    Break::new(Rule::XlOptionalDataLength, XL, |d| {
        let most = Limit::OptionalData.default_for(Profile::Spec);
        let length = d.one_of(&[1, 2, 3, most + 1, u64::from(u32::MAX)])?;
        d.field(d.first(Part::Xl)?, at::OPTIONAL_DATA_LEN, Field::U32(length as u32))
    }),
    Break::new(Rule::XlConfigLength, CONFIG, |d| {
        let data = d.first(Part::XlData)?;
        let room = u64::from(d.read32(d.first(Part::Xl)?, at::OPTIONAL_DATA_LEN)) - 4;
        let length = d.one_of(&[room + 1, room + 4, 0x7FFF_FFFF, 0x8000_0000, u64::from(u32::MAX)])?;
        d.field(data, 0, Field::U32(length as u32))
    }),
    Break::new(Rule::XlConfigMissing, XL, |d| {
        d.field(d.first(Part::Xl)?, at::OPTIONAL_DATA_LEN, Field::U32(0))
    }),
    Break::new(Rule::XlConfigMissing, CONFIG, |d| d.field(d.first(Part::XlData)?, 0, Field::U32(0))),
    Break::new(Rule::XlConfigTerminator, JSON, |d| {
        let data = json(d)?;
        let byte = d.number(1, 255) as u8;
        d.field(data, d.item(data).size() - 1, Field::U8(byte))
    }),
    Break::new(Rule::XlConfigDepth, JSON, |d| {
        let fault = config(d, "{\"c_info\": {}}")?;
        Some(fault.found_at(at::CONFIG + 11).limit(Limit::ConfigDepth, 1))
    }),
    Break::new(Rule::XlConfigValues, JSON, |d| {
        let fault = config(d, "{\"c_info\": {}}")?;
        Some(fault.found_at(at::CONFIG + 1).limit(Limit::ConfigValues, 1))
    }),
    Break::new(Rule::XlConfigNumber, JSON, |d| {
        let number = d.number(5, 1 << 30);
        let fault = config(d, &format!("{{\"cpus\": [0, {number}]}}"))?;
        Some(fault.found_at(at::CONFIG + 13).limit(Limit::ConfigNumber, 5))
    }),
    Break::new(Rule::XlTypeMismatch, JSON, |d| {
        let kind = match d.expected.guest {
            Guest::Pv => d.one_of(&["pvh", "hvm"])?,
            Guest::Hvm => "pv",
        };
        let fault = config(d, &format!("{{\"c_info\": {{\"type\": \"{kind}\"}}}}"))?;
        let domain = fault.stream.offset(fault.stream.find(Part::Domain));
        Some(fault.found_at(domain))
    }),
    Break::new(Rule::XlConfigFormat, CONFIG, |d| {
        d.first(Part::XlData)?;
        let header = d.first(Part::Xl)?;
        let flags = d.read32(header, at::MANDATORY_FLAGS) & !FLAG_JSON;
        d.field(header, at::MANDATORY_FLAGS, Field::U32(flags))
    }),
    Break::new(Rule::XlConfigJson, JSON, |d| {
        let fault = d.field(json(d)?, 4, Field::U8(b'}'))?;
        Some(fault.found_at(at::CONFIG))
    }),
];

/// The header alone in the other byte order.
pub(super) fn break_big_endian(d: &Draft<'_>, part: Part, at: u64) -> Option<Fault> {
    let header = d.first(part)?;
    Some(Fault::in_item(d.stream.clone().with_container_order(Order::Big), header, at))
}

/// The stream with another configuration.
pub(super) fn config(d: &Draft<'_>, config: &str) -> Option<Fault> {
    let data = xl_data(format!("{config}\0").as_bytes());
    let header = d.first(Part::Xl)?;
    let index = json(d)?;
    let length = Field::U32(u32::try_from(data.size()).ok()?);
    let header_item = d.item(header).clone().edited(at::OPTIONAL_DATA_LEN, length);
    // What came after the old configuration is no longer there.
    let items = d.stream.items().iter().filter(|item| item.part() != Part::Loose).cloned();
    let stream = d.stream.clone().of_items(items).with_item(header, header_item).with_item(index, data);
    Some(Fault::in_item(stream, index, 0))
}

/// The optional data of an xl header, if it holds JSON and nothing after it.
fn json(d: &Draft<'_>) -> Option<usize> {
    let header = d.first(Part::Xl)?;
    let json = d.read32(header, at::MANDATORY_FLAGS) & FLAG_JSON != 0;
    if json { d.first(Part::XlData) } else { None }
}
