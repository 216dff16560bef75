//! The header of `xl save` and its optional data.

use crate::observer::{Header, Observer, Record};
use crate::policy::Limit;
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::verify::flat::{PartOf, Value};
use crate::verify::{self, Size, Stop};
use crate::violation::Layer;
use crate::wire::layout::XlHook;
use crate::wire::{Order, headers, libxl, xl};

/// Fields of the optional data, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    ConfigLen,
    /// The last byte of the configuration.
    ConfigLast,
    /// The configuration has passed.
    ConfigEnd,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    order: Order,
    mandatory_flags: u32,
    optional_flags: u32,
    optional_data_len: u32,
    /// Bytes of optional data after the configuration.
    tail: u64,
}

impl Field {
    #[inline]
    pub(crate) fn size(self) -> Size {
        match self {
            Field::ConfigLen => Size::Bytes(4),
            Field::ConfigLast => Size::Bytes(1),
            Field::ConfigEnd => Size::Marker,
        }
    }
}

impl Verifier {
    /// Begins the header, after its magic.
    pub(crate) fn xl_start(&mut self) {
        self.sure = xl::HEADER.saturating_add(libxl::HEADER);
        self.header_start(&headers::XL, PartOf::Xl, xl::MAGIC.len() as u64);
    }

    /// Returns the rule that a libxl stream breaks if the header announces a legacy image, with the offset and the value of
    /// its flags.
    pub(crate) fn xl_announces_legacy(&self) -> Option<(Rule, u64, u64)> {
        let flags = self.xl.mandatory_flags;
        let announces = flags & xl::FLAG_STREAM_V2 == 0;
        announces.then_some((Rule::XlStreamFlag, xl::at::MANDATORY_FLAGS, u64::from(flags)))
    }

    /// Runs the hand-written checks of the header.
    pub(crate) fn xl_hook<O: Observer + ?Sized>(
        &mut self,
        hook: XlHook,
        field: Value,
        o: &mut O,
    ) -> Result<(), Stop> {
        let word = field.value as u32;
        match hook {
            XlHook::Byteorder => {
                // The byte order is not known yet; `word` is little-endian.
                let expected = u64::from(xl::BYTEORDER);
                if word == xl::BYTEORDER.swap_bytes() {
                    self.xl.order = Order::Big;
                    self.flat_turn(Order::Big);
                    self.find(Rule::XlBigEndian, field.at, field.value, expected, o)?;
                } else if word != xl::BYTEORDER {
                    self.find(Rule::XlByteorder, field.at, field.value, expected, o)?;
                }
            }
            XlHook::MandatoryFlags => self.xl.mandatory_flags = word,
            XlHook::OptionalFlags => self.xl.optional_flags = word,
            XlHook::OptionalDataLen => self.xl.optional_data_len = word,
        }
        Ok(())
    }

    fn xl_next(&mut self, gap: u64, field: Field) {
        self.next(gap, verify::Field::Xl(field));
    }

    pub(crate) fn xl_field<O: Observer + ?Sized>(
        &mut self,
        field: Field,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let [a, b, c, d, ..] = value;
        match field {
            Field::ConfigLen => {
                let length = self.xl.order.u32([a, b, c, d]);
                self.xl_config_len(at, u64::from(length), o)?;
            }
            Field::ConfigLast => {
                // xl passes the configuration on as a C string.
                if a != 0 {
                    self.find(Rule::XlConfigTerminator, at, u64::from(a), 0, o)?;
                }
                self.xl_next(0, Field::ConfigEnd);
            }
            // A marker, not a field of bytes.
            Field::ConfigEnd => {}
        }
        Ok(())
    }

    /// Ends the header.
    pub(crate) fn xl_header_end<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let State { order, mandatory_flags, optional_flags, optional_data_len, .. } = self.xl;
        o.header(&Header::Xl { offset: 0, order, mandatory_flags, optional_flags, optional_data_len });
        let (at, length) = (xl::at::OPTIONAL_DATA_LEN, u64::from(optional_data_len));
        self.sure = self.position.saturating_add(length).saturating_add(libxl::HEADER);
        let limit = self.policy.limit(Limit::OptionalData);
        if length == 0 {
            self.find(Rule::XlConfigMissing, at, 0, 0, o)?;
            self.libxl_start();
        } else if length < 4 {
            self.find(Rule::XlOptionalDataLength, at, length, 4, o)?;
            self.xl.tail = length;
            self.xl_next(0, Field::ConfigEnd);
        } else if length > limit {
            self.find(Rule::XlOptionalDataLength, at, length, limit, o)?;
            self.xl.tail = length;
            self.xl_next(0, Field::ConfigEnd);
        } else {
            self.xl_next(0, Field::ConfigLen);
        }
        Ok(())
    }

    fn xl_config_len<O: Observer + ?Sized>(&mut self, at: u64, length: u64, o: &mut O) -> Result<(), Stop> {
        let room = u64::from(self.xl.optional_data_len).saturating_sub(4);
        if length > room {
            self.find(Rule::XlConfigLength, at, length, room, o)?;
            self.xl.tail = room;
            self.xl_next(0, Field::ConfigEnd);
            return Ok(());
        }
        self.xl.tail = room.saturating_sub(length);
        self.wanted = o.wants_body(&Record {
            layer: Layer::Xl,
            index: 0,
            kind: 0,
            instance: 0,
            offset: at,
            body_offset: self.position,
            body_length: length,
        });
        let flags = self.xl.mandatory_flags;
        match length.checked_sub(1) {
            Some(before) if flags & xl::FLAG_JSON != 0 => self.xl_next(before, Field::ConfigLast),
            Some(_) => {
                let expected = u64::from(xl::FLAG_JSON);
                self.find(Rule::XlConfigFormat, xl::at::MANDATORY_FLAGS, u64::from(flags), expected, o)?;
                self.xl_next(length, Field::ConfigEnd);
            }
            None => {
                self.find(Rule::XlConfigMissing, at, 0, 0, o)?;
                self.xl_next(0, Field::ConfigEnd);
            }
        }
        Ok(())
    }

    /// Ends the configuration. Readers skip the rest of the optional data.
    pub(crate) fn xl_config_end(&mut self) {
        self.wanted = false;
        let tail = self.xl.tail;
        self.libxl_start();
        self.gap = tail;
    }
}
