//! The smallest streams that break no rule under any profile: what single faults are put into.

use arbitrary::Arbitrary;
use xenstream_core::wire::libxl;
use xenstream_core::{Format, Guest};

use crate::hvm::Chain;
use crate::item::{Item, Part};
use crate::stream::Stream;
use crate::vcpu::Basic;
use crate::{libxc, libxl as records};

/// Largest pfn of the 64-bit PV guest: few of the 512 that a frame of the p2m has room for.
pub const MAX_PFN_64: u32 = 15;
/// Largest pfn of the 32-bit PV guest: few of the 1024 that a frame of the p2m has room for.
pub const MAX_PFN_32: u32 = 17;
/// The highest pfn of the HVM guest, where its ring of xenstore is.
pub const STORE_PFN: u64 = 1;

/// An HVM guest without memory or device model. HVM_PARAMS come before HVM_CONTEXT, as the specification asks
/// and no release writes them.
#[must_use]
pub fn hvm() -> Stream {
    let records = [
        libxc::static_data_end(),
        libxc::first_pass(STORE_PFN, &[]),
        libxc::hvm_params(&[(1, STORE_PFN), (17, STORE_PFN)]),
        libxc::hvm_context(&Chain::minimal()),
        libxc::end(),
    ];
    libxc::stream(Guest::Hvm, records)
}

/// A 64-bit PV guest without memory. Nothing in the stream says so, but Xen would miss its start-info page.
#[must_use]
pub fn pv64() -> Stream {
    let frames = libxc::p2m_frames(0, MAX_PFN_64, &[1]);
    pv(libxc::pv64_info(), frames, u64::from(MAX_PFN_64), &Basic::pv64())
}

/// A 32-bit PV guest without memory: the smaller one.
#[must_use]
pub fn pv32() -> Stream {
    let frames = libxc::p2m_frames(0, MAX_PFN_32, &[1]);
    pv(libxc::pv32_info(), frames, u64::from(MAX_PFN_32), &Basic::pv32())
}

fn pv(info: Item, frames: Item, max_pfn: u64, registers: &Basic) -> Stream {
    let records = [
        info,
        libxc::static_data_end(),
        frames,
        libxc::first_pass(max_pfn, &[]),
        libxc::shared_info(),
        libxc::vcpu_basic(0, registers),
        libxc::end(),
    ];
    libxc::stream(Guest::Pv, records)
}

/// How a checkpointed stream goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
#[non_exhaustive]
pub enum Kind {
    /// Remus.
    #[default]
    Remus,
    /// COLO: a CHECKPOINT_STATE follows each CHECKPOINT_END.
    Colo,
}

/// A checkpointed stream of an HVM guest in libxl, with an orderly end.
#[must_use]
pub fn checkpointed(kind: Kind, checkpoints: usize) -> Stream {
    checkpointed_guest(&hvm(), kind, checkpoints)
}

/// A checkpointed stream of the guest in a bare libxc stream: memory and what follows it are sent again for each
/// checkpoint, in libxl, with an orderly end.
#[must_use]
pub fn checkpointed_guest(guest: &Stream, kind: Kind, checkpoints: usize) -> Stream {
    use xenstream_core::wire::libxc::types::{END, PAGE_DATA};
    let (memory, end) = (guest.find(Part::libxc(PAGE_DATA)), guest.find(Part::libxc(END)));
    let round = &guest.items()[memory..end];
    let device_model = guest.has_devices().then(|| records::emulator_context(25));

    let mut items = vec![records::header(), records::libxc_context()];
    items.extend_from_slice(&guest.items()[..memory]);
    for _ in 0..checkpoints {
        items.extend_from_slice(round);
        items.push(libxc::checkpoint());
        items.extend(device_model.clone());
        items.push(records::checkpoint_end());
        if kind == Kind::Colo {
            items.push(records::checkpoint_state(libxl::CHECKPOINT_STATE_NEW));
        }
    }
    items.extend_from_slice(round);
    items.push(libxc::end());
    items.extend(device_model);
    items.push(records::end());
    Stream::new(Format::Libxl, items)
}

/// A checkpointed stream of an HVM guest, bare: only what a Remus sender hands to libxc.
#[must_use]
pub fn bare_checkpointed(checkpoints: usize) -> Stream {
    use xenstream_core::wire::libxc::types::{END, PAGE_DATA};
    let guest = hvm();
    let (memory, end) = (guest.find(Part::libxc(PAGE_DATA)), guest.find(Part::libxc(END)));
    let mut items = guest.items()[..memory].to_vec();
    for _ in 0..checkpoints {
        items.extend_from_slice(&guest.items()[memory..end]);
        items.push(libxc::checkpoint());
    }
    items.extend_from_slice(&guest.items()[memory..]);
    Stream::new(Format::Libxc, items)
}
