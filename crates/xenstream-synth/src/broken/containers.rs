//! The headers of xl, libvirt and xenopsd.

use xenstream_core::wire::Order;
use xenstream_core::wire::libvirt;
use xenstream_core::wire::libxc::params;
use xenstream_core::wire::libxc::types::{CHECKPOINT, END, HVM_PARAMS};
use xenstream_core::wire::libxl::EMULATOR_QEMU;
use xenstream_core::wire::libxl::types::EMULATOR_CONTEXT;
use xenstream_core::wire::params::index;
use xenstream_core::wire::xenopsd::QEMU_TRAD_MAX;
use xenstream_core::wire::xenopsd::types::{
    DEMU, END_OF_IMAGE, LIBXC, LIBXC_LEGACY, LIBXL, QEMU_TRAD, QEMU_XEN, VARSTORED, XENOPS,
};
use xenstream_core::wire::xl::{FLAG_JSON, FLAG_STREAM_V2, at};
use xenstream_core::{Format, Guest, Layer, Limit, Rule};

use super::{Break, Draft, Fault};
use crate::body::{Body, Field};
use crate::container::{xenopsd_record, xl_data};
use crate::item::{Item, Part};

/// Offset of a typed header's length.
const LENGTH: u64 = 8;
/// Offset of a record's body from its first byte.
const RECORD_BODY: u64 = 8;

const XL: &str = "an xl header";
const CONFIG: &str = "an xl header with a configuration";
const JSON: &str = "an xl header with a configuration in JSON";
const HVM_JSON: &str = "the same, with an HVM guest that has devices";
const LIBVIRT: &str = "a libvirt header";
const XENOPSD: &str = "a xenopsd image";

