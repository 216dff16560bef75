//! The header of libvirt, and the XML after it.

use xenstream_core::wire::Order;
use xenstream_core::wire::libvirt::{self, HEADER, at};
use xenstream_core::{Limit, Profile, Rule};

use super::xl::break_big_endian;
use crate::body::Field;
use crate::broken::Break;
use crate::cases::{Case, field};
use crate::container::LIBVIRT_XML;
use crate::item::Part;
use crate::minimal;
use crate::stream::Stream;

const LIBVIRT: &str = "a libvirt header";

pub(crate) fn cases() -> Vec<Case> {
    let base = inner().in_libvirt();
    let header = |rule, variant, at, value| field(rule, variant, &base, Part::Libvirt, at, Field::U32(value));
    vec![
        big_endian(),
        header(Rule::LibvirtVersion, "", at::VERSION, 3),
        header(Rule::LibvirtVersion, "zero", at::VERSION, 0),
        header(Rule::LibvirtVersionPayload, "", at::VERSION, 1)
            .note("a libxl stream follows, and the header announces a legacy image"),
        empty_xml(),
        header(Rule::LibvirtXmlLength, "huge", at::XML_LEN, u32::MAX),
        header(Rule::LibvirtXmlLength, "limit", at::XML_LEN, LIBVIRT_XML.len() as u32 + 2)
            .limit(Limit::Xml, LIBVIRT_XML.len() as u64 + 1),
        xml_terminator(),
        header(Rule::LibvirtReserved, "", at::UNUSED, 1),
        header(Rule::LibvirtReserved, "last", HEADER - 4, 1 << 31),
        xml_syntax(),
    ]
}

fn inner() -> Stream {
    minimal::hvm().in_libxl()
}

/// The header only: the records keep the byte order that their own headers tell.
fn big_endian() -> Case {
    let base = inner().in_libvirt();
    let broken = base.clone().with_container_order(Order::Big);
    Case::of(Rule::LibvirtBigEndian, "", &broken, &base).at(at::VERSION)
}

fn empty_xml() -> Case {
    let neighbour = inner().in_libvirt_with(b"<domain/>\0");
    Case::of(Rule::LibvirtXmlLength, "", &inner().in_libvirt_with(b""), &neighbour).at(at::XML_LEN)
}

fn xml_terminator() -> Case {
    let xml = b"<domain/>\n";
    let neighbour = inner().in_libvirt_with(b"<domain/>\0");
    Case::of(Rule::LibvirtXmlTerminator, "", &inner().in_libvirt_with(xml), &neighbour)
        .at(HEADER + xml.len() as u64 - 1)
}

fn xml_syntax() -> Case {
    let broken = inner().in_libvirt_with(b"<domain>>\0");
    Case::of(Rule::LibvirtXmlSyntax, "", &broken, &inner().in_libvirt_with(b"<domain/>\0"))
        .at(HEADER + "<domain>>".len() as u64)
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::LibvirtBigEndian, LIBVIRT, |d| break_big_endian(d, Part::Libvirt, at::VERSION)),
    Break::new(Rule::LibvirtVersion, LIBVIRT, |d| {
        let version = d.one_of(&[0, 3, 0xFF, u32::MAX])?;
        d.field(d.first(Part::Libvirt)?, at::VERSION, Field::U32(version))
    }),
    Break::new(Rule::LibvirtVersionPayload, LIBVIRT, |d| {
        d.field(d.first(Part::Libvirt)?, at::VERSION, Field::U32(libvirt::VERSION_LEGACY))
    }),
    Break::new(Rule::LibvirtXmlLength, LIBVIRT, |d| {
        let length = d.one_of(&[0, Limit::Xml.default_for(Profile::Spec) + 1, u64::from(u32::MAX)])?;
        d.field(d.first(Part::Libvirt)?, at::XML_LEN, Field::U32(length as u32))
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
        d.field(d.first(Part::Libvirt)?, at::UNUSED + 4 * word, Field::U32(value))
    }),
];
