//! The small records of a libxc stream, field by field.

use xenstream_core::wire::Order;
use xenstream_core::wire::libxc::{self, params, types, vcpu};

use crate::scrub::Scrub;
use crate::scrub::body::{At, ENTRIES_MAX, XSAVE_MAX, count_only, first8, kept, pair};
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
        types::X86_PV_VCPU_BASIC => blob == vcpu::BASIC_64 || blob == vcpu::BASIC_32,
        types::X86_PV_VCPU_XSAVE => blob <= XSAVE_MAX,
        _ => false,
    };
    kept(stays && !what.registers)
}

/// An MSR of a vcpu: `u32 index, u32 reserved, u64 value`.
pub(super) fn vcpu_msr(entry: &mut [u8], what: Scrub) -> At {
    if !is_plain_msr(entry) {
        return At::Zero;
    }
    if what.registers {
        entry[8..].fill(0);
    }
    At::VcpuMsrs
}
