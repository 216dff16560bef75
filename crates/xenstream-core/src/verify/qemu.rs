//! The envelope of QEMU's device state: EMULATOR_CONTEXT of emulator 2, and xenopsd's Qemu_trad. QEMU would refuse a wrong one
//! only after the guest's memory has been transferred.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::verify::{self, Size, Stop};
use crate::wire::{Order, qemu};

/// Fields of the envelope, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Magic,
    Version,
    /// The type of the first section.
    Section,
    /// The length of its name.
    NameLength,
    /// A byte of its name; this many follow it.
    Name(u8),
    /// The last byte of the state.
    Last,
}

impl Field {
    #[inline]
    pub(crate) fn size(self) -> Size {
        Size::Bytes(match self {
            Field::Magic | Field::Version => 4,
            Field::Section | Field::NameLength | Field::Name(_) | Field::Last => 1,
        })
    }
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
            self.find(Rule::QemuShort, length_at, length, qemu::MIN, o)?;
            self.rest_of_body();
        } else {
            self.qemu_next(gap, Field::Magic);
        }
        Ok(())
    }

    fn qemu_next(&mut self, gap: u64, field: Field) {
        self.next(gap, verify::Field::Qemu(field));
    }

    /// Skips to the last byte.
    fn qemu_last(&mut self) {
        self.qemu_next(self.left_in_body().saturating_sub(1), Field::Last);
    }

    pub(crate) fn qemu_field<O: Observer + ?Sized>(
        &mut self,
        field: Field,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let [byte, b, c, d, ..] = value;
        let word = Order::Big.u32([byte, b, c, d]);
        match field {
            Field::Magic => {
                if word != qemu::MAGIC {
                    self.find(Rule::QemuMagic, at, u64::from(word), u64::from(qemu::MAGIC), o)?;
                }
                self.qemu_next(0, Field::Version);
            }
            Field::Version => {
                if word != qemu::VERSION {
                    self.find(Rule::QemuVersion, at, u64::from(word), u64::from(qemu::VERSION), o)?;
                }
                self.qemu_next(0, Field::Section);
            }
            Field::Section => {
                if byte == qemu::SECTION_FULL {
                    let id = qemu::at::NAME_LENGTH.saturating_sub(qemu::at::SECTION).saturating_sub(1);
                    self.qemu_next(id, Field::NameLength);
                } else {
                    let full = u64::from(qemu::SECTION_FULL);
                    self.find(Rule::QemuFirstSection, at, u64::from(byte), full, o)?;
                    self.qemu_last();
                }
            }
            Field::NameLength => {
                let room = self.left_in_body().saturating_sub(qemu::AFTER_NAME).saturating_sub(1);
                match byte.checked_sub(1) {
                    Some(more) if u64::from(byte) <= room => self.qemu_next(0, Field::Name(more)),
                    _ => {
                        self.find(Rule::QemuName, at, u64::from(byte), room, o)?;
                        self.qemu_last();
                    }
                }
            }
            Field::Name(more) => match more.checked_sub(1) {
                _ if !matches!(byte, b' '..=b'~') => {
                    self.find(Rule::QemuName, at, u64::from(byte), 0, o)?;
                    self.qemu_last();
                }
                Some(more) => self.qemu_next(0, Field::Name(more)),
                None => self.qemu_last(),
            },
            Field::Last => {
                if byte != qemu::END {
                    self.find(Rule::QemuEnd, at, u64::from(byte), u64::from(qemu::END), o)?;
                }
                self.rest_of_body();
            }
        }
        Ok(())
    }
}
