//! How many vcpus the guest has, and what kind of machine they are in.

use xenstream::wire::{hvm, libxc};

use crate::kinds::Lane;

/// Typecode of a vcpu's registers in HVM_CONTEXT.
const CPU: u64 = 2;
/// Typecode of the legacy interrupt controller, which a PVH guest does not have.
const PIC: u64 = 3;

/// Vcpus with registers in the stream. Each checkpoint has all of them again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vcpus {
    /// Since the last checkpoint.
    now: u64,
    most: u64,
    has_pic: bool,
    /// A chain inside HVM_CONTEXT has passed whole.
    is_chain_complete: bool,
}

impl Vcpus {
    pub(crate) fn record(&mut self, lane: Lane, kind: u64) {
        const BASIC: u64 = libxc::types::X86_PV_VCPU_BASIC as u64;
        const CHECKPOINT: u64 = libxc::types::CHECKPOINT as u64;
        const CHAIN_START: u64 = hvm::types::HEADER as u64;
        const CHAIN_END: u64 = hvm::types::END as u64;
        match (lane, kind) {
            (Lane::Libxc, BASIC) | (Lane::Hvm, CPU) => {
                self.now = self.now.saturating_add(1);
                self.most = self.most.max(self.now);
            }
            (Lane::Libxc, CHECKPOINT) | (Lane::Hvm, CHAIN_START) => self.now = 0,
            (Lane::Hvm, PIC) => self.has_pic = true,
            (Lane::Hvm, CHAIN_END) => self.is_chain_complete = true,
            _ => {}
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.most
    }

    /// Returns whether a hardware-virtualised guest is a PVH one, which is known once its state has passed.
    pub(crate) fn is_pvh(&self) -> Option<bool> {
        (self.has_pic || self.is_chain_complete).then_some(!self.has_pic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vcpus(records: &[(Lane, u64)]) -> Vcpus {
        let mut vcpus = Vcpus::default();
        for (lane, kind) in records {
            vcpus.record(*lane, *kind);
        }
        vcpus
    }

    #[test]
    fn checkpoints_repeat_them() {
        let (basic, checkpoint) = ((Lane::Libxc, 4), (Lane::Libxc, 0xE));
        assert_eq!(vcpus(&[basic, basic, checkpoint, basic, basic, checkpoint, basic]).number(), 2);
        let (header, cpu, end) = ((Lane::Hvm, 1), (Lane::Hvm, CPU), (Lane::Hvm, 0));
        let of_hvm = vcpus(&[header, cpu, end, header, cpu, end]);
        assert_eq!((of_hvm.number(), of_hvm.is_pvh()), (1, Some(true)));
    }

    #[test]
    fn an_interrupt_controller_makes_it_hvm() {
        let (header, pic, end) = ((Lane::Hvm, 1), (Lane::Hvm, PIC), (Lane::Hvm, 0));
        assert_eq!(vcpus(&[header]).is_pvh(), None);
        assert_eq!(vcpus(&[header, end]).is_pvh(), Some(true));
        assert_eq!(vcpus(&[header, pic]).is_pvh(), Some(false));
    }
}
