//! Headers and records of the libxc stream.

use xenstream_core::wire::libxc::{
    self, ID, MARKER, PAGE_SHIFT, SHARED_INFO_LENGTH, VERSION_MAX, page, types,
};
use xenstream_core::{Format, Guest};

use crate::body::Body;
use crate::hvm::Chain;
use crate::item::{Item, Part};
use crate::pages::Page;
use crate::stream::Stream;
use crate::vcpu::Basic;

/// A bare libxc stream of version 3: both headers, then these records.
#[must_use]
pub fn stream(guest: Guest, records: impl IntoIterator<Item = Item>) -> Stream {
    Stream::new(Format::Libxc, [image(), domain(guest)].into_iter().chain(records))
}

/// The image header of a version 3 stream.
#[must_use]
pub fn image() -> Item {
    Item::new(Part::Image, Body::new().u64(MARKER).u32(ID).u32(VERSION_MAX).u16(0).u16(0).u32(0))
}

/// The domain header, of Xen 4.17.
#[must_use]
pub fn domain(guest: Guest) -> Item {
    let kind = match guest {
        Guest::Pv => libxc::DOMAIN_X86_PV,
        Guest::Hvm => libxc::DOMAIN_X86_HVM,
    };
    Item::new(Part::Domain, Body::new().u32(kind).u16(PAGE_SHIFT).u16(0).u32(4).u32(17))
}

/// A record of any type.
#[must_use]
pub fn record(kind: u32, body: Body) -> Item {
    Item::new(Part::libxc(kind), body)
}

/// END.
#[must_use]
pub fn end() -> Item {
    record(types::END, Body::new())
}

/// PAGE_DATA, with a page for each entry whose type has data.
#[must_use]
pub fn page_data(pages: &[Page]) -> Item {
    let body = Body::new().u32(count(pages)).u32(0).u64s(pages.iter().map(Page::entry));
    record(types::PAGE_DATA, pages.iter().filter_map(Page::contents).fold(body, Body::page))
}

/// PAGE_DATA that names every pfn up to the highest, as a saver's first pass does: these pages, and absent ones for the
/// rest.
#[must_use]
pub fn first_pass(highest: u64, pages: &[Page]) -> Item {
    let of = |pfn| pages.iter().find(|page| page.pfn() == pfn);
    let all: Vec<Page> =
        (0..=highest).map(|pfn| of(pfn).cloned().unwrap_or_else(|| Page::absent(pfn))).collect();
    page_data(&all)
}

/// PAGE_DATA records for a range of pfns, as full as savers make them.
pub fn batches(pfns: std::ops::Range<u64>, page: impl Fn(u64) -> Page) -> impl Iterator<Item = Item> {
    let starts = pfns.clone().step_by(page::BATCH as usize);
    starts.map(move |start| {
        let pages: Vec<Page> = (start..pfns.end.min(start + page::BATCH)).map(&page).collect();
        page_data(&pages)
    })
}

/// X86_PV_INFO of a 64-bit guest.
#[must_use]
pub fn pv64_info() -> Item {
    pv_info(libxc::pv_info::PV64)
}

/// X86_PV_INFO of a 32-bit guest.
#[must_use]
pub fn pv32_info() -> Item {
    pv_info(libxc::pv_info::PV32)
}

/// X86_PV_INFO of a guest with this width and this many page-table levels.
#[must_use]
pub fn pv_info((guest_width, pt_levels): (u8, u8)) -> Item {
    record(types::X86_PV_INFO, Body::new().u8(guest_width).u8(pt_levels).zeros(6))
}

/// X86_PV_P2M_FRAMES for pfns from `start_pfn` to `end_pfn`, both included.
#[must_use]
pub fn p2m_frames(start_pfn: u32, end_pfn: u32, frames: &[u64]) -> Item {
    let body = Body::new().u32(start_pfn).u32(end_pfn).u64s(frames.iter().copied());
    record(types::X86_PV_P2M_FRAMES, body)
}

/// X86_PV_VCPU_BASIC.
#[must_use]
pub fn vcpu_basic(vcpu_id: u32, registers: &Basic) -> Item {
    vcpu(types::X86_PV_VCPU_BASIC, vcpu_id, Body::new().raw(registers.bytes()))
}