pub(super) const BREAKS: &[Break] = &[
    Break::new(Rule::XlByteorder, XL, |d| {
        let order = d.number(0x0102_0305, 0x1_0000) as u32;
        d.field(d.first(Part::Xl)?, at::BYTEORDER, Field::U32(order))
    }),
    Break::new(Rule::XlBigEndian, XL, |d| big_endian(d, Part::Xl, at::BYTEORDER)),
    Break::new(Rule::XlMandatoryFlags, XL, |d| {
        let header = d.first(Part::Xl)?;
        let flags = d.read32(header, at::MANDATORY_FLAGS) | 1 << d.number(2, 30);
        d.field(header, at::MANDATORY_FLAGS, Field::U32(flags))
    }),
    Break::new(Rule::XlStreamFlag, XL, |d| {
        let header = d.first(Part::Xl)?;
        let flags = d.read32(header, at::MANDATORY_FLAGS) & !FLAG_STREAM_V2;
        d.field(header, at::MANDATORY_FLAGS, Field::U32(flags))
    }),
    Break::new(Rule::XlOptionalFlags, XL, |d| {
        let flags = d.number(1, u64::from(u32::MAX)) as u32;
        d.field(d.first(Part::Xl)?, at::OPTIONAL_FLAGS, Field::U32(flags))
    }),
    Break::new(Rule::XlOptionalDataLength, XL, |d| {
        let most = Limit::OptionalData.defaults()[0];
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
        (d.read32(d.first(state)?, RECORD_BODY) == EMULATOR_QEMU).then_some(())?;
        let fault = hvm_config(d, r#""device_model_version": "qemu_xen_traditional""#)?;
        let index = fault.stream.find(state);
        Some(Fault::in_item(fault.stream, index, RECORD_BODY))
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
    Break::new(Rule::LibvirtBigEndian, LIBVIRT, |d| big_endian(d, Part::Libvirt, libvirt::at::VERSION)),
    Break::new(Rule::LibvirtVersion, LIBVIRT, |d| {
        let version = d.one_of(&[0, 3, 0xFF, u32::MAX])?;
        d.field(d.first(Part::Libvirt)?, libvirt::at::VERSION, Field::U32(version))
    }),
    Break::new(Rule::LibvirtVersionPayload, LIBVIRT, |d| {
        d.field(d.first(Part::Libvirt)?, libvirt::at::VERSION, Field::U32(libvirt::VERSION_LEGACY))
    }),
    Break::new(Rule::LibvirtXmlLength, LIBVIRT, |d| {
        let length = d.one_of(&[0, Limit::Xml.defaults()[0] + 1, u64::from(u32::MAX)])?;
        d.field(d.first(Part::Libvirt)?, libvirt::at::XML_LEN, Field::U32(length as u32))
    }),
    Break::new(Rule::LibvirtXmlTerminator, LIBVIRT, |d| {
        let xml = d.first(Part::LibvirtXml)?;
        let byte = d.number(1, 255) as u8;
        d.field(xml, d.item(xml).size() - 1, Field::U8(byte))
    }),
    Break::new(Rule::LibvirtXmlSyntax, LIBVIRT, |d| {
        // Text where an element should begin.
        d.field(d.first(Part::LibvirtXml)?, 0, Field::U8(b'x'))
    }),
    Break::new(Rule::LibvirtReserved, LIBVIRT, |d| {
        let word = d.number(0, libvirt::UNUSED_WORDS);
        let value = d.number(1, u64::from(u32::MAX)) as u32;
        d.field(d.first(Part::Libvirt)?, libvirt::at::UNUSED + 4 * word, Field::U32(value))
    }),
    Break::new(Rule::XenopsdHeaderType, XENOPSD, |d| {
        let kind = d.one_of(&[0, 0x10, 0xF3, 0xF02, 0xF14, 0x1_0000, u64::MAX])?;
        d.extra(d.any_in(Layer::Xenopsd)?, xenopsd_record(kind, Body::new()), 0)
    }),
    Break::new(Rule::XenopsdLengthNegative, XENOPSD, |d| {
        let length = d.one_of(&[1 << 63, u64::MAX])?;
        d.field(d.any_in(Layer::Xenopsd)?, LENGTH, Field::U64(length))
    }),
    Break::new(Rule::XenopsdLength, XENOPSD, |d| {
        let index = d.any_in(Layer::Xenopsd)?;
        let (_, kind) = d.item(index).part().record()?;
        let most = match kind {
            LIBXC | END_OF_IMAGE => 0,
            QEMU_TRAD => QEMU_TRAD_MAX,
            _ => Limit::XenopsdBlob.defaults()[0],
        };
        let length = d.one_of(&[most + 1, most + 8, i64::MAX as u64])?;
        d.field(index, LENGTH, Field::U64(length))
    }),
    Break::new(Rule::XenopsdMetadata, XENOPSD, |d| {
        d.field(d.first(Part::xenopsd(XENOPS))?, 16, Field::U8(b')'))
    }),
    Break::new(Rule::XenopsdUnsupported, XENOPSD, |d| stray(d, &[LIBXL, QEMU_XEN])),
    Break::new(Rule::XenopsdMissingLibxc, XENOPSD, |d| {
        d.extra(d.first(Part::xenopsd(LIBXC))?, xenopsd_record(END_OF_IMAGE, Body::new()), 0)
    }),
    Break::new(Rule::XenopsdOpaque, XENOPSD, |d| stray(d, &[DEMU, LIBXC_LEGACY])),
    Break::new(Rule::XenopsdOrder, XENOPSD, |d| {
        // Anything of a lower rank than what has come, or of the same.
        let end = d.last(Part::xenopsd(END_OF_IMAGE))?;
        let before = d.item(end - 1).part().record().filter(|(layer, _)| *layer == Layer::Xenopsd);
        let kind = match before {
            Some((_, kind)) if kind == VARSTORED || kind == QEMU_TRAD => d.one_of(&[XENOPS, kind])?,
            _ => XENOPS,
        };
        d.extra(end, xenopsd_record(kind, Body::new().zeros(4)), 0)
    }),
];

/// The header alone in the other byte order.
fn big_endian(d: &Draft<'_>, part: Part, at: u64) -> Option<Fault> {
    let header = d.first(part)?;
    Some(Fault::in_item(d.stream.clone().with_container_order(Order::Big), header, at))
}

/// The stream with another configuration.
fn config(d: &Draft<'_>, config: &str) -> Option<Fault> {
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

/// The stream with a configuration of an HVM guest.
fn hvm_config(d: &Draft<'_>, build: &str) -> Option<Fault> {
    config(d, &format!("{{\"c_info\": {{\"type\": \"hvm\"}}, \"b_info\": {{{build}}}}}"))
}

/// Whether the stream gives its guest features of Viridian.
fn names_viridian(d: &Draft<'_>) -> bool {
    let params = d.stream.items().iter().filter(|item| item.part() == Part::libxc(HVM_PARAMS));
    params.map(|item| item.bytes(d.stream.order(item.part()))).any(|bytes| {
        let entries = bytes.get((RECORD_BODY + params::HEADER) as usize..).unwrap_or_default();
        entries.chunks_exact(params::ENTRY as usize).any(|entry| entry.contains(&(index::VIRIDIAN as u8)))
    })
}

/// The optional data of an xl header, if it holds JSON and nothing after it.
fn json(d: &Draft<'_>) -> Option<usize> {
    let header = d.first(Part::Xl)?;
    let json = d.read32(header, at::MANDATORY_FLAGS) & FLAG_JSON != 0;
    if json { d.first(Part::XlData) } else { None }
}

fn stray(d: &Draft<'_>, kinds: &[u64]) -> Option<Fault> {
    (d.expected.format == Format::Xenopsd).then_some(())?;
    let kind = d.one_of(kinds)?;
    d.extra(d.any_in(Layer::Xenopsd)?, xenopsd_record(kind, Body::new()), 0)
}
