//! The libvirt header.

use xenstream_core::wire::Order;
use xenstream_core::wire::libvirt::{HEADER, at};
use xenstream_core::{Limit, Rule};

use super::{Case, field};
use crate::body::Field;
use crate::container::LIBVIRT_XML;
use crate::item::Part;
use crate::minimal;
use crate::stream::Stream;

pub(super) fn cases() -> Vec<Case> {
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
