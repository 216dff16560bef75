//! The header of `xl save` and its optional data.

use crate::observer::{Header, Observer, Record};
use crate::policy::Limit;
use crate::rule::Rule;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::flat::{FieldValue, PartOf};
use crate::verify::{Bytes, Field, Marker, Stop, word};
use crate::violation::Layer;
use crate::wire::layout::XlHook;
use crate::wire::{Order, headers, libxl, xl};

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    order: Order,
    mandatory_flags: u32,
    optional_flags: u32,
    optional_data_len: u32,
    /// Bytes of optional data after the configuration.
    tail: u64,
}

impl Verifier {
    /// Begins the header, after its magic.
    pub(crate) fn xl_start(&mut self) {
        self.certain_until = xl::HEADER.saturating_add(libxl::HEADER);
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
        field: FieldValue,
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
                    self.flag(Rule::XlBigEndian, field.at, field.value, expected, o)?;
                } else if word != xl::BYTEORDER {
                    self.flag(Rule::XlByteorder, field.at, field.value, expected, o)?;
                }
            }
            XlHook::MandatoryFlags => self.xl.mandatory_flags = word,
            XlHook::OptionalFlags => self.xl.optional_flags = word,
            XlHook::OptionalDataLen => self.xl.optional_data_len = word,
        }
        Ok(())
    }

    /// The configuration has passed after `gap` bytes.
    fn xl_ends(&mut self, gap: u64) {
        self.set_next(gap, Field::Marker(Marker::XlConfigEnd));
    }

    /// The last byte of the configuration, which xl hands on as a C string.
    pub(crate) fn xl_config_last<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        [last, ..]: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        if last != 0 {
            self.flag(Rule::XlConfigTerminator, at, u64::from(last), Value::None, o)?;
        }
        self.xl_ends(0);
        Ok(())
    }

    /// Ends the header.
    pub(crate) fn xl_header_end<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let State { order, mandatory_flags, optional_flags, optional_data_len, .. } = self.xl;
        o.on_header(&Header::Xl { offset: 0, order, mandatory_flags, optional_flags, optional_data_len });
        let (at, length) = (xl::at::OPTIONAL_DATA_LEN, u64::from(optional_data_len));
        self.certain_until = self.position.saturating_add(length).saturating_add(libxl::HEADER);
        let limit = self.policy.limit(Limit::OptionalData);
        if length == 0 {
            self.flag(Rule::XlConfigMissing, at, Value::None, Value::None, o)?;
            self.libxl_start();
        } else if length < 4 {
            self.flag(Rule::XlOptionalDataLength, at, length, 4, o)?;
            self.xl.tail = length;
            self.xl_ends(0);
        } else if length > limit {
            self.flag(Rule::XlOptionalDataLength, at, length, limit, o)?;
            self.xl.tail = length;
            self.xl_ends(0);
        } else {
            self.set_next(0, Field::Bytes(Bytes::XlConfigLen));
        }
        Ok(())
    }

    /// The length of the configuration.
    pub(crate) fn xl_config_len<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let length = u64::from(word(self.xl.order, value));
        let room = u64::from(self.xl.optional_data_len).saturating_sub(4);
        if length > room {
            self.flag(Rule::XlConfigLength, at, length, room, o)?;
            self.xl.tail = room;
            self.xl_ends(0);
            return Ok(());
        }
        self.xl.tail = room.saturating_sub(length);
        self.body_is_wanted = o.wants_body(&Record {
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
            Some(before) if flags & xl::FLAG_JSON != 0 => {
                self.set_next(before, Field::Bytes(Bytes::XlConfigLast));
            }
            Some(_) => {
                let expected = u64::from(xl::FLAG_JSON);
                self.flag(Rule::XlConfigFormat, xl::at::MANDATORY_FLAGS, u64::from(flags), expected, o)?;
                self.xl_ends(length);
            }
            None => {
                self.flag(Rule::XlConfigMissing, at, Value::None, Value::None, o)?;
                self.xl_ends(0);
            }
        }
        Ok(())
    }

    /// Ends the configuration. Readers skip the rest of the optional data.
    pub(crate) fn xl_config_end(&mut self) {
        self.body_is_wanted = false;
        self.libxl_start();
        self.flat_after(self.xl.tail);
    }
}
