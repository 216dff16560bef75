//! The small records of a libxc stream, field by field.

use xenstream_core::wire::layout::{Keep, Layout};
use xenstream_core::wire::libxc::{self, params, types, vcpu};
use xenstream_core::wire::{Order, msr, pv, xsave};

use crate::scrub::Scrub;
use crate::scrub::body::{At, ENTRIES_MAX, Step, XSAVE_MAX, count_only, first8, kept, pair};
use crate::scrub::header::{PFNS, WRONG, number_up_to, wrong_unless_zero};

/// What X86_TSC_INFO says, if it can be that at all.
pub(super) fn tsc(order: Order, bytes: &mut [u8]) -> At {
    use libxc::tsc::{MODE_MAX, RESERVED_AT};
    let plain = pair(order, bytes).0 <= MODE_MAX && bytes[RESERVED_AT as usize..] == [0; 4];
    if !plain {
        number_up_to(order, MODE_MAX, &mut bytes[..4]);
        bytes[4..RESERVED_AT as usize].fill(0);
        wrong_unless_zero(&mut bytes[RESERVED_AT as usize..]);
    }
    At::Zero
}

pub(super) fn params_header(order: Order, header: &mut [u8], left: u64) -> At {
    let count = u64::from(pair(order, header).0);
    let fits = count <= ENTRIES_MAX && count * params::ENTRY == left;
    count_only(order, header);
    if fits { At::Params(order) } else { At::Zero }
}

/// A parameter that Xen does not know may be anything; the first unknown one stands for it. Of a damaged stream a value
/// that is no pfn may be anything too.
pub(super) fn param(order: Order, entry: &mut [u8], what: Scrub) -> At {
    let index = order.u64(first8(entry));
    if index >= params::COUNT {
        entry.fill(0);
        entry[..8].copy_from_slice(&order.put_u64(params::COUNT));
    }
    let value = order.u64(first8(&entry[8..]));
    if what.damaged && value >= PFNS {
        // For every parameter it is refused for as much: that of Viridian has to be odd.
        entry[8..].copy_from_slice(&order.put_u64(u64::MAX << 1 | value & 1));
    }
    At::Params(order)
}

/// A leaf. Where no policy should come its registers go; what is not the number of a leaf at all goes too, and so does
/// what is behind it.
pub(super) fn leaf(order: Order, late: bool, bytes: &mut [u8]) -> At {
    /// Leaves are numbered from 0, from 0x4000_0000 and from 0x8000_0000.
    const NUMBER: u32 = 0x3FFF_F000;
    let (leaf, _) = pair(order, bytes);
    let is_leaf = leaf & NUMBER == 0;
    if !is_leaf {
        // Still none.
        bytes[..8].fill(0xFF);
    }
    if late || !is_leaf {
        bytes[8..].fill(0);
    }
    At::Leaves { order, late: late || !is_leaf }
}

/// An MSR of the policy: `u32 index, u32 flags, u64 value`. Flags are zero; behind others nothing is known.
pub(super) fn policy_msr(entry: &mut [u8], what: Scrub) -> At {
    if !is_plain_msr(entry) {
        return At::Zero;
    }
    if what.damaged {
        entry[8..].fill(0);
    }
    At::Msrs
}

/// Is the second word of an MSR zero, as it has to be? Of one that is not nothing is left but that.
pub(super) fn is_plain_msr(entry: &mut [u8]) -> bool {
    let plain = entry[4..8] == [0; 4];
    if !plain {
        entry.fill(0);
        entry[4..8].fill(WRONG);
    }
    plain
}

pub(super) fn vcpu_blob(kind: u32, blob: u64, what: Scrub) -> At {
    let stays = match kind {
        types::X86_PV_VCPU_EXTENDED => return At::ExtendedId,
        types::X86_PV_VCPU_MSRS if blob <= ENTRIES_MAX * vcpu::MSR => return At::VcpuMsrs,
        types::X86_PV_VCPU_BASIC if what.registers => match blob {
            vcpu::BASIC_64 => return At::Basic(Basic { layout: &pv::BASIC_64, length: blob }),
            vcpu::BASIC_32 => return At::Basic(Basic { layout: &pv::BASIC_32, length: blob }),
            _ => false,
        },
        types::X86_PV_VCPU_BASIC => blob == vcpu::BASIC_64 || blob == vcpu::BASIC_32,
        types::X86_PV_VCPU_XSAVE if what.registers => return At::XsaveMasks,
        types::X86_PV_VCPU_XSAVE => blob <= XSAVE_MAX,
        _ => false,
    };
    kept(stays && !what.registers)
}

/// BASIC whose registers are blanked. What names memory stays, and the flags: Xen refuses a vcpu without them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basic {
    layout: &'static Layout,
    length: u64,
}

impl Basic {
    /// Offset of `flags`.
    const FLAGS: u64 = 512;

    pub(super) fn step(self, left: u64) -> Step {
        let at = self.length - left;
        let mut kept = self.layout.fields(self.length).filter(|placed| placed.field.keep == Keep::Always);
        match kept.find(|placed| placed.offset >= at) {
            Some(placed) if placed.offset == at => Step::Unit(u64::from(placed.field.width)),
            Some(placed) => Step::Zero(placed.offset - at),
            None => Step::Zero(left),
        }
    }

    /// A field that stays. Of a damaged stream a vcpu is left that runs its kernel, and nothing else.
    pub(super) fn unit(self, bytes: &mut [u8], left: u64, what: Scrub) {
        if what.damaged {
            bytes.fill(0);
            if self.length - left - bytes.len() as u64 == Basic::FLAGS {
                bytes[0] = vcpu::IN_KERNEL as u8;
            }
        }
    }
}

/// How much of EXTENDED counts, if it is all there; the rest becomes zero.
pub(super) fn extended_size(bytes: &mut [u8], left: u64) -> At {
    let size = u64::from(Order::Little.u32([bytes[0], bytes[1], bytes[2], bytes[3]]));
    if size > left + 8 {
        bytes.fill(0);
        bytes[0] = vcpu::EXTENDED_SIZE_MIN as u8;
    }
    At::Zero
}

/// The masks of XSAVE, if they are that; otherwise those of a vcpu that has used its FPU.
pub(super) fn xsave_masks(bytes: &mut [u8], left: u64) -> At {
    let [xcr0, accum] = [first8(bytes), first8(&bytes[8..])].map(u64::from_le_bytes);
    let valid = xcr0 & !accum == 0
        && xsave::is_consistent(xcr0)
        && xsave::is_consistent(accum)
        && accum & !xsave::POSSIBLE == 0;
    if !valid {
        bytes.fill(0);
        if left > 0 {
            bytes[0] = 1;
            bytes[8] = 1;
        }
    }
    At::Zero
}

/// An MSR of a vcpu: `u32 index, u32 reserved, u64 value`. One that Xen does not know may be anything.
pub(super) fn vcpu_msr(entry: &mut [u8], what: Scrub) -> At {
    let index = Order::Little.u32([entry[0], entry[1], entry[2], entry[3]]);
    let is_plain = is_plain_msr(entry);
    if msr::is_saved_for_pv(index) {
        entry[..4].copy_from_slice(&index.to_le_bytes());
    }
    if !is_plain {
        return At::Zero;
    }
    if what.registers {
        entry[8..].fill(0);
    }
    At::VcpuMsrs
}
