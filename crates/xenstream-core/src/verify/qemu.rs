//! The envelope of QEMU's device state: EMULATOR_CONTEXT of emulator 2, and Qemu_trad of XenServer. QEMU would refuse a wrong one
//! only after the guest's memory has been transferred.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::{Bytes, Field, Stop, word};
use crate::wire::{Order, qemu};

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Bytes of the name after the one being read.
    name_left: u8,
}

impl Verifier {
    /// Begins a state that starts after `gap` bytes and takes the rest of the body. `length_at` is the offset of the body's
    /// length.
    pub(crate) fn qemu_start<O: Observer + ?Sized>(
        &mut self,
        gap: u64,
        length_at: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let length = self.left_in_body().saturating_sub(gap);
        if length < qemu::MIN {
            self.flag(Rule::QemuShort, length_at, length, qemu::MIN, o)?;
            self.rest_of_body();
        } else {
            self.qemu_next(gap, Bytes::QemuMagic);
        }
        Ok(())
    }

    fn qemu_next(&mut self, gap: u64, field: Bytes) {
        self.set_next(gap, Field::Bytes(field));
    }

    /// Skips to the last byte.
    fn qemu_last(&mut self) {
        self.qemu_next(self.left_in_body().saturating_sub(1), Bytes::QemuLast);
    }

    /// The magic.
    pub(crate) fn qemu_magic<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let magic = word(Order::Big, value);
        if magic != qemu::MAGIC {
            self.flag(Rule::QemuMagic, at, u64::from(magic), u64::from(qemu::MAGIC), o)?;
        }
        self.qemu_next(0, Bytes::QemuVersion);
        Ok(())
    }

    /// The version.
    pub(crate) fn qemu_version<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let version = word(Order::Big, value);
        if version != qemu::VERSION {
            self.flag(Rule::QemuVersion, at, u64::from(version), u64::from(qemu::VERSION), o)?;
        }
        self.qemu_next(0, Bytes::QemuSection);
        Ok(())
    }

    /// The type of the first section.
    pub(crate) fn qemu_section<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        [kind, ..]: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        if kind == qemu::SECTION_FULL {
            let id = qemu::at::NAME_LENGTH.saturating_sub(qemu::at::SECTION).saturating_sub(1);
            self.qemu_next(id, Bytes::QemuNameLength);
        } else {
            let full = u64::from(qemu::SECTION_FULL);
            let rule =
                if kind == qemu::SECTION_START { Rule::QemuMemorySection } else { Rule::QemuFirstSection };
            self.flag(rule, at, u64::from(kind), full, o)?;
            self.qemu_last();
        }
        Ok(())
    }

    /// The length of its name.
    pub(crate) fn qemu_name_length<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        [length, ..]: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let room = self.left_in_body().saturating_sub(qemu::AFTER_NAME).saturating_sub(1);
        match length.checked_sub(1) {
            Some(more) if u64::from(length) <= room => {
                self.qemu.name_left = more;
                self.qemu_next(0, Bytes::QemuName);
            }
            Some(_) | None => {
                self.flag(Rule::QemuName, at, u64::from(length), room, o)?;
                self.qemu_last();
            }
        }
        Ok(())
    }

    /// A byte of its name.
    pub(crate) fn qemu_name<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        [byte, ..]: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        match self.qemu.name_left.checked_sub(1) {
            _ if !matches!(byte, b' '..=b'~') => {
                self.flag(Rule::QemuName, at, u64::from(byte), Value::None, o)?;
                self.qemu_last();
            }
            Some(more) => {
                self.qemu.name_left = more;
                self.qemu_next(0, Bytes::QemuName);
            }
            None => self.qemu_last(),
        }
        Ok(())
    }

    /// The last byte of the state.
    pub(crate) fn qemu_last_byte<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        [byte, ..]: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        if byte != qemu::END {
            self.flag(Rule::QemuEnd, at, u64::from(byte), u64::from(qemu::END), o)?;
        }
        self.rest_of_body();
        Ok(())
    }
}
