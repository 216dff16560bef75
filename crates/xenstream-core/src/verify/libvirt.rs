//! The header of libvirt's libxl driver and its XML.

use crate::observer::{Header, Observer, Record};
use crate::policy::Limit;
use crate::rule::Rule;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::flat::{FieldValue, PartOf};
use crate::verify::{Bytes, Field, Stop};
use crate::violation::Layer;
use crate::wire::layout::LibvirtHook;
use crate::wire::{Order, headers, libvirt, libxl};

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    order: Order,
    version: u32,
    xml_len: u32,
    /// Whether a fault in the unused words was reported.
    reserved_reported: bool,
}

impl Verifier {
    /// Begins the header, after its magic.
    pub(crate) fn libvirt_start(&mut self) {
        self.certain_until = libvirt::HEADER.saturating_add(libxl::HEADER);
        self.header_start(&headers::LIBVIRT, PartOf::Libvirt, libvirt::MAGIC.len() as u64);
    }

    /// Returns the rule that a libxl stream breaks if the header announces a legacy image, with the offset and the value of
    /// its version.
    pub(crate) fn libvirt_announces_legacy(&self) -> Option<(Rule, u64, u64)> {
        let version = self.libvirt.version;
        let announces = version == libvirt::VERSION_LEGACY;
        announces.then_some((Rule::LibvirtVersionPayload, libvirt::at::VERSION, u64::from(version)))
    }

    /// Runs the hand-written checks of the header.
    pub(crate) fn libvirt_hook<O: Observer + ?Sized>(
        &mut self,
        hook: LibvirtHook,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        let FieldValue { value, at, .. } = field;
        match hook {
            LibvirtHook::Version => self.libvirt_version(at, value as u32, o),
            LibvirtHook::XmlLen => {
                self.libvirt.xml_len = value as u32;
                self.certain_until = libvirt::HEADER.saturating_add(value).saturating_add(libxl::HEADER);
                let limit = self.policy.limit(Limit::Xml);
                if value == 0 || value > limit {
                    self.flag(Rule::LibvirtXmlLength, at, value, limit, o)?;
                }
                Ok(())
            }
            LibvirtHook::Unused if value != 0 && !self.libvirt.reserved_reported => {
                self.libvirt.reserved_reported = true;
                self.flag(Rule::LibvirtReserved, at, value, Value::None, o)
            }
            LibvirtHook::Unused => Ok(()),
        }
    }

    /// Detects the byte order, for which the header has no mark: a known version shows it. `little` is the version in
    /// little-endian order.
    fn libvirt_version<O: Observer + ?Sized>(&mut self, at: u64, little: u32, o: &mut O) -> Result<(), Stop> {
        let known = |version| matches!(version, libvirt::VERSION_LEGACY | libvirt::VERSION);
        let big = little.swap_bytes();
        let (order, version) = if known(big) { (Order::Big, big) } else { (Order::Little, little) };
        self.libvirt.order = order;
        self.libvirt.version = version;
        self.flat_turn(order);
        if !known(version) {
            self.flag(Rule::LibvirtVersion, at, u64::from(version), u64::from(libvirt::VERSION), o)?;
        }
        if order == Order::Big {
            self.flag(Rule::LibvirtBigEndian, at, u64::from(little), u64::from(libvirt::VERSION), o)?;
        }
        Ok(())
    }

    /// Ends the header.
    pub(crate) fn libvirt_header_end<O: Observer + ?Sized>(&mut self, o: &mut O) {
        let State { order, version, xml_len, .. } = self.libvirt;
        o.on_header(&Header::Libvirt { offset: 0, order, version, xml_len });
        let length = u64::from(xml_len);
        // A length of 0 was reported, at a lowered level.
        let Some(before) = length.checked_sub(1) else { return self.libxl_start() };
        self.body_is_wanted = o.wants_body(&Record {
            layer: Layer::Libvirt,
            index: 0,
            kind: 0,
            instance: 0,
            offset: libvirt::at::XML_LEN,
            body_offset: self.position,
            body_length: length,
        });
        self.set_next(before, Field::Bytes(Bytes::LibvirtXmlLast));
    }

    /// The last byte of the XML.
    pub(crate) fn libvirt_xml_last<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        [last, ..]: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        self.body_is_wanted = false;
        if last != 0 {
            self.flag(Rule::LibvirtXmlTerminator, at, u64::from(last), Value::None, o)?;
        }
        self.libxl_start();
        Ok(())
    }
}
