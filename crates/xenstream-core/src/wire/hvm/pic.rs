//! What the bytes of a PIC entry say together (`struct hvm_hw_vpic`, and `vpic_get_highest_priority_irq()` of Xen).

/// Offset of the byte of modes.
pub const MODES_AT: u64 = 5;
/// Offset of `elcr`.
pub const ELCR_AT: u64 = 6;
/// Offset of `int_output`.
pub const INT_OUTPUT_AT: u64 = 7;
/// Number of the bit `is_master` among the modes.
pub const IS_MASTER: u32 = 6;
/// Lines of the master that may be level-triggered, the cascade included.
pub const MASTER_LINES: u8 = 0xFC;
/// Lines of the slave that may be.
pub const SLAVE_LINES: u8 = 0xDE;
/// Interrupt of the master to which the slave is wired.
pub const CASCADE: u8 = 2;

const SPECIAL_FULLY_NESTED: u8 = 1 << 4;
const SPECIAL_MASK: u8 = 1 << 5;

/// A PIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pic {
    irr: u8,
    imr: u8,
    isr: u8,
    /// Initialisation state: 0 outside an initialisation sequence.
    pub init_state: u8,
    priority_add: u8,
    /// The byte of modes.
    pub modes: u8,
    /// Whether it says to be the master.
    pub is_master: bool,
    /// Level-triggered lines.
    pub elcr: u8,
}

impl Pic {
    /// Reads the eight bytes of an entry.
    #[must_use]
    pub const fn of(bytes: [u8; 8]) -> Pic {
        let [irr, imr, isr, _irq_base, init, modes, elcr, _int_output] = bytes;
        let is_master = modes >> IS_MASTER & 1 != 0;
        Pic { irr, imr, isr, init_state: init & 0xF, priority_add: init >> 4, modes, is_master, elcr }
    }

    /// The interrupt that the PIC delivers next: the requested, unmasked one of the highest priority, if none of a
    /// higher or the same priority is in service.
    #[must_use]
    pub const fn deliverable(self) -> Option<u8> {
        let rotation = self.priority_add as u32 & 7;
        let requested = (self.irr & !self.imr).rotate_right(rotation);
        if requested == 0 {
            return None;
        }
        let priority = requested.trailing_zeros();
        let irq = (priority as u8).wrapping_add(self.priority_add) & 7;
        let mut in_service = self.isr;
        if self.modes & SPECIAL_FULLY_NESTED != 0 && self.is_master && irq == CASCADE {
            in_service &= !(1 << CASCADE);
        }
        if self.modes & SPECIAL_MASK != 0 {
            in_service &= !self.imr;
        }
        let blocking = in_service.rotate_right(rotation);
        if blocking == 0 || priority < blocking.trailing_zeros() { Some(irq) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: u8 = 1 << IS_MASTER;

    fn deliverable(irr: u8, imr: u8, isr: u8, priority_add: u8, modes: u8) -> Option<u8> {
        Pic::of([irr, imr, isr, 0, priority_add << 4, modes, 0, 0]).deliverable()
    }

    #[test]
    fn masked_requests_are_not_deliverable() {
        assert_eq!(deliverable(0, 0, 0, 0, MASTER), None);
        assert_eq!(deliverable(0b100, 0b100, 0, 0, MASTER), None);
        assert_eq!(deliverable(0b110, 0b010, 0, 0, MASTER), Some(2));
    }

    #[test]
    fn interrupts_in_service_block_lower_priorities() {
        assert_eq!(deliverable(0b1000, 0, 0b0100, 0, MASTER), None);
        assert_eq!(deliverable(0b0100, 0, 0b0100, 0, MASTER), None);
        assert_eq!(deliverable(0b0010, 0, 0b0100, 0, MASTER), Some(1));
    }

    #[test]
    fn special_modes_lift_the_block() {
        // Special fully nested: the cascade does not block itself.
        assert_eq!(deliverable(0b100, 0, 0b100, 0, MASTER | SPECIAL_FULLY_NESTED), Some(2));
        assert_eq!(deliverable(0b100, 0, 0b100, 0, SPECIAL_FULLY_NESTED), None);
        // Special mask: what is masked does not block.
        assert_eq!(deliverable(0b1000, 0b0100, 0b0100, 0, MASTER | SPECIAL_MASK), Some(3));
    }

    #[test]
    fn rotation_moves_the_highest_priority() {
        assert_eq!(deliverable(0b0101, 0, 0, 1, MASTER), Some(2));
        assert_eq!(deliverable(0b0001, 0, 0, 15, MASTER), Some(0));
    }
}
