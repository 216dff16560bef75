//! Streams as savers write them: small guests with every record that such a guest's image has, in the savers' order.
//! Xen's own restore code takes the little-endian ones.

use xenstream_core::Guest;
use xenstream_core::wire::msr::{ARCH_CAPABILITIES, PLATFORM_INFO};

use crate::hvm::Chain;
use crate::item::Item;
use crate::libxc;
pub use crate::machine::Machine;
pub use crate::minimal::Kind;
use crate::minimal::checkpointed_guest;
use crate::pages::{Page, pte};
use crate::places::NO_SUBLEAF;
use crate::stream::Stream;
use crate::vcpu::{Basic, extended_state};

/// Size of XSAVE's blob for a guest that uses AVX.
pub(crate) const XSAVE: u64 = 848;
/// Size of EXTENDED's blob (`xen_domctl_ext_vcpucontext` of 64-bit toolstacks).
pub(crate) const EXTENDED: u64 = 64;

/// The MSR policy of Xen 4.17 on a processor that faults on CPUID.
pub(crate) const MSRS: [(u32, u64); 2] = [(PLATFORM_INFO, 0x8000_0000), (ARCH_CAPABILITIES, 0)];

/// An HVM guest with a full set of devices, bare.
#[must_use]
pub fn hvm() -> Stream {
    let params = [
        (1, SPECIAL),
        (2, 1),
        (5, SPECIAL + 1),
        (6, SPECIAL + 2),
        (12, (SPECIAL + 3) << 12),
        (17, SPECIAL + 4),
    ];
    hvm_of(&Chain::with_devices(1), &params)
}

/// HVM: the first of the pages that the guest shares with the host. In images that Xen writes they are at 0xFEFF0 and
/// above, with a million of absent pages below them; here the stream stays small.
const SPECIAL: u64 = 16;

/// A PVH guest, bare.
#[must_use]
pub fn pvh() -> Stream {
    hvm_of(&Chain::without_devices(1), &[(1, SPECIAL), (2, 1), (17, SPECIAL + 4)])
}

fn hvm_of(chain: &Chain, params: &[(u64, u64)]) -> Stream {
    let mut records = static_data().to_vec();
    records.extend([
        libxc::page_data(&[Page::normal(0), Page::absent(1), Page::broken(2), Page::allocated(3)]),
        // Hole, and special pages.
        libxc::page_data(&(4..SPECIAL).map(Page::absent).collect::<Vec<_>>()),
        libxc::page_data(&(SPECIAL..SPECIAL + 5).map(Page::allocated).collect::<Vec<_>>()),
        libxc::clock(),
        libxc::hvm_context(chain),
        libxc::hvm_params(params),
        libxc::end(),
    ]);
    libxc::stream(Guest::Hvm, records)
}

/// A 64-bit PV guest, bare.
#[must_use]
pub fn pv64() -> Stream {
    let registers =
        Basic::pv64().start_info(START_INFO).gdt_entries(512).gdt_frame(0, GDT).cr3(ROOT).cr1(ROOT);
    let root = Page::pinned(4, ROOT, &[(0, pte(GDT)), (511, pte(RING))]);
    // `store_mfn` and `console.domU.mfn` of the start-info page (`public/xen.h`): pfns, in an image.
    let start_info = words(&[(0x38, RING), (0x48, RING)]);
    pv(libxc::pv64_info(), libxc::p2m_frames(0, RING as u32, &[P2M]), [root, start_info], &registers)
}

/// A 32-bit PV guest, bare.
#[must_use]
pub fn pv32() -> Stream {
    let registers = Basic::pv32().start_info(START_INFO).gdt_entries(512).gdt_frame(0, GDT).cr3(ROOT);
    let root = Page::pinned(3, ROOT, &[(0, pte(GDT)), (3, pte(RING))]);
    let start_info = words(&[(0x2C, RING), (0x34, RING)]);
    pv(libxc::pv32_info(), libxc::p2m_frames(0, RING as u32, &[P2M]), [root, start_info], &registers)
}

/// Pfns of the PV guests' pages.
pub(crate) const ROOT: u64 = 1;
pub(crate) const START_INFO: u64 = 2;
pub(crate) const GDT: u64 = 3;
pub(crate) const P2M: u64 = 4;
/// The ring of xenstore and of the console: any page that is there will do. The highest pfn.
pub(crate) const RING: u64 = 5;

/// A start-info page with pfns at these offsets, zero elsewhere.
fn words(pfns: &[(usize, u64)]) -> Page {
    let mut contents = vec![0; 0x50];
    for (at, pfn) in pfns {
        contents[*at..at + 4].copy_from_slice(&(*pfn as u32).to_le_bytes());
    }
    Page::normal(START_INFO).holding(contents)
}

fn pv(info: Item, frames: Item, [root, start_info]: [Page; 2], registers: &Basic) -> Stream {
    let memory =
        [Page::absent(0), root, start_info, Page::normal(GDT), Page::normal(P2M), Page::allocated(RING)];
    let mut records = vec![info];
    records.extend(static_data());
    records.extend([
        frames,
        libxc::page_data(&memory),
        libxc::clock(),
        libxc::shared_info(),
        libxc::vcpu_basic(0, registers),
        libxc::vcpu_extended(0, extended_state(0, EXTENDED)),
        libxc::vcpu_xsave(0, XSAVE),
        libxc::vcpu_msrs(0, &[(0xC000_0103, 0)]),
        libxc::end(),
    ]);
    libxc::stream(Guest::Pv, records)
}

/// A Remus or COLO stream of a guest in libxl, with an orderly end. COLO is for HVM guests.
#[must_use]
pub fn checkpointed(machine: Machine, kind: Kind, checkpoints: usize) -> Stream {
    checkpointed_guest(&machine.libxc(), kind, checkpoints)
}

/// The policies that a Xen since 4.14 sends ahead, and the end of them.
fn static_data() -> [Item; 3] {
    let leaves = [
        [0, NO_SUBLEAF, 0xD, 0x756E_6547, 0x6C65_746E, 0x4965_6E69],
        [1, NO_SUBLEAF, 0x0003_06A9, 0, 1 << 26 | 1 << 28, 0],
    ];
    [libxc::cpuid_policy(&leaves), libxc::msr_policy(&MSRS), libxc::static_data_end()]
}
