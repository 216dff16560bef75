//! The xl header.

use xenstream_core::wire::Order;
use xenstream_core::wire::xl::{FLAG_JSON, FLAG_STREAM_V2, at};
use xenstream_core::{Format, Limit, Rule};

use super::{Case, field};
use crate::Body;
use crate::body::Field;
use crate::container::{XL_CONFIG, xl_data, xl_header};
use crate::item::{Item, Part};
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

/// Behind the configuration comes a tail that readers skip; with it the data is one byte over the limit.
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

fn config_json() -> Case {
    let broken = inner().in_xl_with(FLAGS, b"{\"c_info\": }\0");
    Case::of(Rule::XlConfigJson, "", &broken, &inner().in_xl_with(FLAGS, b"{\"c_info\": 0}\0"))
        .at(at::CONFIG + r#"{"c_info": "#.len() as u64)
}
