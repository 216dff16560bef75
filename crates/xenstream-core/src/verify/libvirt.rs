//! The header of libvirt's libxl driver and its XML.

use crate::observer::{Header, Observer, Record};
use crate::policy::Limit;
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::verify::{self, Size, Stop};
use crate::violation::Layer;
use crate::wire::{Order, libvirt, libxl};

/// Fields of the header, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Version,
    XmlLen,
    /// One of the unused words, counting from 0.
    Unused(u8),
    /// The last byte of the XML.
    XmlLast,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    order: Order,
    version: u32,
    xml_len: u32,
    /// The unused words were found wanting already.
    reserved_told: bool,
}

impl Field {
    #[inline]
    pub(crate) fn size(self) -> Size {
        Size::Bytes(if matches!(self, Field::XmlLast) { 1 } else { 4 })
    }
}

impl Verifier {
    /// The magic has passed.
    pub(crate) fn libvirt_start(&mut self) {
        self.sure = libvirt::HEADER.saturating_add(libxl::HEADER);
        self.libvirt_next(0, Field::Version);
    }

    /// The rule that a libxl stream breaks where the header announces a legacy image, with the offset and the value of
    /// the version that does so.
    pub(crate) fn libvirt_announces_legacy(&self) -> Option<(Rule, u64, u64)> {
        let version = self.libvirt.version;
        let announces = version == libvirt::VERSION_LEGACY;
        announces.then_some((Rule::LibvirtVersionPayload, libvirt::at::VERSION, u64::from(version)))
    }

    fn libvirt_next(&mut self, gap: u64, field: Field) {
        self.next(gap, verify::Field::Libvirt(field));
    }

    pub(crate) fn libvirt_field<O: Observer + ?Sized>(
        &mut self,
        field: Field,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let [a, b, c, d, ..] = value;
        let bytes = [a, b, c, d];
        let word = self.libvirt.order.u32(bytes);
        match field {
            Field::Version => self.libvirt_version(at, bytes, o)?,
            Field::XmlLen => {
                self.libvirt.xml_len = word;
                self.sure = libvirt::HEADER.saturating_add(u64::from(word)).saturating_add(libxl::HEADER);
                let limit = self.policy.limit(Limit::Xml);
                if word == 0 || u64::from(word) > limit {
                    self.find(Rule::LibvirtXmlLength, at, u64::from(word), limit, o)?;
                }
                self.libvirt_next(0, Field::Unused(0));
            }
            Field::Unused(index) => {
                if word != 0 && !self.libvirt.reserved_told {
                    self.libvirt.reserved_told = true;
                    self.find(Rule::LibvirtReserved, at, u64::from(word), 0, o)?;
                }
                let next = index.saturating_add(1);
                if u64::from(next) < libvirt::UNUSED_WORDS {
                    self.libvirt_next(0, Field::Unused(next));
                } else {
                    self.libvirt_xml(o);
                }
            }
            Field::XmlLast => {
                self.wanted = false;
                if a != 0 {
                    self.find(Rule::LibvirtXmlTerminator, at, u64::from(a), 0, o)?;
                }
                self.libxl_start();
            }
        }
        Ok(())
    }

    /// The header has no order mark: a known version tells it.
    fn libvirt_version<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        bytes: [u8; 4],
        o: &mut O,
    ) -> Result<(), Stop> {
        let known = |version| matches!(version, libvirt::VERSION_LEGACY | libvirt::VERSION);
        let little = Order::Little.u32(bytes);
        let big = Order::Big.u32(bytes);
        let (order, version) = if known(big) { (Order::Big, big) } else { (Order::Little, little) };
        self.libvirt.order = order;
        self.libvirt.version = version;
        if !known(version) {
            self.find(Rule::LibvirtVersion, at, u64::from(version), u64::from(libvirt::VERSION), o)?;
        }
        if order == Order::Big {
            self.find(Rule::LibvirtBigEndian, at, u64::from(little), u64::from(libvirt::VERSION), o)?;
        }
        self.libvirt_next(0, Field::XmlLen);
        Ok(())
    }

    fn libvirt_xml<O: Observer + ?Sized>(&mut self, o: &mut O) {
        let State { order, version, xml_len, .. } = self.libvirt;
        o.header(&Header::Libvirt { offset: 0, order, version, xml_len });
        let length = u64::from(xml_len);
        // A length of 0 was found wanting, and lowered.
        let Some(before) = length.checked_sub(1) else { return self.libxl_start() };
        self.wanted = o.wants_body(&Record {
            layer: Layer::Libvirt,
            index: 0,
            kind: 0,
            instance: 0,
            offset: libvirt::at::XML_LEN,
            body_offset: self.position,
            body_length: length,
        });
        self.libvirt_next(before, Field::XmlLast);
    }
}
