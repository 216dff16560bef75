//! Headers and records of the libxc stream.

use xenstream_core::wire::libxc::{
    self, ID, MARKER, PAGE_SHIFT, SHARED_INFO_LENGTH, VERSION_MAX, page, types,
};
use xenstream_core::wire::msr::{PLATFORM_INFO, TSC_AUX};
use xenstream_core::wire::{headers, params, pv, records};
use xenstream_core::{Format, Guest};

use crate::body::Body;
use crate::flat::Flat;
use crate::hvm::Chain;
use crate::item::{Item, Part};
use crate::pages::Page;
use crate::stream::Stream;
use crate::vcpu::{Basic, extended_state};

/// A bare libxc stream of version 3: both headers, then these records.
#[must_use]
pub fn stream(guest: Guest, records: impl IntoIterator<Item = Item>) -> Stream {
    Stream::new(Format::Libxc, [image(), domain(guest)].into_iter().chain(records))
}

/// The image header of a version 3 stream.
#[must_use]
pub fn image() -> Item {
    let header = Flat::new(&headers::LIBXC_IMAGE)
        .with("marker", MARKER)
        .with("id", ID.into())
        .with("version", VERSION_MAX.into());
    Item::new(Part::Image, header.body())
}

/// The domain header, of Xen 4.17.
#[must_use]
pub fn domain(guest: Guest) -> Item {
    let kind = match guest {
        Guest::Pv => libxc::DOMAIN_X86_PV,
        Guest::Hvm => libxc::DOMAIN_X86_HVM,
    };
    let header = Flat::new(&headers::LIBXC_DOMAIN)
        .with("type", kind.into())
        .with("page_shift", PAGE_SHIFT.into())
        .with("xen_major", 4)
        .with("xen_minor", 17);
    Item::new(Part::Domain, header.body())
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
    let info = Flat::new(&records::PV_INFO)
        .with("guest_width", guest_width.into())
        .with("pt_levels", pt_levels.into());
    record(types::X86_PV_INFO, info.body())
}

/// X86_PV_P2M_FRAMES for pfns from `start_pfn` to `end_pfn`, both included.
#[must_use]
pub fn p2m_frames(start_pfn: u32, end_pfn: u32, frames: &[u64]) -> Item {
    let header =
        Flat::new(&records::P2M_FRAMES).with("start_pfn", start_pfn.into()).with("end_pfn", end_pfn.into());
    let body = frames.iter().fold(header, |body, frame| body.entry(&[("frame", *frame)]));
    record(types::X86_PV_P2M_FRAMES, body.body())
}

/// X86_PV_VCPU_BASIC.
#[must_use]
pub fn vcpu_basic(vcpu_id: u32, registers: &Basic) -> Item {
    vcpu(types::X86_PV_VCPU_BASIC, vcpu_id, Body::new().raw(registers.bytes()))
}

/// X86_PV_VCPU_EXTENDED; the blob ([`extended_state`]) is at most 128 bytes long.
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
    vcpu(types::X86_PV_VCPU_MSRS, vcpu_id, msr_entries(Flat::new(&pv::MSRS), msrs).body())
}

/// Any of the X86_PV_VCPU records: a vcpu header, then a blob.
#[must_use]
pub fn vcpu(kind: u32, vcpu_id: u32, blob: Body) -> Item {
    let header = Flat::new(&records::VCPU_HEADER).with("vcpu_id", vcpu_id.into());
    record(kind, header.body().and(blob))
}

/// SHARED_INFO of zeros.
#[must_use]
pub fn shared_info() -> Item {
    record(types::SHARED_INFO, Body::new().zeros(SHARED_INFO_LENGTH))
}

/// X86_TSC_INFO, the guest's clock.
#[must_use]
pub fn clock_of(mode: u32, khz: u32, nsec: u64, incarnation: u32) -> Item {
    let info = Flat::new(&records::TSC_INFO)
        .with("mode", mode.into())
        .with("khz", khz.into())
        .with("nsec", nsec)
        .with("incarnation", incarnation.into());
    record(types::X86_TSC_INFO, info.body())
}

/// X86_TSC_INFO, the guest's clock.
pub const CLOCK: Part = Part::libxc(types::X86_TSC_INFO);

/// X86_TSC_INFO of a guest that reads the processor's counter and was restored once.
#[must_use]
pub fn clock() -> Item {
    clock_of(2, 0, 0, 1)
}

/// Records that end a PV guest's memory: before each of them all of it has to be there.
pub(crate) const AFTER_MEMORY: [Part; 5] = [
    CLOCK,
    Part::libxc(types::SHARED_INFO),
    Part::libxc(types::VERIFY),
    Part::libxc(types::CHECKPOINT),
    Part::libxc(types::END),
];

/// A valid record of each type with declared fields that may come anywhere where its kind belongs.
pub(crate) fn samples(guest: Guest) -> Vec<Item> {
    let mut samples = vec![clock(), msr_policy(&[(PLATFORM_INFO, 0)])];
    samples.extend(match guest {
        Guest::Hvm => vec![hvm_params(&[(params::index::STORE_PFN, 0)])],
        Guest::Pv => {
            vec![vcpu_extended(0, extended_state(0, 64)), vcpu_xsave(0, 848), vcpu_msrs(0, &[(TSC_AUX, 0)])]
        }
    });
    samples
}

/// HVM_CONTEXT.
#[must_use]
pub fn hvm_context(chain: &Chain) -> Item {
    record(types::HVM_CONTEXT, Body::new().raw(chain.bytes())).with_entries(chain.places())
}

/// HVM_PARAMS: pairs of index and value.
#[must_use]
pub fn hvm_params(params: &[(u64, u64)]) -> Item {
    let header = Flat::new(&records::HVM_PARAMS).with("count", count(params).into());
    let body = params
        .iter()
        .fold(header, |body, (index, value)| body.entry(&[("index", *index), ("value", *value)]));
    record(types::HVM_PARAMS, body.body())
}

/// TOOLSTACK, which is deprecated.
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
    const NAMES: [&str; 6] = ["leaf", "subleaf", "eax", "ebx", "ecx", "edx"];
    let body = leaves.iter().fold(Flat::new(&records::CPUID_POLICY), |body, words| {
        let mut values = NAMES.map(|name| (name, 0));
        values.iter_mut().zip(words).for_each(|((_, value), word)| *value = u64::from(*word));
        body.entry(&values)
    });
    record(types::X86_CPUID_POLICY, body.body())
}

/// X86_MSR_POLICY: pairs of index and value.
#[must_use]
pub fn msr_policy(msrs: &[(u32, u64)]) -> Item {
    record(types::X86_MSR_POLICY, msr_entries(Flat::new(&records::MSR_POLICY), msrs).body())
}

/// With an entry for each of these pairs of index and value.
pub(crate) fn msr_entries(flat: Flat, msrs: &[(u32, u64)]) -> Flat {
    msrs.iter()
        .fold(flat, |flat, (index, value)| flat.entry(&[("index", (*index).into()), ("value", *value)]))
}

fn count<T>(entries: &[T]) -> u32 {
    u32::try_from(entries.len()).expect("a count of 32 bits")
}