/// X86_PV_VCPU_EXTENDED; the blob ([`extended_state`](crate::extended_state)) is at most 128 bytes long.
#[must_use]
pub fn vcpu_extended(vcpu_id: u32, blob: impl Into<Vec<u8>>) -> Item {
    vcpu(types::X86_PV_VCPU_EXTENDED, vcpu_id, Body::new().raw(blob))
}

/// X86_PV_VCPU_XSAVE with a blob of this size, as [`xsave_state`](crate::xsave_state) makes it.
#[must_use]
pub fn vcpu_xsave(vcpu_id: u32, size: u64) -> Item {
    vcpu(types::X86_PV_VCPU_XSAVE, vcpu_id, Body::new().raw(crate::vcpu::xsave_state(size)))
}

/// X86_PV_VCPU_MSRS: pairs of index and value.
#[must_use]
pub fn vcpu_msrs(vcpu_id: u32, msrs: &[(u32, u64)]) -> Item {
    let blob = msrs.iter().fold(Vec::new(), |mut blob, (index, value)| {
        // Xen's `xen_domctl_vcpu_msr_t`, copied from memory: little-endian whatever the stream's order.
        blob.extend(index.to_le_bytes());
        blob.extend([0; 4]);
        blob.extend(value.to_le_bytes());
        blob
    });
    vcpu(types::X86_PV_VCPU_MSRS, vcpu_id, Body::new().raw(blob))
}

/// Any of the X86_PV_VCPU records: a vcpu header, then a blob.
#[must_use]
pub fn vcpu(kind: u32, vcpu_id: u32, blob: Body) -> Item {
    record(kind, Body::new().u32(vcpu_id).u32(0).and(blob))
}

/// SHARED_INFO of zeros.
#[must_use]
pub fn shared_info() -> Item {
    record(types::SHARED_INFO, Body::new().zeros(SHARED_INFO_LENGTH))
}

/// X86_TSC_INFO.
#[must_use]
pub fn tsc_info(mode: u32, khz: u32, nsec: u64, incarnation: u32) -> Item {
    record(types::X86_TSC_INFO, Body::new().u32(mode).u32(khz).u64(nsec).u32(incarnation).u32(0))
}

/// HVM_CONTEXT.
#[must_use]
pub fn hvm_context(chain: &Chain) -> Item {
    record(types::HVM_CONTEXT, Body::new().raw(chain.bytes())).with_entries(chain.places())
}

/// HVM_PARAMS: pairs of index and value.
#[must_use]
pub fn hvm_params(params: &[(u64, u64)]) -> Item {
    let entries = params.iter().flat_map(|(index, value)| [*index, *value]);
    record(types::HVM_PARAMS, Body::new().u32(count(params)).u32(0).u64s(entries))
}

/// TOOLSTACK, which nobody takes any more.
#[must_use]
pub fn toolstack() -> Item {
    record(types::TOOLSTACK, Body::new())
}

/// VERIFY.
#[must_use]
pub fn verify() -> Item {
    record(types::VERIFY, Body::new())
}

/// CHECKPOINT.
#[must_use]
pub fn checkpoint() -> Item {
    record(types::CHECKPOINT, Body::new())
}

/// CHECKPOINT_DIRTY_PFN_LIST, which travels the other way.
#[must_use]
pub fn dirty_pfn_list(pfns: &[u64]) -> Item {
    record(types::CHECKPOINT_DIRTY_PFN_LIST, Body::new().u64s(pfns.iter().copied()))
}

/// STATIC_DATA_END.
#[must_use]
pub fn static_data_end() -> Item {
    record(types::STATIC_DATA_END, Body::new())
}

/// X86_CPUID_POLICY: leaves of leaf, subleaf, a, b, c and d.
#[must_use]
pub fn cpuid_policy(leaves: &[[u32; 6]]) -> Item {
    record(types::X86_CPUID_POLICY, leaves.iter().flatten().fold(Body::new(), |body, word| body.u32(*word)))
}

/// X86_MSR_POLICY: pairs of index and value.
#[must_use]
pub fn msr_policy(msrs: &[(u32, u64)]) -> Item {
    let body = msrs.iter().fold(Body::new(), |body, (index, value)| body.u32(*index).u32(0).u64(*value));
    record(types::X86_MSR_POLICY, body)
}

fn count<T>(entries: &[T]) -> u32 {
    u32::try_from(entries.len()).expect("a count of 32 bits")
}
